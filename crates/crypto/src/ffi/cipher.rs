//! AES-GCM in parts, through AWS-LC's `EVP_CIPHER`: what `EVP_AEAD` cannot do, namely data that comes in parts, tags
//! shorter than 16 bytes when opening, and opening that leaves the output to its caller when the tag is wrong.
//!
//! A stream costs two allocations and one key schedule, so the one-shot operations use `aead` where they can.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys as lc;
use base::ck;
use base::error::{Error, Result};

use super::aead::{TAG, clear_errors, invalid};

/// How much one call of `EVP_CipherUpdate` gets: its lengths are C `int`s.
const CHUNK: usize = 1 << 30;

/// Which way a stream goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Encryption.
    Seal,
    /// Decryption.
    Open,
}

/// One AES-GCM message being encrypted or decrypted. AWS-LC zeroes what it frees, so dropping it wipes the key.
pub(crate) struct Stream(NonNull<lc::EVP_CIPHER_CTX>);

// SAFETY: the context is plain heap memory that belongs to no thread; every function on it takes `&mut self` or `self`.
unsafe impl Send for Stream {}

impl Stream {
    /// Starts a message under a key of 16, 24 or 32 bytes, with its whole associated data.
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another key length, `CKR_HOST_MEMORY` if there is no memory.
    pub(crate) fn start(way: Way, key: &[u8], nonce: &[u8], aad: &[u8]) -> Result<Self> {
        let method: unsafe extern "C" fn() -> *const lc::EVP_CIPHER = match key.len() {
            16 => lc::EVP_aes_128_gcm,
            24 => lc::EVP_aes_192_gcm,
            32 => lc::EVP_aes_256_gcm,
            _ => return Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "an AES key has 16, 24 or 32 bytes")),
        };
        // SAFETY: takes nothing and returns a pointer to a static.
        let cipher = unsafe { method() };
        let nonce_length = int(nonce.len())?;
        let encrypt = c_int::from(way == Way::Seal);
        // SAFETY: takes nothing; the result is owned by `stream`, which frees it.
        let context = NonNull::new(unsafe { lc::EVP_CIPHER_CTX_new() }).ok_or_else(no_memory)?;
        let mut stream = Self(context);
        let context = stream.0.as_ptr();
        // SAFETY: `context` is a live context, exclusively ours. Cipher first, then the nonce's length, then the key
        // and the nonce, which are slices of exactly the lengths that the context now expects; a null pointer leaves a
        // part for later, and there is no engine.
        let done = unsafe {
            lc::EVP_CipherInit_ex(context, cipher, ptr::null_mut(), ptr::null(), ptr::null(), encrypt) == 1
                && lc::EVP_CIPHER_CTX_ctrl(context, lc::EVP_CTRL_AEAD_SET_IVLEN, nonce_length, ptr::null_mut()) == 1
                && lc::EVP_CipherInit_ex(context, ptr::null(), ptr::null_mut(), key.as_ptr(), nonce.as_ptr(), encrypt)
                    == 1
        };
        if !done {
            clear_errors();
            return Err(no_memory());
        }
        // Associated data is what goes in with no place to come out.
        stream.update(aad.as_ptr(), ptr::null_mut(), aad.len())?;
        Ok(stream)
    }

    /// Transforms `length` bytes from `input` to `output`, which are equal or disjoint, or to nowhere if it is null.
    fn update(&mut self, mut input: *const u8, mut output: *mut u8, mut length: usize) -> Result<()> {
        while length != 0 {
            let now = length.min(CHUNK);
            let mut written = 0;
            // SAFETY: the context is live and keyed. The callers in this file guarantee `length` readable bytes at
            // `input` and, unless it is null, as many writable ones at `output`, equal or disjoint; GCM writes as many
            // bytes as it reads. The additions stay within (or one past the end of) those ranges, and a null `output`
            // is not advanced.
            let done = unsafe {
                let done = lc::EVP_CipherUpdate(self.0.as_ptr(), output, &raw mut written, input, int(now)?);
                input = input.add(now);
                if !output.is_null() {
                    output = output.add(now);
                }
                done
            };
            if done != 1 {
                clear_errors();
                return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "AES-GCM: the message is longer than the mode allows"));
            }
            length -= now;
        }
        Ok(())
    }

    /// Transforms `input` to `output` of the same length.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the message becomes longer than the mode allows.
    pub(crate) fn apart(&mut self, input: &[u8], output: &mut [u8]) -> Result<()> {
        if input.len() != output.len() {
            return Err(Error::internal("AES-GCM: input and output differ in length"));
        }
        self.update(input.as_ptr(), output.as_mut_ptr(), output.len())
    }

    /// Transforms `buffer` in place.
    ///
    /// # Errors
    /// As [`Self::apart`].
    pub(crate) fn in_place(&mut self, buffer: &mut [u8]) -> Result<()> {
        let pointer = buffer.as_mut_ptr();
        self.update(pointer, pointer, buffer.len())
    }

    /// Ends an encryption: the tag.
    ///
    /// # Errors
    /// `CKR_GENERAL_ERROR` if the stream decrypts.
    pub(crate) fn tag(self) -> Result<[u8; TAG]> {
        let mut tag = [0; TAG];
        let mut written = 0;
        // SAFETY: the context is live; GCM's last call writes nothing to `out`, and the control copies TAG bytes (the
        // length given as `arg`) to `tag`.
        let done = unsafe {
            lc::EVP_CipherFinal_ex(self.0.as_ptr(), tag.as_mut_ptr(), &raw mut written) == 1
                && lc::EVP_CIPHER_CTX_ctrl(
                    self.0.as_ptr(),
                    lc::EVP_CTRL_AEAD_GET_TAG,
                    int(TAG)?,
                    tag.as_mut_ptr().cast(),
                ) == 1
        };
        if done {
            return Ok(tag);
        }
        clear_errors();
        Err(Error::internal("AES-GCM: a decryption has no tag to give"))
    }

    /// Ends a decryption: whether `tag`, of 4 to 16 bytes, is right. The comparison takes constant time.
    ///
    /// # Errors
    /// `CKR_ENCRYPTED_DATA_INVALID` if it is not.
    pub(crate) fn check(self, tag: &[u8]) -> Result<()> {
        let mut written = 0;
        let mut nothing = [0; TAG];
        // SAFETY: the context is live; the control copies `arg` = `tag.len()` bytes from `tag` into the context (it
        // takes a mutable pointer for all its commands, but this one only reads) and refuses lengths over 16; GCM's
        // last call writes nothing to `out`.
        let done = unsafe {
            lc::EVP_CIPHER_CTX_ctrl(
                self.0.as_ptr(),
                lc::EVP_CTRL_AEAD_SET_TAG,
                int(tag.len())?,
                tag.as_ptr().cast_mut().cast(),
            ) == 1
                && lc::EVP_CipherFinal_ex(self.0.as_ptr(), nothing.as_mut_ptr(), &raw mut written) == 1
        };
        if done {
            return Ok(());
        }
        clear_errors();
        Err(invalid())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the pointer came from EVP_CIPHER_CTX_new and is freed once; the memory is wiped by OPENSSL_free.
        unsafe { lc::EVP_CIPHER_CTX_free(self.0.as_ptr()) };
    }
}

fn int(length: usize) -> Result<c_int> {
    c_int::try_from(length).map_err(|_| Error::internal("AES-GCM: a length exceeds a C int"))
}

const fn no_memory() -> Error {
    Error::new(ck::CKR_HOST_MEMORY, "AES-GCM: no memory for a stream")
}
