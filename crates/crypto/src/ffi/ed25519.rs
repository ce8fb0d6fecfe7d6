//! AWS-LC's Ed25519: the three forms of RFC 8032 section 5.1 over keys in its own format.
//!
//! No function here draws random numbers (the nonce is a hash, section 5.1.6), so none enters the random gate.
#![allow(unsafe_code)]

use zeroize::Zeroizing;

use super::{Checked, checked};

const SEED: usize = 32;
const PUBLIC: usize = 32;
const SIGNATURE: usize = 64;
const DIGEST: usize = 64;

/// A private key as AWS-LC signs with it: the seed, and behind it the public key that belongs to it.
///
/// On the heap, so that moving the value leaves no copy of the seed behind.
pub(crate) struct Pair(Box<Zeroizing<[u8; SEED + PUBLIC]>>);

impl Pair {
    /// The key with this seed, and its public half (RFC 8032 section 5.1.5).
    pub(crate) fn from_seed(seed: &[u8; SEED]) -> (Self, [u8; PUBLIC]) {
        let mut pair = Self(Box::new(Zeroizing::new([0; SEED + PUBLIC])));
        let mut public = [0; PUBLIC];
        // SAFETY: the function reads 32 bytes of seed and writes 32 and 64 bytes; the arrays have those lengths by
        // their types, and the two that are written are exclusively ours.
        unsafe {
            aws_lc_sys::ED25519_keypair_from_seed(public.as_mut_ptr(), pair.0.as_mut_ptr(), seed.as_ptr());
        }
        (pair, public)
    }

    /// Ed25519.
    pub(crate) fn sign(&self, message: &[u8], out: &mut [u8; SIGNATURE]) -> Checked<()> {
        // SAFETY: the key is 64 bytes and the message a slice, both only read; 64 bytes are written to as many.
        checked(unsafe { aws_lc_sys::ED25519_sign(out.as_mut_ptr(), message.as_ptr(), message.len(), self.0.as_ptr()) })
    }

    /// Ed25519ctx; AWS-LC refuses an empty context, and one of more than 255 bytes.
    pub(crate) fn sign_in_context(&self, context: &[u8], message: &[u8], out: &mut [u8; SIGNATURE]) -> Checked<()> {
        // SAFETY: as in sign; the context is a slice too, and its length is checked before it is copied.
        checked(unsafe {
            aws_lc_sys::ED25519ctx_sign(
                out.as_mut_ptr(),
                message.as_ptr(),
                message.len(),
                self.0.as_ptr(),
                context.as_ptr(),
                context.len(),
            )
        })
    }

    /// Ed25519ph over the finished SHA-512 digest; AWS-LC refuses a context of more than 255 bytes.
    pub(crate) fn sign_digest(&self, context: &[u8], digest: &[u8; DIGEST], out: &mut [u8; SIGNATURE]) -> Checked<()> {
        // SAFETY: as in sign_in_context; the digest has the 64 bytes that are read.
        checked(unsafe {
            aws_lc_sys::ED25519ph_sign_digest(
                out.as_mut_ptr(),
                digest.as_ptr(),
                self.0.as_ptr(),
                context.as_ptr(),
                context.len(),
            )
        })
    }
}

/// Ed25519. AWS-LC decodes the point here; one that does not decode verifies nothing.
pub(crate) fn verify(public: &[u8; PUBLIC], message: &[u8], signature: &[u8; SIGNATURE]) -> Checked<()> {
    // SAFETY: all three are only read: key and signature have their lengths by their types, the message is a slice.
    checked(unsafe { aws_lc_sys::ED25519_verify(message.as_ptr(), message.len(), signature.as_ptr(), public.as_ptr()) })
}

/// Ed25519ctx; the context as for [`Pair::sign_in_context`].
pub(crate) fn verify_in_context(
    public: &[u8; PUBLIC],
    context: &[u8],
    message: &[u8],
    signature: &[u8; SIGNATURE],
) -> Checked<()> {
    // SAFETY: as in verify; the context is a slice too.
    checked(unsafe {
        aws_lc_sys::ED25519ctx_verify(
            message.as_ptr(),
            message.len(),
            signature.as_ptr(),
            public.as_ptr(),
            context.as_ptr(),
            context.len(),
        )
    })
}

/// Ed25519ph over the finished SHA-512 digest; the context as for [`Pair::sign_digest`].
pub(crate) fn verify_digest(
    public: &[u8; PUBLIC],
    context: &[u8],
    digest: &[u8; DIGEST],
    signature: &[u8; SIGNATURE],
) -> Checked<()> {
    // SAFETY: as in verify_in_context; the digest has the 64 bytes that are read.
    checked(unsafe {
        aws_lc_sys::ED25519ph_verify_digest(
            digest.as_ptr(),
            signature.as_ptr(),
            public.as_ptr(),
            context.as_ptr(),
            context.len(),
        )
    })
}
