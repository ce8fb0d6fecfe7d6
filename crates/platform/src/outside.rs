//! A place outside of the HSM's folder to which lines are added and nothing is taken back: a file, or the system's log.
//!
//! Nothing stays open between two lines, so that a file can be rotated, and a child of a fork shares nothing.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::files::above_standard;
use super::process;
use super::signals::Unsignalled;

/// Where the system takes messages for its log.
const SYSTEM_LOG: &str = "/dev/log";
/// Facility `authpriv` (10), severity `notice` (5): RFC 5424, section 6.2.1.
const PRIORITY: u8 = 10 * 8 + 5;

/// A place for lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outside {
    /// The end of a file.
    File(PathBuf),
    /// The socket of the system's log.
    SystemLog(PathBuf),
}

/// A place that took a connection, for one line.
pub enum Ready {
    /// See [`Outside::File`].
    File(File),
    /// See [`Outside::SystemLog`].
    SystemLog(UnixDatagram),
}

impl Outside {
    /// The place that a setting names: `syslog`, `syslog:` and the path of a socket, or the path of a file. Nothing for a path that is
    /// not absolute.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        match text.strip_prefix("syslog") {
            Some("") => Some(Self::SystemLog(SYSTEM_LOG.into())),
            Some(rest) if rest.starts_with(':') => rest.strip_prefix(':').and_then(absolute).map(Self::SystemLog),
            _ => absolute(text).map(Self::File),
        }
    }

    /// The file or the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::SystemLog(path) => path,
        }
    }

    /// Opens the place.
    ///
    /// # Errors
    /// If it is not there, no plain file or socket, or refuses this process.
    pub fn open(&self) -> io::Result<Ready> {
        match self {
            Self::File(path) => {
                // Not blocking, because the name may be that of a pipe that nobody reads; the check comes after.
                let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
                let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
                if !file.metadata()?.is_file() {
                    return Err(io::Error::other("it is no plain file"));
                }
                above_standard(file).map(Ready::File)
            }
            Self::SystemLog(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                socket.connect(path)?;
                Ok(Ready::SystemLog(socket))
            }
        }
    }
}

impl Ready {
    /// Adds one line, with one system call.
    ///
    /// # Errors
    /// If the system does not take all of it.
    pub fn append(self, line: &str) -> io::Result<()> {
        let _unsignalled = Unsignalled::new();
        match self {
            Self::File(mut file) => file.write_all(format!("{line}\n").as_bytes()),
            Self::SystemLog(socket) => {
                let message = format!("<{PRIORITY}>cloudhsm-pkcs11[{}]: {line}", process::pid());
                let sent = socket.send(message.as_bytes())?;
                if sent == message.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::temporary;

    #[test]
    fn names() {
        assert_eq!(Outside::named("syslog"), Some(Outside::SystemLog("/dev/log".into())));
        assert_eq!(Outside::named("syslog:/run/log"), Some(Outside::SystemLog("/run/log".into())));
        assert_eq!(Outside::named("/var/log/anchor"), Some(Outside::File("/var/log/anchor".into())));
        for wrong in ["", "anchor", "syslog:", "syslog:run/log", "syslogs"] {
            assert_eq!(Outside::named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lines_are_added() {
        let home = temporary();
        let path = home.path().join("anchor");
        let place = Outside::File(path.clone());
        for line in ["one", "two"] {
            place.open().unwrap().append(line).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let pipe = home.path().join("pipe");
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: a path that ends.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let linked = home.path().join("linked");
        std::os::unix::fs::symlink(&path, &linked).unwrap();
        for refused in [pipe, linked, home.path().to_owned(), home.path().join("nowhere/anchor")] {
            assert!(Outside::File(refused.clone()).open().is_err(), "{}", refused.display());
        }
    }

    /// RFC 5424, section 6.2.1: facility times eight, plus severity.
    #[test]
    fn the_system_log() {
        let home = temporary();
        let path = home.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        Outside::SystemLog(path).open().unwrap().append("a line").unwrap();
        let mut bytes = [0; 200];
        let length = log.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap()).into_owned();
        assert!(text.starts_with("<85>cloudhsm-pkcs11[") && text.ends_with("]: a line"), "{text}");
    }
}
