//! What a process has opened is moved away, removed or replaced while it runs: what it acknowledges is in the folder that stands at
//! the path, or it acknowledges nothing. The C functions return CKR_DEVICE_ERROR when the token is not as the library needs it
//! (PKCS#11 3.2, section 5.1.2).

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::run::{DEVICE_ERROR, Hsm, Outcome, set_mode};

/// The one line says what is wrong and what helps.
const WORDS: &[&str] = &[
    "is not what this process has opened",
    "moved, removed or replaced",
    "nothing was changed",
    "C_Finalize and C_Initialize",
];

/// Copies a folder as `cp -a` does: new inodes, the same content and rights.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    set_mode(to, 0o700);
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        // The index of the log is made anew by whoever opens the database first.
        if !from.ends_with("hsm.db-shm") {
            let to = to.join(from.file_name().unwrap());
            fs::copy(&from, &to).unwrap();
            set_mode(&to, 0o600);
        }
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        sleep(Duration::from_millis(1));
    }
}

/// A process makes the key `kept`, waits until `spoil` is done, tries to make `lost`, waits until `mend` is done, and opens the HSM anew.
fn run(hsm: &Hsm, spoil: impl FnOnce(), mend: impl FnOnce()) -> Outcome {
    let name = |name: &str| hsm.place.join(name);
    let [ready, go, refused, mended] = ["ready", "go", "refused", "mended"].map(name);
    let steps = format!(
        "initialize;login;use first;make kept;tell {};await {};make lost;use first;tell {};await {};finalize;\
         initialize;login;use first;use lost;make found;use found;finalize",
        ready.display(),
        go.display(),
        refused.display(),
        mended.display()
    );
    let running = hsm.child().steps(&steps).start();
    wait_for(&ready);
    spoil();
    fs::write(&go, "").unwrap();
    wait_for(&refused);
    mend();
    fs::write(&mended, "").unwrap();
    running.end()
}

/// The line is about `path`; afterwards the process works with what stands at the path.
#[track_caller]
fn assert_refused(hsm: &Hsm, outcome: &Outcome, path: &Path) {
    let makes = outcome.all("make");
    assert_eq!(makes, ["0x0", "0x30", "0x0"], "{outcome:?}");
    let line = outcome.stderr.lines().collect::<Vec<_>>();
    let [line] = line[..] else { panic!("not one line: {}", outcome.stderr) };
    crate::run::assert_clear(line, path, WORDS);
    // Reading goes on meanwhile, and nothing is left of what was refused.
    let uses = outcome.all("use");
    assert_eq!(uses[..3], [hsm.block(); 3], "{outcome:?}");
    assert_eq!(uses[3], "0 keys of that label", "{outcome:?}");
    assert!(uses[4].starts_with("block-"), "{outcome:?}");
    assert_eq!(DEVICE_ERROR, 0x30);
}

/// `mv hsm1 old; cp -a backup hsm1`, while a second process works with what stands there.
#[test]
fn a_folder_that_is_moved_away() {
    let hsm = Hsm::new();
    let (old, backup) = (hsm.place.join("old"), hsm.place.join("backup"));
    copy(&hsm.file(""), &backup);
    let outcome = run(
        &hsm,
        || {
            fs::rename(hsm.file(""), &old).unwrap();
            copy(&backup, &hsm.file(""));
            hsm.run("initialize;login;make theirs;finalize").assert_quiet();
        },
        || {},
    );
    assert_refused(&hsm, &outcome, &hsm.file(""));
    let outcome = hsm.run("initialize;login;use theirs;use found;use kept;finalize");
    assert!(outcome.all("use")[..2].iter().all(|used| used.starts_with("block-")), "{outcome:?}");
    assert_eq!(outcome.answer("use"), "0 keys of that label", "it is in the folder that was moved away");
    // Where it was acknowledged, and nowhere else.
    fs::remove_dir_all(hsm.file("")).unwrap();
    fs::rename(&old, hsm.file("")).unwrap();
    let outcome = hsm.run("initialize;login;use kept;use lost;finalize");
    assert!(outcome.all("use")[0].starts_with("block-"), "{outcome:?}");
    assert_eq!(outcome.answer("use"), "0 keys of that label");
    hsm.assert_whole();
}

/// The same one folder further up.
#[test]
fn a_home_that_is_moved_away() {
    let hsm = Hsm::new();
    let (old, folder) = (hsm.place.join("old"), hsm.file(""));
    let outcome = run(
        &hsm,
        || {
            fs::rename(&hsm.home, &old).unwrap();
            fs::create_dir(&hsm.home).unwrap();
            set_mode(&hsm.home, 0o700);
            copy(&old.join("hsm1"), &folder);
        },
        || {},
    );
    assert_refused(&hsm, &outcome, &folder);
    hsm.assert_whole();
}

/// Each file of the folder exchanged for a copy of itself, or gone: two writers that lock different files exclude nobody, a commit into
/// a log that has no name is lost, and what no `device.key` opens is lost as well.
#[test]
fn a_file_that_is_replaced_or_gone() {
    for name in ["hsm.db", "hsm.db-wal", "hsm.db-shm", "write.lock", "gen.map", "device.key"] {
        for replaced in [true, false] {
            let hsm = Hsm::new();
            let (path, away) = (hsm.file(name), hsm.place.join("away"));
            let outcome = run(
                &hsm,
                || {
                    fs::rename(&path, &away).unwrap();
                    if replaced {
                        fs::copy(&away, &path).unwrap();
                    }
                },
                || fs::rename(&away, &path).unwrap(),
            );
            assert_refused(&hsm, &outcome, &path);
            hsm.assert_whole();
        }
    }
}

/// `device.key` is never written after it was made: a new content under the old inode is another key.
#[test]
fn a_device_key_that_is_written_over() {
    let (hsm, other) = (Hsm::new(), Hsm::new());
    let path = hsm.file("device.key");
    let right = fs::read(&path).unwrap();
    let another = fs::read(other.file("device.key")).unwrap();
    let outcome = run(&hsm, || fs::write(&path, another).unwrap(), || fs::write(&path, &right).unwrap());
    assert_refused(&hsm, &outcome, &path);
    hsm.assert_whole();
}

/// Reading goes on in what was opened, but nobody logs in to it: its users and their counts are not those that stand at the path.
#[test]
fn a_login_to_what_was_moved_away() {
    let hsm = Hsm::new();
    let (ready, go, old) = (hsm.place.join("ready"), hsm.place.join("go"), hsm.place.join("old"));
    let steps = format!("initialize;login;use first;logout;tell {};await {};login", ready.display(), go.display());
    let running = hsm.child().steps(&steps).start();
    wait_for(&ready);
    fs::rename(hsm.file(""), &old).unwrap();
    copy(&old, &hsm.file(""));
    fs::write(&go, "").unwrap();
    let words = &["moved, removed or replaced", "C_Finalize and C_Initialize"];
    running.end().assert_one_line("login", DEVICE_ERROR, &hsm.file(""), words);
    hsm.assert_whole();
}
