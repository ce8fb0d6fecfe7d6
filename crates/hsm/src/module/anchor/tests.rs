//! An attacker who holds the folder with `device.key`, and so can seal anything of the public tier anew: what is found without an anchor
//! (nothing, as SECURITY.md says), and what with one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::secret::Secret;
use platform::testing::{Temporary, temporary};
use store::{Batch, Change, Durability, Kind, Record};

use super::*;
use crate::config::{Audit, Profile};
use crate::module::Role;
use crate::module::hierarchy::Tier;
use crate::module::testing::{ANN, OFFICER, config, key};
use crate::module::{Pin, Sharing};
use crate::object::Template;

/// An HSM whose heads go to a file beside its home; ann has guessed four times.
struct Anchored {
    place: Temporary,
}

impl Anchored {
    fn new() -> Self {
        let anchored = Self { place: temporary() };
        let module = anchored.open();
        module.activate(&Secret::copy(b"officer-password"), None).unwrap();
        let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
        module.create_user(&officer, "ann", Role::CryptoUser, &Secret::copy(b"anns-password"), false).unwrap();
        let ann = module.login(Role::CryptoUser, ANN).unwrap();
        key(&module, &ann, "first", &Sharing::default());
        let class = ck::CKO_DATA.to_ne_bytes();
        let data = [(ck::CKA_CLASS, class.as_slice()), (ck::CKA_TOKEN, &[1]), (ck::CKA_PRIVATE, &[0])];
        module.create_object(None, &Template::of(&data).unwrap()).unwrap();
        for _ in 0..4 {
            module.login(Role::CryptoUser, b"ann:a-guess-of-hers").err().unwrap();
        }
        module.close();
        anchored
    }

    fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("anchor")
    }

    fn settings(&self) -> Settings {
        let file = self.file().to_str().unwrap().to_owned();
        Settings { profile: Profile::Standard, audit_anchor: Some(file), ..Settings::default() }
    }

    fn open(&self) -> Module {
        Module::open(&config(&self.home(), self.settings()), "hsm1").unwrap()
    }

    /// What the attacker works with: the folder, `device.key` in it, and this library; no anchor.
    fn attack(&self, act: impl Fn(&Hsm) -> Vec<Change>) {
        let settings = Settings { profile: Profile::Standard, ..Settings::default() };
        let module = Module::open(&config(&self.home(), settings), "hsm1").unwrap();
        let hsm = module.hsm().unwrap();
        let write = |change: Vec<Change>| {
            hsm.store.write(Durability::Synced, &mut |_| Ok(Batch { changes: change.clone() })).unwrap();
        };
        write(act(&hsm));
        // The head is made to fit, under the number that it had.
        let mut head = Head::read(&*hsm.store, &hsm.public).unwrap();
        head.sum = Head::recompute(&*hsm.store, &hsm.public).unwrap();
        head.state = Some(Head::recompute_state(&*hsm.store, &hsm.public).unwrap());
        write(vec![sealed_head(&hsm, &head)]);
        module.close();
    }

    /// Whether what this library looks at without an anchor is as it was written.
    fn passes_without(&self) -> bool {
        let module = self.open();
        let found = module.verify_store(None).unwrap().unwrap();
        let log = module.verify_audit(None).unwrap();
        let health = module.examine().unwrap().unwrap();
        module.close();
        found.wrong.is_empty() && log.broken_at.is_none() && health.sum_is_right && health.unreadable.is_empty()
    }

    fn check(&self) -> AnchorCheck {
        let module = self.open();
        let check = module.verify_own_anchor().unwrap().unwrap();
        module.close();
        check
    }

    fn work(&self, label: &str) {
        let module = self.open();
        let ann = module.login(Role::CryptoUser, ANN).unwrap();
        key(&module, &ann, label, &Sharing::default());
        module.close();
    }

    #[track_caller]
    fn assert_sound(&self) {
        assert!(self.passes_without());
        let check = self.check();
        assert!(check.wrong.is_empty() && !check.changed_since, "{:?}", check.wrong);
    }

    /// Found at once, and also when honest work has gone on since.
    #[track_caller]
    fn assert_found(&self, words: &str) {
        for label in ["between", "after"] {
            let wrong = self.check().wrong;
            assert!(wrong.iter().any(|line| line.contains(words)), "{label}: {wrong:?}");
            self.work(label);
        }
        assert!(!self.check().wrong.is_empty());
    }
}

