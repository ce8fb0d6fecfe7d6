//! Users and keys put from one HSM into a clone of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base::secret::Secret;
use platform::testing::Temporary;

use super::*;
use crate::config::Settings;
use crate::module::testing::{ANN, OFFICER, config, key, records, sample};
use crate::module::{Deregister, Pin, Service, Sharing};
use crate::object::Template;

const CARL: &[u8] = b"carl:carls-password";

/// An HSM and its clone, hsm2 in the same home, with the officer's logins.
fn clones() -> (Temporary, [Module; 2], [Login; 2]) {
    let (home, first) = sample();
    let officer = first.login(Role::CryptoOfficer, OFFICER).unwrap();
    let (_, path) = first.backup(&officer, None, &mut |_, _| {}).unwrap();
    let config = config(home.path(), Settings::default());
    let pin = Pin::split(OFFICER, Role::CryptoOfficer, false).unwrap();
    Module::restore(&config, "hsm2", &path, &pin, false, &mut |_, _| {}).unwrap();
    let second = Module::open(&config, "hsm2").unwrap();
    let other = second.login(Role::CryptoOfficer, OFFICER).unwrap();
    (home, [first, second], [officer, other])
}

fn by_label(module: &Module, login: &Login, label: &str) -> Vec<Arc<Object>> {
    module.find(Some(login), &Template::of(&[(ck::CKA_LABEL, label.as_bytes())]).unwrap(), &|_| None).unwrap()
}

fn said<T>(answer: Result<T>) -> String {
    answer.err().unwrap().message().to_owned()
}

#[test]
fn users() {
    let (_home, [first, second], [officer, other]) = clones();
    let (here, there) = (Side { module: &first, login: &officer }, Side { module: &second, login: &other });
    let user = |name| Module::replicate_user(here, there, name, Role::CryptoUser);
    assert_eq!(user("ann").unwrap().name, "ann", "there as she is here");
    assert!(said(user("carl")).contains("does not exist"));
    let password = Secret::copy(b"carls-password");
    first.create_user(&officer, "carl", Role::CryptoUser, &password, false).unwrap();
    assert!(second.login(Role::CryptoUser, CARL).is_err());
    user("CARL").unwrap();
    second.login(Role::CryptoUser, CARL).unwrap();
    user("carl").unwrap();
    // A wrong password is no property of a user; a changed one is.
    assert!(second.login(Role::CryptoUser, b"carl:wrong-password").is_err());
    user("carl").unwrap();
    let changed = Secret::copy(b"another-password");
    first.change_password(&officer, "carl", Role::CryptoUser, &changed, Deregister::default()).unwrap();
    assert_eq!(said(user("carl")), "User replicate failed on 1 of 1 connections");
    // Another user of the same name is another user.
    first.create_user(&officer, "dora", Role::CryptoUser, &password, false).unwrap();
    second.create_user(&other, "dora", Role::CryptoUser, &password, false).unwrap();
    assert_eq!(said(user("dora")), "User replicate failed on 1 of 1 connections");
    // Not without what creating a user needs.
    let ann = first.login(Role::CryptoUser, ANN).unwrap();
    let refused = Module::replicate_user(Side { login: &ann, ..here }, there, "carl", Role::CryptoUser);
    assert_eq!(refused.err().unwrap().rv(), ck::CKR_USER_NOT_LOGGED_IN);
    // The quorum of the users there holds; AWS has no place for approvals here either.
    let hsm = second.hsm().unwrap();
    hsm.commit(Some(&other), Durability::Synced, &mut |view, _| {
        let (version, mut policy) = hsm.cluster_policy_in(view)?;
        policy.set(Service::User, 2);
        Ok(Plan { changes: vec![policy.put(version)], ..Plan::default() })
    })
    .unwrap();
    first.create_user(&officer, "eve", Role::CryptoUser, &password, false).unwrap();
    assert!(said(user("eve")).contains("Quorum approval is required"));
    assert!(second.verify_store(Some(&other)).unwrap().unwrap().wrong.is_empty());
}

#[test]
fn keys() {
    let (home, [first, second], [officer, other]) = clones();
    let (ann, her) = (first.login(Role::CryptoUser, ANN).unwrap(), second.login(Role::CryptoUser, ANN).unwrap());
    let (here, there) = (Side { module: &first, login: &ann }, Side { module: &second, login: &her });
    key(&first, &ann, "new", &Sharing { users: &["ben".to_owned()], ..Sharing::default() });
    let [new] = by_label(&first, &ann, "new").try_into().ok().unwrap();
    let copy = Module::replicate_key(here, there, &new).unwrap();
    assert_eq!((copy.id, copy.owner), (new.id, new.owner));
    assert!(bytes(&copy).ct_eq(bytes(&new).expose()), "the same attributes and the same material");
    assert_eq!(second.custody(&her, &copy).unwrap().shared, ["ben"]);
    let ben = second.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    assert_eq!(by_label(&second, &ben, "new").len(), 1);
    let count = records(home.path(), "hsm2").len();
    Module::replicate_key(here, there, &new).unwrap();
    assert_eq!(records(home.path(), "hsm2").len(), count, "what is there as it is here stays");
    // An officer may, too, and the owner alone of the users.
    Module::replicate_key(Side { login: &officer, ..here }, Side { login: &other, ..there }, &new).unwrap();
    let bens = first.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    for (source, destination) in [(&bens, &ben), (&bens, &her), (&ann, &ben)] {
        let refused = Module::replicate_key(Side { login: source, ..here }, Side { login: destination, ..there }, &new);
        assert!(matches!(refused.err().unwrap().rv(), ck::CKR_ACTION_PROHIBITED | ck::CKR_KEY_HANDLE_INVALID));
    }
    // Changed on one side it is another key.
    let template = Template::of(&[(ck::CKA_LABEL, b"changed")]).unwrap();
    let changed = first.change_object(Some(&ann), &new, &template).unwrap();
    assert_eq!(said(Module::replicate_key(here, there, &changed)), "Key replicate failed on 1 of 1 connections");
    // Shared with a user who is not there.
    first.create_user(&officer, "carl", Role::CryptoUser, &Secret::copy(b"carls-password"), false).unwrap();
    key(&first, &ann, "more", &Sharing { users: &["carl".to_owned()], ..Sharing::default() });
    let [more] = by_label(&first, &ann, "more").try_into().ok().unwrap();
    assert!(said(Module::replicate_key(here, there, &more)).contains("user carl"));
    let (from, to) = (Side { login: &officer, ..here }, Side { login: &other, ..there });
    Module::replicate_user(from, to, "carl", Role::CryptoUser).unwrap();
    Module::replicate_key(here, there, &more).unwrap();
    let found = second.verify_store(Some(&her)).unwrap().unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
}

#[test]
fn not_between_strangers() {
    let (_home, first) = sample();
    let (_other, second) = sample();
    let logins = [&first, &second].map(|module| module.login(Role::CryptoOfficer, OFFICER).unwrap());
    let (here, there) = (Side { module: &first, login: &logins[0] }, Side { module: &second, login: &logins[1] });
    assert!(said(Module::replicate_user(here, there, "ann", Role::CryptoUser)).contains("not clones"));
    let [shared] = by_label(&first, &logins[0], "shared").try_into().ok().unwrap();
    assert!(said(Module::replicate_key(here, there, &shared)).contains("not clones"));
}
