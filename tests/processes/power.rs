//! Simulated loss of power: a script's writes are recorded in order, and the disk is put together as it may have been at any
//! moment: what was not synced is there, lost, there in part, or there without what came before it.
//!
//! The model of the disk: a sync makes everything that was written to its file before it durable, and the file's name with it.
//! Of the rest any write may be missing, and of the last one only some sectors of 512 bytes may be there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use super::shim::{Event, read_record};
use super::{ledger, shim};
use crate::support::*;

/// Rounds of eight changes each.
const ROUNDS: usize = 60;

/// How many disks are put together: with CLOUDHSM_LONG=1 20,000 and one or more for each moment.
fn disks_wanted(moments: usize) -> usize {
    if std::env::var_os("CLOUDHSM_LONG").is_some() { 20_000.max(moments) } else { 150 }
}

/// A file on the disk: what is durable, and what was done to it since.
#[derive(Default, Clone)]
struct File {
    durable: Option<Vec<u8>>,
    since: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Create,
    Write(usize, Vec<u8>),
    Cut(usize),
    Remove,
}

fn apply(content: &mut Option<Vec<u8>>, change: &Change) {
    match change {
        Change::Create => drop(content.get_or_insert_default()),
        Change::Write(offset, bytes) => {
            let content = content.get_or_insert_default();
            content.resize(content.len().max(offset + bytes.len()), 0);
            content[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        Change::Cut(length) => content.get_or_insert_default().resize(*length, 0),
        Change::Remove => *content = None,
    }
}

/// A file as it may be after the power went: see the model above.
fn after_the_loss(file: &File, dice: &mut Dice) -> Option<Vec<u8>> {
    let mut content = file.durable.clone();
    let keep = match dice.below(4) {
        0 => 0,
        1 => 100,
        _ => 50,
    };
    let last = dice.below(file.since.len() + 1);
    for (at, change) in file.since.iter().enumerate().take(if keep == 50 { last + 1 } else { usize::MAX }) {
        let Change::Write(offset, bytes) = change else {
            if keep == 100 || dice.below(2) == 0 {
                apply(&mut content, change);
            }
            continue;
        };
        if keep == 100 || (keep == 50 && at < last && dice.below(4) != 0) {
            apply(&mut content, change);
        } else if keep == 50 && content.is_some() {
            // Sectors of it.
            for (sector, part) in bytes.chunks(512).enumerate() {
                if dice.below(2) == 0 {
                    apply(&mut content, &Change::Write(offset + 512 * sector, part.to_vec()));
                }
            }
        }
    }
    content
}

/// A disk that was put together, after which event, and how many changes had been acknowledged by then.
struct Disk {
    folder: Folder,
    at: usize,
    acknowledged: usize,
}

/// Puts disks together and checks each; returns how many there were and what was wrong with one that was.
fn simulate(template: &Path, events: &[Event], wanted: usize, syncs: bool) -> (usize, Option<String>) {
    let steps = events.iter().filter_map(|event| if let Event::Acknowledged(step) = event { Some(step) } else { None });
    let (acknowledged, wrong) = (&steps.cloned().collect::<Vec<_>>(), &OnceLock::new());
    // One checker for each processor; the channel holds no disk, so there are few at a time.
    let (disks, ready) = mpsc::sync_channel::<Disk>(0);
    let ready = Arc::new(Mutex::new(ready));
    let count = std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            // Each has a share of the receiving end: were all of them to panic, none would be waited for.
            let ready = Arc::clone(&ready);
            scope.spawn(move || {
                let next = || ready.lock().unwrap().recv();
                while let Ok(disk) = next() {
                    let sure = &acknowledged[..disk.acknowledged];
                    if let Err(found) = ledger::check(disk.folder.path(), sure, ROUNDS) {
                        drop(wrong.set(format!("after event {} of {}: {found}", disk.at, events.len())));
                    }
                }
            });
        }
        drop(ready);
        let disks = disks;
        put_together(template, events, wanted, syncs, move |disk| wrong.get().is_none() && disks.send(disk).is_ok())
    });
    (count, wrong.get().cloned())
}

