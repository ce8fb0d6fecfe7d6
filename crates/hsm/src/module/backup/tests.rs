//! Backups made and restored through the module: what comes back, what is noticed, what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};

use base::ck;
use base::error::Result;
use base::secret::{Key, Secret};
use platform::testing::temporary;
use store::{Kind, Record};

use super::chunks::Opening;
use super::format::{Found, finish};
use super::{BackupInformation, record};
use crate::config::Settings;
use crate::module::commit::meta;
use crate::module::testing::{ANN, OFFICER, config, key, open, records, sample};
use crate::module::{Deregister, Module, Pin, Restored, Role, Sharing};

fn backup(module: &Module) -> (BackupInformation, PathBuf) {
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    module.backup(&officer, None, &mut |_, _| {}).unwrap()
}

fn restore_as(
    home: &Path,
    name: &'static str,
    settings: Settings,
    path: &Path,
    pin: &[u8],
    force: bool,
) -> Result<Restored> {
    let officer = Pin::split(pin, Role::CryptoOfficer, false).unwrap();
    Module::restore(&config(home, settings), name, path, &officer, force, &mut |_, _| {})
}

fn restore(home: &Path, path: &Path) -> Result<Restored> {
    restore_as(home, "hsm1", Settings::default(), path, OFFICER, false)
}

fn is_head_or_root(record: &Record) -> bool {
    record.kind == Kind::Meta && [meta::ROOT, meta::HEAD].contains(&record.id)
}

#[test]
fn it_comes_back_bit_for_bit() {
    let (home, module) = sample();
    let (told, path) = backup(&module);
    let listed = BackupInformation::read(&path).unwrap();
    assert_eq!((&listed.id, listed.size), (&told.id, std::fs::metadata(&path).unwrap().len()));
    assert_eq!(format!("{listed:?}"), format!("{told:?}"));
    let new = temporary();
    let restored =
        restore_as(new.path(), "hsm1", Settings::default(), &path, b"OLGA_officer:olgas-password", false).unwrap();
    assert!(!restored.replaced);
    let (before, after) = (records(home.path(), "hsm1"), records(new.path(), "hsm1"));
    assert_eq!(before.len() as u64, told.records + 2, "and the root, and the record of the backup's end");
    for (record, tags) in before.iter().filter(|(record, _)| !is_head_or_root(record)) {
        let found = after.iter().find(|(other, _)| (other.kind, other.id) == (record.kind, record.id));
        match found {
            Some((other, _)) if record.kind == Kind::Audit && record.id > told.sequence => assert_ne!(other, record),
            found => assert_eq!(found, Some(&(record.clone(), tags.clone()))),
        }
    }
    assert_eq!(after.len() as u64, told.records + 3, "and the root, and two records of the restoration");
    let again = open(new.path());
    assert_eq!(again.recorded().unwrap().serial, module.recorded().unwrap().serial);
    let health = again.examine().unwrap().unwrap();
    assert!(health.sum_is_right && health.audit_broken_at.is_none());
    for pin in [ANN, b"ben:bens-password".as_slice()] {
        again.login(Role::CryptoUser, pin).unwrap();
    }
}

#[test]
fn any_officers_password_opens_it_and_no_other() {
    let (_home, module) = sample();
    let (_, path) = backup(&module);
    for pin in [
        b"admin:officer-passwore".as_slice(),
        b"olga_officer:officer-password",
        b"ann:anns-password",
        b"nobody:officer-password",
        b"no-name!:officer-password",
    ] {
        let new = temporary();
        let error = restore_as(new.path(), "hsm1", Settings::default(), &path, pin, false).err().unwrap();
        assert_eq!(error.rv(), ck::CKR_PIN_INCORRECT, "{error}");
        assert_eq!(std::fs::read_dir(new.path()).unwrap().count(), 0, "nothing is left");
    }
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    assert_eq!(module.backup(&ann, None, &mut |_, _| {}).err().unwrap().rv(), ck::CKR_USER_NOT_LOGGED_IN);
    let bytes = std::fs::read(&path).unwrap();
    for name in [b"admin".as_slice(), b"olga_officer", b"shared"] {
        assert!(!bytes.windows(name.len()).any(|window| window == name), "no name is in clear");
    }
}

