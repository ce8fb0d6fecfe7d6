//! A user of the HSM: name, role, and the data key wrapped under the PIN.
//!
//! The PIN itself is nowhere: a right one opens the wrapped data key, a wrong one does not.

use base::ck::{self, CK_USER_TYPE};
use base::codec::{MALFORMED, Reader, Writer};
use base::error::{Error, Result};
use base::secret::{Key, Secret};
use crypto::{kdf, random};

use super::hierarchy::{DataKeys, StoreId};
use super::registered_key::RegisteredKey;
use crate::config::{Mode, Settings, argon2_cost};

/// What a user is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// `admin` of the CLI, CKU_SO of PKCS#11: manages users, uses no key.
    CryptoOfficer,
    /// `crypto-user` of the CLI, CKU_USER of PKCS#11: owns and uses keys.
    CryptoUser,
}

impl Role {
    /// AWS's code of the user type, in the audit log and on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::CryptoUser => 1,
            Self::CryptoOfficer => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::CryptoUser),
            2 => Some(Self::CryptoOfficer),
            _ => None,
        }
    }

    /// The CLI's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CryptoUser => "crypto-user",
            Self::CryptoOfficer => "admin",
        }
    }

    /// The role of the CLI's word, which is case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::CryptoUser, Self::CryptoOfficer].into_iter().find(|role| role.name() == name)
    }

    /// The role of a PKCS#11 user type.
    ///
    /// # Errors
    /// CKR_USER_TYPE_INVALID for any other.
    pub const fn from_user_type(user: CK_USER_TYPE) -> Result<Self> {
        match user {
            ck::CKU_USER => Ok(Self::CryptoUser),
            ck::CKU_SO => Ok(Self::CryptoOfficer),
            _ => Err(Error::new(ck::CKR_USER_TYPE_INVALID, "no such type of user")),
        }
    }
}

/// What may be told of a user.
#[derive(Clone, Debug)]
pub struct UserInformation {
    /// The name, in lower case.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Whether too many wrong PINs have locked the user out.
    pub locked: bool,
    /// Wrong attempts since the last right one.
    pub failed: u32,
    /// How many more wrong ones lock the user out.
    pub attempts_left: u32,
    /// Whether a PIN without a name is this user's, where such PINs are spoken.
    pub unnamed: bool,
    /// Whether a login needs a second factor.
    pub second_factor: bool,
    /// Whether the user has registered a key for approving quorum tokens.
    pub quorum: bool,
}

/// How a PIN becomes a key; recorded with each user. A stronger setting reaches a user with the next login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Derivation {
    Argon2id { memory_kib: u32, passes: u32 },
    Pbkdf2 { rounds: u32 },
}

impl Derivation {
    /// What new PINs of this process get.
    pub(super) const fn of(settings: &Settings, mode: &Mode) -> Self {
        // Argon2 is not approved; 600,000 is OWASP's figure for PBKDF2-HMAC-SHA256.
        if mode.approved_pins {
            Self::Pbkdf2 { rounds: 600_000 }
        } else {
            Self::Argon2id { memory_kib: settings.pin_memory_kib, passes: settings.pin_passes }
        }
    }

    /// Whether this costs whoever guesses more than `other` does, and in no way less.
    pub(super) const fn is_raised_from(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Argon2id { memory_kib, passes },
                Self::Argon2id { memory_kib: other_memory_kib, passes: other_passes },
            ) => {
                memory_kib >= other_memory_kib
                    && passes >= other_passes
                    && (memory_kib > other_memory_kib || passes > other_passes)
            }
            (Self::Pbkdf2 { rounds }, Self::Pbkdf2 { rounds: other_rounds }) => rounds > other_rounds,
            // An HSM's mode, and with it the function, is fixed when it is made.
            _ => false,
        }
    }

    pub(super) fn write(self, writer: &mut Writer) {
        match self {
            Self::Argon2id { memory_kib, passes } => writer.byte(1).number(memory_kib).number(passes),
            Self::Pbkdf2 { rounds } => writer.byte(2).number(rounds).number(0),
        };
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        match (reader.byte()?, reader.number()?, reader.number()?) {
            (1, memory_kib, passes) => Ok(Self::Argon2id { memory_kib, passes }),
            (2, rounds, _) => Ok(Self::Pbkdf2 { rounds }),
            _ => Err(MALFORMED),
        }
    }

    /// The key of a PIN. Tens of milliseconds: never under a lock.
    pub(super) fn key(self, pin: &Secret, salt: &[u8; 16]) -> Result<Key<32>> {
        self.check()?;
        #[cfg(test)]
        tests::WORK.with_borrow_mut(|work| work.push(self));
        match self {
            Self::Argon2id { memory_kib, passes } => {
                Key::made(|out| kdf::argon2id(pin.expose(), salt, memory_kib, passes, out))
            }
            Self::Pbkdf2 { rounds } => Key::made(|out| {
                kdf::pbkdf2_sha256(pin.expose(), salt, rounds, out);
                Ok(())
            }),
        }
    }

    /// Refuses a cost that would eat the machine, and one that would make guessing cheap: what is read is not trusted before the
    /// password has opened something, and costs are read before that.
    ///
    /// # Errors
    /// CKR_DEVICE_ERROR that says what is asked for and what is allowed.
    pub(super) fn check(self) -> Result<()> {
        let wrong = match self {
            Self::Argon2id { memory_kib, passes } => argon2_cost(memory_kib, passes).err(),
            Self::Pbkdf2 { rounds } => (!PBKDF2_ROUNDS.contains(&rounds)).then(|| {
                format!("{rounds} rounds of PBKDF2, it must be {} to {}", PBKDF2_ROUNDS.start(), PBKDF2_ROUNDS.end())
            }),
        };
        wrong.map_or(Ok(()), |wrong| Err(Error::device(format!("a password costs {wrong}"))))
    }
}

