//! `doctor` on a sound set-up and on broken ones: the line that says what is wrong, the cure in it, the status.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::{Home, run_in};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every line begins with its status; returns the lines of failures.
fn failures(home: &Home) -> Vec<String> {
    let answer = home.run(None, &["doctor"]);
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert!(
        lines.iter().all(|line| ["ok ", "note", "FAIL"].iter().any(|word| line.starts_with(word))),
        "{}",
        answer.stdout
    );
    assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    let failures: Vec<String> =
        lines.iter().filter(|line| line.starts_with("FAIL")).map(|line| (*line).to_owned()).collect();
    assert_eq!(answer.status, i32::from(!failures.is_empty()), "{}", answer.stdout);
    failures
}

#[track_caller]
fn finds(home: &Home, texts: &[&str]) {
    let failures = failures(home);
    assert!(failures.iter().any(|line| texts.iter().all(|text| line.contains(text))), "{texts:?}: {failures:#?}");
}

#[test]
fn sound() {
    let home = Home::new();
    assert!(failures(&home).is_empty());
    assert!(!home.path().exists(), "doctor makes nothing");
    let home = Home::activated();
    assert!(failures(&home).is_empty());
    let answer = home.run(None, &["doctor", "--cluster-id", "hsm1"]);
    assert_eq!(answer.status, 0);
    for check in ["configuration", "home", "permissions", "hsm", "users", "database", "audit log"] {
        assert!(
            answer.stdout.lines().any(|line| line.starts_with(&format!("ok   {check}: "))),
            "{check}: {}",
            answer.stdout
        );
    }
    assert_eq!(home.run(None, &["doctor", "--cluster-id", "cluster-abcdefg1234"]).status, 1);
    assert_eq!(home.run(Some(("admin", "no-colon")), &["doctor"]).status, 1);
}

#[test]
fn permissions() {
    let home = Home::activated();
    for (path, wide, right, cure) in [
        (home.path(), 0o777, 0o700, "chmod go-w"),
        (home.hsm(), 0o750, 0o700, "chmod 0700"),
        (home.hsm().join("device.key"), 0o640, 0o600, "chmod 0600"),
        (home.hsm().join("hsm.db"), 0o644, 0o600, "chmod 0600"),
    ] {
        mode(&path, wide);
        finds(&home, &[cure, path.to_str().unwrap()]);
        mode(&path, right);
        assert!(failures(&home).is_empty());
    }
}

#[test]
fn links() {
    let home = Home::activated();
    let (key, moved) = (home.hsm().join("device.key"), home.path().join("moved"));
    fs::rename(&key, &moved).unwrap();
    symlink(&moved, &key).unwrap();
    finds(&home, &["device.key", "link"]);
    fs::remove_file(&key).unwrap();
    fs::rename(&moved, &key).unwrap();
    assert!(failures(&home).is_empty());
    let linked = home.path().parent().unwrap().join("linked");
    symlink(home.path(), &linked).unwrap();
    let answer = run_in(&linked, None, &["doctor"], "", &[]);
    assert!(answer.status == 1 && answer.stdout.contains("symbolic link"), "{}", answer.stdout);
}

