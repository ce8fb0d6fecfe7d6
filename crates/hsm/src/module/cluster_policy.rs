//! What officers have set for the whole HSM: the quorum values of their services, the trust anchors, and whether those are
//! enforced. One record, so that what is read together was written together.

use base::ck;
use base::codec::{MALFORMED, Reader, Writer};
use base::error::{Error, Result};
use crypto::{key_file, x509};
use store::{Durability, Kind, View};

use super::audit::{Event, Opcode};
use super::commit::{Plan, Planned, meta};
use super::hierarchy::Tier;
use super::policy::{self, Command};
use super::quorum::{Actor, MOST_APPROVALS, Service};
use super::user::Role;
use super::{Hsm, Module};

/// What is set; as nobody has changed it, no quorum and no anchors.
#[derive(Clone)]
pub struct ClusterPolicy {
    values: [u8; 3],
    /// Whether clients are asked for certificates; stored and listed, since nobody connects to this HSM over a network.
    pub mtls_enforced: bool,
    /// The anchors, by ascending reference.
    pub trust_anchors: Vec<TrustAnchor>,
}

/// A certificate that signs those of clients.
#[derive(Clone)]
pub struct TrustAnchor {
    /// Its number, from 1.
    pub reference: u32,
    /// The certificate and its chain, as it was registered.
    pub pem: String,
}

/// The services that have a value, in the order in which AWS lists them.
pub const SERVICES_WITH_VALUES: [Service; 3] = [Service::User, Service::Quorum, Service::Cluster];

impl Default for ClusterPolicy {
    fn default() -> Self {
        Self { values: [1; 3], mtls_enforced: false, trust_anchors: Vec::new() }
    }
}

impl ClusterPolicy {
    /// How many approvals a service needs; 1 means that none is asked for.
    #[must_use]
    pub fn value(&self, service: Service) -> u8 {
        SERVICES_WITH_VALUES.iter().zip(self.values).find(|(known, _)| **known == service).map_or(1, |(_, value)| value)
    }

    /// The highest of the values.
    pub(super) fn most(&self) -> u8 {
        self.values.iter().copied().max().unwrap_or(1)
    }

    pub(super) fn set(&mut self, service: Service, value: u8) {
        for (known, held) in SERVICES_WITH_VALUES.iter().zip(&mut self.values) {
            if *known == service {
                *held = value;
            }
        }
    }

    pub(super) fn put(&self, expected: u64) -> Planned {
        let mut writer = Writer::new(64);
        writer.byte(1).raw(&self.values).byte(self.mtls_enforced.into());
        writer.number(u32::try_from(self.trust_anchors.len()).unwrap_or(u32::MAX));
        for anchor in &self.trust_anchors {
            writer.number(anchor.reference).part(anchor.pem.as_bytes());
        }
        Planned::Put {
            kind: Kind::Meta,
            id: meta::POLICY,
            expected,
            class: 0,
            key_type: 0,
            owner: 0,
            tier: Tier::Public,
            plain: writer.finish_secret(),
            tags: None,
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != 1 {
            return Err(MALFORMED);
        }
        let mut policy =
            Self { values: reader.array()?, mtls_enforced: reader.byte()? != 0, trust_anchors: Vec::new() };
        for _ in 0..reader.number()? {
            policy.trust_anchors.push(TrustAnchor { reference: reader.number()?, pem: reader.text()?.to_owned() });
        }
        reader.end()?;
        Ok(policy)
    }
}

/// The most trust anchors (User Guide, cloudhsm_cli-cluster-mtls-register-trust-anchor).
const MOST_ANCHORS: usize = 2;
/// The longest chain of certificates, in bytes of PEM.
const LONGEST_CHAIN: usize = 6980;

impl Module {
    /// What officers have set. Needs no login, as on AWS.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn cluster_policy(&self) -> Result<ClusterPolicy> {
        let Some(hsm) = self.hsm_if_active()? else { return Ok(ClusterPolicy::default()) };
        Ok(hsm.cluster_policy_in(&*hsm.store)?.1)
    }

