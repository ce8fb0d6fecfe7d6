//! What a child makes of its descriptor 2, and of the signals and limits that decide what a write to it does.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;

/// Puts something under descriptor 2. What it needs beside that stays open.
pub(crate) fn take(kind: &str, path: &str) -> String {
    let made: OwnedFd = match kind {
        "pipe_without_reader" => pipe().1,
        "full_pipe" => {
            let (reader, writer) = pipe();
            // SAFETY: a descriptor that is open.
            unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
            let mut end = File::from(writer);
            while end.write(&[b'.'; 4096]).is_ok() {}
            // SAFETY: as above.
            unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, 0) };
            std::mem::forget(reader);
            end.into()
        }
        "socket_without_reader" => UnixStream::pair().unwrap().0.into(),
        "full_socket" => {
            let (mut one, other) = UnixStream::pair().unwrap();
            one.set_nonblocking(true).unwrap();
            while one.write(&[b'.'; 4096]).is_ok() {}
            one.set_nonblocking(false).unwrap();
            std::mem::forget(other);
            one.into()
        }
        "connection" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            std::mem::forget(server.try_clone().map(|server| keep(server.into(), 77)));
            client.into()
        }
        "database" => opened(OpenOptions::new().read(true).write(true).create(true), path),
        "output" => opened(OpenOptions::new().write(true).create(true).truncate(true), path),
        "private" => {
            // As the program itself opens it: closed at exec.
            let file = opened(OpenOptions::new().append(true).create(true), path);
            return replace(&file, libc::O_CLOEXEC);
        }
        "device" => opened(OpenOptions::new().write(true), path),
        other => panic!("{other}"),
    };
    replace(&made, 0)
}

fn opened(options: &mut OpenOptions, path: &str) -> OwnedFd {
    options.mode(0o600).open(path).unwrap().into()
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: both have just been made.
    unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) }
}

fn replace(made: &OwnedFd, flags: i32) -> String {
    // SAFETY: closes what stood there, which is the child's.
    let put = unsafe {
        libc::close(2);
        if flags == 0 { libc::dup2(made.as_raw_fd(), 2) } else { libc::dup3(made.as_raw_fd(), 2, flags) }
    };
    assert_eq!(put, 2);
    "ok".to_owned()
}

/// Keeps the other end of the connection under a number that [`received`] knows.
fn keep(end: OwnedFd, number: RawFd) {
    // SAFETY: both are the child's.
    assert_eq!(unsafe { libc::dup2(end.into_raw_fd(), number) }, number);
}

/// How many bytes have come to the other end of the connection.
pub(crate) fn received() -> String {
    let mut bytes = [0_u8; 64];
    // SAFETY: as many bytes as there is room for.
    let count = unsafe { libc::recv(77, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT) };
    count.max(0).to_string()
}

/// The signals of writing end this process, as they end a program in C that says nothing else.
pub(crate) fn default_signals() -> String {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: the default action, which has no conditions.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    "ok".to_owned()
}

/// What this process does about the signals of writing, and whether this thread blocks one or has one pending.
pub(crate) fn signals() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let named = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    ["SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"].map(named).join(",")
}

/// No file may become longer than this.
pub(crate) fn limit_files(bytes: &str) -> String {
    let limit = libc::rlimit { rlim_cur: bytes.parse().unwrap(), rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a limit that is whole.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    "ok".to_owned()
}

/// No more files may be open than this.
pub(crate) fn limit_open_files(count: &str) -> String {
    let limit = libc::rlimit { rlim_cur: count.parse().unwrap(), rlim_max: 4096 };
    // SAFETY: a limit that is whole.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    "ok".to_owned()
}
