//! Sealing of the store's records: AES-256-GCM under a fresh random nonce, which stands in front.
//!
//! A sealed record is nonce (12) || ciphertext || tag (16). A random 96-bit nonce may serve 2^32 records under one key
//! (SP 800-38D section 8.3); what binds a record to its place is the associated data, which the caller builds.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use base::secret::{Key, Secret};

use super::gcm::GcmKey;
use super::random;

const NONCE: usize = 12;
const TAG: usize = 16;

/// How many bytes a record grows by.
pub const OVERHEAD: usize = NONCE + TAG;

/// Seals `plain` under `key`, bound to `aad`.
///
/// # Errors
/// `CKR_DEVICE_ERROR` if the random generator fails.
pub fn seal(key: &Key<32>, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = vec![0; plain.len().saturating_add(OVERHEAD)];
    let (nonce, output) = sealed.split_at_mut(NONCE);
    random::fill(nonce)?;
    GcmKey::new(key.expose())?.seal(nonce, aad, TAG, Exchange::Apart { input: plain, output })?;
    Ok(sealed)
}

/// Opens what [`seal`] made with the same `key` and `aad`.
///
/// # Errors
/// `CKR_DEVICE_ERROR`, the same for every cause: too short, wrong key, wrong place, changed bytes.
pub fn open(key: &Key<32>, aad: &[u8], sealed: &[u8]) -> Result<Secret> {
    let broken = || Error::new(ck::CKR_DEVICE_ERROR, "record fails its integrity check");
    let length = sealed.len().checked_sub(OVERHEAD).ok_or_else(broken)?;
    let (nonce, input) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let key = GcmKey::new(key.expose())?;
    Secret::made(length, |output| {
        key.open(nonce, aad, TAG, Exchange::Apart { input, output }).map(drop).map_err(|_| broken())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn key(byte: u8) -> Key<32> {
        Key::from_slice(&[byte; 32]).unwrap()
    }

    #[test]
    fn record_comes_back_and_no_two_are_alike() {
        for length in [0, 1, 31, 1000] {
            let plain = vec![7; length];
            let (first, second) = (seal(&key(1), b"place", &plain).unwrap(), seal(&key(1), b"place", &plain).unwrap());
            assert_eq!(first.len(), length + OVERHEAD);
            assert_ne!(first, second);
            assert_eq!(open(&key(1), b"place", &first).unwrap().expose(), plain);
        }
    }

    #[test]
    fn any_change_is_refused_with_one_error() {
        let sealed = seal(&key(1), b"place", b"secret").unwrap();
        let mut attempts: Vec<_> = (0..sealed.len()).map(|end| sealed[..end].to_vec()).collect();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            attempts.push(changed);
        }
        attempts.push([sealed.as_slice(), &[0]].concat());
        let mut refused: Vec<_> = attempts.iter().map(|attempt| open(&key(1), b"place", attempt)).collect();
        refused.push(open(&key(2), b"place", &sealed));
        refused.push(open(&key(1), b"other", &sealed));
        for outcome in refused {
            let error = outcome.err().unwrap();
            assert_eq!((error.rv(), error.message()), (ck::CKR_DEVICE_ERROR, "record fails its integrity check"));
        }
    }
}
