//! A round: the keys that all threads have, the scripts, and what is looked at when the threads have come back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;

use super::verdict::{Event, Key, Protection, Span, Verdict, What};
use crate::support::*;

const USERS: [&str; 2] = [ALICE, BOB];
const THREADS: usize = 4;
const CALLS_OF_A_THREAD: usize = 24;
const SHARED: usize = 5;
pub(super) const FLAGS: [(CK_ATTRIBUTE_TYPE, bool); 3] =
    [(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false), (CKA_WRAP_WITH_TRUSTED, true)];

/// What happens in a round beside the changing, using and making of keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Calm,
    /// One thread logs out and in again, as whoever.
    Logout,
    /// One thread closes the session that the shared keys were made in.
    Close,
    /// One of the shared keys is a token key, another becomes one.
    Token,
    /// One thread sets the user's PIN.
    SetPin,
}

pub(super) struct Rounds {
    dice: Dice,
    keeper: Session,
    sessions: Vec<Session>,
    user: usize,
    calls: u64,
    rounds: u64,
    names: u64,
    counts: BTreeMap<&'static str, (u64, u64)>,
    /// CloudHSM makes a session key a token key; in the standard only a copy becomes one.
    stores: bool,
}

/// What the threads of a round share.
struct Table<'a> {
    clock: &'a AtomicU64,
    keys: &'a [Key],
    /// The session of the shared keys.
    owner: Session,
    /// A token key that wraps, and is not trusted.
    wrapping: CK_OBJECT_HANDLE,
    kind: Kind,
    user: usize,
    stores: bool,
}

fn template(label: &str, protection: Protection, token: bool) -> Template {
    let flags = FLAGS
        .iter()
        .zip(protection)
        .fold(Template::new(), |template, ((id, tight), on)| template.flag(*id, if on { *tight } else { !*tight }));
    flags.label(label).flag(CKA_TOKEN, token).on(&[CKA_ENCRYPT, CKA_SIGN, CKA_DERIVE])
}

/// The value of a key, which its label tells: so that what comes out can be compared.
fn value(label: &str) -> [u8; 32] {
    let mut value = [0x5a; 32];
    value.iter_mut().zip(label.bytes().cycle()).for_each(|(byte, letter)| *byte ^= letter);
    value
}

fn create(session: Session, label: &str, protection: Protection, token: bool) -> Answer<CK_OBJECT_HANDLE> {
    let material = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    session.create(&material.bytes(CKA_VALUE, &value(label)).and(&template(label, protection, token)))
}

impl Rounds {
    pub(super) fn begin(seed: u64, stores: bool) -> Self {
        activate(&USERS);
        let keeper = Session::open();
        for user in USERS {
            keeper.login(user).unwrap();
            let wrapping = aes().on(&[CKA_WRAP, CKA_TOKEN]).off(&[CKA_SIGN, CKA_EXTRACTABLE]).label("wraps");
            keeper.generate(CKM_AES_KEY_GEN, &wrapping).unwrap();
            keeper.logout().unwrap();
        }
        keeper.login(USERS[0]).unwrap();
        let sessions = (0..THREADS).map(|_| Session::open()).collect();
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { dice, keeper, sessions, user: 0, calls: 0, rounds: 0, names: 0, counts: BTreeMap::new(), stores }
    }

    pub(super) fn run(mut self, calls: u64) -> String {
        while self.calls < calls {
            self.round();
        }
        for what in ["change", "see", "value", "use", "wrap", "copy", "derive", "make", "find", "destroy"] {
            let (good, bad) = self.counts.get(what).copied().unwrap_or_default();
            assert!(good > 0 && (bad > 0 || self.calls < 10_000), "{what}: {good} done, {bad} refused");
        }
        for what in
            ["logout", "login", "close", "set pin", "store"].into_iter().filter(|what| self.stores || *what != "store")
        {
            assert!(self.calls < 10_000 || self.counts.get(what).is_some_and(|(good, _)| *good > 0), "no {what}");
        }
        let all: Vec<String> = self.counts.iter().map(|(what, (good, bad))| format!("{what} {good}+{bad}")).collect();
        format!(
            "{} calls of {THREADS} threads in {} rounds; done and refused: {}",
            self.calls,
            self.rounds,
            all.join(", ")
        )
    }

    fn protection(&mut self) -> Protection {
        [(); 3].map(|()| self.dice.below(3) == 0)
    }

