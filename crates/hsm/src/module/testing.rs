//! Small HSMs for the tests of this layer, and what their stores hold.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use base::ck::{self, CK_MECHANISM_TYPE};
use base::secret::Secret;
use platform::testing::{Temporary, temporary};
use store::{Kind, Record, Selection, SqliteStore, Tag, View};

use super::{Generator, Login, Module, Role, Sharing};
use crate::config::{Config, Settings};
use crate::mechanism::{Parameter, Use};
use crate::object::Template;

pub(super) const OFFICER: &[u8] = b"admin:officer-password";
pub(super) const ANN: &[u8] = b"ann:anns-password";

pub(super) fn config(home: &Path, settings: Settings) -> Config {
    Config { home: home.to_owned(), file: PathBuf::new(), settings, cluster_ids: Vec::new(), remarks: Vec::new() }
}

pub(super) fn open(home: &Path) -> Module {
    Module::open(&config(home, Settings::default()), "hsm1").unwrap()
}

/// The generator of a mechanism.
pub(super) fn generator(module: &Module, mechanism: CK_MECHANISM_TYPE) -> Generator {
    let of = |what| module.generator(what, mechanism, |_| Ok(Parameter::None));
    of(Use::Generate).or_else(|_| of(Use::GeneratePair)).unwrap()
}

pub(super) fn key(module: &Module, login: &Login, label: &str, sharing: &Sharing<'_>) {
    let length = 32_u64.to_ne_bytes();
    let values = [(ck::CKA_VALUE_LEN, length.as_slice()), (ck::CKA_TOKEN, &[1]), (ck::CKA_LABEL, label.as_bytes())];
    let template = Template::of(&values).unwrap();
    module.generate_key(login, generator(module, ck::CKM_AES_KEY_GEN), &template, sharing).unwrap();
}

/// An HSM with two officers, two crypto users and a key that they share.
pub(super) fn sample() -> (Temporary, Module) {
    let home = temporary();
    let module = open(home.path());
    module.activate(&Secret::copy(b"officer-password"), None).unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    for (name, role, password) in [
        ("olga_officer", Role::CryptoOfficer, "olgas-password"),
        ("ann", Role::CryptoUser, "anns-password"),
        ("ben", Role::CryptoUser, "bens-password"),
    ] {
        module.create_user(&officer, name, role, &Secret::copy(password.as_bytes()), false).unwrap();
    }
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    key(&module, &ann, "shared", &Sharing { users: &["ben".to_owned()], ..Sharing::default() });
    (home, module)
}

/// Every record of a store with its tags.
pub(super) fn records(home: &Path, name: &str) -> Vec<(Record, Vec<Tag>)> {
    let settings = Settings::default();
    let store =
        SqliteStore::open(&home.join(name), super::lifecycle::access(&settings), super::lifecycle::options(&settings))
            .unwrap();
    assert_eq!(store.examine().unwrap(), [""; 0]);
    let all = Kind::ALL.into_iter().flat_map(|kind| store.scan(&Selection::all(kind)).unwrap());
    all.map(|record| (store.tags(record.kind, record.id).unwrap(), record))
        .map(|(tags, record)| (record, tags))
        .collect()
}
