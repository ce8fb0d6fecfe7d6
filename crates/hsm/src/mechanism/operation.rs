//! Work in progress: what an operation works with, and the state between its parts.

use base::ck::{self, CK_KEY_TYPE, CK_RV};
use base::error::{Error, Result};
use base::exchange::Exchange;
use crypto::cmac::Cmac;
use crypto::digest::Digest;
use crypto::hmac::Hmac;
use crypto::ml_dsa::Representative;
use subtle::ConstantTimeEq;

use crate::mechanism::{Mechanism, Parameter};
use crate::object::KeyMaterial;

/// What one operation works with.
pub(crate) struct Work<'a> {
    /// The mechanism.
    pub row: &'static Mechanism,
    /// The key.
    pub key: &'a KeyMaterial,
    /// What the key is said to be, which its material does not tell of secret keys.
    pub key_type: CK_KEY_TYPE,
    /// The parameter.
    pub parameter: &'a Parameter,
}

/// The state between the parts of signing or verifying.
#[allow(clippy::large_enum_variant, reason = "lives in a box in the session, once for each operation in parts")]
pub(crate) enum Accumulator {
    /// A message being hashed.
    Digest(Digest),
    /// A message under HMAC.
    Hmac(Hmac),
    /// A message under CMAC.
    Cmac(Cmac),
    /// A message on its way to ML-DSA's mu.
    Representative(Representative),
    /// A message that is signed as a whole, because it is hashed twice (RFC 8032 section 5.1.6).
    Message(Vec<u8>),
}

/// The most that is kept of an operation in parts whose outcome depends on the whole, in bytes. One call has no such limit: it
/// works on the caller's memory.
pub(crate) const MOST_COLLECTED: usize = 256 << 20;

/// Whether a part that would be kept is still within the limit, asked before anything of it is read.
///
/// # Errors
/// `rv` if it is not.
pub(super) fn check_collected(kept: usize, part: usize, rv: CK_RV) -> Result<()> {
    if kept.saturating_add(part) <= MOST_COLLECTED {
        return Ok(());
    }
    Err(Error::with(rv, format!("the message has more than {MOST_COLLECTED} bytes in parts: it is served in one call")))
}

impl Accumulator {
    /// Takes the next part.
    ///
    /// # Errors
    /// CKR_TOKEN_RESOURCE_EXCEEDED, CKR_HOST_MEMORY for a message that has to be kept; if the key is not one of the
    /// mechanism's, which the row has refused before.
    pub(crate) fn update(&mut self, key: &KeyMaterial, part: &[u8]) -> Result<()> {
        match self {
            Self::Digest(state) => state.update(part),
            Self::Hmac(state) => state.update(part),
            Self::Cmac(state) => state.update(key.secret()?.aes()?, part)?,
            Self::Representative(state) => state.update(part)?,
            Self::Message(message) => {
                // PKCS#11 3.2 section 6.3.16 gives the code.
                check_collected(message.len(), part.len(), ck::CKR_TOKEN_RESOURCE_EXCEEDED)?;
                message
                    .try_reserve(part.len())
                    .map_err(|_| Error::new(ck::CKR_HOST_MEMORY, "no memory for the message"))?;
                message.extend_from_slice(part);
            }
        }
        Ok(())
    }
}

/// The state between the parts of encrypting or decrypting.
///
/// The key is handed in at each part: it lives with the object, once, prepared.
pub(crate) trait Stream: Send {
    /// The most bytes that come out of so many bytes of input now.
    fn update_most(&self, input: usize) -> usize;
    /// Takes a part. The room is at least what [`Stream::update_most`] says.
    ///
    /// # Errors
    /// What the cipher refuses; the operation ends then.
    fn update(&mut self, key: &KeyMaterial, io: Exchange<'_>) -> Result<usize>;
    /// The most bytes that come out at the end.
    fn finish_most(&self) -> usize;
    /// Ends the operation. The room is at least what [`Stream::finish_most`] says. A decryption may be called again if
    /// the plaintext did not fit where the caller wanted it; what an encryption writes is known beforehand.
    ///
    /// # Errors
    /// What the cipher refuses: an incomplete block, a wrong padding or tag.
    fn finish(&mut self, key: &KeyMaterial, out: &mut [u8]) -> Result<usize>;
}

/// What an operation in parts answers for a mechanism that has none.
pub(crate) const NO_PARTS: Error = Error::new(ck::CKR_MECHANISM_INVALID, "the mechanism works in one call only");

/// Compares a recomputed MAC with the caller's, in constant time.
///
/// # Errors
/// CKR_SIGNATURE_LEN_RANGE for another length, CKR_SIGNATURE_INVALID for another value.
pub(super) fn same(mac: &[u8], signature: &[u8]) -> Result<()> {
    if signature.len() != mac.len() {
        return Err(Error::new(ck::CKR_SIGNATURE_LEN_RANGE, "the signature has not the mechanism's length"));
    }
    if bool::from(mac.ct_eq(signature)) {
        Ok(())
    } else {
        Err(Error::new(ck::CKR_SIGNATURE_INVALID, "the signature does not verify"))
    }
}
