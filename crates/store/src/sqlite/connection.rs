//! One connection to SQLite: how it is opened, and what its errors mean to a caller.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use base::ck;
use base::error::{Error, Result};
use platform::files;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// How long SQLite itself waits for a lock: only checkpoints and recovery still contend, writers queue before it.
const BUSY: Duration = Duration::from_secs(10);
/// More statements than there are, so that each is compiled once.
const STATEMENTS: usize = 64;

/// Settings that belong to a connection, not to the file, so each open makes them anew:
/// no memory mapping (a truncated file would be SIGBUS in the host program), one fsync for each commit, a short WAL
/// (a long one is read at the next cold start), deleted content overwritten with zeros.
const SETTINGS: &str = "PRAGMA mmap_size = 0; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; \
    PRAGMA journal_size_limit = 4194304; PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON; \
    PRAGMA temp_store = MEMORY;";

/// The longest path of a database that SQLite opens, which adds endings of up to 12 bytes to it (`MAX_PATHNAME` of os_unix.c is 512).
const LONGEST_PATH: usize = 499;

/// Opens the database file at `path`, which must exist and whose path must contain no symbolic link.
///
/// For the holder of the store gate, as everything with a connection is.
pub(super) fn open(path: &Path) -> Result<Connection> {
    // No mutex: the store gate admits one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        let path = path.display();
        return Err(Error::device(format!(
            "{path}: this path has {length} bytes, SQLite takes {LONGEST_PATH}; use a shorter path for the home directory"
        )));
    }
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, error))?;
    settle(&connection).map_err(|error| failed(path, error))?;
    Ok(connection)
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The file is not trusted: its schema may call no function, run no trigger, and SQL cannot damage it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // Plans do not depend on the values bound; else SQLite compiles a search anew for every value (10 us each).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(SETTINGS)
}

/// Puts the database into WAL mode, which it keeps; free when it is in it already.
pub(super) fn use_wal(connection: &Connection, path: &Path) -> Result<()> {
    let mode = connection
        .query_row("PRAGMA journal_mode = WAL", (), |row| row.get::<_, String>(0))
        .map_err(|error| failed(path, error))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Error::device(format!("{}: cannot use a write-ahead log; move it to a local disk", path.display())))
}

/// What an error of SQLite means to the caller.
#[cold]
pub(super) fn failed(path: &Path, error: rusqlite::Error) -> Error {
    // What SQLite's last system call has said, if it has failed; SQLite tells nobody.
    let system = std::io::Error::last_os_error();
    let path = path.display();
    let Some(code) = error.sqlite_error_code() else {
        // Everything else that rusqlite reports here is a column of the wrong type or out of range.
        return Error::device(format!("{path}: is damaged ({error}); run `cloudhsm-cli doctor`"));
    };
    let refused = matches!(system.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported);
    match code {
        ErrorCode::SystemIoFailure if refused => {
            Error::device(format!("{path}: input or output failed ({error}; {system}); {}", files::cure(&system)))
        }
        _ if is_full(&error) => {
            Error::with(ck::CKR_DEVICE_MEMORY, format!("{path}: the file system is full; free some space"))
        }
        ErrorCode::OutOfMemory => Error::with(ck::CKR_HOST_MEMORY, format!("{path}: no memory; free some")),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::device(format!(
            "{path}: locked by another process for more than {} s; wait for it or end it",
            BUSY.as_secs()
        )),
        ErrorCode::CannotOpen if let Err(reason) = std::fs::File::open("/") => {
            Error::device(format!("{path}: cannot be opened ({reason}); {}", files::cure(&reason)))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            Error::device(format!("{path}: cannot be opened for writing ({error}); check its owner, mode and folder"))
        }
        ErrorCode::SystemIoFailure => {
            Error::device(format!("{path}: input or output failed ({error}); check the disk and the system's log"))
        }
        _ => Error::device(format!("{path}: is damaged ({error}); run `cloudhsm-cli doctor`")),
    }
}

/// Whether there is no room: for pages, or for the index of the log, whose file SQLite cannot make longer.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// The error for content that cannot be right.
#[cold]
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    Error::device(format!("{}: is damaged ({what}); run `cloudhsm-cli doctor`", path.display()))
}
