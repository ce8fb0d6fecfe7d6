//! Links: what leads elsewhere, or is reachable from elsewhere, is not ours to trust.

use std::fs;
use std::os::unix::fs::symlink;

use crate::run::{DEVICE_ERROR, Hsm, Place, Run};

#[test]
fn symbolic_links() {
    for name in ["", "hsm.db", "device.key", "write.lock", "gen.map"] {
        let hsm = Hsm::new();
        let (path, away) = (hsm.file(name), hsm.place.join("away"));
        fs::rename(&path, &away).unwrap();
        symlink(&away, &path).unwrap();
        let words: &[&str] = if name.is_empty() {
            &["is a symbolic link", "name the folder itself"]
        } else {
            &["is a symbolic link", "put the file itself there"]
        };
        hsm.assert_refused(DEVICE_ERROR, name, words, || {
            fs::remove_file(&path).unwrap();
            fs::rename(&away, &path).unwrap();
        });
    }
}

#[test]
fn links_that_lead_nowhere() {
    for name in ["", "hsm.db", "device.key", "write.lock", "gen.map"] {
        let hsm = Hsm::new();
        let (path, away) = (hsm.file(name), hsm.place.join("away"));
        fs::rename(&path, &away).unwrap();
        symlink(hsm.place.join("nowhere"), &path).unwrap();
        // For the folder too: an HSM that can only be moved away is not one that is not activated.
        let outcome = hsm.run("initialize");
        outcome.assert_one_line("initialize", DEVICE_ERROR, &path, &["is a symbolic link"]);
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        hsm.assert_whole();
    }
}

/// A link on the way to the home is the administrator's business; one in place of the home is refused when an HSM is made.
#[test]
fn a_home_behind_a_link() {
    let hsm = Hsm::new();
    let link = hsm.place.join("link");
    symlink(hsm.place.path(), &link).unwrap();
    Run::new(&link.join("home")).steps("initialize;login;use first;make more").run().assert_quiet();
    let place = Place::new();
    let (real, link) = (place.join("real"), place.join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let outcome = Run::new(&link).steps("initialize;activate").run();
    outcome.assert_one_line("activate", DEVICE_ERROR, &link, &["is a symbolic link"]);
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
}

/// The files that SQLite leaves beside the database when a process is killed.
#[test]
fn links_in_place_of_side_files() {
    for name in ["hsm.db-wal", "hsm.db-shm"] {
        let hsm = Hsm::new();
        let (path, victim) = (hsm.file(name), hsm.place.join("victim"));
        fs::write(&victim, "mine\n").unwrap();
        symlink(&victim, &path).unwrap();
        hsm.assert_refused(DEVICE_ERROR, name, &["is a symbolic link"], || fs::remove_file(&path).unwrap());
        assert_eq!(fs::read(&victim).unwrap(), b"mine\n");
    }
}

#[test]
fn hard_links() {
    for name in ["hsm.db", "device.key", "write.lock", "gen.map"] {
        let hsm = Hsm::new();
        let other = hsm.place.join("other");
        fs::hard_link(hsm.file(name), &other).unwrap();
        let mend = || fs::remove_file(&other).unwrap();
        hsm.assert_refused(DEVICE_ERROR, name, &["2 names (hard links)", "remove the others"], mend);
    }
}
