//! What SQLite adds: folders, formats, damage, repair.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;

use base::ck;
use platform::testing::{Temporary, temporary};

use super::schema::Step;
use super::testing::tamper;
use super::*;
use crate::Change;
use crate::suite::{commit, put, record, tag};

pub(super) const PLAIN: Access = Access { group: None };
pub(super) const OPTIONS: Options = Options { allow_network_file_system: false };

pub(super) fn initial() -> Result<NewHsm> {
    Ok(NewHsm { device_key: Secret::copy(&[7; 32]), batch: Batch::default() })
}

/// A new store in a folder that goes with the first value.
pub(crate) fn new_store() -> (Temporary, SqliteStore) {
    let home = temporary();
    let store = SqliteStore::create(home.path(), "hsm1", PLAIN, OPTIONS, &mut initial).unwrap();
    (home, store)
}

pub(super) fn open(home: &Temporary) -> Result<SqliteStore> {
    SqliteStore::open(&home.path().join("hsm1"), PLAIN, OPTIONS)
}

pub(super) fn integrity(home: &Temporary) -> String {
    let _gate = store_gate();
    let connection = Connection::open(home.path().join("hsm1/hsm.db")).unwrap();
    connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap()
}

#[test]
fn a_new_folder_is_complete_and_private() {
    use std::os::unix::fs::MetadataExt;
    let (home, store) = new_store();
    commit(&store, &[put(record(Kind::Object, 1, 1), 0, Some(&[tag(1)]))]).unwrap();
    let folder = home.path().join("hsm1");
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["device.key", "gen.map", "hsm.db", "hsm.db-shm", "hsm.db-wal", "reserve", "write.lock"]);
    for name in names {
        assert_eq!(fs::metadata(folder.join(name)).unwrap().mode() & 0o7777, 0o600);
    }
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(SqliteStore::device_key(&folder, PLAIN).unwrap().expose(), [7; 32]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    drop(store);
    assert!(!folder.join("hsm.db-wal").exists(), "a clean close leaves no log");
    let store = open(&home).unwrap();
    assert_eq!(store.read(Kind::Object, 1).unwrap().unwrap(), record(Kind::Object, 1, 1));
    let again = SqliteStore::create(home.path(), "hsm1", PLAIN, OPTIONS, &mut initial).err().unwrap();
    assert!(again.message().contains("already exists"), "{again}");
    assert!(SqliteStore::create(home.path(), "../x", PLAIN, OPTIONS, &mut initial).is_err());
}

#[test]
fn the_first_records_are_there() {
    let home = temporary();
    let mut initial = || {
        let changes = vec![put(record(Kind::Meta, 1, 1), 0, None), put(record(Kind::User, 1, 1), 0, Some(&[tag(3)]))];
        Ok(NewHsm { device_key: Secret::copy(&[7; 32]), batch: Batch { changes } })
    };
    let parent = home.path().join("share/cloudhsm-pkcs11");
    let store = SqliteStore::create(&parent, "hsm1", PLAIN, OPTIONS, &mut initial).unwrap();
    assert_eq!(store.count(Kind::User).unwrap(), 1);
    assert_eq!(store.find(&[tag(3)], &Selection::all(Kind::User)).unwrap(), [1]);
    assert_eq!(store.generation(), 1);
    let refused = || Err(Error::new(ck::CKR_PIN_LEN_RANGE, "no"));
    let error = SqliteStore::create(&parent, "hsm2", PLAIN, OPTIONS, &mut { refused }).err().unwrap();
    assert_eq!(error.rv(), ck::CKR_PIN_LEN_RANGE);
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 1, "a refused creation leaves nothing");
}

