//! What RSA's public and private keys share: blocks as long as the modulus, their ranges, and the comparison of a
//! recovered block with the one expected.

use base::ck;
use base::error::{Error, Result};

use super::MAX_BYTES;
use crate::digest::Hash;
use crate::ffi::rsa::Rsa;
use crate::rsa_material::significant;

pub(super) const BAD_SIGNATURE: Error = Error::new(ck::CKR_SIGNATURE_INVALID, "the RSA signature does not verify");

/// AWS-LC's key, and the modulus to compare with.
pub(super) struct Prepared {
    pub(super) key: Rsa,
    modulus: Box<[u8]>,
}

impl Prepared {
    pub(super) fn new(key: Rsa, modulus: &[u8]) -> Self {
        Self { key, modulus: significant(modulus).into() }
    }

    pub(super) fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Room for the modulus' length at the front of the caller's buffer.
    pub(super) fn room<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8]> {
        out.get_mut(..self.size()).ok_or(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for an RSA block"))
    }

    /// `data` filled up with zeros on the left to the modulus' length, and less than it (CKM_RSA_X_509, PKCS#11 3.2
    /// section 6.1.11).
    pub(super) fn block<'b>(&self, data: &[u8], buffer: &'b mut [u8; MAX_BYTES]) -> Result<&'b [u8]> {
        const TOO_LONG: Error = Error::new(ck::CKR_DATA_LEN_RANGE, "more data than the RSA modulus is long");
        let block = buffer.get_mut(..self.size()).ok_or(TOO_LONG)?;
        let (front, back) = block.split_at_mut_checked(self.size().saturating_sub(data.len())).ok_or(TOO_LONG)?;
        if back.len() != data.len() {
            return Err(TOO_LONG);
        }
        front.fill(0);
        back.copy_from_slice(data);
        if *block >= *self.modulus {
            return Err(Error::new(ck::CKR_DATA_INVALID, "data not less than the RSA modulus"));
        }
        Ok(block)
    }

    /// The private operation on a block that is less than the modulus.
    pub(super) fn private(&self, block: &[u8], out: &mut [u8]) -> Result<()> {
        // AWS-LC refuses 0, 1 and n-1. They are their own results (the exponent is odd), which anyone can see; a
        // refusal would be the one error that PKCS#1 v1.5 decryption must not have.
        if self.is_fixed_point(block) {
            out.copy_from_slice(block);
            return Ok(());
        }
        self.key.private_raw(block, out).map_err(|_| Error::internal("the RSA private operation failed"))
    }

    fn is_fixed_point(&self, block: &[u8]) -> bool {
        let (Some((last, front)), Some((top, modulus))) = (block.split_last(), self.modulus.split_last()) else {
            return false;
        };
        (*last <= 1 && front.iter().all(|byte| *byte == 0)) || (front == modulus && *last == *top & !1)
    }

    pub(super) fn check_message_length(&self, length: usize, overhead: usize) -> Result<()> {
        match self.size().checked_sub(overhead) {
            None => Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "the RSA modulus is too short for the padding")),
            Some(room) if length > room => Err(Error::new(ck::CKR_DATA_LEN_RANGE, "too much data for the RSA padding")),
            Some(_) => Ok(()),
        }
    }

    /// EMSA-PSS needs emLen >= hLen + sLen + 2, with emBits one less than the modulus' (RFC 8017 section 9.1.1).
    pub(super) fn check_pss(&self, hash: Hash, salt_length: usize, digest: &[u8]) -> Result<()> {
        let encoded = (self.key.bits() as usize).saturating_sub(1).div_ceil(8);
        if digest.len() != hash.length() {
            return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "the PSS input is not as long as its hash"));
        }
        if encoded.checked_sub(hash.length() + 2).is_none_or(|room| salt_length > room) {
            return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "the PSS salt is too long for the RSA modulus"));
        }
        Ok(())
    }

    pub(super) fn check_signature_length(&self, signature: &[u8]) -> Result<()> {
        if signature.len() == self.size() {
            return Ok(());
        }
        Err(Error::new(ck::CKR_SIGNATURE_LEN_RANGE, "an RSA signature of another length than the modulus"))
    }

    /// The recovered block of a signature.
    pub(super) fn recover<'b>(&self, signature: &[u8], buffer: &'b mut [u8; MAX_BYTES]) -> Result<&'b [u8]> {
        self.check_signature_length(signature)?;
        let block = self.room(buffer)?;
        self.key.public_raw(signature, block).map_err(|_| BAD_SIGNATURE)?;
        Ok(block)
    }

    /// RFC 8017 section 8.2.2: the recovered block is compared whole with the one expected; nothing is parsed.
    pub(super) fn verify_pkcs1(&self, digest_info: &[u8], signature: &[u8]) -> Result<()> {
        let mut buffer = [0; MAX_BYTES];
        let block = self.recover(signature, &mut buffer)?;
        let padding_length = self.size().checked_sub(digest_info.len() + 3).filter(|length| *length >= 8);
        let expected = match block {
            [0x00, 0x01, rest @ ..] => padding_length.and_then(|length| rest.split_at_checked(length)),
            _ => None,
        };
        match expected {
            Some((padding, [0x00, info @ ..])) if info == digest_info && padding.iter().all(|byte| *byte == 0xff) => {
                Ok(())
            }
            _ => Err(BAD_SIGNATURE),
        }
    }

    /// The length and range of a ciphertext.
    pub(super) fn check_ciphertext(&self, ciphertext: &[u8]) -> Result<()> {
        if ciphertext.len() != self.size() {
            return Err(Error::new(
                ck::CKR_ENCRYPTED_DATA_LEN_RANGE,
                "an RSA ciphertext of another length than the modulus",
            ));
        }
        if *ciphertext >= *self.modulus {
            return Err(Error::new(ck::CKR_ENCRYPTED_DATA_INVALID, "an RSA ciphertext not less than the modulus"));
        }
        Ok(())
    }
}
