//! Files that are gone, cut short, or another HSM's.

use std::fs;

use crate::run::{DEVICE_ERROR, Hsm};

#[test]
fn missing_files() {
    for name in ["hsm.db", "device.key", "write.lock", "gen.map"] {
        let hsm = Hsm::new();
        let (path, away) = (hsm.file(name), hsm.place.join("away"));
        fs::rename(&path, &away).unwrap();
        let words = &["is missing", "cloudhsm-cli doctor"];
        hsm.assert_refused(DEVICE_ERROR, name, words, || fs::rename(&away, &path).unwrap());
    }
}

#[test]
fn a_device_key_that_is_not_the_right_one() {
    let hsm = Hsm::new();
    let other = Hsm::new();
    let path = hsm.file("device.key");
    let right = fs::read(&path).unwrap();
    let put_back = || fs::write(&path, &right).unwrap();
    let cases: [(Vec<u8>, &[&str]); 5] = [
        (Vec::new(), &["32 bytes", "from a backup"]),
        (right[..31].to_vec(), &["32 bytes", "from a backup"]),
        ([&right[..], &[0]].concat(), &["32 bytes", "from a backup"]),
        (vec![7; 8192], &["longer than", "restore the file"]),
        (fs::read(other.file("device.key")).unwrap(), &["does not belong to the database", "the pair that belongs"]),
    ];
    for (bytes, words) in cases {
        fs::write(&path, bytes).unwrap();
        hsm.assert_refused(DEVICE_ERROR, "device.key", words, put_back);
    }
    other.assert_whole();
}

/// Lost side files can be made anew by hand: neither holds anything that is not in the database.
#[test]
fn empty_side_files_are_enough() {
    for name in ["write.lock", "gen.map"] {
        let hsm = Hsm::new();
        fs::write(hsm.file(name), "").unwrap();
        hsm.assert_whole();
        fs::write(hsm.file(name), vec![0xA5; 4096]).unwrap();
        hsm.assert_whole();
    }
}

/// The HSM's folder goes while a process has it open: the process says so and makes nothing in its place.
#[test]
fn a_folder_that_is_removed_under_a_process() {
    let hsm = Hsm::new();
    let (ready, go) = (hsm.place.join("ready"), hsm.place.join("go"));
    let away = hsm.place.join("away");
    let steps = format!("initialize;login;use first;tell {};await {};make lost", ready.display(), go.display());
    let running = hsm.child().steps(&steps).start();
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let copy = hsm.backup();
    fs::rename(hsm.file(""), &away).unwrap();
    fs::remove_dir_all(&away).unwrap();
    fs::write(&go, "").unwrap();
    let outcome = running.end();
    outcome.assert_one_line(
        "make",
        DEVICE_ERROR,
        &hsm.file(""),
        &["moved, removed or replaced", "C_Finalize and C_Initialize"],
    );
    assert!(!hsm.file("").exists());
    fs::create_dir(hsm.file("")).unwrap();
    crate::run::set_mode(&hsm.file(""), 0o700);
    for (path, bytes) in copy.iter().filter(|(path, _)| !path.ends_with("hsm.db-shm")) {
        fs::write(path, bytes).unwrap();
        crate::run::set_mode(path, 0o600);
    }
    hsm.assert_whole();
}
