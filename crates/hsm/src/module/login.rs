//! Logging in: from a PIN to a [`Login`].
//!
//! A PIN is split at its first colon. An unknown user costs the same work and gives the same answer as a wrong PIN. `attempt` counts
//! each attempt before it is judged; the way around it, for a PIN that was right before, is `relogin`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use base::ck;
use base::error::{Error, Result};
use base::secret::{Key, Secret};
use platform::lock::Lock;
use store::Durability;

use super::attempt::{Then, Verdict};
use super::audit::{Event, Opcode, Response};
use super::commit::Plan;
use super::credentials::Challenge;
use super::hierarchy::DataKeys;
use super::registered_key::RegisteredKey;
use super::relogin::Recalled;
use super::user::{Derivation, Role, User, unnamed};
use super::{Hsm, Login, Module};
use crate::config::{LogLevel, may_be_a_password};
use crate::log;
use crate::object::UserId;

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
    /// CKR_ARGUMENTS_BAD for a PIN without a name where one is needed, CKR_PIN_INCORRECT for what no user can have.
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
        if plain { Ok(Self::plain(pin, role)) } else { Err(NO_NAME) }
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
        Self { name: unnamed(role).to_owned(), password: Secret::copy(pin) }
    }
}

/// The longest PIN that is looked at, in bytes: a name, a colon and the longest plain PIN.
const LONGEST: usize = 31 + 1 + 255;

pub(super) const WRONG: Error = Error::new(ck::CKR_PIN_INCORRECT, "no such user with that PIN");
/// As a CloudHSM answered a Boulder whose PIN was `5678` (docs/open-points.md).
const NO_NAME: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "the PIN must be user:password");
const NOT_YET: Error = Error::new(ck::CKR_USER_PIN_NOT_INITIALIZED, "no user of this type has been made yet");
const CHANGED: Error =
    Error::new(ck::CKR_FUNCTION_FAILED, "the user was changed while the PIN was proved; repeat the call");
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
        // Nobody hears of it before it is counted.
        let right = self.challenge.is_answered_by(&self.key, signature);
        let proved = self.login.hsm.attempt(self.login.user, Then::Forget, false, &mut |user| {
            Ok(match right {
                _ if user.credential != self.login.credential() => Verdict::Outdated,
                true => Verdict::Right(()),
                false => Verdict::Wrong,
            })
        })?;
        proved.map(|()| self.login).ok_or(WRONG)
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
        let nobody_yet = || Ok(self.dialect().plain_pins && hsm.count_role_in(&*hsm.store, role)? == 0);
        // What no profile takes when a PIN is set cannot be one: no attempt, whoever it is for.
        if !may_be_a_password(pin.password.len()) {
            return Err(if nobody_yet()? { NOT_YET } else { WRONG });
        }
        let wanted = Derivation::of(&self.settings, hsm.recorded.mode());
        for _ in 0..TRIES {
            let Some((id, user)) = hsm.find_user(&pin.name, role)? else {
                if nobody_yet()? {
                    return Err(NOT_YET);
                }
                let (alike, derivation) = hsm.stand_in(&pin.name, role)?.unzip();
                derivation.unwrap_or(wanted).key(&pin.password, &[0; 16])?;
                hsm.attempt_of_nobody(alike, &failed_login(&pin.name, role, Response::NoSuchUser))?;
                return Err(WRONG);
            };
            // The epoch is read before the last look at the user: what changes from here on is looked at again.
            let epoch = hsm.epoch();
            let Some(data) = hsm.authenticate(id, &user, &pin.password, wanted)? else { continue };
            let login = Login {
                user: id,
                role,
                credential: AtomicU64::new(user.credential),
                promised: AtomicU64::new(0),
                renewal: Lock::new(()),
                name: user.name,
                stamp: STAMPS.fetch_add(1, Ordering::Relaxed),
                validated: AtomicU64::new(epoch),
                ended: AtomicBool::new(false),
                tokens: Lock::new(Vec::new()),
                data,
                hsm,
            };
            return Ok(match user.factor {
                Some(key) => Authentication::SecondFactor(Pending { login, key, challenge: Challenge::new()? }),
                None => Authentication::Done(login),
            });
        }
        Err(CHANGED)
    }
}

