//! A file that has its name only when it is whole and on the disk, and that replaces none.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base::error::{Error, Result};

use super::check::{c_string, failed};
use super::home::rename_without_replacing;
use super::{Access, Directory, open_folder};
use crate::process;

/// A file that is being written, under a name that begins with a dot; gone again unless it is finished.
pub struct NewFile {
    directory: Directory,
    path: PathBuf,
    unfinished: PathBuf,
    file: File,
    finished: bool,
}

impl NewFile {
    /// Begins the file `path`, in a folder that is there, whoever else may enter it.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it, also if there is such a file.
    pub fn create(path: &Path, access: Access) -> Result<Self> {
        let named = path.file_name().and_then(OsStr::to_str);
        let name = named.ok_or_else(|| Error::device(format!("{}: is no name for a file", path.display())))?;
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = open_folder(above, true)?;
        let unfinished = format!(".{name}.{:016x}", process::unique_number());
        let file = directory.create_file(&unfinished, access)?;
        let unfinished = directory.path().join(unfinished);
        Ok(Self { directory, path: path.to_owned(), unfinished, file, finished: false })
    }

    /// Waits until the file is on the disk and gives it its name.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR`, also if there is such a file by now.
    pub fn finish(mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.failed(&error))?;
        let name = |path: &Path| c_string(path.file_name().unwrap_or_default());
        match rename_without_replacing(&self.directory, &name(&self.unfinished)?, &name(&self.path)?) {
            Ok(()) => self.finished = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(&self.path)),
            // A file system without that flag: a second name replaces nothing either, and the first goes with `self`.
            Err(_) => std::fs::hard_link(&self.unfinished, &self.path).map_err(|error| self.failed(&error))?,
        }
        self.directory.sync()
    }

    fn failed(&self, error: &io::Error) -> Error {
        failed(&self.path, "cannot be written", error)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            drop(std::fs::remove_file(&self.unfinished));
        }
    }
}

fn taken(path: &Path) -> Error {
    Error::device(format!("{}: exists already; name another file", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::temporary;

    #[test]
    fn whole_or_not_there_and_in_nobodys_place() {
        let home = temporary();
        let path = home.path().join("file");
        let names = || std::fs::read_dir(home.path()).unwrap().count();
        let mut file = NewFile::create(&path, Access::default()).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(names(), 0);
        let mut file = NewFile::create(&path, Access::default()).unwrap();
        let late = NewFile::create(&path, Access::default()).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert!(late.finish().is_err() && NewFile::create(&path, Access::default()).is_err());
        assert_eq!((names(), std::fs::read(&path).unwrap()), (1, b"whole".to_vec()));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let error = NewFile::create(&home.path().join("nowhere/file"), Access::default()).err().unwrap();
        assert!(error.message().contains("nowhere"), "{error}");
    }
}
