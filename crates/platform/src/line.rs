//! The threads of one process that wait for what its holder may pass on to one of them instead of giving it back.

use std::sync::atomic::{AtomicU32, Ordering};

/// Set while something has been passed on and nobody has taken it; the other bits count those who wait.
const PASSED: u32 = 1 << 31;

/// Whoever waits stands in the line. Invariant: what is passed on finds somebody in it, who takes it however he leaves. One who is held
/// up there (by a signal's handler, say) may be waited for in vain, so whoever has passed it on can take it back.
#[derive(Default)]
pub(crate) struct Line(AtomicU32);

impl Line {
    /// Joins the line. Everybody who joins calls [`Line::claim`] until it is true, or [`Line::leave`] once.
    pub(crate) fn join(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether something has been passed on to somebody in the line.
    pub(crate) fn is_passed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PASSED != 0
    }

    /// Whether nobody stands in the line at this moment.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes what was passed on and leaves the line with it; true for one of those who stand in it.
    pub(crate) fn claim(&self) -> bool {
        let taken = |state: u32| (state & PASSED != 0).then_some((state & !PASSED).wrapping_sub(1));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, taken).is_ok()
    }

    /// Leaves the line; true if that was with what had been passed on meanwhile.
    pub(crate) fn leave(&self) -> bool {
        let left = |state: u32| Some((state & !PASSED).wrapping_sub(1));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, left).is_ok_and(|before| before & PASSED != 0)
    }

    /// Passes on to somebody in the line what the caller holds; false if nobody is there, and the caller still holds it.
    pub(crate) fn pass(&self) -> bool {
        let passed = |state: u32| (state != 0).then_some(state | PASSED);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, passed).is_ok()
    }

    /// Takes back what was passed on and nobody has taken; they stay in the line. True for one of those who try.
    pub(crate) fn take_back(&self) -> bool {
        let back = |state: u32| (state & PASSED != 0).then_some(state & !PASSED);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, back).is_ok()
    }

    /// How many stand in the line.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn length(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !PASSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_takes_what_was_passed_on() {
        let line = Line::default();
        assert!(!line.pass() && line.is_empty());
        line.join();
        line.join();
        assert!(!line.claim() && !line.is_passed());
        assert!(line.pass() && line.is_passed());
        assert!(line.claim() && !line.claim() && !line.is_empty());
        assert!(line.pass());
        assert!(line.leave(), "who gives up takes what has come for him");
        assert!(line.is_empty() && !line.pass());
        line.join();
        assert!(!line.take_back() && line.pass());
        assert!(line.take_back() && !line.is_passed() && !line.claim(), "it is taken once");
        assert!(!line.leave() && line.is_empty());
    }
}
