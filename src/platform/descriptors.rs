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

/// Runs `work` while none of these files can be read through a descriptor of this process: each read fails.
#[cfg(test)]
pub(crate) fn while_unreadable(files: &[std::path::PathBuf], work: impl FnOnce()) {
    let listed: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| {
            std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| files.contains(&target))
        })
        .collect();
    // SAFETY: numbers of open descriptors, each of which is open again under its number when the function returns; nobody but the
    // test knows of them meanwhile.
    unsafe {
        let nothing = libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        let kept: Vec<(RawFd, RawFd)> = listed.into_iter().map(|number| (libc::dup(number), number)).collect();
        for (_, number) in &kept {
            libc::dup2(nothing, *number);
        }
        work();
        for (kept, number) in kept {
            libc::dup2(kept, number);
            libc::close(kept);
        }
        libc::close(nothing);
    }
}
