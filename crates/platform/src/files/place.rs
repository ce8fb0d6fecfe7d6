//! Whether the files that a process has open are those that stand at their path.
//!
//! A folder can be moved away while a process has its files open, and another one be put in its place. What the process writes
//! then is whole and durable, and nobody will ever find it. So a writer compares device and inode before it answers.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::error::{Error, Result};

use super::Directory;
use crate::lock::Lock;

/// How old a change of the folder must be before its times stand for what is in it. The times advance in steps of the kernel's
/// tick: within one, two changes look like one.
const SETTLED: Duration = Duration::from_secs(2);

/// A file that a process relies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relied {
    /// Its name in the folder.
    pub name: &'static str,
    /// Whether its content is never changed, so that a new time of change is a new content.
    pub constant: bool,
}

/// What tells one file from every other.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// Of a constant file: when it was written.
    written: Option<(i64, i64)>,
}

impl Identity {
    fn of(found: &Metadata, constant: bool) -> Self {
        let written = constant.then(|| (found.mtime(), found.mtime_nsec()));
        Self { device: found.dev(), inode: found.ino(), written }
    }
}

/// When names in a folder last changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Times {
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Times {
    fn of(found: &Metadata) -> Self {
        Self { modified: (found.mtime(), found.mtime_nsec()), changed: (found.ctime(), found.ctime_nsec()) }
    }

    fn are_settled(&self) -> bool {
        let changed = u64::try_from(self.changed.0).ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        changed.is_some_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > SETTLED))
    }
}

/// The folder and the files that a process has opened, by their path.
pub struct Place {
    folder: PathBuf,
    identity: Identity,
    files: Vec<(Relied, Identity)>,
    /// The folder's times when each file was last found in its place. Taken inside the store gate only.
    settled: Lock<Option<Times>>,
}

impl Place {
    /// The place of what a process has opened in `directory`; of `files`, those that are there.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, also if another folder stands at the path by now.
    pub fn of(directory: &Directory, files: &[Relied]) -> Result<Self> {
        let named = directory.path();
        // What a program does to its working directory later changes no path of ours.
        let folder = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
        let found = directory.status()?;
        let identity = Identity { device: found.st_dev, inode: found.st_ino, written: None };
        let mut place = Self { folder, identity, files: Vec::with_capacity(files.len()), settled: Lock::new(None) };
        for file in files {
            match place.identity_of(*file) {
                Ok(found) => place.files.push((*file, found)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unknown(&place.folder.join(file.name), &error)),
            }
        }
        place.check()?;
        Ok(place)
    }

    /// Refuses a folder or a file at the path that is not the one that was opened: one or two system calls unless something in the
    /// folder has changed.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path and what is wrong.
    pub fn check(&self) -> Result<()> {
        let found = look(&self.folder, fs::symlink_metadata(&self.folder))?;
        if Identity::of(&found, false) != self.identity {
            return Err(moved(&self.folder));
        }
        let times = Times::of(&found);
        let settled = *self.settled.lock() == Some(times);
        // A constant file that is written over changes nothing of the folder.
        for (file, identity) in self.files.iter().filter(|(file, _)| file.constant || !settled) {
            let path = || self.folder.join(file.name);
            match self.identity_of(*file) {
                Ok(found) if found == *identity => {}
                Ok(_) => return Err(moved(&path())),
                Err(error) => return Err(look(&path(), Err::<(), _>(error)).err().unwrap_or_else(|| moved(&path()))),
            }
        }
        if !settled && times.are_settled() {
            *self.settled.lock() = Some(times);
        }
        Ok(())
    }

    fn identity_of(&self, file: Relied) -> io::Result<Identity> {
        fs::symlink_metadata(self.folder.join(file.name)).map(|found| Identity::of(&found, file.constant))
    }
}

/// What the system says of a path; nothing there is one thing, no answer another.
fn look<T>(path: &Path, found: io::Result<T>) -> Result<T> {
    found.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => moved(path),
        _ => unknown(path, &error),
    })
}

#[cold]
fn moved(path: &Path) -> Error {
    Error::device(format!("{}: is not what this process has opened: it was moved, removed or replaced", path.display()))
}

#[cold]
fn unknown(path: &Path, error: &io::Error) -> Error {
    Error::device(format!("{}: cannot be examined: {error}; give this process access to the path", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::files::Access;
    use crate::testing::temporary;

    const FILES: [Relied; 3] = [
        Relied { name: "changing", constant: false },
        Relied { name: "constant", constant: true },
        Relied { name: "absent", constant: false },
    ];

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
    }

    /// Everything that can stand at the path instead of what was opened; each is refused, and all is well when it is undone.
    #[test]
    fn what_is_not_what_was_opened() {
        let home = temporary();
        let folder = home.path().join("hsm1");
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        let directory = directory.create_directory("hsm1", Access::default()).unwrap();
        for name in ["changing", "constant"] {
            write(&folder.join(name), "first");
        }
        let place = Place::of(&directory, &FILES).unwrap();
        let (file, away) = (folder.join("changing"), home.path().join("away"));
        write(&file, "another content of the same file");
        write(&folder.join("another"), "file in the folder");
        place.check().unwrap();
        let refused = |path: &Path| {
            let error = place.check().unwrap_err();
            assert_eq!(error.rv(), base::ck::CKR_DEVICE_ERROR);
            assert!(error.message().starts_with(&format!("{}: ", path.display())), "{error}");
        };
        fs::rename(&file, &away).unwrap();
        refused(&file);
        fs::copy(&away, &file).unwrap();
        refused(&file);
        fs::rename(&away, &file).unwrap();
        place.check().unwrap();
        fs::rename(&folder, &away).unwrap();
        refused(&folder);
        std::os::unix::fs::symlink(&away, &folder).unwrap();
        refused(&folder);
        fs::remove_file(&folder).unwrap();
        write(&folder, "no folder");
        refused(&folder);
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        place.check().unwrap();
        write(&folder.join("constant"), "second");
        refused(&folder.join("constant"));
    }

    /// The folder's times spare the look at each file only when they are old enough to tell two changes apart.
    #[test]
    fn times_that_stand_for_the_files() {
        let home = temporary();
        let directory = Directory::open(home.path(), Access::default()).unwrap();
        for name in ["changing", "constant"] {
            write(&home.path().join(name), "first");
        }
        let place = Place::of(&directory, &FILES).unwrap();
        place.check().unwrap();
        assert!(place.settled.lock().is_none(), "the folder has changed just now");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |seconds: u64| Times { modified: (0, 0), changed: (i64::try_from(seconds).unwrap(), 0) };
        assert!(at(now - 10).are_settled() && !at(now).are_settled() && !at(now + 10).are_settled());
    }
}
