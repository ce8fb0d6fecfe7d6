//! The table, the forms of a record, and the way through a log.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base::codec::Writer;
use store::Kind;
use store::sqlite::testing::tamper;

use super::*;
use crate::module::Role;
use crate::module::testing::{ANN, OFFICER, sample};

#[test]
fn numbers_ascend_and_ours_are_above_awss() {
    let numbers: Vec<u32> = OPCODES.iter().map(|row| row.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:x?}");
    for row in OPCODES.iter().filter(|row| row.log != LogType::Certificate) {
        assert_eq!(row.origin == Origin::Published, row.number < 0x1_0000, "{}", row.name);
        assert_eq!(row.origin != Origin::Own, row.name.starts_with("CN_"), "{}", row.name);
    }
}

#[test]
fn docs() {
    let mut table = String::from(
        "# Events of the audit log\n\nWhat [the audit log](audit.md) can say. *Published*: name and number are AWS's; *named*: the name \
         is AWS's, and the number ours, because AWS has not published one; *own*: both are ours.\n\n\
         | opcode | number | from AWS | command type | log type | when |\n|---|---|---|---|---|---|\n",
    );
    for row in OPCODES {
        let origin = format!("{:?}", row.origin).to_lowercase();
        let log = if row.log == LogType::Certificate { "AWS's log of certificates" } else { row.log.name().0 };
        let number = if row.log == LogType::Certificate { "-".to_owned() } else { format!("{:#x}", row.number) };
        table.push_str(&format!(
            "| {} | {number} | {origin} | {} | {log} | {} |\n",
            row.name,
            row.command.name().0,
            row.meaning
        ));
    }
    generated_docs::compare("audit-opcodes.md", &table);
}

/// A record that the first form of the log has: milliseconds, a process, one user.
#[test]
fn the_first_form_is_still_read() {
    let mut writer = Writer::new(0);
    writer.raw(&[7; 32]).long(1_700_000_000_123).number(42).number(0xd).number(163).long(99);
    writer.byte(1).part(b"ann").long(5).long(0);
    let bytes = writer.finish();
    let (previous, entry) = Entry::decode(3, 0, &bytes).unwrap();
    assert_eq!((previous, entry.sequence, entry.time_us, entry.session), ([7; 32], 2, 1_700_000_000_123_000, 42 << 32));
    assert_eq!((entry.row().unwrap().name, entry.response, entry.objects), ("CN_LOGIN", 163, [5, 0]));
    assert_eq!((entry.user().name.as_str(), entry.user().kind), ("ann", Some(UserType::CryptoUser)));
    for (form, bytes) in [(0, &bytes[..bytes.len() - 1]), (1, &bytes[..]), (2, &bytes[..])] {
        assert!(Entry::decode(3, form, bytes).is_err(), "form {form}");
    }
}

fn places(module: &Module, login: &Login, from: u64, most: usize) -> Vec<u64> {
    let mut places = Vec::new();
    module
        .read_audit(login, from, &mut |entry| {
            places.push(entry.sequence);
            Ok(places.len() < most)
        })
        .unwrap();
    places
}

#[test]
fn the_log_is_read_from_any_place_and_by_officers() {
    let (_home, module) = sample();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let total = module.read_audit(&officer, 0, &mut |_| Ok(false)).unwrap();
    assert_eq!(places(&module, &officer, 0, usize::MAX), (0..total).collect::<Vec<_>>());
    assert_eq!(places(&module, &officer, 3, 2), [3, 4]);
    assert_eq!(places(&module, &officer, total, 2), [0; 0]);
    assert_eq!(places(&module, &officer, u64::MAX, 2), [0; 0]);
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    assert_eq!(
        module.read_audit(&ann, 0, &mut |_| Ok(true)).map_err(|error| error.rv()),
        Err(ck::CKR_USER_NOT_LOGGED_IN)
    );
}

/// A head that was kept elsewhere is on the way of every later log, and not on that of a log that was put back.
#[test]
fn a_head_that_was_kept_tells_of_a_log_that_was_put_back() {
    let (home, module) = sample();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let old = module.verify_audit(None).unwrap().head;
    let copy = |from: &str, to: &str| {
        for file in ["hsm.db", "hsm.db-wal"] {
            drop(std::fs::copy(home.path().join(from).join(file), home.path().join(to).join(file)));
        }
    };
    module.close();
    std::fs::create_dir(home.path().join("kept")).unwrap();
    copy("hsm1", "kept");
    let ben = module.login(Role::CryptoUser, b"ben:wrong-password");
    assert!(ben.is_err());
    drop(officer);
    let newer = module.verify_audit(Some(&old)).unwrap();
    assert_eq!((newer.broken_at, newer.includes, newer.head.records), (None, Some(true), old.records + 1));
    module.close();
    copy("kept", "hsm1");
    let back = module.verify_audit(Some(&newer.head)).unwrap();
    assert_eq!((back.broken_at, back.includes), (None, Some(false)));
}

/// The first place at which the log is not what was written is told, and what lies before it can be read.
#[test]
fn the_place_of_the_damage_is_told() {
    let (home, module) = sample();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let total = module.verify_audit(None).unwrap().head.records;
    assert_eq!(total, module.hsm().unwrap().store.count(Kind::Audit).unwrap());
    for (change, place) in [
        ("DELETE FROM audits WHERE id = 3".to_owned(), 2),
        ("UPDATE audits SET sealed = (SELECT sealed FROM audits WHERE id = 4) WHERE id = 5".to_owned(), 4),
        (format!("DELETE FROM audits WHERE id = {total}"), total - 1),
        ("UPDATE audits SET class = 0 WHERE id = 2".to_owned(), 1),
    ] {
        tamper(home.path(), "CREATE TABLE kept AS SELECT * FROM audits");
        tamper(home.path(), &change);
        assert_eq!(module.verify_audit(None).unwrap().broken_at, Some(place), "{change}");
        let mut read = 0;
        let error = module.read_audit(&officer, 0, &mut |_| {
            read += 1;
            Ok(true)
        });
        assert!(error.is_err_and(|error| error.message().contains(&format!("record {place:#x}"))));
        assert_eq!(read, place);
        tamper(home.path(), "DELETE FROM audits; INSERT INTO audits SELECT * FROM kept; DROP TABLE kept");
        assert_eq!(module.verify_audit(None).unwrap().broken_at, None);
    }
}