#[test]
fn one_of_two_creators_wins_and_leftovers_go() {
    let home = temporary();
    let left = home.path().join(".hsm1.0123456789abcdef");
    let young = home.path().join(".hsm1.0123456789abcdee");
    for path in [&left, &young] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("hsm.db"), "x").unwrap();
    }
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(4000);
    fs::File::open(&left).unwrap().set_modified(old).unwrap();
    let won: Vec<bool> = std::thread::scope(|scope| {
        let create = || {
            let made = SqliteStore::create(home.path(), "hsm1", PLAIN, OPTIONS, &mut initial);
            if let Err(error) = &made {
                assert_eq!(error.rv(), ck::CKR_DEVICE_ERROR);
                assert!(error.message().contains("already exists") || error.message().contains("another process"));
            }
            made.is_ok()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    assert!(!left.exists() && young.exists());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
}

#[test]
fn compiled_as_it_should_be() {
    let (_home, store) = new_store();
    let options: Vec<String> = store
        .0
        .with(|open| {
            let mut statement = open.connection.prepare("PRAGMA compile_options").unwrap();
            let all = statement.query_map((), |row| row.get(0)).unwrap().map(|option| option.unwrap()).collect();
            Ok(all)
        })
        .unwrap();
    for wanted in [
        "DQS=0",
        "OMIT_DATETIME_FUNCS",
        "OMIT_DEPRECATED",
        "OMIT_DESERIALIZE",
        "OMIT_LOAD_EXTENSION",
        "OMIT_SHARED_CACHE",
    ] {
        assert!(options.iter().any(|option| option == wanted), "{wanted} is missing of {options:?}");
    }
    for unwanted in ["ENABLE_FTS3", "ENABLE_FTS5", "ENABLE_RTREE", "ENABLE_LOAD_EXTENSION", "SOUNDEX"] {
        assert!(!options.iter().any(|option| option.starts_with(unwanted)), "{unwanted}");
    }
    let settings: Vec<i64> = store
        .0
        .with(|open| {
            let get = |sql: &str| open.connection.query_row(sql, (), |row| row.get(0)).unwrap();
            Ok(["PRAGMA synchronous", "PRAGMA wal_autocheckpoint", "PRAGMA secure_delete"].map(get).to_vec())
        })
        .unwrap();
    assert_eq!(settings, [2, 1000, 1]);
}

#[test]
fn newer_formats_are_refused_and_older_ones_brought_up() {
    let (home, store) = new_store();
    commit(&store, &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
    drop(store);
    tamper(home.path(), "PRAGMA user_version = 3");
    let error = open(&home).err().unwrap();
    assert!(error.message().contains("format 3, this library reads up to 1; use a newer library"), "{error}");
    tamper(home.path(), "PRAGMA user_version = 0");
    assert!(open(&home).err().unwrap().message().contains("doctor"));
    tamper(home.path(), "PRAGMA user_version = 1");

    let store = open(&home).unwrap();
    let directory = Directory::open(&home.path().join("hsm1"), PLAIN).unwrap();
    let steps = [
        Step { from: 1, sql: "CREATE TABLE extra(x)" },
        Step { from: 2, sql: "INSERT INTO extra VALUES(1); DELETE FROM objects" },
    ];
    let bring = |steps: &[Step]| {
        store.0.with(|open| schema::upgrade(&open.connection, &directory, PLAIN, &store.0.database, 3, steps))
    };
    assert!(bring(&steps[..1]).is_err());
    bring(&steps).unwrap();
    bring(&steps).unwrap();
    assert_eq!(store.read(Kind::Object, 1).unwrap(), None);
    directory.check_file("hsm.db.format-1", PLAIN).unwrap();
    let _gate = store_gate();
    let copy = Connection::open(home.path().join("hsm1/hsm.db.format-1")).unwrap();
    assert_eq!(copy.query_row("SELECT count(*) FROM objects", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn what_cannot_be_right_is_an_error() {
    let (home, store) = new_store();
    commit(&store, &[put(record(Kind::Object, 1, 1), 0, Some(&[tag(1)]))]).unwrap();
    drop(store);
    // STRICT tables refuse these; a forger's file need not be strict.
    tamper(home.path(), "UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'objects'");
    let good = fs::read(home.path().join("hsm1/hsm.db")).unwrap();
    for sql in [
        "UPDATE objects SET sealed = 'text'",
        "UPDATE objects SET sealed = zeroblob(4194305)",
        "UPDATE objects SET version = -1",
        "UPDATE objects SET version = 'one'",
        "UPDATE objects SET tier = 256",
        "UPDATE objects SET owner = 1.5",
        "UPDATE objects SET class = x'00'",
        "DROP TABLE objects",
        "DELETE FROM counters",
        "UPDATE counters SET value = -5",
        "UPDATE objects SET tags = x'00'",
        "UPDATE objects SET tags = zeroblob(16000)",
    ] {
        fs::write(home.path().join("hsm1/hsm.db"), &good).unwrap();
        tamper(home.path(), sql);
        let Err(error) = open(&home).and_then(|store| {
            store.read(Kind::Object, 1)?;
            store.version(Kind::Object, 1)?;
            store.scan(&Selection::all(Kind::Object))?;
            store.count(Kind::Object)?;
            commit(&store, &[Change::Delete { kind: Kind::Object, id: 1, expected: 1 }])
        }) else {
            unreachable!("{sql}")
        };
        assert_eq!(error.rv(), ck::CKR_DEVICE_ERROR, "{sql}: {error}");
        assert!(error.message().contains("hsm.db") && error.message().contains("doctor"), "{sql}: {error}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let (home, store) = new_store();
    let changes: Vec<_> = (1..60)
        .map(|id| put(record(Kind::Object, id, 1), 0, Some(&[tag(1), tag(u8::try_from(id).unwrap())])))
        .collect();
    commit(&store, &changes).unwrap();
    drop(store);
    let database = home.path().join("hsm1/hsm.db");
    let good = fs::read(&database).unwrap();
    let mut state = 12345_u64;
    for _ in 0..300 {
        let mut bad = good.clone();
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 33).unwrap() % bad.len();
            bad[at] ^= u8::try_from(state >> 24 & 0xFF).unwrap() | 1;
        }
        fs::write(&database, &bad).unwrap();
        let Ok(store) = open(&home) else { continue };
        let all = Selection::all(Kind::Object);
        drop(store.scan(&all));
        drop(store.find(&[tag(1), tag(9)], &Selection { class: Some(3), ..all }));
        drop(store.versions(Kind::Object, 0, 1000));
        drop(commit(&store, &[put(record(Kind::Object, 9, 2), 1, Some(&[tag(2)]))]));
    }
}

#[test]
fn no_database_at_all() {
    let (home, store) = new_store();
    drop(store);
    for content in ["", "not a database, but long enough to be looked at as if it were one, and some more"] {
        fs::write(home.path().join("hsm1/hsm.db"), content).unwrap();
        let error = open(&home).err().unwrap();
        assert!(error.message().contains("doctor"), "{error}");
    }
    for name in ["gen.map", "write.lock", "hsm.db"] {
        let (home, store) = new_store();
        drop(store);
        fs::remove_file(home.path().join("hsm1").join(name)).unwrap();
        assert!(open(&home).err().unwrap().message().contains(name));
    }
    assert!(SqliteStore::open(&home.path().join("hsm9"), PLAIN, OPTIONS).is_err());
}

#[test]
fn the_map_is_set_right() {
    let (home, store) = new_store();
    commit(&store, &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
    assert_eq!(store.generation(), 2);
    // A writer died between its commit and the end of it.
    store.0.map.begin();
    assert_eq!(store.0.map.current(), None);
    assert_eq!(store.generation(), 2);
    commit(&store, &[put(record(Kind::Object, 2, 1), 0, None)]).unwrap();
    assert_eq!(store.0.map.current(), Some(3));
    store.0.map.finish(77);
    drop(store);
    let store = open(&home).unwrap();
    assert_eq!(store.0.map.current(), Some(3));
    store.0.map.begin();
    store.close();
    assert_ne!(store.generation(), store.generation(), "unknown is never the same as unknown");
}

#[test]
fn a_store_inside_its_own_write_is_an_error() {
    let (_home, store) = new_store();
    let result = store.write(Durability::Synced, &mut |_| {
        assert!(store.read(Kind::Meta, 1).is_err());
        assert!(commit(&store, &[put(record(Kind::Meta, 1, 1), 0, None)]).is_err());
        Ok(Batch { changes: vec![put(record(Kind::Meta, 1, 1), 0, None)] })
    });
    result.unwrap();
    assert_eq!(store.count(Kind::Meta).unwrap(), 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(store.write(Durability::Synced, &mut |_| unreachable!("a bug above")));
    }));
    assert!(panicked.is_err());
    commit(&store, &[put(record(Kind::Meta, 2, 1), 0, None)]).unwrap();
}

#[test]
fn a_full_disk_is_device_memory() {
    let (_home, store) = new_store();
    store
        .0
        .with(|open| open.connection.execute_batch("PRAGMA max_page_count = 40").map_err(|_| Error::internal("x")))
        .unwrap();
    let big = Record { sealed: vec![1; 300_000], ..record(Kind::Object, 1, 1) };
    assert_eq!(commit(&store, &[put(big, 0, None)]).unwrap_err().rv(), ck::CKR_DEVICE_MEMORY);
    commit(&store, &[put(record(Kind::Object, 1, 1), 0, None)]).unwrap();
}
