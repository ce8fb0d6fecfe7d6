//! Threads that commit together: nobody sees it before, each gets its own answer, and what fails is undone for all.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base::ck;
use platform::testing::Temporary;
use platform::testing::while_unreadable;

use super::testing::tamper;
use super::tests::{integrity, new_store, open};
use super::*;
use crate::suite::{put, record};

fn object(id: u64) -> Batch {
    Batch { changes: vec![put(record(Kind::Object, id, 1), 0, None)] }
}

/// Waits until so many threads stand in the store's line.
fn until_line(store: &SqliteStore, length: u32) {
    let start = Instant::now();
    while store.0.lock.line_length() != length {
        assert!(start.elapsed() < Duration::from_secs(20), "the line has {} threads", store.0.lock.line_length());
        thread::sleep(Duration::from_micros(50));
    }
}

/// Commits object 1 once two others stand in line: `second`, and one that commits object 3. How often the first was built, and
/// the three answers.
fn three(store: &SqliteStore, second: &(dyn Fn(&dyn View) -> Result<Batch> + Sync)) -> (u32, [Option<Result<u64>>; 3]) {
    let built = AtomicU32::new(0);
    let write = |build: &(dyn Fn(&dyn View) -> Result<Batch> + Sync)| {
        catch_unwind(AssertUnwindSafe(|| store.write(Durability::Synced, &mut |view| build(view)))).ok()
    };
    let answers = thread::scope(|scope| {
        let first = scope.spawn(|| {
            write(&|_| {
                if built.fetch_add(1, Ordering::Relaxed) == 0 {
                    until_line(store, 2);
                }
                Ok(object(1))
            })
        });
        while built.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let second = scope.spawn(|| write(second));
        until_line(store, 1);
        let third = scope.spawn(|| write(&|_| Ok(object(3))));
        [first, second, third].map(|thread| thread.join().unwrap())
    });
    (built.into_inner(), answers)
}

fn ids(store: &SqliteStore) -> Vec<u64> {
    store.versions(Kind::Object, 0, 9).unwrap().into_iter().map(|(id, _)| id).collect()
}

/// What holds after a group, whatever has become of it.
fn is_well(home: &Temporary, store: SqliteStore, expected: &[u64]) {
    assert_eq!(ids(&store), expected);
    assert_eq!(ids(&open(home).unwrap()), expected);
    assert_eq!(store.0.map.current(), Some(store.0.reading(|reader| reader.generation()).unwrap()));
    assert_eq!(store.0.lock.line_length(), 0);
    store.write(Durability::Lazy, &mut |_| Ok(object(9))).unwrap();
    drop(store);
    assert_eq!(integrity(home), "ok");
}

#[test]
fn threads_commit_together() {
    let (home, store) = new_store();
    let other = open(&home).unwrap();
    let before = store.generation();
    let (built, answers) = three(&store, &|view| {
        assert_eq!(view.version(Kind::Object, 1)?, Some(1), "it does not join the first");
        assert_eq!(other.version(Kind::Object, 1)?, None, "another connection sees what is not committed");
        assert_eq!(other.generation(), before);
        Ok(object(2))
    });
    let mut generations = answers.map(|answer| answer.unwrap().unwrap());
    generations.sort_unstable();
    assert_eq!((built, generations), (1, [before + 1, before + 2, before + 3]));
    is_well(&home, store, &[1, 2, 3]);
}

#[test]
fn a_refusal_is_the_refused_one_s_alone() {
    let (home, store) = new_store();
    let (built, [first, second, third]) = three(&store, &|_| Err(Error::new(ck::CKR_PIN_LEN_RANGE, "no")));
    assert_eq!(second.unwrap().unwrap_err().rv(), ck::CKR_PIN_LEN_RANGE);
    assert!(first.unwrap().is_ok() && third.unwrap().is_ok());
    assert_eq!(built, 1, "a refusal undoes nothing");
    is_well(&home, store, &[1, 3]);
}

#[test]
fn changes_that_cannot_be_made_are_undone_for_all_and_each_tries_alone() {
    let (home, store) = new_store();
    let (built, [first, second, third]) = three(&store, &|_| {
        Ok(Batch { changes: vec![put(record(Kind::Object, 2, 1), 0, None), put(record(Kind::Object, 4, 6), 5, None)] })
    });
    assert!(second.unwrap().unwrap_err().message().contains("was changed"), "a version that is not there");
    assert!(first.unwrap().is_ok() && third.unwrap().is_ok());
    assert_eq!(built, 2, "undone, and made again");
    is_well(&home, store, &[1, 3]);
}

