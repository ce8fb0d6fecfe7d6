//! RSA-PSS and RSA-OAEP as AWS-LC does them, with the hash of the message and that of the mask chosen apart.
#![allow(unsafe_code)]

use std::ffi::c_int;

use aws_lc_sys::{EVP_MD, RSA_PKCS1_OAEP_PADDING};

use super::envelope::{Envelope, Operation};
use super::rsa::Rsa;
use super::{Checked, Refused, checked, drawing, fresh, refused};
use crate::digest::Hash;

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

impl Rsa {
    /// EMSA-PSS with a fresh salt, and the private operation.
    pub(crate) fn sign_pss(&self, hash: Hash, mgf: Hash, salt: usize, digest: &[u8], out: &mut [u8]) -> Checked<usize> {
        // A negative length would mean "as long as possible" to AWS-LC; a c_int from an unsigned value never is.
        let salt = c_int::try_from(salt).map_err(|_| Refused)?;
        let mut length = 0;
        drawing(|| {
            // SAFETY: as in sign_pkcs1; AWS-LC refuses a digest whose length is not the hash's.
            unsafe {
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
            }
        })?;
        Ok(length)
    }

    /// Verifies an RSASSA-PSS signature whose salt has exactly the length `salt`.
    pub(crate) fn verify_pss(
        &self,
        hash: Hash,
        mgf: Hash,
        salt: usize,
        digest: &[u8],
        signature: &[u8],
    ) -> Checked<()> {
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
        let envelope = Envelope::empty()?;
        // SAFETY: both objects are live; the envelope takes a reference of its own, counted atomically.
        checked(unsafe { aws_lc_sys::EVP_PKEY_set1_RSA(envelope.as_ptr(), self.0.as_ptr()) })?;
        let operation = Operation::on(&envelope)?;
        let context = operation.as_ptr();
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
        drawing(|| {
            // SAFETY: operation and slices are live; at most `length` bytes are written to `out`.
            unsafe {
                aws_lc_sys::EVP_PKEY_decrypt(
                    context,
                    out.as_mut_ptr(),
                    &raw mut length,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                )
            }
        })?;
        Ok(length)
    }
}

/// EME-OAEP with a fresh seed; `out` is the whole encoded message, as long as the modulus.
pub(crate) fn pad_oaep(hash: Hash, mgf: Hash, label: &[u8], message: &[u8], out: &mut [u8]) -> Checked<()> {
    drawing(|| {
        // SAFETY: all slices are live; exactly `out.len()` bytes are written to `out`, or it is refused.
        unsafe {
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
        }
    })
}
