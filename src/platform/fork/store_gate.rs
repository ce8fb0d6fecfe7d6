//! The one lock under which all work on SQLite happens, and which a fork takes first.
//!
//! SQLite's own state does not survive a fork in the middle of a call: children hang or, worse, destroy the database.
//! With this gate held by the forking thread no call is in flight. It never parks, it may be entered again by
//! the thread that is inside (so that a crash handler which forks does not hang), and it is a little fair: whoever
//! held it last lets sleeping waiters go first, else a thread that commits in a loop would starve a fork.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::platform::lock::Backoff;

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

/// Enters the gate, waiting as long as it takes.
pub fn store_gate() -> StoreGuard {
    enter();
    StoreGuard { thread: PhantomData }
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
    let depth = DEPTH.get();
    if depth == 0 {
        take();
    }
    DEPTH.set(depth.saturating_add(1));
}

fn take() {
    let me = this_thread();
    for _ in 0..COURTESY {
        if SLEEPERS.load(Ordering::Relaxed) == 0 || LAST.load(Ordering::Relaxed) != me {
            break;
        }
        thread::sleep(Duration::from_micros(50));
    }
    let mut backoff = Backoff::new();
    let mut counted = false;
    while !try_take(me) {
        if !counted && backoff.is_sleepy() {
            SLEEPERS.fetch_add(1, Ordering::Relaxed);
            counted = true;
        }
        backoff.wait();
    }
    if counted {
        SLEEPERS.fetch_sub(1, Ordering::Relaxed);
    }
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
}
