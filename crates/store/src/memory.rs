//! The store of tests: the same behaviour in a map, so that the suite can tell what SQLite adds.
//!
//! Compiled for tests only; the shipped library has no store that forgets.

use std::collections::{BTreeMap, BTreeSet};

use base::error::{Error, Result};
use platform::fork::store_gate;
use platform::lock::Lock;

use super::{
    ATTEMPTS, Applied, Batch, Change, Durability, Kind, Outline, Record, Selection, Source, Store, Tag, Turn, View,
    check, conflict,
};

/// The records, with their tags.
#[derive(Clone, Default)]
struct State {
    records: BTreeMap<(Kind, u64), (Record, BTreeSet<Tag>)>,
    generation: u64,
}

/// A store in memory.
pub(crate) struct MemoryStore(Lock<Option<State>>);

impl MemoryStore {
    pub(crate) fn new() -> Self {
        Self(Lock::new(Some(State { generation: 1, ..State::default() })))
    }

    fn with<R>(&self, f: impl FnOnce(&State) -> Result<R>) -> Result<R> {
        // The gate keeps other threads out, so that a lock that is held is held by this one.
        let _gate = store_gate();
        let state = self.0.try_lock().ok_or(Error::internal("the store is used inside its own write"))?;
        f(state.as_ref().ok_or(Error::internal("the store is closed"))?)
    }
}

impl State {
    fn selected<'a>(&'a self, s: &'a Selection) -> impl Iterator<Item = &'a (Record, BTreeSet<Tag>)> {
        self.records.values().filter(|(r, _)| {
            r.kind == s.kind
                && r.id > s.after
                && s.class.is_none_or(|class| class == r.class)
                && s.key_type.is_none_or(|key_type| key_type == r.key_type)
                && s.tier.is_none_or(|tier| tier == r.tier)
        })
    }

    fn apply(&mut self, batch: Batch) -> Applied {
        for change in batch.changes {
            let (key, expected) = match &change {
                Change::Put { record, expected, .. } => ((record.kind, record.id), *expected),
                Change::Delete { kind, id, expected } => ((*kind, *id), *expected),
            };
            if self.records.get(&key).map_or(0, |(record, _)| record.version) != expected {
                return Applied::Conflict;
            }
            match change {
                Change::Put { record, tags, .. } => {
                    let old = self.records.remove(&key).map(|(_, tags)| tags).unwrap_or_default();
                    let tags = tags.map_or(old, |tags| tags.into_iter().collect());
                    self.records.insert(key, (record, tags));
                }
                Change::Delete { .. } => drop(self.records.remove(&key)),
            }
        }
        Applied::Done
    }
}

impl View for State {
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>> {
        Ok(self.records.get(&(kind, id)).map(|(record, _)| record.clone()))
    }

    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>> {
        Ok(self.records.get(&(kind, id)).map(|(record, _)| record.version))
    }

    fn scan(&self, s: &Selection) -> Result<Vec<Record>> {
        Ok(self.selected(s).map(|(record, _)| record.clone()).take(s.limit).collect())
    }

    fn outlines(&self, s: &Selection) -> Result<Vec<Outline>> {
        Ok(self.selected(s).map(|(record, _)| record.outline()).take(s.limit).collect())
    }

    fn find(&self, tags: &[Tag], s: &Selection) -> Result<Vec<u64>> {
        let carries = |(_, own): &&(Record, BTreeSet<Tag>)| tags.iter().all(|tag| own.contains(tag));
        Ok(self.selected(s).filter(carries).map(|(record, _)| record.id).take(s.limit).collect())
    }

    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>> {
        let s = Selection { after, ..Selection::all(kind) };
        Ok(self.selected(&s).map(|(record, _)| (record.id, record.version)).take(limit).collect())
    }

    fn count(&self, kind: Kind) -> Result<u64> {
        Ok(self.records.keys().filter(|(k, _)| *k == kind).count() as u64)
    }

    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>> {
        Ok(self.records.get(&(kind, id)).map(|(_, tags)| tags.iter().copied().collect()).unwrap_or_default())
    }
}

impl View for MemoryStore {
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>> {
        self.with(|state| state.read(kind, id))
    }

    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>> {
        self.with(|state| state.version(kind, id))
    }

    fn scan(&self, selection: &Selection) -> Result<Vec<Record>> {
        self.with(|state| state.scan(selection))
    }

    fn outlines(&self, selection: &Selection) -> Result<Vec<Outline>> {
        self.with(|state| state.outlines(selection))
    }

    fn find(&self, tags: &[Tag], selection: &Selection) -> Result<Vec<u64>> {
        self.with(|state| state.find(tags, selection))
    }

    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>> {
        self.with(|state| state.versions(kind, after, limit))
    }

    fn count(&self, kind: Kind) -> Result<u64> {
        self.with(|state| state.count(kind))
    }

    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>> {
        self.with(|state| state.tags(kind, id))
    }
}

impl Store for MemoryStore {
    fn write(&self, _: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<u64> {
        self.commit(1, build)
    }

    fn in_turn(&self, work: &mut dyn FnMut(&dyn Turn) -> Result<()>) -> Result<()> {
        // Nobody else enters the gate until the turn is over.
        let _gate = store_gate();
        work(&InTurn(self))
    }

    fn look(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        self.with(|state| read(state))
    }

    fn rehearse(&self, _: &mut Source<'_>) -> Result<()> {
        Err(Error::internal("a store in memory has nothing to rehearse"))
    }

    fn generation(&self) -> u64 {
        self.with(|state| Ok(state.generation)).unwrap_or(u64::MAX)
    }

    fn close(&self) {
        let _gate = store_gate();
        *self.0.lock() = None;
    }
}

struct InTurn<'a>(&'a MemoryStore);

impl Turn for InTurn<'_> {
    fn write(&self, _: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<()> {
        self.0.commit(0, build).map(|_| ())
    }
}

impl MemoryStore {
    /// Commits a batch, and raises the generation by this much.
    fn commit(&self, raised: u64, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<u64> {
        let _gate = store_gate();
        let mut locked = self.0.lock();
        let state = locked.as_mut().ok_or(Error::internal("the store is closed"))?;
        for _ in 0..ATTEMPTS {
            let batch = build(state)?;
            if batch.changes.is_empty() {
                return Ok(state.generation);
            }
            check(&batch, &"memory")?;
            let mut next = state.clone();
            if matches!(next.apply(batch), Applied::Done) {
                next.generation += raised;
                *state = next;
                return Ok(state.generation);
            }
        }
        Err(conflict(&"memory"))
    }
}
