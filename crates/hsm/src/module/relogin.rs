//! Logging in again: who has proved a PIN to this process need not wait for its key a second time.
//!
//! The key of a PIN takes 19 MiB and some 23 ms, and programs log in again and again: a pool of connections, a TLS server that
//! opens a session for each request. So the key of a right PIN is kept, sealed under a secret of this process and the PIN itself.
//! Without the PIN it is of no use; with a wrong one it does not open, and the slow way decides and counts. The user's record is
//! read at each login all the same: a lock, a new password or wrong attempts in between lead to the slow way or to a refusal.
//!
//! This way writes nothing, so it must not stay open while the slow way cannot count: the first attempt there that cannot be counted
//! closes it, by forgetting every PIN. Nor does it compare two wrong PINs: the first forgets the right one. That one wrong PIN is told,
//! and is owed to the user's count if it cannot be counted at once.
//!
//! The secret lies in a page that no child of fork and no core dump has, and goes with the HSM at C_Finalize. Who can read that
//! page could guess PINs faster than Argon2 allows; who can read it has the data key of whoever is logged in anyway.

use std::collections::VecDeque;

use base::codec::Writer;
use base::error::Result;
use base::secret::{Key, Secret};
use crypto::digest::Hash;
use crypto::hmac::HmacKey;
use crypto::{random, seal};
use platform::lock::Lock;
use platform::secret_page::SecretSlot;

use super::user::User;
use crate::object::UserId;

/// So many users' PINs are remembered; programs have one or two.
const MOST: usize = 16;

/// What comparing a PIN with the one that is remembered has come to.
pub(super) enum Recalled {
    /// It is the one.
    Key(Key<32>),
    /// It is another, and the caller will know if it is not let in: an attempt that must be counted.
    AnotherPin,
    /// None is remembered, or none that still holds.
    Nothing,
}

/// The PINs that were right in this process.
#[derive(Default)]
pub(super) struct Relogins(Lock<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Drawn when there is something to seal: a program that never logs in waits for no randomness.
    secret: Option<SecretSlot>,
    sealed: VecDeque<(UserId, Vec<u8>)>,
    /// The users each of whom is owed one wrong attempt.
    owed: Vec<UserId>,
}

impl Relogins {
    /// Compares `pin` with the one that was right the last time, if nothing has happened to the user since. Another one closes this way
    /// for the user until the slow one has found a PIN right again: of many that are tried at once, one is compared.
    pub(super) fn recall(&self, id: UserId, user: &User, pin: &Secret) -> Recalled {
        let mut remembered = self.0.lock();
        // Nor is the PIN of a locked user: that is one with many wrong attempts.
        let known = remembered.sealed.iter().position(|(present, _)| *present == id).filter(|_| user.failed == 0);
        let Some(at) = known else { return Recalled::Nothing };
        let own = remembered.secret.as_ref().and_then(|secret| own_key(secret, pin));
        let opened = own.zip(remembered.sealed.get(at)).and_then(|(own, (_, sealed))| {
            Key::from_slice(seal::open(&own, &binding(id, user), sealed).ok()?.expose())
        });
        opened.map_or_else(
            || {
                remembered.sealed.remove(at);
                Recalled::AnotherPin
            },
            Recalled::Key,
        )
    }

    /// Keeps the key of a PIN that was right; of a user's earlier one nothing is left.
    ///
    /// # Errors
    /// If there is no memory or no randomness.
    pub(super) fn remember(&self, id: UserId, user: &User, pin: &Secret, key: &Key<32>) -> Result<()> {
        let mut remembered = self.0.lock();
        if remembered.secret.is_none() {
            remembered.secret = Some(SecretSlot::new(|out| random::fill(out))?);
        }
        let Some(own) = remembered.secret.as_ref().and_then(|secret| own_key(secret, pin)) else { return Ok(()) };
        let entry = (id, seal::seal(&own, &binding(id, user), key.expose())?);
        remembered.sealed.retain(|(present, _)| *present != id);
        remembered.sealed.push_back(entry);
        if remembered.sealed.len() > MOST {
            remembered.sealed.pop_front();
        }
        Ok(())
    }

    /// Forgets every PIN, because an attempt cannot be counted. `told` is the user at whose PIN it was, if it was told to be a wrong one
    /// by not being let in.
    pub(super) fn close(&self, told: Option<UserId>) {
        let mut remembered = self.0.lock();
        remembered.sealed.clear();
        remembered.owed.extend(told);
    }

    /// How many wrong attempts are owed to a user's count.
    pub(super) fn owed(&self, id: UserId) -> u32 {
        u32::try_from(self.0.lock().owed.iter().filter(|present| **present == id).count()).unwrap_or(u32::MAX)
    }

