//! Making a batch's changes in SQLite, in a transaction that is whole or not there.

use base::error::{Error, Result};
use rusqlite::Connection;

use super::connection::damaged;
use super::read::Reader;
use super::schema::{GENERATION, statements};
use crate::{Applied, Batch, Change, Durability, Kind, Record, Tag};

/// An open transaction; whatever way the function that has it ends, it is rolled back unless it was committed.
pub(super) struct Transaction<'a> {
    connection: &'a Connection,
    reader: Reader<'a>,
}

impl<'a> Transaction<'a> {
    /// Begins as a writer at once: a reader that becomes one could find that it has read old state.
    pub(super) fn begin(reader: Reader<'a>) -> Result<Self> {
        reader.statement("BEGIN IMMEDIATE")?.execute(()).map_err(|error| reader.failed(error))?;
        Ok(Self { connection: reader.connection, reader })
    }

    /// Begins as a reader, to whom the state stays that of the first read.
    pub(super) fn begin_reading(reader: Reader<'a>) -> Result<Self> {
        reader.statement("BEGIN")?.execute(()).map_err(|error| reader.failed(error))?;
        Ok(Self { connection: reader.connection, reader })
    }

    /// The one that was left open.
    pub(super) fn resume(reader: Reader<'a>) -> Self {
        Self { connection: reader.connection, reader }
    }

    /// Leaves it open, for whoever has the write lock to resume.
    pub(super) fn leave_open(self) {
        std::mem::forget(self);
    }

    /// Makes everything since [`Transaction::begin`] visible and, if the connection is set so, durable.
    pub(super) fn commit(self) -> Result<()> {
        self.reader.statement("COMMIT")?.execute(()).map_err(|error| self.reader.failed(error))?;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // If even this fails the connection refuses the next BEGIN, which is an error for its caller.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
    }
}

/// Sets whether commits wait for the disk. Outside of transactions only.
pub(super) fn set_durability(reader: Reader<'_>, durability: Durability) -> Result<()> {
    let sql = match durability {
        Durability::Synced => "PRAGMA synchronous = FULL",
        Durability::Lazy => "PRAGMA synchronous = NORMAL",
    };
    reader.connection.execute_batch(sql).map_err(|error| reader.failed(error))
}

/// Whether the transaction is gone: SQLite rolls it back by itself when so much as a read fails, for want of memory or of a disk,
/// and each statement after that would be committed on its own.
pub(super) fn is_lost(reader: Reader<'_>) -> bool {
    reader.connection.is_autocommit()
}

/// Makes the changes of a batch and raises the generation, whose new value is returned unless there is a conflict.
pub(super) fn apply(reader: Reader<'_>, batch: &Batch) -> Result<(Applied, u64)> {
    if matches!(make(reader, batch)?, Applied::Conflict) {
        return Ok((Applied::Conflict, 0));
    }
    let generation: i64 = reader
        .statement("UPDATE counters SET value = value + 1 WHERE name = ?1 RETURNING value")?
        .query_row([GENERATION], |row| row.get(0))
        .map_err(|error| reader.failed(error))?;
    let generation = u64::try_from(generation).map_err(|_| damaged(reader.path, "a negative generation"))?;
    Ok((Applied::Done, generation))
}

/// Makes the changes of a batch and leaves the generation as it is.
pub(super) fn apply_quietly(reader: Reader<'_>, batch: &Batch) -> Result<(Applied, u64)> {
    Ok((make(reader, batch)?, reader.generation()?))
}

fn make(reader: Reader<'_>, batch: &Batch) -> Result<Applied> {
    if is_lost(reader) {
        return Err(Error::device(format!(
            "{}: the disk failed in the middle of a change; repeat the call",
            reader.path.display()
        )));
    }
    let mut growth = Growth::default();
    for change in &batch.changes {
        let applied = match change {
            Change::Put { record, expected: 0, tags } => insert(reader, record, tags.as_deref(), &mut growth)?,
            Change::Put { record, expected, tags } => update(reader, record, *expected, tags.as_deref())?,
            Change::Delete { kind, id, expected } => delete(reader, *kind, *id, *expected, &mut growth)?,
        };
        if matches!(applied, Applied::Conflict) {
            return Ok(Applied::Conflict);
        }
    }
    growth.save(reader)?;
    Ok(Applied::Done)
}

/// Sets the generation, in the transaction that is open.
pub(super) fn set_generation(reader: Reader<'_>, generation: u64) -> Result<()> {
    reader
        .statement("UPDATE counters SET value = ?2 WHERE name = ?1")?
        .execute((GENERATION, signed(generation)))
        .map_err(|error| reader.failed(error))?;
    Ok(())
}

