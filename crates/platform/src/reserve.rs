//! `reserve`: room on the disk that an HSM keeps for itself. It is given up when a full disk would keep a key from being destroyed or
//! an attempt at a PIN from being counted, and taken back when there is room again.
//!
//! Best effort throughout: a disk without room for it, a limit, or a file system that cannot promise blocks (`fallocate`) leaves an HSM
//! that works and has no reserve. The file holds nothing, and anybody may remove it.

#![allow(unsafe_code)]

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::{Access, Directory};

/// The file's name in the folder of an HSM.
pub const NAME: &str = "reserve";
/// How long it is: enough to destroy the longest record, which is overwritten; on a small disk, most of them.
const SIZES: [u64; 2] = [2 << 20, 512 << 10];

/// The reserve of one HSM, as one process sees it.
pub struct Reserve {
    folder: PathBuf,
    access: Access,
    /// This process has given it up and not got it back.
    given_up: AtomicBool,
}

impl Reserve {
    /// The reserve of the HSM whose folder this is, whether it has one or not.
    #[must_use]
    pub fn of(directory: &Directory, access: Access) -> Self {
        Self { folder: directory.canonical_path(), access, given_up: AtomicBool::new(false) }
    }

    /// Makes the reserve if it is not there and the disk has far more room than that.
    pub fn keep(&self, directory: &Directory) {
        let present = directory.check_file_if_there(NAME, self.access).ok().flatten().unwrap_or(0);
        if SIZES.iter().all(|size| present < *size) && make(directory, self.access, true) {
            self.given_up.store(false, Ordering::Relaxed);
        }
    }

    /// Gives the room to whoever asks next; true if there was any. For the holder of the write lock.
    pub fn give_up(&self) -> bool {
        let given_up = self.open().is_some_and(|file| {
            let held = file.metadata().is_ok_and(|status| status.len() > 0);
            held && file.set_len(0).and_then(|()| file.sync_all()).is_ok()
        });
        self.given_up.fetch_or(given_up, Ordering::Relaxed);
        given_up
    }

    /// Takes back what this process has given up, as far as there is room. For the holder of the write lock.
    pub fn restore(&self) {
        if self.given_up.load(Ordering::Relaxed)
            && Directory::open(&self.folder, self.access).is_ok_and(|directory| make(&directory, self.access, false))
        {
            self.given_up.store(false, Ordering::Relaxed);
        }
    }

    fn open(&self) -> Option<File> {
        Directory::open(&self.folder, self.access).ok()?.open_file(NAME, self.access).ok()
    }
}

/// Makes the file, as long as there is room for; with `spare`, only if as much room is left again.
fn make(directory: &Directory, access: Access, spare: bool) -> bool {
    let file = directory.open_file(NAME, access).or_else(|_| directory.create_file(NAME, access));
    let Ok(file) = file else { return false };
    let room = room(&file);
    SIZES.into_iter().any(|size| (!spare || room.is_some_and(|room| room >= 2 * size)) && allocate(&file, size))
}

/// Gives the file blocks up to this length, or none.
fn allocate(file: &File, size: u64) -> bool {
    // Beyond the limit the kernel would send a signal, which ends a host that does not expect it.
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: room for the limits, which are read only if the call succeeds.
    let allowed =
        unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, limit.as_mut_ptr()) == 0 && limit.assume_init().rlim_cur >= size };
    let Ok(length) = libc::off_t::try_from(size) else { return false };
    // SAFETY: an open descriptor, and numbers.
    if allowed && unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
        return true;
    }
    // A part of it that the file system has left is no use.
    drop(file.set_len(0));
    false
}

/// The bytes that are free on the file's disk.
fn room(file: &File) -> Option<u64> {
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: an open descriptor, and room for the answer, which is read only if there is one.
    unsafe {
        (libc::fstatvfs(file.as_raw_fd(), found.as_mut_ptr()) == 0).then(|| {
            let found = found.assume_init();
            found.f_bavail.saturating_mul(found.f_frsize)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::temporary;

    #[test]
    fn kept_given_up_and_taken_back() {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        let blocks = || std::fs::metadata(home.path().join(NAME)).unwrap().blocks() * 512;
        let reserve = Reserve::of(&directory, Access::default());
        assert!(!reserve.give_up(), "there is none yet");
        reserve.keep(&directory);
        assert!(SIZES.contains(&blocks()), "real blocks: {}", blocks());
        reserve.restore();
        assert!(reserve.give_up());
        assert_eq!(blocks(), 0);
        assert!(!reserve.give_up(), "there is nothing left");
        reserve.restore();
        assert!(SIZES.contains(&blocks()));
        std::fs::remove_file(home.path().join(NAME)).unwrap();
        assert!(!reserve.give_up(), "who removes it has an HSM without");
        reserve.keep(&directory);
        assert!(reserve.give_up());
    }
}
