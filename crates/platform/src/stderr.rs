//! Whether descriptor 2 is the program's stderr, or something else that has got its number.
//!
//! A program that has closed stderr gives the number to the next thing that it opens: a database, a connection. A line of the log
//! there would destroy it. Nothing says of a descriptor what it is for, so it is told by what it leads to:
//!
//! | descriptor 2 | is stderr |
//! |---|---|
//! | is closed at `exec` | no: what a program was started with never is |
//! | a terminal, `/dev/null`, another device that is open for writing alone | yes |
//! | a pipe, a local (AF_UNIX) socket | yes |
//! | a file that is open for writing alone and for appending | yes: a shell's `2>>`, a daemon's own log; nothing there is written over |
//! | a file that is open for writing alone, was there when the library was loaded, and is written at its end | yes: a shell's `2>` |
//! | another file, a connection to another machine, a device that is read too, anything else | no |

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::descriptors::status_of;

/// The number.
pub const DESCRIPTOR: RawFd = 2;

/// Device and inode of what was there when the library was loaded; a link to a program sees to that before `main`.
static AT_LOAD: [AtomicU64; 2] = [const { AtomicU64::new(u64::MAX) }; 2];

#[used]
// SAFETY: the section holds the addresses of functions that the loader calls once, before anything else of the library runs.
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

/// Notes what is there. Called by the loader, so it does nothing but one system call and two stores.
extern "C" fn note() {
    if let Some(status) = status_of(DESCRIPTOR) {
        for (place, number) in AT_LOAD.iter().zip([status.st_dev, status.st_ino]) {
            place.store(number, Ordering::Relaxed);
        }
    }
}

/// Whether a line may be written there. Asked anew for each line, because a program may become a daemon at any time.
pub fn is_there() -> bool {
    let Some(status) = status_of(DESCRIPTOR) else { return false };
    let (Some(closed_at_exec), Some(mode)) = (flags(libc::F_GETFD), flags(libc::F_GETFL)) else { return false };
    if closed_at_exec & libc::FD_CLOEXEC != 0 {
        return false;
    }
    let only_written = mode & libc::O_ACCMODE == libc::O_WRONLY;
    match status.st_mode & libc::S_IFMT {
        libc::S_IFIFO => true,
        libc::S_IFSOCK => is_local(),
        libc::S_IFCHR => only_written || is_terminal() || status.st_rdev == libc::makedev(1, 3),
        libc::S_IFREG => only_written && (mode & libc::O_APPEND != 0 || (was_there(&status) && is_at_end(&status))),
        _ => false,
    }
}

fn flags(which: c_int) -> Option<c_int> {
    // SAFETY: asks for a number.
    let found = unsafe { libc::fcntl(DESCRIPTOR, which) };
    (found >= 0).then_some(found)
}

fn was_there(status: &libc::stat) -> bool {
    AT_LOAD.iter().zip([status.st_dev, status.st_ino]).all(|(place, number)| place.load(Ordering::Relaxed) == number)
}

/// Whether what is written there stands behind all that the file has.
fn is_at_end(status: &libc::stat) -> bool {
    // SAFETY: asks for a number.
    unsafe { libc::lseek(DESCRIPTOR, 0, libc::SEEK_CUR) == status.st_size }
}

fn is_terminal() -> bool {
    // SAFETY: asks for a yes or no.
    unsafe { libc::isatty(DESCRIPTOR) == 1 }
}

/// Whether the socket is one of this machine, such as the journal's.
fn is_local() -> bool {
    let mut domain = MaybeUninit::<c_int>::uninit();
    let Ok(mut length) = libc::socklen_t::try_from(size_of::<c_int>()) else { return false };
    // SAFETY: room for a number and its length, and the number is read only if there is one.
    unsafe {
        let place = domain.as_mut_ptr().cast();
        libc::getsockopt(DESCRIPTOR, libc::SOL_SOCKET, libc::SO_DOMAIN, place, &raw mut length) == 0
            && domain.assume_init() == libc::AF_UNIX
    }
}