fn sealed_head(hsm: &Hsm, head: &Head) -> Change {
    let record = hsm.store.read(Kind::Meta, crate::module::commit::meta::HEAD).unwrap().unwrap();
    resealed(hsm, record, &head.encode())
}

/// A record with another content, under the same number and version.
fn resealed(hsm: &Hsm, record: Record, plain: &Secret) -> Change {
    let expected = record.version;
    let sealed = hsm.public.seal(&record, plain).unwrap();
    Change::Put { record: Record { sealed, ..record }, expected, tags: None }
}

/// The failed logins of ann are forgotten.
fn set_back(hsm: &Hsm) -> Vec<Change> {
    let (id, mut user) = hsm.find_user("ann", Role::CryptoUser).unwrap().unwrap();
    assert_eq!(user.failed, 4);
    user.failed = 0;
    let record = hsm.store.read(Kind::User, id.0).unwrap().unwrap();
    vec![resealed(hsm, record, &user.encode())]
}

/// The last five records of the log are cut off.
fn cut(hsm: &Hsm) -> Vec<Change> {
    let mut head = Head::read(&*hsm.store, &hsm.public).unwrap();
    let kept = head.audit_sequence - 5;
    let mut changes: Vec<Change> =
        (kept + 1..=head.audit_sequence).map(|id| Change::Delete { kind: Kind::Audit, id, expected: 1 }).collect();
    hsm.check_audit_with(&mut |place| {
        if place.records == kept {
            head.audit_mac = place.mac;
        }
    })
    .unwrap();
    head.audit_sequence = kept;
    changes.push(sealed_head(hsm, &head));
    changes
}

/// A public object that nobody has made.
fn plant(hsm: &Hsm) -> Vec<Change> {
    let selection = store::Selection { tier: Some(Tier::Public as u8), ..store::Selection::all(Kind::Object) };
    let old = hsm.store.scan(&selection).unwrap().remove(0);
    let plain = hsm.public.open(&old).unwrap();
    let tags = hsm.store.tags(Kind::Object, old.id).unwrap();
    let mut record = Record { id: old.id + 1, ..old };
    record.sealed = hsm.public.seal(&record, &plain).unwrap();
    vec![Change::Put { record, expected: 0, tags: Some(tags) }]
}

