//! Forked children of a test.

use std::time::{Duration, Instant};

/// Runs the body in a forked child, which ends without destructors with status 1 if the body panics.
pub(crate) fn forked(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs the body and leaves; it uses the library, which promises to work there, and whatever the
    // body does besides is the test's risk.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: the end of this process.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    child
}

/// Waits for a child; a child that hangs for a minute is ended and fails the test.
pub(crate) fn joined(child: libc::pid_t) -> i32 {
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: our own child.
        let done = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if done == child {
            return status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            // SAFETY: our own child.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
