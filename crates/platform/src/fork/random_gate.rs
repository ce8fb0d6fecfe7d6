//! Counts the calls that are inside AWS-LC's generator, so that a fork can wait until there are none.
//!
//! The generator takes a read lock at every call to notice forks; the child's first call takes it for writing and waits
//! for readers that no longer exist (measured: one to three children of 2,000 hung). Signing and key generation draw
//! too, so each such call passes here: one locked addition and one subtraction.
//!
//! Who is inside must not ask for the store gate: a fork holds that one while it waits here.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::lock::Backoff;

static INSIDE: AtomicU32 = AtomicU32::new(0);
static CLOSED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How often this thread is inside: a thread counts once, and may enter again while a fork waits.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// How long a fork waits for those inside. Longer than any draw; a bound, because a program that stops a thread in
/// there (a debugger, a crash handler) should see its fork late rather than never.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves on drop, so that a panic inside does not close the gate for ever.
struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        let depth = DEPTH.get().saturating_sub(1);
        DEPTH.set(depth);
        if depth == 0 {
            INSIDE.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Runs `f`, which draws from AWS-LC's generator, at a time when no fork is under way.
#[inline]
pub fn random_gate<R>(f: impl FnOnce() -> R) -> R {
    let depth = DEPTH.get();
    if depth == 0 {
        // Count first and look second; a fork closes first and looks at the count second. One of the two sees the other.
        INSIDE.fetch_add(1, Ordering::SeqCst);
        if CLOSED.load(Ordering::SeqCst) {
            wait_for_fork();
        }
    }
    DEPTH.set(depth.saturating_add(1));
    let _inside = Inside;
    f()
}

#[cold]
fn wait_for_fork() {
    let mut backoff = Backoff::new();
    loop {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        while CLOSED.load(Ordering::SeqCst) {
            backoff.wait();
        }
        INSIDE.fetch_add(1, Ordering::SeqCst);
        if !CLOSED.load(Ordering::SeqCst) {
            return;
        }
    }
}

/// What the count is when only this thread is inside, or nobody.
fn own() -> u32 {
    u32::from(DEPTH.get() > 0)
}

/// Before a fork: keeps others out and waits for those inside. The thread that forks may be inside itself.
pub(super) fn close() {
    CLOSED.store(true, Ordering::SeqCst);
    let own = own();
    let mut backoff = Backoff::new();
    let mut since = None;
    while INSIDE.load(Ordering::SeqCst) > own {
        if backoff.is_sleepy() && since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            break;
        }
        backoff.wait();
    }
}

/// After a fork, in the parent.
pub(super) fn reopen_in_parent() {
    CLOSED.store(false, Ordering::SeqCst);
}

/// After a fork, in the child: the other threads are gone, and their counts with them.
pub(super) fn reopen_in_child() {
    INSIDE.store(own(), Ordering::SeqCst);
    CLOSED.store(false, Ordering::SeqCst);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;
    use crate::fork::install;
    use crate::testing::children::in_child;

    #[test]
    fn children_find_it_open_while_threads_draw() {
        install().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        random_gate(|| random_gate(|| std::hint::black_box(0)));
                    }
                });
            }
            for _ in 0..50 {
                let code = in_child(|| i32::from(INSIDE.load(Ordering::SeqCst) != 0) + random_gate(|| 0));
                assert_eq!(code, 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