    /// Changes how many approvals a service of officers needs.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `quorum` refuse; CKR_ARGUMENTS_BAD for a value that is not 1 to 8, more
    /// than there are officers, or above that of `quorum`.
    pub fn set_quorum_value<'a>(&self, actor: impl Into<Actor<'a>>, service: Service, value: u8) -> Result<()> {
        let hsm = self.hsm()?;
        let actor = actor.into();
        let event = Event::by(actor.login, Opcode::SetQuorumValue).saying(format!("{} {value}", service.name()));
        self.change_policy(actor, Command::SetQuorum, &event, |view, policy| {
            let officers = hsm.count_role_in(view, Role::CryptoOfficer)?;
            if !(1..=MOST_APPROVALS).contains(&value) || usize::from(value) > officers {
                return Err(Error::with(
                    ck::CKR_ARGUMENTS_BAD,
                    format!("A quorum value is 1 to {MOST_APPROVALS}, and at most the number of admins, {officers}"),
                ));
            }
            policy.set(service, value);
            if policy.value(Service::User) > policy.value(Service::Quorum) {
                return Err(Error::new(
                    ck::CKR_ARGUMENTS_BAD,
                    "The value of the service user may not exceed that of the service quorum",
                ));
            }
            Ok(())
        })
    }

    /// Registers a trust anchor: a certificate, or an intermediate one with its whole chain, in PEM.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `cluster` refuse; CKR_ARGUMENTS_BAD with AWS's texts.
    pub fn register_trust_anchor<'a>(&self, actor: impl Into<Actor<'a>>, pem: &[u8]) -> Result<TrustAnchor> {
        if pem.len() > LONGEST_CHAIN {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Oversized Certificate: Certificate is too long"));
        }
        let chain = x509::read_chain(pem)?;
        // Certificates alone: what else stands in the file is shown to nobody.
        let chain_pem: String = chain.iter().map(|der| key_file::to_pem("CERTIFICATE", der)).collect::<Result<_>>()?;
        let mut registered = None;
        let actor = actor.into();
        let event = Event::by(actor.login, Opcode::StoreTrustAnchor);
        self.change_policy(actor, Command::ChangeTrustAnchors, &event, |_, policy| {
            for known in &policy.trust_anchors {
                if x509::read_chain(known.pem.as_bytes())?.first() == chain.first() {
                    return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Invalid Certificate: Trust anchor already exists."));
                }
            }
            if policy.trust_anchors.len() >= MOST_ANCHORS {
                return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Maximum number of certificates registered."));
            }
            let taken = |number: u32| policy.trust_anchors.iter().any(|known| known.reference == number);
            let reference = (1..).find(|number| !taken(*number)).unwrap_or(u32::MAX);
            let anchor = TrustAnchor { reference, pem: chain_pem.clone() };
            registered = Some(anchor.clone());
            policy.trust_anchors.push(anchor);
            policy.trust_anchors.sort_by_key(|anchor| anchor.reference);
            Ok(())
        })?;
        registered.ok_or(Error::internal("nothing was registered"))
    }

    /// Takes a trust anchor away.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `cluster` refuse; CKR_ARGUMENTS_BAD for one that is not there, or for
    /// the last one while anchors are enforced.
    pub fn deregister_trust_anchor<'a>(&self, actor: impl Into<Actor<'a>>, reference: u32) -> Result<()> {
        let actor = actor.into();
        let event = Event::by(actor.login, Opcode::ChangeTrustAnchors);
        let event = event.saying(format!("deregister {reference:#x}"));
        self.change_policy(actor, Command::ChangeTrustAnchors, &event, |_, policy| {
            let before = policy.trust_anchors.len();
            policy.trust_anchors.retain(|anchor| anchor.reference != reference);
            if policy.trust_anchors.len() == before {
                return Err(Error::with(
                    ck::CKR_ARGUMENTS_BAD,
                    format!("There is no trust anchor with reference {reference:#04x}"),
                ));
            }
            if policy.mtls_enforced && policy.trust_anchors.is_empty() {
                return Err(Error::new(
                    ck::CKR_ARGUMENTS_BAD,
                    "The last trust anchor stays while mtls is enforced: set the enforcement level to none first",
                ));
            }
            Ok(())
        })
    }

    /// Sets whether clients need a certificate. For the officer named `admin` alone, as on AWS.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `cluster` refuse; CKR_ARGUMENTS_BAD where there is no anchor.
    pub fn enforce_mtls<'a>(&self, actor: impl Into<Actor<'a>>, enforced: bool) -> Result<()> {
        let actor = actor.into();
        if actor.login.role == Role::CryptoOfficer && actor.login.name != super::user::unnamed(Role::CryptoOfficer) {
            return Err(Error::new(
                ck::CKR_USER_NOT_LOGGED_IN,
                "An Admin must be logged in to set policy on an HSM: the one named admin",
            ));
        }
        let event = Event::by(actor.login, Opcode::ChangeTrustAnchors);
        let event = event.saying(format!("enforcement {}", if enforced { "on" } else { "off" }));
        self.change_policy(actor, Command::ChangeTrustAnchors, &event, |_, policy| {
            if enforced && policy.trust_anchors.is_empty() {
                return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Register a trust anchor first"));
            }
            policy.mtls_enforced = enforced;
            Ok(())
        })
    }

    fn change_policy(
        &self,
        actor: Actor<'_>,
        command: Command,
        event: &Event,
        mut change: impl FnMut(&dyn View, &mut ClusterPolicy) -> Result<()>,
    ) -> Result<()> {
        let toll = policy::may_officer(actor, command)?;
        let hsm = self.hsm()?;
        hsm.commit(Some(actor.login), Durability::Synced, &mut |view, _| {
            let mut plan = Plan { changes: toll.pay(&hsm, view, actor)?, ..Plan::default() };
            let (version, mut policy) = hsm.cluster_policy_in(view)?;
            change(view, &mut policy)?;
            plan.changes.push(policy.put(version));
            plan.events.push(event.clone());
            Ok(plan)
        })
    }
}

impl Hsm {
    /// What officers have set, and its version; 0 if nobody has set anything.
    pub(super) fn cluster_policy_in(&self, view: &dyn View) -> Result<(u64, ClusterPolicy)> {
        match view.read(Kind::Meta, meta::POLICY)? {
            Some(record) => Ok((record.version, ClusterPolicy::decode(self.public.open(&record)?.expose())?)),
            None => Ok((0, ClusterPolicy::default())),
        }
    }
}
