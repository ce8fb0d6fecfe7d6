//! Tampering with a small HSM's store, byte by byte and record by record: a verification notices each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base::ck;
use base::secret::Secret;
use platform::testing::Temporary;
use store::Durability;
use store::sqlite::testing::tamper;

use super::*;
use crate::config::{Profile, Settings};
use crate::module::commit::Plan;
use crate::module::lifecycle::put_settings;
use crate::module::registered_key::RegisteredKey;
use crate::module::testing::{ANN, OFFICER, config, key, records, sample};
use crate::module::user::{Derivation, User};
use crate::module::{Deregister, Role, Service, Sharing};
use crate::object::Template;

/// The curve P-256.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Meta => "metas",
        Kind::User => "users",
        Kind::Object => "objects",
        Kind::Share => "shares",
        Kind::Quorum => "quorums",
        Kind::Audit => "audits",
    }
}

/// An HSM with a record of every kind, its officer and its crypto user ann logged in.
fn everything() -> (Temporary, Module, Login, Login) {
    let (home, module) = sample();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    let public = Template::of(&[(ck::CKA_TOKEN, &[1]), (ck::CKA_EC_PARAMS, P256)]).unwrap();
    let private = Template::of(&[(ck::CKA_TOKEN, &[1])]).unwrap();
    let row = crate::module::testing::generator(&module, ck::CKM_EC_KEY_PAIR_GEN);
    module.generate_key_pair(&ann, row, &public, &private, &Sharing::default()).unwrap();
    // What needs no password is made where it can be.
    let settings = Settings { profile: Profile::Standard, ..Settings::default() };
    let general = Module::open(&config(home.path(), settings), "hsm1").unwrap();
    let class = ck::CKO_DATA.to_ne_bytes();
    let public = [(ck::CKA_CLASS, class.as_slice()), (ck::CKA_TOKEN, &[1]), (ck::CKA_PRIVATE, &[0])];
    general.create_object(None, &Template::of(&public).unwrap()).unwrap();
    general.close();
    module.set_quorum_value(&officer, Service::Cluster, 1).unwrap();
    module.make_token(&officer, Service::User, None).unwrap();
    for kind in Kind::ALL {
        assert!(module.hsm().unwrap().store.count(kind).unwrap() > 0, "{kind:?}");
    }
    (home, module, officer, ann)
}