#[test]
fn nothing_is_wrong_with_what_was_done_honestly() {
    let anchored = Anchored::new();
    anchored.assert_sound();
    anchored.work("second");
    anchored.assert_sound();
    // Records that no disk is waited for are not anchored, and change nothing that is.
    let module =
        Module::open(&config(&anchored.home(), Settings { audit: Audit::Aws, ..anchored.settings() }), "hsm1").unwrap();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    ann.begin().unwrap();
    assert_eq!(module.verify_own_anchor().unwrap().unwrap().records_since, 1);
    // Several threads, and several processes, in any order.
    let (module, ann) = (Arc::new(module), Arc::new(ann));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (module, ann) = (Arc::clone(&module), Arc::clone(&ann));
            std::thread::spawn(move || {
                (0..5).for_each(|n| key(&module, &ann, &format!("{thread}-{n}"), &Sharing::default()))
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    module.close();
    anchored.assert_sound();
    let text = fs::read_to_string(anchored.file()).unwrap();
    let reversed: Vec<&str> = text.lines().rev().collect();
    assert!(anchored.open().verify_anchor(&reversed.join("\n")).unwrap().wrong.is_empty());
}

#[test]
fn a_counter_that_was_set_back() {
    let anchored = Anchored::new();
    anchored.attack(set_back);
    assert!(anchored.passes_without(), "SECURITY.md: without an anchor this is not found");
    anchored.assert_found("changed");
}

#[test]
fn records_that_were_cut_off() {
    let anchored = Anchored::new();
    anchored.attack(cut);
    assert!(anchored.passes_without(), "SECURITY.md: without an anchor this is not found");
    anchored.assert_found("does not go through record");
}

#[test]
fn an_object_that_was_planted() {
    let anchored = Anchored::new();
    anchored.attack(plant);
    assert!(anchored.passes_without(), "SECURITY.md: without an anchor this is not found");
    anchored.assert_found("changed");
}

/// The whole folder as it was once: the one that needs no key at all.
#[test]
fn a_folder_that_was_put_back() {
    let anchored = Anchored::new();
    let (folder, kept) = (anchored.home().join("hsm1"), anchored.place.path().join("kept"));
    copy(&folder, &kept);
    anchored.work("undone");
    anchored.assert_sound();
    fs::remove_dir_all(&folder).unwrap();
    copy(&kept, &folder);
    assert!(anchored.passes_without(), "SECURITY.md: without an anchor this is not found");
    let wrong = anchored.check().wrong;
    assert!(wrong.iter().any(|line| line.contains("it was put back")), "{wrong:?}");
    anchored.work("instead");
    assert!(anchored.check().wrong.iter().any(|line| line.contains("changed")));
}

/// Heads that were kept by hand: later work is none of their business, and what came before them is.
#[test]
fn a_head_that_was_kept() {
    let anchored = Anchored::new();
    let module = anchored.open();
    let head = module.store_head().unwrap();
    module.close();
    anchored.work("later");
    let module = anchored.open();
    let check = module.verify_anchor(&head.line).unwrap();
    assert!(check.wrong.is_empty() && check.changed_since && check.lines == 1 && check.records_since == 1);
    assert_eq!(module.verify_anchor("").err().unwrap().rv(), ck::CKR_ARGUMENTS_BAD);
    let another = head.line.replace(&head.serial, "0000000000000000");
    assert_eq!(module.verify_anchor(&another).err().unwrap().rv(), ck::CKR_ARGUMENTS_BAD);
    module.close();
    anchored.attack(|hsm| [cut(hsm), Vec::new()].concat());
    let wrong = anchored.open().verify_anchor(&head.line).unwrap().wrong;
    assert!(!wrong.is_empty(), "one record of work and four older ones are gone");
}

/// A restoration is a new history, and says so.
#[test]
fn a_backup_that_was_put_back() {
    let anchored = Anchored::new();
    let module = anchored.open();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let (_, backup) = module.backup(&officer, None, &mut |_, _| {}).unwrap();
    module.close();
    anchored.work("undone");
    let officer = Pin::split(OFFICER, Role::CryptoOfficer, false).unwrap();
    let config = config(&anchored.home(), anchored.settings());
    Module::restore(&config, "hsm1", &backup, &officer, true, &mut |_, _| {}).unwrap();
    anchored.assert_sound();
    anchored.work("anew");
    anchored.assert_sound();
}

#[test]
fn an_anchor_that_cannot_be_reached() {
    let anchored = Anchored::new();
    let required = Settings { audit_required: true, ..anchored.settings() };
    let module = Module::open(&config(&anchored.home(), required), "hsm1").unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    fs::remove_file(anchored.file()).unwrap();
    fs::create_dir(anchored.file()).unwrap();
    anchored.work("goes on");
    // An attempt at a PIN is a change too: it is counted before it is judged.
    let guess = module.login(Role::CryptoOfficer, b"admin:not-the-password").err().unwrap();
    assert!(guess.rv() == ck::CKR_DEVICE_ERROR && guess.message().contains("audit_required"), "{guess}");
    let refused = module.create_user(&officer, "carl", Role::CryptoUser, &Secret::copy(b"carls-password"), false);
    let error = refused.err().unwrap();
    assert!(error.rv() == ck::CKR_DEVICE_ERROR && error.message().contains("audit_required"), "{error}");
    assert_eq!(module.list_users().unwrap().len(), 2, "nothing was changed");
    module.close();
    let inside = anchored.home().join("hsm1/anchor").to_str().unwrap().to_owned();
    let settings = Settings { audit_anchor: Some(inside), ..anchored.settings() };
    let error = Module::open(&config(&anchored.home(), settings), "hsm1").err().unwrap();
    assert!(error.rv() == ck::CKR_FUNCTION_FAILED && error.message().contains("inside the HSM's folder"), "{error}");
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
    }
}
