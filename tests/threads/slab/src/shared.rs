//! The table of objects and the login of a token, with two or three threads on them: nothing is lost, nothing vanishes, nothing
//! outlives its login.

use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::thread::{self, JoinHandle};

use crate::ck::CKA_LABEL;
use crate::config::{Config, Settings};
use crate::error::Result;
use crate::module::Login;
use crate::object::{Form, Object, Template};
use crate::session_objects::Handles;
use crate::token::{Hindrance, Token};

type Model = (&'static str, fn());

pub(crate) const MODELS: &[Model] = &[
    ("two-changes-both-stand", two_changes_both_stand),
    ("two-changes-of-a-token-object-both-stand", two_changes_of_a_token_object_both_stand),
    ("a-change-takes-nothing-away", a_change_takes_nothing_away),
    ("destroyed-is-destroyed", destroyed_is_destroyed),
    ("stored-or-gone-with-its-session", stored_or_gone_with_its_session),
    ("found-while-it-is-stored", found_while_it_is_stored),
    ("what-is-made-goes-with-its-login", what_is_made_goes_with_its_login),
    ("a-late-search-touches-no-other-login", a_late_search_touches_no_other_login),
    ("one-login-at-a-time", one_login_at_a_time),
    ("room-for-one", room_for_one),
];

const KEY: Form = Form { private: true, label: 1, sensitive: false };

/// A token with a login, and one session's objects.
struct Ground {
    token: Token,
    login: Arc<Login>,
    made: Mutex<Option<Box<Handles>>>,
}

impl Ground {
    fn new(cached_objects: u32) -> Arc<Self> {
        let token = Token::open(&Config { settings: Settings { cached_objects } }, 0, "hsm1").unwrap();
        let login = token.module.login(1);
        assert!(token.begin_login(&login).is_ok());
        Arc::new(Self { token, login, made: Mutex::new(None) })
    }

    fn keep(&self, login: &Login) -> Result<u64> {
        let object = Arc::new(Object::new(None, 0, KEY));
        self.token.objects.keep(object, Some(login), &mut self.made.lock().unwrap())
    }

    fn get(&self, login: &Login, handle: u64) -> Result<Arc<Object>> {
        self.token.objects.get(&self.token.module, Some(login), handle)
    }

    /// C_SetAttributeValue, as `Place::change` does it.
    fn change(&self, handle: u64, change: impl Fn(Form) -> Form) -> Result<()> {
        loop {
            let claim = self.token.objects.claim(&self.token.module, Some(&self.login), handle)?;
            let old = Arc::clone(claim.object());
            let form = change(old.form);
            let Some(id) = old.id else { return claim.put(&Arc::new(Object::new(None, 0, form))) };
            match self.token.module.write(id.0, old.version, form) {
                Some(new) => return claim.put(&new),
                None => old.mark_superseded(),
            }
        }
    }

    /// A session object becomes the token object 7.
    fn store(&self, handle: u64) -> Result<()> {
        let claim = self.token.objects.claim(&self.token.module, Some(&self.login), handle)?;
        if claim.object().id.is_some() {
            return Ok(());
        }
        let new = self.token.module.write(7, 0, claim.object().form).expect("the only one of that id");
        claim.put(&new)
    }

    fn destroy(&self, handle: u64) -> Result<()> {
        let claim = self.token.objects.claim(&self.token.module, Some(&self.login), handle)?;
        self.token.module.delete(claim.object());
        claim.destroyed();
        Ok(())
    }

    /// C_FindObjects, as `Library::find_init` does it.
    fn find(&self, login: &Login, label: u8) -> Result<Vec<u64>> {
        let template = Template(vec![(CKA_LABEL, vec![label])]);
        let mut found = self.token.objects.session_objects(Some(login), &template, |object| object.form.label == label);
        for id in self.token.module.ids() {
            if let Some(object) = self.token.module.load(Some(login), crate::object::ObjectId(id))?
                && object.form.label == label
            {
                found.push(self.token.objects.handle(&object, Some(login))?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn close_session(&self) {
        let made = self.made.lock().unwrap().take();
        if let Some(made) = made {
            self.token.objects.remove_of_session(*made);
        }
    }

    fn token_object(&self, id: u64) -> u64 {
        let object = self.token.module.write(id, 0, KEY).unwrap();
        self.token.objects.handle(&object, Some(&self.login)).unwrap()
    }
}

fn beside<R: Send + 'static>(ground: &Arc<Ground>, run: impl FnOnce(&Ground) -> R + Send + 'static) -> JoinHandle<R> {
    let ground = Arc::clone(ground);
    thread::spawn(move || run(&ground))
}

fn both_stand(ground: &Arc<Ground>, handle: u64) {
    let other = beside(ground, move |ground| ground.change(handle, |form| Form { sensitive: true, ..form }));
    ground.change(handle, |form| Form { label: 2, ..form }).unwrap();
    other.join().unwrap().unwrap();
    let form = ground.get(&ground.login, handle).unwrap().form;
    assert_eq!(form, Form { label: 2, sensitive: true, ..KEY }, "a lost change");
    assert_eq!(
        (ground.find(&ground.login, 2).unwrap(), ground.find(&ground.login, 1).unwrap()),
        (vec![handle], vec![])
    );
}

fn two_changes_both_stand() {
    let ground = Ground::new(8);
    let handle = ground.keep(&ground.login).unwrap();
    both_stand(&ground, handle);
}

fn two_changes_of_a_token_object_both_stand() {
    let ground = Ground::new(8);
    let handle = ground.token_object(7);
    both_stand(&ground, handle);
}

/// Who uses or finds a key while another changes it has it at each moment, and never an older form than before.
fn a_change_takes_nothing_away() {
    for stored in [false, true] {
        let ground = Ground::new(8);
        let handle = if stored { ground.token_object(7) } else { ground.keep(&ground.login).unwrap() };
        let changing = beside(&ground, move |ground| ground.change(handle, |form| Form { sensitive: true, ..form }));
        let mut before = false;
        for _ in 0..2 {
            let sensitive = ground.get(&ground.login, handle).expect("a key has vanished").form.sensitive;
            assert!(sensitive >= before, "an older form");
            before = sensitive;
            assert_eq!(ground.find(&ground.login, 1).unwrap(), [handle]);
        }
        changing.join().unwrap().unwrap();
        assert!(ground.get(&ground.login, handle).unwrap().form.sensitive);
    }
}

/// One destroys what another changes and a third reads: what is destroyed is gone, whoever was last.
fn destroyed_is_destroyed() {
    for stored in [false, true] {
        let ground = Ground::new(8);
        let handle = if stored { ground.token_object(7) } else { ground.keep(&ground.login).unwrap() };
        let changing = beside(&ground, move |ground| ground.change(handle, |form| Form { label: 2, ..form }).ok());
        let reading = beside(&ground, move |ground| drop(ground.get(&ground.login, handle)));
        ground.destroy(handle).unwrap();
        assert!(ground.get(&ground.login, handle).is_err(), "it is back");
        changing.join().unwrap();
        reading.join().unwrap();
        assert!(ground.get(&ground.login, handle).is_err(), "it is back");
        assert_eq!((ground.find(&ground.login, 1).unwrap(), ground.find(&ground.login, 2).unwrap()), (vec![], vec![]));
    }
}

/// A session object becomes a token object while its session is closed: it stays under its handle, or it never became one.
fn stored_or_gone_with_its_session() {
    let ground = Ground::new(8);
    let handle = ground.keep(&ground.login).unwrap();
    let storing = beside(&ground, move |ground| ground.store(handle));
    ground.close_session();
    let stored = storing.join().unwrap().is_ok();
    assert_eq!(ground.get(&ground.login, handle).is_ok(), stored, "stored: {stored}");
    assert_eq!(ground.find(&ground.login, 1).unwrap().len(), usize::from(stored));
}

/// A search finds it before, while and after.
fn found_while_it_is_stored() {
    let ground = Ground::new(8);
    let handle = ground.keep(&ground.login).unwrap();
    let storing = beside(&ground, move |ground| ground.store(handle));
    assert!(ground.find(&ground.login, 1).unwrap().contains(&handle), "it is there all the while");
    storing.join().unwrap().unwrap();
    assert_eq!(ground.find(&ground.login, 1).unwrap(), [handle]);
}

/// C_Logout beside what makes objects: whatever was given a handle has none in the next login.
fn what_is_made_goes_with_its_login() {
    let ground = Ground::new(8);
    ground.token.module.write(7, 0, KEY).unwrap();
    let making = beside(&ground, |ground| {
        let found = ground.find(&ground.login, 1).unwrap_or_default();
        (ground.keep(&ground.login), found)
    });
    let (ended, _) = ground.token.end_login(|_| true).unwrap();
    assert!(Arc::ptr_eq(&ended, &ground.login));
    let next = ground.token.module.login(2);
    assert!(ground.token.begin_login(&next).is_ok());
    let own = ground.find(&next, 1).unwrap();
    let (made, found) = making.join().unwrap();
    for handle in made.into_iter().chain(found) {
        assert!(ground.get(&next, handle).is_err(), "a handle outlived its login");
        assert!(ground.get(&ground.login, handle).is_err(), "a handle outlived its login");
    }
    assert_eq!(own.len(), 1);
    assert_eq!(ground.find(&next, 1).unwrap(), own, "another login's end took a handle");
}

/// A search that ends after its login leaves the next login's objects where they are.
fn a_late_search_touches_no_other_login() {
    let ground = Ground::new(8);
    ground.token.module.write(7, 0, KEY).unwrap();
    let searching = beside(&ground, |ground| drop(ground.find(&ground.login, 1)));
    ground.token.end_login(|_| true).unwrap();
    let next = ground.token.module.login(2);
    assert!(ground.token.begin_login(&next).is_ok());
    let handle = ground.keep(&next).unwrap();
    searching.join().unwrap();
    assert!(ground.get(&next, handle).is_ok(), "the next login's key is destroyed");
    assert_eq!(ground.find(&next, 1).unwrap().len(), 2);
}

/// Of two that log in one does; one that ends its own login ends no other's.
fn one_login_at_a_time() {
    let ground = Ground::new(8);
    let other = beside(&ground, |ground| {
        let login = ground.token.module.login(3);
        let begun = ground.token.begin_login(&login).is_ok();
        begun.then_some(login)
    });
    ground.token.end_login(|present| Arc::ptr_eq(present, &ground.login)).unwrap();
    let own = ground.token.module.login(2);
    let begun = ground.token.begin_login(&own);
    let others = other.join().unwrap();
    match (&begun, &others) {
        (Ok(()), None) => assert!(ground.token.login().is_some_and(|login| Arc::ptr_eq(&login, &own))),
        (Err(Hindrance::Login(present)), Some(login)) => assert!(Arc::ptr_eq(present, login)),
        _ => panic!("two logins, or none"),
    }
    assert!(ground.token.end_login(|present| Arc::ptr_eq(present, &ground.login)).is_none());
    let standing = others.unwrap_or(own);
    let handle = ground.keep(&standing).unwrap();
    assert!(ground.keep(&ground.login).is_err());
    assert!(ground.get(&standing, handle).is_ok());
}

/// Two token objects and room for one decrypted: whoever is evicted is read again, in its newest form.
fn room_for_one() {
    let ground = Ground::new(1);
    let handles = [ground.token_object(7), ground.token_object(8)];
    let other = beside(&ground, move |ground| {
        ground.get(&ground.login, handles[1]).unwrap();
        ground.change(handles[0], |form| Form { label: 2, ..form }).unwrap();
    });
    for handle in handles {
        let found = ground.get(&ground.login, handle).unwrap();
        assert_eq!(found.id.unwrap().0, if handle == handles[0] { 7 } else { 8 });
    }
    other.join().unwrap();
    assert_eq!(ground.get(&ground.login, handles[0]).unwrap().form.label, 2);
}
