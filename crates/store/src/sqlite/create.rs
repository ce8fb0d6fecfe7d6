//! A new HSM's folder: built complete under another name, then put in its place at once.
//!
//! So a folder of the right name is always whole. Of two creators one wins, and the other hears of it; a creator that is
//! killed leaves a folder that nobody opens and that a later creator removes.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base::error::{Error, Result};
use base::secret::Secret;
use platform::files::{Access, Directory, check_local, open_home, put_in_place};
use platform::flock::WriteLock;
use platform::fork::{self, store_gate};
use platform::generation::GenerationMap;
use platform::process;
use platform::signals::Unsignalled;

use super::connection;
use super::read::Reader;
use super::write::Transaction;
use super::{DATABASE, DEVICE_KEY, MAX_DEVICE_KEY, Options, SqliteStore, close_inherited, rewrite, schema};
use crate::{Batch, Source};

/// The age at which an unfinished folder is one that nobody is working on.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What a new HSM starts with.
pub struct NewHsm {
    /// The content of `device.key`.
    pub device_key: Secret,
    /// The first records.
    pub batch: Batch,
}

impl SqliteStore {
    /// Creates the folder of an HSM, `name` in `parent`, with what `initial` gives, and opens its store.
    ///
    /// # Errors
    /// What `initial` returns; `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it, also if there is
    /// such a folder already or another process was faster.
    pub fn create(
        parent: &Path,
        name: &str,
        access: Access,
        options: Options,
        initial: &mut dyn FnMut() -> Result<NewHsm>,
    ) -> Result<Self> {
        Self::create_in(parent, name, access, options, &mut |folder| {
            let new = initial()?;
            let mut batch = Some(new.batch);
            build(folder, access, &new.device_key, &mut |_| Ok(batch.take()))
        })
    }

    /// The same from records that come batch by batch.
    ///
    /// # Errors
    /// As [`SqliteStore::create`], with what `source` returns.
    pub fn create_from(
        parent: &Path,
        name: &str,
        access: Access,
        options: Options,
        device_key: &Secret,
        source: &mut Source<'_>,
    ) -> Result<Self> {
        Self::create_in(parent, name, access, options, &mut |folder| build(folder, access, device_key, source))
    }

    fn create_in(
        parent: &Path,
        name: &str,
        access: Access,
        options: Options,
        build: &mut dyn FnMut(&Directory) -> Result<()>,
    ) -> Result<Self> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(Error::device(format!("{name:?}: is no name for an HSM's folder; use letters and digits")));
        }
        let _unsignalled = Unsignalled::new();
        fork::install()?;
        let home = open_home(parent, access)?;
        if !options.allow_network_file_system {
            check_local(&home)?;
        }
        let place = parent.join(name);
        if Self::exists(&place) {
            return Err(Error::device(format!("{}: already exists; use that HSM or another name", place.display())));
        }
        sweep(&home, name);
        let unfinished = format!(".{name}.{:016x}", process::unique_number());
        let built = home
            .create_directory(&unfinished, access)
            .and_then(|folder| build(&folder))
            .and_then(|()| put_in_place(&home, &unfinished, name))
            .and_then(|()| home.sync());
        if let Err(error) = built {
            // Gone already if it was put in place.
            drop(std::fs::remove_dir_all(home.path().join(&unfinished)));
            return Err(error);
        }
        Self::open(&place, access, options)
    }
}

/// Makes every file of an HSM and waits until all are on the disk.
fn build(folder: &Directory, access: Access, device_key: &Secret, source: &mut Source<'_>) -> Result<()> {
    if device_key.is_empty() || device_key.len() > MAX_DEVICE_KEY {
        return Err(Error::internal("a device key of no possible length"));
    }
    WriteLock::create(folder, access)?;
    GenerationMap::create(folder, access)?;
    let mut key = folder.create_file(DEVICE_KEY, access)?;
    key.write_all(device_key.expose()).and_then(|()| key.sync_all()).map_err(|error| {
        Error::device(format!(
            "{}: cannot be written: {error}; free some space",
            folder.path().join(DEVICE_KEY).display()
        ))
    })?;
    fill(folder, access, source)?;
    folder.sync()
}

/// Makes the database. Closing it at the end moves everything from the log into the file and syncs that.
fn fill(folder: &Directory, access: Access, source: &mut Source<'_>) -> Result<()> {
    let path = folder.canonical_path().join(DATABASE);
    // Made by us, with our permissions, which SQLite then gives to its other files; closed before SQLite opens it.
    drop(folder.create_file(DATABASE, access)?);
    close_inherited();
    let _gate = store_gate();
    let connection = connection::open(&path)?;
    connection::use_wal(&connection, &path)?;
    let reader = Reader { connection: &connection, path: &path };
    let transaction = Transaction::begin(reader)?;
    schema::create(&connection).map_err(|error| reader.failed(error))?;
    rewrite::apply_all(reader, source)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| connection::failed(&path, error))
}

/// Removes what creators of this name that were killed have left. Best effort.
fn sweep(home: &Directory, name: &str) {
    let Ok(entries) = std::fs::read_dir(home.path()) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let unfinished =
            found.to_str().and_then(|found| found.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.'));
        if !unfinished.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            continue;
        }
        let age =
            entry.metadata().and_then(|status| status.modified()).map(|time| SystemTime::now().duration_since(time));
        if age.is_ok_and(|age| age.is_ok_and(|age| age > ABANDONED)) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
