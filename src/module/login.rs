//! Logging in: from a PIN to a [`Login`], with the count of wrong attempts.
//!
//! A PIN is split at its first colon. An unknown user costs the same time and gives the same answer as a wrong PIN.
//! A wrong attempt is durable before its error is returned; a right PIN writes only if there is something to reset.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::audit::{Event, Opcode, Response};
use super::commit::Plan;
use super::credentials::Challenge;
use super::hierarchy::DataKeys;
use super::registered_key::RegisteredKey;
use super::user::{Derivation, Role, User};
use super::{Hsm, Login, Module};
use crate::ck;
use crate::error::{Error, Result};
use crate::object::UserId;
use crate::platform::lock::Lock;
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
const ALL_LOCKED: Error = Error::new(
    ck::CKR_PIN_LOCKED,
    "every crypto officer is locked after five wrong PINs, and nobody is left to unlock one; what remains is a backup: \
     `cloudhsm-cli backup restore` takes the password that any officer had when it was made",
);

/// Tells the logins of one process apart; 0 means nobody.
static STAMPS: AtomicU32 = AtomicU32::new(1);

/// What a right PIN comes to.
pub enum Authentication {
    /// The user is logged in.
    Done(Login),
    /// The user must answer for a second factor.
    SecondFactor(Pending),
}

/// A login that waits for its second factor.
pub struct Pending {
    login: Login,
    key: RegisteredKey,
    challenge: Challenge,
    failed_before: bool,
}

impl Pending {
    /// What the user's key is to sign: 32 bytes, taken as a SHA-256 value.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        self.challenge.digest()
    }

    /// Ends the login with the answer. A wrong one counts as a wrong PIN does.
    ///
    /// # Errors
    /// CKR_PIN_INCORRECT for a wrong answer, CKR_PIN_LOCKED if the user has been locked meanwhile.
    pub fn finish(self, signature: &[u8]) -> Result<Login> {
        let (hsm, user) = (&self.login.hsm, self.login.user);
        if !self.challenge.is_answered_by(&self.key, signature) {
            hsm.count_attempt(user, None)?;
            return Err(WRONG);
        }
        if self.failed_before {
            hsm.count_attempt(user, Some(self.login.credential))?;
        }
        Ok(self.login)
    }
}

/// A program that logs in through PKCS#11 has no place for a second factor.
const NO_SECOND_FACTOR: Error = Error::new(
    ck::CKR_FUNCTION_FAILED,
    "the user logs in with a second factor, which PKCS#11 has no place for; cloudhsm-cli interactive has: login ... \
     mfa-token-sign",
);

impl Module {
    /// Authenticates a user by a PIN alone.
    ///
    /// # Errors
    /// CKR_USER_PIN_NOT_INITIALIZED if the HSM is not activated, CKR_PIN_INCORRECT for a wrong name or PIN,
    /// CKR_PIN_LOCKED after five wrong PINs, CKR_FUNCTION_FAILED for a user with a second factor.
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
        match self.authenticate(role, pin)? {
            Authentication::Done(login) => Ok(login),
            Authentication::SecondFactor(_) => Err(NO_SECOND_FACTOR),
        }
    }

    /// Checks a user's PIN; a user with a second factor must still answer for that.
    ///
    /// # Errors
    /// As [`Module::login`] but for the second factor.
    pub fn authenticate(&self, role: Role, pin: &Pin) -> Result<Authentication> {
        let hsm = self.hsm()?;
        // Users and counts of a folder that was moved away are nobody's any more.
        hsm.store.check_place()?;
        let Some((id, user)) = hsm.find_user(&pin.name, role)? else {
            if self.dialect().plain_pins && hsm.count_role_in(&*hsm.store, role)? == 0 {
                return Err(Error::new(ck::CKR_USER_PIN_NOT_INITIALIZED, "no user of this type has been made yet"));
            }
            // The same work as for a known user, and a commit as well, so that the answer's time does not tell.
            Derivation::of(&self.settings, hsm.recorded.mode()).key(&pin.password, &[0; 16])?;
            hsm.commit(None, Durability::Synced, &mut |_, _| {
                let event = failed_login(&pin.name, role, Response::NoSuchUser);
                Ok(Plan { events: vec![event], ..Plan::default() })
            })?;
            return Err(WRONG);
        };
        // The epoch is read before the last look at the user: what changes from here on is looked at again.
        let epoch = hsm.epoch();
        let (data, failed_before) = hsm.authenticate(id, &user, &pin.password)?;
        let login = Login {
            user: id,
            role,
            credential: user.credential,
            name: user.name,
            stamp: STAMPS.fetch_add(1, Ordering::Relaxed),
            validated: AtomicU64::new(epoch),
            ended: AtomicBool::new(false),
            tokens: Lock::new(Vec::new()),
            data,
            hsm,
        };
        if let Some(key) = user.factor {
            let challenge = Challenge::new()?;
            return Ok(Authentication::SecondFactor(Pending { login, key, challenge, failed_before }));
        }
        if failed_before {
            login.hsm.count_attempt(id, Some(login.credential))?;
        }
        Ok(Authentication::Done(login))
    }
}

impl Hsm {
    /// Checks a password, counting wrong ones; says whether there are any to be forgotten once the user is logged in.
    fn authenticate(&self, id: UserId, user: &User, password: &Secret) -> Result<(DataKeys, bool)> {
        if user.locked() {
            if self.auditing.aws {
                self.record(vec![failed_login(&user.name, user.role, Response::LoginFailure).saying("locked")])?;
            }
            return Err(self.locked_out(user.role));
        }
        let recalled = self.relogins.recall(id, user, password);
        let is_new = recalled.is_none();
        let key = recalled.map_or_else(|| user.derivation.key(password, &user.salt), Ok)?;
        let data = user.unlock(self.public.store, &key);
        // Others may have guessed meanwhile: their count holds.
        let Some((_, current)) = self.read_user(id)? else { return Err(WRONG) };
        if current.locked() {
            return Err(self.locked_out(user.role));
        }
        match data {
            Some(data) if current.credential == user.credential => {
                if is_new {
                    self.relogins.remember(id, user, password, &key)?;
                }
                Ok((data, current.failed > 0))
            }
            _ => {
                self.count_attempt(id, None)?;
                Err(WRONG)
            }
        }
    }

    /// The error for a locked user, which names the cure that there is.
    fn locked_out(&self, role: Role) -> Error {
        let helper = |user: &User| user.role == Role::CryptoOfficer && !user.locked();
        match self.users_in(&*self.store) {
            Ok(users) if role == Role::CryptoOfficer && !users.iter().any(|(_, user)| helper(user)) => ALL_LOCKED,
            _ => LOCKED,
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
                vec![failed_login(&user.name, user.role, Response::LoginFailure)]
            };
            Ok(Plan { changes: vec![self.put_user(id, version, &user, None)], events, ..Plan::default() })
        })
    }
}

/// A failed login, with the user type and the name that came with it.
fn failed_login(name: &str, role: Role, response: Response) -> Event {
    Event::new(Opcode::Login).about(name, role).answering(response)
}
