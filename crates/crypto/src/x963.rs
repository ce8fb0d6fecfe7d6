//! Keys from a shared secret: the KDF of ANSI X9.63 (SEC 1 section 3.6.1), as ECDH uses it.

use base::ck;
use base::error::{Error, Result};
use zeroize::Zeroize as _;

use super::digest::{Digest, Hash, MAX_DIGEST};

/// Fills `out` with Hash(`shared` || counter || `info`), the counter being 32 bits, big-endian, from 1 on.
///
/// # Errors
/// `CKR_KEY_SIZE_RANGE` for an output of 2^32 - 1 digests or more (SEC 1 section 3.6.1, step 2); `out` is then unchanged.
pub fn derive(hash: Hash, shared: &[u8], info: &[u8], out: &mut [u8]) -> Result<()> {
    if !u32::try_from(out.len() / hash.length()).is_ok_and(|digests| digests < u32::MAX) {
        return Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "X9.63: the output is longer than the counter reaches"));
    }
    let mut block = [0; MAX_DIGEST];
    for (counter, part) in (1_u32..=u32::MAX).zip(out.chunks_mut(hash.length())) {
        let mut state = Digest::new(hash);
        state.update(shared);
        state.update(&counter.to_be_bytes());
        state.update(info);
        state.finish(&mut block);
        part.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
    }
    block.zeroize();
    Ok(())
}

#[cfg(test)]
#[path = "x963_tests.rs"]
mod tests;