#[test]
fn a_transaction_that_a_failed_read_has_ended_is_undone_for_all() {
    let (home, store) = new_store();
    let folder = home.path().canonicalize().unwrap().join("hsm1");
    // Not the log's index, in which the locks are.
    let files = [folder.join(DATABASE), folder.join(LOG)];
    let reads = AtomicU32::new(0);
    let (built, [first, second, third]) = three(&store, &|view| {
        if reads.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(Error::internal("a second try"));
        }
        let mut answer = Ok(None);
        while_unreadable(&files, || answer = view.read(Kind::User, 77));
        assert_eq!(answer.as_ref().unwrap_err().rv(), ck::CKR_DEVICE_ERROR, "this page was at hand");
        answer.map(|_| Batch::default())
    });
    assert_eq!(second.unwrap().unwrap_err().message(), "a second try");
    assert!(first.unwrap().is_ok() && third.unwrap().is_ok());
    assert_eq!(built, 2, "undone for all, and each tries alone");
    is_well(&home, store, &[1, 3]);
}

/// As when a signal's handler forks: the one to whom it is passed waits for the gate that is passed to him.
#[test]
fn what_nobody_takes_is_taken_back() {
    let (home, store) = new_store();
    let started = AtomicBool::new(false);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            store.write(Durability::Synced, &mut |_| {
                started.store(true, Ordering::Relaxed);
                until_line(&store, 1);
                Ok(object(1))
            })
        });
        while !started.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        // In line, and not looking.
        store.0.lock.stand_in_line(&|| drop(store_gate()));
        assert!(first.join().unwrap().is_ok());
    });
    is_well(&home, store, &[1]);
}

#[test]
fn a_panic_undoes_the_transaction_and_the_others_try_alone() {
    let (home, store) = new_store();
    let (built, [first, second, third]) = three(&store, &|_| panic!("a defect in a build"));
    assert!(second.is_none(), "it panics");
    assert!(first.unwrap().is_ok() && third.unwrap().is_ok());
    assert_eq!(built, 2);
    is_well(&home, store, &[1, 3]);
}

#[test]
fn a_commit_that_fails_is_an_error_for_all() {
    let (home, store) = new_store();
    drop(store);
    // A rule that only the commit looks at.
    tamper(
        home.path(),
        "CREATE TABLE parents(id INTEGER PRIMARY KEY); \
         ALTER TABLE objects ADD COLUMN parent INTEGER DEFAULT 5 REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED",
    );
    let store = open(&home).unwrap();
    let keys = |on: &str| {
        let sql = format!("PRAGMA foreign_keys = {on}");
        store
            .0
            .with(|open| open.connection.execute_batch(&sql).map_err(|_| Error::internal("no such setting")))
            .unwrap();
    };
    keys("ON");
    let (built, answers) = three(&store, &|_| Ok(object(2)));
    for answer in answers {
        assert_eq!(answer.unwrap().unwrap_err().rv(), ck::CKR_DEVICE_ERROR);
    }
    assert_eq!((built, ids(&store)), (1, vec![]));
    keys("OFF");
    store.write(Durability::Synced, &mut |_| Ok(object(1))).unwrap();
    is_well(&home, store, &[1]);
}

#[test]
fn a_crowd_loses_nothing() {
    const THREADS: u64 = 8;
    const EACH: u64 = 25;
    let (home, store) = new_store();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for at in 0..EACH {
                    // Some are not waited for, some change nothing.
                    let durability = if at % 5 == 4 { Durability::Lazy } else { Durability::Synced };
                    store.write(durability, &mut |_| Ok(object(1 + thread * EACH + at))).unwrap();
                    store.write(Durability::Synced, &mut |_| Ok(Batch::default())).unwrap();
                }
            });
        }
    });
    assert_eq!(store.generation(), 1 + THREADS * EACH);
    assert_eq!(store.count(Kind::Object).unwrap(), THREADS * EACH);
    drop(store);
    assert_eq!(integrity(&home), "ok");
}
