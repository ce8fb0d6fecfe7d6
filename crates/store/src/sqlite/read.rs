//! Reading records out of SQLite. Every answer is copied out, and nothing in the file is believed.

use std::path::Path;

use base::error::{Error, Result};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params_from_iter};

use super::connection::{damaged, failed};
use super::schema::{COLUMNS, GENERATION, statements};
use crate::{Kind, MAX_TAGS, Outline, Record, Selection, Tag, View};

/// How many entries of a tag are counted to see which of several is rarest.
const PROBE: i64 = 64;
/// A tag with fewer entries than this is rare enough to look no further.
const RARE: i64 = 8;

/// A connection in use, and the file that its errors name.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) path: &'a Path,
}

impl Reader<'_> {
    /// The statement for `sql`, compiled at its first use.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql).map_err(|error| self.failed(error))
    }

    #[cold]
    pub(super) fn failed(&self, error: rusqlite::Error) -> Error {
        failed(self.path, error)
    }

    /// A number that must not be negative.
    fn number(&self, value: i64) -> Result<u64> {
        u64::try_from(value).map_err(|_| damaged(self.path, "a negative number"))
    }

    fn counter(&self, name: i64) -> Result<u64> {
        let value = self
            .statement("SELECT value FROM counters WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .map_err(|error| self.failed(error))?;
        self.number(value)
    }

    /// The generation as the database has it.
    pub(super) fn generation(&self) -> Result<u64> {
        self.counter(GENERATION)
    }

    fn record(&self, kind: Kind, row: &Row<'_>) -> Result<Record> {
        let get = |index| row.get::<_, i64>(index).map_err(|error| self.failed(error));
        let sealed = row
            .get_ref(6)
            .map_err(|error| self.failed(error))?
            .as_blob()
            .map_err(|_| damaged(self.path, "a record that is too long or no blob"))?;
        Ok(Record {
            kind,
            id: self.number(get(0)?)?,
            version: self.number(get(1)?)?,
            // Classes and types use all 64 bits, so their numbers may be negative to SQLite.
            class: get(2)?.cast_unsigned(),
            key_type: get(3)?.cast_unsigned(),
            owner: get(4)?.cast_unsigned(),
            tier: u8::try_from(get(5)?).map_err(|_| damaged(self.path, "a tier out of range"))?,
            sealed: sealed.to_vec(),
        })
    }

    /// The columns of [`OUTLINE`].
    fn outline(&self, row: &Row<'_>) -> Result<Outline> {
        let get = |index| row.get::<_, i64>(index).map_err(|error| self.failed(error));
        Ok(Outline {
            id: self.number(get(0)?)?,
            class: get(1)?.cast_unsigned(),
            key_type: get(2)?.cast_unsigned(),
            owner: get(3)?.cast_unsigned(),
            tier: u8::try_from(get(4)?).map_err(|_| damaged(self.path, "a tier out of range"))?,
        })
    }

    /// All rows of `sql`, made into values by `one`.
    fn rows<T>(&self, sql: &str, values: impl Params, mut one: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(values).map_err(|error| self.failed(error))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            all.push(one(row)?);
        }
        Ok(all)
    }

    /// The tags that a record lists as its own; nothing if `sql` finds no record.
    pub(super) fn listed(&self, sql: &str, values: impl Params) -> Result<Option<Vec<Tag>>> {
        let listed = self
            .statement(sql)?
            .query_row(values, |row| {
                let (tags, rest) = row.get_ref(0)?.as_blob()?.as_chunks();
                Ok((rest.is_empty() && tags.len() <= MAX_TAGS).then(|| tags.iter().copied().map(Tag).collect()))
            })
            .optional()
            .map_err(|error| self.failed(error))?;
        match listed {
            Some(None) => Err(damaged(self.path, "a list of tags of the wrong length")),
            Some(tags) => Ok(tags),
            None => Ok(None),
        }
    }

    fn id(&self, row: &Row<'_>) -> Result<u64> {
        self.number(row.get(0).map_err(|error| self.failed(error))?)
    }

    /// `tags` with the rarest first: the one whose entries the search walks through.
    fn rarest_first(&self, tags: &[Tag], kind: Kind) -> Result<Vec<Tag>> {
        if tags.len() < 2 {
            return Ok(tags.to_vec());
        }
        let sql = "SELECT count(*) FROM (SELECT 1 FROM tags WHERE tag = ?1 AND kind = ?2 LIMIT ?3)";
        let mut statement = self.statement(sql)?;
        let mut counted = Vec::with_capacity(tags.len());
        for tag in tags {
            let count: i64 = statement
                .query_row((&tag.0[..], kind as u8, PROBE), |row| row.get(0))
                .map_err(|error| self.failed(error))?;
            if count < RARE {
                // Good enough, whatever the others are: callers name the most telling tag first.
                return Ok([*tag].into_iter().chain(tags.iter().copied().filter(|other| other != tag)).collect());
            }
            counted.push((count, *tag));
        }
        counted.sort_unstable();
        counted.dedup();
        Ok(counted.into_iter().map(|(_, tag)| tag).collect())
    }
}