/// Reads a backup to its end with the payload's key, which is what a restoration does after the password.
fn read_whole(path: &Path, key: &Key<32>) -> Result<u64> {
    let Found { header, hash, payload, payload_length } = Found::open(path)?;
    let mut payload = Opening::new(payload, payload_length, key, hash)?;
    payload.array::<32>()?;
    for _ in 0..header.information.records {
        record::decode(&mut payload)?;
    }
    payload.end()?;
    Ok(header.information.records)
}

#[test]
fn every_flipped_byte_and_every_length_is_noticed() {
    let (home, module) = sample();
    let (told, path) = backup(&module);
    let found = Found::open(&path).unwrap();
    let (_, key) = found.header.unlock("admin", &Secret::copy(b"officer-password")).unwrap().unwrap();
    assert_eq!(read_whole(&path, &key).unwrap(), told.records);
    let sound = std::fs::read(&path).unwrap();
    let changed = home.path().join("changed");
    let noticed = |bytes: &[u8]| {
        std::fs::write(&changed, bytes).unwrap();
        read_whole(&changed, &key).is_err()
    };
    for place in 0..sound.len() {
        for bit in [1, 0x80] {
            let mut bytes = sound.clone();
            bytes[place] ^= bit;
            assert!(noticed(&bytes), "bit {bit:#x} of byte {place} of {}", sound.len());
        }
    }
    for length in 0..sound.len() {
        assert!(noticed(&sound[..length]), "{length} bytes of {}", sound.len());
        // With an end mark that is right for what is left.
        let mut bytes = sound[..length].to_vec();
        finish(&mut bytes, length as u64, &found.hash).unwrap();
        assert!(length + 40 == sound.len() || noticed(&bytes), "{length} bytes of {}", sound.len());
    }
    assert!(noticed(&[sound.as_slice(), &[0]].concat()));
    // A header that was changed together with its end mark does not open the payload.
    let payload = sound.len() - 40 - usize::try_from(found.payload_length).unwrap();
    for place in (16..payload).step_by(7) {
        let mut bytes = sound[..sound.len() - 40].to_vec();
        bytes[place] ^= 1;
        let hash = crypto::digest::Hash::Sha256.value(&bytes[..payload]);
        let length = bytes.len() as u64;
        finish(&mut bytes, length, hash.as_slice().first_chunk().unwrap()).unwrap();
        assert!(noticed(&bytes), "byte {place}, with the end mark");
    }
}

#[test]
fn only_in_the_mode_in_which_it_was_made() {
    let (_home, module) = sample();
    let (_, path) = backup(&module);
    let new = temporary();
    let settings = |fips, secure| Settings { fips, secure, ..Settings::default() };
    let error = restore_as(new.path(), "hsm1", settings(Some(true), None), &path, OFFICER, false).err().unwrap();
    assert!(error.rv() == ck::CKR_FUNCTION_FAILED && error.message().contains("fips=false"), "{error}");
    restore_as(new.path(), "hsm1", settings(Some(false), Some(false)), &path, OFFICER, false).unwrap();
}

