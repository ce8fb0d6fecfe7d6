//! The file: read and replaced under one lock, whole or not at all.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use crate::Reason;

/// The mode of a new file: the folder says who may come as far as this, and there is no secret in it.
const NEW: u32 = 0o644;
/// Where AWS's package has its logs.
const LOGS_OF_AWS: &str = "/opt/cloudhsm/run";

/// The file to be changed, and its folder, which is locked so that two changes come one after the other.
pub(crate) struct Target {
    path: PathBuf,
    folder: File,
}

impl Target {
    /// Makes the folder if it is not there, and waits until no other change is under way.
    pub(crate) fn open(path: PathBuf) -> Reason<Self> {
        // A link is followed to the file that it means, which is then replaced in its own folder.
        let path = match fs::canonicalize(&path) {
            Ok(real) => real,
            Err(error) if error.kind() == ErrorKind::NotFound => path,
            Err(error) => return Err(said(&path, &error)),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_folder(folder).map_err(|error| said(folder, &error))?;
        let locked = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        let folder = locked.map_err(|error| said(folder, &error))?;
        Ok(Self { path, folder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The text, or nothing if the file is not there.
    pub(crate) fn read(&self) -> Reason<Option<String>> {
        // The other end of a pipe would be waited for.
        if fs::metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            return Err(said(&self.path, &io::Error::other("is not a file")));
        }
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(said(&self.path, &error)),
        }
    }

    /// Puts `text` in the place of the file, whose mode and owner stay.
    pub(crate) fn replace(&self, text: &str) -> Reason {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let new = self.path.with_file_name(format!(".{name}.{}", std::process::id()));
        let written = self.write(&new, text).and_then(|()| fs::rename(&new, &self.path));
        written.and_then(|()| self.folder.sync_all()).map_err(|error| {
            drop(fs::remove_file(&new));
            said(&self.path, &error)
        })
    }

    fn write(&self, new: &Path, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        let made = file.metadata()?;
        let (mode, owner) = match fs::metadata(&self.path) {
            Ok(old) => (old.mode() & 0o7777, Some(old)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                (NEW, Some(self.folder.metadata()?).filter(|folder| adopts(folder, &made)))
            }
            Err(error) => return Err(error),
        };
        if let Some(owner) = owner.filter(|owner| (owner.uid(), owner.gid()) != (made.uid(), made.gid())) {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// The log file of a tool that names none: AWS's where AWS's folder of logs is there, else one beside the file.
    pub(crate) fn usual_log(&self, name: &str) -> String {
        let folder = Path::new(LOGS_OF_AWS);
        let path = if folder.is_dir() { folder.join(name) } else { self.path.with_file_name(name) };
        path.to_string_lossy().into_owned()
    }
}

/// Makes a folder and what is missing above it, each for this account alone and in the name of the owner of the one above.
fn make_folder(folder: &Path) -> io::Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let (false, Some(above)) = (folder.is_dir(), above) else { return Ok(()) };
    make_folder(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            let above = fs::metadata(above)?;
            if adopts(&above, &fs::metadata(folder)?) {
                chown(folder, Some(above.uid()), Some(above.gid()))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether what root has made becomes its folder's owner's: root configures for the account whose folder it is. A folder in
/// which several accounts write is no owner's.
fn adopts(folder: &Metadata, made: &Metadata) -> bool {
    made.uid() == 0 && folder.uid() != 0 && folder.mode() & 0o022 == 0
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
