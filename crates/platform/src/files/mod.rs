//! State files and their folders: opened so that nobody else can have put them there, created so that nobody else can
//! read them.
//!
//! Everything is opened relative to a folder's descriptor, never through a symbolic link, and looked at after it is
//! open. The owner of a folder is the service account; root may use it and creates files in that account's name.
//! A group may share a folder if the configuration names it.

#![allow(unsafe_code)]

mod check;
mod home;
mod network;
mod new_file;
mod place;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

pub use check::{above_standard, cure, open_plain};
use check::{c_string, check_group, check_mode, failed, foreign, raised, read_capped, status};
pub use home::{check_home, open_home, put_in_place};
pub use network::check_local;
pub use new_file::NewFile;
pub use place::{Place, Relied};

use base::error::{Error, Result};

use crate::process;

/// Who besides the owner may use a folder and its files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// The group that shares them, by number.
    pub group: Option<u32>,
}

impl Access {
    /// The permissions of a folder. The group's folders hand their group down to what SQLite creates in them.
    const fn folder_mode(self) -> u32 {
        if self.group.is_some() { 0o2770 } else { 0o700 }
    }

    /// The permissions of a file.
    const fn file_mode(self) -> u32 {
        if self.group.is_some() { 0o660 } else { 0o600 }
    }
}

/// An open folder that has been looked at.
#[derive(Debug)]
pub struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
    owner: u32,
    group: u32,
}

