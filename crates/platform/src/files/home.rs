//! The folder that holds the HSMs: made if it is missing, refused if strangers may write in it.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use base::error::{Error, Result};

use super::check::{c_string, failed, foreign, status};
use super::{Access, Directory, open_folder};
use crate::process;

/// Opens the folder that holds the HSMs, creating it and what is missing above it with mode 0700.
///
/// # Errors
/// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
pub fn open_home(path: &Path, access: Access) -> Result<Directory> {
    if let Err(error) = std::fs::symlink_metadata(path)
        && error.kind() == io::ErrorKind::NotFound
    {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(above)
            .map_err(|error| failed(above, "cannot be created", &error))?;
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => return adopt_new_home(path, above, access),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(path, "cannot be created", &error)),
        }
    }
    let home = open_folder(path, false)?;
    let status = status(&home.descriptor).map_err(|error| failed(path, "cannot be examined", &error))?;
    let user = process::effective_user();
    if access.group.is_none() && home.owner != user && user != 0 {
        return Err(foreign(path, home.owner, user, "run it as that user"));
    }
    check_writers(path, &status, access)?;
    Ok(home)
}

/// Refuses a folder of HSMs that is no folder, or in which strangers may write.
///
/// For one that exists. It may be reached by a symbolic link, which only somebody above it can have put there.
///
/// # Errors
/// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
pub fn check_home(path: &Path, access: Access) -> Result<()> {
    let home = open_folder(path, true)?;
    let status = status(&home.descriptor).map_err(|error| failed(path, "cannot be examined", &error))?;
    check_writers(path, &status, access)
}

/// The home holds no secret itself, but whoever may write in it could exchange the folder of an HSM.
fn check_writers(path: &Path, status: &libc::stat, access: Access) -> Result<()> {
    let writers = if access.group == Some(status.st_gid) { 0o002 } else { 0o022 };
    if status.st_mode & writers != 0 && status.st_mode & libc::S_ISVTX == 0 {
        return Err(Error::device(format!(
            "{}: others may write in it (mode {:04o}); run: chmod go-w {}",
            path.display(),
            status.st_mode & 0o7777,
            path.display()
        )));
    }
    Ok(())
}

fn adopt_new_home(path: &Path, above: &Path, access: Access) -> Result<Directory> {
    let home = open_folder(path, false)?;
    open_folder(above, true)?.hand_over(&home.descriptor, &home.path, access, access.folder_mode())?;
    open_folder(path, false)
}

pub(super) fn rename_without_replacing(directory: &Directory, from: &CStr, to: &CStr) -> io::Result<()> {
    let at = directory.descriptor();
    // SAFETY: two C strings that outlive the call and a descriptor that is open as long as `directory`.
    if unsafe { libc::renameat2(at, from.as_ptr(), at, to.as_ptr(), libc::RENAME_NOREPLACE) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Gives the entry `from` of a folder the name `to`, which nothing may have.
///
/// # Errors
/// `CKR_DEVICE_ERROR`, also if something has that name.
pub fn put_in_place(directory: &Directory, from: &str, to: &str) -> Result<()> {
    let path = directory.path().join(to);
    let (from, to) = (c_string(OsStr::new(from))?, c_string(OsStr::new(to))?);
    let Err(mut error) = rename_without_replacing(directory, &from, &to) else { return Ok(()) };
    if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) {
        // A file system without that flag; a folder replaces no folder that has anything in it all the same.
        let at = directory.descriptor();
        // SAFETY: two C strings that outlive the call and a descriptor that is open as long as `directory`.
        if unsafe { libc::renameat(at, from.as_ptr(), at, to.as_ptr()) } == 0 {
            return Ok(());
        }
        error = io::Error::last_os_error();
    }
    match error.raw_os_error() {
        Some(libc::EEXIST | libc::ENOTEMPTY) => Err(Error::device(format!(
            "{}: was created by another process at the same time; use that HSM as it is",
            path.display()
        ))),
        _ => Err(failed(&path, "cannot be put in its place", &error)),
    }
}