    /// Says that so many of them have been counted.
    pub(super) fn settle(&self, id: UserId, mut counted: u32) {
        if counted == 0 {
            return;
        }
        self.0.lock().owed.retain(|present| {
            let settled = counted > 0 && *present == id;
            counted -= u32::from(settled);
            !settled
        });
    }
}

/// What seals the key of a PIN: known only to who has both the secret of the process and the PIN.
fn own_key(secret: &SecretSlot, pin: &Secret) -> Option<Key<32>> {
    let mut out = Secret::zeros(Hash::Sha256.length())?;
    HmacKey::new(Hash::Sha256, secret.expose()).sign(pin.expose(), out.expose_mut());
    Key::from_slice(out.expose())
}

/// Ties a key to one credential of one user.
fn binding(id: UserId, user: &User) -> Vec<u8> {
    let mut writer = Writer::new(64);
    writer.long(id.0).long(user.credential).raw(&user.salt);
    user.derivation.write(&mut writer);
    writer.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::testing::{ANN, OFFICER, sample};
    use super::super::{Deregister, Role};
    use super::*;

    const PASSWORD: &[u8] = b"anns-password";

    #[test]
    fn only_the_pin_that_was_right_is_recalled_and_only_as_long_as_nothing_happens_to_the_user() {
        let (_home, module) = sample();
        let hsm = module.hsm().unwrap();
        let recalled = |pin: &[u8]| {
            let (id, user) = hsm.find_user("ann", Role::CryptoUser).unwrap().unwrap();
            matches!(hsm.relogins.recall(id, &user, &Secret::copy(pin)), Recalled::Key(_))
        };
        assert!(recalled(PASSWORD), "it was right when the sample was made");
        assert!(!recalled(b"anns-passwore"));
        assert!(!recalled(PASSWORD), "the right one is let in the slow way, after a wrong one that is not counted yet");
        module.login(Role::CryptoUser, ANN).unwrap();
        assert!(recalled(PASSWORD) && !recalled(b""));

        // A wrong attempt, whoever makes it: the next login is the slow one, which forgets it.
        assert!(module.login(Role::CryptoUser, b"ann:wrong-password").is_err());
        assert!(!recalled(PASSWORD));
        module.login(Role::CryptoUser, ANN).unwrap();
        assert!(recalled(PASSWORD));

        let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
        let other = Secret::copy(b"another-password");
        module.change_password(&officer, "ann", Role::CryptoUser, &other, Deregister::default()).unwrap();
        assert!(!recalled(PASSWORD) && !recalled(b"another-password"));
        assert!(module.login(Role::CryptoUser, ANN).is_err());
        module.login(Role::CryptoUser, b"ann:another-password").unwrap();
        assert!(recalled(b"another-password"));
    }

    #[test]
    fn a_recalled_pin_is_locked_out_like_any_other() {
        let (_home, module) = sample();
        for _ in 0..5 {
            let error = module.login(Role::CryptoUser, b"ann:wrong-password").err().unwrap();
            assert_eq!(error.rv(), base::ck::CKR_PIN_INCORRECT);
        }
        assert_eq!(module.login(Role::CryptoUser, ANN).err().unwrap().rv(), base::ck::CKR_PIN_LOCKED);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let (_home, module) = sample();
        let hsm = module.hsm().unwrap();
        let (_, user) = hsm.find_user("ann", Role::CryptoUser).unwrap().unwrap();
        let (pin, key) = (Secret::copy(PASSWORD), Key::from_slice(&[7; 32]).unwrap());
        let relogins = Relogins::default();
        for number in 0..=MOST as u64 {
            relogins.remember(UserId(number), &user, &pin, &key).unwrap();
        }
        assert!(matches!(relogins.recall(UserId(0), &user, &pin), Recalled::Nothing));
        let Recalled::Key(recalled) = relogins.recall(UserId(1), &user, &pin) else { panic!("it is remembered") };
        assert_eq!(recalled.expose(), &[7; 32]);
        // Under another secret, as in another process, it does not open.
        let (last, sealed) = relogins.0.lock().sealed.back().cloned().unwrap();
        let elsewhere = Relogins::default();
        elsewhere.remember(UserId(0), &user, &pin, &key).unwrap();
        elsewhere.0.lock().sealed.push_back((last, sealed));
        assert!(matches!(relogins.recall(last, &user, &pin), Recalled::Key(_)));
        assert!(matches!(elsewhere.recall(last, &user, &pin), Recalled::AnotherPin));
    }
}