    fn round(&mut self) {
        // A round that hangs ends the process; all of them may take as long as they do.
        give_up_after(240);
        let kind = match (self.rounds % 64, self.dice.below(100)) {
            (7 | 39, _) => Kind::Token,
            (63, _) => Kind::SetPin,
            (_, 0..55) => Kind::Calm,
            (_, 55..80) => Kind::Logout,
            _ => Kind::Close,
        };
        self.rounds += 1;
        let clock = AtomicU64::new(1);
        let owner = Session::open();
        let mut keys = Vec::new();
        for at in 0..SHARED {
            let (label, protection) = (self.name(), self.protection());
            let token = kind == Kind::Token && at == 0;
            let handle = create(owner, &label, protection, token).unwrap();
            let made = Span { from: 0, to: 0 };
            keys.push(Key { handle, label, made, protection, owner: Some(owner).filter(|_| !token), from: None });
        }
        let wrapping = self.keeper.labelled("wraps")[0];
        let table = Table { clock: &clock, keys: &keys, owner, wrapping, kind, user: self.user, stores: self.stores };
        let mut events = Vec::new();
        let start = &std::sync::Barrier::new(THREADS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let script = Script {
                        dice: Dice(self.dice.0 ^ (number as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95)),
                        table: &table,
                        session: self.sessions[number],
                        number,
                        events: Vec::new(),
                    };
                    scope.spawn(move || {
                        start.wait();
                        script.run()
                    })
                })
                .collect();
            for thread in threads {
                events.extend(thread.join().unwrap());
            }
        });
        self.dice.below(2);
        for event in &events {
            let (good, bad) = self.counts.entry(event.what.name()).or_default();
            *(if event.answer.is_ok() { good } else { bad }) += 1;
            keys.extend(event.made.clone());
        }
        self.calls += events.len() as u64;
        self.look(&keys, &events, kind);
        let _ = owner.close();
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("shared-{}", self.names)
    }

    /// What is there in the end, seen by one who is alone.
    fn look(&mut self, keys: &[Key], events: &[Event], kind: Kind) {
        let session = self.keeper;
        let verdict = Verdict::new(keys, events);
        verdict.of_answers();
        if let Some(user) = verdict.last_user() {
            self.user = user;
        }
        for key in keys {
            let label = session.read(key.handle, CKA_LABEL);
            self.calls += 1;
            verdict.of_life(key, label.as_ref().err().copied());
            let Ok(label) = label else { continue };
            let seen = FLAGS.map(|(id, tight)| session.flag(key.handle, id).unwrap() == tight);
            let label = String::from_utf8(label).unwrap();
            verdict.of_form(key, &label, seen);
            // I1, and that nothing else keeps the value in.
            let shown = session.read(key.handle, CKA_VALUE);
            assert_eq!(shown.is_ok(), seen == [false; 3], "the value of {key:?}, which is {seen:?}: {shown:?}");
            assert_eq!(session.labelled(&label), [key.handle], "{key:?}");
            self.calls += 6;
            session.destroy(key.handle).unwrap();
        }
        // A token key whose handle a logout took is there under its name, and so is one that was stored.
        let left = session.find(&Template::new().flag(CKA_SIGN, true)).unwrap();
        for key in &left {
            let label = String::from_utf8(session.read(*key, CKA_LABEL).unwrap()).unwrap();
            assert!(session.flag(*key, CKA_TOKEN).unwrap(), "a session key that nobody was told of: {label}");
            assert!(kind == Kind::Token, "a token key that nobody was told of: {label}");
            session.destroy(*key).unwrap();
        }
        assert!(left.len() <= usize::from(kind == Kind::Token) * 2 * CALLS_OF_A_THREAD);
    }
}

/// What one thread does in a round.
struct Script<'a> {
    dice: Dice,
    table: &'a Table<'a>,
    session: Session,
    number: usize,
    events: Vec<Event>,
}

