//! Keys from a key: the KDF in counter mode of SP 800-108r1 section 4.1, whose input PKCS#11 lets the caller lay out from
//! fields in any order (PKCS#11 3.2, `CKM_SP800_108_COUNTER_KDF`).

use std::borrow::Cow;

use base::ck;
use base::error::{Error, Result};
use zeroize::{Zeroize as _, Zeroizing};

use super::aes::{AesKey, BLOCK};
use super::cmac::Cmac;
use super::digest::{Hash, MAX_DIGEST};
use super::hmac::HmacKey;

/// The widest number in the input, in bytes.
const WIDEST: usize = 8;

/// The pseudorandom function that is iterated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prf {
    /// HMAC with this hash function.
    Hmac(Hash),
    /// AES-CMAC.
    Cmac,
}

impl Prf {
    /// How much of the output one iteration gives, in bytes.
    const fn length(self) -> usize {
        match self {
            Self::Hmac(hash) => hash.length(),
            Self::Cmac => BLOCK,
        }
    }
}

/// A part of what the pseudorandom function gets in each iteration.
#[derive(Clone)]
pub enum Field<'a> {
    /// The number of the iteration, from 1 on.
    Counter {
        /// Its width, 1 to 8.
        bytes: usize,
        /// Whether the lowest byte comes first.
        little_endian: bool,
    },
    /// The length of the output in bits, the same in each iteration.
    Length {
        /// Its width, 1 to 8.
        bytes: usize,
        /// Whether the lowest byte comes first.
        little_endian: bool,
        /// Whether what is counted is all that the iterations give (the sum of their lengths) and not what is taken.
        segments: bool,
    },
    /// Bytes of the caller: label, separator, context.
    Bytes(Cow<'a, [u8]>),
}

/// Fills `out` with the output of as many iterations as it takes, the last one cut. CMAC allocates a part of its expanded key.
///
/// # Errors
/// `CKR_MECHANISM_PARAM_INVALID` if there is not one counter among the fields or more than one length, a number is not 1 to 8
/// bytes wide, or the last counter or the length does not fit its width; `CKR_KEY_SIZE_RANGE` for CMAC with a key that is not of AES. `out`
/// is then unchanged.
pub fn counter_mode(prf: Prf, key: &[u8], fields: &[Field<'_>], out: &mut [u8]) -> Result<()> {
    let plan = Plan::new(prf, fields, out.len())?;
    match prf {
        Prf::Hmac(hash) => {
            let key = HmacKey::new(hash, key);
            plan.run(out, |counter, block| {
                let mut state = key.start();
                plan.feed(counter, |bytes| {
                    state.update(bytes);
                    Ok(())
                })?;
                state.finish(block);
                Ok(())
            })
        }
        Prf::Cmac => {
            let key = AesKey::new(key)?;
            plan.run(out, |counter, block| {
                let mut state = Cmac::default();
                plan.feed(counter, |bytes| state.update(&key, bytes))?;
                let mut value = state.finish(&key)?;
                block.iter_mut().zip(&value).for_each(|(to, from)| *to = *from);
                value.zeroize();
                Ok(())
            })
        }
    }
}

/// What all iterations have in common.
struct Plan<'a> {
    fields: &'a [Field<'a>],
    /// What one iteration gives, in bytes.
    step: usize,
    /// The number of iterations, which is the last and highest counter.
    last: u64,
    /// The length of the output in bits.
    taken: u64,
    /// The length of what the iterations give, in bits.
    given: u64,
}

impl<'a> Plan<'a> {
    /// Checks that the fields can be written in all iterations. There must be one counter, because without one all
    /// iterations would be the same; section 4.1 has no use for a second. Of the length "only one instance of this type may be
    /// specified" (PKCS#11 3.2 section 6.42, the table of counter mode).
    fn new(prf: Prf, fields: &'a [Field<'a>], length: usize) -> Result<Self> {
        let counters = fields.iter().filter(|field| matches!(field, Field::Counter { .. })).count();
        let lengths = fields.iter().filter(|field| matches!(field, Field::Length { .. })).count();
        if counters != 1 || lengths > 1 {
            return Err(refused("SP 800-108: the input needs one counter, and may have one length"));
        }
        let step = prf.length();
        let (taken, iterations) = (bits(length), length.div_ceil(step));
        let given = iterations.checked_mul(step).and_then(bits);
        let (Some(taken), Some(given), Ok(last)) = (taken, given, u64::try_from(iterations)) else {
            return Err(refused("SP 800-108: the output is too long"));
        };
        let plan = Self { fields, step, last, taken, given };
        plan.feed(last, |_| Ok(()))?;
        Ok(plan)
    }

    /// Fills `out` with what `iteration` writes to the front of a block for each counter.
    fn run(&self, out: &mut [u8], mut iteration: impl FnMut(u64, &mut [u8; MAX_DIGEST]) -> Result<()>) -> Result<()> {
        let mut block = Zeroizing::new([0; MAX_DIGEST]);
        for (counter, part) in (1..=self.last).zip(out.chunks_mut(self.step)) {
            iteration(counter, &mut block)?;
            part.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }

    /// Gives the input of the iteration `counter` to `sink`, field by field.
    fn feed(&self, counter: u64, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.fields.iter().try_for_each(|field| match field {
            &Field::Counter { bytes, little_endian } => encode(counter, bytes, little_endian, &mut sink),
            &Field::Length { bytes, little_endian, segments } => {
                encode(if segments { self.given } else { self.taken }, bytes, little_endian, &mut sink)
            }
            Field::Bytes(bytes) => sink(bytes),
        })
    }
}

/// Gives `value` in `width` bytes to `sink`.
fn encode(value: u64, width: usize, little_endian: bool, sink: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
    if width == 0 || width > WIDEST {
        return Err(refused("SP 800-108: a number of the input has 1 to 8 bytes"));
    }
    let bytes = if little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
    let parts = if little_endian {
        bytes.split_at_checked(width)
    } else {
        bytes.split_at_checked(WIDEST - width).map(|(high, low)| (low, high))
    };
    match parts {
        Some((low, high)) if high.iter().all(|byte| *byte == 0) => sink(low),
        _ => Err(refused("SP 800-108: the counter or the length does not fit its width")),
    }
}

fn bits(bytes: usize) -> Option<u64> {
    u64::try_from(bytes).ok()?.checked_mul(8)
}

const fn refused(message: &'static str) -> Error {
    Error::new(ck::CKR_MECHANISM_PARAM_INVALID, message)
}

#[cfg(test)]
#[path = "counter_kdf_tests.rs"]
mod tests;