/// How often PBKDF2 is worked: from what new PINs get to some seconds.
const PBKDF2_ROUNDS: std::ops::RangeInclusive<u32> = 600_000..=10_000_000;

/// A user's record.
pub(super) struct User {
    pub(super) name: String,
    pub(super) role: Role,
    /// Counts the PINs that this user has had: a login made with an earlier one has ended.
    pub(super) credential: u64,
    /// Wrong attempts since the last right one.
    pub(super) failed: u32,
    /// Attempts that were counted before they were judged and have no outcome: one that is under way, or was cut off.
    pub(super) begun: u32,
    pub(super) salt: [u8; 16],
    pub(super) derivation: Derivation,
    pub(super) wrapped: Vec<u8>,
    /// The second factor.
    pub(super) factor: Option<RegisteredKey>,
    /// What approves quorum tokens.
    pub(super) quorum_key: Option<RegisteredKey>,
}

/// The form of a user's record.
const FORMAT: u8 = 3;

/// So many wrong PINs lock a user out (User Guide, cloudhsm_cli-login).
const MOST_ATTEMPTS: u32 = 5;

impl User {
    /// A user with a PIN; `data` is what the PIN will open.
    pub(super) fn new(
        name: String,
        role: Role,
        pin: &Secret,
        derivation: Derivation,
        data: &DataKeys,
        credential: u64,
    ) -> Result<Self> {
        let mut salt = [0; 16];
        random::fill(&mut salt)?;
        let key = derivation.key(pin, &salt)?;
        let mut user = Self {
            name,
            role,
            credential,
            failed: 0,
            begun: 0,
            salt,
            derivation,
            wrapped: Vec::new(),
            factor: None,
            quorum_key: None,
        };
        user.wrapped = data.wrap(&key, &user.binding())?;
        Ok(user)
    }

    /// What the PIN opens, if it is the right one.
    pub(super) fn unlock(&self, store: StoreId, key: &Key<32>) -> Option<DataKeys> {
        DataKeys::unwrap(store, key, &self.binding(), &self.wrapped).ok()
    }

    /// Refuses a record that would make the next login or approval fail, whatever the password.
    pub(super) fn check(&self) -> Result<()> {
        self.derivation.check()?;
        if normalize_name(&self.name)? != self.name {
            return Err(Error::device("is of a user whose name nobody can give".to_owned()));
        }
        if self.wrapped.len() != DataKeys::WRAPPED {
            return Err(Error::device("holds no data key".to_owned()));
        }
        if self.credential == u64::MAX {
            return Err(Error::device("is of a user whose password cannot be changed any more".to_owned()));
        }
        [&self.factor, &self.quorum_key].into_iter().flatten().try_for_each(RegisteredKey::check)
    }

    pub(super) const fn locked(&self) -> bool {
        self.failed >= MOST_ATTEMPTS
    }

    pub(super) fn information(&self) -> UserInformation {
        UserInformation {
            name: self.name.clone(),
            role: self.role,
            locked: self.locked(),
            failed: self.failed,
            attempts_left: MOST_ATTEMPTS.saturating_sub(self.failed),
            unnamed: self.name == unnamed(self.role),
            second_factor: self.factor.is_some(),
            quorum: self.quorum_key.is_some(),
        }
    }

