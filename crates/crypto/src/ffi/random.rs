//! AWS-LC's random generator, which the safe crate offers with one call per fixed array only.

#![allow(unsafe_code)]

use base::ck;
use base::error::{Error, Result};

/// Fills `out`; the caller holds the fork gate.
///
/// # Errors
/// `CKR_DEVICE_ERROR` if the generator reports failure. (Today it aborts the process instead; the header promises only
/// a return value.)
pub(crate) fn fill(out: &mut [u8]) -> Result<()> {
    // SAFETY: RAND_bytes writes exactly `len` bytes from the pointer on, both of which come from one exclusive slice;
    // it accepts any pointer for a length of zero.
    let done = unsafe { aws_lc_sys::RAND_bytes(out.as_mut_ptr(), out.len()) };
    if done != 1 {
        out.fill(0);
        return Err(Error::new(ck::CKR_DEVICE_ERROR, "the random generator failed"));
    }
    Ok(())
}
