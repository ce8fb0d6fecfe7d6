//! AES-GCM through AWS-LC's `EVP_AEAD`: the one interface that takes a prepared key by const pointer, any nonce length,
//! and separate places for ciphertext and tag. `aws-lc-rs` has neither the prepared key without an owned buffer nor
//! other nonces than 12 bytes.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ptr;

use aws_lc_sys as lc;
use base::ck;
use base::error::{Error, Result};

/// The longest tag there is, in bytes.
pub(crate) const TAG: usize = 16;

/// A prepared AES-GCM key with full-length tags.
///
/// On the heap, so that moving the value leaves no copy of the key schedule behind.
pub(crate) struct Context(Box<Prepared>);

struct Prepared(UnsafeCell<lc::EVP_AEAD_CTX>);

// SAFETY: the structure holds the key schedule and tables by value and a pointer to a static method table; nothing in
// it belongs to the thread that made it.
unsafe impl Send for Prepared {}
// SAFETY: after `new` the structure is only passed as `const EVP_AEAD_CTX *` to the seal and open functions, which
// aead.h documents as safe to call concurrently on one context (and which, for AES-GCM, only read it).
unsafe impl Sync for Prepared {}

impl Context {
    /// Prepares a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another length.
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        let method: unsafe extern "C" fn() -> *const lc::EVP_AEAD = match key.len() {
            16 => lc::EVP_aead_aes_128_gcm,
            24 => lc::EVP_aead_aes_192_gcm,
            32 => lc::EVP_aead_aes_256_gcm,
            _ => return Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "an AES key has 16, 24 or 32 bytes")),
        };
        // SAFETY: takes nothing and returns a pointer to a static.
        let algorithm = unsafe { method() };
        let context = Self(Box::new(Prepared(UnsafeCell::new(lc::EVP_AEAD_CTX::default()))));
        // SAFETY: the context is zeroed memory, as EVP_AEAD_CTX_zero leaves it, owned exclusively here; `key` is a
        // slice of the length that the algorithm asks for; no engine.
        let done = unsafe {
            lc::EVP_AEAD_CTX_init(context.0.0.get(), algorithm, key.as_ptr(), key.len(), TAG, ptr::null_mut())
        };
        if done != 1 {
            clear_errors();
            return Err(Error::internal("AES-GCM: the key could not be prepared"));
        }
        Ok(context)
    }

    /// Encrypts `length` bytes from `input` to `output`, which may be the same address, and writes the tag.
    fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        input: *const u8,
        output: *mut u8,
        length: usize,
        tag: &mut [u8; TAG],
    ) -> Result<()> {
        let mut tag_length = 0;
        // SAFETY: `self.0` was initialised by `new` and is only read. The callers in this file guarantee that `input`
        // is readable and `output` writable for `length` bytes and that both are equal or disjoint, which are the two
        // cases that the function allows; `tag` is an exclusive reference to as many bytes as are announced, so
        // disjoint from everything; nonce and associated data are slices; no extra input.
        let done = unsafe {
            lc::EVP_AEAD_CTX_seal_scatter(
                self.0.0.get(),
                output,
                tag.as_mut_ptr(),
                &raw mut tag_length,
                TAG,
                nonce.as_ptr(),
                nonce.len(),
                input,
                length,
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        if done != 1 || tag_length != TAG {
            clear_errors();
            return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "AES-GCM: the message is longer than the mode allows"));
        }
        Ok(())
    }

    /// Encrypts `input` to `output` of the same length and writes the tag.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the message is longer than the mode allows; then output and tag are zero.
    #[inline]
    pub(crate) fn seal_apart(
        &self,
        nonce: &[u8],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
        tag: &mut [u8; TAG],
    ) -> Result<()> {
        if input.len() != output.len() {
            return Err(Error::internal("AES-GCM: input and output differ in length"));
        }
        self.seal(nonce, aad, input.as_ptr(), output.as_mut_ptr(), output.len(), tag)
    }

    /// Encrypts `buffer` in place and writes the tag.
    ///
    /// # Errors
    /// As [`Self::seal_apart`].
    #[inline]
    pub(crate) fn seal_in_place(&self, nonce: &[u8], aad: &[u8], buffer: &mut [u8], tag: &mut [u8; TAG]) -> Result<()> {
        let pointer = buffer.as_mut_ptr();
        self.seal(nonce, aad, pointer, pointer, buffer.len(), tag)
    }

    /// Decrypts `input` to `output` of the same length if `tag`, of full length, is right.
    ///
    /// # Errors
    /// `CKR_ENCRYPTED_DATA_INVALID` if it is not; then `output` is zero.
    #[inline]
    pub(crate) fn open_apart(
        &self,
        nonce: &[u8],
        aad: &[u8],
        input: &[u8],
        tag: &[u8],
        output: &mut [u8],
    ) -> Result<()> {
        if input.len() != output.len() {
            return Err(Error::internal("AES-GCM: input and output differ in length"));
        }
        // SAFETY: `self.0` was initialised by `new` and is only read; input and output are slices of one length that
        // cannot overlap, because one is shared and one exclusive; nonce, tag and associated data are slices. The
        // function compares the tag's length with the context's.
        let done = unsafe {
            lc::EVP_AEAD_CTX_open_gather(
                self.0.0.get(),
                output.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                input.as_ptr(),
                input.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        if done == 1 {
            return Ok(());
        }
        clear_errors();
        Err(invalid())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: the context was initialised or is zero, which cleanup accepts, and is not used afterwards. Cleanup
        // does nothing for AES-GCM, so the key schedule is wiped here; all-zero bytes are a valid value of the type.
        unsafe {
            lc::EVP_AEAD_CTX_cleanup(self.0.get());
            lc::OPENSSL_cleanse(self.0.get().cast(), size_of::<lc::EVP_AEAD_CTX>());
        }
    }
}

/// What a wrong tag is called, for every way of opening.
pub(crate) const fn invalid() -> Error {
    Error::new(ck::CKR_ENCRYPTED_DATA_INVALID, "AES-GCM: the tag does not match")
}

/// Empties the thread's error queue, so that a refusal of ours is never seen by another user of the library.
pub(super) fn clear_errors() {
    // SAFETY: takes nothing and touches only the calling thread's queue.
    unsafe { lc::ERR_clear_error() };
}

#[cfg(test)]
#[path = "zero_tests.rs"]
mod tests;
