//! What every store does, as one suite that runs on each of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::memory::MemoryStore;
use super::sqlite::tests::new_store;
use super::*;

/// A record whose content follows from its number and version.
pub(crate) fn record(kind: Kind, id: u64, version: u64) -> Record {
    let sealed = vec![u8::try_from(id % 251).unwrap(); 100 + usize::try_from(version % 100).unwrap()];
    Record { kind, id, version, class: 3, key_type: 0, owner: 1, tier: 1, sealed }
}

pub(crate) fn tag(n: u8) -> Tag {
    Tag([n; 16])
}

pub(crate) fn put(record: Record, expected: u64, tags: Option<&[Tag]>) -> Change {
    Change::Put { record, expected, tags: tags.map(<[Tag]>::to_vec) }
}

pub(crate) fn commit(store: &dyn Store, changes: &[Change]) -> Result<u64> {
    store.write(Durability::Synced, &mut |_| Ok(Batch { changes: changes.to_vec() }))
}

fn on_each(test: fn(&dyn Store)) {
    test(&MemoryStore::new());
    let (_home, store) = new_store();
    test(&store);
}

#[test]
fn what_is_written_is_read() {
    on_each(|store| {
        let mut odd = record(Kind::Object, i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() - 1);
        odd.sealed = vec![9; MAX_SEALED];
        odd.class = u64::MAX;
        odd.key_type = 1 << 63;
        odd.tier = 255;
        for kind in Kind::ALL {
            let before = store.generation();
            assert_eq!(commit(store, &[put(record(kind, 1, 1), 0, None)]).unwrap(), before + 1);
            assert_eq!(store.generation(), before + 1);
            assert_eq!(store.read(kind, 1).unwrap().unwrap(), record(kind, 1, 1));
            assert_eq!(store.version(kind, 1).unwrap(), Some(1));
            assert_eq!(store.read(kind, 2).unwrap(), None);
            assert_eq!(store.version(kind, u64::MAX).unwrap(), None);
            assert_eq!(store.count(kind).unwrap(), 1);
        }
        commit(store, &[put(odd.clone(), 0, None)]).unwrap();
        assert_eq!(store.read(Kind::Object, odd.id).unwrap().unwrap(), odd);
        let last = Selection { after: odd.id - 1, ..Selection::all(Kind::Object) };
        assert_eq!(store.outlines(&last).unwrap(), [odd.outline()]);
        assert_eq!(store.count(Kind::Object).unwrap(), 2);
    });
}

#[test]
fn a_turn_is_several_commits_and_leaves_the_generation() {
    on_each(|store| {
        let before = store.generation();
        store
            .in_turn(&mut |turn| {
                for version in 1..=3 {
                    let durability = if version == 1 { Durability::Synced } else { Durability::Lazy };
                    turn.write(durability, &mut |view| {
                        assert_eq!(view.version(Kind::User, 1).unwrap().unwrap_or(0), version - 1);
                        Ok(Batch { changes: vec![put(record(Kind::User, 1, version), version - 1, None)] })
                    })?;
                    assert_eq!(store.version(Kind::User, 1).unwrap(), Some(version));
                }
                turn.write(Durability::Synced, &mut |_| Err(Error::internal("refused"))).unwrap_err();
                Ok(())
            })
            .unwrap();
        assert_eq!(store.version(Kind::User, 1).unwrap(), Some(3));
        assert_eq!(store.generation(), before);
        assert!(store.in_turn(&mut |_| Err(Error::internal("refused"))).is_err());
        commit(store, &[put(record(Kind::User, 1, 4), 3, None)]).unwrap();
        assert_eq!(store.generation(), before + 1);
    });
}

#[test]
fn a_batch_is_whole_or_not_there() {
    on_each(|store| {
        commit(store, &[put(record(Kind::Object, 1, 1), 0, Some(&[tag(1)]))]).unwrap();
        let generation = store.generation();
        let bad = [put(record(Kind::Object, 2, 1), 0, Some(&[tag(1)])), put(record(Kind::Object, 1, 3), 2, None)];
        let mut calls = 0;
        let error = store
            .write(Durability::Synced, &mut |_| {
                calls += 1;
                Ok(Batch { changes: bad.to_vec() })
            })
            .unwrap_err();
        assert_eq!(error.rv(), ck::CKR_DEVICE_ERROR);
        assert_eq!(calls, ATTEMPTS);
        assert_eq!(store.generation(), generation);
        assert_eq!(store.read(Kind::Object, 2).unwrap(), None);
        assert_eq!(store.find(&[tag(1)], &Selection::all(Kind::Object)).unwrap(), [1]);
        assert_eq!(store.count(Kind::Object).unwrap(), 1);
        for wrong in [
            put(record(Kind::Object, 1, 1), 0, None),
            put(record(Kind::Object, 9, 2), 1, None),
            Change::Delete { kind: Kind::Object, id: 1, expected: 2 },
            Change::Delete { kind: Kind::Object, id: 9, expected: 1 },
            put(record(Kind::Object, 0, 1), 0, None),
            put(record(Kind::Object, u64::MAX, 1), 0, None),
            put(Record { sealed: vec![0; MAX_SEALED + 1], ..record(Kind::Object, 5, 1) }, 0, None),
        ] {
            assert!(commit(store, &[wrong]).is_err());
            assert_eq!(store.generation(), generation);
        }
    });
}

