//! Each mechanism crossed with each wrong key, flag, function and parameter, in every profile, outside FIPS mode and
//! in it, outside secure mode and in it.
//!
//! What is expected comes from mechanisms.txt, which is written from AWS's text and the standard's and owes nothing to
//! the library's own table. All differences of one process are reported together.

mod crossings;
mod derivation;
mod fips;
mod functions;
mod keys;
mod limits;
mod list;
mod parameters;
mod report;
mod secure;
mod table;

use std::collections::BTreeSet;

use functions::Caller;
use keys::Keys;
use report::Report;
use table::{Line, Setting, TEXT, Table};

use crate::support::*;

const CLOUDHSM: Setting = Setting { profile: "cloudhsm", fips: false, secure: false };
const STRICT: Setting = Setting { profile: "strict", ..CLOUDHSM };
const STANDARD: Setting = Setting { profile: "standard", ..CLOUDHSM };

#[test]
fn cloudhsm() {
    staged(|stage, test| matrix(stage, test, CLOUDHSM));
}

#[test]
fn cloudhsm_in_fips_mode() {
    staged(|stage, test| matrix(stage, test, Setting { fips: true, ..CLOUDHSM }));
}

#[test]
fn strict() {
    staged(|stage, test| matrix(stage, test, STRICT));
}

#[test]
fn strict_in_fips_mode() {
    staged(|stage, test| matrix(stage, test, Setting { fips: true, ..STRICT }));
}

#[test]
fn standard() {
    staged(|stage, test| matrix(stage, test, STANDARD));
}

#[test]
fn standard_in_fips_mode() {
    staged(|stage, test| matrix(stage, test, Setting { fips: true, ..STANDARD }));
}

#[test]
fn cloudhsm_in_secure_mode() {
    staged(|stage, test| matrix(stage, test, Setting { secure: true, ..CLOUDHSM }));
}

#[test]
fn cloudhsm_in_fips_and_secure_mode() {
    staged(|stage, test| matrix(stage, test, Setting { fips: true, secure: true, ..CLOUDHSM }));
}

#[test]
fn strict_in_secure_mode() {
    staged(|stage, test| matrix(stage, test, Setting { secure: true, ..STRICT }));
}

#[test]
fn standard_in_secure_mode() {
    staged(|stage, test| matrix(stage, test, Setting { secure: true, ..STANDARD }));
}

/// The HSM is made in `cloudhsm`, since `strict` has no C_InitToken; FIPS mode and secure mode are properties of the HSM.
fn matrix(stage: &str, test: &Test, setting: Setting) {
    if stage.is_empty() {
        let home = Folder::new();
        let mut make = test.stage("cloudhsm", home.path(), if setting.secure { "make secure" } else { "make" });
        if setting.secure {
            make.env("CLOUDHSM_PKCS11_SECURE", "true");
        }
        if setting.fips {
            make.env("CLOUDHSM_PKCS11_FIPS", "true");
        }
        test.must(&mut make);
        let mut differences = Vec::new();
        let mut run = |stage: &str| {
            let mut command = test.stage(setting.profile, home.path(), stage);
            // Each refusal is one line of the log, and nearly all calls are refused.
            command.env("CLOUDHSM_PKCS11_LOG_LEVEL", "off");
            if stage == "weak" {
                command.env("CLOUDHSM_PKCS11_ECDSA_WITH_WEAK_HASH", "true");
            }
            let said = test.must(&mut command);
            assert!(said.contains("\nTOTAL "), "{setting:?} crossed nothing");
            differences.extend(said.lines().filter_map(|line| line.strip_prefix("DIFFERS ")).map(str::to_owned));
        };
        run("cross");
        if setting.fips {
            run("weak");
        }
        let count = differences.len();
        assert!(differences.is_empty(), "{setting:?}: {count} differences:\n{}", differences.join("\n"));
        return;
    }
    if let Some(how) = stage.strip_prefix("make") {
        activate(&[ALICE]);
        if how == " secure" {
            secure::make_trusted();
        }
        return;
    }
    initialize().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    let keys = Keys::new(session, setting);
    let caller = Caller::new(&keys);
    let mut report = Report::new();
    let table = Table::parse(TEXT).unwrap();
    if stage == "weak" {
        fips::weak_hashes(&mut report, &caller, setting, true);
    } else {
        list::whole_list(&mut report, &table, setting);
        for line in &table.0 {
            cross(&mut report, &caller, line, setting);
        }
        crossings::unknown_mechanisms(&mut report, &caller);
        fips::weak_hashes(&mut report, &caller, setting, false);
        fips::edwards_pairs(&mut report, &caller, setting);
    }
    report.print(&format!("{setting:?}"));
}

/// All of one line of the table.
fn cross(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    list::information(report, line, setting);
    crossings::right(report, caller, line, setting);
    crossings::wrong_functions(report, caller, line, setting);
    crossings::wrong_keys(report, caller, line, setting);
    crossings::wrong_parameters(report, caller, line, setting);
    crossings::parts(report, caller, line, setting);
    limits::largest(report, caller, line, setting);
}

