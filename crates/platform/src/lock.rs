//! A mutex that never parks, because parking is not safe over fork.
//!
//! `parking_lot` keeps its waiting threads in one table for the whole process, guarded by bucket locks. A bucket lock
//! that another thread holds at the instant of a fork stays held in the child for ever, and then even a brand-new
//! mutex hangs as soon as it is contended (measured: 10 of 1,890 children). Trying with a back-off never touches
//! that table. Uncontended it costs the same; contended it burns less CPU time than parking. It is not fair.

use std::hint;
use std::thread;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::cancellation::nap;

/// Tries that only spin.
const SPINS: u32 = 64;
/// Tries after which the rest of the time slice is given away.
const YIELDS: u32 = 64;
/// How long each further try sleeps.
const NAP: Duration = Duration::from_micros(50);

/// What a thread does between two tries: spin, then yield, then short sleeps.
#[derive(Default)]
pub struct Backoff(u32);

impl Backoff {
    /// Returns one that has not waited yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Waits a little longer than the last time, up to 50 microseconds.
    pub fn wait(&mut self) {
        if self.0 < SPINS {
            hint::spin_loop();
        } else if self.0 < SPINS + YIELDS {
            thread::yield_now();
        } else {
            nap(NAP);
        }
        self.0 = self.0.saturating_add(1);
    }

    /// Whether the next wait sleeps.
    #[must_use]
    pub const fn is_sleepy(&self) -> bool {
        self.0 >= SPINS + YIELDS
    }
}

/// What a locked [`Lock`] hands out.
pub type LockGuard<'a, T> = MutexGuard<'a, T>;

/// A mutual-exclusion lock whose waiters never park.
#[derive(Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// An open lock around `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Takes the lock, waiting as long as it takes.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T> {
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(),
        }
    }

    #[cold]
    fn lock_contended(&self) -> LockGuard<'_, T> {
        let mut backoff = Backoff::new();
        loop {
            backoff.wait();
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
        }
    }

    /// Takes the lock if nobody holds it.
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.0.try_lock()
    }

    /// The value, for a caller who has the lock to himself.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excludes() {
        let total = Lock::new(0_u64);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        *total.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*total.lock(), 40_000);
    }

    #[test]
    fn try_lock_says_no() {
        let lock = Lock::new(());
        let held = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(held);
        assert!(lock.try_lock().is_some());
    }
}
