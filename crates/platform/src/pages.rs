//! Anonymous private memory straight from the kernel, for what must not lie on the heap.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// Maps `length` bytes of zeros, readable and writable, aligned to a page; nothing if the system has none, or for no byte.
pub(super) fn map(length: usize) -> Option<NonNull<c_void>> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory of anybody else.
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
    if start == libc::MAP_FAILED { None } else { NonNull::new(start) }
}
