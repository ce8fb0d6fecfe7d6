//! AWS-LC's RSA keys: generation, the raw operations, PKCS#1 v1.5, and the consistency check.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys::{RSA, RSA_NO_PADDING, RSA_PKCS1_PADDING};
use base::secret::Secret;

use super::bignum::{BigNum, secret_of};
use super::{Checked, Refused, checked, drawing, fresh};

/// The longest public exponent of an ordinary key; AWS-LC keeps longer ones apart, because they make every check of a
/// result slow.
const ORDINARY_EXPONENT_BITS: u32 = 33;

/// An owned key, public or private.
pub(crate) struct Rsa(pub(super) NonNull<RSA>);

// SAFETY: an RSA object belongs to no thread; it may be used and freed from any (rsa.h, "Allocation and destruction").
unsafe impl Send for Rsa {}
// SAFETY: rsa.h allows concurrent use by functions that do not mutate the key, and documents signing, verification,
// encryption and decryption as such though they take a non-const pointer: the blinding cache and the Montgomery values
// inside are under the key's own lock. Every method that takes `&self` calls only such functions; generation runs in
// a constructor.
unsafe impl Sync for Rsa {}

impl Drop for Rsa {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, this value owns one reference, and it is released once.
        unsafe { aws_lc_sys::RSA_free(self.0.as_ptr()) };
    }
}

/// The eight integers of RFC 8017 A.1.2 in its order: n, e, d, p, q, d mod p-1, d mod q-1, q^-1 mod p.
pub(crate) struct Integers<T> {
    pub(crate) n: T,
    pub(crate) e: T,
    pub(crate) d: T,
    pub(crate) p: T,
    pub(crate) q: T,
    pub(crate) dp: T,
    pub(crate) dq: T,
    pub(crate) qinv: T,
}

impl Rsa {
    /// A public key; AWS-LC checks the sizes, and that both integers are odd.
    pub(crate) fn public(n: &BigNum, e: &BigNum) -> Checked<Self> {
        let make = if e.bits() > ORDINARY_EXPONENT_BITS {
            aws_lc_sys::RSA_new_public_key_large_e
        } else {
            aws_lc_sys::RSA_new_public_key
        };
        // SAFETY: both integers are live; the key copies them.
        Ok(Self(fresh(unsafe { make(n.as_ptr(), e.as_ptr()) })?))
    }

    /// A private key; AWS-LC checks that the eight integers belong together (`RSA_check_key`).
    pub(crate) fn private(integers: &Integers<BigNum>) -> Checked<Self> {
        let make = if integers.e.bits() > ORDINARY_EXPONENT_BITS {
            aws_lc_sys::RSA_new_private_key_large_e
        } else {
            aws_lc_sys::RSA_new_private_key
        };
        let Integers { n, e, d, p, q, dp, dq, qinv } = integers;
        // SAFETY: all integers are live; the key copies them.
        Ok(Self(fresh(unsafe {
            make(n.as_ptr(), e.as_ptr(), d.as_ptr(), p.as_ptr(), q.as_ptr(), dp.as_ptr(), dq.as_ptr(), qinv.as_ptr())
        })?))
    }

    /// A new key with any odd exponent of at most 32 bits. Outside the random gate (see the module above).
    pub(crate) fn generate(bits: u32, e: &BigNum) -> Checked<Self> {
        let bits = c_int::try_from(bits).map_err(|_| Refused)?;
        // SAFETY: takes nothing; null is handled.
        let key = Self(fresh(unsafe { aws_lc_sys::RSA_new() })?);
        // SAFETY: key and exponent are live, the key is ours alone; no callback.
        checked(unsafe { aws_lc_sys::RSA_generate_key_ex(key.0.as_ptr(), bits, e.as_ptr(), ptr::null_mut()) })?;
        Ok(key)
    }

    /// A new key with the exponent 65537, tested as FIPS 140 asks. Outside the random gate (see the module above).
    pub(crate) fn generate_fips(bits: u32) -> Checked<Self> {
        let bits = c_int::try_from(bits).map_err(|_| Refused)?;
        // SAFETY: takes nothing; null is handled.
        let key = Self(fresh(unsafe { aws_lc_sys::RSA_new() })?);
        // SAFETY: the key is live and ours alone; no callback.
        checked(unsafe { aws_lc_sys::RSA_generate_key_fips(key.0.as_ptr(), bits, ptr::null_mut()) })?;
        Ok(key)
    }

