//! What is asked of every descriptor, and the words for what is wrong with it.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Access;
use crate::error::{Error, Result};

/// The error for a system call that failed on `path`.
#[cold]
pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let cure = match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => "give this user access to it",
        Some(libc::ENOENT) => "put it back from a backup, or correct the path",
        Some(libc::ENOSPC | libc::EDQUOT) => "free some space",
        Some(libc::EROFS) => "mount the file system for writing",
        Some(libc::EMFILE | libc::ENFILE) => "raise the limit of open files",
        _ => "check the file system",
    };
    Error::device(format!("{}: {what}: {error}; {cure}", path.display()))
}

/// A name for the system.
pub(super) fn c_string(name: &OsStr) -> Result<CString> {
    CString::new(name.as_bytes())
        .map_err(|_| Error::device(format!("{}: a path cannot contain a zero byte; correct it", name.display())))
}

/// Takes ownership of what `open` returned, moved to 3 or above: a program that has closed its standard streams
/// would write its messages into a state file otherwise.
pub(super) fn raised(opened: RawFd) -> io::Result<OwnedFd> {
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us; nobody else owns it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(opened) };
    if opened > 2 {
        return Ok(descriptor);
    }
    // SAFETY: duplicates a descriptor that is open.
    let moved = unsafe { libc::fcntl(opened, libc::F_DUPFD_CLOEXEC, 3) };
    if moved < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us. The first one is closed when `descriptor` goes.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// The same file under a descriptor above 2: those below are the program's, and what is written there goes where the
/// program writes its output.
///
/// # Errors
/// If the descriptor cannot be moved.
pub fn above_standard(file: File) -> io::Result<File> {
    use std::os::fd::IntoRawFd;
    raised(file.into_raw_fd()).map(File::from)
}

/// What the kernel says about an open descriptor.
pub(super) fn status(descriptor: &OwnedFd) -> io::Result<libc::stat> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the descriptor is open and `found` has room for the answer.
    if unsafe { libc::fstat(descriptor.as_raw_fd(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    Ok(unsafe { found.assume_init() })
}

/// Refuses what belongs to another group than the one that shares.
pub(super) fn check_group(path: &Path, status: &libc::stat, access: Access) -> Result<()> {
    match access.group {
        Some(group) if status.st_gid != group => Err(Error::device(format!(
            "{}: belongs to group {}, the setting `group` says {group}; run: chgrp {group} {}",
            path.display(),
            status.st_gid,
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses permissions wider than `allowed`.
pub(super) fn check_mode(path: &Path, mode: u32, allowed: u32) -> Result<()> {
    let mode = mode & 0o777;
    if mode & !allowed == 0 {
        return Ok(());
    }
    Err(Error::device(format!(
        "{}: its mode {mode:04o} lets others in; run: chmod {allowed:04o} {}",
        path.display(),
        path.display()
    )))
}

/// Reads a file to its end, up to `cap` bytes.
pub(super) fn read_capped(file: File, path: &Path, cap: usize) -> Result<Vec<u8>> {
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(cap.min(4096).saturating_add(1));
    file.take(limit).read_to_end(&mut bytes).map_err(|error| failed(path, "cannot be read", &error))?;
    if bytes.len() > cap {
        zeroize::Zeroize::zeroize(&mut bytes);
        return Err(Error::device(format!("{}: is longer than {cap} bytes; restore the file", path.display())));
    }
    Ok(bytes)
}
