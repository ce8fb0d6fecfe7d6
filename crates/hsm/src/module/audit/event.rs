//! One record to be: what happened, who did it, and to whom or what. Each part that is given is one call of a builder.

use base::ck;
use platform::process;

use super::super::Login;
use super::super::user::Role;
use super::{Opcode, Response};
use crate::object::Object;

/// The types of user that AWS's log knows, with its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum UserType {
    /// A crypto user.
    CryptoUser = 1,
    /// A crypto officer.
    CryptoOfficer = 2,
    /// The first officer, at the moment that its password activates the HSM.
    PreOfficer = 6,
}

impl UserType {
    pub(super) fn of(code: u8) -> Option<Self> {
        [Self::CryptoUser, Self::CryptoOfficer, Self::PreOfficer].into_iter().find(|known| *known as u8 == code)
    }

    /// AWS's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CryptoUser => "CN_CRYPTO_USER",
            Self::CryptoOfficer => "CN_CRYPTO_OFFICER",
            Self::PreOfficer => "CN_CRYPTO_PRE_OFFICER",
        }
    }
}

impl From<Role> for UserType {
    fn from(role: Role) -> Self {
        match role {
            Role::CryptoOfficer => Self::CryptoOfficer,
            Role::CryptoUser => Self::CryptoUser,
        }
    }
}

/// A user in a record: as it was called then.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Party {
    /// The type; none for nobody.
    pub kind: Option<UserType>,
    /// The name; empty for nobody.
    pub name: String,
}

impl Party {
    pub(in crate::module) fn new(name: &str, kind: impl Into<UserType>) -> Self {
        Self { kind: Some(kind.into()), name: name.to_owned() }
    }
}

/// One record to be.
#[derive(Clone)]
pub(in crate::module) struct Event {
    pub(super) opcode: Opcode,
    pub(super) response: Response,
    pub(super) session: u64,
    pub(super) by: Party,
    pub(super) about: Option<Party>,
    pub(super) objects: [u64; 2],
    pub(super) detail: String,
}

impl Event {
    /// A success of nobody: certificates are stored without a login too.
    pub(in crate::module) fn new(opcode: Opcode) -> Self {
        Self {
            opcode,
            response: Response::Success,
            session: session(0),
            by: Party::default(),
            about: None,
            objects: [0, 0],
            detail: String::new(),
        }
    }

    /// A success of the user who is logged in.
    pub(in crate::module) fn by(login: &Login, opcode: Opcode) -> Self {
        Self { session: session(login.stamp), by: Party::new(&login.name, login.role), ..Self::new(opcode) }
    }

    /// A success of the user who is logged in, or of nobody.
    pub(in crate::module) fn of(login: Option<&Login>, opcode: Opcode) -> Self {
        login.map_or_else(|| Self::new(opcode), |login| Self::by(login, opcode))
    }

    /// The same about a user: AWS's records name the user concerned.
    pub(in crate::module) fn about(self, name: &str, kind: impl Into<UserType>) -> Self {
        Self { about: Some(Party::new(name, kind)), ..self }
    }

    /// The same about an object of the store; 0 for none.
    pub(in crate::module) fn on(self, object: u64) -> Self {
        Self { objects: [object, 0], ..self }
    }

    /// The same about a new key pair.
    pub(in crate::module) fn on_pair(self, private: u64, public: u64) -> Self {
        Self { objects: [private, public], ..self }
    }

    /// The same with another outcome.
    pub(in crate::module) fn answering(self, response: Response) -> Self {
        Self { response, ..self }
    }

    /// The same with more to say.
    pub(in crate::module) fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// What happened to objects that were handled together: a certificate, a pair, or one object.
    pub(in crate::module) fn on_objects(login: Option<&Login>, opcode: Opcode, objects: &[&Object]) -> Self {
        let certificate = objects.iter().any(|object| object.class == ck::CKO_CERTIFICATE);
        let event = Self::of(login, if certificate { opcode.of_certificate() } else { opcode });
        let number = |public: bool| {
            let wanted = |object: &&&Object| (object.class == ck::CKO_PUBLIC_KEY) == public;
            objects.iter().find(wanted).map_or(0, |object| object.audit_number())
        };
        match objects {
            [single] => event.on(single.audit_number()),
            _ => event.on_pair(number(false), number(true)),
        }
    }
}

/// What the log calls a session: the process, and the login in it.
fn session(stamp: u32) -> u64 {
    u64::from(process::pid()) << 32 | u64::from(stamp)
}