#[test]
fn in_place_of_what_is_there() {
    let (home, module) = sample();
    let (told, path) = backup(&module);
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    module
        .change_password(
            &officer,
            "olga_officer",
            Role::CryptoOfficer,
            &Secret::copy(b"another-password"),
            Deregister::default(),
        )
        .unwrap();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    key(&module, &ann, "later", &Sharing::default());
    let error = restore(home.path(), &path).err().unwrap();
    assert!(error.rv() == ck::CKR_FUNCTION_FAILED && error.message().contains("--force"), "{error}");
    let olga = b"olga_officer:olgas-password";
    let restored = restore_as(home.path(), "hsm1", Settings::default(), &path, olga, true).unwrap();
    assert!(restored.replaced);
    // What was open says so, whatever it is asked.
    for error in [
        ann.check().err().unwrap(),
        module.list_users().err().unwrap(),
        module.login(Role::CryptoOfficer, OFFICER).err().unwrap(),
        module.create_user(&officer, "carl", Role::CryptoUser, &Secret::copy(b"carls-password"), false).err().unwrap(),
    ] {
        assert_eq!(error.rv(), ck::CKR_DEVICE_ERROR);
        assert!(error.message().contains("call C_Finalize and C_Initialize"), "{error}");
    }
    module.close();
    module.login(Role::CryptoOfficer, olga).unwrap();
    assert_eq!(records(home.path(), "hsm1").len() as u64, told.records + 3);
    let health = module.examine().unwrap().unwrap();
    assert!(health.sum_is_right && health.audit_broken_at.is_none() && health.objects == 1);
    // A newer state is no loss: the backup of a clone that went on is put over the one that did not.
    assert_eq!(module.recorded().unwrap().serial, told.serial);
    restore_as(home.path(), "hsm2", Settings::default(), &path, OFFICER, false).unwrap();
    key(&module, &module.login(Role::CryptoUser, ANN).unwrap(), "newer", &Sharing::default());
    let (_, newer) = backup(&module);
    let clone = Module::open(&config(home.path(), Settings::default()), "hsm2").unwrap();
    let serial = clone.recorded().unwrap().serial;
    assert_ne!(serial, told.serial);
    assert_eq!(clone.recorded().unwrap().label, "hsm2");
    clone.close();
    restore_as(home.path(), "hsm2", Settings::default(), &newer, OFFICER, false).unwrap();
    clone.login(Role::CryptoUser, ANN).unwrap();
    assert_eq!(clone.recorded().unwrap().serial, serial, "a clone stays the HSM that it is");
    assert!(clone.examine().unwrap().unwrap().sum_is_right);
}

#[test]
fn another_hsm_is_never_replaced() {
    let (_home, module) = sample();
    let (_, path) = backup(&module);
    let (other, kept) = sample();
    let error = restore_as(other.path(), "hsm1", Settings::default(), &path, OFFICER, true).err().unwrap();
    assert!(error.message().contains("move the folder away"), "{error}");
    kept.login(Role::CryptoUser, ANN).unwrap();
}

#[test]
fn what_has_been_tampered_with_is_not_backed_up() {
    let (home, module) = sample();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let hsm = module.hsm().unwrap();
    let share = hsm.store.versions(Kind::Share, 0, 1).unwrap()[0];
    hsm.store
        .write(store::Durability::Synced, &mut |_| {
            let change = store::Change::Delete { kind: Kind::Share, id: share.0, expected: share.1 };
            Ok(store::Batch { changes: vec![change] })
        })
        .unwrap();
    let error = module.backup(&officer, None, &mut |_, _| {}).err().unwrap();
    assert!(error.message().contains("doctor"), "{error}");
    assert_eq!(std::fs::read_dir(home.path().join("backups")).unwrap().count(), 0, "no half-written file");
}

/// A header as anybody can write it: changed in one place, with its length and its end mark right.
fn forged(path: &Path, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let sound = std::fs::read(path).unwrap();
    let payload = usize::try_from(Found::open(path).unwrap().payload_length).unwrap();
    let (front, rest) = sound.split_at(sound.len() - 40 - payload);
    let mut header = front[16..].to_vec();
    change(&mut header);
    let mut bytes = front[..12].to_vec();
    bytes.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&header);
    let hash = crypto::digest::Hash::Sha256.value(&bytes);
    bytes.extend_from_slice(&rest[..payload]);
    let length = bytes.len() as u64;
    finish(&mut bytes, length, hash.as_slice().first_chunk().unwrap()).unwrap();
    bytes
}

