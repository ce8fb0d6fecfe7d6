//! The store in SQLite: one file, one connection for each process, safe over forks and kills.
//!
//! SQLite is fast and durable but dangerous to a library that programs fork: a child that uses an inherited connection,
//! or merely leaks it and opens another, destroys the database. Hence the rules, each kept in one place:
//!
//! 1. all use of a connection is inside the store gate, which a fork takes first (`Inner::with`);
//! 2. a child closes every inherited connection before it opens any ([`close_inherited`]);
//! 3. writers queue at the write lock, whose descriptor a child does not keep (`platform::flock`);
//! 4. a write begins as a write (`BEGIN IMMEDIATE`), and never out of a read; one that is left open is resumed by the next holder of
//!    the write lock and the gate, which were not free in between (`group`);
//! 5. the settings that a connection can forget are made at each open (`connection`);
//! 6. the WAL stays short, so that a cold start has little to recover;
//! 7. file systems that machines share are refused;
//! 8. SQLite is built with what the store needs (`.cargo/config.toml`).
//!
//! No other code of ours may open the database file: closing any descriptor of it drops this process's locks.

mod care;
mod connection;
mod create;
mod group;
mod read;
mod rewrite;
mod room;
mod schema;
mod turn;
mod write;

#[cfg(test)]
mod figures;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod process_tests;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
pub(crate) mod tests;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
pub use create::NewHsm;
use platform::cancellation::Uncancelled;
use platform::files::{Access, Directory, Place, Relied, check_home, check_local};
use platform::flock::{self, WriteLock};
use platform::fork::{self, store_gate};
use platform::generation::{self, GenerationMap};
use platform::lock::Lock;
use platform::process;
use platform::reserve::Reserve;
use platform::signals::Unsignalled;
use rusqlite::Connection;

use self::group::Passed;
use self::read::Reader;
use self::write::Transaction;
use super::{Batch, Durability, Kind, Outline, Record, Selection, Source, Store, Tag, Turn, View};

/// The database's name in the folder of an HSM.
const DATABASE: &str = "hsm.db";
/// The name that SQLite gives to the database's log.
const LOG: &str = "hsm.db-wal";
/// The name that SQLite gives to the log's index.
const INDEX: &str = "hsm.db-shm";
/// The name that SQLite gives to the journal of a database without a log, and which it looks for at each open.
const JOURNAL: &str = "hsm.db-journal";
/// The device key's name in the folder of an HSM.
const DEVICE_KEY: &str = "device.key";
/// The longest device key file.
const MAX_DEVICE_KEY: usize = 4096;

/// What a process that writes relies on, by its name in the folder: where the database is, where its commits go first, what keeps
/// other writers out, what tells of their commits, and what opens it all the next time.
const RELIED: [Relied; 6] = [
    Relied { name: DATABASE, constant: false },
    Relied { name: LOG, constant: false },
    Relied { name: INDEX, constant: false },
    Relied { name: flock::NAME, constant: false },
    Relied { name: generation::NAME, constant: false },
    Relied { name: DEVICE_KEY, constant: true },
];

/// What an administrator may decide about the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Whether the folder may be on a file system that other machines could use too.
    pub allow_network_file_system: bool,
}

/// Every open store of this process, for the child of a fork. Taken inside the store gate only.
static OPEN: Lock<Vec<Weak<Inner>>> = Lock::new(Vec::new());

/// An HSM's store in its folder.
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    database: PathBuf,
    /// What was opened, to be compared with what stands at the path.
    place: Place,
    map: GenerationMap,
    lock: WriteLock,
    reserve: Reserve,
    /// The fork epoch in which the connection was opened.
    epoch: u64,
    /// Which of its lives the HSM was in when this was opened (`rewrite`).
    life: u64,
    /// Taken inside the store gate only, so it is free in every child.
    connection: Lock<Option<Open>>,
    /// The transaction that a thread has passed on with the write lock; taken inside the store gate only.
    passed: Lock<Option<Passed>>,
}

/// The connection, and how its commits are set.
struct Open {
    connection: Connection,
    durability: Durability,
}

