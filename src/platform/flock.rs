//! The write lock of an HSM: one writer at a time over all processes, by `flock` on `write.lock`.
//!
//! SQLite's own waiting starves writers for seconds; one lock file in front of it removes that. It is tried without
//! blocking and only while the store gate is held, so that it excludes the threads of one process as well and is
//! never held at a fork; the sleeps between two tries hold nothing.
//!
//! A lock of `flock` belongs to the open file, which a fork shares: a child that merely sleeps would keep it for a
//! parent that is killed in a commit. So the fork handler closes the descriptor in the child.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::platform::files::{Access, Directory};
use crate::platform::fork::{self, StoreGuard, store_gate};
use crate::platform::generation::GenerationMap;
use crate::platform::process;

/// The file's name in the folder of an HSM.
pub const NAME: &str = "write.lock";
/// How long a writer waits for others before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The longest sleep between two tries.
const LONGEST_NAP: Duration = Duration::from_micros(800);
/// How long the last holder steps back when others wait.
const COURTESY: Duration = Duration::from_millis(1);
/// The length of the holder's note: a decimal number filled up with spaces.
const NOTE: usize = 12;

/// The lock descriptors of this process, for the fork handler; -1 is a free place.
static OPEN: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];

/// In a forked child: closes every inherited lock descriptor. Atomics and `close` only, as a fork handler must.
pub(crate) fn close_inherited() {
    for slot in &OPEN {
        let descriptor = slot.swap(-1, Ordering::Relaxed);
        if descriptor >= 0 {
            // SAFETY: descriptors in the list are open and owned by a `WriteLock`, which from now on is of an older
            // epoch and never uses or closes its number again.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// This process's access to the write lock of one HSM.
pub struct WriteLock {
    descriptor: RawFd,
    slot: &'static AtomicI32,
    /// The fork epoch in which the descriptor was opened: in any other it is closed, and its number a stranger's.
    epoch: u64,
    path: PathBuf,
    /// Whether this process was the last to hold the lock, as far as it knows.
    was_mine: AtomicBool,
}

/// The write lock, held, together with the store gate.
#[must_use]
pub struct WriteGuard<'a> {
    lock: &'a WriteLock,
    /// Released after the lock, because fields are dropped after `drop`.
    _gate: StoreGuard,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open: the store gate is held, so no fork came between.
        unsafe { libc::flock(self.lock.descriptor, libc::LOCK_UN) };
    }
}

impl WriteLock {
    /// Creates the file in a new folder.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path.
    pub fn create(directory: &Directory, access: Access) -> Result<()> {
        directory.create_file(NAME, access).map(drop)
    }

    /// Opens the file of an existing HSM with a descriptor of its own.
    ///
    /// A missing file is refused rather than made anew: another process may still hold the old one.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn open(directory: &Directory, access: Access) -> Result<Self> {
        let path = directory.path().join(NAME);
        let file = directory.open_file(NAME, access)?;
        // Inside the gate, so that no child inherits a descriptor that is not in the list.
        let _gate = store_gate();
        Self::register(file, path)
    }

    fn register(file: File, path: PathBuf) -> Result<Self> {
        let descriptor = file.into_raw_fd();
        for slot in &OPEN {
            if slot.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                let epoch = fork::epoch();
                return Ok(Self { descriptor, slot, epoch, path, was_mine: AtomicBool::new(false) });
            }
        }
        // SAFETY: the descriptor is ours: it was a `File` a moment ago.
        unsafe { libc::close(descriptor) };
        Err(Error::device(format!(
            "{}: {} HSMs are open in this process already; close some",
            path.display(),
            OPEN.len()
        )))
    }

    /// Takes the lock, together with the store gate, trying until `deadline` and at least once.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the process that holds it, or because the folder is gone or a fork came between.
    pub fn acquire(&self, deadline: Instant, map: &GenerationMap) -> Result<WriteGuard<'_>> {
        if self.was_mine.load(Ordering::Relaxed) && map.somebody_waits() {
            self.was_mine.store(false, Ordering::Relaxed);
            thread::sleep(COURTESY);
        }
        let mut nap = Duration::from_micros(100);
        loop {
            if let Some(guard) = self.try_acquire()? {
                return Ok(guard);
            }
            self.was_mine.store(false, Ordering::Relaxed);
            map.announce_waiting();
            if Instant::now() >= deadline {
                return Err(self.busy());
            }
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }

    /// Takes the lock, together with the store gate, if no other process holds it.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` because the folder is gone or a fork came between.
    pub fn try_acquire(&self) -> Result<Option<WriteGuard<'_>>> {
        let gate = store_gate();
        if self.epoch != fork::epoch() {
            return Err(Error::device(format!("{}: was opened before a fork; initialise again", self.path.display())));
        }
        loop {
            // SAFETY: the descriptor is open in this epoch.
            if unsafe { libc::flock(self.descriptor, libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                let guard = WriteGuard { lock: self, _gate: gate };
                self.check_still_there()?;
                self.note_holder();
                self.was_mine.store(true, Ordering::Relaxed);
                return Ok(Some(guard));
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EWOULDBLOCK) => return Ok(None),
                _ => {
                    return Err(Error::device(format!(
                        "{}: cannot be locked: {error}; check the file system",
                        self.path.display()
                    )));
                }
            }
        }
    }

    /// Refuses a lock file that was removed: others lock another one, so holding this one means nothing.
    fn check_still_there(&self) -> Result<()> {
        let mut found = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the descriptor is open and `found` has room for the answer, which is read only if there is one.
        let gone =
            unsafe { libc::fstat(self.descriptor, found.as_mut_ptr()) == 0 && found.assume_init().st_nlink == 0 };
        if gone {
            return Err(Error::device(format!(
                "{}: the HSM's folder was removed or replaced; finalise and initialise again",
                self.path.display()
            )));
        }
        Ok(())
    }

    /// Leaves this process's number for those who wait in vain. Best effort; written only when it changes.
    fn note_holder(&self) {
        let note = format!("{:<width$}\n", process::pid(), width = NOTE - 1);
        let mut found = [0_u8; NOTE];
        // SAFETY: the descriptor is open, and both buffers are as long as is said.
        unsafe {
            let length = libc::pread(self.descriptor, found.as_mut_ptr().cast(), NOTE, 0);
            if usize::try_from(length) != Ok(NOTE) || found != *note.as_bytes() {
                libc::pwrite(self.descriptor, note.as_ptr().cast(), note.len(), 0);
            }
        }
    }

    #[cold]
    fn busy(&self) -> Error {
        let mut found = [0_u8; NOTE];
        // Inside the gate: a fork would close the descriptor.
        let gate = store_gate();
        if self.epoch == fork::epoch() {
            // SAFETY: the descriptor is open in this epoch, and the buffer is as long as is said.
            unsafe { libc::pread(self.descriptor, found.as_mut_ptr().cast(), NOTE, 0) };
        }
        drop(gate);
        let holder = std::str::from_utf8(&found).ok().and_then(|text| text.trim().parse::<u32>().ok());
        let holder = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
        Error::device(format!(
            "{}: held by {holder} for more than {} s; wait for it or end it",
            self.path.display(),
            PATIENCE.as_secs()
        ))
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Inside the gate: a fork in the middle would close the descriptor in the child and leave it listed here.
        let _gate = store_gate();
        if self.epoch == fork::epoch() {
            self.slot.store(-1, Ordering::Relaxed);
            // SAFETY: open in this epoch, ours, and not used again.
            unsafe { libc::close(self.descriptor) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::platform::fork::children::in_child;
    use crate::platform::fork::install;
    use crate::platform::process::{Temporary, temporary};

    fn folder() -> (Temporary, Directory, GenerationMap) {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        GenerationMap::create(&directory, Access::default()).unwrap();
        WriteLock::create(&directory, Access::default()).unwrap();
        let map = GenerationMap::open(&directory, Access::default()).unwrap();
        (home, directory, map)
    }

    #[test]
    fn excludes_and_names_the_holder() {
        let (_home, directory, map) = folder();
        let first = WriteLock::open(&directory, Access::default()).unwrap();
        let second = WriteLock::open(&directory, Access::default()).unwrap();
        let held = first.acquire(Instant::now(), &map).unwrap();
        let error = second.acquire(Instant::now(), &map).err().unwrap();
        assert_eq!(error.rv(), crate::ck::CKR_DEVICE_ERROR);
        assert!(error.message().contains(&format!("process {}", process::pid())), "{error}");
        drop(held);
        drop(second.acquire(Instant::now(), &map).unwrap());
    }

    #[test]
    fn a_removed_lock_is_noticed() {
        let (home, directory, map) = folder();
        let lock = WriteLock::open(&directory, Access::default()).unwrap();
        std::fs::remove_file(home.path().join(NAME)).unwrap();
        assert!(lock.acquire(Instant::now(), &map).err().unwrap().message().contains("removed"));
    }

    #[test]
    fn a_child_neither_uses_nor_keeps_it() {
        install().unwrap();
        let (_home, directory, map) = folder();
        let lock = WriteLock::open(&directory, Access::default()).unwrap();
        let code = in_child(|| {
            if lock.acquire(Instant::now(), &map).is_ok() {
                return 1;
            }
            // SAFETY: asks whether a number is a descriptor.
            let open = unsafe { libc::fcntl(lock.descriptor, libc::F_GETFD) } >= 0;
            // A descriptor of that number which is not the lock's must survive the drop of the inherited lock.
            i32::from(open) * 2
        });
        assert_eq!(code, 0);
        drop(lock.acquire(Instant::now(), &map).unwrap());
    }

    #[test]
    fn a_sleeping_child_does_not_keep_the_lock_of_a_killed_parent() {
        install().unwrap();
        let (_home, directory, map) = folder();
        let mine = WriteLock::open(&directory, Access::default()).unwrap();
        let mut pipe = [0; 2];
        // SAFETY: `pipe` has room for the two descriptors.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        let code = in_child(|| {
            let theirs = WriteLock::open(&directory, Access::default()).unwrap();
            // SAFETY: the grandchild only sleeps and leaves by `_exit`.
            if unsafe { libc::fork() } == 0 {
                // SAFETY: as above; it writes one byte when it has started.
                unsafe {
                    libc::write(pipe[1], c"x".as_ptr().cast(), 1);
                    libc::sleep(3);
                    libc::_exit(0);
                }
            }
            let held = theirs.acquire(Instant::now(), &map).unwrap();
            std::mem::forget(held);
            // SAFETY: dies as a killed process does, with the lock held.
            unsafe { libc::raise(libc::SIGKILL) };
            0
        });
        assert_eq!(code, 1000 + libc::SIGKILL);
        let mut byte = 0_u8;
        // SAFETY: one byte into one byte; then both ends are closed.
        unsafe {
            assert_eq!(libc::read(pipe[0], (&raw mut byte).cast(), 1), 1);
            libc::close(pipe[0]);
            libc::close(pipe[1]);
        }
        drop(mine.acquire(Instant::now(), &map).unwrap());
    }
}