/// How often a PIN is proved anew to a user who is changed meanwhile.
const TRIES: usize = 3;

impl Hsm {
    /// Checks a password, counting wrong ones; nothing if the user was changed meanwhile.
    fn authenticate(&self, id: UserId, user: &User, password: &Secret, wanted: Derivation) -> Result<Option<DataKeys>> {
        if user.locked() {
            if self.auditing.aws {
                self.record(vec![failed_login(&user.name, user.role, Response::LoginFailure).saying("locked")])?;
            }
            return Err(self.locked_out(user.role));
        }
        let told = match self.relogins.recall(id, user, password) {
            Recalled::Key(key) => match self.open_again(id, user, &key)? {
                Some(data) => return Ok(Some(data)),
                None => false,
            },
            Recalled::AnotherPin => true,
            Recalled::Nothing => false,
        };
        // An unknown name looks for a user who stands in for it, so a known one does too.
        self.stand_in(&user.name, user.role)?;
        let key = user.derivation.key(password, &user.salt)?;
        let then = if user.factor.is_some() { Then::Keep } else { Then::Forget };
        let data = self.attempt(id, then, told, &mut |current| {
            if current.credential != user.credential || current.salt != user.salt {
                return Ok(Verdict::Outdated);
            }
            Ok(current.unlock(self.public.store, &key).map_or(Verdict::Wrong, Verdict::Right))
        })?;
        if let Some(data) = &data {
            self.relogins.remember(id, user, password, &key)?;
            self.raise_cost(id, user, password, data, wanted);
        }
        Ok(data)
    }

    /// What the key of a PIN opens that was right before in this process; nothing leads to the slow way.
    fn open_again(&self, id: UserId, user: &User, key: &Key<32>) -> Result<Option<DataKeys>> {
        let data = user.unlock(self.public.store, key);
        // Others may have guessed meanwhile: their count holds.
        let Some((_, current)) = self.read_user(id)? else { return Err(WRONG) };
        if current.locked() {
            return Err(self.locked_out(user.role));
        }
        Ok(data.filter(|_| current.credential == user.credential && current.failed == 0))
    }

    /// Gives a PIN that was right the cost that a PIN has which is set today, if that is more. It can wait for another day.
    fn raise_cost(&self, id: UserId, user: &User, password: &Secret, data: &DataKeys, wanted: Derivation) {
        if !wanted.is_raised_from(user.derivation) {
            return;
        }
        let raised =
            User::new(user.name.clone(), user.role, password, wanted, data, user.credential).and_then(|fresh| {
                self.commit(None, Durability::Synced, &mut |view, _| {
                    let Some((version, mut current)) = self.read_user_in(view, id)? else { return Ok(Plan::default()) };
                    if current.credential != user.credential || current.salt != user.salt {
                        return Ok(Plan::default());
                    }
                    current.salt = fresh.salt;
                    current.derivation = fresh.derivation;
                    current.wrapped.clone_from(&fresh.wrapped);
                    Ok(Plan { changes: vec![self.put_user(id, version, &current, None)], ..Plan::default() })
                })
            });
        if let Err(error) = raised {
            log::write(LogLevel::Warn, format_args!("the cost of a PIN is not raised: {error}"));
        }
    }

    /// The error for a locked user, which names the cure that there is.
    pub(super) fn locked_out(&self, role: Role) -> Error {
        let helper = |user: &User| user.role == Role::CryptoOfficer && !user.locked();
        match self.users_in(&*self.store) {
            Ok(users) if role == Role::CryptoOfficer && !users.iter().any(|(_, user)| helper(user)) => ALL_LOCKED,
            _ => LOCKED,
        }
    }
}

/// A failed login, with the user type and the name that came with it.
pub(super) fn failed_login(name: &str, role: Role, response: Response) -> Event {
    Event::new(Opcode::Login).about(name, role).answering(response)
}