#[test]
fn build_sees_the_state_it_commits_onto_and_may_refuse() {
    on_each(|store| {
        commit(store, &[put(record(Kind::Meta, 1, 1), 0, None)]).unwrap();
        let mut first = true;
        store
            .write(Durability::Lazy, &mut |view| {
                let old = view.version(Kind::Meta, 1)?.unwrap();
                // The first time it is wrong, as it would be with a state that has changed since.
                let expected = if std::mem::take(&mut first) { old + 1 } else { old };
                Ok(Batch { changes: vec![put(record(Kind::Meta, 1, old + 1), expected, None)] })
            })
            .unwrap();
        assert_eq!(store.version(Kind::Meta, 1).unwrap(), Some(2));
        let generation = store.generation();
        let refused = store.write(Durability::Synced, &mut |_| Err(Error::new(ck::CKR_KEY_HANDLE_INVALID, "no")));
        assert_eq!(refused.unwrap_err().rv(), ck::CKR_KEY_HANDLE_INVALID);
        assert_eq!(commit(store, &[]).unwrap(), generation);
        assert_eq!(store.generation(), generation);
    });
}

#[test]
fn finds_by_all_tags_and_by_selection() {
    on_each(|store| {
        let mut changes = Vec::new();
        for id in 1..=200_u64 {
            let mut r = record(Kind::Object, id, 1);
            r.class = 2 + id % 2;
            r.key_type = id % 3;
            r.tier = u8::try_from(id % 2).unwrap();
            let even = if id % 2 == 0 { 20 } else { 21 };
            let tags = [tag(10), tag(even), tag(u8::try_from(id).unwrap())];
            changes.push(put(r, 0, Some(&tags)));
        }
        // The same tags on another kind are another matter.
        changes.push(put(record(Kind::User, 3, 1), 0, Some(&[tag(10)])));
        commit(store, &changes).unwrap();
        let all = Selection::all(Kind::Object);
        assert_eq!(store.find(&[tag(100)], &all).unwrap(), [100]);
        assert_eq!(store.find(&[tag(10), tag(100), tag(20)], &all).unwrap(), [100]);
        assert_eq!(store.find(&[tag(10), tag(100), tag(21)], &all).unwrap(), [0_u64; 0]);
        assert_eq!(store.find(&[tag(10), tag(10)], &all).unwrap().len(), 200);
        assert_eq!(store.find(&[tag(250)], &all).unwrap(), [0_u64; 0]);
        assert_eq!(store.find(&[tag(10)], &Selection::all(Kind::User)).unwrap(), [3]);
        let some = Selection { class: Some(3), key_type: Some(1), tier: Some(1), after: 7, limit: 3, ..all.clone() };
        assert_eq!(store.find(&[tag(10)], &some).unwrap(), [13, 19, 25]);
        assert_eq!(store.find(&[], &some).unwrap(), [13, 19, 25]);
        let records = store.scan(&some).unwrap();
        assert_eq!(records.iter().map(|r| r.id).collect::<Vec<_>>(), [13, 19, 25]);
        assert_eq!(records[0].sealed, record(Kind::Object, 13, 1).sealed);
        let outlines = store.outlines(&some).unwrap();
        assert_eq!(outlines, records.iter().map(Record::outline).collect::<Vec<_>>());
        assert_eq!((outlines[0].id, outlines[0].class, outlines[0].key_type, outlines[0].owner), (13, 3, 1, 1));
        assert_eq!(store.outlines(&all).unwrap().len(), 200);
        let even = Selection { tier: Some(0), after: 196, ..all.clone() };
        assert_eq!(store.find(&[tag(10), tag(20)], &even).unwrap(), [198, 200]);
        assert_eq!(store.versions(Kind::Object, 198, 10).unwrap(), [(199, 1), (200, 1)]);
        assert_eq!(store.versions(Kind::Object, 0, 2).unwrap(), [(1, 1), (2, 1)]);
        assert_eq!(store.find(&[], &Selection { limit: 0, ..all.clone() }).unwrap(), [0_u64; 0]);
        assert_eq!(store.scan(&all).unwrap().len(), 200);
    });
}

#[test]
fn tags_follow_their_record() {
    on_each(|store| {
        let all = Selection::all(Kind::Object);
        commit(store, &[put(record(Kind::Object, 1, 1), 0, Some(&[tag(1), tag(2)]))]).unwrap();
        commit(store, &[put(record(Kind::Object, 1, 2), 1, None)]).unwrap();
        assert_eq!(store.find(&[tag(1), tag(2)], &all).unwrap(), [1]);
        commit(store, &[put(record(Kind::Object, 1, 3), 2, Some(&[tag(2), tag(3)]))]).unwrap();
        assert_eq!(store.find(&[tag(1)], &all).unwrap(), [0_u64; 0]);
        assert_eq!(store.find(&[tag(2), tag(3)], &all).unwrap(), [1]);
        commit(store, &[Change::Delete { kind: Kind::Object, id: 1, expected: 3 }]).unwrap();
        assert_eq!(store.find(&[tag(2)], &all).unwrap(), [0_u64; 0]);
        assert_eq!(store.read(Kind::Object, 1).unwrap(), None);
        assert_eq!(store.count(Kind::Object).unwrap(), 0);
    });
}

#[test]
fn closed_is_closed() {
    on_each(|store| {
        store.close();
        store.close();
        assert!(store.read(Kind::Meta, 1).is_err());
        assert!(commit(store, &[put(record(Kind::Meta, 1, 1), 0, None)]).is_err());
    });
}

#[test]
fn threads_lose_nothing() {
    on_each(|store| {
        commit(store, &[put(record(Kind::Meta, 1, 1), 0, None)]).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        store
                            .write(Durability::Lazy, &mut |view| {
                                let old = view.version(Kind::Meta, 1)?.unwrap();
                                Ok(Batch { changes: vec![put(record(Kind::Meta, 1, old + 1), old, None)] })
                            })
                            .unwrap();
                        store.read(Kind::Meta, 1).unwrap().unwrap();
                    }
                });
            }
        });
        assert_eq!(store.version(Kind::Meta, 1).unwrap(), Some(101));
    });
}
