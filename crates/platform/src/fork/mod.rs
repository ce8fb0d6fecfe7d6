//! What happens when the host program forks: the handlers, the epoch, and the gates they close.
//!
//! Written once, here, so that the order of things can be read in one place: see [`install`].

#![allow(unsafe_code)]

mod pointer;
mod random_gate;
mod store_gate;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

pub use pointer::ForkPointer;
pub use random_gate::random_gate;
pub use store_gate::{StoreGuard, store_gate, try_store_gate};
pub(crate) use store_gate::{adopt as adopt_store_gate, store_gate_unless};

use base::error::{Error, Result};

use crate::{flock, process};

/// How many forks lie between the process that called [`install`] and this one.
static EPOCH: AtomicU64 = AtomicU64::new(0);
/// Whether the handlers are registered; inherited by children, as the registration is.
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// The process that the handlers last knew of.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// The number of forks since the handlers were installed: differs between a parent and its child.
#[inline]
#[must_use]
pub fn epoch() -> u64 {
    EPOCH.load(Ordering::Relaxed)
}

/// Whether this process came about in a way that the handlers saw.
///
/// False in the child of a raw `clone` or `_Fork`, where nothing was taken before and nothing is known about the locks
/// and connections that it inherited: such a process must not be served.
#[must_use]
pub fn is_tracked() -> bool {
    PROCESS.load(Ordering::Relaxed) == process::pid()
}

/// Registers the fork handlers, once per process however often it is called.
///
/// # Errors
/// `CKR_HOST_MEMORY` when the C library has no room for the registration.
pub fn install() -> Result<()> {
    // Inside the store gate, so that two first callers do not both register.
    let _gate = store_gate();
    if INSTALLED.load(Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: the three functions have the right type and live as long as the process (the library is linked
    // `-z nodelete`). What they do is argued where they stand.
    let code = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code != 0 {
        return Err(Error::new(base::ck::CKR_HOST_MEMORY, "no memory to register the fork handlers"));
    }
    PROCESS.store(process::pid(), Ordering::Relaxed);
    INSTALLED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Before the fork, in the thread that forks. Waits, so that nothing is in flight; takes no other lock.
extern "C" fn prepare() {
    store_gate::close();
    random_gate::close();
}

/// After the fork, in the parent; also when the fork failed.
extern "C" fn parent() {
    random_gate::reopen_in_parent();
    store_gate::reopen_in_parent();
}

/// After the fork, in the child. Only what is async-signal-safe: atomics, constant thread-locals and `close`.
extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    PROCESS.store(process::pid(), Ordering::Relaxed);
    pointer::clear_all();
    flock::close_inherited();
    random_gate::reopen_in_child();
    store_gate::reopen_in_child();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::children::in_child;

    #[test]
    fn a_child_has_its_own_epoch() {
        install().unwrap();
        install().unwrap();
        let before = epoch();
        assert!(is_tracked());
        let code = in_child(|| i32::from(!(epoch() == before + 1 && is_tracked() && try_store_gate().is_some())));
        assert_eq!(code, 0);
        assert_eq!(epoch(), before);
    }

    #[test]
    fn a_raw_clone_is_noticed() {
        install().unwrap();
        // SAFETY: a plain fork by system call: the child only loads atomics and leaves by `_exit`.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if pid == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(is_tracked())) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(libc::pid_t::try_from(pid).unwrap(), &raw mut status, 0) };
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
    }

    #[test]
    fn fork_inside_the_gates_does_not_hang() {
        install().unwrap();
        let _gate = store_gate();
        let code = random_gate(|| in_child(|| i32::from(random_gate(|| 5) != 5)));
        assert_eq!(code, 0);
    }
}