impl Script<'_> {
    fn run(mut self) -> Vec<Event> {
        let special = self.dice.below(CALLS_OF_A_THREAD);
        for at in 0..CALLS_OF_A_THREAD {
            if self.number == 0 && at == special {
                self.special();
            }
            self.call(at);
        }
        self.events
    }

    fn record<T>(&mut self, what: What, run: impl FnOnce(Session) -> Answer<T>) -> Option<(T, Span)> {
        let from = self.table.clock.fetch_add(1, Ordering::SeqCst);
        let outcome = run(self.session);
        let span = Span { from, to: self.table.clock.fetch_add(1, Ordering::SeqCst) };
        let answer = outcome.as_ref().map(|_| ()).map_err(|rv| *rv);
        self.events.push(Event { span, answer, what, made: None });
        outcome.ok().map(|outcome| (outcome, span))
    }

    /// What makes the round one of its kind, by the first thread.
    fn special(&mut self) {
        let (user, owner) = (self.table.user, self.table.owner);
        match self.table.kind {
            Kind::Calm => {}
            Kind::Logout => {
                self.record(What::Logout, Session::logout);
                if self.dice.below(2) == 0 {
                    self.call(0);
                }
                let user = self.dice.below(2);
                self.record(What::Login(user), |session| session.login(USERS[user]));
            }
            Kind::Close => drop(self.record(What::Close(owner), |_| owner.close())),
            Kind::Token if !self.table.stores => {}
            Kind::Token => {
                let key = &self.table.keys[1];
                let stored = Template::new().flag(CKA_TOKEN, true);
                self.record(What::Store(key.handle), |session| session.set(key.handle, &stored));
            }
            Kind::SetPin => drop(self.record(What::SetPin, |session| session.set_pin(USERS[user], USERS[user]))),
        }
    }

    fn call(&mut self, at: usize) {
        let table = self.table;
        let key = &table.keys[self.dice.below(table.keys.len())];
        let handle = key.handle;
        match self.dice.below(100) {
            0..25 => self.change(handle, at),
            25..40 => {
                let which = self.dice.below(3);
                let (id, tight) = FLAGS[which];
                if let Some((on, _)) = self.record(What::See(handle, which, false), |session| session.flag(handle, id))
                    && let Some(Event { what: What::See(_, _, seen), .. }) = self.events.last_mut()
                {
                    *seen = on == tight;
                }
            }
            40..46 => {
                let shown = self.record(What::Value(handle), |session| session.read(handle, CKA_VALUE));
                assert!(shown.is_none_or(|(shown, _)| shown == value(&key.label)), "another value");
            }
            46..66 => {
                let mechanism = &mut Mechanism::new(CKM_AES_ECB);
                let out = self.record(What::Use(handle), |session| session.encrypt(mechanism, handle, &[0; 16]));
                // I1: whatever form of it was used, the value of a key is in no output.
                assert!(out.is_none_or(|(out, _)| !value(&key.label).windows(8).any(|part| out.starts_with(part))));
            }
            66..72 => {
                let mechanism = &mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
                let wrapping = table.wrapping;
                self.record(What::Wrap(handle), |session| session.wrap(mechanism, wrapping, handle));
            }
            72..78 => self.make(What::Copy(handle), |session, label| {
                session.copy(handle, &Template::new().label(label).flag(CKA_TOKEN, false))
            }),
            78..82 => self.make(What::Derive(handle), |session, label| {
                let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
                let template = template.number(CKA_VALUE_LEN, 32).label(label).on(&[CKA_ENCRYPT, CKA_SIGN, CKA_DERIVE]);
                session.derive(&mut CounterKdf::new(CKM_SHA256_HMAC, b"a").mechanism(), handle, &template)
            }),
            82..88 => {
                let protection = [(); 3].map(|()| self.dice.below(3) == 0);
                self.make(What::Make, |session, label| create(session, label, protection, false));
            }
            88..97 => {
                let found = self.record(What::Find(handle, false), |session| session.find(&by_label(&key.label)));
                if let Some((found, _)) = found
                    && let Some(Event { what: What::Find(_, is_there), .. }) = self.events.last_mut()
                {
                    *is_there = found.contains(&handle);
                    assert!(found.len() <= 2, "{found:?} are called {}", key.label);
                }
            }
            _ => drop(self.record(What::Destroy(handle), |session| session.destroy(handle))),
        }
    }

    /// Tightens one flag or two, or renames, or both.
    fn change(&mut self, handle: CK_OBJECT_HANDLE, at: usize) {
        let mut tightened = [(); 3].map(|()| self.dice.below(4) == 0);
        let label =
            (self.dice.below(3) == 0 || tightened == [false; 3]).then(|| format!("{}-{at}-{handle}", self.number));
        // A key whose name two threads look for keeps it half of the time.
        let label = label.filter(|_| self.dice.below(2) == 0);
        if label.is_none() && tightened == [false; 3] {
            tightened[self.dice.below(3)] = true;
        }
        let mut template = Template::new();
        for ((id, tight), _) in FLAGS.iter().zip(tightened).filter(|(_, on)| *on) {
            template = template.flag(*id, *tight);
        }
        if let Some(label) = &label {
            template = template.label(label);
        }
        self.record(What::Change(handle, tightened, label), |session| session.set(handle, &template));
    }

    /// A key from another or from nothing; what it is is read at once, by the thread that alone has it.
    fn make(&mut self, what: What, run: impl FnOnce(Session, &str) -> Answer<CK_OBJECT_HANDLE>) {
        let label = format!("made-{}-{}", self.number, self.table.clock.load(Ordering::SeqCst));
        let from = match what {
            What::Copy(source) | What::Derive(source) => Some(source),
            _ => None,
        };
        let Some((handle, made)) = self.record(what, |session| run(session, &label)) else { return };
        // A logout may have taken it again: then nothing is known of it but that.
        let mut protection = [false; 3];
        let mut is_known = true;
        for (on, (id, tight)) in protection.iter_mut().zip(FLAGS) {
            match self.session.flag(handle, id) {
                Ok(flag) => *on = flag == tight,
                Err(_) => is_known = false,
            }
        }
        let owner = Some(self.session);
        let key = Key { handle, label, made, protection, owner, from: from.filter(|_| is_known) };
        if let Some(event) = self.events.last_mut() {
            event.made = Some(key);
        }
    }
}

fn by_label(label: &str) -> Template {
    Template::new().label(label)
}
