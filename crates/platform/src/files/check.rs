//! What is asked of every descriptor, and the words for what is wrong with it.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base::error::{Error, Result};

use super::Access;

/// The error for a system call that failed on `path`.
#[cold]
pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::device(format!("{}: {what}: {error}; {}", path.display(), cure(error)))
}

/// What to do about an error of the system.
#[must_use]
pub fn cure(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EACCES) => "give this user access to it",
        // What permissions refuse is EACCES: this is an attribute of the file, or a filter of system calls.
        Some(libc::EPERM) => {
            "look at the file's attributes (lsattr), or let the sandbox (seccomp) allow the system call"
        }
        Some(libc::ENOSYS) => "let the sandbox (seccomp) allow the system call",
        Some(libc::ENOENT) => "put it back from a backup, or correct the path",
        Some(libc::ENAMETOOLONG) => "use a shorter path",
        Some(libc::ENOSPC | libc::EDQUOT) => "free some space",
        Some(libc::EROFS) => "mount the file system for writing",
        Some(libc::EMFILE | libc::ENFILE) => "raise the limit of open files",
        _ => "check the file system",
    }
}

/// The error for a folder of another user than the one that this process runs as.
#[cold]
pub(super) fn foreign(path: &Path, owner: u32, user: u32, cure: &str) -> Error {
    let path = path.display();
    // The system call cannot fail, so what a sandbox answers in its place is taken for a number.
    if user > u32::MAX - 4096 {
        return Error::device(format!(
            "{path}: the system does not say which user this process runs as; let the sandbox (seccomp) allow geteuid"
        ));
    }
    Error::device(format!("{path}: belongs to user {owner} and this process runs as user {user}; {cure}"))
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

/// Opens a file for reading that anybody may have put there: a plain one, or a link to one. Waits for nobody, as the opening of a
/// pipe would.
///
/// # Errors
/// What the system says, and that it is no plain file.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("is not a file; name a file")) }
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
