//! The toll: the approvals that something costs, demanded in the commit of what they are for.
//!
//! The policy gives a [`Toll`] back for everything that may need a quorum, and it must be paid before anything is done:
//! the token is used up in the same commit, or in one of its own before a result leaves the module.

use base::ck;
use base::error::{Error, Result};
use store::{Durability, View};

use super::super::commit::{Plan, Planned};
use super::super::user::Role;
use super::super::{Hsm, Module};
use super::approval::redeem;
use super::{Actor, KeyQuorum, Service};
use crate::object::{Object, ObjectId};

/// What is to be paid.
#[must_use = "what needs a quorum is not done before its toll is paid"]
#[derive(Clone, Copy)]
pub(in crate::module) struct Toll {
    service: Option<Service>,
    /// The key, and how many approvals it needs.
    key: Option<(ObjectId, u8)>,
}

impl Toll {
    /// Nothing is to be paid.
    pub(in crate::module) const NOTHING: Self = Self { service: None, key: None };

    /// What a command of officers costs: what the service's value says in the state that it is committed to.
    pub(in crate::module) const fn of_service(service: Option<Service>) -> Self {
        Self { service, key: None }
    }

    /// What a command on a key costs.
    pub(in crate::module) fn of_key(service: Option<Service>, object: &Object) -> Self {
        let needed = service.map_or(0, |service| KeyQuorum::of(object).value(service));
        if needed < 2 {
            return Self::NOTHING;
        }
        // No token is for a key without an id, so nothing would pay for it.
        Self { service, key: Some((object.id.unwrap_or(ObjectId(0)), needed)) }
    }

    /// Whether nothing is to be paid, whatever is set later.
    pub(in crate::module) const fn is_nothing(self) -> bool {
        self.service.is_none()
    }

    /// Says that nothing will be paid.
    ///
    /// # Errors
    /// AWS's text, with CKR_KEY_FUNCTION_NOT_PERMITTED, if a key needs approvals.
    pub(in crate::module) const fn none(self) -> Result<()> {
        if self.key.is_none() { Ok(()) } else { Err(NO_QUORUM) }
    }

    /// Checks the approvals that come with a request on the state that it is committed to, and uses their token up.
    ///
    /// # Errors
    /// AWS's texts for approvals that are missing, too few, or not for this.
    pub(in crate::module) fn pay(self, hsm: &Hsm, view: &dyn View, actor: Actor<'_>) -> Result<Vec<Planned>> {
        let Some(service) = self.service else { return Ok(Vec::new()) };
        let needed = match self.key {
            Some((_, needed)) => needed,
            None if service.is_of_keys() => 0,
            None => hsm.cluster_policy_in(view)?.1.value(service),
        };
        if needed < 2 {
            return Ok(Vec::new());
        }
        match actor.approval {
            Some(approval) => redeem(hsm, view, actor.login, approval, service, self.key.map(|(id, _)| id), needed),
            None if service.is_of_keys() => Err(NO_QUORUM),
            None => Err(Error::new(ck::CKR_FUNCTION_FAILED, "Quorum approval is required for this operation")),
        }
    }
}

const NO_QUORUM: Error = Error::new(ck::CKR_KEY_FUNCTION_NOT_PERMITTED, "Quorum Failed");

impl Module {
    /// Pays for something that commits nothing else, before its result is handed out.
    ///
    /// # Errors
    /// As [`Toll::pay`].
    pub(in crate::module) fn pay(&self, tolls: &[(Toll, Option<Actor<'_>>)]) -> Result<()> {
        let due = || tolls.iter().filter(|(toll, _)| toll.service.is_some());
        let Some((_, actor)) = due().next() else { return Ok(()) };
        let hsm = self.hsm()?;
        hsm.commit(actor.map(|actor| actor.login), Durability::Synced, &mut |view, _| {
            let mut plan = Plan::default();
            for (toll, actor) in due() {
                plan.changes.extend(toll.pay(&hsm, view, actor.ok_or(NO_QUORUM)?)?);
            }
            Ok(plan)
        })
    }
}

impl Service {
    /// Whose signatures count: those of officers, or those of the users of the key.
    pub(super) const fn approvers(self) -> Role {
        if self.is_of_keys() { Role::CryptoUser } else { Role::CryptoOfficer }
    }
}