    /// The integers of a private key.
    pub(crate) fn integers(&self) -> Checked<Integers<Secret>> {
        let key = self.0.as_ptr();
        // SAFETY: the key is live and only read; its integers live as long as it, and nothing changes them (see Sync).
        unsafe {
            Ok(Integers {
                n: secret_of(aws_lc_sys::RSA_get0_n(key))?,
                e: secret_of(aws_lc_sys::RSA_get0_e(key))?,
                d: secret_of(aws_lc_sys::RSA_get0_d(key))?,
                p: secret_of(aws_lc_sys::RSA_get0_p(key))?,
                q: secret_of(aws_lc_sys::RSA_get0_q(key))?,
                dp: secret_of(aws_lc_sys::RSA_get0_dmp1(key))?,
                dq: secret_of(aws_lc_sys::RSA_get0_dmq1(key))?,
                qinv: secret_of(aws_lc_sys::RSA_get0_iqmp(key))?,
            })
        }
    }

    /// The modulus' length in bits.
    pub(crate) fn bits(&self) -> u32 {
        // SAFETY: the key is live, has a modulus, and is only read.
        unsafe { aws_lc_sys::RSA_bits(self.0.as_ptr()) }
    }

    /// Whether the integers of the key belong together.
    pub(crate) fn check(&self) -> Checked<()> {
        // SAFETY: the key is live and only read.
        checked(unsafe { aws_lc_sys::RSA_check_key(self.0.as_ptr()) })
    }

    /// The tests of FIPS 140 on a new key: the public key's plausibility, and a signature. Part of generation, and so
    /// outside the random gate too.
    pub(crate) fn check_fips(&self) -> Checked<()> {
        // SAFETY: the key is live; nothing but its reference count and its caches changes, under its own lock.
        checked(unsafe { aws_lc_sys::RSA_check_fips(self.0.as_ptr()) })
    }

    /// EMSA-PKCS1-v1_5 with `t` as the encoded digest, and the private operation.
    pub(crate) fn sign_pkcs1(&self, t: &[u8], out: &mut [u8]) -> Checked<usize> {
        let mut length = 0;
        drawing(|| {
            // SAFETY: key and slices are live; at most `out.len()` bytes are written to `out`, and their number to
            // `length`; the function is non-mutating (see Sync).
            unsafe {
                aws_lc_sys::RSA_sign_raw(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    t.as_ptr(),
                    t.len(),
                    RSA_PKCS1_PADDING,
                )
            }
        })?;
        Ok(length)
    }

    /// The private operation alone, blinded; `input` and `out` have the modulus' length.
    pub(crate) fn private_raw(&self, input: &[u8], out: &mut [u8]) -> Checked<()> {
        let mut length = 0;
        drawing(|| {
            // SAFETY: as in sign_pkcs1; with no padding AWS-LC asks for exactly the modulus' length of input.
            unsafe {
                aws_lc_sys::RSA_decrypt(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    input.as_ptr(),
                    input.len(),
                    RSA_NO_PADDING,
                )
            }
        })?;
        if length == out.len() { Ok(()) } else { Err(Refused) }
    }

    /// The public operation alone; `input` and `out` have the modulus' length.
    pub(crate) fn public_raw(&self, input: &[u8], out: &mut [u8]) -> Checked<()> {
        let mut length = 0;
        // SAFETY: as in private_raw; nothing is drawn without padding.
        checked(unsafe {
            aws_lc_sys::RSA_verify_raw(
                self.0.as_ptr(),
                &raw mut length,
                out.as_mut_ptr(),
                out.len(),
                input.as_ptr(),
                input.len(),
                RSA_NO_PADDING,
            )
        })?;
        if length == out.len() { Ok(()) } else { Err(Refused) }
    }

    /// RSAES-PKCS1-v1_5 encryption.
    pub(crate) fn encrypt_pkcs1(&self, message: &[u8], out: &mut [u8]) -> Checked<usize> {
        let mut length = 0;
        drawing(|| {
            // SAFETY: as in sign_pkcs1.
            unsafe {
                aws_lc_sys::RSA_encrypt(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    message.as_ptr(),
                    message.len(),
                    RSA_PKCS1_PADDING,
                )
            }
        })?;
        Ok(length)
    }
}
