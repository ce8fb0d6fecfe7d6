//! AWS-LC's big integers: how RSA components and EC scalars go in and out of it, and the arithmetic of key import.
//!
//! A `BIGNUM` may hold a secret. AWS-LC zeroes all memory that it frees (`OPENSSL_free`), so no wrapper has to.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys::{BIGNUM, BN_CTX};
use base::secret::Secret;

use super::{Checked, Refused, checked, fresh};

/// An owned integer; never negative here, whatever a C function could make of it.
pub(crate) struct BigNum(NonNull<BIGNUM>);

/// Scratch space for arithmetic.
pub(crate) struct Context(NonNull<BN_CTX>);

impl Drop for BigNum {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, is owned by this value alone, and is freed once.
        unsafe { aws_lc_sys::BN_free(self.0.as_ptr()) };
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: as for BigNum.
        unsafe { aws_lc_sys::BN_CTX_free(self.0.as_ptr()) };
    }
}

impl Context {
    /// Scratch space for any number of operations.
    pub(crate) fn new() -> Checked<Self> {
        // SAFETY: takes nothing; null is handled.
        Ok(Self(fresh(unsafe { aws_lc_sys::BN_CTX_new() })?))
    }

    const fn as_mut_ptr(&self) -> *mut BN_CTX {
        self.0.as_ptr()
    }
}

impl BigNum {
    /// Zero.
    pub(crate) fn new() -> Checked<Self> {
        // SAFETY: takes nothing; null is handled.
        Ok(Self(fresh(unsafe { aws_lc_sys::BN_new() })?))
    }