impl SqliteStore {
    /// Opens the store of the HSM whose folder is `dir`.
    ///
    /// In the child of a fork this first closes every connection that the child inherited.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it; `CKR_GENERAL_ERROR` in a process that was
    /// made by a raw `clone`, where nothing is known about inherited connections.
    pub fn open(dir: &Path, access: Access, options: Options) -> Result<Self> {
        let _unsignalled = Unsignalled::new();
        fork::install()?;
        if !fork::is_tracked() {
            return Err(Error::internal(
                "this process was made by a raw clone system call, which no library can prepare for; use fork",
            ));
        }
        if let Some(home) = dir.parent().filter(|home| !home.as_os_str().is_empty()) {
            check_home(home, access)?;
        }
        let directory = Directory::open(dir, access)?;
        if !options.allow_network_file_system {
            check_local(&directory)?;
        }
        if directory.check_file(DATABASE, access)? == 0 {
            // Not for SQLite, to which this is a new database whose log is left over and can go.
            return Err(connection::damaged(&dir.join(DATABASE), "it is empty"));
        }
        // SQLite would read from what it may not write, give its side files the same mode, and fail at the first commit.
        directory.check_writable(".")?;
        directory.check_writable(DATABASE)?;
        for name in [LOG, INDEX] {
            if directory.check_file_if_there(name, access)?.is_some() {
                directory.check_writable(name).or_else(|error| gone(&directory, name, access, error))?;
            }
        }
        // It waits for ever for the other end of a pipe of that name.
        directory.check_file_if_there(JOURNAL, access)?;
        let lock = WriteLock::open(&directory, access)?;
        let map = GenerationMap::open(&directory, access)?;
        let database = directory.canonical_path().join(DATABASE);
        close_inherited();
        // From here to the end of the function no fork can come between opening and noting the connection.
        let _gate = store_gate();
        let connect = || -> Result<Connection> {
            let connection = connection::open(&database)?;
            let format = schema::format(&connection, &database)?;
            check_length(&connection, &directory, access, &database)?;
            if schema::is_older(format, schema::FORMAT, &database)? {
                // This may sleep inside the gate: once in the life of a format.
                let _held = lock.acquire(process::now() + flock::PATIENCE, &map)?;
                schema::upgrade(&connection, &directory, access, &database, schema::FORMAT, schema::STEPS)?;
            }
            connection::use_wal(&connection, &database)?;
            Ok(connection)
        };
        let reserve = Reserve::of(&directory, access);
        let connection = match connect() {
            // SQLite's side files need room even to read.
            Err(error) if error.rv() == ck::CKR_DEVICE_MEMORY && reserve.give_up() => connect()?,
            connected => connected?,
        };
        let reader = Reader { connection: &connection, path: &database };
        repair(&lock, &map, reader)?;
        let life = rewrite::life_of(reader.generation()?);
        reserve.keep(&directory);
        let open = Open { connection, durability: Durability::Synced };
        // Last, when SQLite has opened its side files too.
        let place = Place::of(&directory, &RELIED)?;
        let inner = Arc::new(Inner {
            database,
            place,
            map,
            lock,
            reserve,
            epoch: fork::epoch(),
            life,
            connection: Lock::new(Some(open)),
            passed: Lock::new(None),
        });
        let mut all = OPEN.lock();
        all.retain(|store| store.strong_count() > 0);
        all.push(Arc::downgrade(&inner));
        Ok(Self(inner))
    }

    /// Whether there is an HSM's folder at `dir`, or anything else of that name, or something in the way of an answer:
    /// then opening it says what.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        match std::fs::symlink_metadata(dir) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            // The home itself is a file: a mistake. Something above it is (HOME=/dev/null): there is no home.
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                dir.parent().is_some_and(|home| std::fs::symlink_metadata(home).is_ok())
            }
            Err(_) => true,
        }
    }

    /// The device key of the HSM whose folder is `dir`.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn device_key(dir: &Path, access: Access) -> Result<Secret> {
        let bytes = Directory::open(dir, access)?.read_file(DEVICE_KEY, access, MAX_DEVICE_KEY)?;
        Ok(Secret::new(bytes))
    }
}

/// Closes every connection that this process inherited from the one that forked it.
///
/// Nothing to do in a process that opened all its connections itself. Must come before a child opens any file of an HSM.
pub fn close_inherited() {
    let _gate = store_gate();
    let epoch = fork::epoch();
    OPEN.lock().retain(|store| match store.upgrade() {
        Some(store) if store.epoch != epoch => {
            store.close();
            false
        }
        Some(_) => true,
        None => false,
    });
}

/// An error about a side file is none if another process has closed the database meanwhile, which removes them.
fn gone(directory: &Directory, name: &str, access: Access, error: Error) -> Result<()> {
    if directory.check_file_if_there(name, access)?.is_none() { Ok(()) } else { Err(error) }
}

/// Refuses a database that has lost its end, which SQLite would notice only where it looks, and after commits that hide
/// the loss.
///
/// The order makes it right beside other processes: what was counted first is in the file if the log is empty later.
fn check_length(connection: &Connection, directory: &Directory, access: Access, database: &Path) -> Result<()> {
    let ask = |what: &str| connection.query_row(what, (), |row| row.get::<_, i64>(0));
    let failed = |error| connection::failed(database, error);
    let length = ask("PRAGMA page_count").map_err(failed)?.saturating_mul(ask("PRAGMA page_size").map_err(failed)?);
    if directory.check_file_if_there(LOG, access)?.is_some_and(|log| log > 0) {
        return Ok(());
    }
    let found = directory.check_file(DATABASE, access)?;
    if i64::try_from(found).is_ok_and(|found| found < length) {
        return Err(connection::damaged(database, &format!("it has {found} bytes of {length}")));
    }
    Ok(())
}

