//! The walk: one random call after the other, each compared with the reference.

use std::collections::BTreeMap;

use base::ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;

use super::reference::{DECRYPT, DERIVE, ENCRYPT, Key, Origin, Protection, SIGN, Secrets, UNWRAP, USES, WRAP};
use crate::support::*;

const USERS: [&str; 2] = [ALICE, BOB];
const MOST_KEYS: usize = 24;
const MOST_TOKEN_KEYS: usize = 12;
/// The least length of a derived key, in bytes (I5): SP 800-131A wants 112 bits.
const SHORTEST: CK_ULONG = 14;

pub(super) struct Walk {
    dice: Dice,
    sessions: Vec<Session>,
    user: usize,
    keys: Vec<Key>,
    secrets: Secrets,
    /// What keys have become in being wrapped, and under which key.
    wrapped: Vec<(Vec<u8>, String)>,
    names: usize,
    /// AWS's table has LOCAL true for a derived key, the standard false.
    derived_is_local: bool,
    /// How often each kind of call has succeeded and been refused.
    counts: BTreeMap<&'static str, (usize, usize)>,
    calls: usize,
}

impl Walk {
    pub(super) fn begin(seed: u64, derived_is_local: bool) -> Self {
        activate(&USERS);
        let session = Session::open();
        session.login(USERS[0]).unwrap();
        Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            sessions: vec![session],
            user: 0,
            keys: Vec::new(),
            secrets: Secrets::default(),
            wrapped: Vec::new(),
            names: 0,
            derived_is_local,
            counts: BTreeMap::new(),
            calls: 0,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.dice.below(limit)
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn count<T>(&mut self, what: &'static str, answer: &Answer<T>) {
        self.calls += 1;
        let (good, bad) = self.counts.entry(what).or_default();
        *(if answer.is_ok() { good } else { bad }) += 1;
    }

    fn session(&mut self) -> Session {
        let at = self.below(self.sessions.len());
        self.sessions[at]
    }

    fn key(&mut self) -> Option<Key> {
        let count = self.keys.len();
        if count == 0 {
            return None;
        }
        let at = self.below(count);
        Some(self.keys[at].clone())
    }

    fn known(&mut self, handle: CK_OBJECT_HANDLE) -> &mut Key {
        self.keys.iter_mut().find(|key| key.handle == handle).expect("a key of the reference")
    }

    pub(super) fn run(&mut self, calls: usize) {
        while self.calls < calls {
            match self.below(1000) {
                0 => self.change_user(),
                1 if self.once_in(2) => self.visit_by_the_officer(),
                2..30 => self.open_or_close(),
                30..130 => self.make(),
                130..160 => self.copy(),
                160..280 => self.change(),
                280..400 => self.read(),
                400..520 => self.wrap(),
                520..600 => self.unwrap(),
                600..680 => self.derive(),
                680..760 => self.sign(),
                760..860 => self.encrypt_and_decrypt(),
                860..900 => self.destroy(),
                _ => self.find(),
            }
        }
    }

    /// A template with chosen protection, the flags that it has, and the uses. `silent`: mostly nothing is said of SENSITIVE
    /// and WRAP_WITH_TRUSTED, which CloudHSM has not in the templates of what is unwrapped or derived.
    fn template(&mut self, silent: bool) -> (Template, [Option<bool>; 3], [bool; 6]) {
        let sensitive = self.below(4) != 0;
        let sensitive = Some(sensitive).filter(|_| !silent || self.once_in(8));
        let trusted_only = self.once_in(3);
        let trusted_only = Some(trusted_only).filter(|_| !silent || self.once_in(8));
        let flags = [sensitive, Some(self.below(3) != 0), trusted_only];
        let mut uses = [false; 6];
        for use_ in &mut uses {
            *use_ = self.below(3) != 0;
        }
        let ids = [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED];
        let given = ids.into_iter().zip(flags).filter_map(|(id, flag)| Some((id, flag?)));
        let template = given.fold(Template::new(), |template, (id, on)| template.flag(id, on));
        (template, flags, uses)
    }

    /// Enters a key that the HSM has made into the reference, and compares the two.
    fn enter(&mut self, session: Session, handle: CK_OBJECT_HANDLE, token: bool, key: Key) {
        let key = Key { handle, session: (!token).then_some(session), owner: self.user, ..key };
        assert_eq!(Protection::read(session, handle), Ok(key.protection), "what {} is", key.label);
        self.keys.push(key);
    }

    fn label(&mut self) -> String {
        self.names += 1;
        format!("walk-{}", self.names)
    }

    fn token(&mut self) -> bool {
        self.once_in(100) && self.keys.iter().filter(|key| key.session.is_none()).count() < MOST_TOKEN_KEYS
    }

    fn make(&mut self) {
        if self.keys.len() >= MOST_KEYS {
            return self.destroy();
        }
        let session = self.session();
        let (protection, flags, mut uses) = self.template(false);
        let (label, token, generic, imported) = (self.label(), self.token(), self.once_in(2), self.once_in(2));
        if generic {
            [uses[WRAP], uses[UNWRAP], uses[ENCRYPT], uses[DECRYPT]] = [false; 4];
        }
        let given: Vec<usize> = (0..6).filter(|at| !generic || matches!(*at, SIGN | DERIVE)).collect();
        let named = given.iter().fold(protection, |template, at| template.flag(USES[*at], uses[*at]));
        let named = named.label(&label).flag(CKA_TOKEN, token);
        let (made, origin, value) = if imported {
            let mut value = [0; 32];
            value.fill_with(|| self.below(256) as u8);
            let key_type = if generic { CKK_GENERIC_SECRET } else { CKK_AES };
            let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type);
            (session.create(&template.bytes(CKA_VALUE, &value).and(&named)), Origin::Imported, Some(value))
        } else {
            let mechanism = if generic { CKM_GENERIC_SECRET_KEY_GEN } else { CKM_AES_KEY_GEN };
            (session.generate(mechanism, &named.number(CKA_VALUE_LEN, 32)), Origin::Generated, None)
        };
        self.count("make", &made);
        if let Ok(handle) = made {
            let protection = Protection::of_new(origin, flags, [true, false]);
            if let Some(value) = value.filter(|_| protection.never_leaves()) {
                self.secrets.add(value);
            }
            let key = Key { handle, session: None, owner: 0, label, protection, uses, generic, value };
            self.enter(session, handle, token, key);
        }
    }