    /// The integer that big-endian `bytes` say.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Checked<Self> {
        // SAFETY: pointer and length are those of a live slice, which is only read; a null result pointer asks for a
        // fresh object, which is then ours.
        Ok(Self(fresh(unsafe { aws_lc_sys::BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) })?))
    }

    /// A small integer.
    pub(crate) fn from_u64(value: u64) -> Checked<Self> {
        let number = Self::new()?;
        // SAFETY: the object is live and ours alone.
        checked(unsafe { aws_lc_sys::BN_set_u64(number.0.as_ptr(), value) })?;
        Ok(number)
    }

    /// For a C function that reads the integer during the call.
    pub(super) const fn as_ptr(&self) -> *const BIGNUM {
        self.0.as_ptr()
    }

    /// The number of significant bits.
    pub(crate) fn bits(&self) -> u32 {
        // SAFETY: the object is live and only read.
        unsafe { aws_lc_sys::BN_num_bits(self.as_ptr()) }
    }

    /// The big-endian bytes without leading zeros.
    pub(crate) fn to_secret(&self) -> Checked<Secret> {
        // SAFETY: a live object, which outlives the call.
        unsafe { secret_of(self.as_ptr()) }
    }

    /// Whether it is exactly one.
    pub(crate) fn is_one(&self) -> bool {
        // SAFETY: the object is live and only read.
        unsafe { aws_lc_sys::BN_is_one(self.as_ptr()) == 1 }
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(&self) -> bool {
        // SAFETY: the object is live and only read.
        unsafe { aws_lc_sys::BN_is_zero(self.as_ptr()) == 1 }
    }

    /// Whether it is odd.
    pub(crate) fn is_odd(&self) -> bool {
        // SAFETY: the object is live and only read.
        unsafe { aws_lc_sys::BN_is_odd(self.as_ptr()) == 1 }
    }

    /// How many factors of two it has.
    pub(crate) fn trailing_zeros(&self) -> u32 {
        // SAFETY: the object is live and only read.
        let zeros = unsafe { aws_lc_sys::BN_count_low_zero_bits(self.as_ptr()) };
        u32::try_from(zeros).unwrap_or(0)
    }

    /// The order of two integers.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        // SAFETY: both objects are live and only read.
        unsafe { aws_lc_sys::BN_cmp(self.as_ptr(), other.as_ptr()) }.cmp(&0)
    }

    /// One less; refused for zero.
    pub(crate) fn minus_one(&self) -> Checked<Self> {
        if self.is_zero() {
            return Err(Refused);
        }
        let result = Self::new()?;
        // SAFETY: all three objects are live, BN_value_one's for ever; only the first is written, and it is ours.
        checked(unsafe { aws_lc_sys::BN_sub(result.0.as_ptr(), self.as_ptr(), aws_lc_sys::BN_value_one()) })?;
        Ok(result)
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Self) -> Checked<Self> {
        let result = Self::new()?;
        // SAFETY: all objects are live; only the result is written, and it is ours.
        checked(unsafe { aws_lc_sys::BN_add(result.0.as_ptr(), self.as_ptr(), other.as_ptr()) })?;
        Ok(result)
    }

    /// The product.
    pub(crate) fn times(&self, other: &Self, context: &Context) -> Checked<Self> {
        let result = Self::new()?;
        // SAFETY: all objects are live; only the result and the context are written, and this thread alone has them.
        checked(unsafe { aws_lc_sys::BN_mul(result.0.as_ptr(), self.as_ptr(), other.as_ptr(), context.as_mut_ptr()) })?;
        Ok(result)
    }

    /// Divided by two to the `bits`.
    pub(crate) fn shifted_right(&self, bits: u32) -> Checked<Self> {
        let bits = c_int::try_from(bits).map_err(|_| Refused)?;
        let result = Self::new()?;
        // SAFETY: both objects are live; only the result is written, and it is ours.
        checked(unsafe { aws_lc_sys::BN_rshift(result.0.as_ptr(), self.as_ptr(), bits) })?;
        Ok(result)
    }

    /// The quotient and the remainder; refused for a divisor of zero.
    pub(crate) fn divided_by(&self, divisor: &Self, context: &Context) -> Checked<(Self, Self)> {
        let (quotient, remainder) = (Self::new()?, Self::new()?);
        // SAFETY: all objects are live and distinct; only the results and the context are written.
        checked(unsafe {
            aws_lc_sys::BN_div(
                quotient.0.as_ptr(),
                remainder.0.as_ptr(),
                self.as_ptr(),
                divisor.as_ptr(),
                context.as_mut_ptr(),
            )
        })?;
        Ok((quotient, remainder))
    }

    /// The square modulo `modulus`.
    pub(crate) fn squared_modulo(&self, modulus: &Self, context: &Context) -> Checked<Self> {
        let result = Self::new()?;
        // SAFETY: all objects are live; only the result and the context are written.
        checked(unsafe {
            aws_lc_sys::BN_mod_sqr(result.0.as_ptr(), self.as_ptr(), modulus.as_ptr(), context.as_mut_ptr())
        })?;
        Ok(result)
    }

    /// The power modulo an odd `modulus` greater than `self`, in time that depends on the sizes only.
    pub(crate) fn to_the(&self, exponent: &Self, modulus: &Self, context: &Context) -> Checked<Self> {
        let result = Self::new()?;
        // SAFETY: all objects are live; only the result and the context are written; a null Montgomery context makes
        // the function compute its own. It refuses an even modulus and a base out of range itself.
        checked(unsafe {
            aws_lc_sys::BN_mod_exp_mont_consttime(
                result.0.as_ptr(),
                self.as_ptr(),
                exponent.as_ptr(),
                modulus.as_ptr(),
                context.as_mut_ptr(),
                ptr::null(),
            )
        })?;
        Ok(result)
    }

    /// The greatest common divisor.
    pub(crate) fn gcd(&self, other: &Self, context: &Context) -> Checked<Self> {
        let result = Self::new()?;
        // SAFETY: all objects are live; only the result and the context are written.
        checked(unsafe { aws_lc_sys::BN_gcd(result.0.as_ptr(), self.as_ptr(), other.as_ptr(), context.as_mut_ptr()) })?;
        Ok(result)
    }
}

/// The big-endian bytes, without leading zeros, of an integer that AWS-LC owns.
///
/// # Safety
/// `number` is null or points to a live `BIGNUM` that nobody changes during the call.
pub(super) unsafe fn secret_of(number: *const BIGNUM) -> Checked<Secret> {
    if number.is_null() {
        return Err(Refused);
    }
    // SAFETY: not null, and live by this function's contract.
    let length = unsafe { aws_lc_sys::BN_num_bytes(number) } as usize;
    // SAFETY: as this function's contract says.
    Secret::made(length, |out| unsafe { write_padded(number, out) })
}

/// The big-endian bytes of an integer, filled up on the left with zeros to the length of `out`.
///
/// # Safety
/// `number` is null or points to a live `BIGNUM` that nobody changes during the call.
pub(super) unsafe fn write_padded(number: *const BIGNUM, out: &mut [u8]) -> Checked<()> {
    if number.is_null() {
        return Err(Refused);
    }
    // SAFETY: the integer is live by contract; pointer and length are those of a slice that we may write.
    checked(unsafe { aws_lc_sys::BN_bn2bin_padded(out.as_mut_ptr(), out.len(), number) })
}
