//! AWS-LC's ML-DSA: keys from a seed, from their expanded form and from bytes; signatures over a message or over mu.
//!
//! To AWS-LC the external-mu form is "signing a digest" (`EVP_PKEY_sign`), the pure form "signing a message"
//! (`EVP_DigestSign`). Its public functions always sign hedged, with randomness drawn inside.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys::{EVP_MD_CTX, NID_MLDSA44, NID_MLDSA65, NID_MLDSA87};

use super::envelope::{Envelope, Operation};
use super::{Checked, Refused, checked, drawing, fresh};
use crate::ml_dsa::ParameterSet;

/// An owned key, public or private.
pub(crate) struct MlDsa(Envelope);

// SAFETY: an EVP_PKEY belongs to no thread; its memory and its reference count, which is atomic, may be used and freed
// from any (evp.h, "Public/private key objects").
unsafe impl Send for MlDsa {}
// SAFETY: evp.h allows concurrent use by functions that do not mutate the key. Reading the raw forms takes a const
// pointer. An operation on the key takes a mutable one for its reference, and EVP_PKEY_up_ref is documented not to
// mutate; signing and verifying then hand the stored bytes on as `const uint8_t *` (p_pqdsa.c), and ML-DSA keeps
// nothing in the key between two calls. All that writes the key runs in constructors.
unsafe impl Sync for MlDsa {}

/// An owned operation on a message: signing, verifying or hashing.
struct Message(NonNull<EVP_MD_CTX>);

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, this value owns it, and it is released once; the operation on the key
        // that it may hold goes with it.
        unsafe { aws_lc_sys::EVP_MD_CTX_free(self.0.as_ptr()) };
    }
}

impl Message {
    fn new() -> Checked<Self> {
        // SAFETY: takes nothing; null is handled.
        Ok(Self(fresh(unsafe { aws_lc_sys::EVP_MD_CTX_new() })?))
    }

    const fn as_ptr(&self) -> *mut EVP_MD_CTX {
        self.0.as_ptr()
    }
}

const fn number(set: ParameterSet) -> c_int {
    match set {
        ParameterSet::MlDsa44 => NID_MLDSA44,
        ParameterSet::MlDsa65 => NID_MLDSA65,
        ParameterSet::MlDsa87 => NID_MLDSA87,
    }
}

impl MlDsa {
    /// A private key from its seed or its expanded form, which differ in length. AWS-LC expands a seed, computes the
    /// public key, and refuses an expanded form with a coefficient out of range, or whose t0 or hash of the public key
    /// is not what the rest makes it.
    pub(crate) fn private(set: ParameterSet, bytes: &[u8]) -> Checked<Self> {
        // SAFETY: the slice is live and only read; the result, which holds copies, is ours.
        let pointer =
            unsafe { aws_lc_sys::EVP_PKEY_pqdsa_new_raw_private_key(number(set), bytes.as_ptr(), bytes.len()) };
        Ok(Self(Envelope::owning(pointer)?))
    }

    /// A public key from its bytes, of which AWS-LC checks the number; every value is one (FIPS 204 algorithm 23).
    pub(crate) fn public(set: ParameterSet, bytes: &[u8]) -> Checked<Self> {
        // SAFETY: as in private.
        let pointer =
            unsafe { aws_lc_sys::EVP_PKEY_pqdsa_new_raw_public_key(number(set), bytes.as_ptr(), bytes.len()) };
        Ok(Self(Envelope::owning(pointer)?))
    }

    /// Writes the expanded private key, which has exactly the length of `out`.
    pub(crate) fn write_private(&self, out: &mut [u8]) -> Checked<()> {
        let mut length = out.len();
        // SAFETY: the key is live and only read; at most `length` bytes are written to `out`.
        checked(unsafe {
            aws_lc_sys::EVP_PKEY_get_raw_private_key(self.0.as_ptr(), out.as_mut_ptr(), &raw mut length)
        })?;
        if length == out.len() { Ok(()) } else { Err(Refused) }
    }

    /// Writes the public key, which has exactly the length of `out`.
    pub(crate) fn write_public(&self, out: &mut [u8]) -> Checked<()> {
        let mut length = out.len();
        // SAFETY: as in write_private.
        checked(unsafe {
            aws_lc_sys::EVP_PKEY_get_raw_public_key(self.0.as_ptr(), out.as_mut_ptr(), &raw mut length)
        })?;
        if length == out.len() { Ok(()) } else { Err(Refused) }
    }

