//! What a listing of keys costs: the store is watched while it answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::ck;
use base::error::Result;
use base::secret::Secret;
use store::{Batch, Durability, Kind, Outline, Record, Selection, Source, Store, Tag, Turn, View};

use super::audit::Opcode;
use super::keys::clone_of;
use super::limits_tests::{ALICE, activated};
use super::{Login, Module, Role, Sharing};
use crate::object::{Object, Template};

/// How often objects were read with their content, and how often without.
#[derive(Default)]
struct Watched {
    content: AtomicUsize,
    outlines: AtomicUsize,
}

/// A store that counts.
struct Watching {
    store: Box<dyn Store>,
    watched: Arc<Watched>,
}

impl Watching {
    fn count(&self, kind: Kind, records: usize) {
        if kind == Kind::Object {
            self.watched.content.fetch_add(records, Ordering::Relaxed);
        }
    }
}

impl View for Watching {
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>> {
        self.count(kind, 1);
        self.store.read(kind, id)
    }
    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>> {
        self.store.version(kind, id)
    }
    fn scan(&self, selection: &Selection) -> Result<Vec<Record>> {
        let records = self.store.scan(selection)?;
        self.count(selection.kind, records.len());
        Ok(records)
    }
    fn outlines(&self, selection: &Selection) -> Result<Vec<Outline>> {
        let outlines = self.store.outlines(selection)?;
        self.watched.outlines.fetch_add(outlines.len(), Ordering::Relaxed);
        Ok(outlines)
    }
    fn find(&self, tags: &[Tag], selection: &Selection) -> Result<Vec<u64>> {
        self.store.find(tags, selection)
    }
    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>> {
        self.store.versions(kind, after, limit)
    }
    fn count(&self, kind: Kind) -> Result<u64> {
        self.store.count(kind)
    }
    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>> {
        self.store.tags(kind, id)
    }
}

impl Store for Watching {
    fn write(&self, durability: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<u64> {
        self.store.write(durability, build)
    }
    fn in_turn(&self, work: &mut dyn FnMut(&dyn Turn) -> Result<()>) -> Result<()> {
        self.store.in_turn(work)
    }

    fn look(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        read(self)
    }
    fn rehearse(&self, source: &mut Source<'_>) -> Result<()> {
        self.store.rehearse(source)
    }

    fn generation(&self) -> u64 {
        self.store.generation()
    }
    fn close(&self) {
        self.store.close();
    }
}

/// Puts the watching store in the place of the module's own. Nobody may be logged in.
fn watch(module: &Module) -> Arc<Watched> {
    let watched = Arc::new(Watched::default());
    let mut active = module.active.lock();
    let mut hsm = Arc::into_inner(active.take().unwrap()).unwrap();
    hsm.store = Box::new(Watching { store: hsm.store, watched: Arc::clone(&watched) });
    *active = Some(Arc::new(hsm));
    watched
}

/// Makes so many keys in few commits, labelled by their number.
fn make_keys(module: &Module, login: &Login, number: usize) {
    let length = 16_u64.to_ne_bytes();
    let template = Template::of(&[(ck::CKA_VALUE_LEN, &length)]).unwrap();
    let row = super::testing::generator(module, ck::CKM_AES_KEY_GEN);
    let first = module.generate_key(login, row, &template, &Sharing::default()).unwrap();
    let key = |at: usize| {
        let mut attributes = first.attributes.edit();
        attributes.set_flag(ck::CKA_TOKEN, true);
        attributes.set(ck::CKA_LABEL, at.to_string());
        Object::new(attributes.finish(), clone_of(&first).unwrap().material, login.user)
    };
    for begin in (0..number).step_by(100) {
        let keys = (begin..number.min(begin + 100)).map(key).collect();
        login.hsm.insert(Some(login), keys, Opcode::GenerateKey, module.dialect(), &Sharing::default()).unwrap();
    }
}

/// AWS's page of `key list` is of ten keys, whatever the HSM holds: ten are read and opened, each of the others is counted
/// once.
#[test]
fn a_page_opens_its_own_keys_only() {
    const KEYS: usize = 2500;
    let (_home, module, officer) = activated();
    module.create_user(&officer, "ben", Role::CryptoUser, &Secret::copy(b"bens-password"), false).unwrap();
    drop(officer);
    let watched = watch(&module);
    let alice = module.login(Role::CryptoUser, ALICE).unwrap();
    make_keys(&module, &alice, KEYS);
    let counts = || (watched.content.swap(0, Ordering::Relaxed), watched.outlines.swap(0, Ordering::Relaxed));
    counts();

    let mut seen = Vec::new();
    for (start, wanted) in [(0, 10), (1020, 10), (KEYS - 3, 3), (KEYS, 0), (usize::MAX, 0)] {
        let page = module.list_keys(&alice, start, 10, &mut |_, _| {}).unwrap();
        assert_eq!((page.total, page.keys.len()), (KEYS, wanted));
        assert_eq!(page.next, Some(start.saturating_add(10)).filter(|next| *next < KEYS));
        assert_eq!(counts(), (wanted, KEYS), "read with content, counted without");
        seen.extend(page.keys.iter().map(|key| key.id.unwrap()));
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in the order of their ids, each once");

    // Whose keys they are stands outside the seal, too.
    let ben = module.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    let page = module.list_keys(&ben, 0, 10, &mut |_, _| {}).unwrap();
    assert_eq!((page.total, page.next, counts()), (0, None, (0, KEYS)));
    let officer = module.login(Role::CryptoOfficer, b"admin:officer-password").unwrap();
    assert_eq!(module.list_keys(&officer, 0, 1, &mut |_, _| {}).unwrap().total, KEYS);
    assert_eq!(counts(), (1, KEYS));
    alice.end();
    assert!(module.list_keys(&alice, 0, 1, &mut |_, _| {}).is_err());
}
