//! Work that `pthread_cancel` must not end half way.
//!
//! A thread that is cancelled ends in the next call of the C library that is a cancellation point: a file that is read, a nap, a
//! line that is written. glibc unwinds the stack from there, which no frame of Rust lets through (the process ends by SIGABRT); musl
//! leaves the stack as it is, with every lock held. So whatever may be such a point runs under an [`Uncancelled`], and the thread
//! ends after the call, as POSIX has it for a function that is no cancellation point.
//!
//! That holds for the deferred kind of cancellation, which every thread begins with. A thread that has chosen
//! PTHREAD_CANCEL_ASYNCHRONOUS may call what is safe at any instruction; no function of PKCS#11 is.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::marker::PhantomData;
use std::time::Duration;

/// `PTHREAD_CANCEL_DISABLE`, of glibc and of musl.
const DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// As long as it lives this thread is not cancelled. They nest.
#[must_use]
pub struct Uncancelled {
    before: c_int,
    /// The state is the thread's.
    thread: PhantomData<*const ()>,
}

impl Uncancelled {
    /// Begins work that is not cancelled.
    pub fn new() -> Self {
        let mut before = DISABLE;
        // SAFETY: the state is a legal one and `before` is ours to write.
        unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
        Self { before, thread: PhantomData }
    }
}

impl Default for Uncancelled {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        let mut disabled = DISABLE;
        // SAFETY: the state is what the C library gave. To allow cancellation again is no cancellation point, unless the
        // thread has chosen the asynchronous kind.
        unsafe { pthread_setcancelstate(self.before, &raw mut disabled) };
    }
}

/// Sleeps and is not cancelled meanwhile.
pub fn nap(time: Duration) {
    let _whole = Uncancelled::new();
    std::thread::sleep(time);
}
