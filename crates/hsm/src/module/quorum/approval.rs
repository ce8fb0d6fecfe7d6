//! Approvals: who has signed a token, checked when they come in and once more when they are used.

use base::ck;
use base::error::{Error, Result};
use store::{Durability, Kind, View};

use super::super::audit::{Event, Opcode};
use super::super::commit::{Plan, Planned};
use super::super::registered_key::RegisteredKey;
use super::super::user::Role;
use super::super::{Hsm, Login, Module};
use super::Service;
use super::token::{Approver, Token, digest, named_by};
use crate::object::{ObjectId, UserId};

/// One user's signature of a token.
pub struct Signature {
    /// The user's name.
    pub username: String,
    /// The user's role.
    pub role: Role,
    /// PKCS#1 v1.5 over the token's digest, taken as a SHA-256 value.
    pub signature: Vec<u8>,
}

/// A token file that comes back.
pub struct SignedToken {
    /// As it went out.
    pub approval_data: Vec<u8>,
    /// The approvals.
    pub signatures: Vec<Signature>,
}

/// The proof that a live token of this HSM was brought along and that its signatures are right. How many are needed, of whom
/// and for what, is checked in the commit that uses it.
pub struct Approval {
    token: u64,
}

/// AWS's text for a token that is used up, and so for every other that the HSM does not know.
const UNKNOWN: Error = Error::new(ck::CKR_FUNCTION_FAILED, "Invalid username-signature pair for quorum authorization");
const EXPIRED: Error = Error::new(ck::CKR_FUNCTION_FAILED, "The quorum token has expired");
const NOT_YOURS: Error = Error::new(ck::CKR_FUNCTION_FAILED, "The quorum token belongs to another login");
const FOR_ANOTHER: Error = Error::new(ck::CKR_FUNCTION_FAILED, "The quorum token is for another service or key");

impl Module {
    /// Takes a signed token in: the HSM remembers who has approved it.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED with AWS's text for a token that is not one of this HSM's live ones or was altered, and for a
    /// signature that is not that of a user who may approve; CKR_USER_NOT_LOGGED_IN.
    pub fn approve(&self, login: &Login, signed: &SignedToken) -> Result<Approval> {
        login.check()?;
        let hsm = self.hsm()?;
        let id = named_by(&signed.approval_data).ok_or(UNKNOWN)?;
        let service = hsm.own_token(&*hsm.store, login, id, &signed.approval_data)?.service;
        let digest = digest(&signed.approval_data);
        let mut approvers: Vec<(Approver, &str)> = Vec::new();
        for Signature { username, role, signature } in &signed.signatures {
            let (user, key) = match hsm.find_user(username, *role)? {
                Some((user, record)) if *role == service.approvers() => (user, record.quorum_key),
                _ => return Err(UNKNOWN),
            };
            let key = key.filter(|key| key.verifies(&digest, signature)).ok_or(UNKNOWN)?;
            // Each approver counts once.
            if !approvers.iter().any(|(known, _)| known.user == user) {
                approvers.push((Approver { user, key: key.fingerprint() }, username));
            }
        }
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let mut token = hsm.own_token(view, login, id, &signed.approval_data)?;
            let mut plan = Plan::default();
            for (approver, name) in &approvers {
                let fresh = !token.approvals.iter().any(|known| known.user == approver.user);
                token.approvals.retain(|known| known.user != approver.user);
                token.approvals.push(Approver { user: approver.user, key: approver.key });
                if fresh {
                    let event = Event::by(login, Opcode::ApproveToken).about(name, token.service.approvers());
                    plan.events.push(event.saying(token.service.name()));
                }
            }
            if !plan.events.is_empty() {
                plan.changes.push(token.put(token.version));
            }
            Ok(plan)
        })?;
        Ok(Approval { token: id })
    }
}

impl Hsm {
    /// What uses up a registration token of this login with these very approval data.
    pub(in crate::module) fn registration_in(
        &self,
        view: &dyn View,
        login: &Login,
        approval_data: &[u8],
    ) -> Result<Planned> {
        let id = named_by(approval_data).ok_or(UNKNOWN)?;
        let token = self.own_token(view, login, id, approval_data)?;
        if token.service == Service::Registration { Ok(token.delete()) } else { Err(FOR_ANOTHER) }
    }

    /// A live token of this login with these very approval data.
    fn own_token(&self, view: &dyn View, login: &Login, id: u64, approval_data: &[u8]) -> Result<Token> {
        let token = self.token_in(view, id)?.ok_or(UNKNOWN)?;
        if token.approval_data != approval_data {
            return Err(UNKNOWN);
        }
        if !token.is_live() {
            return Err(EXPIRED);
        }
        if token.is_of(login) { Ok(token) } else { Err(NOT_YOURS) }
    }
}

/// Uses an approval for what `service` (and `key`) need `needed` approvals for: gives back what deletes its token.
pub(super) fn redeem(
    hsm: &Hsm,
    view: &dyn View,
    login: &Login,
    approval: &Approval,
    service: Service,
    key: Option<ObjectId>,
    needed: u8,
) -> Result<Vec<Planned>> {
    let token = hsm.token_in(view, approval.token)?.ok_or(UNKNOWN)?;
    if !token.is_live() {
        return Err(EXPIRED);
    }
    if !token.is_of(login) {
        return Err(NOT_YOURS);
    }
    if token.service != service || token.key != key {
        return Err(FOR_ANOTHER);
    }
    let associated = key.map(|key| hsm.associated_in(view, key)).transpose()?;
    let mut keys: Vec<RegisteredKey> = Vec::new();
    for approver in &token.approvals {
        // What was true when the approval came in may have changed since.
        let holds = hsm.read_user_in(view, approver.user)?.and_then(|(_, user)| {
            user.quorum_key.filter(|key| user.role == service.approvers() && key.fingerprint() == approver.key)
        });
        let counts = associated.as_ref().is_none_or(|users: &Vec<UserId>| users.contains(&approver.user));
        // Two users may have one key since before that was refused: its holder approves once.
        if let Some(key) = holds.filter(|_| counts)
            && !keys.iter().any(|known| known.is_of_one_holder_with(&key))
        {
            keys.push(key);
        }
    }
    let count = keys.len();
    if count >= usize::from(needed) {
        return Ok(vec![token.delete()]);
    }
    Err(Error::with(
        ck::CKR_FUNCTION_FAILED,
        format!("Too few quorum approvals: currently {count} approvals, but {needed} approvals required"),
    ))
}

impl Hsm {
    /// The users of a key: its owner and those with whom it is shared.
    pub(in crate::module) fn associated_in(&self, view: &dyn View, key: ObjectId) -> Result<Vec<UserId>> {
        let mut users = self.shared_with_in(view, key)?;
        users.extend(view.read(Kind::Object, key.0)?.map(|record| UserId(record.owner)));
        Ok(users)
    }
}
