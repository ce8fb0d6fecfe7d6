//! The signals that the kernel sends to a thread because of what it writes, and which end or stop a program that did not expect
//! them: the program is the host's, and so is what it does about signals.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

use super::cancellation::Uncancelled;

/// A pipe or socket that nobody reads, a file at the limit of its size (RLIMIT_FSIZE), the terminal of another job.
const OF_WRITING: [c_int; 3] = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGTTOU];

/// As long as it lives, this thread gets none of the signals of writing: they are blocked, and what has come by the end is taken
/// off, so that a write fails with a code (EPIPE, EFBIG) and no more. One that was pending before stays pending. Handlers and
/// dispositions are not touched. They nest.
#[must_use]
pub struct Unsignalled {
    /// The signals that were blocked before.
    before: libc::sigset_t,
    /// Those that were pending before.
    earlier: libc::sigset_t,
    _whole: Uncancelled,
}

impl Unsignalled {
    /// Begins to write. Nothing if the system does not let this thread block signals.
    pub fn new() -> Option<Self> {
        let whole = Uncancelled::new();
        let ours = of(&OF_WRITING);
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: one set that is whole, and room for another, which is filled if the call succeeds.
        if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ours, before.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: as above; it has succeeded.
        Some(Self { before: unsafe { before.assume_init() }, earlier: pending(), _whole: whole })
    }
}

impl Drop for Unsignalled {
    fn drop(&mut self) {
        let later = pending();
        for signal in OF_WRITING {
            if has(&later, signal) && !has(&self.earlier, signal) && !take(signal) {
                // It cannot be taken off, so it must not be let through.
                // SAFETY: a set that is whole, and a signal that there is.
                unsafe { libc::sigaddset(&raw mut self.before, signal) };
            }
        }
        // SAFETY: a set that is whole.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

/// Takes a pending signal off this thread; false if that is refused.
fn take(signal: c_int) -> bool {
    let only = of(&[signal]);
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a set and a time that are whole; what the signal has to say is not asked for.
    unsafe { libc::sigtimedwait(&raw const only, ptr::null_mut(), &raw const at_once) == signal }
}

fn of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set, and cannot fail; the signals are ones that there are.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// What is pending for this thread; nothing if the system does not say.
fn pending() -> libc::sigset_t {
    let mut found = of(&[]);
    // SAFETY: a set that is ours to write.
    unsafe { libc::sigpending(&raw mut found) };
    found
}

fn has(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: a set that is whole, and a signal that there is.
    unsafe { libc::sigismember(ptr::from_ref(set), signal) == 1 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn raise(signal: c_int) {
        // SAFETY: a signal that there is, to this thread.
        unsafe { libc::raise(signal) };
    }

    /// Whoever gets SIGXFSZ for nothing ends: that this test goes on is the proof.
    #[test]
    fn what_comes_meanwhile_is_taken_off_and_what_was_pending_stays() {
        std::thread::spawn(|| {
            let writing = Unsignalled::new();
            assert!(writing.is_some());
            raise(libc::SIGXFSZ);
            drop(writing);
            assert!(!has(&pending(), libc::SIGXFSZ));
            let blocked = of(&[libc::SIGXFSZ]);
            // SAFETY: a set that is whole; this thread ends with the test.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, ptr::null_mut()) };
            raise(libc::SIGXFSZ);
            drop(Unsignalled::new());
            assert!(has(&pending(), libc::SIGXFSZ), "it was the host's");
            assert!(take(libc::SIGXFSZ));
        })
        .join()
        .unwrap();
    }
}