fn is_noticed(module: &Module, login: &Login) -> bool {
    let sound = |found: Option<Verification>| found.is_some_and(|found| found.wrong.is_empty() && found.unopened == 0);
    !(module.verify_store(Some(login)).is_ok_and(sound) && module.complaints().is_ok_and(|found| found.is_empty()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a record with its tags and its place in the count, as somebody would who knows the store.
fn insertion(record: &Record, tags: &[Tag]) -> String {
    let Record { kind, id, version, class, key_type, owner, tier, sealed } = record;
    let number = *kind as u8;
    let list: String = tags.iter().map(|tag| hex(&tag.0)).collect();
    let mut sql = format!(
        "INSERT INTO {}(id, version, class, key_type, owner, tier, tags, sealed) \
         VALUES({id}, {version}, {}, {}, {}, {tier}, x'{list}', x'{}'); \
         UPDATE counters SET value = value + 1 WHERE name = {number};",
        table(*kind),
        class.cast_signed(),
        key_type.cast_signed(),
        owner.cast_signed(),
        hex(sealed)
    );
    for tag in tags {
        sql.push_str(&format!("INSERT INTO tags(tag, kind, id) VALUES(x'{}', {number}, {id});", hex(&tag.0)));
    }
    sql
}

/// The opposite.
fn deletion(record: &Record) -> String {
    let (number, id) = (record.kind as u8, record.id);
    format!(
        "DELETE FROM {} WHERE id = {id}; DELETE FROM tags WHERE kind = {number} AND id = {id}; \
         UPDATE counters SET value = value - 1 WHERE name = {number};",
        table(record.kind)
    )
}

/// A column's value as SQL, once for each of its bytes with a bit flipped.
fn flipped_number(value: i64) -> impl Iterator<Item = String> {
    (0..8).map(move |byte| (value ^ (1 << (8 * byte + 6))).to_string())
}

fn flipped_bytes(bytes: &[u8]) -> impl Iterator<Item = String> {
    (0..bytes.len()).map(|place| {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1 << (place % 8);
        format!("x'{}'", hex(&changed))
    })
}

#[test]
fn every_byte_of_every_field() {
    let (home, module, _officer, ann) = everything();
    assert!(
        !is_noticed(&module, &ann),
        "sound as it is: {:?}",
        module.verify_store(Some(&ann)).unwrap().unwrap().wrong
    );
    let mut count = 0;
    let mut attempt = |change: &str, back: &str| {
        count += 1;
        tamper(home.path(), change);
        assert!(is_noticed(&module, &ann), "{change}");
        tamper(home.path(), back);
    };
    let all = records(home.path(), "hsm1");
    // An id that is another record's is not to be had.
    let free = |kind: Kind, id: &str| !all.iter().any(|(other, _)| other.kind == kind && other.id.to_string() == id);
    for (record, tags) in &all {
        let (table, id, number) = (table(record.kind), record.id, record.kind as u8);
        let list: Vec<u8> = tags.iter().flat_map(|tag| tag.0).collect();
        for (column, value) in [
            ("version", record.version),
            ("class", record.class),
            ("key_type", record.key_type),
            ("owner", record.owner),
            ("tier", u64::from(record.tier)),
        ] {
            let set = |value: &str| format!("UPDATE {table} SET {column} = {value} WHERE id = {id}");
            let value = value.cast_signed();
            flipped_number(value).for_each(|flipped| attempt(&set(&flipped), &set(&value.to_string())));
        }
        for (column, bytes) in [("sealed", &record.sealed), ("tags", &list)] {
            let set = |value: &str| format!("UPDATE {table} SET {column} = {value} WHERE id = {id}");
            let back = set(&format!("x'{}'", hex(bytes)));
            flipped_bytes(bytes).for_each(|flipped| attempt(&set(&flipped), &back));
        }
        let renumber = |from: &str, to: &str| format!("UPDATE {table} SET id = {to} WHERE id = {from}");
        let own = id.to_string();
        let others = || flipped_number(id.cast_signed()).filter(|other| free(record.kind, other));
        others().for_each(|other| attempt(&renumber(&own, &other), &renumber(&other, &own)));
        for tag in tags {
            let tag = format!("x'{}'", hex(&tag.0));
            let entry = |tag: &str, kind: &str, id: &str| format!("tag = {tag} AND kind = {kind} AND id = {id}");
            let kind = number.to_string();
            let whole = entry(&tag, &kind, &own);
            let set =
                |column: &str, value: &str, entry: &str| format!("UPDATE tags SET {column} = {value} WHERE {entry}");
            for other in flipped_bytes(&tag_bytes(&tag)) {
                attempt(&set("tag", &other, &whole), &set("tag", &tag, &entry(&other, &kind, &own)));
            }
            for other in flipped_number(number.into()) {
                attempt(&set("kind", &other, &whole), &set("kind", &kind, &entry(&tag, &other, &own)));
            }
            for other in others() {
                attempt(&set("id", &other, &whole), &set("id", &own, &entry(&tag, &kind, &other)));
            }
        }
    }
    assert!(count > 4000, "{count} changes");
    assert!(!is_noticed(&module, &ann), "everything is as it was");
}

/// The bytes of `x'...'`.
fn tag_bytes(sql: &str) -> Vec<u8> {
    let digits = &sql[2..sql.len() - 1];
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn cut_out_exchanged_repeated_put_back() {
    let (home, module, officer, ann) = everything();
    let before = records(home.path(), "hsm1");
    // Everything that has versions gets a new one, a share is another row, a token is gone.
    let object = module.find(Some(&ann), &Template::of(&[(ck::CKA_LABEL, b"shared")]).unwrap(), &|_| None).unwrap();
    module.unshare_key(&ann, &object[0], "ben", Role::CryptoUser).unwrap();
    let object = module.find(Some(&ann), &Template::of(&[(ck::CKA_LABEL, b"shared")]).unwrap(), &|_| None).unwrap();
    module.share_key(&ann, &object[0], "ben", Role::CryptoUser).unwrap();
    let password = Secret::copy(b"another-password");
    module.change_password(&officer, "ben", Role::CryptoUser, &password, Deregister::default()).unwrap();
    module.set_quorum_value(&officer, Service::Cluster, 1).unwrap();
    let hsm = module.hsm().unwrap();
    hsm.commit(Some(&officer), Durability::Synced, &mut |view, _| {
        let expected = view.version(Kind::Meta, meta::SETTINGS)?.unwrap();
        Ok(Plan { changes: vec![put_settings(&hsm.recorded, expected)], ..Plan::default() })
    })
    .unwrap();
    let gone = hsm.store.versions(Kind::Quorum, 0, 1).unwrap()[0];
    hsm.commit(Some(&officer), Durability::Synced, &mut |_, _| {
        let change = Planned::Delete { kind: Kind::Quorum, id: gone.0, expected: gone.1 };
        Ok(Plan { changes: vec![change], ..Plan::default() })
    })
    .unwrap();
    key(&module, &ann, "more", &Sharing::default());
    module.make_token(&officer, Service::User, None).unwrap();
    assert!(!is_noticed(&module, &ann), "sound as it is");

    let now = records(home.path(), "hsm1");
    let attempt = |what: &str, change: String, back: String| {
        tamper(home.path(), &change);
        assert!(is_noticed(&module, &ann), "{what}: {change}");
        tamper(home.path(), &back);
    };
    for (record, tags) in &now {
        let what = format!("{:?} {}", record.kind, record.id);
        attempt(&format!("{what} cut out"), deletion(record), insertion(record, tags));
        let last = now.iter().map(|(other, _)| other.id).max().unwrap();
        let copy = Record { id: last + 1, ..record.clone() };
        attempt(&format!("{what} repeated"), insertion(&copy, tags), deletion(&copy));
    }
    for kind in Kind::ALL {
        let of_kind: Vec<_> = now.iter().filter(|(record, _)| record.kind == kind).collect();
        for pair in of_kind.windows(2) {
            let [(one, its), (two, others)] = pair else { unreachable!() };
            let exchanged =
                [(Record { id: two.id, ..one.clone() }, its), (Record { id: one.id, ..two.clone() }, others)];
            let out = deletion(one) + &deletion(two);
            let change = exchanged.iter().map(|(record, tags)| insertion(record, tags)).collect::<String>();
            let back = insertion(one, its) + &insertion(two, others);
            attempt(&format!("{kind:?} exchanged"), out.clone() + &change, out + &back);
        }
    }
    let mut kinds = std::collections::BTreeSet::new();
    for (old, tags) in &before {
        match now.iter().find(|(record, _)| (record.kind, record.id) == (old.kind, old.id)) {
            Some((record, _)) if record.version == old.version => continue,
            Some((record, its)) => attempt(
                &format!("{:?} put back", old.kind),
                deletion(record) + &insertion(old, tags),
                deletion(old) + &insertion(record, its),
            ),
            None => attempt(&format!("{:?} put back", old.kind), insertion(old, tags), deletion(old)),
        }
        kinds.insert((old.kind, if old.kind == Kind::Meta { old.id } else { 0 }));
    }
    let metas = [meta::SETTINGS, meta::HEAD, meta::POLICY].map(|id| (Kind::Meta, id));
    let others = [Kind::User, Kind::Object, Kind::Share, Kind::Quorum].map(|kind| (kind, 0));
    assert_eq!(kinds, metas.into_iter().chain(others).collect(), "each kind that has versions was put back");
    assert!(!is_noticed(&module, &ann), "everything is as it was");
}

/// What needs no password is verified without one, and what was left out is told.
#[test]
fn without_a_login() {
    let (home, module, _officer, _ann) = everything();
    let found = module.verify_store(None).unwrap().unwrap();
    assert!(found.wrong.is_empty() && found.unopened == 3, "{} {:?}", found.unopened, found.wrong);
    tamper(home.path(), "UPDATE counters SET value = value + 1 WHERE name = 2");
    assert_eq!(module.complaints().unwrap().len(), 1);
}

/// Everything that would make the next change or login fail is told, by whoever it was written: a number without a successor, a database
/// that takes no change, a user whose record no password can open.
#[test]
fn what_forbids_the_next_change() {
    let (home, module, _officer, ann) = everything();
    let complaints = || module.verify_store(Some(&ann)).unwrap().unwrap().wrong;
    assert_eq!(complaints(), [""; 0]);
    let before = records(home.path(), "hsm1");
    for _ in 0..2 {
        assert_eq!(complaints(), [""; 0]);
    }
    assert_eq!(records(home.path(), "hsm1"), before, "what is tried is undone");
    let generation: i64 = 100;
    for (change, back) in [
        (format!("UPDATE counters SET value = {} WHERE name = {generation}", i64::MAX), None),
        (format!("UPDATE counters SET value = {} WHERE name = {generation}", i64::MAX - 2), None),
        (format!("UPDATE counters SET value = {} WHERE name = {generation}", 0xffff_fff0_u32), None),
        (
            "CREATE UNIQUE INDEX once ON quorums(tier)".to_owned(),
            Some("DROP INDEX once"),
        ),
        (
            "UPDATE sqlite_schema SET sql = replace(sql, 'sealed BLOB NOT NULL', 'sealed BLOB NOT NULL CHECK(version < 1)') \
             WHERE name = 'shares'"
                .to_owned(),
            Some("UPDATE sqlite_schema SET sql = replace(sql, ' CHECK(version < 1)', '') WHERE name = 'shares'"),
        ),
    ] {
        let held = module.hsm().unwrap().store.generation();
        tamper(home.path(), &change);
        // What is open has read the schema, and a life that is over is another matter.
        module.close();
        let again = Module::open(&config(home.path(), Settings::default()), "hsm1").unwrap();
        let found = again.verify_store(None);
        assert!(
            !found.as_ref().is_ok_and(|found| found.as_ref().is_some_and(|found| found.wrong.is_empty())),
            "{change}"
        );
        again.close();
        tamper(home.path(), back.unwrap_or(&format!("UPDATE counters SET value = {held} WHERE name = {generation}")));
    }
    // Records that are sealed as they must be.
    let again = Module::open(&config(home.path(), Settings::default()), "hsm1").unwrap();
    let hsm = again.hsm().unwrap();
    let (id, user) = hsm.find_user("ann", Role::CryptoUser).unwrap().unwrap();
    let (version, _) = hsm.read_user(id).unwrap().unwrap();
    for spoil in [
        &|user: &mut User| user.derivation = Derivation::Argon2id { memory_kib: 4 << 20, passes: 2 },
        &|user: &mut User| user.derivation = Derivation::Pbkdf2 { rounds: 1 },
        &|user: &mut User| user.wrapped.truncate(59),
        &|user: &mut User| user.credential = u64::MAX,
        &|user: &mut User| user.factor = Some(RegisteredKey::from_record(vec![1; 99])),
        &|user: &mut User| user.quorum_key = Some(RegisteredKey::from_record(vec![1; 99])),
    ] as [&dyn Fn(&mut User); 6]
    {
        let write = |user: &User, expected| {
            let plan = || Plan { changes: vec![hsm.put_user(id, expected, user, None)], ..Plan::default() };
            hsm.commit(None, Durability::Synced, &mut |_, _| Ok(plan())).unwrap();
        };
        let mut spoilt = User::decode(user.encode().expose()).unwrap();
        spoil(&mut spoilt);
        let (now, _) = hsm.read_user(id).unwrap().unwrap();
        write(&spoilt, now);
        let wrong = again.verify_store(None).unwrap().unwrap().wrong;
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("User record"), "{wrong:?}");
        write(&user, now + 1);
        assert_eq!(again.verify_store(None).unwrap().unwrap().wrong, [""; 0]);
    }
    assert!(version > 0);
}