/// Negative control: a cell that is changed in memory makes differences in its line that were not there before.
#[test]
fn the_matrix_sees_one_changed_cell() {
    isolated(|| {
        let keys = Keys::new(hsm(), CLOUDHSM);
        let caller = Caller::new(&keys);
        let differences = |text: &str, name: &str| -> BTreeSet<String> {
            let table = Table::parse(text).unwrap();
            let mut report = Report::new();
            list::whole_list(&mut report, &table, CLOUDHSM);
            if let Some(line) = table.line(name) {
                cross(&mut report, &caller, line, CLOUDHSM);
            }
            report.differences().iter().cloned().collect()
        };
        for (name, column, changed) in [
            ("CKM_DES3_ECB", "cloudhsm", "d"),
            ("CKM_SHA256", "cloudhsm", "hs"),
            ("CKM_AES_CMAC", "keys", "des3"),
            ("CKM_AES_CMAC", "keys", "aes des3"),
            ("CKM_RSA_PKCS", "sizes AWS", "1024-4096"),
            ("CKM_AES_CBC", "parameter AWS", "iv8"),
            ("CKM_RSA_PKCS_OAEP", "parameter AWS", "oaep"),
            ("CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD", "parameter AWS", "wrap-iv"),
            ("CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD", "parameter AWS", "wrap-iv-default"),
            ("CKM_AES_GCM", "parts AWS", "n"),
            ("CKM_CLOUDHSM_EDDSA", "parts AWS", "n"),
            ("CKM_SHA384_HMAC", "largest", "16288"),
            ("CKM_AES_CBC", "largest", "16256"),
            ("CKM_ECDSA", "number", "0x00001141"),
        ] {
            let altered = altered(name, column, changed);
            let (before, after) = (differences(TEXT, name), differences(&altered, name));
            assert!(after.difference(&before).next().is_some(), "{name}, {column}: {changed} is not seen");
        }
        // A line more, and a line less.
        let without: String =
            TEXT.lines().filter(|line| !line.starts_with("CKM_SHA224 ")).map(|line| format!("{line}\n")).collect();
        let before = differences(TEXT, "CKM_SHA224");
        assert!(differences(&without, "CKM_SHA224").iter().any(|line| !before.contains(line)), "a line less");
        let more = format!("{TEXT}{}\n", TEXT.lines().find(|line| line.starts_with("CKM_SHA224 ")).unwrap());
        let more = more.replacen("CKM_SHA224 ", "CKM_MORE   ", 1).replacen("0x00000255", "0x00000999", 1);
        assert!(!differences(&more, "CKM_MORE").is_empty(), "a line more");
    });
}

/// Negative control of the secure column: an HSM that is not in secure mode differs from it in every line that the rules touch.
#[test]
fn the_matrix_sees_that_secure_mode_is_missing() {
    isolated(|| {
        let session = hsm();
        secure::trust_all(session);
        let setting = Setting { secure: true, ..CLOUDHSM };
        let keys = Keys::new(session, setting);
        let caller = Caller::new(&keys);
        let table = Table::parse(TEXT).unwrap();
        for name in [
            "CKM_RSA_PKCS",
            "CKM_RSA_X_509",
            "CKM_AES_ECB",
            "CKM_DES3_ECB",
            "CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD",
            "CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD",
            "CKM_RSA_PKCS_OAEP",
            "CKM_RSA_AES_KEY_WRAP",
            "CKM_AES_GCM",
            "CKM_CLOUDHSM_AES_GCM",
            "CKM_SHA256_HMAC",
            "CKM_GENERIC_SECRET_KEY_GEN",
        ] {
            let mut report = Report::new();
            cross(&mut report, &caller, table.line(name).unwrap(), setting);
            assert!(!report.differences().is_empty(), "{name} is the same");
        }
        // What they do not touch is the same.
        let mut report = Report::new();
        cross(&mut report, &caller, table.line("CKM_AES_CMAC").unwrap(), setting);
        assert!(report.differences().is_empty(), "{:?}", report.differences());
    });
}

/// The table's text with one cell changed.
fn altered(name: &str, column: &str, cell: &str) -> String {
    let head = TEXT.lines().find(|line| line.starts_with("mechanism ")).expect("the head");
    let at = head.split('|').position(|head| head.trim() == column).expect("a column");
    let mut found = 0;
    let lines = TEXT.lines().map(|line| {
        let mut cells: Vec<_> = line.split('|').map(str::trim).collect();
        if cells[0] == name {
            found += 1;
            assert_ne!(cells[at], cell, "{name}, {column}");
            cells[at] = cell;
        }
        if cells.len() > 1 { cells.join(" | ") } else { line.to_owned() }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(found, 1, "{name}");
    text
}

/// The file is read strictly; these are the mistakes that a hand makes.
#[test]
fn a_table_with_a_mistake_is_refused() {
    Table::parse(TEXT).map(drop).unwrap();
    for (name, column, cell) in [
        ("CKM_AES_ECB", "keys", "aess"),
        ("CKM_AES_ECB", "number", "0x1081"),
        ("CKM_AES_ECB", "number", "0x00001082"),
        ("CKM_AES_ECB", "cloudhsm", "ex"),
        ("CKM_AES_ECB", "cloudhsm", ""),
        ("CKM_AES_ECB", "cloudhsm", "-"),
        ("CKM_AES_ECB", "cloudhsm", "e"),
        ("CKM_AES_ECB", "FIPS AWS", "edw"),
        ("CKM_AES_ECB", "sizes std", "16"),
        ("CKM_AES_ECB", "parameter AWS", "iv"),
        ("CKM_AES_ECB", "parts std", "2"),
        ("CKM_AES_ECB", "largest", "many"),
    ] {
        // An empty cell and a use less are refused by what follows from them: FIPS mode would add a use.
        assert!(Table::parse(&altered(name, column, cell)).is_err(), "{name}, {column}: {cell:?}");
    }
}
