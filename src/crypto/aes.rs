//! AES (FIPS 197) in the modes of SP 800-38A: ECB, CBC and CTR with a key expanded once and used by reference.
//!
//! RustCrypto's `aes` picks AES-NI, VAES or ARMv8 code at run time and falls back to constant-time software. What a
//! message in parts needs to go on (the IV, the counter) is the caller's, a few bytes; so no mode object lives longer
//! than a call and none owns a copy of the key.

use aes::cipher::inout::InOutBuf;
use aes::cipher::{
    Block, BlockCipherEncrypt as _, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, IvState, KeyInit as _,
};
use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::common::InnerInit as _;

use crate::ck;
use crate::error::{Error, Result};
use crate::exchange::Exchange;

/// Length of a block in bytes.
pub const BLOCK: usize = 16;

/// A prepared AES key of 128, 192 or 256 bits. Zeroed when dropped.
pub struct AesKey(pub(super) Schedule);

pub(super) enum Schedule {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

/// Runs `$body` with `$cipher` bound to a reference to the expanded key, whichever length it is of.
macro_rules! with {
    ($key:expr, $cipher:ident => $body:expr) => {
        match &$key.0 {
            $crate::crypto::aes::Schedule::Aes128($cipher) => $body,
            $crate::crypto::aes::Schedule::Aes192($cipher) => $body,
            $crate::crypto::aes::Schedule::Aes256($cipher) => $body,
        }
    };
}
pub(super) use with;

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another length.
    pub fn new(key: &[u8]) -> Result<Self> {
        let schedule = match key.len() {
            16 => Aes128::new_from_slice(key).map(Schedule::Aes128),
            24 => Aes192::new_from_slice(key).map(Schedule::Aes192),
            _ => Aes256::new_from_slice(key).map(Schedule::Aes256),
        };
        schedule.map(Self).map_err(|_| Error::new(ck::CKR_KEY_SIZE_RANGE, "an AES key has 16, 24 or 32 bytes"))
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
        let blocks = whole_blocks(io, ck::CKR_DATA_LEN_RANGE)?;
        with!(self, cipher => {
            let mut mode = cbc::Encryptor::inner_iv_init(cipher, (&*iv).into());
            mode.encrypt_blocks_inout(blocks);
            *iv = mode.iv_state().into();
        });
        Ok(())
    }

    /// Decrypts whole blocks, chained, and leaves in `iv` what the next part of the message needs.
    ///
    /// # Errors
    /// As [`Self::ecb_decrypt`]; `iv` is then unchanged.
    pub fn cbc_decrypt(&self, iv: &mut [u8; BLOCK], io: Exchange<'_>) -> Result<()> {
        let blocks = whole_blocks(io, ck::CKR_ENCRYPTED_DATA_LEN_RANGE)?;
        with!(self, cipher => {
            let mut mode = cbc::Decryptor::inner_iv_init(cipher, (&*iv).into());
            mode.decrypt_blocks_inout(blocks);
            *iv = mode.iv_state().into();
        });
        Ok(())
    }
}

/// Input and output of one length, as RustCrypto takes them.
pub(super) fn in_out<'a>(io: Exchange<'a>) -> Result<InOutBuf<'a, 'a, u8>> {
    match io {
        Exchange::Apart { input, output } => {
            let output = output.get_mut(..input.len()).ok_or_else(no_room)?;
            InOutBuf::new(input, output).map_err(|_| no_room())
        }
        Exchange::InPlace { buffer, length } => Ok(buffer.get_mut(..length).ok_or_else(no_room)?.into()),
    }
}

fn whole_blocks<'a>(io: Exchange<'a>, otherwise: ck::CK_RV) -> Result<InOutBuf<'a, 'a, Block<Aes128>>> {
    let (blocks, rest) = in_out(io)?.into_chunks();
    if rest.is_empty() { Ok(blocks) } else { Err(Error::new(otherwise, "AES: the input is not whole blocks")) }
}

const fn no_room() -> Error {
    Error::new(ck::CKR_BUFFER_TOO_SMALL, "AES: the output is too small")
}