    /// Copies with other flags: I4, and a copy is not trusted.
    fn copy(&mut self) {
        let Some(key) = self.key() else { return };
        if self.keys.len() >= MOST_KEYS {
            return;
        }
        let session = self.session();
        let label = self.label();
        let (changes, after) = self.changes(&key.protection);
        let after = Protection { trusted: false, ..after };
        let made = session.copy(key.handle, &changes.label(&label).flag(CKA_TOKEN, false));
        self.count("copy", &made);
        if let Ok(handle) = made {
            assert!(!key.protection.trusted, "I2: a trusted key was copied: {key:?}");
            assert!(key.protection.may_become(&after), "I4: a copy of {key:?} became {after:?}");
            self.enter(session, handle, false, Key { label, protection: after, ..key });
        }
    }

    /// Some random changes of protection, and what a key of this protection would be after them.
    fn changes(&mut self, before: &Protection) -> (Template, Protection) {
        let (mut template, mut after) = (Template::new(), *before);
        for _ in 0..=self.below(2) {
            let on = self.once_in(2);
            let (id, place) = match self.below(3) {
                0 => (CKA_SENSITIVE, &mut after.sensitive),
                1 => (CKA_EXTRACTABLE, &mut after.extractable),
                _ => (CKA_WRAP_WITH_TRUSTED, &mut after.wrap_with_trusted),
            };
            *place = on;
            template = template.without(id).flag(id, on);
        }
        (template, after)
    }

    fn change(&mut self) {
        let Some(key) = self.key() else { return };
        // A commit of a token key waits for the disk.
        if key.session.is_none() && !self.once_in(50) {
            return;
        }
        let session = self.session();
        let (template, after) = match self.below(6) {
            0 => (Template::new().flag(CKA_TRUSTED, true), Protection { trusted: true, ..key.protection }),
            1 => {
                let id = [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE][self.below(3)];
                let on = self.once_in(2);
                assert!(session.set(key.handle, &Template::new().flag(id, on)).is_err(), "I4: history was written");
                return;
            }
            _ => self.changes(&key.protection),
        };
        let changed = session.set(key.handle, &template);
        self.count("change", &changed);
        if changed.is_ok() {
            assert!(key.protection.trusted || !after.trusted, "I3: a crypto user set TRUSTED");
            assert!(key.protection.may_become(&after), "I4: {key:?} became {after:?}");
            self.known(key.handle).protection = after;
        }
        assert_eq!(Protection::read(session, key.handle).as_ref(), Ok(&self.known(key.handle).protection));
    }

