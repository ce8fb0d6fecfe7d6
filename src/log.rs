//! The log: one line a message, written with one system call, to stderr or to the file that the configuration names.
//!
//! Messages never hold a secret: they are made of what [`Error`] says and of names. A line that cannot be written is
//! dropped, because a library must not fail for want of a terminal.

use std::fmt::{Arguments, Write as _};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::ck;
use crate::config::LogLevel;
use crate::error::{Error, Result};
use crate::platform::lock::Lock;
use crate::platform::{files, process};

static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Warn as u8);
static DESTINATION: Lock<Option<File>> = Lock::new(None);

/// Sets level and destination, at C_Initialize.
///
/// # Errors
/// CKR_FUNCTION_FAILED if the file cannot be opened for appending.
pub fn configure(level: LogLevel, file: Option<&Path>) -> Result<()> {
    LEVEL.store(level as u8, Ordering::Relaxed);
    let opened = match file {
        None => None,
        Some(path) => {
            let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(|error| {
                Error::with(
                    ck::CKR_FUNCTION_FAILED,
                    format!("log_file {}: {error}; name a file that this account can write", path.display()),
                )
            })?;
            // Descriptors below 3 are the program's: a log must not end up where it writes its output.
            Some(files::above_standard(opened).map_err(|error| {
                Error::with(ck::CKR_FUNCTION_FAILED, format!("log_file {}: {error}", path.display()))
            })?)
        }
    };
    *DESTINATION.lock() = opened;
    Ok(())
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
    let destination = DESTINATION.lock();
    let written = match &*destination {
        Some(file) => (&*file).write(line.as_bytes()),
        None => std::io::stderr().write(line.as_bytes()),
    };
    drop(written);
}

/// A failure that no caller will hear of.
pub fn error(error: &Error) {
    write(LogLevel::Error, format_args!("{error}"));
}

/// What an operator should look at.
pub fn warn(message: Arguments<'_>) {
    write(LogLevel::Warn, message);
}
