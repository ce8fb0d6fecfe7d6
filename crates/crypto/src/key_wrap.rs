//! AES key wrap: RFC 3394, the same over a key filled up with zeros or padded by PKCS#5, and RFC 5649. Wrapped keys are what leaves the module,
//! so everything that comes back is checked as a whole and answered with one error.

use std::ops::RangeInclusive;

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use zeroize::Zeroizing;

use super::ffi::aes::{Schedules, wipe};
use super::pad::{pkcs7_pad, pkcs7_unpad};

/// What key wrap works in: half a block of AES. A wrapped key is longer by one than the padded key.
const HALF: usize = 8;

/// The longest padded key, in bytes. AWS-LC counts in C `int`s; the limits of the standards lie higher.
const LONGEST: usize = (1 << 31) - 2 * HALF;

/// How a key is padded before it is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// RFC 3394: whole halves of a block, at least two.
    NoPad,
    /// Zeros up to whole halves of a block, and then RFC 3394 (PKCS#11 3.2, CKM_AES_KEY_WRAP): the length of the key is lost.
    Filled,
    /// The padding of PKCS#5, which always adds 1 to 8 bytes, and then RFC 3394; so at least 8 bytes.
    Pkcs5Pad,
    /// RFC 5649: from one byte on.
    ZeroPad,
}

impl Form {
    /// The shortest padded key, in bytes. RFC 3394 section 2 begins with two halves; RFC 5649 section 4.1 has a case of
    /// its own for one.
    const fn shortest(self) -> usize {
        match self {
            Self::NoPad | Self::Filled | Self::Pkcs5Pad => 2 * HALF,
            Self::ZeroPad => HALF,
        }
    }
}

/// How long a key of `length` bytes is when it is wrapped.
///
/// # Errors
/// `CKR_KEY_SIZE_RANGE` for a length that the form cannot wrap.
pub fn wrapped_length(form: Form, length: usize) -> Result<usize> {
    let padded = match form {
        Form::NoPad => Some(length).filter(|length| length.is_multiple_of(HALF)),
        Form::Pkcs5Pad => length.checked_add(1).and_then(|more| more.checked_next_multiple_of(HALF)),
        Form::Filled | Form::ZeroPad => length.checked_next_multiple_of(HALF),
    };
    let fits = |padded: &usize| (form.shortest()..=LONGEST).contains(padded);
    match padded.filter(fits) {
        Some(padded) => Ok(padded + HALF),
        None => Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "AES key wrap: the form cannot wrap a key of this length")),
    }
}

/// The lengths of the keys that `wrapped` bytes can be a wrapped one of; none if the form gives no wrapped key of this length.
#[must_use]
pub fn held_lengths(form: Form, wrapped: usize) -> RangeInclusive<usize> {
    let Some(padded) = padded_length(form, wrapped) else { return RangeInclusive::new(1, 0) };
    match form {
        Form::NoPad => padded..=padded,
        Form::Pkcs5Pad => padded - HALF..=padded - 1,
        Form::Filled | Form::ZeroPad => padded - (HALF - 1)..=padded,
    }
}

fn padded_length(form: Form, wrapped: usize) -> Option<usize> {
    let fits = |padded: &usize| padded.is_multiple_of(HALF) && (form.shortest()..=LONGEST).contains(padded);
    wrapped.checked_sub(HALF).filter(fits)
}

/// Wraps `key` to the front of `out` and returns the length. Without `iv`, the initial value is that of the form's
/// standard; [`Form::ZeroPad`] has no other. Allocates the expanded `kek`, and for [`Form::ZeroPad`] a copy of the key.
///
/// # Errors
/// `CKR_WRAPPING_KEY_SIZE_RANGE` if `kek` is not 16, 24 or 32 bytes, `CKR_KEY_SIZE_RANGE` as in [`wrapped_length`],
/// `CKR_BUFFER_TOO_SMALL` (nothing is written), `CKR_GENERAL_ERROR` for an `iv` with [`Form::ZeroPad`].
pub fn wrap(kek: &[u8], form: Form, iv: Option<&[u8; HALF]>, key: &[u8], out: &mut [u8]) -> Result<usize> {
    let schedules = prepare(kek, form, iv, ck::CKR_WRAPPING_KEY_SIZE_RANGE)?;
    let total = wrapped_length(form, key.len())?;
    let out =
        out.get_mut(..total).ok_or(Error::new(ck::CKR_BUFFER_TOO_SMALL, "AES key wrap: the output is too small"))?;
    let done = match form {
        Form::NoPad | Form::Filled | Form::Pkcs5Pad => {
            lay_out(form, key, out);
            schedules.wrap(iv, out)
        }
        Form::ZeroPad => schedules.wrap_padded(key, out).map(|_| ()),
    };
    if done.is_err() {
        // Only memory can be missing, but then the key must not stay in the caller's output.
        wipe(out);
        return Err(Error::new(ck::CKR_HOST_MEMORY, "AES key wrap: no memory"));
    }
    Ok(total)
}