    fn binding(&self) -> Vec<u8> {
        binding(&self.name, self.role)
    }

    pub(super) fn encode(&self) -> Secret {
        let mut writer = Writer::new(256);
        writer.byte(FORMAT).part(self.name.as_bytes()).byte(self.role.code()).long(self.credential).number(self.failed);
        writer.raw(&self.salt);
        self.derivation.write(&mut writer);
        writer.part(&self.wrapped);
        for key in [&self.factor, &self.quorum_key] {
            writer.part(key.as_ref().map_or(&[], RegisteredKey::encoded));
        }
        writer.number(self.begun);
        writer.finish_secret()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        // Format 1 ends with the wrapped key, format 2 before the attempts without an outcome.
        let format = reader.byte()?;
        if !(1..=FORMAT).contains(&format) {
            return Err(MALFORMED);
        }
        let name = reader.text()?.to_owned();
        let role = Role::from_code(reader.byte()?).ok_or(MALFORMED)?;
        let credential = reader.long()?;
        let failed = reader.number()?;
        let salt = reader.array()?;
        let derivation = Derivation::read(&mut reader)?;
        let wrapped = reader.part()?.to_vec();
        let mut key = || -> Result<Option<RegisteredKey>> {
            let encoded = if format < 2 { &[] } else { reader.part()? };
            Ok((!encoded.is_empty()).then(|| RegisteredKey::from_record(encoded.to_vec())))
        };
        let (factor, quorum_key) = (key()?, key()?);
        let begun = if format < 3 { 0 } else { reader.number()? };
        reader.end()?;
        Ok(Self { name, role, credential, failed, begun, salt, derivation, wrapped, factor, quorum_key })
    }
}

/// A wrapped key belongs to one user in one role.
pub(super) fn binding(name: &str, role: Role) -> Vec<u8> {
    let mut writer = Writer::new(64);
    writer.raw(b"user").byte(role.code()).part(name.as_bytes());
    writer.finish()
}

/// Whose a PIN without a name is: the officer that activation makes, or the crypto user of plain PINs.
pub(super) const fn unnamed(role: Role) -> &'static str {
    match role {
        Role::CryptoOfficer => "admin",
        Role::CryptoUser => "user",
    }
}

/// A user's name as it is kept: lower case, at most 31 letters, digits and underscores.
pub(super) fn normalize_name(name: &str) -> Result<String> {
    if name.is_empty() || name.len() > 31 {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "a user's name has 1 to 31 characters"));
    }
    if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        return Err(Error::with(
            ck::CKR_ARGUMENTS_BAD,
            format!("a user's name has letters, digits and underscores only, not `{other}`"),
        ));
    }
    Ok(name.to_ascii_lowercase())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// The derivations that this thread has made.
        pub(in crate::module) static WORK: RefCell<Vec<Derivation>> = const { RefCell::new(Vec::new()) };
    }

    fn user() -> User {
        User {
            name: "ann".to_owned(),
            role: Role::CryptoUser,
            credential: 7,
            failed: 3,
            begun: 1,
            salt: [9; 16],
            derivation: Derivation::Pbkdf2 { rounds: 600_000 },
            wrapped: vec![1; 60],
            factor: None,
            quorum_key: None,
        }
    }

    /// A record of format 2 ends before the attempts without an outcome.
    #[test]
    fn a_record_of_the_format_before_is_read() {
        let now = user().encode();
        assert_eq!(User::decode(now.expose()).unwrap().begun, 1);
        let mut before = now.expose().to_vec();
        before[0] = 2;
        assert!(User::decode(&before).is_err(), "it is no longer than that");
        before.truncate(before.len() - 4);
        let before = User::decode(&before).unwrap();
        assert_eq!((before.failed, before.begun), (3, 0));
    }

    #[test]
    fn a_cost_is_raised_only_if_nothing_of_it_falls() {
        let argon = |memory_kib, passes| Derivation::Argon2id { memory_kib, passes };
        assert!(argon(64, 3).is_raised_from(argon(64, 2)) && argon(65, 2).is_raised_from(argon(64, 2)));
        for (new, old) in [(argon(64, 2), argon(64, 2)), (argon(65, 2), argon(64, 3)), (argon(64, 2), argon(64, 3))] {
            assert!(!new.is_raised_from(old));
        }
        let rounds = |rounds| Derivation::Pbkdf2 { rounds };
        assert!(rounds(2).is_raised_from(rounds(1)) && !rounds(1).is_raised_from(rounds(1)));
        assert!(!rounds(9).is_raised_from(argon(1, 1)) && !argon(9, 9).is_raised_from(rounds(1)));
    }
}