/// By how many records each kind has grown.
#[derive(Default)]
struct Growth([i64; Kind::ALL.len()]);

impl Growth {
    fn add(&mut self, kind: Kind, by: i64) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += by;
        }
    }

    fn save(&self, reader: Reader<'_>) -> Result<()> {
        for (kind, by) in Kind::ALL.into_iter().zip(self.0).filter(|(_, by)| *by != 0) {
            reader
                .statement("UPDATE counters SET value = value + ?2 WHERE name = ?1")?
                .execute((kind as u8, by))
                .map_err(|error| reader.failed(error))?;
        }
        Ok(())
    }
}

fn signed(value: u64) -> i64 {
    value.cast_signed()
}

fn insert(reader: Reader<'_>, record: &Record, tags: Option<&[Tag]>, growth: &mut Growth) -> Result<Applied> {
    let tags = tags.unwrap_or_default();
    let made = reader
        .statement(statements(record.kind).insert)?
        .execute((
            signed(record.id),
            signed(record.version),
            signed(record.class),
            signed(record.key_type),
            signed(record.owner),
            record.tier,
            &record.sealed,
            tags.iter().flat_map(|tag| tag.0).collect::<Vec<u8>>(),
        ))
        .map_err(|error| reader.failed(error))?;
    if made == 0 {
        return Ok(Applied::Conflict);
    }
    growth.add(record.kind, 1);
    list(reader, record.kind, record.id, tags)?;
    Ok(Applied::Done)
}

fn update(reader: Reader<'_>, record: &Record, expected: u64, tags: Option<&[Tag]>) -> Result<Applied> {
    let sql = statements(record.kind);
    // Read before the version changes.
    let old = match tags {
        Some(_) => own_tags(reader, record.kind, record.id, expected)?,
        None => None,
    };
    let made = reader
        .statement(sql.update)?
        .execute((
            signed(record.id),
            signed(record.version),
            signed(record.class),
            signed(record.key_type),
            signed(record.owner),
            record.tier,
            &record.sealed,
            signed(expected),
        ))
        .map_err(|error| reader.failed(error))?;
    if made == 0 {
        return Ok(Applied::Conflict);
    }
    if let Some(tags) = tags {
        let old = old.unwrap_or_default();
        let gone: Vec<Tag> = old.iter().filter(|tag| !tags.contains(tag)).copied().collect();
        let new: Vec<Tag> = tags.iter().filter(|tag| !old.contains(tag)).copied().collect();
        if !(gone.is_empty() && new.is_empty()) {
            unlist(reader, record.kind, record.id, &gone)?;
            list(reader, record.kind, record.id, &new)?;
            reader
                .statement(sql.update_tags)?
                .execute((signed(record.id), tags.iter().flat_map(|tag| tag.0).collect::<Vec<u8>>()))
                .map_err(|error| reader.failed(error))?;
        }
    }
    Ok(Applied::Done)
}

fn delete(reader: Reader<'_>, kind: Kind, id: u64, expected: u64, growth: &mut Growth) -> Result<Applied> {
    let Some(tags) = own_tags(reader, kind, id, expected)? else { return Ok(Applied::Conflict) };
    unlist(reader, kind, id, &tags)?;
    reader
        .statement(statements(kind).delete)?
        .execute((signed(id), signed(expected)))
        .map_err(|error| reader.failed(error))?;
    growth.add(kind, -1);
    Ok(Applied::Done)
}

/// The tags that a record lists as its own, or nothing if there is no such record of that version.
fn own_tags(reader: Reader<'_>, kind: Kind, id: u64, version: u64) -> Result<Option<Vec<Tag>>> {
    reader.listed(statements(kind).tags, (signed(id), signed(version)))
}

fn list(reader: Reader<'_>, kind: Kind, id: u64, tags: &[Tag]) -> Result<()> {
    each(reader, "INSERT INTO tags(tag, kind, id) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING", kind, id, tags)
}

fn unlist(reader: Reader<'_>, kind: Kind, id: u64, tags: &[Tag]) -> Result<()> {
    each(reader, "DELETE FROM tags WHERE tag = ?1 AND kind = ?2 AND id = ?3", kind, id, tags)
}

fn each(reader: Reader<'_>, sql: &str, kind: Kind, id: u64, tags: &[Tag]) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut statement = reader.statement(sql)?;
    for tag in tags {
        statement.execute((&tag.0[..], kind as u8, signed(id))).map_err(|error| reader.failed(error))?;
    }
    Ok(())
}