/// Unwraps `wrapped`, which must be one wrapped key and nothing else.
///
/// With [`Form::Filled`] the zeros are part of what comes back.
///
/// A wrong key-encryption key, a changed byte and a wrong padding are one error with one text: an answer that told them
/// apart would tell something of the key. The padding of PKCS#5 is looked at in constant time.
///
/// # Errors
/// `CKR_UNWRAPPING_KEY_SIZE_RANGE` if `kek` is not 16, 24 or 32 bytes, `CKR_WRAPPED_KEY_LEN_RANGE` for a length that the
/// form cannot have, `CKR_WRAPPED_KEY_INVALID` if integrity or padding is wrong, `CKR_HOST_MEMORY`, `CKR_GENERAL_ERROR`
/// for an `iv` with [`Form::ZeroPad`].
pub fn unwrap(kek: &[u8], form: Form, iv: Option<&[u8; HALF]>, wrapped: &[u8]) -> Result<Secret> {
    let schedules = prepare(kek, form, iv, ck::CKR_UNWRAPPING_KEY_SIZE_RANGE)?;
    let padded = padded_length(form, wrapped.len()).ok_or(Error::new(
        ck::CKR_WRAPPED_KEY_LEN_RANGE,
        "AES key wrap: the form gives no wrapped key of this length",
    ))?;
    let mut key = Secret::zeros(padded).ok_or(Error::new(ck::CKR_HOST_MEMORY, "AES key wrap: no memory"))?;
    let length = match form {
        Form::NoPad | Form::Filled => schedules.unwrap(iv, wrapped, key.expose_mut()).ok().map(|()| padded),
        Form::Pkcs5Pad => {
            schedules.unwrap(iv, wrapped, key.expose_mut()).ok().and_then(|()| unpadded_length(key.expose()))
        }
        Form::ZeroPad => schedules.unwrap_padded(wrapped, key.expose_mut()).ok(),
    };
    match length.and_then(|length| key.expose().get(..length)) {
        Some(whole) if whole.len() == padded => Ok(key),
        Some(front) => Ok(Secret::copy(front)),
        None => Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "AES key wrap: not a key wrapped with this key")),
    }
}

/// The expanded key-encryption key, once the parameters agree with each other.
fn prepare(kek: &[u8], form: Form, iv: Option<&[u8; HALF]>, otherwise: ck::CK_RV) -> Result<Schedules> {
    if form == Form::ZeroPad && iv.is_some() {
        // RFC 5649 section 3: its initial value carries the length.
        return Err(Error::internal("AES key wrap: zero padding has no initial value to choose"));
    }
    Schedules::new(kek).map_err(|_| Error::new(otherwise, "AES key wrap: the wrapping key has 16, 24 or 32 bytes"))
}

/// Puts the padded key where it is wrapped in place: behind the first half block of `out`, which is as long as the result.
fn lay_out(form: Form, key: &[u8], out: &mut [u8]) {
    let (halves, tail) = key.as_chunks::<HALF>();
    let last = Zeroizing::new(match form {
        Form::Pkcs5Pad => pkcs7_pad::<HALF>(tail),
        Form::Filled if !tail.is_empty() => Some(filled(tail)),
        _ => None,
    });
    let places = out.as_chunks_mut::<HALF>().0.iter_mut().skip(1);
    places.zip(halves.iter().chain(last.iter())).for_each(|(place, half)| *place = *half);
}

fn filled(tail: &[u8]) -> [u8; HALF] {
    let mut half = [0; HALF];
    half.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    half
}

/// How many bytes of a key are not padding; nothing if the padding is wrong.
fn unpadded_length(padded: &[u8]) -> Option<usize> {
    let (front, last) = padded.split_last_chunk::<HALF>()?;
    Some(front.len() + pkcs7_unpad(last).ok()?)
}

#[cfg(test)]
#[path = "key_wrap_tests.rs"]
mod tests;
