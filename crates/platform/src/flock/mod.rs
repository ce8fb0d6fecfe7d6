//! The write lock of an HSM: one writer at a time over all processes, by `flock` on `write.lock`.
//!
//! SQLite's own waiting starves writers for seconds; one lock file in front of it removes that. It is tried without
//! blocking and only while the store gate is held, so that it excludes the threads of one process as well and is
//! never held at a fork; who sleeps between two tries holds nothing.
//!
//! A thread that waits in line ([`WriteLock::acquire_in_line`]) can be passed the lock, and the gate with it, by the one that
//! holds them ([`WriteGuard::pass`]): nobody else comes in between.
//!
//! A lock of `flock` belongs to the open file, which a fork shares: a child that merely sleeps would keep it for a
//! parent that is killed in a commit. So the fork handler closes the descriptor in the child.

#![allow(unsafe_code)]

mod guard;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

pub use self::guard::WriteGuard;
use base::error::{Error, Result};

use crate::cancellation::nap;
use crate::files::{self, Access, Directory};
use crate::fork::{self, StoreGuard, store_gate, store_gate_unless};
use crate::generation::GenerationMap;
use crate::line::Line;
use crate::process;

/// The file's name in the folder of an HSM.
pub const NAME: &str = "write.lock";
/// How long a writer waits for others before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The longest sleep between two tries.
const LONGEST_NAP: Duration = Duration::from_micros(800);
/// How long a thread sleeps between two looks at whether the lock was passed to it.
const SLICE: Duration = Duration::from_micros(100);
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
    /// The threads of this process that can be passed the lock.
    line: Line,
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
                return Ok(Self {
                    descriptor,
                    slot,
                    epoch,
                    path,
                    was_mine: AtomicBool::new(false),
                    line: Line::default(),
                });
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
    /// `CKR_DEVICE_ERROR` naming the process that holds it, or because a fork came between.
    pub fn acquire(&self, deadline: Instant, map: &GenerationMap) -> Result<WriteGuard<'_>> {
        self.step_back(map);
        let mut waiting = Waiting::new(deadline);
        loop {
            if let Some(guard) = self.try_in(store_gate())? {
                return Ok(guard);
            }
            if !waiting.wait(self, map) {
                return Err(self.busy());
            }
        }
    }

    /// The same, but the holder may pass the lock on to this thread, with what it has left undone.
    ///
    /// # Errors
    /// As [`WriteLock::acquire`].
    pub fn acquire_in_line(&self, deadline: Instant, map: &GenerationMap) -> Result<WriteGuard<'_>> {
        self.step_back(map);
        self.line.join();
        let mut waiting = Waiting::new(deadline);
        loop {
            let Some(gate) = store_gate_unless(|| self.line.is_passed()) else {
                if self.line.claim() {
                    return Ok(self.adopt());
                }
                continue;
            };
            let failed = match self.try_in(gate) {
                Ok(Some(guard)) => {
                    // Nothing can have been passed on: the gate was free.
                    self.line.leave();
                    return Ok(guard);
                }
                Ok(None) if waiting.wait(self, map) => continue,
                Ok(None) => None,
                Err(error) => Some(error),
            };
            // Out of the line before the gate is asked for: what is passed on to a thread that waits there is lost.
            if self.line.leave() {
                return Ok(self.adopt());
            }
            return Err(failed.unwrap_or_else(|| self.busy()));
        }
    }

    /// How many threads stand in line.
    #[cfg(any(test, feature = "testing"))]
    pub fn line_length(&self) -> u32 {
        self.line.length()
    }

    /// Stands in line during `work`, and looks at nothing.
    #[cfg(any(test, feature = "testing"))]
    pub fn stand_in_line(&self, work: &dyn Fn()) {
        self.line.join();
        work();
        assert!(!self.line.leave(), "what was passed on is still on its way");
    }

    /// Whether the lock is on its way to a thread in line.
    pub fn is_passed(&self) -> bool {
        self.line.is_passed()
    }

    /// Takes back the lock that this process has passed on, if no thread has taken it yet.
    pub fn take_back(&self) -> Option<WriteGuard<'_>> {
        self.line.take_back().then(|| self.adopt())
    }

    /// What a thread of this process has passed on.
    fn adopt(&self) -> WriteGuard<'_> {
        WriteGuard { lock: self, gate: Some(fork::adopt_store_gate()) }
    }

    /// Lets other processes go first if this one held the lock last.
    fn step_back(&self, map: &GenerationMap) {
        if self.was_mine.load(Ordering::Relaxed) && map.somebody_waits() {
            self.was_mine.store(false, Ordering::Relaxed);
            nap(COURTESY);
        }
    }

    /// Takes the lock, together with the store gate, if no other process holds it.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` because a fork came between.
    pub fn try_acquire(&self) -> Result<Option<WriteGuard<'_>>> {
        self.try_in(store_gate())
    }

    fn try_in(&self, gate: StoreGuard) -> Result<Option<WriteGuard<'_>>> {
        if self.epoch != fork::epoch() {
            return Err(Error::device(format!("{}: was opened before a fork; initialise again", self.path.display())));
        }
        loop {
            // SAFETY: the descriptor is open in this epoch.
            if unsafe { libc::flock(self.descriptor, libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                let guard = WriteGuard { lock: self, gate: Some(gate) };
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
                        "{}: cannot be locked: {error}; {}",
                        self.path.display(),
                        files::cure(&error)
                    )));
                }
            }
        }
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

/// One thread's waiting for another process.
struct Waiting {
    deadline: Instant,
    nap: Duration,
}

impl Waiting {
    const fn new(deadline: Instant) -> Self {
        Self { deadline, nap: Duration::from_micros(100) }
    }

    /// Sleeps a little longer than the last time; false if the time is over.
    fn wait(&mut self, lock: &WriteLock, map: &GenerationMap) -> bool {
        lock.was_mine.store(false, Ordering::Relaxed);
        map.announce_waiting();
        if Instant::now() >= self.deadline {
            return false;
        }
        // In slices: the lock may be passed to whoever sleeps in line, and nobody works until he takes it.
        let mut left = self.nap;
        while !left.is_zero() && !lock.line.is_passed() {
            nap(left.min(SLICE));
            left = left.saturating_sub(SLICE);
        }
        self.nap = (self.nap * 2).min(LONGEST_NAP);
        true
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
