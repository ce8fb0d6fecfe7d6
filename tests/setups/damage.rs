//! Databases that are damaged, cut short, empty, of a later format or no databases at all.

use std::fs;
use std::os::unix::fs::FileExt;

use crate::run::{DEVICE_ERROR, Hsm, Outcome, assert_clear};

/// What a program would do next, whatever came before.
const USE: &str = "initialize;login;use first;count;make another;logout;officer;finalize";

/// Every failed call has one clear line about the database, and there is nothing else.
fn assert_explained(hsm: &Hsm, outcome: &Outcome, what: &str) -> usize {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    for line in &lines {
        assert_clear(line, &hsm.file("hsm.db"), &["is damaged", "cloudhsm-cli doctor"]);
    }
    let failed = outcome.answers.iter().filter(|(_, answer)| answer == "0x30").count();
    assert_eq!(lines.len(), failed, "{what}: {outcome:?}");
    failed
}

#[test]
fn damaged_pages() {
    let hsm = Hsm::new();
    let backup = hsm.backup();
    let database = hsm.file("hsm.db");
    let length = fs::metadata(&database).unwrap().len();
    let mut noticed = 0;
    let pages: Vec<u64> = (0..length / 4096).collect();
    assert!(pages.len() > 8, "a database of {length} bytes");
    // Each page alone, then several; once with noise, once with zeros, once only the first bytes of a page.
    let mut cases: Vec<Vec<u64>> = pages.iter().map(|page| vec![*page]).collect();
    cases.push(pages.iter().copied().filter(|page| page % 2 == 1).collect());
    cases.push(pages.clone());
    for case in &cases {
        for (fill, from, to) in [(0xA5_u8, 0, 4096), (0, 0, 4096), (0xFF, 100, 108), (0x5A, 2048, 4096)] {
            let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
            for page in case {
                file.write_all_at(&vec![fill; to - from], page * 4096 + from as u64).unwrap();
            }
            drop(file);
            let outcome = hsm.run(USE);
            noticed += usize::from(assert_explained(&hsm, &outcome, &format!("pages {case:?}, {fill:#x}")) > 0);
            // Once refused by C_Initialize there is nothing more to lose.
            hsm.restore(&backup);
        }
    }
    assert!(noticed > cases.len(), "only {noticed} of {} were noticed", 4 * cases.len());
    hsm.assert_whole();
}

#[test]
fn a_database_cut_short() {
    let hsm = Hsm::new();
    let backup = hsm.backup();
    let database = hsm.file("hsm.db");
    let length = fs::metadata(&database).unwrap().len();
    for kept in [0, 1, 99, 100, 511, 512, 4095, 4096, 4097, 8192, length / 2, length - 4096, length - 1] {
        fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(kept).unwrap();
        let outcome = hsm.run("initialize");
        outcome.assert_one_line("initialize", DEVICE_ERROR, &database, &["is damaged", "cloudhsm-cli doctor"]);
        hsm.restore(&backup);
    }
    hsm.assert_whole();
}

/// What a killed process has left in the log is not thrown away with a database that was emptied.
#[test]
fn an_empty_database_beside_a_full_log() {
    let hsm = Hsm::new();
    let (ready, go) = (hsm.place.join("ready"), hsm.place.join("go"));
    let steps = format!("initialize;login;make second;tell {};await {}", ready.display(), go.display());
    let running = hsm.child().steps(&steps).start();
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let backup = hsm.backup();
    fs::write(&go, "").unwrap();
    running.end().assert_quiet();
    hsm.restore(&backup);
    let log = hsm.file("hsm.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    fs::write(hsm.file("hsm.db"), "").unwrap();
    let outcome = hsm.run("initialize");
    outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file("hsm.db"), &["is damaged", "is empty"]);
    assert!(fs::metadata(&log).is_ok_and(|status| status.len() > 0), "the log was thrown away");
    hsm.restore(&backup);
    hsm.run("initialize;login;use first;use second;finalize").assert_quiet();
    hsm.assert_whole();
}

#[test]
fn no_database_at_all() {
    let hsm = Hsm::new();
    let backup = hsm.backup();
    let text = "this is a text and no database\n".repeat(1000);
    fs::write(hsm.file("hsm.db"), text).unwrap();
    let mend = || hsm.restore(&backup);
    hsm.assert_refused(DEVICE_ERROR, "hsm.db", &["is damaged", "not a database"], mend);
}

/// The user version of SQLite's header (offset 60), which is the format's number.
#[test]
fn a_later_format_is_refused_with_both_versions() {
    let hsm = Hsm::new();
    let backup = hsm.backup();
    let file = fs::OpenOptions::new().write(true).open(hsm.file("hsm.db")).unwrap();
    file.write_all_at(&7_u32.to_be_bytes(), 60).unwrap();
    let words = &["is of format 7", "reads up to 1", "use a newer library"];
    let spoilt = fs::read(hsm.file("hsm.db")).unwrap();
    let outcome = hsm.run("initialize");
    outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file("hsm.db"), words);
    assert!(fs::read(hsm.file("hsm.db")).unwrap() == spoilt, "a database of a later format was changed");
    for format in [0_u32, u32::MAX] {
        file.write_all_at(&format.to_be_bytes(), 60).unwrap();
        let outcome = hsm.run("initialize");
        outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file("hsm.db"), &["is damaged", "no format"]);
    }
    hsm.restore(&backup);
    hsm.assert_whole();
}

/// Single bytes, most of them in what is sealed, where only the seal can tell.
#[test]
fn flipped_bytes() {
    let hsm = Hsm::new();
    let backup = hsm.backup();
    let database = hsm.file("hsm.db");
    let right = fs::read(&database).unwrap();
    // After the first page, which is SQLite's own text.
    let used: Vec<usize> = (4096..right.len()).filter(|at| right[*at] != 0).collect();
    let mut noticed = 0;
    for at in used.iter().step_by(used.len() / 60) {
        let mut wrong = right.clone();
        wrong[*at] ^= 0x10;
        fs::write(&database, &wrong).unwrap();
        let outcome = hsm.run(USE);
        // A search goes on without the object that does not open, and says so.
        let (lines, left_out): (Vec<&str>, Vec<&str>) = outcome.stderr.lines().partition(|line| line.contains(": C_"));
        for line in left_out {
            let said = line.contains("Object record") && line.contains("cloudhsm-cli doctor");
            assert!(said && line.contains(hsm.file("").to_str().unwrap()), "{line}");
        }
        for line in &lines {
            // A wrapped root that does not open may be spoilt or another HSM's: nothing can tell.
            let pair = line.contains("device.key: does not belong to the database");
            let cure = if pair { "put back the pair" } else { "cloudhsm-cli doctor" };
            assert_clear(line, &hsm.file(""), &["CKR_DEVICE_ERROR", cure]);
        }
        let failed = outcome.answers.iter().filter(|(_, answer)| answer == "0x30").count();
        assert_eq!(lines.len(), failed, "byte {at}: {outcome:?}");
        noticed += usize::from(failed > 0);
        // What was not refused is right.
        let used = outcome.answer("use");
        assert!(used.starts_with("0x") || used.starts_with("0 keys") || used == hsm.block(), "byte {at}: {outcome:?}");
        hsm.restore(&backup);
    }
    assert!(noticed > 0, "no byte was noticed");
    hsm.assert_whole();
}