/// Adds the conditions of `selection` on the columns of the records called `alias`, and their values.
fn narrow(sql: &mut String, values: &mut Vec<Value>, selection: &Selection, alias: &str) {
    let wanted = [
        ("class", selection.class.map(u64::cast_signed)),
        ("key_type", selection.key_type.map(u64::cast_signed)),
        ("tier", selection.tier.map(i64::from)),
    ];
    for (column, value) in wanted {
        if let Some(value) = value {
            values.push(Value::Integer(value));
            sql.push_str(&format!(" AND {alias}.{column} = ?{}", values.len()));
        }
    }
}

/// The columns of an outline. They stand before the content, which SQLite then does not read.
const OUTLINE: &str = "id, class, key_type, owner, tier";

/// The statement that reads these columns of the selected records, and its values.
fn selecting(columns: &str, selection: &Selection) -> (String, Vec<Value>) {
    let mut values = vec![bound(selection.after), bound(selection.limit as u64)];
    let mut sql = format!("SELECT {columns} FROM {} r WHERE r.id > ?1", statements(selection.kind).table);
    narrow(&mut sql, &mut values, selection, "r");
    sql.push_str(" ORDER BY r.id LIMIT ?2");
    (sql, values)
}

/// A number or a limit as SQLite takes it: beyond its integers there is nothing to find.
fn bound(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

impl View for Reader<'_> {
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>> {
        let mut statement = self.statement(statements(kind).read)?;
        let mut rows = statement.query([bound(id)]).map_err(|error| self.failed(error))?;
        match rows.next().map_err(|error| self.failed(error))? {
            Some(row) => self.record(kind, row).map(Some),
            None => Ok(None),
        }
    }

    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>> {
        let version = self
            .statement(statements(kind).version)?
            .query_row([bound(id)], |row| row.get(0))
            .optional()
            .map_err(|error| self.failed(error))?;
        version.map(|version| self.number(version)).transpose()
    }

    fn scan(&self, selection: &Selection) -> Result<Vec<Record>> {
        let (sql, values) = selecting(COLUMNS, selection);
        self.rows(&sql, params_from_iter(values), |row| self.record(selection.kind, row))
    }

    fn outlines(&self, selection: &Selection) -> Result<Vec<Outline>> {
        let (sql, values) = selecting(OUTLINE, selection);
        self.rows(&sql, params_from_iter(values), |row| self.outline(row))
    }

    fn find(&self, tags: &[Tag], selection: &Selection) -> Result<Vec<u64>> {
        if tags.len() > MAX_TAGS {
            return Err(Error::internal("a search names more tags than the store takes"));
        }
        let table = statements(selection.kind).table;
        let mut values = vec![bound(selection.after), bound(selection.limit as u64)];
        let narrowed = selection.class.is_some() || selection.key_type.is_some() || selection.tier.is_some();
        let tags = self.rarest_first(tags, selection.kind)?;
        let mut sql = String::with_capacity(256);
        if tags.is_empty() {
            sql.push_str(&format!("SELECT r.id FROM {table} r WHERE r.id > ?1"));
            narrow(&mut sql, &mut values, selection, "r");
            sql.push_str(" ORDER BY r.id LIMIT ?2");
            return self.rows(&sql, params_from_iter(values), |row| self.id(row));
        }
        values.push(Value::Integer(i64::from(selection.kind as u8)));
        sql.push_str("SELECT t0.id FROM tags t0");
        // CROSS JOIN keeps this order: walk through the rarest tag, look each of its records up in the others.
        for n in 1..tags.len() {
            sql.push_str(&format!(" CROSS JOIN tags t{n}"));
        }
        if narrowed {
            sql.push_str(&format!(" CROSS JOIN {table} r"));
        }
        sql.push_str(" WHERE t0.id > ?1");
        for (n, tag) in tags.iter().enumerate() {
            values.push(Value::Blob(tag.0.to_vec()));
            sql.push_str(&format!(" AND t{n}.tag = ?{} AND t{n}.kind = ?3", values.len()));
            if n > 0 {
                sql.push_str(&format!(" AND t{n}.id = t0.id"));
            }
        }
        if narrowed {
            sql.push_str(" AND r.id = t0.id");
            narrow(&mut sql, &mut values, selection, "r");
        }
        sql.push_str(" ORDER BY t0.id LIMIT ?2");
        self.rows(&sql, params_from_iter(values), |row| self.id(row))
    }

    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>> {
        self.rows(statements(kind).versions, (bound(after), bound(limit as u64)), |row| {
            let version = row.get(1).map_err(|error| self.failed(error))?;
            Ok((self.id(row)?, self.number(version)?))
        })
    }

    fn count(&self, kind: Kind) -> Result<u64> {
        self.counter(i64::from(kind as u8))
    }

    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>> {
        Ok(self.listed(statements(kind).all_tags, [bound(id)])?.unwrap_or_default())
    }
}