    fn read(&mut self) {
        let Some(key) = self.key() else { return };
        let session = self.session();
        let read = session.read(key.handle, CKA_VALUE);
        self.count("read", &read);
        assert_eq!(read.is_ok(), key.protection.may_be_read(), "the value of {key:?}");
        let output = read.unwrap_or_default();
        self.secrets.check(&output);
        if let Some(value) = key.value.filter(|_| !output.is_empty()) {
            assert_eq!(output, value);
        }
        assert_eq!(Protection::read(session, key.handle), Ok(key.protection));
    }

    fn wrap(&mut self) {
        let (Some(wrapping), Some(key)) = (self.key(), self.key()) else { return };
        let session = self.session();
        let wrapped =
            session.wrap(&mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD), wrapping.handle, key.handle);
        self.count("wrap", &wrapped);
        let may = !wrapping.generic && wrapping.uses[WRAP] && key.protection.extractable;
        let may = may && (!key.protection.wrap_with_trusted || wrapping.protection.trusted) && !key.protection.trusted;
        assert_eq!(wrapped.is_ok(), may, "I2: {wrapping:?} wraps {key:?}: {wrapped:?}");
        if let Ok(wrapped) = wrapped {
            self.secrets.check(&wrapped);
            self.wrapped.push((wrapped, wrapping.label));
            if self.wrapped.len() > 20 {
                self.wrapped.remove(0);
            }
        }
    }

    fn unwrap(&mut self) {
        let Some(mut unwrapping) = self.key() else { return };
        if self.wrapped.is_empty() || self.keys.len() >= MOST_KEYS {
            return;
        }
        let session = self.session();
        let at = self.below(self.wrapped.len());
        let (wrapped, under) = self.wrapped[at].clone();
        if let Some(key) = self.keys.iter().find(|key| key.label == under).cloned()
            && !self.once_in(4)
        {
            unwrapping = key;
        }
        let (protection, flags, mut uses) = self.template(true);
        let (label, generic) = (self.label(), self.once_in(2));
        if generic {
            [uses[WRAP], uses[UNWRAP], uses[ENCRYPT], uses[DECRYPT]] = [false; 4];
        }
        let given: Vec<usize> = (0..6).filter(|at| !generic || matches!(*at, SIGN | DERIVE)).collect();
        let template = given.iter().fold(protection, |template, at| template.flag(USES[*at], uses[*at]));
        let key_type = if generic { CKK_GENERIC_SECRET } else { CKK_AES };
        let template = template.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type).label(&label);
        let form = &mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
        let made = session.unwrap(form, unwrapping.handle, &wrapped, &template);
        self.count("unwrap", &made);
        let may = !unwrapping.generic && unwrapping.uses[UNWRAP];
        assert!(made.is_err() || may, "{unwrapping:?} unwraps");
        if let Ok(handle) = made {
            let read = Protection::read(session, handle).unwrap();
            let mut expected = Protection::of_new(Origin::Imported, flags, [read.sensitive, read.wrap_with_trusted]);
            if unwrapping.protection.trusted {
                // What a trusted key brings in is protected whatever the template says (TRUSTED_ONLY of the module).
                expected.sensitive |= read.sensitive;
                expected.wrap_with_trusted |= read.wrap_with_trusted;
            }
            let key = Key { handle, session: None, owner: 0, label, protection: expected, uses, generic, value: None };
            self.enter(session, handle, false, key);
        }
    }

    fn derive(&mut self) {
        let Some(base) = self.key() else { return };
        if self.keys.len() >= MOST_KEYS {
            return;
        }
        let session = self.session();
        let (protection, flags, _) = self.template(true);
        let (label, length) = (self.label(), [1, 8, 13, 14, 16, 32][self.below(6)]);
        let template = protection.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let template =
            template.number(CKA_VALUE_LEN, length).label(&label).flag(CKA_SIGN, true).flag(CKA_DERIVE, false);
        let mut derivation = CounterKdf::new(CKM_SHA256_HMAC, b"walk");
        let made = session.derive(&mut derivation.mechanism(), base.handle, &template);
        self.count("derive", &made);
        if let Ok(handle) = made {
            assert!(base.uses[DERIVE], "{base:?} derives");
            assert!(length >= SHORTEST, "I5: a derived key of {length} bytes");
            let origin = Origin::Derived(base.protection, self.derived_is_local);
            let silent = [CKA_SENSITIVE, CKA_WRAP_WITH_TRUSTED].map(|id| session.flag(handle, id).unwrap());
            let after = Protection::of_new(origin, flags, silent);
            assert!(after.protects_as(&base.protection, flags), "I5: {after:?} from {base:?}");
            let uses = [true, false, false, false, false, false];
            let key =
                Key { handle, session: None, owner: 0, label, protection: after, uses, generic: true, value: None };
            self.enter(session, handle, false, key);
        }
    }

    fn sign(&mut self) {
        let Some(key) = self.key() else { return };
        let session = self.session();
        let mechanism = if key.generic { CKM_SHA256_HMAC } else { CKM_AES_CMAC };
        let signed = session.sign(&mut Mechanism::new(mechanism), key.handle, b"what is signed");
        self.count("sign", &signed);
        assert_eq!(signed.is_ok(), key.uses[SIGN], "{key:?} signs: {signed:?}");
        self.secrets.check(&signed.unwrap_or_default());
    }

    fn encrypt_and_decrypt(&mut self) {
        let Some(key) = self.key() else { return };
        let session = self.session();
        // What was wrapped, too: the oldest of the attacks.
        let data = match self.wrapped.len() {
            0 => vec![7; 32],
            count => {
                let at = self.below(count);
                let mut wrapped = self.wrapped[at].0.clone();
                wrapped.truncate(wrapped.len() / 16 * 16);
                wrapped
            }
        };
        for (way, what, use_) in [(Way::Encrypt, "encrypt", ENCRYPT), (Way::Decrypt, "decrypt", DECRYPT)] {
            let mut mechanism = Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
            let answer = session.cipher(way, &mut mechanism, key.handle, &data);
            self.count(what, &answer);
            assert_eq!(answer.is_ok(), key.uses[use_] && !key.generic, "{key:?}: {answer:?}");
            self.secrets.check(&answer.unwrap_or_default());
        }
    }

    fn destroy(&mut self) {
        let Some(key) = self.key() else { return };
        if key.session.is_none() && !self.once_in(20) {
            return;
        }
        let session = self.session();
        let destroyed = session.destroy(key.handle);
        self.count("destroy", &destroyed);
        assert_eq!(destroyed, Ok(()), "{key:?}");
        self.keys.retain(|known| known.handle != key.handle);
        assert!(session.read(key.handle, CKA_LABEL).is_err(), "a destroyed key");
        assert!(session.sign_init(&mut Mechanism::new(CKM_SHA256_HMAC), key.handle).is_err());
    }

    fn find(&mut self) {
        let session = self.session();
        let Some(key) = self.key() else { return };
        let found = session.find(&Template::new().label(&key.label));
        self.count("find", &found);
        assert_eq!(found, Ok(vec![key.handle]), "{key:?}");
        // A75: no search by what is secret finds anything.
        if let Some(value) = key.value.filter(|_| !key.protection.may_be_read()) {
            let found = session.find(&Template::new().bytes(CKA_VALUE, &value));
            assert!(found.as_ref().map_or(true, Vec::is_empty), "a search by the value of {key:?}: {found:?}");
        }
    }

    fn open_or_close(&mut self) {
        if self.sessions.len() < 4 && self.once_in(2) {
            self.sessions.push(Session::open());
            self.calls += 1;
            return;
        }
        if self.sessions.len() < 2 {
            return;
        }
        let at = self.below(self.sessions.len());
        let session = self.sessions.swap_remove(at);
        let closed = session.close();
        self.count("close", &closed);
        let other = self.session();
        let (gone, kept) =
            std::mem::take(&mut self.keys).into_iter().partition(|key: &Key| key.session == Some(session));
        self.keys = kept;
        for key in gone {
            assert!(other.read(key.handle, CKA_LABEL).is_err(), "a key of a closed session: {key:?}");
        }
    }

    /// Ends the login in the middle of an operation (I6), and lets the other user in, who sees none of it.
    fn change_user(&mut self) {
        let session = self.session();
        let active = self.key().filter(|key| key.uses[SIGN]);
        if let Some(key) = &active {
            let mechanism = if key.generic { CKM_SHA256_HMAC } else { CKM_AES_CMAC };
            session.sign_init(&mut Mechanism::new(mechanism), key.handle).unwrap();
        }
        session.logout().unwrap();
        if active.is_some() {
            assert!(session.sign_into(b"data", 64).is_err(), "I6: an operation outlived its login");
        }
        self.user = 1 - self.user;
        session.login(USERS[self.user]).unwrap();
        self.count("change user", &Ok(()));
        for key in self.keys.clone() {
            assert!(session.read(key.handle, CKA_LABEL).is_err(), "I6: a handle outlived its login: {key:?}");
        }
        self.keys.retain(|key| key.session.is_none());
        for key in self.keys.iter_mut() {
            let found = session.labelled(&key.label);
            if key.owner == self.user {
                assert_eq!(found.len(), 1, "a token key is there again: {key:?}");
                key.handle = found[0];
                assert_eq!(Protection::read(session, key.handle), Ok(key.protection), "{key:?}");
            } else {
                assert_eq!(found, [0; 0], "a key of another user");
            }
        }
        // The other's token keys wait until it is back.
        let (own, others) = std::mem::take(&mut self.keys).into_iter().partition(|key| key.owner == self.user);
        self.keys = own;
        self.others(others);
    }

    /// Destroys what the other user has left in the token, as that user.
    fn others(&mut self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        let session = self.session();
        session.logout().unwrap();
        session.login(USERS[1 - self.user]).unwrap();
        for key in keys {
            let found = session.labelled(&key.label);
            assert_eq!(Protection::read(session, found[0]), Ok(key.protection), "{key:?}");
            session.destroy(found[0]).unwrap();
        }
        session.logout().unwrap();
        session.login(USERS[self.user]).unwrap();
        let session_keys = |key: &Key| key.session.is_none();
        self.keys.retain(session_keys);
        for key in self.keys.iter_mut() {
            key.handle = session.labelled(&key.label)[0];
        }
    }

    /// The officer trusts a token key (I3), and can do nothing else with it.
    fn visit_by_the_officer(&mut self) {
        let Some(key) =
            self.keys.iter().find(|key| key.session.is_none() && !key.generic && !key.protection.trusted).cloned()
        else {
            return;
        };
        let session = self.session();
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        let found = session.labelled(&key.label);
        assert_eq!(found.len(), 1, "an officer sees every key");
        let trusted = session.set(found[0], &Template::new().flag(CKA_TRUSTED, true));
        self.count("trust", &trusted);
        let more = session.set(found[0], &Template::new().flag(CKA_SENSITIVE, true));
        assert!(more.is_err() || key.protection.sensitive, "an officer changed more than TRUSTED");
        assert!(session.read(found[0], CKA_VALUE).is_err());
        assert!(session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), found[0]).is_err());
        session.logout().unwrap();
        session.login(USERS[self.user]).unwrap();
        self.known(key.handle).protection.trusted = trusted.is_ok();
        self.keys.retain(|key| key.session.is_none());
        for key in self.keys.iter_mut() {
            key.handle = session.labelled(&key.label)[0];
            assert_eq!(Protection::read(session, key.handle), Ok(key.protection), "{key:?}");
        }
    }

    pub(super) fn summary(&self) -> String {
        let one = |(what, (good, bad)): (&&str, &(usize, usize))| format!("{what} {good}+{bad}");
        let all: Vec<String> = self.counts.iter().map(one).collect();
        format!("{} calls; done and refused: {}", self.calls, all.join(", "))
    }

    /// A walk in which a kind of call never succeeds, or is never refused, shows nothing about it.
    pub(super) fn check_that_it_shows_something(&self) {
        for what in ["make", "copy", "change", "read", "wrap", "unwrap", "derive", "sign", "encrypt", "decrypt"] {
            let (good, bad) = self.counts.get(what).copied().unwrap_or_default();
            assert!(good * 1000 > self.calls && (bad > 0 || what == "make"), "{what}: {good} done, {bad} refused");
        }
        for what in ["trust", "change user", "find", "close", "destroy"] {
            assert!(self.counts.get(what).is_some_and(|(good, _)| *good > 0), "{what} did not happen");
        }
    }
}