#[test]
fn missing_and_foreign_files() {
    let home = Home::activated();
    let other = Home::activated();
    let key = home.hsm().join("device.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    finds(&home, &["device.key"]);
    fs::copy(other.hsm().join("device.key"), &key).unwrap();
    mode(&key, 0o600);
    finds(&home, &["device.key", "does not belong"]);
    fs::write(&key, kept).unwrap();
    assert!(failures(&home).is_empty());
    fs::remove_file(home.hsm().join("hsm.db")).unwrap();
    finds(&home, &["hsm.db"]);
}

/// A page in the middle of the database is overwritten; the header and the first pages stay, so that it still opens.
/// The cure that the line of a lost side file names is one: afterwards the HSM works again.
#[test]
fn lost_side_files() {
    let home = Home::activated();
    for name in ["gen.map", "write.lock"] {
        fs::remove_file(home.hsm().join(name)).unwrap();
        finds(&home, &[name, "missing", "doctor --replace-lost-files"]);
        assert_eq!(home.run(None, &["doctor", "--replace-lost-files"]).status, 0, "{name}");
        assert_eq!(failures(&home), [""; 0], "{name}");
    }
}

#[test]
fn a_corrupt_database() {
    let home = Home::activated();
    let login = Some(("crypto-user", "ann:ann-password"));
    for _ in 0..6 {
        let arguments = [
            "key",
            "generate-asymmetric-pair",
            "ec",
            "--curve",
            "secp256r1",
            "--public-label",
            "a",
            "--private-label",
            "b",
        ];
        home.run(login, &arguments).data();
    }
    assert!(failures(&home).is_empty());
    let path = home.hsm().join("hsm.db");
    let sound = fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 8, "{pages} pages, which all hold something");
    let mut found = 0;
    for page in 1..pages {
        let mut broken = sound.clone();
        broken[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&path, &broken).unwrap();
        found += usize::from(!failures(&home).is_empty());
    }
    // A page that holds nothing may say anything; there are few of those.
    assert!(found + 2 >= pages - 1, "{found} of {} broken pages were found", pages - 1);
    fs::write(&path, &sound).unwrap();
    assert!(failures(&home).is_empty());
}

#[test]
fn configuration() {
    let home = Home::activated();
    let path = home.path().join("config.toml");
    for (text, texts) in [
        ("no_such_setting = 1\n", &["no_such_setting", "config.toml"][..]),
        ("profile = \"loose\"\n", &["loose", "config.toml"]),
        ("profile = 7\n", &["config.toml"]),
        ("profile\n", &["config.toml"]),
        ("log_file = \"/var/nowhere/at/all\"\n", &["log_file", "name a file"]),
    ] {
        fs::write(&path, text).unwrap();
        finds(&home, texts);
    }
    fs::write(&path, "profile = \"standard\"\n").unwrap();
    assert!(failures(&home).is_empty());
    mode(&path, 0o666);
    finds(&home, &["config.toml", "chmod go-w"]);
    let answer = home.run_with(None, &["doctor"], "", &[("CLOUDHSM_PKCS11_CONFIG", "/var/nowhere/c.toml")]);
    assert!(answer.status == 1 && answer.stdout.contains("/var/nowhere/c.toml"), "{}", answer.stdout);
}

/// `--verify` opens what the login at hand opens, and says what it did not.
#[test]
fn every_record() {
    let home = Home::activated();
    common::aes(&home, "k1", &[]).data();
    let verify = |login| home.run(login, &["doctor", "--verify"]);
    let sound = verify(None);
    assert!(sound.status == 0 && sound.stdout.contains("note records: 1 were not opened"), "{}", sound.stdout);
    assert!(home.run(None, &["doctor"]).stdout.contains("--verify also opens each"));
    for login in [common::ANN, common::OFFICER] {
        let sound = verify(login);
        assert!(sound.status == 0 && sound.stdout.contains("ok   records: "), "{}", sound.stdout);
        assert!(!sound.stdout.contains("not opened"), "{}", sound.stdout);
    }
    let wrong = verify(Some(("crypto-user", "ann:wrong-password")));
    assert!(wrong.status == 1 && wrong.stdout.contains("FAIL records: nobody is logged in"), "{}", wrong.stdout);
    // A byte of a key that only a user's password opens.
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
        [(i, s)] = db.execute('SELECT id, sealed FROM objects'); s = bytearray(s); s[40] ^= 1; \
        db.execute('UPDATE objects SET sealed = ? WHERE id = ?', (bytes(s), i)); db.commit()";
    let changed = std::process::Command::new("python3").args(["-c", script]).arg(home.hsm().join("hsm.db")).status();
    assert!(changed.unwrap().success());
    assert!(failures(&home).is_empty(), "only --verify looks at what records hold");
    // Nobody can open it without a password; the sum over what records hold tells that it was changed.
    let counted = verify(None);
    assert!(
        counted.status == 1 && counted.stdout.contains("another content than the head counts"),
        "{}",
        counted.stdout
    );
    let found = verify(common::ANN);
    assert!(found.status == 1 && found.stdout.contains("FAIL records: Object record"), "{}", found.stdout);
    assert!(found.stdout.contains("backup restore"), "{}", found.stdout);
}
