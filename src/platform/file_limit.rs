//! SIGXFSZ: what the kernel sends to a thread whose file would become longer than RLIMIT_FSIZE allows. It ends a program that does not
//! expect it, and the program is the host's. Without it the write fails (EFBIG), and that has a code.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

/// As long as it lives, this thread gets no SIGXFSZ for what it writes. The host's handler and disposition are not touched, and one that
/// was pending before stays pending.
#[must_use]
pub struct NoSignal {
    /// The signals that were blocked before; nothing if the system does not let this thread block any.
    before: Option<libc::sigset_t>,
    was_pending: bool,
    /// The mask is the thread's.
    thread: PhantomData<*const ()>,
}

impl NoSignal {
    /// Begins to write.
    pub fn new() -> Self {
        let ours = only_ours();
        let was_pending = is_pending();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: a set that is whole, and room for another, which is read only if the call succeeds.
        let before = unsafe {
            (libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ours, before.as_mut_ptr()) == 0)
                .then(|| before.assume_init())
        };
        Self { before, was_pending, thread: PhantomData }
    }
}

impl Default for NoSignal {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for NoSignal {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        if is_pending() && !self.was_pending {
            let (ours, at_once) = (only_ours(), libc::timespec { tv_sec: 0, tv_nsec: 0 });
            // SAFETY: a set and a time that are whole; what the signal has to say is not asked for.
            unsafe { libc::sigtimedwait(&raw const ours, ptr::null_mut(), &raw const at_once) };
        }
        // SAFETY: a set that is whole.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
    }
}

fn only_ours() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set and cannot fail; the signal is one that there is.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGXFSZ);
        set.assume_init()
    }
}

fn is_pending() -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for the set, which is read only if the call succeeds.
    unsafe { libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), libc::SIGXFSZ) == 1 }
}
