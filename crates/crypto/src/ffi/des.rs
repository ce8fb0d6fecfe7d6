//! Triple DES through AWS-LC. It looks up tables by key and data, so its time tells something of both to whoever shares
//! the cache; RustCrypto's does the same, and no library here has DES in constant time.

#![allow(unsafe_code)]

use std::ffi::c_int;

use aws_lc_sys as lc;
use base::error::{Error, Result};
use base::exchange::Exchange;

use super::aes::ranges;
use super::cipher::Way;

const BLOCK: usize = 8;

/// The key schedules of the three keys. On the heap, so that moving the value leaves no copy of them behind.
pub(crate) struct Schedules(Box<Three>);

#[derive(Default)]
struct Three([lc::DES_key_schedule; 3]);

impl Schedules {
    /// Expands the three keys, whose parity bits count for nothing.
    pub(crate) fn new(key: &[u8; 3 * BLOCK]) -> Self {
        let mut schedules = Self(Box::default());
        for (schedule, part) in schedules.0.0.iter_mut().zip(key.as_chunks::<BLOCK>().0) {
            // SAFETY: a DES_cblock is 8 bytes without alignment, and `part` is 8 readable bytes; the schedule is
            // exclusively ours and wholly written.
            unsafe { lc::DES_set_key_unchecked(part.as_ptr().cast(), schedule) };
        }
        schedules
    }

    /// One block in place.
    pub(crate) fn block(&self, way: Way, block: &mut [u8; BLOCK]) {
        let pointer = block.as_mut_ptr().cast();
        let [one, two, three] = &self.0.0;
        // SAFETY: a DES_cblock is 8 bytes without alignment, and `block` is 8 bytes exclusively ours;
        // DES_ecb3_encrypt reads the whole input before it writes, so both may be one. The schedules are only read.
        unsafe { lc::DES_ecb3_encrypt(pointer, pointer, one, two, three, direction(way)) };
    }

    /// Whole blocks, each for itself.
    ///
    /// # Errors
    /// `CKR_BUFFER_TOO_SMALL` if the output is shorter than the input, `CKR_GENERAL_ERROR` if that is not whole blocks.
    pub(crate) fn ecb(&self, way: Way, mut io: Exchange<'_>) -> Result<()> {
        let (input, output, length) = whole(&mut io)?;
        let [one, two, three] = &self.0.0;
        for start in (0..length).step_by(BLOCK) {
            // SAFETY: `whole` gave `length` readable and writable bytes, equal or disjoint ranges, alive as long as `io`;
            // `length` is whole blocks, so one lies at `start` in both. A DES_cblock is 8 bytes without alignment, and
            // DES_ecb3_encrypt reads the whole input before it writes. The schedules are only read.
            unsafe {
                let (input, output) = (input.add(start).cast(), output.add(start).cast());
                lc::DES_ecb3_encrypt(input, output, one, two, three, direction(way));
            }
        }
        Ok(())
    }

    /// CBC over whole blocks; `iv` becomes the last block of ciphertext.
    ///
    /// # Errors
    /// As [`Self::ecb`].
    pub(crate) fn cbc(&self, way: Way, iv: &mut [u8; BLOCK], mut io: Exchange<'_>) -> Result<()> {
        let (input, output, length) = whole(&mut io)?;
        let [one, two, three] = &self.0.0;
        let iv = iv.as_mut_ptr().cast();
        // SAFETY: `whole` gave `length` readable and writable bytes, equal or disjoint ranges, alive as long as `io`;
        // DES_ede3_cbc_encrypt reads each block before it writes it and, for whole blocks, touches nothing beyond. The
        // schedules are only read; `iv` is one block, which a DES_cblock is without alignment.
        unsafe { lc::DES_ede3_cbc_encrypt(input, output, length, one, two, three, iv, direction(way)) };
        Ok(())
    }
}

impl Drop for Three {
    fn drop(&mut self) {
        // SAFETY: `self` is exclusively ours, and all-zero bytes are a valid value of its plain integers.
        unsafe { lc::OPENSSL_cleanse((&raw mut *self).cast(), size_of::<Self>()) };
    }
}

/// Which way, as AWS-LC takes it.
const fn direction(way: Way) -> c_int {
    match way {
        Way::Seal => lc::DES_ENCRYPT,
        Way::Open => lc::DES_DECRYPT,
    }
}

/// [`ranges`] of whole blocks.
fn whole(io: &mut Exchange<'_>) -> Result<(*const u8, *mut u8, usize)> {
    let ranges = ranges(io)?;
    if ranges.2.is_multiple_of(BLOCK) { Ok(ranges) } else { Err(Error::internal("DES: the input is not whole blocks")) }
}

/// Whether nothing of an expanded key is left where it was; for `zero_tests`, which cannot see the field.
#[cfg(test)]
pub(super) fn wiped_when_dropped(key: &[u8; 3 * BLOCK]) -> bool {
    let schedules = Schedules::new(key);
    let mut three = std::mem::ManuallyDrop::new(*schedules.0);
    let filled = three.0.iter().all(|schedule| schedule.subkeys.iter().flatten().any(|word| *word != 0));
    // SAFETY: dropped once; what is looked at afterwards are plain integers that were initialised and then cleansed.
    unsafe { std::mem::ManuallyDrop::drop(&mut three) };
    let mut words = three.0.iter().flat_map(|schedule| schedule.subkeys.iter().flatten());
    filled && words.all(|word| *word == 0)
}
