//! The tables, their format number, and how an older format becomes the present one.
//!
//! One table for each kind of record, because a number is unique within its kind only and SQLite finds a row by one
//! number fastest. `tags` is the blind index; a record also lists its own tags, so that replacing them needs no
//! second index. `counters` holds the number of records by kind and the generation, in one page that each commit
//! writes anyway.

use std::path::Path;

use base::error::{Error, Result};
use platform::files::{Access, Directory};
use rusqlite::Connection;

use super::connection::{damaged, failed};
use crate::{Kind, MAX_SEALED};

/// The format that this library writes.
pub(super) const FORMAT: i64 = 1;
/// The row of `counters` that holds the generation; the others are numbered as their kinds.
pub(super) const GENERATION: i64 = 100;

/// One step from a format to the next.
pub(super) struct Step {
    /// The format that it starts from; it ends at the next.
    pub(super) from: i64,
    /// What it does.
    pub(super) sql: &'static str,
}

/// All steps from the first format on.
pub(super) const STEPS: &[Step] = &[];

/// Makes the tables, empty, in the transaction that is open.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    for kind in Kind::ALL {
        let table = statements(kind).table;
        connection.execute_batch(&format!(
            "CREATE TABLE {table}(id INTEGER PRIMARY KEY, version INTEGER NOT NULL, class INTEGER NOT NULL, \
             key_type INTEGER NOT NULL, owner INTEGER NOT NULL, tier INTEGER NOT NULL, tags BLOB NOT NULL, \
             sealed BLOB NOT NULL) STRICT;"
        ))?;
    }
    connection.execute_batch(
        // Objects of one class in ascending order without reading those of others, or any of their content.
        "CREATE INDEX objects_class ON objects(class, id, key_type, tier);
         CREATE TABLE tags(tag BLOB NOT NULL, kind INTEGER NOT NULL, id INTEGER NOT NULL, \
             PRIMARY KEY(tag, kind, id)) STRICT, WITHOUT ROWID;
         CREATE TABLE counters(name INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;",
    )?;
    let mut insert = connection.prepare("INSERT INTO counters(name, value) VALUES(?1, ?2)")?;
    for kind in Kind::ALL {
        insert.execute((kind as u8, 0))?;
    }
    insert.execute((GENERATION, 0))?;
    connection.execute_batch(&format!("PRAGMA application_id = 0x4348534D; PRAGMA user_version = {FORMAT};"))
}

/// The format of the database, as it says itself.
pub(super) fn format(connection: &Connection, path: &Path) -> Result<i64> {
    connection.query_row("PRAGMA user_version", (), |row| row.get(0)).map_err(|error| failed(path, error))
}

/// Refuses what is no database of ours or of a newer library; true if it is of an older one.
pub(super) fn is_older(format: i64, newest: i64, path: &Path) -> Result<bool> {
    if format < 1 {
        return Err(damaged(path, "it says no format"));
    }
    if format > newest {
        return Err(Error::device(format!(
            "{}: is of format {format}, this library reads up to {newest}; use a newer library",
            path.display()
        )));
    }
    Ok(format < newest)
}

/// Copies the database next to itself and then brings it to the format `newest`, in one transaction.
///
/// For the holder of the write lock, so that the copy and the transaction are of the same state.
pub(super) fn upgrade(
    connection: &Connection,
    directory: &Directory,
    access: Access,
    path: &Path,
    newest: i64,
    steps: &[Step],
) -> Result<()> {
    // Another process may have done it while this one waited for the lock.
    let from = format(connection, path)?;
    if !is_older(from, newest, path)? {
        return Ok(());
    }
    let copy = format!("hsm.db.format-{from}");
    // What an upgrade that was killed has left; the database is still of the old format, so nothing is lost.
    drop(std::fs::remove_file(directory.path().join(&copy)));
    directory.create_file(&copy, access)?.sync_all().map_err(|error| {
        Error::device(format!(
            "{}: cannot be written: {error}; free some space",
            directory.path().join(&copy).display()
        ))
    })?;
    let place = path.with_file_name(&copy);
    connection
        .execute("VACUUM INTO ?1", [place.to_str().ok_or_else(|| damaged(path, "its path is not text"))?])
        .map_err(|error| failed(&place, error))?;
    directory.sync()?;
    let changed = (|| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut now = from;
        while let Some(step) = steps.iter().find(|step| step.from == now && now < newest) {
            connection.execute_batch(step.sql)?;
            now = now.saturating_add(1);
        }
        connection.execute_batch(&format!("PRAGMA user_version = {now}; COMMIT"))?;
        Ok(now)
    })();
    if !connection.is_autocommit() {
        drop(connection.execute_batch("ROLLBACK"));
    }
    match changed.map_err(|error| failed(path, error))? {
        now if now == newest => Ok(()),
        now => Err(Error::device(format!(
            "{}: is of format {now}, from which no step leads to {newest}; use a library in between",
            path.display()
        ))),
    }
}

/// The statements about the records of one kind. Text that never changes, so that SQLite compiles each once.
pub(super) struct Statements {
    pub(super) table: &'static str,
    pub(super) read: &'static str,
    pub(super) version: &'static str,
    pub(super) versions: &'static str,
    pub(super) tags: &'static str,
    pub(super) all_tags: &'static str,
    pub(super) insert: &'static str,
    pub(super) update: &'static str,
    pub(super) update_tags: &'static str,
    pub(super) delete: &'static str,
}

/// The limit stands in the text of a statement, where no constant can.
const _: () = assert!(MAX_SEALED == 4_194_304, "the columns of a record have the limit of the store");

/// A record's columns. Content beyond the limit reads as null, so that a tampered length allocates nothing.
macro_rules! columns {
    () => {
        "id, version, class, key_type, owner, tier, CASE WHEN length(sealed) <= 4194304 THEN sealed END"
    };
}

/// [`columns!`] for statements that are put together.
pub(super) const COLUMNS: &str = columns!();

macro_rules! statements {
    ($table:literal) => {
        &Statements {
            table: $table,
            read: concat!("SELECT ", columns!(), " FROM ", $table, " WHERE id = ?1"),
            version: concat!("SELECT version FROM ", $table, " WHERE id = ?1"),
            versions: concat!("SELECT id, version FROM ", $table, " WHERE id > ?1 ORDER BY id LIMIT ?2"),
            tags: concat!("SELECT tags FROM ", $table, " WHERE id = ?1 AND version = ?2"),
            all_tags: concat!("SELECT tags FROM ", $table, " WHERE id = ?1"),
            insert: concat!(
                "INSERT INTO ",
                $table,
                "(id, version, class, key_type, owner, tier, sealed, tags) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT DO NOTHING"
            ),
            update: concat!(
                "UPDATE ",
                $table,
                " SET version = ?2, class = ?3, key_type = ?4, owner = ?5, tier = ?6, sealed = ?7 \
                 WHERE id = ?1 AND version = ?8"
            ),
            update_tags: concat!("UPDATE ", $table, " SET tags = ?2 WHERE id = ?1"),
            delete: concat!("DELETE FROM ", $table, " WHERE id = ?1 AND version = ?2"),
        }
    };
}

/// The statements about one kind.
pub(super) const fn statements(kind: Kind) -> &'static Statements {
    match kind {
        Kind::Meta => statements!("metas"),
        Kind::User => statements!("users"),
        Kind::Object => statements!("objects"),
        Kind::Share => statements!("shares"),
        Kind::Quorum => statements!("quorums"),
        Kind::Audit => statements!("audits"),
    }
}
