//! AWS's tables of attributes, transcribed by hand into golden/*.txt, against the built library, cell by cell.
//!
//! The files are the reference and owe nothing to the library's own rules: whoever compares them with the User Guide
//! need not read Rust. A difference is mended in the library, not in the file.

mod attributes;
mod change;
mod compare;
mod makers;
mod numbers;
mod table;

use std::collections::BTreeSet;

use attributes::Value;
use change::Changes;
use compare::{Difference, Templates, read_cell, reads};
use makers::served;
use table::{Default, Letter, Row, Table};

use crate::support::*;

/// The columns that the library does not serve yet. It may serve none of them: one that it does must leave the list.
const NOT_YET: &[(&str, &[&str])] = &[];

#[test]
fn generate_key_pair() {
    staged(|stage, test| golden(stage, test, "generate_key_pair"));
}

#[test]
fn generate_key() {
    staged(|stage, test| golden(stage, test, "generate_key"));
}

#[test]
fn create_object() {
    staged(|stage, test| golden(stage, test, "create_object"));
}

#[test]
fn unwrap_key() {
    staged(|stage, test| golden(stage, test, "unwrap_key"));
}

#[test]
fn derive_key() {
    staged(|stage, test| golden(stage, test, "derive_key"));
}

#[test]
fn get_attribute_value() {
    staged(|stage, test| golden(stage, test, "get_attribute_value"));
}

#[test]
fn change_attributes() {
    staged(|stage, test| golden(stage, test, "change"));
}

#[test]
fn certificates() {
    staged(|stage, test| golden(stage, test, "certificate"));
}

/// Compares one file in both profiles of AWS's dialect, each in a process of its own on the same HSM, and names every
/// cell that differs before it fails.
fn golden(stage: &str, test: &Test, name: &str) {
    if stage.is_empty() {
        let home = Folder::new();
        let mut differences = Vec::new();
        for profile in ["cloudhsm", "strict"] {
            let mut command = test.stage(profile, home.path(), profile);
            // Each refusal is one line of the log, and most cells are refusals.
            command.env("CLOUDHSM_PKCS11_CERTIFICATE_STORAGE", "true").env("CLOUDHSM_PKCS11_LOG_LEVEL", "off");
            let said = test.must(&mut command);
            let all = said.lines().filter_map(|line| line.strip_prefix("DIFFERS "));
            differences.extend(all.map(|line| format!("{profile}: {line}")));
            assert!(said.contains("\nCOMPARED "), "{profile} compared nothing");
        }
        let count = differences.len();
        assert!(differences.is_empty(), "{count} differences from AWS's tables:\n{}", differences.join("\n"));
        return;
    }
    let session = if stage == "cloudhsm" {
        hsm()
    } else {
        initialize().unwrap();
        let session = Session::open();
        session.login(ALICE).unwrap();
        session
    };
    let table = Table::named(name);
    for difference in compare(session, stage, &table) {
        println!("DIFFERS {difference}");
    }
    println!("COMPARED {} rows of {} columns", table.rows.len(), table.columns.len());
}

/// All differences of one table.
fn compare(session: Session, profile: &str, table: &Table) -> Vec<Difference> {
    let reads_table = Table::named("get_attribute_value");
    let waiting = NOT_YET.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, columns)| columns);
    let mut differences = Vec::new();
    let mut now = Vec::new();
    for column in table.columns.iter().map(String::as_str) {
        match (served(session, table.name, column), waiting.contains(&column)) {
            (true, false) => now.push(column),
            (false, true) => println!("NOT SERVED {}.txt, {column}", table.name),
            (true, true) => {
                differences.push(Difference::of_column(
                    table,
                    column,
                    "not served, by NOT_YET",
                    "the library serves it",
                ));
                now.push(column);
            }
            (false, false) => differences.push(Difference::of_column(table, column, "served", "it is not")),
        }
    }
    for column in &now {
        differences.extend(match table.name {
            "get_attribute_value" => reads(session, table, column),
            "change" => {
                let changes = Changes::of_keys(session, table, &reads_table, column);
                if profile == "strict" { changes.compare_refused() } else { changes.compare() }
            }
            "certificate" => certificate(session, table, column),
            _ => {
                let templates = Templates::of_keys(session, table, &reads_table, column);
                templates.compare(&|row| profile == "strict" && is_of_known_issue(table, row, column))
            }
        });
    }
    if table.name == "change" && profile != "strict" {
        differences.extend(change::by_officer(session, table, &now));
    }
    let mut cells = BTreeSet::new();
    differences.retain(|found| cells.insert((found.attribute, found.column.clone())));
    differences
}

/// User Guide, ki-pkcs11-sdk, issue 6: what AWS's library makes of these is no cell of the table; `strict` has a switch
/// for it, with tests of its own.
fn is_of_known_issue(table: &Table, row: &Row, column: &str) -> bool {
    table.name == "generate_key_pair"
        && column == "RSA prv"
        && [CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT].contains(&row.attribute.id)
}

