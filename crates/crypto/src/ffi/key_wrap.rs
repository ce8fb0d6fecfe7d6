//! AES key wrap, plain (RFC 3394) and padded (RFC 5649), through AWS-LC: each is one C function over the key schedule
//! that `aes` makes. `aws-lc-rs` offers neither an initial value nor keys of 192 bits.

#![allow(unsafe_code)]

use std::ptr;

use aws_lc_sys as lc;

use super::aes::Schedules;
use super::{Checked, Refused, checked};

/// The half of a block that key wrap works in.
const HALF: usize = 8;

impl Schedules {
    /// Wraps what stands in `buffer` behind its first 8 bytes; the result fills the buffer. Without `iv`, the initial
    /// value is that of RFC 3394 section 2.2.3.1.
    pub(crate) fn wrap(&self, iv: Option<&[u8; HALF]>, buffer: &mut [u8]) -> Checked<()> {
        let length = buffer.len().checked_sub(HALF).ok_or(Refused)?;
        let out = buffer.as_mut_ptr();
        // SAFETY: the buffer has `HALF + length` bytes, so `out + HALF` lies within it and `length` bytes are readable
        // from there. AES_wrap_key moves (memmove) its input to `out + HALF` first, which here is where it is, and
        // writes `HALF + length` bytes. Both pointers come from the one exclusive slice. The schedule encrypts and is
        // only read; `iv` is 8 readable bytes or null.
        let written = unsafe {
            lc::AES_wrap_key(&raw const self.0.encrypt, initial(iv), out, out.add(HALF).cast_const(), length)
        };
        if usize::try_from(written) == Ok(buffer.len()) { Ok(()) } else { Err(Refused) }
    }

    /// Unwraps `wrapped` to `out`, which is 8 bytes shorter. If the integrity check fails, `out` holds what was decrypted.
    pub(crate) fn unwrap(&self, iv: Option<&[u8; HALF]>, wrapped: &[u8], out: &mut [u8]) -> Checked<()> {
        if out.len().checked_add(HALF) != Some(wrapped.len()) {
            return Err(Refused);
        }
        // SAFETY: `wrapped` is readable for its length, and AES_unwrap_key writes 8 bytes fewer than that, the length of
        // `out`, which shares no byte with it. The schedule decrypts and is only read; `iv` is 8 readable bytes or null.
        let written = unsafe {
            lc::AES_unwrap_key(
                &raw const self.0.decrypt,
                initial(iv),
                out.as_mut_ptr(),
                wrapped.as_ptr(),
                wrapped.len(),
            )
        };
        if usize::try_from(written) == Ok(out.len()) { Ok(()) } else { Err(Refused) }
    }

    /// Wraps `key` with the padding of RFC 5649: the length written to the front of `out`.
    pub(crate) fn wrap_padded(&self, key: &[u8], out: &mut [u8]) -> Checked<usize> {
        let mut written = 0;
        // SAFETY: `key` is readable and `out` writable for the lengths given with them, and they share no byte. The
        // schedule encrypts and is only read; `written` is exclusively ours.
        checked(unsafe {
            lc::AES_wrap_key_padded(
                &raw const self.0.encrypt,
                out.as_mut_ptr(),
                &raw mut written,
                out.len(),
                key.as_ptr(),
                key.len(),
            )
        })?;
        Ok(written)
    }

    /// Unwraps `wrapped` with the padding of RFC 5649 to `out`, which has room for the padding too: the key's length. If
    /// the integrity check fails, `out` holds what was decrypted.
    pub(crate) fn unwrap_padded(&self, wrapped: &[u8], out: &mut [u8]) -> Checked<usize> {
        let mut length = 0;
        // SAFETY: `wrapped` is readable and `out` writable for the lengths given with them, and they share no byte. The
        // schedule decrypts and is only read; `length` is exclusively ours.
        checked(unsafe {
            lc::AES_unwrap_key_padded(
                &raw const self.0.decrypt,
                out.as_mut_ptr(),
                &raw mut length,
                out.len(),
                wrapped.as_ptr(),
                wrapped.len(),
            )
        })?;
        Ok(length)
    }
}

/// The initial value as AWS-LC takes it: null is the standard's.
fn initial(iv: Option<&[u8; HALF]>) -> *const u8 {
    iv.map_or(ptr::null(), |iv| iv.as_ptr())
}
