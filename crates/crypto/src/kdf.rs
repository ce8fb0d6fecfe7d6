//! Keys from passwords (Argon2id, PBKDF2) and from keys (HKDF).

use argon2::{Algorithm, Argon2, Params, Version};
use base::error::{Error, Result};
use sha2::Sha256;
use zeroize::Zeroize as _;

use super::digest::Hash;
use super::ffi::memory::Blocks;
use super::hmac::HmacKey;

/// Argon2id, version 0x13, one lane (RFC 9106), into `out`. Takes `memory_kib` KiB while it runs, which are then zeroed and
/// given back to the system.
///
/// # Errors
/// `CKR_GENERAL_ERROR` for parameters that RFC 9106 section 3.1 does not allow (salt under 8 bytes, output under 4,
/// memory under 8 KiB, no pass), `CKR_HOST_MEMORY` if there is no memory.
pub fn argon2id(password: &[u8], salt: &[u8], memory_kib: u32, passes: u32, out: &mut [u8]) -> Result<()> {
    let refused = |_| Error::internal("Argon2id: parameters out of range");
    let params = Params::new(memory_kib, passes, 1, Some(out.len())).map_err(refused)?;
    let mut memory = Blocks::new(params.block_count())?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())
        .map_err(refused)
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2, SP 800-132), into `out`.
pub fn pbkdf2_sha256(password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, out);
}

/// HKDF with SHA-256 (RFC 5869): extracts from `key` with `salt` and expands with `info`, into `out`.
///
/// # Errors
/// `CKR_GENERAL_ERROR` for an output over 8160 bytes (section 2.3).
pub fn hkdf_sha256(key: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<()> {
    if out.len() > 255 * 32 {
        return Err(Error::internal("HKDF: the output is too long"));
    }
    let mut block = [0; 32];
    HmacKey::new(Hash::Sha256, salt).sign(key, &mut block);
    let pseudorandom = HmacKey::new(Hash::Sha256, &block);
    for (number, part) in (1_u8..=255).zip(out.chunks_mut(32)) {
        let mut mac = pseudorandom.start();
        if number > 1 {
            mac.update(&block);
        }
        mac.update(info);
        mac.update(&[number]);
        mac.finish(&mut block);
        part.iter_mut().zip(block).for_each(|(to, from)| *to = from);
    }
    block.zeroize();
    Ok(())
}

#[cfg(test)]
#[path = "kdf_tests.rs"]
mod tests;
