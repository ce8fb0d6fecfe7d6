//! What the library asks about its process and machine: identity, privilege, clocks.

#![allow(unsafe_code)]

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Whether the program gained privileges when it was started (set-user-ID, set-group-ID, file capabilities).
///
/// Whoever started such a program controls its environment, so nothing in that may be believed.
#[must_use]
pub fn is_setuid() -> bool {
    // SAFETY: reads the auxiliary vector that the kernel gave this process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The user whose rights this process has.
#[must_use]
pub fn effective_user() -> u32 {
    // SAFETY: cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

/// The number of this thread.
#[must_use]
pub fn thread_id() -> i32 {
    // SAFETY: cannot fail and touches no memory.
    unsafe { libc::gettid() }
}

/// The number of this process.
#[must_use]
pub fn pid() -> u32 {
    std::process::id()
}

/// A number that is new at each boot of the machine: a monotonic time means something only together with it.
///
/// Nothing where `/proc` is not mounted.
#[must_use]
pub fn boot_id() -> Option<[u8; 16]> {
    let text = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let mut id = [0_u8; 16];
    let mut digits = text.iter().filter_map(|&c| char::from(c).to_digit(16)).filter_map(|d| u8::try_from(d).ok());
    for byte in &mut id {
        *byte = digits.next()? << 4 | digits.next()?;
    }
    Some(id)
}

/// Milliseconds since 1970 by the wall clock, which may be set; 0 before 1970.
#[must_use]
pub fn wall_clock_ms() -> u64 {
    wall_clock_us() / 1000
}

/// The same in microseconds.
#[must_use]
pub fn wall_clock_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|t| u64::try_from(t.as_micros()).ok()).unwrap_or(0)
}

/// Milliseconds since boot by a clock that nobody can set and that all processes share.
#[must_use]
pub fn monotonic_ms() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to write; with this clock the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1000) + u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0)
}

/// A number that no other process will come up with, for the names of temporary files. Not for cryptography.
#[must_use]
pub fn unique_number() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: eight bytes that are ours to write; without the flag to block, it answers at once or not at all.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    if got == 8 {
        return u64::from_ne_bytes(bytes);
    }
    u64::from(pid()) << 32 ^ wall_clock_ms()
}

/// The instant for waits inside this process.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_plausible() {
        assert!(!is_setuid());
        assert!(pid() > 0);
        assert!(wall_clock_ms() > 1_700_000_000_000);
        let first = monotonic_ms();
        assert!(first > 0 && monotonic_ms() >= first);
        assert!(boot_id().is_some_and(|id| id != [0; 16] && Some(id) == boot_id()));
    }
}
