//! `gen.map`: two numbers that all processes of an HSM share, so that "has anything changed?" costs two loads.
//!
//! A writer, alone under the write lock, makes the numbers differ before its commit becomes visible and sets both to
//! the database's generation after it. Who finds them equal and unchanged knows that its cache is good; who finds them
//! different asks the database. If a writer dies in between they stay different, which is slow and right, until
//! the next writer or opener. The map is a hint: the truth is in the database.
//!
//! The file has real blocks, so that a full disk cannot fault a write to it. Only the owner of the folder (or root)
//! could still cut it short under a running process and so kill that process with SIGBUS; that account could as well
//! send the signal. The mapping is kept for ever, one page for each HSM ever opened.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, ptr};

use base::error::{Error, Result};

use crate::files::{Access, Directory};
use crate::fork::store_gate;
use crate::lock::Lock;
use crate::process;

/// The file's name in the folder of an HSM.
pub const NAME: &str = "gen.map";
/// The file's length.
const LENGTH: usize = 4096;
/// How long a waiting writer's note counts, in milliseconds.
const FRESH_MS: u64 = 4;

/// The start of the file. Any content is valid: it is a hint, and other processes write it.
#[repr(C)]
struct Page {
    begin: AtomicU64,
    done: AtomicU64,
    /// When a writer last found the write lock taken, by [`process::monotonic_ms`].
    waiting: AtomicU64,
}

const _: () = assert!(size_of::<Page>() <= LENGTH);

/// Pages mapped so far with their device and inode, so that opening again maps nothing. Taken inside the store gate.
static MAPPED: Lock<Vec<(u64, u64, &'static Page)>> = Lock::new(Vec::new());

/// The shared generation of one HSM.
#[derive(Clone, Copy)]
pub struct GenerationMap(&'static Page);

impl GenerationMap {
    /// Creates the file in a new folder, with real blocks.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path.
    pub fn create(directory: &Directory, access: Access) -> Result<()> {
        let path = directory.path().join(NAME);
        let file = directory.create_file(NAME, access)?;
        fill(&file, 0, &path)?;
        file.sync_all().map_err(|error| unusable(&path, &error))
    }

    /// Maps the file of an existing HSM.
    ///
    /// A missing file is refused rather than made anew: another process may still watch the old one.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn open(directory: &Directory, access: Access) -> Result<Self> {
        let path = directory.path().join(NAME);
        let file = directory.open_file(NAME, access)?;
        let status = file.metadata().map_err(|error| unusable(&path, &error))?;
        let _gate = store_gate();
        let mut mapped = MAPPED.lock();
        if status.len() < LENGTH as u64 {
            fill(&file, status.len(), &path)?;
        }
        if let Some((.., page)) = mapped.iter().find(|(dev, ino, _)| *dev == status.dev() && *ino == status.ino()) {
            return Ok(Self(page));
        }
        // SAFETY: a new mapping at an address of the kernel's choice, of a file that is open.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(unusable(&path, &io::Error::last_os_error()));
        }
        // SAFETY: a page is aligned for `Page` and at least as long, is never unmapped, and every bit pattern of it is
        // valid. Other processes write it, which is why all of its fields are atomics.
        let page: &'static Page = unsafe { &*page.cast::<Page>() };
        mapped.push((status.dev(), status.ino(), page));
        Ok(Self(page))
    }

    /// The generation if no commit is under way, else nothing: then the database must be asked.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<u64> {
        // In this order: equal means that after `done` was written no commit had begun when `begin` was read.
        let done = self.0.done.load(Ordering::Acquire);
        let begin = self.0.begin.load(Ordering::Acquire);
        (begin == done && done != 0).then_some(done)
    }

    /// Says that a commit may become visible from now on. For the holder of the write lock.
    pub fn begin(&self) {
        let done = self.0.done.load(Ordering::Relaxed);
        self.0.begin.store(done.wrapping_add(1), Ordering::SeqCst);
    }

    /// Says that the database is at `generation` and quiet. For the holder of the write lock.
    pub fn finish(&self, generation: u64) {
        self.0.begin.store(generation, Ordering::Release);
        self.0.done.store(generation, Ordering::Release);
    }

    /// Notes that a writer waits for the write lock.
    pub(crate) fn announce_waiting(&self) {
        self.0.waiting.store(process::monotonic_ms(), Ordering::Relaxed);
    }

    /// Whether a writer of any process has waited for the write lock just now.
    pub(crate) fn somebody_waits(&self) -> bool {
        let since = self.0.waiting.load(Ordering::Relaxed);
        since != 0 && process::monotonic_ms().wrapping_sub(since) <= FRESH_MS
    }
}

/// Writes zeros from `from` to the end of the page.
fn fill(file: &File, from: u64, path: &Path) -> Result<()> {
    let zeros = [0_u8; LENGTH];
    let missing = zeros.get(usize::try_from(from).unwrap_or(LENGTH)..).unwrap_or_default();
    file.write_all_at(missing, from).map_err(|error| unusable(path, &error))
}

#[cold]
fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::device(format!("{}: cannot be mapped or written: {error}; free some space or check it", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::temporary;

    #[test]
    fn quiet_busy_repaired() {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        assert!(GenerationMap::open(&directory, Access::default()).is_err());
        GenerationMap::create(&directory, Access::default()).unwrap();
        let map = GenerationMap::open(&directory, Access::default()).unwrap();
        let other = GenerationMap::open(&directory, Access::default()).unwrap();
        assert_eq!(map.current(), None, "a new map knows nothing");
        map.finish(1);
        assert_eq!(other.current(), Some(1));
        map.begin();
        assert_eq!(other.current(), None);
        // The writer died; the next one begins again and finishes.
        other.begin();
        assert_eq!(map.current(), None);
        other.finish(2);
        assert_eq!(map.current(), Some(2));
        assert!(!map.somebody_waits());
        map.announce_waiting();
        assert!(other.somebody_waits());
    }

    #[test]
    fn a_child_sees_the_parent_and_the_other_way_round() {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        GenerationMap::create(&directory, Access::default()).unwrap();
        let map = GenerationMap::open(&directory, Access::default()).unwrap();
        map.finish(7);
        let code = crate::testing::children::in_child(|| {
            let ok = map.current() == Some(7);
            map.finish(8);
            i32::from(!ok)
        });
        assert_eq!((code, map.current()), (0, Some(8)));
    }

    #[test]
    fn a_short_file_is_filled() {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        directory.create_file(NAME, Access::default()).unwrap();
        assert_eq!(GenerationMap::open(&directory, Access::default()).unwrap().current(), None);
        assert_eq!(std::fs::metadata(home.path().join(NAME)).unwrap().len(), LENGTH as u64);
    }
}
