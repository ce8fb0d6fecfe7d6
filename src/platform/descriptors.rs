//! Descriptors as bare numbers, for what must work without a lock: the log.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

use super::files::above_standard;

/// Puts a file under the descriptor `place`, in one step for whoever writes there meanwhile, or under a new one above 2 if
/// `place` is negative. Returns the descriptor, which stays open for good.
///
/// # Errors
/// If the system has no descriptor left.
pub fn put(file: File, place: RawFd) -> io::Result<RawFd> {
    if place < 0 {
        return Ok(above_standard(file)?.into_raw_fd());
    }
    // SAFETY: both are open: one is owned by `file`, the other was made by this function and is never closed.
    if unsafe { libc::dup3(file.as_raw_fd(), place, libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(place)
}

/// Writes bytes with one system call. What cannot be written is dropped.
pub fn write_once(descriptor: RawFd, bytes: &[u8]) {
    // SAFETY: reads as many bytes as the slice has. A descriptor that is not open is an error, which is dropped.
    let _written = unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
}
