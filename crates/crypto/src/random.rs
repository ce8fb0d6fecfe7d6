//! Random bytes: AWS-LC's generator (an AES-256-CTR DRBG of SP 800-90A per thread, reseeded every 4096 calls) and
//! nothing else, for keys, nonces, blinding and `C_GenerateRandom` alike.

use base::error::Result;
use platform::{fork, random_pool};

use super::ffi;

/// Fills `out` from the generator. Keys, IVs and nonces are drawn through this function, never through a pool: a
/// virtual machine restored from a snapshot repeats a pool, the generator notices.
///
/// Runs inside the fork gate, because the generator takes a process-wide lock that a forked child would inherit held.
///
/// # Errors
/// `CKR_DEVICE_ERROR` if the generator reports failure; `out` is then zero.
pub fn fill(out: &mut [u8]) -> Result<()> {
    fork::random_gate(|| ffi::random::fill(out))
}

/// Fills `out` for `C_GenerateRandom`: small requests come from a per-thread pool that [`fill`] refills (20 ns instead
/// of 240 or more), large ones from [`fill`].
///
/// # Errors
/// As [`fill`].
pub fn serve(out: &mut [u8]) -> Result<()> {
    random_pool::serve(out, fill)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn two_draws_differ_and_fill_everything() {
        for draw in [fill, serve] {
            for length in [16, 32, 257, 5000] {
                let (mut first, mut second) = (vec![0; length], vec![0; length]);
                draw(&mut first).unwrap();
                draw(&mut second).unwrap();
                assert_ne!(first, second);
                // Sixteen zero bytes in a row would mean that a part was not written.
                assert!(first.windows(16).all(|window| window != [0; 16]));
            }
        }
        fill(&mut []).unwrap();
        serve(&mut []).unwrap();
    }

    #[test]
    fn pool_never_repeats_itself() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            let mut out = [0; 16];
            serve(&mut out).unwrap();
            assert!(seen.insert(out));
        }
    }
}
