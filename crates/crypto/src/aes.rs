//! AES (FIPS 197) in the modes of SP 800-38A: ECB and CBC here, CTR in [`ctr`](super::ctr), with a key expanded once and
//! used by reference.
//!
//! Both libraries are behind it, each where it is faster by measurement: RustCrypto's `aes` for single blocks and ECB
//! (VAES, twice AWS-LC), AWS-LC for the chained modes and CTR. What a message in parts needs to go on (the IV, the
//! counter) is the caller's, a few bytes; so no mode object lives longer than a call.

use aes::cipher::inout::InOutBuf;
use aes::cipher::{Block, BlockCipherEncrypt as _, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes192, Aes256};
use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use ecb::cipher::common::InnerInit as _;

use super::ffi::aes::Schedules;
use super::ffi::cipher::Way;

/// Length of a block in bytes.
pub const BLOCK: usize = 16;

/// A prepared AES key of 128, 192 or 256 bits. Zeroed when dropped.
pub struct AesKey {
    blocks: Blocks,
    pub(super) chained: Schedules,
}

/// The key as RustCrypto expands it, which zeroes itself.
enum Blocks {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

/// Runs `$body` with `$cipher` bound to a reference to the expanded key, whichever length it is of.
macro_rules! with {
    ($key:expr, $cipher:ident => $body:expr) => {
        match &$key.blocks {
            Blocks::Aes128($cipher) => $body,
            Blocks::Aes192($cipher) => $body,
            Blocks::Aes256($cipher) => $body,
        }
    };
}

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another length.
    pub fn new(key: &[u8]) -> Result<Self> {
        let blocks = match key.len() {
            16 => Aes128::new_from_slice(key).map(Blocks::Aes128),
            24 => Aes192::new_from_slice(key).map(Blocks::Aes192),
            _ => Aes256::new_from_slice(key).map(Blocks::Aes256),
        };
        let blocks = blocks.map_err(|_| Error::new(ck::CKR_KEY_SIZE_RANGE, "an AES key has 16, 24 or 32 bytes"))?;
        Ok(Self { blocks, chained: Schedules::new(key)? })
    }

    /// Encrypts one block, for check values and key derivation.
    pub fn encrypt_block(&self, block: &mut [u8; BLOCK]) {
        with!(self, cipher => cipher.encrypt_block(block.into()));
    }

    /// Encrypts whole blocks, each for itself.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the input is not whole blocks, `CKR_BUFFER_TOO_SMALL`; nothing is written.
    pub fn ecb_encrypt(&self, io: Exchange<'_>) -> Result<()> {
        let blocks = whole_blocks(io, ck::CKR_DATA_LEN_RANGE)?;
        with!(self, cipher => ecb::Encryptor::inner_init(cipher).encrypt_blocks_inout(blocks));
        Ok(())
    }

    /// Decrypts whole blocks, each for itself.
    ///
    /// # Errors
    /// `CKR_ENCRYPTED_DATA_LEN_RANGE` if the input is not whole blocks, `CKR_BUFFER_TOO_SMALL`; nothing is written.
    pub fn ecb_decrypt(&self, io: Exchange<'_>) -> Result<()> {
        let blocks = whole_blocks(io, ck::CKR_ENCRYPTED_DATA_LEN_RANGE)?;
        with!(self, cipher => ecb::Decryptor::inner_init(cipher).decrypt_blocks_inout(blocks));
        Ok(())
    }

    /// Encrypts whole blocks, chained, and leaves in `iv` what the next part of the message needs.
    ///
    /// # Errors
    /// As [`Self::ecb_encrypt`]; `iv` is then unchanged.
    pub fn cbc_encrypt(&self, iv: &mut [u8; BLOCK], io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_DATA_LEN_RANGE)?;
        self.chained.cbc(Way::Seal, iv, io)
    }

    /// Decrypts whole blocks, chained, and leaves in `iv` what the next part of the message needs.
    ///
    /// # Errors
    /// As [`Self::ecb_decrypt`]; `iv` is then unchanged.
    pub fn cbc_decrypt(&self, iv: &mut [u8; BLOCK], io: Exchange<'_>) -> Result<()> {
        check_blocks(&io, ck::CKR_ENCRYPTED_DATA_LEN_RANGE)?;
        self.chained.cbc(Way::Open, iv, io)
    }
}

fn check_blocks(io: &Exchange<'_>, otherwise: ck::CK_RV) -> Result<()> {
    if io.input().len().is_multiple_of(BLOCK) {
        return Ok(());
    }
    Err(Error::new(otherwise, "AES: the input is not whole blocks"))
}

/// Input and output of one length, as RustCrypto takes them.
fn whole_blocks<'a>(io: Exchange<'a>, otherwise: ck::CK_RV) -> Result<InOutBuf<'a, 'a, Block<Aes128>>> {
    check_blocks(&io, otherwise)?;
    let bytes: InOutBuf<'a, 'a, u8> = match io {
        Exchange::Apart { input, output } => {
            let output = output.get_mut(..input.len()).ok_or_else(no_room)?;
            InOutBuf::new(input, output).map_err(|_| no_room())?
        }
        Exchange::InPlace { buffer, length } => buffer.get_mut(..length).ok_or_else(no_room)?.into(),
    };
    Ok(bytes.into_chunks().0)
}

const fn no_room() -> Error {
    Error::new(ck::CKR_BUFFER_TOO_SMALL, "AES: the output is too small")
}

#[cfg(test)]
#[path = "aes_tests.rs"]
mod tests;
