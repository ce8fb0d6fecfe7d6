//! Quorum: what needs the approval of several users, and the tokens that they approve.
//!
//! Officers' commands need as many approvals as the value of their service says, which holds for the whole HSM; what is
//! done with a key as many as the key says, which is fixed when it is made (User Guide, quorum-auth-chsm-cli and
//! key-quorum-auth-chsm-cli). A token is made for one service and, for keys, one key; users sign it outside with keys
//! that they have registered; it is brought along with the command that it is for and serves once.
//!
//! [`token`] holds the tokens, [`approval`] checks who has signed, [`toll`] demands it where the policy says so.

mod approval;
mod moment;
mod token;
mod toll;

pub use approval::{Approval, Signature, SignedToken};
pub(super) use token::digest;
pub use token::{QuorumToken, TokenInformation};
pub(super) use toll::Toll;

use base::ck::{self, CK_ATTRIBUTE_TYPE};
use base::error::{Error, Result};

use super::Login;
use super::user::Role;
use crate::object::Object;
use crate::object::attributes::Draft;

/// Who asks for something: a user who is logged in, and the approvals that come with the request.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    pub(super) login: &'a Login,
    pub(super) approval: Option<&'a Approval>,
}

impl<'a> Actor<'a> {
    /// A user, and the approvals of others if there are any.
    #[must_use]
    pub const fn new(login: &'a Login, approval: Option<&'a Approval>) -> Self {
        Self { login, approval }
    }
}

impl<'a> From<&'a Login> for Actor<'a> {
    fn from(login: &'a Login) -> Self {
        Self::new(login, None)
    }
}

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Managing users.
    User = 1,
    /// Changing the values of this and the other officers' services.
    Quorum = 2,
    /// Trust anchors of the cluster.
    Cluster = 3,
    /// Registering the public key with which a user approves.
    Registration = 4,
    /// Signing with a key.
    KeyUsage = 5,
    /// Changing, sharing and exporting a key.
    KeyManagement = 6,
}

/// The most approvals that anything can need (User Guide, cloudhsm_cli-qm-token-set-qm).
pub const MOST_APPROVALS: u8 = 8;

impl Service {
    const ALL: [Self; 6] =
        [Self::User, Self::Quorum, Self::Cluster, Self::Registration, Self::KeyUsage, Self::KeyManagement];

    /// The CLI's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Quorum => "quorum",
            Self::Cluster => "cluster",
            Self::Registration => "registration",
            Self::KeyUsage => "key-usage",
            Self::KeyManagement => "key-management",
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|service| *service as u8 == code)
    }

    /// Whether its tokens are for one key.
    #[must_use]
    pub const fn is_of_keys(self) -> bool {
        matches!(self, Self::KeyUsage | Self::KeyManagement)
    }

    /// Whether users of this role make its tokens (User Guide, cloudhsm_cli-qm-token-gen).
    const fn is_for(self, role: Role) -> bool {
        match self {
            Self::User | Self::Quorum | Self::Cluster => matches!(role, Role::CryptoOfficer),
            Self::KeyUsage | Self::KeyManagement => matches!(role, Role::CryptoUser),
            Self::Registration => true,
        }
    }
}

/// How many approvals a key needs; 0 is none at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyQuorum {
    /// For changing, sharing and exporting it.
    pub manage: u8,
    /// For using it.
    pub using: u8,
}

// The values live among the key's attributes, under numbers that no rule of any kind of object has: no template can give
// them and no call shows them.
const MANAGE: CK_ATTRIBUTE_TYPE = ck::CKA_VENDOR_DEFINED | 0x51_0001;
const USING: CK_ATTRIBUTE_TYPE = ck::CKA_VENDOR_DEFINED | 0x51_0002;

impl KeyQuorum {
    /// The values of a key.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let value = |id| object.attributes.number(id).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
        Self { manage: value(MANAGE), using: value(USING) }
    }

    /// Whether the key needs approvals for anything.
    #[must_use]
    pub const fn is_set(self) -> bool {
        self.manage > 0 || self.using > 0
    }

    const fn value(self, service: Service) -> u8 {
        match service {
            Service::KeyUsage => self.using,
            Service::KeyManagement => self.manage,
            _ => 0,
        }
    }

    /// Gives a new key these values.
    pub(super) fn put(self, draft: &mut Draft) {
        if self.is_set() {
            draft.set_number(MANAGE, self.manage.into());
            draft.set_number(USING, self.using.into());
        }
    }

    /// Whether a new key with so many associated users, its owner counted, can have these values. The texts are AWS's.
    ///
    /// # Errors
    /// CKR_ARGUMENTS_BAD.
    pub(super) fn check(self, associated: usize) -> Result<()> {
        if !self.is_set() {
            return Ok(());
        }
        if self.manage < 2 || self.using < 2 {
            return Err(Error::new(
                ck::CKR_ARGUMENTS_BAD,
                "The manage key and use key quorum values must be set to a value greater than 1",
            ));
        }
        let most = self.manage.max(self.using);
        if most > MOST_APPROVALS || usize::from(most) > associated {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Invalid quorum value provided."));
        }
        Ok(())
    }
}
