//! Logging in again: who has proved a PIN to this process need not wait for its key a second time.
//!
//! The key of a PIN takes 19 MiB and some 23 ms, and programs log in again and again: a pool of connections, a TLS server that
//! opens a session for each request. So the key of a right PIN is kept, sealed under a secret of this process and the PIN itself.
//! Without the PIN it is of no use; with a wrong one it does not open, and the slow way decides and counts. The user's record is
//! read at each login all the same: a lock, a new password or wrong attempts in between lead to the slow way or to a refusal.
//!
//! This way writes nothing, so it must not stay open while the slow way cannot count: the first attempt there that cannot be counted
//! closes it, by forgetting every PIN. That it was open has told one wrong PIN, which is owed to the user's count.
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
    /// The key of `pin`, if it is the one that was right the last time and nothing has happened to the user since.
    pub(super) fn recall(&self, id: UserId, user: &User, pin: &Secret) -> Option<Key<32>> {
        // Nor is the PIN of a locked user: that is one with many wrong attempts.
        if user.failed > 0 {
            return None;
        }
        let remembered = self.0.lock();
        let (_, sealed) = remembered.sealed.iter().find(|(present, _)| *present == id)?;
        let own = own_key(remembered.secret.as_ref()?, pin)?;
        Key::from_slice(seal::open(&own, &binding(id, user), sealed).ok()?.expose())
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

    /// Forgets every PIN, because an attempt at the PIN of `guessed` cannot be counted. If that user's was remembered, the attempt
    /// was told to be a wrong one by not being let in.
    pub(super) fn close(&self, guessed: Option<UserId>) {
        let mut remembered = self.0.lock();
        let told = guessed.filter(|id| remembered.sealed.iter().any(|(present, _)| present == id));
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
#[allow(clippy::unwrap_used)]
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
            hsm.relogins.recall(id, &user, &Secret::copy(pin)).is_some()
        };
        assert!(recalled(PASSWORD), "it was right when the sample was made");
        assert!(!recalled(b"anns-passwore") && !recalled(b""));

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
        assert!(relogins.recall(UserId(0), &user, &pin).is_none());
        assert_eq!(relogins.recall(UserId(1), &user, &pin).unwrap().expose(), &[7; 32]);
        // Under another secret, as in another process, it does not open.
        let (last, sealed) = relogins.0.lock().sealed.back().cloned().unwrap();
        let elsewhere = Relogins::default();
        elsewhere.remember(UserId(0), &user, &pin, &key).unwrap();
        elsewhere.0.lock().sealed.push_back((last, sealed));
        assert!(relogins.recall(last, &user, &pin).is_some());
        assert!(elsewhere.recall(last, &user, &pin).is_none());
    }
}
