//! The write lock in the hands of a thread: how it is released, passed on, or given up in favour of other processes.

use super::{COURTESY, WriteLock};
use crate::cancellation::nap;
use crate::fork::StoreGuard;
use crate::generation::GenerationMap;

/// The write lock, held, together with the store gate.
#[must_use]
pub struct WriteGuard<'a> {
    pub(super) lock: &'a WriteLock,
    /// Released after the lock, because fields are dropped after `drop`; gone when both were passed on.
    pub(super) gate: Option<StoreGuard>,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if self.gate.is_some() {
            // SAFETY: the descriptor is open: the store gate is held, so no fork came between.
            unsafe { libc::flock(self.lock.descriptor, libc::LOCK_UN) };
        }
    }
}

impl WriteGuard<'_> {
    /// Whether no thread waits in line at this moment.
    pub fn is_alone(&self) -> bool {
        self.lock.line.is_empty()
    }

    /// Passes the lock and the gate on to a thread that waits in line.
    ///
    /// # Errors
    /// The guard, if there is none.
    pub fn pass(mut self) -> Result<(), Self> {
        let Some(gate) = self.gate.take() else { return Err(self) };
        gate.pass(|| self.lock.line.pass()).map_err(|gate| {
            self.gate = Some(gate);
            self
        })
    }

    /// Releases the lock; if other processes wait for it, they go first: the threads of this one stay outside the gate for a moment.
    pub fn give_way(self, map: &GenerationMap) {
        if self.gate.is_some() && map.somebody_waits() {
            // SAFETY: the descriptor is open: the store gate is held, so no fork came between.
            unsafe { libc::flock(self.lock.descriptor, libc::LOCK_UN) };
            nap(COURTESY);
        }
    }
}
