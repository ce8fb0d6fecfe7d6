//! Logging in: from a PIN to a [`Login`], with the count of wrong attempts.
//!
//! A PIN is split at its first colon. An unknown user costs the same time and gives the same answer as a wrong PIN.
//! A wrong attempt is durable before its error is returned; a right PIN writes only if there is something to reset.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::audit::{Event, Opcode, response};
use super::commit::Plan;
use super::hierarchy::DataKeys;
use super::user::{Derivation, Role, User};
use super::{Hsm, Login, Module};
use crate::ck;
use crate::error::{Error, Result};
use crate::object::UserId;
use crate::secret::Secret;
use crate::store::Durability;

/// The officer that activation makes.
pub(super) const OFFICER: &str = "admin";
/// The crypto user of plain PINs.
pub(super) const USER: &str = "user";

/// Whose PIN it is, and the password in it.
pub struct Pin {
    /// The user's name as the caller wrote it.
    pub name: String,
    /// The password.
    pub password: Secret,
}

impl Pin {
    /// Splits `user:password` at the first colon. Where plain PINs are spoken, one without a colon is that of the
    /// default user of `role`.
    ///
    /// # Errors
    /// CKR_PIN_INCORRECT for a PIN that names nobody.
    pub fn split(pin: &[u8], role: Role, plain: bool) -> Result<Self> {
        // No user's PIN is that long, and a hostile length must not be copied about.
        if pin.len() > LONGEST {
            return Err(WRONG);
        }
        let parts = pin.iter().position(|byte| *byte == b':').and_then(|at| Some((pin.get(..at)?, pin.get(at + 1..)?)));
        if let Some((name, password)) = parts
            && let Ok(name) = std::str::from_utf8(name)
            && !name.is_empty()
        {
            return Ok(Self { name: name.to_owned(), password: Secret::copy(password) });
        }
        if plain { Ok(Self::plain(pin, role)) } else { Err(WRONG) }
    }

    /// A name and a PIN that come apart (C_LoginUser).
    ///
    /// # Errors
    /// CKR_PIN_INCORRECT for what no user can have.
    pub fn named(name: &[u8], pin: &[u8]) -> Result<Self> {
        if name.len() + pin.len() > LONGEST {
            return Err(WRONG);
        }
        let name = std::str::from_utf8(name).map_err(|_| WRONG)?;
        Ok(Self { name: name.to_owned(), password: Secret::copy(pin) })
    }

    /// The whole PIN as that of the default user of `role`.
    #[must_use]
    pub fn plain(pin: &[u8], role: Role) -> Self {
        let name = match role {
            Role::CryptoOfficer => OFFICER,
            Role::CryptoUser => USER,
        };
        Self { name: name.to_owned(), password: Secret::copy(pin) }
    }
}

/// The longest PIN that is looked at, in bytes: a name, a colon and the longest plain PIN.
const LONGEST: usize = 31 + 1 + 255;

const WRONG: Error = Error::new(ck::CKR_PIN_INCORRECT, "no such user with that PIN");
const LOCKED: Error = Error::new(
    ck::CKR_PIN_LOCKED,
    "the user is locked after five wrong PINs; a crypto officer unlocks it with `cloudhsm-cli user change-password`",
);

/// Tells the logins of one process apart; 0 means nobody.
static STAMPS: AtomicU32 = AtomicU32::new(1);

impl Module {
    /// Authenticates a user.
    ///
    /// # Errors
    /// CKR_USER_PIN_NOT_INITIALIZED if the HSM is not activated, CKR_PIN_INCORRECT for a wrong name or PIN,
    /// CKR_PIN_LOCKED after five wrong PINs.
    pub fn login(&self, role: Role, pin: &[u8]) -> Result<Login> {
        let hsm = self.hsm()?;
        let plain = self.dialect().plain_pins;
        let split = Pin::split(pin, role, plain)?;
        // A colon may be part of a plain PIN.
        if plain && hsm.find_user(&split.name, role)?.is_none() {
            return self.login_as(role, &Pin::plain(pin, role));
        }
        self.login_as(role, &split)
    }

    /// Authenticates a user whose name stands apart from the password.
    ///
    /// # Errors
    /// As [`Module::login`].
    pub fn login_as(&self, role: Role, pin: &Pin) -> Result<Login> {
        let hsm = self.hsm()?;
        let Some((id, user)) = hsm.find_user(&pin.name, role)? else {
            if self.dialect().plain_pins && hsm.count_role(role)? == 0 {
                return Err(Error::new(ck::CKR_USER_PIN_NOT_INITIALIZED, "no user of this type has been made yet"));
            }
            // The same work as for a known user, so that the answer's time does not tell.
            Derivation::of(&self.settings, hsm.recorded.mode()).key(&pin.password, &[0; 16])?;
            return Err(WRONG);
        };
        // The epoch is read before the last look at the user: what changes from here on is looked at again.
        let epoch = hsm.epoch();
        let (name, credential) = (user.name.clone(), user.credential);
        let data = hsm.authenticate(id, &user, &pin.password)?;
        Ok(Login {
            user: id,
            role,
            credential,
            name,
            stamp: STAMPS.fetch_add(1, Ordering::Relaxed),
            validated: AtomicU64::new(epoch),
            ended: AtomicBool::new(false),
            data,
            hsm,
        })
    }
}

impl Hsm {
    /// Checks a password, counting wrong ones.
    fn authenticate(&self, id: UserId, user: &User, password: &Secret) -> Result<DataKeys> {
        if user.locked() {
            return Err(LOCKED);
        }
        let key = user.derivation.key(password, &user.salt)?;
        let data = user.unlock(self.public.store, &key);
        // Others may have guessed meanwhile: their count holds.
        let Some((_, current)) = self.read_user(id)? else { return Err(WRONG) };
        if current.locked() {
            return Err(LOCKED);
        }
        match data {
            Some(data) if current.credential == user.credential => {
                if current.failed > 0 {
                    self.count_attempt(id, Some(user.credential))?;
                }
                Ok(data)
            }
            _ => {
                self.count_attempt(id, None)?;
                Err(WRONG)
            }
        }
    }

    /// Writes the outcome of an attempt: a right one clears the count, if the user still has that credential and others
    /// have not locked it meanwhile; a wrong one raises it.
    fn count_attempt(&self, id: UserId, right: Option<u64>) -> Result<()> {
        self.commit(None, Durability::Synced, &mut |view, _| {
            let Some((version, mut user)) = self.read_user_in(view, id)? else {
                return Ok(Plan::default());
            };
            if right.is_some() && user.locked() {
                return Err(LOCKED);
            }
            if right.is_some_and(|credential| credential != user.credential) {
                return Err(WRONG);
            }
            user.failed = if right.is_some() { 0 } else { user.failed.saturating_add(1) };
            let events = if right.is_some() {
                Vec::new()
            } else {
                vec![Event {
                    opcode: Opcode::Login,
                    response: response::USER_LOGIN_FAILURE,
                    user: id,
                    name: user.name.clone(),
                    role: Some(user.role),
                    objects: [0, 0],
                }]
            };
            Ok(Plan { changes: vec![self.put_user(id, version, &user, None)], events, ..Plan::default() })
        })
    }
}