/// Sets a map right that a killed writer, or a folder put back from a backup, has left wrong; if a writer is at work,
/// that one will.
fn repair(lock: &WriteLock, map: &GenerationMap, reader: Reader<'_>) -> Result<()> {
    if map.current() != Some(reader.generation()?)
        && let Some(_held) = lock.try_acquire()?
    {
        map.finish(reader.generation()?);
    }
    Ok(())
}

impl Inner {
    /// Runs `f` on the connection, inside the store gate.
    fn with<R>(&self, f: impl FnOnce(&mut Open) -> Result<R>) -> Result<R> {
        let _whole = Uncancelled::new();
        let _gate = store_gate();
        let Some(mut open) = self.connection.try_lock() else {
            return Err(Error::internal("the store is used inside its own write"));
        };
        if self.epoch != fork::epoch() {
            return Err(Error::internal("the store was opened before a fork; initialise again"));
        }
        // While a commit is under way this says nothing; a writer asks the database.
        if let Some(generation) = self.map.current() {
            self.check_life(generation)?;
        }
        f(open.as_mut().ok_or(Error::new(ck::CKR_CRYPTOKI_NOT_INITIALIZED, "C_Finalize has closed the store"))?)
    }

    /// Runs `f` on a reader.
    fn reading<R>(&self, f: impl FnOnce(Reader<'_>) -> Result<R>) -> Result<R> {
        self.with(|open| f(Reader { connection: &open.connection, path: &self.database }))
    }

    /// Refuses what stands at the path if it is not what was opened; `change` says what became of a change, `then` what else to do.
    fn check_place(&self, change: &str, then: &str) -> Result<()> {
        self.place.check().map_err(|error| {
            Error::with(error.rv(), format!("{}; {change}; call C_Finalize and C_Initialize{then}", error.message()))
        })
    }

    fn close(&self) {
        let _whole = Uncancelled::new();
        let _unsignalled = Unsignalled::new();
        let _gate = store_gate();
        // Busy only inside the store's own write, which a fork or a panic may have cut off: then it stays open, and the
        // process is not one that can go on anyway.
        let Some(mut open) = self.connection.try_lock() else { return };
        match open.take() {
            // The same, between two steps of the write.
            Some(cut_off) if self.epoch != fork::epoch() && !cut_off.connection.is_autocommit() => {
                std::mem::forget(cut_off);
            }
            whole => drop(whole),
        }
    }
}

/// What makes a batch from the newest state.
type Builder<'a> = dyn FnMut(&dyn View) -> Result<Batch> + 'a;

impl Drop for Inner {
    fn drop(&mut self) {
        // Explicit, because the connection must go inside the gate.
        self.close();
    }
}

impl View for SqliteStore {
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>> {
        self.0.reading(|reader| reader.read(kind, id))
    }

    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>> {
        self.0.reading(|reader| reader.version(kind, id))
    }

    fn scan(&self, selection: &Selection) -> Result<Vec<Record>> {
        self.0.reading(|reader| reader.scan(selection))
    }

    fn outlines(&self, selection: &Selection) -> Result<Vec<Outline>> {
        self.0.reading(|reader| reader.outlines(selection))
    }

    fn find(&self, tags: &[Tag], selection: &Selection) -> Result<Vec<u64>> {
        self.0.reading(|reader| reader.find(tags, selection))
    }

    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>> {
        self.0.reading(|reader| reader.versions(kind, after, limit))
    }

    fn count(&self, kind: Kind) -> Result<u64> {
        self.0.reading(|reader| reader.count(kind))
    }

    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>> {
        self.0.reading(|reader| reader.tags(kind, id))
    }
}

impl Store for SqliteStore {
    fn write(&self, durability: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<u64> {
        let _whole = Uncancelled::new();
        let _unsignalled = Unsignalled::new();
        self.0.write(durability, build)
    }

    fn in_turn(&self, work: &mut dyn FnMut(&dyn Turn) -> Result<()>) -> Result<()> {
        let _unsignalled = Unsignalled::new();
        self.0.in_turn(work)
    }

    fn look(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        self.0.reading(|reader| {
            let transaction = Transaction::begin_reading(reader)?;
            read(&reader)?;
            transaction.commit()
        })
    }

    fn generation(&self) -> u64 {
        static UNKNOWN: AtomicU64 = AtomicU64::new(u64::MAX);
        self.0.map.current().unwrap_or_else(|| {
            self.0.reading(|reader| reader.generation()).unwrap_or_else(|_| UNKNOWN.fetch_sub(1, Ordering::Relaxed))
        })
    }

    fn rehearse(&self, source: &mut Source<'_>) -> Result<()> {
        self.0.rehearse(source)
    }

    fn check_place(&self) -> Result<()> {
        self.0.with(|_| self.0.check_place("nothing was looked up", ""))
    }

    fn close(&self) {
        self.0.close();
    }
}
