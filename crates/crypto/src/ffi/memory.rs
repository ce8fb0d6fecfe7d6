//! Argon2's blocks in memory that is given back (see [`platform::scratch`]).

#![allow(unsafe_code)]

use std::slice;

use argon2::Block;
use base::error::Result;
use platform::scratch::Scratch;

/// Blocks of zeros to begin with; zeroed and given back to the system when dropped.
pub(crate) struct Blocks {
    memory: Scratch,
    count: usize,
}

impl Blocks {
    /// Memory for `count` blocks.
    ///
    /// # Errors
    /// `CKR_HOST_MEMORY` if the system has no memory, or for no block at all.
    pub(crate) fn new(count: usize) -> Result<Self> {
        // A product that overflows asks for more than any system has.
        Ok(Self { memory: Scratch::new(count.saturating_mul(size_of::<Block>()))?, count })
    }

    /// The blocks themselves.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [Block] {
        // SAFETY: the memory holds `count` blocks, page-aligned (a block wants 64), readable, writable and zero or
        // written through this very function; a block is 128 integers, so zeros are one (`Block::new`). The borrow is
        // exclusive because it borrows `self` so.
        unsafe { slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), self.count) }
    }
}
