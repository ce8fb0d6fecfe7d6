//! The limits of an hsm2m.medium cluster (User Guide, limits), met with a store that is filled by records: a thousand
//! users or sixteen thousand keys made one by one would take minutes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use base::ck;
use base::error::Result;
use base::secret::Secret;
use platform::testing::{Temporary, temporary};
use store::{Durability, Kind};

use super::audit::{Event, Opcode};
use super::commit::Plan;
use super::ids::fresh_id;
use super::user::{Derivation, User};
use super::{Login, Module, Role, Sharing};
use crate::config::{Config, Profile, Settings};
use crate::object::{Object, Template, UserId};

const OFFICER: &[u8] = b"admin:officer-password";
pub(super) const ALICE: &[u8] = b"alice:alices-password";
/// The curve P-256.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

fn open(home: &Path, profile: Profile) -> Module {
    let settings = Settings { profile, ..Settings::default() };
    let config = Config {
        home: home.to_owned(),
        file: std::path::PathBuf::new(),
        settings,
        cluster_ids: Vec::new(),
        remarks: Vec::new(),
    };
    Module::open(&config, "hsm1").unwrap()
}

/// An activated HSM with the crypto user alice, and the officer's login.
pub(super) fn activated() -> (Temporary, Module, Login) {
    let home = temporary();
    let module = open(home.path(), Profile::CloudHsm);
    module.activate(&Secret::copy(b"officer-password"), None).unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let password = Secret::copy(b"alices-password");
    module.create_user(&officer, "alice", Role::CryptoUser, &password, false).unwrap();
    (home, module, officer)
}

/// Says of the HSM that it holds so many keys more.
fn fill(module: &Module, login: &Login, keys: i64, asymmetric: i64) {
    let hsm = module.hsm().unwrap();
    hsm.commit(Some(login), Durability::Synced, &mut |_, _| {
        let events = vec![Event::by(login, Opcode::CreateObject)];
        Ok(Plan { keys, asymmetric, events, ..Plan::default() })
    })
    .unwrap();
}

fn generate(module: &Module, login: &Login, token: bool) -> Result<Arc<Object>> {
    let length = 32_u64.to_ne_bytes();
    let template = Template::of(&[(ck::CKA_TOKEN, &[u8::from(token)]), (ck::CKA_VALUE_LEN, &length)]).unwrap();
    module.generate_key(login, super::testing::generator(module, ck::CKM_AES_KEY_GEN), &template, &Sharing::default())
}

fn generate_pair(module: &Module, login: &Login, public: bool, private: bool) -> Result<(Arc<Object>, Arc<Object>)> {
    let (public, private) = ([u8::from(public)], [u8::from(private)]);
    let public = Template::of(&[(ck::CKA_TOKEN, &public), (ck::CKA_EC_PARAMS, P256)]).unwrap();
    let private = Template::of(&[(ck::CKA_TOKEN, &private)]).unwrap();
    module.generate_key_pair(
        login,
        super::testing::generator(module, ck::CKM_EC_KEY_PAIR_GEN),
        &public,
        &private,
        &Sharing::default(),
    )
}

fn code<T>(answer: Result<T>) -> Option<ck::CK_RV> {
    answer.err().map(|error| error.rv())
}

#[test]
fn at_most_1024_users() {
    let (_home, module, officer) = activated();
    let hsm = module.hsm().unwrap();
    let password = Secret::copy(b"some-password");
    let derivation = Derivation::Pbkdf2 { rounds: 600_000 };
    let mut user = User::new(String::new(), Role::CryptoUser, &password, derivation, &officer.data, 1).unwrap();
    // admin and alice are there; one place is left.
    hsm.commit(Some(&officer), Durability::Synced, &mut |_, _| {
        let mut plan = Plan::default();
        for number in 3..1024 {
            user.name = format!("user_{number}");
            let tags = vec![hsm.name_tag(&user.name, user.role)];
            plan.changes.push(hsm.put_user(UserId(fresh_id()?), 0, &user, Some(tags)));
        }
        Ok(plan)
    })
    .unwrap();
    let create = |name: &str, role, reset| module.create_user(&officer, name, role, &password, reset);
    create("last", Role::CryptoUser, false).unwrap();
    assert_eq!(hsm.store.count(Kind::User).unwrap(), 1024);
    for role in [Role::CryptoUser, Role::CryptoOfficer] {
        assert_eq!(code(create("one_more", role, false)), Some(ck::CKR_DEVICE_MEMORY));
    }
    // Those that are there can still be given new passwords, and one who goes makes room.
    create("last", Role::CryptoUser, true).unwrap();
    module.delete_user(&officer, "user_500", Role::CryptoUser).unwrap();
    create("one_more", Role::CryptoUser, false).unwrap();
    assert_eq!(module.list_users().unwrap().len(), 1024);
}

#[test]
fn at_most_16666_keys() {
    let (home, module, _officer) = activated();
    let alice = module.login(Role::CryptoUser, ALICE).unwrap();
    fill(&module, &alice, 16_665, 0);
    let last = generate(&module, &alice, true).unwrap();
    assert_eq!(code(generate(&module, &alice, true)), Some(ck::CKR_DEVICE_MEMORY));
    assert_eq!(code(generate_pair(&module, &alice, true, true)), Some(ck::CKR_DEVICE_MEMORY));
    // Session keys are not counted, and become token keys no more than others.
    let passing = generate(&module, &alice, false).unwrap();
    let template = Template::of(&[(ck::CKA_TOKEN, &[1])]).unwrap();
    assert_eq!(code(module.copy_object(Some(&alice), &passing, &template)), Some(ck::CKR_DEVICE_MEMORY));
    assert_eq!(code(module.change_object(Some(&alice), &passing, &template)), Some(ck::CKR_DEVICE_MEMORY));
    // What is there can be changed; what goes makes room.
    let named = Template::of(&[(ck::CKA_LABEL, b"named")]).unwrap();
    let last = module.change_object(Some(&alice), &last, &named).unwrap();
    module.destroy_object(Some(&alice), &last).unwrap();
    generate(&module, &alice, true).unwrap();
    assert_eq!(code(generate(&module, &alice, true)), Some(ck::CKR_DEVICE_MEMORY));
    module.close();
    for (profile, expected) in [(Profile::Strict, Some(ck::CKR_DEVICE_MEMORY)), (Profile::Standard, None)] {
        let module = open(home.path(), profile);
        let alice = module.login(Role::CryptoUser, ALICE).unwrap();
        assert_eq!(code(generate(&module, &alice, true)), expected);
        module.close();
    }
}

#[test]
fn at_most_3333_asymmetric_keys() {
    let (_home, module, _officer) = activated();
    let alice = module.login(Role::CryptoUser, ALICE).unwrap();
    fill(&module, &alice, 3_331, 3_331);
    let (public, _private) = generate_pair(&module, &alice, true, true).unwrap();
    assert_eq!(code(generate_pair(&module, &alice, true, true)), Some(ck::CKR_DEVICE_MEMORY));
    generate(&module, &alice, true).unwrap();
    generate_pair(&module, &alice, false, false).unwrap();
    // Each half is a key: with one place left a pair has no room, a half has.
    module.destroy_object(Some(&alice), &public).unwrap();
    assert_eq!(code(generate_pair(&module, &alice, true, true)), Some(ck::CKR_DEVICE_MEMORY));
    generate_pair(&module, &alice, false, true).unwrap();
    assert_eq!(code(generate_pair(&module, &alice, false, true)), Some(ck::CKR_DEVICE_MEMORY));
}
