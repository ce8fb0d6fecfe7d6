//! Figures, on demand: `cargo test --release --lib figures -- --ignored --nocapture --test-threads=1`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use super::tests::{new_store, open};
use super::*;
use crate::Change;
use crate::suite::{put, record, tag};

fn filled(store: &SqliteStore, count: u64) {
    for first in (1..=count).step_by(1000) {
        let changes: Vec<Change> = (first..(first + 1000).min(count + 1))
            .map(|id| {
                let mut own = [0; 16];
                for (to, from) in own.iter_mut().zip(id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()) {
                    *to = from;
                }
                put(Record { sealed: vec![3; 1500], ..record(Kind::Object, id, 1) }, 0, Some(&[Tag(own), tag(1)]))
            })
            .collect();
        store.write(Durability::Lazy, &mut |_| Ok(Batch { changes: changes.clone() })).unwrap();
    }
}

fn each(what: &str, times: u64, mut f: impl FnMut(u64)) {
    let mut best = u128::MAX;
    let mut all = Vec::new();
    for round in 0..5 {
        let start = Instant::now();
        for n in 0..times {
            f(round * times + n);
        }
        let took = start.elapsed().as_nanos() / u128::from(times);
        best = best.min(took);
        all.push(took);
    }
    all.sort_unstable();
    println!("{what:38} median {:>9} ns, best {best:>9} ns", all.get(2).copied().unwrap_or(0));
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    for count in [10_u64, 100_000] {
        let (home, store) = new_store();
        filled(&store, count);
        println!("{count} objects of 1500 bytes");
        each("read, warm, one record", 2000, |_| drop(store.read(Kind::Object, 5).unwrap()));
        each("read, records all over", 2000, |n| drop(store.read(Kind::Object, 1 + n * 7919 % count).unwrap()));
        each("version, warm", 2000, |_| assert!(store.version(Kind::Object, 5).unwrap().is_some()));
        let own = {
            let mut own = [0; 16];
            own.iter_mut()
                .zip(5_u64.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
                .for_each(|(to, from)| *to = from);
            Tag(own)
        };
        let all = Selection::all(Kind::Object);
        each("find by one tag", 2000, |_| assert_eq!(store.find(&[own], &all).unwrap(), [5]));
        each("find by a rare and a common tag", 1000, |_| assert_eq!(store.find(&[tag(1), own], &all).unwrap(), [5]));
        each("the same, rare one first", 1000, |_| assert_eq!(store.find(&[own, tag(1)], &all).unwrap(), [5]));
        let certificates = Selection { class: Some(1), ..all.clone() };
        each("find by class, none", 1000, |_| assert!(store.find(&[], &certificates).unwrap().is_empty()));
        each("count", 1000, |_| assert_eq!(store.count(Kind::Object).unwrap(), count));
        each("generation, quiet", 1_000_000, |_| assert!(store.generation() > 0));
        let next = AtomicU64::new(count + 1);
        let write = |durability| {
            let id = next.fetch_add(1, Ordering::Relaxed);
            let change = put(Record { sealed: vec![3; 1500], ..record(Kind::Object, id, 1) }, 0, Some(&[tag(2)]));
            store.write(durability, &mut |_| Ok(Batch { changes: vec![change.clone()] })).unwrap();
        };
        each("lazy commit", 200, |_| write(Durability::Lazy));
        each("synced commit", 60, |_| write(Durability::Synced));
        store.close();
        drop(store);
        each("open, read one, close", 40, |_| {
            let store = open(&home).unwrap();
            drop(store.read(Kind::Object, 5).unwrap().unwrap());
        });
        let mut opened = Vec::new();
        for _ in 0..15 {
            let start = Instant::now();
            let store = open(&home).unwrap();
            drop(store.read(Kind::Object, 5).unwrap().unwrap());
            opened.push(start.elapsed().as_micros());
        }
        opened.sort_unstable();
        println!("open and one read: median {} us, all {opened:?}", opened.get(7).copied().unwrap_or(0));
    }
}

/// Opens and reads one record as the first thing that a fresh process does with SQLite.
#[test]
#[ignore = "a measurement"]
fn cold() {
    const VARIABLE: &str = "CLOUDHSM_TEST_COLD";
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let start = Instant::now();
        let store = SqliteStore::open(Path::new(&folder), Access::default(), Options::default()).unwrap();
        drop(store.read(Kind::Object, 5).unwrap().unwrap());
        println!("cold: {} us", start.elapsed().as_micros());
        return;
    }
    let (home, store) = new_store();
    filled(&store, 100_000);
    drop(store);
    for _ in 0..15 {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact", "store::sqlite::figures::cold"])
            .env(VARIABLE, home.path().join("hsm1"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{}", text.lines().find_map(|line| line.split_once("cold: ")).map_or("?", |(_, time)| time));
    }
}

/// For `strace -f -e trace=fsync,fdatasync,write -s 40`: the marks on standard output say what follows.
#[test]
#[ignore = "to be watched with strace"]
fn syncs() {
    let mark = |text: &str| {
        let mut out = std::io::stdout();
        std::io::Write::write_all(&mut out, format!("== {text}\n").as_bytes()).unwrap();
        std::io::Write::flush(&mut out).unwrap();
    };
    let write = |store: &SqliteStore, id, durability| {
        let change = put(Record { sealed: vec![3; 1500], ..record(Kind::Object, id, 1) }, 0, Some(&[tag(2)]));
        store.write(durability, &mut |_| Ok(Batch { changes: vec![change.clone()] })).unwrap();
    };
    mark("create");
    let (home, store) = new_store();
    mark("first commit");
    write(&store, 1, Durability::Synced);
    for id in 2..6 {
        mark("synced commit");
        write(&store, id, Durability::Synced);
    }
    for id in 6..9 {
        mark("lazy commit");
        write(&store, id, Durability::Lazy);
    }
    mark("synced commit");
    write(&store, 9, Durability::Synced);
    mark("close after writing");
    drop(store);
    mark("open and read");
    let store = open(&home).unwrap();
    drop(store.read(Kind::Object, 5).unwrap().unwrap());
    mark("close after reading");
    drop(store);
    mark("open again");
    let store = open(&home).unwrap();
    mark("a thousand commits");
    for id in 10..1010 {
        write(&store, id, Durability::Synced);
    }
    mark("the end");
}

/// Four processes that commit without a pause, three seconds long: commits and waits of each.
#[test]
#[ignore = "a measurement"]
fn competition() {
    const VARIABLE: &str = "CLOUDHSM_TEST_COMPETITION";
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let store = SqliteStore::open(Path::new(&folder), Access::default(), Options::default()).unwrap();
        let start = Instant::now();
        let mut waits = Vec::new();
        while start.elapsed().as_secs() < 3 {
            let begin = Instant::now();
            let written = store.write(Durability::Synced, &mut |view| {
                let old = view.version(Kind::Meta, 1)?.unwrap_or(0);
                Ok(Batch { changes: vec![put(record(Kind::Meta, 1, old + 1), old, None)] })
            });
            written.unwrap();
            waits.push(begin.elapsed().as_micros());
        }
        waits.sort_unstable();
        let at = |part: usize| waits.get((waits.len() * part / 100).min(waits.len() - 1)).copied().unwrap_or(0);
        println!("wait: {} commits, us: p50 {} p95 {} max {}", waits.len(), at(50), at(95), at(100));
        return;
    }
    let (home, _store) = new_store();
    let start = || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact", "store::sqlite::figures::competition"])
            .env(VARIABLE, home.path().join("hsm1"))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{}", text.lines().find_map(|line| line.split_once("wait: ")).map_or("?", |(_, rest)| rest));
    }
}
