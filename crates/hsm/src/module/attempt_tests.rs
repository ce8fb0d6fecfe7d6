//! What an attempt leaves on the disk, and what work it takes: counted, never timed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use base::ck;
use base::secret::Secret;

use super::super::testing::{ANN, OFFICER, config, sample};
use super::super::user::tests::WORK;
use super::super::{Module, Role};
use super::*;
use crate::config::Settings;

/// The same HSM for a process whose PINs cost more.
fn raised(home: &std::path::Path) -> Module {
    Module::open(&config(home, Settings { pin_passes: 3, ..Settings::default() }), "hsm1").unwrap()
}

/// The derivations that an attempt makes.
fn work(module: &Module, pin: &str) -> Vec<Derivation> {
    WORK.take();
    assert_eq!(module.login(Role::CryptoUser, pin.as_bytes()).err().unwrap().rv(), ck::CKR_PIN_INCORRECT);
    WORK.take()
}

fn derivation(module: &Module, name: &str) -> Derivation {
    module.hsm().unwrap().find_user(name, Role::CryptoUser).unwrap().unwrap().1.derivation
}

/// A wrong name costs what one of the names there are costs, one derivation each, always the same for one name.
#[test]
fn unknown_names_cost_what_known_ones_cost() {
    let (home, plain) = sample();
    let module = raised(home.path());
    module.login(Role::CryptoUser, ANN).unwrap();
    let costs = BTreeSet::from(["ann", "ben"].map(|name| format!("{:?}", derivation(&module, name))));
    assert_eq!(costs.len(), 2, "Ann's was raised, Ben's not");
    for (name, cost) in [("ann", derivation(&module, "ann")), ("ben", derivation(&module, "ben"))] {
        assert_eq!(work(&module, &format!("{name}:wrong-password")), [cost]);
        assert_eq!(
            work(&plain, &format!("{name}:wrong-password")),
            [cost],
            "whatever the process would give a new PIN"
        );
    }
    let mut seen = BTreeSet::new();
    for number in 0..12 {
        let one = work(&module, &format!("name{number}:wrong-password"));
        assert_eq!(one.len(), 1, "{one:?}");
        assert_eq!(work(&plain, &format!("NAME{number}:another-wrong-one")), one, "the same name");
        seen.insert(format!("{:?}", one[0]));
    }
    assert_eq!(seen, costs);
}

/// A PIN that is right gets the cost of today, and never a lower one.
#[test]
fn a_right_pin_gets_the_cost_of_today() {
    let (home, plain) = sample();
    let before = derivation(&plain, "ann");
    let module = raised(home.path());
    let login = module.login(Role::CryptoUser, ANN).unwrap();
    let after = derivation(&module, "ann");
    assert!(after.is_raised_from(before));
    login.check().expect("the login goes on");
    module.login(Role::CryptoUser, ANN).unwrap();
    plain.login(Role::CryptoUser, ANN).unwrap();
    assert_eq!(derivation(&plain, "ann"), after, "another process would give a new PIN less");
    module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let ben = module.login(Role::CryptoUser, b"ben:wrong-password");
    assert!(ben.is_err());
    assert_eq!(derivation(&module, "ben"), before, "a wrong PIN raises nothing");
}

/// Attempts that were cut off count with the next one, before it is judged.
#[test]
fn an_attempt_without_an_outcome_is_a_wrong_one() {
    let (_home, module) = sample();
    let hsm = module.hsm().unwrap();
    let (id, _) = hsm.find_user("ann", Role::CryptoUser).unwrap().unwrap();
    let count = || hsm.read_user(id).unwrap().map(|(_, user)| (user.failed, user.begun)).unwrap();
    let begin = || hsm.store.in_turn(&mut |turn| hsm.count_ahead(turn, id, 0).map(drop)).unwrap();
    let generation = hsm.store.generation();
    begin();
    assert_eq!(count(), (0, 1));
    // Not by the PIN that is remembered, which writes nothing.
    hsm.relogins.close(None);
    module.login(Role::CryptoUser, ANN).unwrap();
    assert_eq!(count(), (0, 0), "a right PIN forgets it");
    for expected in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 0), (5, 0)] {
        begin();
        assert_eq!(count(), expected);
    }
    assert_eq!(module.login(Role::CryptoUser, ANN).err().unwrap().rv(), ck::CKR_PIN_LOCKED);
    assert_eq!(hsm.store.generation(), generation, "nobody's copies are touched");
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let fresh = Secret::copy(b"anns-new-password");
    module.change_password(&officer, "ann", Role::CryptoUser, &fresh, super::super::Deregister::default()).unwrap();
    assert_eq!(count(), (0, 0));
}