/// One column of certificate.txt, whose columns are functions.
fn certificate(session: Session, table: &Table, column: &str) -> Vec<Difference> {
    let maker = makers::certificate(session).expect("certificates are served");
    match column {
        "create" => {
            let templates = Templates { session, table, column, reads: table, reads_column: "read", maker };
            templates.compare(&|_| false)
        }
        "read" => {
            let object = maker.make(&maker.base).expect("a certificate");
            let cells = table.column(column).filter_map(|(row, cell)| {
                let found = read_cell(session, object, object, row, cell.letter).err()?;
                Some(Difference::new(table, row, column, cell.source, found))
            });
            let found = cells.collect();
            session.destroy(object).expect("C_DestroyObject");
            found
        }
        "change" => Changes { session, table, column, reads: table, reads_column: "read", maker }.compare(),
        other => panic!("certificate.txt has a column {other}"),
    }
}

/// Negative control: a table with one cell changed differs from the library in that cell, and in no other.
#[test]
fn the_comparison_sees_one_changed_cell() {
    isolated(|| {
        let session = hsm();
        for (name, column, attribute, letter) in [
            ("generate_key", "AES", "ENCRYPT", Letter::Not),
            ("generate_key", "AES", "LABEL", Letter::ReadOnly),
            ("generate_key", "AES", "LOCAL", Letter::Not),
            ("generate_key", "AES", "PRIVATE", Letter::Yes),
            ("generate_key", "AES", "TOKEN", Letter::OnlyDefault),
            ("generate_key", "AES", "VALUE_LEN", Letter::Yes),
            ("generate_key", "AES", "ID", Letter::Mandatory),
            ("generate_key", "generic", "COPYABLE", Letter::Yes),
            ("create_object", "EC pub", "EC_POINT", Letter::Not),
            ("create_object", "EC prv", "CHECK_VALUE", Letter::Yes),
            ("generate_key_pair", "EC pub", "TRUSTED", Letter::Not),
            ("get_attribute_value", "AES", "COPYABLE", Letter::Yes),
            ("get_attribute_value", "AES", "VALUE", Letter::Sensitive),
            ("get_attribute_value", "AES", "LABEL", Letter::Not),
            ("get_attribute_value", "EC prv", "VALUE", Letter::Not),
            ("change", "AES", "LABEL", Letter::ReadOnly),
            ("change", "AES", "EXTRACTABLE", Letter::Yes),
            ("change", "AES", "WRAP", Letter::OnlyUp),
            ("change", "AES", "CLASS", Letter::Not),
        ] {
            let table = Table::named(name);
            let altered = table.altered(attribute, column, letter);
            assert_only_change(session, &table, &altered, attribute, column);
        }
        // The two whose default is no other function's.
        let table = Table::named("generate_key");
        for attribute in ["SIGN", "LOCAL"] {
            let altered = table.altered_default(attribute, Default::Plain(Value::Flag(false)));
            assert_only_change(session, &table, &altered, attribute, "AES");
        }
    });
}

fn assert_only_change(session: Session, table: &Table, altered: &Table, attribute: &'static str, column: &str) {
    let told = |table: &Table| -> BTreeSet<_> {
        let all = one_column(session, table, column);
        all.iter().map(|found| (found.attribute, found.column.clone())).collect()
    };
    let (before, after) = (told(table), told(altered));
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert_eq!(changed, [&(attribute, column.to_owned())], "{}.txt, altered there", table.name);
}

fn one_column(session: Session, table: &Table, column: &str) -> Vec<Difference> {
    let reads_table = Table::named("get_attribute_value");
    match table.name {
        "get_attribute_value" => reads(session, table, column),
        "change" => Changes::of_keys(session, table, &reads_table, column).compare(),
        _ => Templates::of_keys(session, table, &reads_table, column).compare(&|_| false),
    }
}

/// The files are read strictly; these are the mistakes that a hand makes.
#[test]
fn a_table_with_a_mistake_is_refused() {
    let good = include_str!("golden/generate_key.txt");
    Table::parse("generate_key", good).unwrap();
    let line = "PRIVATE                | =D  | =D   | =D      | true";
    assert!(good.contains(line));
    for (bad, why) in [
        ("PRIVATE | =D | =D | true", "cells"),
        ("PRIVATE | =D | =D | =D | =D | true", "cells"),
        ("PRIVATE | =D | =D | x | true", "letter"),
        ("PRIVATE | =D | =D | S | true", "letter"),
        ("PRIVATE | =D | =D |  | true", "letter"),
        ("PRIVATE | =D | =D | =D?! | true", "letter"),
        ("PRIVATE | =D | =D | =D | yes", "default"),
        ("PRIVAT | =D | =D | =D | true", "unknown attribute"),
        ("LABEL | y | y | y | empty", "twice"),
        ("UNIQUE_ID | - | - | - | .", "no place"),
        ("", "missing"),
    ] {
        let refused = Table::parse("generate_key", &good.replace(line, bad)).unwrap_err();
        assert!(refused.contains(why), "{bad:?}: {refused}");
    }
}
