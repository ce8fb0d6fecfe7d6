//! Argon2's working memory as a mapping of its own. glibc's allocator does not give 19 MiB back: the first such block
//! that is freed raises its mapping threshold, so that the next comes from the heap and stays there (measured: 19 MiB
//! more resident after each login). A mapping is also kept out of core dumps and of forked children.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::slice;

use argon2::Block;

use crate::ck;
use crate::error::{Error, Result};

/// Blocks of zeros to begin with; zeroed and given back to the system when dropped.
pub(in crate::crypto) struct Blocks {
    start: NonNull<Block>,
    count: usize,
}

impl Blocks {
    /// Maps `count` blocks.
    ///
    /// # Errors
    /// `CKR_HOST_MEMORY` if the system has no memory, or for no block at all.
    pub(in crate::crypto) fn new(count: usize) -> Result<Self> {
        let no_memory = || Error::new(ck::CKR_HOST_MEMORY, "Argon2id: no memory");
        let length = count.checked_mul(size_of::<Block>()).ok_or_else(no_memory)?;
        // SAFETY: an anonymous private mapping at an address of the system's choice touches no existing memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(no_memory());
        }
        let blocks = Self { start: NonNull::new(start).ok_or_else(no_memory)?.cast(), count };
        // SAFETY: advice about a mapping that is exclusively ours. All are improvements only, so a kernel that lacks
        // one may refuse: DONTDUMP against core dumps, WIPEONFORK against a child that forks away with the passwords'
        // trace, HUGEPAGE because Argon2 jumps about in the memory (19 MiB, two passes: 24 ms instead of 37).
        unsafe {
            libc::madvise(start, length, libc::MADV_DONTDUMP);
            libc::madvise(start, length, libc::MADV_WIPEONFORK);
            libc::madvise(start, length, libc::MADV_HUGEPAGE);
        }
        Ok(blocks)
    }

    /// The blocks themselves.
    pub(in crate::crypto) fn as_mut_slice(&mut self) -> &mut [Block] {
        // SAFETY: the mapping holds `count` blocks, page-aligned (a block wants 64), readable, writable and zero or
        // written through this very function; a block is 128 integers, so zeros are one (`Block::new`). The borrow is
        // exclusive because it borrows `self` so.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let length = self.count.saturating_mul(size_of::<Block>());
        // SAFETY: exactly the mapping that `new` made, to which no reference remains.
        unsafe {
            aws_lc_sys::OPENSSL_cleanse(self.start.as_ptr().cast(), length);
            libc::munmap(self.start.as_ptr().cast(), length);
        }
    }
}
