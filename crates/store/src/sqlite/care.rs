//! What an administrator does with a store: examine it, replace lost side files.

use std::path::Path;

use base::error::Result;
use platform::files::{Access, Directory};
use platform::flock::WriteLock;
use platform::generation::GenerationMap;
use platform::{flock, generation};

use super::read::Reader;
use super::schema::statements;
use super::{DATABASE, SqliteStore, schema};
use crate::{Kind, View};

/// The most complaints that an examination lists.
const COMPLAINTS: usize = 100;

impl SqliteStore {
    /// Reads everything and says what is wrong: one line for each complaint, none if the store is sound.
    ///
    /// It sees what SQLite and the schema can see; whether the records are genuine only their seals can tell.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` if the store cannot even be read.
    pub fn examine(&self) -> Result<Vec<String>> {
        self.0.reading(|reader| {
            let mut found = strings(reader, &format!("PRAGMA integrity_check({COMPLAINTS})"))?;
            found.retain(|line| line != "ok");
            for kind in Kind::ALL {
                let table = statements(kind).table;
                let counted = strings(reader, &format!("SELECT CAST(count(*) AS TEXT) FROM {table}"))?;
                let noted = reader.count(kind)?.to_string();
                if counted.first() != Some(&noted) {
                    let counted = counted.first().map_or("?", String::as_str);
                    found.push(format!("{table}: {counted} records are there and {noted} are counted"));
                }
                // Entries are distinct, so if each leads to a record that lists it and no list is longer than its entries
                // together, index and lists are the same.
                let number = kind as u8;
                let sound = format!(
                    "SELECT count(*) FROM tags t JOIN {table} r ON r.id = t.id WHERE t.kind = {number} \
                     AND (instr(r.tags, t.tag) + 15) % 16 = 0"
                );
                for (what, sql) in [
                    ("entries of the index lead nowhere", format!("SELECT count(*) FROM tags WHERE kind = {number}")),
                    (
                        "listed tags are not in the index",
                        format!("SELECT coalesce(sum((length(tags) + 15) / 16), 0) FROM {table}"),
                    ),
                ] {
                    let sql = format!("SELECT CAST(({sql}) - ({sound}) AS TEXT)");
                    let count = strings(reader, &sql)?.into_iter().next().unwrap_or_default();
                    if count != "0" {
                        found.push(format!("{table}: {count} {what}"));
                    }
                }
            }
            let foreign = strings(reader, "SELECT CAST(count(*) AS TEXT) FROM tags WHERE kind NOT BETWEEN 0 AND 5")?;
            if foreign != ["0"] {
                found.push("tags: entries of the index are of no kind".to_owned());
            }
            Ok(found)
        })
    }

    /// Makes `write.lock` and `gen.map` anew in the HSM's folder `dir` if they are lost; true if anything was.
    ///
    /// Only while no process uses this HSM: one that does still watches the old files, and would neither see the
    /// commits of others nor keep them out.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    pub fn replace_lost_files(dir: &Path, access: Access) -> Result<bool> {
        let directory = Directory::open(dir, access)?;
        directory.check_file(DATABASE, access)?;
        let lost = |name| !Self::exists(&dir.join(name));
        let (lock, map) = (lost(flock::NAME), lost(generation::NAME));
        if lock {
            WriteLock::create(&directory, access)?;
        }
        if map {
            GenerationMap::create(&directory, access)?;
        }
        directory.sync()?;
        Ok(lock || map)
    }

    /// The format of the database, and the newest that this library reads.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` if the store cannot be read.
    pub fn format(&self) -> Result<(i64, i64)> {
        self.0.reading(|reader| Ok((schema::format(reader.connection, reader.path)?, schema::FORMAT)))
    }
}

/// The first column of every row, as text.
fn strings(reader: Reader<'_>, sql: &str) -> Result<Vec<String>> {
    let read = || {
        let mut statement = reader.connection.prepare(sql)?;
        let rows = statement.query_map((), |row| row.get(0))?;
        rows.collect::<rusqlite::Result<Vec<String>>>()
    };
    read().map_err(|error| reader.failed(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sqlite::testing::tamper;
    use crate::sqlite::tests::{PLAIN, new_store, open};
    use crate::suite::{commit, put, record, tag};

    #[test]
    fn sound_and_unsound() {
        let (home, store) = new_store();
        for id in 1..9 {
            let tags = [tag(1), tag(u8::try_from(id).unwrap() + 1)];
            commit(&store, &[put(record(Kind::Object, id, 1), 0, Some(&tags))]).unwrap();
        }
        assert_eq!(store.examine().unwrap(), [""; 0]);
        assert_eq!(store.format().unwrap(), (1, 1));
        drop(store);
        tamper(home.path(), "DELETE FROM objects WHERE id = 3; DELETE FROM tags WHERE id = 4");
        let complaints = open(&home).unwrap().examine().unwrap();
        assert_eq!(complaints.len(), 3, "{complaints:?}");
    }

    #[test]
    fn lost_files_are_replaced() {
        let (home, store) = new_store();
        drop(store);
        let folder = home.path().join("hsm1");
        assert!(!SqliteStore::replace_lost_files(&folder, PLAIN).unwrap());
        std::fs::remove_file(folder.join("gen.map")).unwrap();
        std::fs::remove_file(folder.join("write.lock")).unwrap();
        assert!(open(&home).is_err());
        assert!(SqliteStore::replace_lost_files(&folder, PLAIN).unwrap());
        commit(&open(&home).unwrap(), &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
    }
}
