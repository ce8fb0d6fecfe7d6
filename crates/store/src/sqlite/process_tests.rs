//! Several processes: forks in the middle of commits, kills in the middle of commits, writers in competition.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use platform::testing::children::{become_user, close_standard_streams, in_child, start};
use platform::testing::temporary;

use super::tests::{OPTIONS, PLAIN, initial, integrity, new_store, open};
use super::*;
use crate::suite::{commit, put, record, tag};

/// Writes `count` objects from `first` on, one commit each.
fn rows(store: &SqliteStore, first: u64, count: u64, durability: Durability) -> Result<()> {
    for id in first..first + count {
        let changes = vec![put(record(Kind::Object, id, 1), 0, Some(&[tag(1)]))];
        store.write(durability, &mut |_| Ok(Batch { changes: changes.clone() }))?;
    }
    Ok(())
}

#[test]
fn a_hundred_forks_while_a_thread_commits() {
    const FORKS: u64 = 100;
    let (home, store) = new_store();
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut id = 1_000_000;
            while !stop.load(Ordering::Relaxed) {
                rows(&store, id, 1, Durability::Synced).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
                id += 1;
            }
        });
        let bad: Vec<i32> = (0..FORKS)
            .map(|n| {
                in_child(|| {
                    if store.read(Kind::Object, 1).is_ok()
                        || store.write(Durability::Lazy, &mut |_| Ok(Batch::default())).is_ok()
                    {
                        return 1;
                    }
                    close_inherited();
                    let Ok(own) = open(&home) else { return 2 };
                    if rows(&own, 1 + n * 5, 5, Durability::Synced).is_err() {
                        return 3;
                    }
                    own.close();
                    0
                })
            })
            .filter(|code| *code != 0)
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(bad, [0_i32; 0]);
    });
    let total = written.load(Ordering::Relaxed) + FORKS * 5;
    assert_eq!(store.count(Kind::Object).unwrap(), total);
    let all = Selection::all(Kind::Object);
    assert_eq!(store.find(&[tag(1)], &all).unwrap().len() as u64, total);
    assert_eq!(store.versions(Kind::Object, 0, usize::MAX).unwrap().len() as u64, total);
    assert_eq!(store.0.map.current(), Some(total + 1));
    drop(store);
    assert_eq!(integrity(&home), "ok");
}

#[test]
fn two_threads_fork_while_others_read_write_and_draw() {
    let (home, store) = new_store();
    rows(&store, 1, 3, Durability::Lazy).unwrap();
    let stop = AtomicBool::new(false);
    let until = |work: &(dyn Fn() + Sync)| {
        while !stop.load(Ordering::Relaxed) {
            work();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| until(&|| drop(store.read(Kind::Object, 2).unwrap().unwrap())));
        scope.spawn(|| until(&|| assert_eq!(fork::random_gate(|| 7), 7)));
        scope.spawn(|| {
            until(&|| {
                let changed = store.write(Durability::Lazy, &mut |view| {
                    let old = view.version(Kind::Meta, 1)?.unwrap_or(0);
                    // A build draws: the one order in which both gates are held.
                    let change = fork::random_gate(|| put(record(Kind::Meta, 1, old + 1), old, None));
                    Ok(Batch { changes: vec![change] })
                });
                changed.map(drop).unwrap();
            });
        });
        let forks = |first: u64| {
            let home = &home;
            move || {
                let bad = (0..20).filter(|n| {
                    in_child(|| {
                        let Ok(own) = open(home) else { return 1 };
                        i32::from(rows(&own, first + n, 1, Durability::Synced).is_err()) + fork::random_gate(|| 0)
                    }) != 0
                });
                bad.count()
            }
        };
        let threads = [scope.spawn(forks(100)), scope.spawn(forks(200))];
        let bad: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(bad, 0);
    });
    assert_eq!(store.count(Kind::Object).unwrap(), 43);
    drop(store);
    assert_eq!(integrity(&home), "ok");
}

#[test]
fn an_open_in_a_child_closes_what_it_inherited_by_itself() {
    let (home, store) = new_store();
    rows(&store, 1, 3, Durability::Synced).unwrap();
    let code = in_child(|| {
        let Ok(own) = open(&home) else { return 1 };
        if store.0.connection.try_lock().is_none_or(|open| open.is_some()) {
            return 2;
        }
        let grandchild = in_child(|| {
            let Ok(own) = open(&home) else { return 1 };
            i32::from(rows(&own, 20, 5, Durability::Lazy).is_err())
        });
        if grandchild != 0 || rows(&own, 10, 5, Durability::Synced).is_err() {
            return 3;
        }
        0
    });
    assert_eq!(code, 0);
    rows(&store, 4, 3, Durability::Synced).unwrap();
    assert_eq!(store.count(Kind::Object).unwrap(), 16);
    drop(store);
    assert_eq!(integrity(&home), "ok");
}

