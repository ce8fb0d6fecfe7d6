//! The one lock under which all work on SQLite happens, and which a fork takes first.
//!
//! SQLite's own state does not survive a fork in the middle of a call: children hang or, worse, destroy the database.
//! With this gate held by the forking thread no call is in flight. It never parks, it may be entered again by
//! the thread that is inside (so that a crash handler which forks does not hang), and it is a little fair: whoever
//! held it last lets sleeping waiters go first, else a thread that commits in a loop would starve a fork.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::cancellation::nap;
use crate::lock::Backoff;

static HELD: AtomicBool = AtomicBool::new(false);
/// Threads that wait so long that they sleep.
static SLEEPERS: AtomicU32 = AtomicU32::new(0);
/// The thread that held the gate last.
static LAST: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How often this thread is inside. Constant and without a destructor: usable in fork handlers and at thread exit.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// How long the last holder steps back at most for those who sleep, in naps of 50 microseconds.
const COURTESY: u32 = 4;

/// The proof of being inside the store gate; leaving is dropping it.
#[must_use]
pub struct StoreGuard {
    /// Stays in the thread that entered.
    thread: PhantomData<*const ()>,
}

impl Drop for StoreGuard {
    fn drop(&mut self) {
        leave();
    }
}

impl StoreGuard {
    /// Leaves the gate shut behind this thread for another one, which enters with [`adopt`]: `pass` tells it, and says
    /// whether there is one. Otherwise, and if this thread is inside more than once, the guard comes back.
    ///
    /// # Errors
    /// The guard, if it was not passed on.
    pub(crate) fn pass(self, pass: impl FnOnce() -> bool) -> Result<(), Self> {
        if DEPTH.get() != 1 {
            return Err(self);
        }
        // Before the other thread can be inside: a fork of this one from now on waits like any other.
        DEPTH.set(0);
        if pass() {
            std::mem::forget(self);
            return Ok(());
        }
        DEPTH.set(1);
        Err(self)
    }
}

/// Enters the gate that another thread has left shut for this one ([`StoreGuard::pass`]).
pub(crate) fn adopt() -> StoreGuard {
    LAST.store(this_thread(), Ordering::Relaxed);
    DEPTH.set(1);
    StoreGuard { thread: PhantomData }
}

/// Enters the gate, waiting as long as it takes.
pub fn store_gate() -> StoreGuard {
    enter();
    StoreGuard { thread: PhantomData }
}

/// Enters the gate, waiting until `stop` says that it is no longer wanted.
pub(crate) fn store_gate_unless(stop: impl Fn() -> bool) -> Option<StoreGuard> {
    // Lazily: a guard that is made leaves the gate when it is dropped.
    enter_unless(stop).then(|| StoreGuard { thread: PhantomData })
}

/// Enters the gate if nobody else is inside.
#[must_use]
pub fn try_store_gate() -> Option<StoreGuard> {
    let inside = DEPTH.get() > 0;
    (inside || try_take(this_thread())).then(|| {
        DEPTH.set(DEPTH.get().saturating_add(1));
        StoreGuard { thread: PhantomData }
    })
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    DEPTH.with(|depth| std::ptr::from_ref(depth).addr())
}

fn try_take(me: usize) -> bool {
    let taken = HELD.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
    if taken {
        LAST.store(me, Ordering::Relaxed);
    }
    taken
}

fn enter() {
    enter_unless(|| false);
}

/// Whether the thread is inside now.
fn enter_unless(stop: impl Fn() -> bool) -> bool {
    let depth = DEPTH.get();
    if depth == 0 && !take(stop) {
        return false;
    }
    DEPTH.set(depth.saturating_add(1));
    true
}

fn take(stop: impl Fn() -> bool) -> bool {
    let me = this_thread();
    for _ in 0..COURTESY {
        if SLEEPERS.load(Ordering::Relaxed) == 0 || LAST.load(Ordering::Relaxed) != me {
            break;
        }
        nap(Duration::from_micros(50));
    }
    let mut backoff = Backoff::new();
    let mut counted = false;
    let taken = loop {
        if try_take(me) {
            break true;
        }
        if stop() {
            break false;
        }
        if !counted && backoff.is_sleepy() {
            SLEEPERS.fetch_add(1, Ordering::Relaxed);
            counted = true;
        }
        backoff.wait();
    };
    if counted {
        SLEEPERS.fetch_sub(1, Ordering::Relaxed);
    }
    taken
}

fn leave() {
    let depth = DEPTH.get().saturating_sub(1);
    DEPTH.set(depth);
    if depth == 0 {
        HELD.store(false, Ordering::Release);
    }
}

/// Before a fork.
pub(super) fn close() {
    enter();
}

/// After a fork, in the parent.
pub(super) fn reopen_in_parent() {
    leave();
}

/// After a fork, in the child: the forking thread is the only one, and it holds the gate.
pub(super) fn reopen_in_child() {
    SLEEPERS.store(0, Ordering::Relaxed);
    leave();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_at_a_time_and_again_by_the_same() {
        let outer = store_gate();
        let inner = store_gate();
        assert!(try_store_gate().is_some());
        thread::scope(|scope| {
            scope.spawn(|| assert!(try_store_gate().is_none())).join().unwrap();
        });
        drop(inner);
        thread::scope(|scope| {
            scope.spawn(|| assert!(try_store_gate().is_none())).join().unwrap();
        });
        drop(outer);
    }

    #[test]
    fn passed_on_it_stays_shut() {
        let inner = store_gate();
        let outer = store_gate();
        let Err(outer) = outer.pass(|| true) else { panic!("passed on by a thread that stays inside") };
        drop(inner);
        let Err(outer) = outer.pass(|| false) else { panic!("passed on to nobody") };
        assert!(outer.pass(|| true).is_ok());
        assert!(try_store_gate().is_none());
        assert!(store_gate_unless(|| true).is_none());
        assert!(try_store_gate().is_none(), "who gives up leaves it as it is");
        thread::scope(|scope| {
            scope.spawn(|| drop(adopt())).join().unwrap();
        });
        drop(store_gate());
    }
}
