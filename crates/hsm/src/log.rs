//! The log: one line a message, written with one system call, to stderr or to the file that the configuration names.
//!
//! Messages never hold a secret: they are made of what [`Error`] says and of names. A line that cannot be written is
//! dropped, because a library must not fail for want of a terminal: it ends no program by a signal, holds none up for long, and
//! goes to descriptor 2 only if that is stderr. No lock: a child that was forked while another thread wrote a line would find it
//! held for ever.

use std::fmt::{Arguments, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use base::ck;
use base::error::{Error, Result};
use platform::{descriptors, files, process, stderr};

use crate::config::LogLevel;

static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Warn as u8);
static PLACE: Place = Place::new();

/// Where lines go: to stderr, or to the end of a file.
pub struct Place {
    /// The descriptor of the file, once there has been one; kept, and given another file when the setting changes.
    file: AtomicI32,
    to_file: AtomicBool,
    /// Whether the reader of the last line did not keep up.
    stuck: AtomicBool,
}

impl Place {
    /// stderr.
    #[must_use]
    pub const fn new() -> Self {
        Self { file: AtomicI32::new(-1), to_file: AtomicBool::new(false), stuck: AtomicBool::new(false) }
    }

    /// Lets lines go to this file from now on; `setting` is what names it.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED if the file cannot be opened for appending, or is a pipe that nobody reads.
    pub fn set(&self, setting: &str, file: Option<&Path>) -> Result<()> {
        if let Some(path) = file {
            let failed = |error: std::io::Error| {
                Error::with(ck::CKR_FUNCTION_FAILED, format!("{setting} {}: {error}; {}", path.display(), cure(&error)))
            };
            let opened = descriptors::open_for_lines(path).map_err(failed)?;
            let descriptor = descriptors::put(opened, self.file.load(Ordering::Acquire)).map_err(failed)?;
            self.file.store(descriptor, Ordering::Release);
        }
        self.to_file.store(file.is_some(), Ordering::Release);
        Ok(())
    }

    /// Writes lines with one system call. What cannot be written is dropped.
    pub fn write(&self, lines: &[u8]) {
        if self.to_file.load(Ordering::Acquire) {
            descriptors::write_line(self.file.load(Ordering::Acquire), lines, &self.stuck);
        } else if stderr::is_there() {
            descriptors::write_line(stderr::DESCRIPTOR, lines, &self.stuck);
        }
    }
}

/// What to do about a file that lines cannot go to.
fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::Other => {
            "name a file that this account can write"
        }
        _ => files::cure(error),
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets level and destination, at C_Initialize.
///
/// # Errors
/// CKR_FUNCTION_FAILED if the file cannot be opened for appending.
pub fn configure(level: LogLevel, file: Option<&Path>) -> Result<()> {
    LEVEL.store(level as u8, Ordering::Relaxed);
    PLACE.set("log_file", file)
}

/// Where the log goes.
#[must_use]
pub fn place() -> &'static Place {
    &PLACE
}

/// Whether messages of this level are written.
#[must_use]
pub fn enabled(level: LogLevel) -> bool {
    LEVEL.load(Ordering::Relaxed) >= level as u8
}

/// Writes one line.
pub fn write(level: LogLevel, message: Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    let mut line = String::with_capacity(160);
    let name = match level {
        LogLevel::Off => return,
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    if write!(line, "cloudhsm-pkcs11[{}] {name}: {message}", process::pid()).is_err() {
        return;
    }
    // A message is one line, whatever a path or a label in it holds.
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).chain(['\n']).collect();
    PLACE.write(line.as_bytes());
}

/// A failure that no caller will hear of.
pub fn error(error: &Error) {
    write(LogLevel::Error, format_args!("{error}"));
}

/// What an operator should look at.
pub fn warn(message: Arguments<'_>) {
    write(LogLevel::Warn, message);
}
