//! Forked children for tests, here so that the tests of the parts above need no `unsafe`.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A forked child of this process.
#[must_use]
pub struct Child(libc::pid_t);

/// Runs `body` in a forked child, which ends with its result as exit status, and is killed if it hangs.
pub fn start(body: impl FnOnce() -> i32) -> Child {
    // SAFETY: the child calls `body`, which the tests keep free of threads, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: a plain system call: it ends a child that hangs.
        unsafe { libc::alarm(20) };
        let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(99);
        // SAFETY: ends the child without running the test harness's own exit handlers.
        unsafe { libc::_exit(code) };
    }
    assert!(pid > 0);
    Child(pid)
}

/// [`start`] and [`Child::wait`].
pub fn in_child(body: impl FnOnce() -> i32) -> i32 {
    start(body).wait()
}

impl Child {
    /// The exit status, or 1000 and the signal that ended the child.
    pub fn wait(self) -> i32 {
        let mut status = 0;
        // SAFETY: it is our child and `status` is ours to write.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0);
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 1000 + libc::WTERMSIG(status) }
    }

    /// Kills the child without warning.
    pub fn kill(self) {
        // SAFETY: our child, not yet waited for, so the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        assert_eq!(self.wait(), 1000 + libc::SIGKILL);
    }
}

/// In a child that root started: goes on as another user. False if that failed.
pub fn become_user(user: u32) -> bool {
    // SAFETY: plain system calls about this process alone.
    unsafe { libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(user) == 0 && libc::setuid(user) == 0 }
}

/// In a child: closes standard input, output and error.
pub fn close_standard_streams() {
    for descriptor in 0..3 {
        // SAFETY: nothing in the child uses them any more.
        unsafe { libc::close(descriptor) };
    }
}