    /// Signs a message (FIPS 204 algorithm 2).
    pub(crate) fn sign(&self, context: &[u8], message: &[u8], out: &mut [u8]) -> Checked<usize> {
        let (operation, mut inner, mut length) = (Message::new()?, ptr::null_mut(), out.len());
        // SAFETY: operation and key are live, and the operation takes a reference of its own to the key; no digest and
        // no engine. `inner` is set to what belongs to the operation and lives as long; it copies the context.
        unsafe {
            checked(aws_lc_sys::EVP_DigestSignInit(
                operation.as_ptr(),
                &raw mut inner,
                ptr::null(),
                ptr::null_mut(),
                self.0.as_ptr(),
            ))?;
            checked(aws_lc_sys::EVP_PKEY_CTX_set1_signature_context_string(inner, context.as_ptr(), context.len()))?;
        }
        drawing(|| {
            // SAFETY: the operation is live and ours alone, the message a slice that is only read; at most `length`
            // bytes are written to `out`; the key is not mutated (see Sync).
            unsafe {
                aws_lc_sys::EVP_DigestSign(
                    operation.as_ptr(),
                    out.as_mut_ptr(),
                    &raw mut length,
                    message.as_ptr(),
                    message.len(),
                )
            }
        })?;
        Ok(length)
    }

    /// Signs a message representative (FIPS 204 algorithm 7 from line 7 on).
    pub(crate) fn sign_mu(&self, mu: &[u8], out: &mut [u8]) -> Checked<usize> {
        let (operation, mut length) = (Operation::on(&self.0)?, out.len());
        // SAFETY: the operation is live and ours alone.
        checked(unsafe { aws_lc_sys::EVP_PKEY_sign_init(operation.as_ptr()) })?;
        drawing(|| {
            // SAFETY: as in sign.
            unsafe {
                aws_lc_sys::EVP_PKEY_sign(operation.as_ptr(), out.as_mut_ptr(), &raw mut length, mu.as_ptr(), mu.len())
            }
        })?;
        Ok(length)
    }

    /// Verifies the signature of a message (FIPS 204 algorithm 3).
    pub(crate) fn verify(&self, context: &[u8], message: &[u8], signature: &[u8]) -> Checked<()> {
        let (operation, mut inner) = (Message::new()?, ptr::null_mut());
        // SAFETY: as in sign; message and signature are slices that are only read.
        unsafe {
            checked(aws_lc_sys::EVP_DigestVerifyInit(
                operation.as_ptr(),
                &raw mut inner,
                ptr::null(),
                ptr::null_mut(),
                self.0.as_ptr(),
            ))?;
            checked(aws_lc_sys::EVP_PKEY_CTX_set1_signature_context_string(inner, context.as_ptr(), context.len()))?;
            checked(aws_lc_sys::EVP_DigestVerify(
                operation.as_ptr(),
                signature.as_ptr(),
                signature.len(),
                message.as_ptr(),
                message.len(),
            ))
        }
    }

    /// Verifies the signature of a message representative.
    pub(crate) fn verify_mu(&self, mu: &[u8], signature: &[u8]) -> Checked<()> {
        let operation = Operation::on(&self.0)?;
        // SAFETY: the operation is live and ours alone; both slices are live and only read.
        unsafe {
            checked(aws_lc_sys::EVP_PKEY_verify_init(operation.as_ptr()))?;
            checked(aws_lc_sys::EVP_PKEY_verify(
                operation.as_ptr(),
                signature.as_ptr(),
                signature.len(),
                mu.as_ptr(),
                mu.len(),
            ))
        }
    }
}

/// SHAKE256 (FIPS 202 section 6.2) over data that comes in parts.
pub(crate) struct Shake256(Message);

// SAFETY: the state of a hash is memory of its own behind a pointer that nobody else has; it belongs to no thread.
unsafe impl Send for Shake256 {}

impl Shake256 {
    /// An empty message.
    pub(crate) fn new() -> Checked<Self> {
        let state = Message::new()?;
        // SAFETY: the state is live and ours alone; the description of the hash is static; no engine.
        checked(unsafe { aws_lc_sys::EVP_DigestInit_ex(state.as_ptr(), aws_lc_sys::EVP_shake256(), ptr::null_mut()) })?;
        Ok(Self(state))
    }

    /// Appends `data` to the message.
    pub(crate) fn update(&mut self, data: &[u8]) -> Checked<()> {
        // SAFETY: the state is live and, by `&mut`, nobody else's; the slice is only read.
        checked(unsafe { aws_lc_sys::EVP_DigestUpdate(self.0.as_ptr(), data.as_ptr().cast(), data.len()) })
    }

    /// Writes as many bytes as `out` has.
    pub(crate) fn finish(self, out: &mut [u8]) -> Checked<()> {
        // SAFETY: the state is live and ours, and is not used again; exactly `out.len()` bytes are written to `out`.
        checked(unsafe { aws_lc_sys::EVP_DigestFinalXOF(self.0.as_ptr(), out.as_mut_ptr(), out.len()) })
    }
}
