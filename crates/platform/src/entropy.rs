//! Where AWS-LC's generator gets its seeds if a sandbox refuses the system call that it asks for them.
//!
//! A filter of system calls (seccomp) that knows no `getrandom` makes it fail with EPERM, and AWS-LC ends the process then: at its
//! first draw, or at the next seed if the sandbox was entered later. So its calls of `syscall` come here (the linker's `--wrap`,
//! see build.rs), and what the kernel refuses is read from `/dev/urandom`, the same generator, through a descriptor that was opened
//! by C_Initialize, when files could still be opened.

#![allow(unsafe_code)]

use std::ffi::{c_long, c_uint, c_void};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use base::ck;
use base::error::{Error, Result};

use super::cancellation::Uncancelled;
use super::descriptors::{self, status_of};

const DEVICE: &str = "/dev/urandom";
/// The descriptor of the device, or a negative number.
static OPENED: AtomicI32 = AtomicI32::new(-1);

/// Sees to it that there is a source, before AWS-LC draws.
///
/// # Errors
/// `CKR_DEVICE_ERROR` if the system refuses both.
pub fn prepare() -> Result<()> {
    if device().is_some() {
        return Ok(());
    }
    let opened = File::open(DEVICE).and_then(|file| descriptors::put(file, -1));
    match opened {
        Ok(descriptor) => {
            OPENED.store(descriptor, Ordering::Release);
            Ok(())
        }
        // The device is for the sandbox alone; some have none.
        Err(error) => asked().map_err(|refused| {
            Error::with(
                ck::CKR_DEVICE_ERROR,
                format!(
                    "no random numbers: getrandom: {refused}; {DEVICE}: {error}; let the sandbox (seccomp) allow the system \
                     call, or give it the device"
                ),
            )
        }),
    }
}

/// Whether the kernel answers `getrandom` at this moment.
fn asked() -> io::Result<()> {
    let mut byte = [0_u8; 1];
    // SAFETY: room for as many bytes as is said.
    let got = unsafe { libc::getrandom(byte.as_mut_ptr().cast(), byte.len(), libc::GRND_NONBLOCK) };
    if got == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The open device, if its number still leads there: a program may have closed what it does not know, and opened something else.
fn device() -> Option<RawFd> {
    let descriptor = OPENED.load(Ordering::Acquire);
    let status = status_of(descriptor)?;
    let is_it = status.st_mode & libc::S_IFMT == libc::S_IFCHR && status.st_rdev == libc::makedev(1, 9);
    is_it.then_some(descriptor)
}

/// `syscall(SYS_getrandom, out, length, flags)`, whose answers it gives: a number of bytes, or -1 and `errno`.
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(dead_code, reason = "not wrapped there"))]
extern "C" fn draw(_: c_long, out: *mut c_void, length: usize, flags: c_uint) -> c_long {
    let _whole = Uncancelled::new();
    // SAFETY: the caller of `getrandom` answers for the room.
    let got = unsafe { libc::getrandom(out, length, flags) };
    if got >= 0 {
        return got as c_long;
    }
    let refused = io::Error::last_os_error().raw_os_error().unwrap_or_default();
    if matches!(refused, libc::EPERM | libc::ENOSYS)
        && let Some(device) = device()
    {
        // SAFETY: as above.
        return unsafe { libc::read(device, out, length) as c_long };
    }
    // SAFETY: this thread's own. Whoever asked reads it, and what was looked for meanwhile may have left another.
    unsafe { *libc::__errno_location() = refused };
    got as c_long
}

// `syscall` as AWS-LC calls it: everything but `getrandom` goes on to the C library's, which the linker knows by the second name.
// It is weak because only the shared library is linked so. Numbers and pointers are passed alike to a variadic function and another
// on both processors.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".hidden __wrap_syscall",
    ".globl __wrap_syscall",
    ".type __wrap_syscall, @function",
    ".weak __real_syscall",
    "__wrap_syscall:",
    "cmp rdi, {number}",
    "je {draw}",
    "jmp qword ptr [rip + __real_syscall@GOTPCREL]",
    number = const libc::SYS_getrandom,
    draw = sym draw,
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".hidden __wrap_syscall",
    ".globl __wrap_syscall",
    ".type __wrap_syscall, %function",
    ".weak __real_syscall",
    "__wrap_syscall:",
    "cmp x0, #{number}",
    "b.ne 1f",
    "b {draw}",
    "1:",
    "adrp x16, :got:__real_syscall",
    "ldr x16, [x16, :got_lo12:__real_syscall]",
    "br x16",
    number = const libc::SYS_getrandom,
    draw = sym draw,
);
