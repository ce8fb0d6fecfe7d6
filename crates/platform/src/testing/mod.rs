//! What tests of several parts need of the operating system.

pub mod children;
mod unreadable;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use unreadable::while_unreadable;

use crate::process;

/// A folder that is removed when the test ends.
pub struct Temporary(PathBuf);

impl Temporary {
    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Makes a new folder of mode 0700.
///
/// # Panics
/// If it cannot be made.
#[must_use]
#[allow(clippy::unwrap_used, reason = "tests")]
pub fn temporary() -> Temporary {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("cloudhsm-test-{}-{}", process::pid(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    drop(fs::remove_dir_all(&path));
    fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    Temporary(path)
}