/// Where a header has its texts, its number of officers and the costs of the first one.
fn places(header: &[u8]) -> (usize, usize) {
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()) as usize;
    let texts = (0..3).fold(0, |at, _| at + 4 + number(at));
    // Lineage, two modes, three numbers, the salt of the names.
    let officers = texts + 16 + 2 + 24 + 16;
    (officers, officers + 4 + 32 + 16)
}

/// The bounds on what stands in clear: RFC 9106, section 4, asks for 2 GiB at the most; a CloudHSM has 1,024 users (User Guide, limits).
#[test]
fn what_a_header_asks_for_is_bounded() {
    let (home, module) = sample();
    let (_, path) = backup(&module);
    let changed = home.path().join("changed.backup");
    let cost = |kind: u8, first: u32, second: u32| {
        move |header: &mut Vec<u8>| {
            let (_, cost) = places(header);
            header[cost] = kind;
            header[cost + 1..cost + 5].copy_from_slice(&first.to_le_bytes());
            header[cost + 5..cost + 9].copy_from_slice(&second.to_le_bytes());
        }
    };
    let refused = |words: &str, change: &dyn Fn(&mut Vec<u8>)| {
        std::fs::write(&changed, forged(&path, change)).unwrap();
        let begun = std::time::Instant::now();
        let error = restore(home.path(), &changed).err().unwrap();
        assert_eq!(error.rv(), ck::CKR_DEVICE_ERROR, "{words}: {error}");
        assert!(error.message().contains(words) && error.message().contains("changed.backup"), "{words}: {error}");
        assert!(begun.elapsed().as_secs() < 60, "{words}: nothing was worked");
        assert!(BackupInformation::read(&changed).is_err(), "{words}: a list says so too");
    };
    for (memory, passes) in [
        (4 * 1024 * 1024, 2),
        (2 * 1024 * 1024 + 1, 2),
        (2 * 1024 * 1024, 5),
        (19 * 1024 - 1, 2),
        (19 * 1024, 1),
        (u32::MAX, u32::MAX),
        (19 * 1024, 100_000),
    ] {
        refused(&format!("{memory} KiB and {passes} passes"), &cost(1, memory, passes));
    }
    for rounds in [0, 599_999, 10_000_001, u32::MAX] {
        refused(&format!("{rounds} rounds"), &cost(2, rounds, 0));
    }
    // What is allowed is tried, and does not open.
    std::fs::write(&changed, forged(&path, cost(1, 19 * 1024, 3))).unwrap();
    assert_eq!(restore(home.path(), &changed).err().unwrap().rv(), ck::CKR_PIN_INCORRECT);
    let long = |header: &mut Vec<u8>| {
        let old = 4 + u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let name = [&300_u32.to_le_bytes()[..], &[b'x'; 300]].concat();
        header.splice(..old, name);
    };
    refused("longer than 255 bytes", &long);
    let many = |header: &mut Vec<u8>| {
        let (count, cost) = places(header);
        let wrapped = u32::from_le_bytes(header[cost + 9..cost + 13].try_into().unwrap()) as usize;
        let one = header[count + 4..cost + 13 + wrapped].to_vec();
        header[count..count + 4].copy_from_slice(&1027_u32.to_le_bytes());
        header.splice(count + 4..count + 4, one.repeat(1025));
    };
    refused("1027 officers", &many);
    let cut = |header: &mut Vec<u8>| {
        let (count, _) = places(header);
        header[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    };
    refused("damaged", &cut);
}

/// A header says how long it is; no more is read than the longest can be.
#[test]
fn a_header_that_is_longer_than_any() {
    let (home, module) = sample();
    let (_, path) = backup(&module);
    let changed = home.path().join("changed.backup");
    std::fs::write(&changed, forged(&path, |header| header.resize((1 << 20) + 1, 0))).unwrap();
    assert_eq!(restore(home.path(), &changed).err().unwrap().rv(), ck::CKR_DEVICE_ERROR);
}
