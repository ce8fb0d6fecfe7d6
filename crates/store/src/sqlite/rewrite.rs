//! Everything at once: the whole content of a store exchanged in one transaction, and read as it was at one moment.
//!
//! Whoever has a store open believes that what it has read stays true until a version says otherwise. That ends when the
//! content is exchanged for that of a backup, whose versions may say the same of other content. So the exchange begins a
//! new *life* of the HSM, which is the upper half of the generation, and what was opened in an earlier one refuses to go
//! on.

use base::error::{Error, Result};
use platform::signals::Unsignalled;
use platform::{flock, process};

use super::read::Reader;
use super::write::{self, Transaction};
use super::{Inner, SqliteStore, connection};
use crate::{Applied, Source, check};

/// The bits of a generation that count commits; those above count lives.
const COMMITS: u32 = 32;

/// The life that a generation is of.
pub(super) const fn life_of(generation: u64) -> u64 {
    generation >> COMMITS
}

/// Makes the changes of every batch of a source, in the transaction that is open; the generation after them.
pub(super) fn apply_all(reader: Reader<'_>, source: &mut Source<'_>) -> Result<u64> {
    let mut generation = reader.generation()?;
    while let Some(batch) = source(&reader)? {
        check(&batch, &reader.path.display())?;
        let (Applied::Done, now) = write::apply(reader, &batch)? else {
            return Err(connection::damaged(reader.path, "records that contradict each other"));
        };
        generation = now;
    }
    Ok(generation)
}

impl SqliteStore {
    /// Makes what may be many batches of changes, all or none, and begins a new life of the HSM: every process that has it
    /// open is refused until it opens it anew, this store included.
    ///
    /// # Errors
    /// What `source` returns; otherwise as [`Store::write`](crate::Store::write).
    pub fn rewrite(&self, source: &mut Source<'_>) -> Result<()> {
        let _unsignalled = Unsignalled::new();
        let inner = &*self.0;
        inner.with(|_| Ok(()))?;
        let _held = inner.lock.acquire(process::now() + flock::PATIENCE, &inner.map)?;
        inner.with(|open| {
            let reader = Reader { connection: &open.connection, path: &inner.database };
            let transaction = Transaction::begin(reader)?;
            inner.check_life(reader.generation()?)?;
            let generation = (life_of(apply_all(reader, source)?) + 1) << COMMITS;
            write::set_generation(reader, generation)?;
            inner.commit(transaction, generation)
        })
    }

    /// From now on this store, which must serve nobody else, reads everything as it is at this moment, whatever others
    /// write meanwhile. Nothing can be written through it.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` if the store cannot be read.
    pub fn freeze(&self) -> Result<()> {
        self.0.reading(|reader| {
            reader.connection.execute_batch("BEGIN").map_err(|error| reader.failed(error))?;
            // The first read fixes the moment.
            reader.generation().map(drop)
        })
    }
}

impl Inner {
    /// See [`Store::rehearse`](crate::Store::rehearse).
    pub(super) fn rehearse(&self, source: &mut Source<'_>) -> Result<()> {
        /// So many lives, and commits of a life, must be left.
        const MARGIN: u64 = 1 << 16;
        let _held = self.lock.acquire(process::now() + flock::PATIENCE, &self.map)?;
        self.with(|open| {
            let reader = Reader { connection: &open.connection, path: &self.database };
            // Rolled back when it is dropped.
            let _undone = Transaction::begin(reader)?;
            let generation = apply_all(reader, source)?;
            let commits = generation & ((1 << COMMITS) - 1);
            if commits + MARGIN >= 1 << COMMITS || life_of(generation) + MARGIN >= 1 << (63 - COMMITS) {
                return Err(connection::damaged(
                    reader.path,
                    &format!("no number is left after commit {generation:#x}"),
                ));
            }
            self.check_place("nothing was changed", "")
        })
    }

    /// Refuses to go on in another life than that in which this was opened.
    pub(super) fn check_life(&self, generation: u64) -> Result<()> {
        if life_of(generation) == self.life {
            return Ok(());
        }
        Err(Error::device(format!(
            "{}: the HSM was restored from a backup: call C_Finalize and C_Initialize",
            self.database.display()
        )))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::sqlite::tests::{new_store, open};
    use crate::suite::{commit, put, record, tag};
    use crate::{Batch, Change, Kind, Store, View};

    #[test]
    fn a_new_life_ends_what_was_open() {
        let (home, store) = new_store();
        commit(&store, &[put(record(Kind::Object, 1, 1), 0, Some(&[tag(1)]))]).unwrap();
        let (other, writer) = (open(&home).unwrap(), open(&home).unwrap());
        let before = other.generation();
        let mut batches = vec![
            Batch { changes: vec![put(record(Kind::Object, 2, 7), 0, Some(&[tag(1), tag(2)]))] },
            Batch { changes: vec![Change::Delete { kind: Kind::Object, id: 1, expected: 1 }] },
        ];
        writer.rewrite(&mut |_| Ok(batches.pop())).unwrap();
        assert_ne!(other.generation(), before);
        for stale in [&store, &other, &writer] {
            let error = stale.read(Kind::Object, 1).unwrap_err();
            assert!(error.message().contains("restored from a backup"), "{error}");
            assert!(commit(stale, &[put(record(Kind::Object, 3, 1), 0, None)]).is_err());
        }
        let again = open(&home).unwrap();
        assert_eq!(again.versions(Kind::Object, 0, 9).unwrap(), [(2, 7)]);
        assert_eq!((again.count(Kind::Object).unwrap(), again.examine().unwrap()), (1, vec![]));
        assert_eq!(again.tags(Kind::Object, 2).unwrap(), [tag(1), tag(2)]);
        commit(&again, &[put(record(Kind::Object, 3, 1), 0, None)]).unwrap();
    }

    #[test]
    fn what_cannot_be_made_whole_leaves_everything_as_it_was() {
        let (home, store) = new_store();
        commit(&store, &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
        let mut batches = vec![
            Batch { changes: vec![put(record(Kind::Object, 2, 1), 0, None)] },
            Batch { changes: vec![Change::Delete { kind: Kind::Object, id: 1, expected: 1 }] },
        ];
        let mut source = |_: &dyn View| {
            batches.pop().map(Some).ok_or_else(|| base::error::Error::internal("the source has run dry"))
        };
        assert!(open(&home).unwrap().rewrite(&mut source).is_err());
        assert_eq!(store.versions(Kind::Object, 0, 9).unwrap(), [(1, 1)]);
    }

    #[test]
    fn frozen() {
        let (home, store) = new_store();
        commit(&store, &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
        let frozen = open(&home).unwrap();
        frozen.freeze().unwrap();
        commit(&store, &[put(record(Kind::Object, 2, 1), 0, None)]).unwrap();
        assert_eq!(frozen.versions(Kind::Object, 0, 9).unwrap(), [(1, 1)]);
        assert!(commit(&frozen, &[put(record(Kind::Object, 3, 1), 0, None)]).is_err());
        assert_eq!(store.count(Kind::Object).unwrap(), 2);
    }
}
