//! AWS-LC's RSA keys: generation, raw operations, the paddings, and the consistency check.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys::{EVP_MD, EVP_PKEY, EVP_PKEY_CTX, RSA, RSA_NO_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_PKCS1_PADDING};

use super::bignum::{BigNum, secret_of};
use super::{Checked, Refused, checked, fresh, refused};
use crate::crypto::digest::Hash;
use crate::platform::fork::random_gate;
use crate::secret::Secret;

/// The longest public exponent of an ordinary key; AWS-LC keeps longer ones apart, because they make every check of a
/// result slow.
const ORDINARY_EXPONENT_BITS: u32 = 33;

/// An owned key, public or private.
pub(crate) struct Rsa(NonNull<RSA>);

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

/// An owned envelope around a key, for the functions that exist for envelopes only.
struct Envelope(NonNull<EVP_PKEY>);

impl Drop for Envelope {
    fn drop(&mut self) {
        // SAFETY: as for Rsa; the key inside loses the envelope's reference.
        unsafe { aws_lc_sys::EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// An owned operation on an envelope.
struct Operation(NonNull<EVP_PKEY_CTX>);

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: as for Rsa; buffers and label inside go with it.
        unsafe { aws_lc_sys::EVP_PKEY_CTX_free(self.0.as_ptr()) };
    }
}

/// AWS-LC's static description of a hash.
fn md(hash: Hash) -> *const EVP_MD {
    // SAFETY: the functions take nothing and return pointers to constants that live as long as the process.
    unsafe {
        match hash {
            Hash::Sha1 => aws_lc_sys::EVP_sha1(),
            Hash::Sha224 => aws_lc_sys::EVP_sha224(),
            Hash::Sha256 => aws_lc_sys::EVP_sha256(),
            Hash::Sha384 => aws_lc_sys::EVP_sha384(),
            Hash::Sha512 => aws_lc_sys::EVP_sha512(),
        }
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
            make(
                n.as_ptr(),
                e.as_ptr(),
                d.as_ptr(),
                p.as_ptr(),
                q.as_ptr(),
                dp.as_ptr(),
                dq.as_ptr(),
                qinv.as_ptr(),
            )
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

    /// The modulus' length in bytes.
    pub(crate) fn size(&self) -> usize {
        // SAFETY: the key is live, has a modulus, and is only read.
        unsafe { aws_lc_sys::RSA_size(self.0.as_ptr()) as usize }
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

    /// EMSA-PKCS1-v1_5 with `t` as the encoded digest, and the private operation.
    pub(crate) fn sign_pkcs1(&self, t: &[u8], out: &mut [u8]) -> Checked<usize> {
        let mut length = 0;
        // SAFETY: key and slices are live; at most `out.len()` bytes are written to `out`, and their number to
        // `length`; the function is non-mutating (see Sync).
        random_gate(|| {
            checked(unsafe {
                aws_lc_sys::RSA_sign_raw(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    t.as_ptr(),
                    t.len(),
                    RSA_PKCS1_PADDING,
                )
            })
        })?;
        Ok(length)
    }

    /// EMSA-PSS with a fresh salt, and the private operation.
    pub(crate) fn sign_pss(&self, hash: Hash, mgf: Hash, salt: usize, digest: &[u8], out: &mut [u8]) -> Checked<usize> {
        // A negative length would mean "as long as possible" to AWS-LC; a c_int from an unsigned value never is.
        let salt = c_int::try_from(salt).map_err(|_| Refused)?;
        let mut length = 0;
        // SAFETY: as in sign_pkcs1; AWS-LC refuses a digest whose length is not the hash's.
        random_gate(|| {
            checked(unsafe {
                aws_lc_sys::RSA_sign_pss_mgf1(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    digest.as_ptr(),
                    digest.len(),
                    md(hash),
                    md(mgf),
                    salt,
                )
            })
        })?;
        Ok(length)
    }

    /// Verifies an RSASSA-PSS signature whose salt has exactly the length `salt`.
    pub(crate) fn verify_pss(&self, hash: Hash, mgf: Hash, salt: usize, digest: &[u8], signature: &[u8]) -> Checked<()> {
        let salt = c_int::try_from(salt).map_err(|_| Refused)?;
        // SAFETY: key and slices are live; the slices are only read; the function is non-mutating (see Sync).
        checked(unsafe {
            aws_lc_sys::RSA_verify_pss_mgf1(
                self.0.as_ptr(),
                digest.as_ptr(),
                digest.len(),
                md(hash),
                md(mgf),
                salt,
                signature.as_ptr(),
                signature.len(),
            )
        })
    }

    /// The private operation alone, blinded; `input` and `out` have the modulus' length.
    pub(crate) fn private_raw(&self, input: &[u8], out: &mut [u8]) -> Checked<()> {
        let mut length = 0;
        // SAFETY: as in sign_pkcs1; with no padding AWS-LC asks for exactly the modulus' length of input.
        random_gate(|| {
            checked(unsafe {
                aws_lc_sys::RSA_decrypt(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    input.as_ptr(),
                    input.len(),
                    RSA_NO_PADDING,
                )
            })
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
        // SAFETY: as in sign_pkcs1.
        random_gate(|| {
            checked(unsafe {
                aws_lc_sys::RSA_encrypt(
                    self.0.as_ptr(),
                    &raw mut length,
                    out.as_mut_ptr(),
                    out.len(),
                    message.as_ptr(),
                    message.len(),
                    RSA_PKCS1_PADDING,
                )
            })
        })?;
        Ok(length)
    }

    /// RSAES-OAEP decryption; `out` holds the modulus' length. AWS-LC checks the encoding in constant time and has one
    /// error for all that can be wrong with it.
    pub(crate) fn decrypt_oaep(
        &self,
        hash: Hash,
        mgf: Hash,
        label: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Checked<usize> {
        // SAFETY: takes nothing; null is handled.
        let envelope = Envelope(fresh(unsafe { aws_lc_sys::EVP_PKEY_new() })?);
        // SAFETY: both objects are live; the envelope takes a reference of its own, counted atomically.
        checked(unsafe { aws_lc_sys::EVP_PKEY_set1_RSA(envelope.0.as_ptr(), self.0.as_ptr()) })?;
        // SAFETY: the envelope is live, and the operation takes a reference of its own; no engine.
        let operation =
            Operation(fresh(unsafe { aws_lc_sys::EVP_PKEY_CTX_new(envelope.0.as_ptr(), ptr::null_mut()) })?);
        let context = operation.0.as_ptr();
        // SAFETY: the operation is live and ours alone; the hashes are static.
        unsafe {
            checked(aws_lc_sys::EVP_PKEY_decrypt_init(context))?;
            checked(aws_lc_sys::EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING))?;
            checked(aws_lc_sys::EVP_PKEY_CTX_set_rsa_oaep_md(context, md(hash)))?;
            checked(aws_lc_sys::EVP_PKEY_CTX_set_rsa_mgf1_md(context, md(mgf)))?;
        }
        if !label.is_empty() {
            // SAFETY: the slice is live and only read; the copy is AWS-LC's own kind of memory.
            let copy = unsafe { aws_lc_sys::OPENSSL_memdup(label.as_ptr().cast(), label.len()) };
            let copy = fresh(copy.cast::<u8>())?;
            // SAFETY: on success the operation owns the copy and frees it.
            let taken = unsafe { aws_lc_sys::EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy.as_ptr(), label.len()) };
            if taken != 1 {
                // SAFETY: the operation did not take the copy, so it is still ours, and this is its only release.
                unsafe { aws_lc_sys::OPENSSL_free(copy.as_ptr().cast()) };
                return Err(refused());
            }
        }
        let mut length = out.len();
        // SAFETY: operation and slices are live; at most `length` bytes are written to `out`.
        random_gate(|| {
            checked(unsafe {
                aws_lc_sys::EVP_PKEY_decrypt(
                    context,
                    out.as_mut_ptr(),
                    &raw mut length,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                )
            })
        })?;
        Ok(length)
    }
}

/// EME-OAEP with a fresh seed; `out` is the whole encoded message, as long as the modulus.
pub(crate) fn pad_oaep(hash: Hash, mgf: Hash, label: &[u8], message: &[u8], out: &mut [u8]) -> Checked<()> {
    // SAFETY: all slices are live; exactly `out.len()` bytes are written to `out`, or it is refused.
    random_gate(|| {
        checked(unsafe {
            aws_lc_sys::RSA_padding_add_PKCS1_OAEP_mgf1(
                out.as_mut_ptr(),
                out.len(),
                message.as_ptr(),
                message.len(),
                label.as_ptr(),
                label.len(),
                md(hash),
                md(mgf),
            )
        })
    })
}