#[test]
fn four_processes_lose_no_increment() {
    const EACH: u64 = 40;
    let (home, store) = new_store();
    commit(&store, &[put(record(Kind::Meta, 1, 1), 0, None)]).unwrap();
    let work = || -> Result<()> {
        let own = open(&home)?;
        for _ in 0..EACH {
            own.write(Durability::Synced, &mut |view| {
                let old = view.version(Kind::Meta, 1)?.unwrap_or(0);
                Ok(Batch { changes: vec![put(record(Kind::Meta, 1, old + 1), old, None)] })
            })?;
        }
        Ok(())
    };
    let children: Vec<_> = (0..4).map(|_| start(|| i32::from(work().is_err()))).collect();
    for child in children {
        assert_eq!(child.wait(), 0);
    }
    assert_eq!(store.version(Kind::Meta, 1).unwrap(), Some(1 + 4 * EACH));
    assert_eq!(store.generation(), 2 + 4 * EACH);
}

#[test]
fn a_killed_writer_has_committed_all_or_nothing() {
    let (home, store) = new_store();
    let mut next = 1_u64;
    for round in 0..25_u32 {
        let (mut from, mut to) = std::io::pipe().unwrap();
        let mut work = || -> Result<()> {
            let own = open(&home)?;
            for id in (next..).step_by(2) {
                let object = |id| put(record(Kind::Object, id, 1), 0, Some(&[tag(1)]));
                commit(&own, &[object(id), object(id + 1)])?;
                drop(to.write(&id.to_le_bytes()));
            }
            Ok(())
        };
        let child = start(|| i32::from(work().is_err()));
        drop(to);
        let mut acknowledged = vec![0; 8];
        from.read_exact(&mut acknowledged).unwrap();
        thread::sleep(std::time::Duration::from_millis(u64::from(round * 2)));
        child.kill();
        from.read_to_end(&mut acknowledged).unwrap();
        let last = u64::from_le_bytes(*acknowledged.as_chunks::<8>().0.last().unwrap());
        let ids: Vec<u64> =
            store.versions(Kind::Object, 0, usize::MAX).unwrap().into_iter().map(|(id, _)| id).collect();
        let count = ids.len() as u64;
        assert!(count.is_multiple_of(2), "half a batch");
        assert!(count > last, "an acknowledged batch is missing");
        assert_eq!(ids, (1..=count).collect::<Vec<_>>());
        assert_eq!(store.count(Kind::Object).unwrap(), count);
        assert_eq!(store.find(&[tag(1)], &Selection::all(Kind::Object)).unwrap(), ids);
        next = count + 1;
        // The next writer repairs the map.
        commit(&store, &[put(record(Kind::Meta, u64::from(round) + 1, 1), 0, None)]).unwrap();
        assert!(store.0.map.current().is_some());
    }
    drop(store);
    assert_eq!(integrity(&home), "ok");
}

#[test]
fn root_creates_in_the_name_of_the_folder_s_owner() {
    use std::os::unix::fs::{MetadataExt, chown};
    const NOBODY: u32 = 65534;
    if process::effective_user() != 0 {
        return;
    }
    let home = temporary();
    chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let store = SqliteStore::create(home.path(), "hsm1", PLAIN, OPTIONS, &mut initial).unwrap();
    rows(&store, 1, 1, Durability::Synced).unwrap();
    let folder = home.path().join("hsm1");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let status = entry.unwrap().metadata().unwrap();
        assert_eq!((status.uid(), status.gid(), status.mode() & 0o777), (NOBODY, NOBODY, 0o600));
        seen += 1;
    }
    assert_eq!(seen, 7);
    let code = in_child(|| {
        if !become_user(NOBODY) {
            return 1;
        }
        let Ok(own) = open(&home) else { return 2 };
        i32::from(rows(&own, 2, 2, Durability::Synced).is_err()) * 3
    });
    assert_eq!(code, 0);
    assert_eq!(store.count(Kind::Object).unwrap(), 3);
    let stranger = in_child(|| {
        if !become_user(12345) {
            return 1;
        }
        i32::from(open(&home).is_ok()) * 2
    });
    assert_eq!(stranger, 0);
}

#[test]
fn no_state_file_takes_the_place_of_a_standard_stream() {
    let (home, store) = new_store();
    rows(&store, 1, 1, Durability::Synced).unwrap();
    let code = in_child(|| {
        close_standard_streams();
        let Ok(own) = open(&home) else { return 1 };
        if rows(&own, 2, 2, Durability::Synced).is_err() {
            return 2;
        }
        // SQLite fills the low ones with /dev/null.
        let taken = (0..3)
            .any(|n| std::fs::read_link(format!("/proc/self/fd/{n}")).is_ok_and(|to| to.starts_with(home.path())));
        i32::from(taken) * 3
    });
    assert_eq!(code, 0);
}