impl Directory {
    /// Opens the folder at `path` and checks whose it is and who else may enter.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let directory = open_folder(path, false)?;
        directory.check(access)?;
        Ok(directory)
    }

    /// Creates the folder `name` in this one, for `access`, and opens it.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR`, also if anything of that name exists.
    pub fn create_directory(&self, name: &str, access: Access) -> Result<Self> {
        let path = self.path.join(name);
        let c_name = c_string(OsStr::new(name))?;
        // SAFETY: `c_name` is a C string; the descriptor is open as long as `self`.
        if unsafe { libc::mkdirat(self.descriptor.as_raw_fd(), c_name.as_ptr(), 0o700) } != 0 {
            return Err(failed(&path, "cannot be created", &io::Error::last_os_error()));
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: as above.
        let opened = unsafe { libc::openat(self.descriptor.as_raw_fd(), c_name.as_ptr(), flags) };
        let directory = Self::adopt(opened, path)?;
        self.hand_over(&directory.descriptor, &directory.path, access, access.folder_mode())?;
        Self::open(&directory.path, access)
    }

    fn adopt(opened: RawFd, path: PathBuf) -> Result<Self> {
        let descriptor = match raised(opened) {
            Ok(descriptor) => descriptor,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                return Err(Error::device(format!(
                    "{}: is a symbolic link or no folder; name the folder itself",
                    path.display()
                )));
            }
            Err(error) => return Err(failed(&path, "cannot be opened", &error)),
        };
        let status = status(&descriptor).map_err(|error| failed(&path, "cannot be examined", &error))?;
        Ok(Self { descriptor, path, owner: status.st_uid, group: status.st_gid })
    }

    fn check(&self, access: Access) -> Result<()> {
        let status = self.status()?;
        let user = process::effective_user();
        if access.group.is_none() && self.owner != user && user != 0 {
            let cure = "run it as that user, or share the folder with the setting `group`";
            return Err(foreign(&self.path, self.owner, user, cure));
        }
        check_group(&self.path, &status, access)?;
        check_mode(&self.path, status.st_mode, access.folder_mode())
    }

    /// What the system says of the open folder.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path.
    fn status(&self) -> Result<libc::stat> {
        status(&self.descriptor).map_err(|error| failed(&self.path, "cannot be examined", &error))
    }

    /// Where the folder is, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open folder, for calls that take one.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// The folder's place without symbolic links on the way, for a library that opens files by path.
    #[must_use]
    pub fn canonical_path(&self) -> PathBuf {
        std::fs::read_link(format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()))
            .ok()
            .filter(|path| path.is_absolute())
            .or_else(|| std::fs::canonicalize(&self.path).ok())
            .unwrap_or_else(|| self.path.clone())
    }

    /// Opens the existing file `name` for reading and writing, after checking that it is a plain file of ours.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn open_file(&self, name: &str, access: Access) -> Result<File> {
        self.open_checked(name, access, libc::O_RDWR)
    }

    fn open_checked(&self, name: &str, access: Access, mode: libc::c_int) -> Result<File> {
        let path = self.path.join(name);
        let c_name = c_string(OsStr::new(name))?;
        // Not blocking: the name may belong to a pipe by now, and the check comes after.
        let flags = mode | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        // SAFETY: `c_name` is a C string; the descriptor is open as long as `self`.
        let opened = unsafe { libc::openat(self.descriptor.as_raw_fd(), c_name.as_ptr(), flags) };
        let descriptor = raised(opened).map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => linked(&path),
            Some(libc::ENOENT) => missing(&path),
            // What the system refuses may have a reason that can be named: another owner, a wrong group.
            Some(libc::EACCES | libc::EPERM) => match self.check_file(name, access) {
                Err(reason) => reason,
                Ok(_) => failed(&path, "cannot be opened", &error),
            },
            _ => failed(&path, "cannot be opened", &error),
        })?;
        let status = status(&descriptor).map_err(|error| failed(&path, "cannot be examined", &error))?;
        self.check_status(&path, &status, access)?;
        Ok(File::from(descriptor))
    }

    /// Checks the file `name` without opening it and tells its length. A database must be checked this way: closing any
    /// descriptor of it would drop the locks that SQLite holds in this process.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn check_file(&self, name: &str, access: Access) -> Result<u64> {
        self.check_file_if_there(name, access)?.ok_or_else(|| missing(&self.path.join(name)))
    }

    /// [`Directory::check_file`] for a file that need not be there: then there is no length.
    ///
    /// # Errors
    /// As [`Directory::check_file`].
    pub fn check_file_if_there(&self, name: &str, access: Access) -> Result<Option<u64>> {
        let path = self.path.join(name);
        let c_name = c_string(OsStr::new(name))?;
        let mut found = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `c_name` is a C string, the descriptor is open, and `found` has room for the answer.
        let code = unsafe {
            libc::fstatat(self.descriptor.as_raw_fd(), c_name.as_ptr(), found.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW)
        };
        if code != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(None),
                _ => Err(failed(&path, "cannot be examined", &error)),
            };
        }
        // SAFETY: the call succeeded, so it has filled the structure.
        let found = unsafe { found.assume_init() };
        self.check_status(&path, &found, access)?;
        Ok(Some(u64::try_from(found.st_size).unwrap_or(0)))
    }

    /// Checks, without opening it, that the file `name` may be written; `.` is the folder itself.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn check_writable(&self, name: &str) -> Result<()> {
        let c_name = c_string(OsStr::new(name))?;
        // SAFETY: `c_name` is a C string; the descriptor is open as long as `self`.
        let code =
            unsafe { libc::faccessat(self.descriptor.as_raw_fd(), c_name.as_ptr(), libc::W_OK, libc::AT_EACCESS) };
        if code != 0 {
            let error = io::Error::last_os_error();
            // A filter that refuses the system call refuses this question too; then SQLite will say what it may not write.
            // SAFETY: as above.
            let refused = error.raw_os_error() == Some(libc::EPERM)
                && unsafe {
                    libc::faccessat(self.descriptor.as_raw_fd(), c_name.as_ptr(), libc::F_OK, libc::AT_EACCESS)
                } != 0;
            if refused {
                return Ok(());
            }
            let path: PathBuf = self.path.join(name).components().collect();
            return Err(failed(&path, "cannot be opened for writing", &error));
        }
        Ok(())
    }

    fn check_status(&self, path: &Path, status: &libc::stat, access: Access) -> Result<()> {
        match status.st_mode & libc::S_IFMT {
            libc::S_IFREG => {}
            libc::S_IFLNK => return Err(linked(path)),
            _ => return Err(Error::device(format!("{}: is not a plain file; put the file there", path.display()))),
        }
        if status.st_nlink != 1 {
            return Err(Error::device(format!(
                "{}: has {} names (hard links); copy the file and remove the others",
                path.display(),
                status.st_nlink
            )));
        }
        if access.group.is_none() && status.st_uid != self.owner {
            return Err(Error::device(format!(
                "{}: belongs to user {}, its folder to user {}; run: chown {} {}",
                path.display(),
                status.st_uid,
                self.owner,
                self.owner,
                path.display()
            )));
        }
        check_group(path, status, access)?;
        check_mode(path, status.st_mode, access.file_mode())
    }

    /// Creates the file `name`, which must not exist, with exactly the permissions of `access`, whatever the umask.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path and what went wrong.
    pub fn create_file(&self, name: &str, access: Access) -> Result<File> {
        let path = self.path.join(name);
        let c_name = c_string(OsStr::new(name))?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mode: libc::c_uint = 0o600;
        // SAFETY: `c_name` is a C string; the descriptor is open as long as `self`; O_CREAT comes with a mode.
        let opened = unsafe { libc::openat(self.descriptor.as_raw_fd(), c_name.as_ptr(), flags, mode) };
        let descriptor = raised(opened).map_err(|error| failed(&path, "cannot be created", &error))?;
        self.hand_over(&descriptor, &path, access, access.file_mode())?;
        Ok(File::from(descriptor))
    }

    /// Reads the whole file `name`, which must be one of ours and no longer than `cap`.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn read_file(&self, name: &str, access: Access, cap: usize) -> Result<Vec<u8>> {
        let file = self.open_checked(name, access, libc::O_RDONLY)?;
        read_capped(file, &self.path.join(name), cap)
    }

    /// Makes what was created, renamed or removed in this folder durable.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR`.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the descriptor is open as long as `self`.
        if unsafe { libc::fsync(self.descriptor.as_raw_fd()) } != 0 {
            return Err(failed(&self.path, "cannot be made durable", &io::Error::last_os_error()));
        }
        Ok(())
    }

    /// Gives something new in this folder its owner, its group and its exact permissions.
    fn hand_over(&self, new: &OwnedFd, path: &Path, access: Access, mode: u32) -> Result<()> {
        let root = process::effective_user() == 0;
        let owner = if root { self.owner } else { libc::uid_t::MAX };
        let group = access.group.unwrap_or(if root { self.group } else { libc::gid_t::MAX });
        // SAFETY: a descriptor that is open, and numbers; the largest number means "leave it".
        if (root || access.group.is_some()) && unsafe { libc::fchown(new.as_raw_fd(), owner, group) } != 0 {
            let error = io::Error::last_os_error();
            let to = if root { format!("user {owner} and group {group}") } else { format!("group {group}") };
            return Err(failed(path, &format!("cannot be given to {to}"), &error));
        }
        // After the change of owner, which clears the bits for set-ID.
        // SAFETY: a descriptor that is open.
        if unsafe { libc::fchmod(new.as_raw_fd(), mode) } != 0 {
            return Err(failed(path, "cannot be given its permissions", &io::Error::last_os_error()));
        }
        Ok(())
    }
}

#[cold]
fn missing(path: &Path) -> Error {
    Error::device(format!(
        "{}: is missing; stop every process that uses this HSM and run `cloudhsm-cli doctor --replace-lost-files`",
        path.display()
    ))
}

#[cold]
fn linked(path: &Path) -> Error {
    Error::device(format!("{}: is a symbolic link; put the file itself there", path.display()))
}

fn open_folder(path: &Path, follow: bool) -> Result<Directory> {
    // Components, because a slash at the end would make the kernel follow a link after all.
    let path: PathBuf = path.components().collect();
    let name = c_string(path.as_os_str())?;
    let follow = if follow { 0 } else { libc::O_NOFOLLOW };
    // SAFETY: `name` is a C string that outlives the call.
    let opened = unsafe { libc::open(name.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | follow) };
    Directory::adopt(opened, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
