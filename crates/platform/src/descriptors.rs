//! Descriptors as bare numbers, for what must work without a lock: the log.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::above_standard;
use super::signals::Unsignalled;

/// Opens what lines are appended to, and makes it if it is not there: a file, a device, a pipe that somebody reads. Waits for nobody.
///
/// # Errors
/// What the system says; of a pipe without a reader and of anything else, that it is one.
pub fn open_for_lines(path: &Path) -> io::Result<File> {
    let other = |words| Err(io::Error::other(words));
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = match options.open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            return other("is a pipe that nobody reads, a socket, or a device that is not there");
        }
        opened => opened?,
    };
    let found = file.metadata()?.file_type();
    if found.is_file() || found.is_fifo() || found.is_char_device() {
        return Ok(file);
    }
    other("is neither a file nor a pipe")
}

/// Puts a file under the descriptor `place`, in one step for whoever writes there meanwhile, or under a new one above 2 if
/// `place` is negative. Returns the descriptor, which stays open for good.
///
/// # Errors
/// If the system has no descriptor left.
pub fn put(file: File, place: RawFd) -> io::Result<RawFd> {
    if place < 0 {
        return Ok(above_standard(file)?.into_raw_fd());
    }
    // SAFETY: both are open: one is owned by `file`, the other was made by this function and is never closed.
    if unsafe { libc::dup3(file.as_raw_fd(), place, libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(place)
}

/// How long a line waits for a reader that does not keep up, in milliseconds.
const PATIENCE_MS: i32 = 1000;

/// Writes bytes with one system call. What cannot be written is dropped: no signal comes of it, and a reader that does not keep up
/// holds the thread up once for a second and then, until there is room again, not at all (`stuck` remembers that).
pub fn write_line(descriptor: RawFd, bytes: &[u8], stuck: &AtomicBool) {
    let Some(_unsignalled) = Unsignalled::new() else { return };
    let room = has_room(descriptor, 0) || (!stuck.load(Ordering::Relaxed) && has_room(descriptor, PATIENCE_MS));
    stuck.store(!room, Ordering::Relaxed);
    if room {
        write(descriptor, bytes);
    }
}

/// Whether a write would not wait; asked for so many milliseconds at most. Where the system does not say, there is room.
fn has_room(descriptor: RawFd, wait_ms: i32) -> bool {
    let mut asked = libc::pollfd { fd: descriptor, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one structure, as the count says.
    let answered = unsafe { libc::poll(&raw mut asked, 1, wait_ms) };
    // One that is not open, or that nobody reads, is told by the write.
    answered > 0 || (answered < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted)
}

/// One system call. Another writer may have taken the room of a pipe or socket meanwhile, so it is one that does not wait.
fn write(descriptor: RawFd, bytes: &[u8]) {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: each call reads as many bytes as the slice has. A descriptor that is not open is an error, which is dropped.
    unsafe {
        let done = match kind(descriptor) {
            libc::S_IFSOCK => {
                libc::send(descriptor, part.iov_base, part.iov_len, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
            }
            // -1 is the place that the descriptor is at. Kernels before 6.4 do not know the flag for pipes.
            libc::S_IFIFO => libc::pwritev2(descriptor, &raw const part, 1, -1, libc::RWF_NOWAIT),
            _ => libc::write(descriptor, part.iov_base, part.iov_len),
        };
        let unknown = [libc::EOPNOTSUPP, libc::EINVAL, libc::ENOSYS, libc::EPERM];
        if done < 0 && io::Error::last_os_error().raw_os_error().is_some_and(|error| unknown.contains(&error)) {
            libc::write(descriptor, part.iov_base, part.iov_len);
        }
    }
}

/// The kind of what a descriptor leads to, as the bits of its mode; 0 if the system does not say.
fn kind(descriptor: RawFd) -> libc::mode_t {
    status_of(descriptor).map_or(0, |status| status.st_mode & libc::S_IFMT)
}

/// What the system says of an open descriptor.
pub(super) fn status_of(descriptor: RawFd) -> Option<libc::stat> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for the answer, which is read only if there is one.
    unsafe { (libc::fstat(descriptor, found.as_mut_ptr()) == 0).then(|| found.assume_init()) }
}
