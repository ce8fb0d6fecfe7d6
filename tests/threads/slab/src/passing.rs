//! Threads that wait for one thing, which its holder passes on or gives back: one holds it at a time, and it is never lost.

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use shuttle::thread;

#[allow(dead_code, reason = "the line has more than the model uses")]
mod line {
    include!(concat!(env!("OUT_DIR"), "/line.rs"));
}

#[derive(Default)]
struct Thing {
    /// Whether somebody holds it, or it is on its way.
    held: AtomicBool,
    inside: AtomicU32,
    line: line::Line,
}

impl Thing {
    /// Stands in line until it is there, as `WriteLock::acquire_in_line` does; one who gives up looks once.
    fn take(&self, gives_up: bool) -> bool {
        self.line.join();
        loop {
            if !self.held.swap(true, Ordering::SeqCst) {
                assert!(!self.line.leave(), "passed on while it lay there");
                return true;
            }
            if self.line.is_passed() && self.line.claim() {
                return true;
            }
            if gives_up {
                return self.line.leave();
            }
            thread::yield_now();
        }
    }

    /// Uses it, and passes it on or gives it back.
    fn use_and_end(&self) {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        thread::yield_now();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        if self.line.is_empty() || !self.line.pass() {
            self.held.store(false, Ordering::SeqCst);
        }
    }
}

/// Two that wait as long as it takes, one that gives up.
pub(crate) fn what_is_passed_on_arrives() {
    let thing = Arc::new(Thing::default());
    let threads = [false, false, true].map(|gives_up| {
        let thing = Arc::clone(&thing);
        thread::spawn(move || {
            for _ in 0..2 {
                if thing.take(gives_up) {
                    thing.use_and_end();
                }
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(!thing.held.load(Ordering::SeqCst) && thing.line.is_empty(), "on its way to nobody");
}