/// Hands disks to `take` until it wants no more; returns how many it took.
fn put_together(template: &Path, events: &[Event], wanted: usize, syncs: bool, take: impl Fn(Disk) -> bool) -> usize {
    let mut dice = Dice(42);
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    for entry in files_below(template) {
        let name = entry.strip_prefix(template).unwrap().to_str().unwrap().to_owned();
        files.insert(name, File { durable: Some(std::fs::read(&entry).unwrap()), since: Vec::new() });
    }
    // Every moment has the same chance; at some, several disks are put together.
    let mut moments: BTreeMap<usize, usize> = BTreeMap::new();
    for _ in 0..wanted {
        *moments.entry(dice.below(events.len())).or_default() += 1;
    }
    let (mut acknowledged, mut taken) = (0, 0);
    for (at, event) in events.iter().enumerate() {
        let mut add = |path: &String, change| files.entry(path.clone()).or_default().since.push(change);
        match event {
            Event::Created(path) => add(path, Change::Create),
            Event::Written { path, offset, bytes } => add(path, Change::Write(*offset, bytes.clone())),
            Event::Cut { path, length } => add(path, Change::Cut(*length)),
            Event::Removed(path) => add(path, Change::Remove),
            Event::Acknowledged(_) => acknowledged += 1,
            Event::Synced(path) if syncs => {
                // A folder has no entry of its own: its names go with their files.
                if let Some(file) = files.get_mut(path) {
                    for change in std::mem::take(&mut file.since) {
                        apply(&mut file.durable, &change);
                    }
                }
            }
            Event::Synced(_) => {}
        }
        for _ in 0..moments.get(&at).copied().unwrap_or(0) {
            let folder = Folder::new();
            write_disk(template, folder.path(), &files, &mut dice);
            if !take(Disk { folder, at, acknowledged }) {
                return taken;
            }
            taken += 1;
        }
    }
    taken
}

/// Writes the disk as it may be after the power went now.
fn write_disk(template: &Path, disk: &Path, files: &BTreeMap<String, File>, dice: &mut Dice) {
    ledger::copy(template, disk);
    for (name, file) in files {
        // The shared memory of SQLite is none that a disk has to keep; gen.map is a hint.
        if name.ends_with("-shm") || name.ends_with("gen.map") || file.since.is_empty() && !name.contains(".db") {
            continue;
        }
        let path = disk.join(name);
        match after_the_loss(file, dice) {
            Some(content) => write_private(&path, &content),
            None => drop(std::fs::remove_file(path)),
        }
    }
}

fn write_private(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn power_is_lost_at_any_moment() {
    staged(|stage, test| match stage {
        "" => {
            let (template, tools) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", template.path(), "make");
            let home = Folder::new();
            ledger::copy(template.path(), home.path());
            let record = tools.path().join("record");
            let mut command = test.stage("cloudhsm", home.path(), "work");
            command.env("LD_PRELOAD", &shim).env("IO_SHIM_ROOT", home.path()).env("IO_SHIM_TRACE", &record);
            test.must(&mut command);
            let events = read_record(&std::fs::read(&record).unwrap());
            let changes = events.iter().filter(|event| matches!(event, Event::Acknowledged(_))).count();
            let writes = events.iter().filter(|event| matches!(event, Event::Written { .. })).count();
            let checkpoints =
                events.iter().filter(|event| matches!(event, Event::Synced(path) if path.ends_with("hsm.db"))).count();
            assert!(changes >= 8 * ROUNDS && writes > changes, "{changes} changes, {writes} writes");
            assert!(checkpoints > 0, "{changes} changes, {writes} writes are too few for the log to be written back");
            let (disks, wrong) = simulate(template.path(), &events, disks_wanted(events.len()), true);
            println!("{changes} changes, {writes} writes, {checkpoints} syncs of the database, {disks} disks");
            assert_eq!(wrong, None);
            // The control: a disk whose syncs do nothing loses what was acknowledged, and this test sees it.
            let (_, wrong) = simulate(template.path(), &events, 60, false);
            assert!(wrong.is_some(), "a disk that does not sync loses nothing");
        }
        "make" => ledger::prepare(ROUNDS),
        "work" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            let acknowledge = |step: &str, outcome: Option<Answer>| {
                if let Some(outcome) = outcome {
                    outcome.unwrap();
                    shim::acknowledge(step);
                }
            };
            // The threads first: then less of what they write is in the database already.
            ledger::crowd(&acknowledge);
            for number in 0..ROUNDS {
                ledger::round(session, number, &mut { acknowledge });
            }
        }
        other => panic!("{other}"),
    });
}
