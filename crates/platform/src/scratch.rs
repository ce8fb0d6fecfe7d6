//! Large working memory for secrets, as a mapping of its own: given back to the system when dropped, kept out of core
//! dumps and of forked children.
//!
//! glibc's allocator does not give 19 MiB back: the first such block that is freed raises its mapping threshold, so
//! that the next comes from the heap and stays there (measured: 19 MiB more resident after each login).

#![allow(unsafe_code)]

use std::ptr::NonNull;

use base::ck;
use base::error::{Error, Result};
use zeroize::Zeroize;

use super::pages;

/// Bytes of zeros to begin with, aligned to a page; zeroed and given back when dropped.
pub struct Scratch {
    start: NonNull<u8>,
    length: usize,
}

impl Scratch {
    /// Maps `length` bytes.
    ///
    /// # Errors
    /// `CKR_HOST_MEMORY` if the system has no memory, or for no byte at all.
    pub fn new(length: usize) -> Result<Self> {
        const NO_MEMORY: Error = Error::new(ck::CKR_HOST_MEMORY, "no memory for a key derivation");
        let start = pages::map(length).ok_or(NO_MEMORY)?;
        let scratch = Self { start: start.cast(), length };
        let start = start.as_ptr();
        // SAFETY: advice about a mapping that is exclusively ours. All are improvements only, so a kernel that lacks
        // one may refuse: DONTDUMP against core dumps, WIPEONFORK against a child that forks away with the passwords'
        // trace, HUGEPAGE because Argon2 jumps about in the memory (19 MiB, two passes: 24 ms instead of 37).
        unsafe {
            libc::madvise(start, length, libc::MADV_DONTDUMP);
            libc::madvise(start, length, libc::MADV_WIPEONFORK);
            libc::madvise(start, length, libc::MADV_HUGEPAGE);
        }
        Ok(scratch)
    }

    /// Where the memory is: as many bytes as were asked for, readable and writable as long as `self` lives.
    pub const fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made, to which no reference remains.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length).zeroize();
            libc::munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}
