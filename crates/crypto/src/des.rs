//! Triple DES with three keys (FIPS 46-3, SP 800-67) in ECB and CBC, for data and devices that have nothing newer. NIST
//! disallows it for encryption since 2024 (SP 800-131A); which profile still offers it is decided above.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use subtle::{Choice, ConstantTimeEq as _};

use super::ffi::cipher::Way;
use super::ffi::des::Schedules;

/// Length of a block, and of one of the three keys, in bytes.
pub const BLOCK: usize = 8;

/// The bits of a key's byte that are key; the lowest is parity (FIPS 46-3).
const KEY_BITS: u8 = 0xFE;

/// A prepared key of triple DES: three keys, expanded. Zeroed when dropped.
pub struct Des3Key(Schedules);

impl Des3Key {
    /// Expands a key of 24 bytes. Parity bits are ignored, and no key is refused for being weak: that is the caller's to
    /// judge ([`degenerates`]).
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another length.
    pub fn new(key: &[u8]) -> Result<Self> {
        match key.try_into() {
            Ok(key) => Ok(Self(Schedules::new(key))),
            Err(_) => Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "a key of triple DES has 24 bytes")),
        }
    }

    /// Encrypts one block, for check values and key derivation.
    pub fn encrypt_block(&self, block: &mut [u8; BLOCK]) {
        self.0.block(Way::Seal, block);
    }

    /// Encrypts whole blocks, each for itself.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the input is not whole blocks, `CKR_BUFFER_TOO_SMALL`; nothing is written.
    pub fn ecb_encrypt(&self, io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_DATA_LEN_RANGE)?;
        self.0.ecb(Way::Seal, io)
    }

    /// Decrypts whole blocks, each for itself.
    ///
    /// # Errors
    /// `CKR_ENCRYPTED_DATA_LEN_RANGE` if the input is not whole blocks, `CKR_BUFFER_TOO_SMALL`; nothing is written.
    pub fn ecb_decrypt(&self, io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_ENCRYPTED_DATA_LEN_RANGE)?;
        self.0.ecb(Way::Open, io)
    }

    /// Encrypts whole blocks, chained, and leaves in `iv` what the next part of the message needs.
    ///
    /// # Errors
    /// As [`Self::ecb_encrypt`]; `iv` is then unchanged.
    pub fn cbc_encrypt(&self, iv: &mut [u8; BLOCK], io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_DATA_LEN_RANGE)?;
        self.0.cbc(Way::Seal, iv, io)
    }

    /// Decrypts whole blocks, chained, and leaves in `iv` what the next part of the message needs.
    ///
    /// # Errors
    /// As [`Self::ecb_decrypt`]; `iv` is then unchanged.
    pub fn cbc_decrypt(&self, iv: &mut [u8; BLOCK], io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_ENCRYPTED_DATA_LEN_RANGE)?;
        self.0.cbc(Way::Open, iv, io)
    }
}

/// Sets the lowest bit of every byte so that the byte has an odd number of ones (FIPS 46-3). Counts the bits
/// instead of looking them up, because the bytes are secret.
pub fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        let bits = *byte & KEY_BITS;
        *byte = bits | u8::from(bits.count_ones().is_multiple_of(2));
    }
}

/// Whether two keys that follow each other are the same: then an encryption undoes a decryption, and what is left is
/// single DES (SP 800-67 section 3.2 asks for three different keys). Parity bits count for nothing. Takes the same time for
/// all keys of a length.
#[must_use]
pub fn degenerates(key: &[u8]) -> bool {
    let keys = key.as_chunks::<BLOCK>().0;
    let same = |(one, next): (&[u8; BLOCK], &[u8; BLOCK])| -> Choice {
        one.iter().zip(next).fold(0, |difference, (a, b)| difference | ((a ^ b) & KEY_BITS)).ct_eq(&0)
    };
    keys.iter().zip(keys.iter().skip(1)).map(same).fold(Choice::from(0), |any, same| any | same).into()
}

fn check_blocks(io: &Exchange<'_>, otherwise: ck::CK_RV) -> Result<()> {
    if io.input().len().is_multiple_of(BLOCK) {
        return Ok(());
    }
    Err(Error::new(otherwise, "triple DES: the input is not whole blocks"))
}

#[cfg(test)]
#[path = "des_tests.rs"]
mod tests;
