//! How far long work has come: one line on the terminal of stderr, renewed a few times a second.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is done sooner says nothing.
const PATIENCE: Duration = Duration::from_millis(400);
/// How often the line is renewed.
const PACE: Duration = Duration::from_millis(100);

/// The line of one piece of work. It is wiped away when the work ends, well or not.
pub(crate) struct Progress {
    what: &'static str,
    terminal: bool,
    next: Instant,
    shown: bool,
}

impl Progress {
    /// Work that begins now, in words that a number follows.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, terminal: std::io::stderr().is_terminal(), next: Instant::now() + PATIENCE, shown: false }
    }

    /// So much of it is done.
    pub(crate) fn at(&mut self, done: u64, all: u64) {
        let now = Instant::now();
        if !self.terminal || now < self.next {
            return;
        }
        (self.next, self.shown) = (now + PACE, true);
        drop(write!(std::io::stderr(), "\r{}", line(self.what, done, all)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // Back to the beginning of the line, and nothing in it.
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

fn line(what: &str, done: u64, all: u64) -> String {
    let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100).min(100);
    format!("{what}: {done} of {all} ({percent} %)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line() {
        assert_eq!(line("Backup", 1, 3), "Backup: 1 of 3 (33 %)");
        assert_eq!(line("Keys", 0, 0), "Keys: 0 of 0 (100 %)");
        assert_eq!(line("Keys", 5, 4), "Keys: 5 of 4 (100 %)");
    }
}
