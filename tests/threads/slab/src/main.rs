//! The slab of sessions and objects, as the library has it, under the scheduler of `shuttle`: every order of locking and unlocking
//! that two or three threads can come to is tried. The table of objects and the login of a token (`shared`), and the line of threads
//! that wait for the store (`passing`), in very many orders.
//!
//! The files are the library's own; what they take from the crate is in `around`. In the slab only locks are points at which the
//! scheduler changes threads: what lies between two of them is an atomic count that is changed with the lock of the free list held.
//!
//! A program and not a test, so that the slab's own tests, which know no scheduler, stay outside. One line a model.
#![allow(dead_code, reason = "the slab has more than the models use")]

mod around;
mod passing;
mod shared;

pub(crate) use around::{ck, config, error, module, object, platform};

mod objects {
    include!(concat!(env!("OUT_DIR"), "/objects.rs"));
}
mod session_objects {
    include!(concat!(env!("OUT_DIR"), "/session_objects.rs"));
}
mod slab {
    include!(concat!(env!("OUT_DIR"), "/slab.rs"));
}
mod token {
    include!(concat!(env!("OUT_DIR"), "/token.rs"));
}

use std::sync::Arc;

use shuttle::thread;
use slab::Slab;

fn main() {
    for (name, model) in shared::MODELS {
        in_many_orders(name, *model);
    }
    in_many_orders("what-is-passed-on-arrives", passing::what_is_passed_on_arrives);
    in_every_order("a-handle-never-means-another", a_handle_never_means_another);
    in_every_order("a-handle-is-removed-once", a_handle_is_removed_once);
    in_every_order("the-limit-holds", the_limit_holds);
    in_many_orders("a-visit-sees-what-is-whole", a_visit_sees_what_is_whole);
}

/// Tries every order; a model that fails in one ends the program, with what it said.
fn in_every_order(name: &str, model: fn()) {
    let scheduler = shuttle::scheduler::DfsScheduler::new(None, false);
    let orders = shuttle::Runner::new(scheduler, shuttle::Config::new()).run(model);
    assert!(orders > 1, "{name}: there is but one order");
    println!("ok threads-slab-{name} ({orders} orders)");
}

/// The same for a model that has too many: 2,000 of them, or as many as CLOUDHSM_MODEL_ORDERS says, by the dice of a fixed seed.
fn in_many_orders(name: &str, model: fn()) {
    let orders = std::env::var("CLOUDHSM_MODEL_ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(2000);
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(1, orders);
    let mut config = shuttle::Config::new();
    // Of orderings weaker than the strictest, of which it knows nothing: the line's are those of any lock.
    config.silence_warnings = true;
    let orders = shuttle::Runner::new(scheduler, config).run(model);
    println!("ok threads-slab-{name} ({orders} orders, by chance)");
}

fn filled() -> (Arc<Slab<u32>>, u64) {
    let slab = Arc::new(Slab::new(0));
    let handle = slab.insert(2, |value, _| *value = 1).unwrap();
    (slab, handle)
}

/// Whoever looks a handle up gets what it was given out for or nothing, though its slot is freed and used again meanwhile.
fn a_handle_never_means_another() {
    let (slab, handle) = filled();
    let other = Arc::clone(&slab);
    let renewing = thread::spawn(move || {
        assert_eq!(other.remove(handle), Some(1));
        let next = other.insert(2, |value, _| *value = 2).unwrap();
        assert_ne!(next, handle);
        assert_eq!(other.get(next).unwrap().value, 2);
    });
    for _ in 0..2 {
        if let Some(held) = slab.get(handle) {
            assert_eq!(held.value, 1, "another's value");
        }
    }
    renewing.join().unwrap();
    assert!(slab.get(handle).is_none());
}

/// Of two who close one session, one does; its slot is given out once.
fn a_handle_is_removed_once() {
    let (slab, handle) = filled();
    let other = Arc::clone(&slab);
    let removing = thread::spawn(move || other.remove(handle));
    let removed = [slab.remove(handle), removing.join().unwrap()];
    assert_eq!(removed.iter().flatten().count(), 1, "{removed:?}");
    let handles = [(); 2].map(|()| slab.insert(2, |_, _| ()).unwrap());
    assert_ne!(handles[0], handles[1], "one slot, given out twice");
    assert!(slab.insert(2, |_, _| ()).is_none(), "two are in use, and two is the limit");
}

/// The limit holds for two who open a session at once, and both handles are good.
fn the_limit_holds() {
    let (slab, _) = filled();
    let other = Arc::clone(&slab);
    let opening = thread::spawn(move || other.insert(2, |value, _| *value = 2));
    let opened = [slab.insert(2, |value, _| *value = 3), opening.join().unwrap()];
    assert_eq!(opened.iter().flatten().count(), 1, "{opened:?}");
    for (handle, value) in opened.into_iter().zip([3, 2]) {
        if let Some(handle) = handle {
            assert_eq!(slab.get(handle).unwrap().value, value);
        }
    }
}

/// One visits all sessions (C_CloseAllSessions) while others come and go: what it sees is whole.
fn a_visit_sees_what_is_whole() {
    let (slab, handle) = filled();
    let other = Arc::clone(&slab);
    let renewing = thread::spawn(move || {
        other.remove(handle).unwrap();
        other.insert(2, |value, given| *value = if given == handle { 0 } else { 2 }).unwrap();
    });
    slab.for_each(|seen, value| assert_eq!(*value, if seen == handle { 1 } else { 2 }));
    renewing.join().unwrap();
}
