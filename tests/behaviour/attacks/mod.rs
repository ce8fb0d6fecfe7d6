//! The published attacks on key management through PKCS#11, A01 to A93, tried in each profile, in secure mode and not.
//!
//! docs/attacks.md says what becomes of each and why; [`table`] reads it, and every cell is compared. What must hold whatever
//! the document says is asserted here: secure mode gives nothing away, no mode gives a protected key away.

mod attributes;
mod derivation;
mod files;
mod ground;
mod oracles;
mod people;
mod table;
mod transport;
mod trusted;
mod twins;
mod usage;

use std::collections::BTreeSet;

use Attack::{Of, Plain};
use ground::{Found, Ground, Outcome, Victim};
use table::{Mark, Setting, Table, words};

use crate::support::*;

/// An attack: a sequence of calls.
enum Attack {
    /// It goes after no key in particular.
    Plain(fn(&Ground) -> Found),
    /// It goes after a key that its owner has protected more or less.
    Of(fn(&Ground, Victim) -> Found),
}

/// A crypto user whose PIN is guessed.
const CAROL: &str = "carol:carols-password";

/// Attacks that work on any token of the standard's kind, by the standard's own text: `standard` may let them through.
const THE_STANDARDS_OWN: [u8; 9] = [3, 12, 45, 46, 47, 48, 68, 71, 72];

#[test]
fn cloudhsm() {
    staged(|stage, test| run(stage, test, Setting { profile: "cloudhsm", secure: false }));
}

#[test]
fn cloudhsm_in_secure_mode() {
    staged(|stage, test| run(stage, test, Setting { profile: "cloudhsm", secure: true }));
}

#[test]
fn strict() {
    staged(|stage, test| run(stage, test, Setting { profile: "strict", secure: false }));
}

#[test]
fn strict_in_secure_mode() {
    staged(|stage, test| run(stage, test, Setting { profile: "strict", secure: true }));
}

#[test]
fn standard() {
    staged(|stage, test| run(stage, test, Setting { profile: "standard", secure: false }));
}

#[test]
fn standard_in_secure_mode() {
    staged(|stage, test| run(stage, test, Setting { profile: "standard", secure: true }));
}

#[test]
fn a_process_of_cloudhsm_that_is_tightened() {
    staged(|stage, test| tightened(stage, test, "cloudhsm"));
}

#[test]
fn a_process_of_standard_that_is_tightened() {
    staged(|stage, test| tightened(stage, test, "standard"));
}

/// An HSM that is not in secure mode gives nothing away in a process that is.
fn tightened(stage: &str, test: &Test, profile: &'static str) {
    match stage {
        "" => {
            let home = Folder::new();
            test.must(&mut making(test, home.path(), Setting { profile, secure: false }));
            test.must(test.stage(profile, home.path(), "attack").env("CLOUDHSM_PKCS11_SECURE", "true"));
        }
        "make" => make(),
        _ => {
            let gained: Vec<_> = attack().into_iter().filter(|tried| tried.2 == Outcome::Gained).collect();
            assert!(gained.is_empty(), "{gained:?}");
        }
    }
}

/// The HSM is made in `cloudhsm` for `strict`, which has no C_InitToken; secure mode is a property of the HSM.
fn making(test: &Test, home: &std::path::Path, setting: Setting) -> std::process::Command {
    let profile = if setting.profile == "strict" { "cloudhsm" } else { setting.profile };
    let mut command = test.stage(profile, home, "make");
    if setting.secure {
        command.env("CLOUDHSM_PKCS11_SECURE", "true");
    }
    command
}

fn run(stage: &str, test: &Test, setting: Setting) {
    match stage {
        "" => {
            let home = Folder::new();
            test.must(&mut making(test, home.path(), setting));
            test.must(test.stage(setting.profile, home.path(), "attack").env("CLOUDHSM_PKCS11_LOG_LEVEL", "off"));
        }
        "make" => make(),
        _ => {
            let tried = attack();
            judge(&tried, setting);
            let numbers = |gained: bool| -> BTreeSet<u8> {
                tried.iter().filter(|tried| !gained || tried.2 == Outcome::Gained).map(|tried| tried.0).collect()
            };
            let mode = if setting.secure { "in secure mode" } else { "as it is" };
            println!("{} {mode}: {} attacks, {} succeed", setting.profile, numbers(false).len(), numbers(true).len());
        }
    }
}

/// Users, keys of theirs, and wrapping keys that the officer trusts.
fn make() {
    activate(&[ALICE, BOB, CAROL]);
    let session = Session::open();
    session.login(ALICE).unwrap();
    let stays = Template::new().on(&[CKA_SENSITIVE]).off(&[CKA_EXTRACTABLE]);
    for (label, length) in [("trusted-256", 32), ("trusted-128", 16), ("guarded", 32)] {
        let mut template = Template::new()
            .number(CKA_VALUE_LEN, length)
            .label(label)
            .on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP])
            .off(&[CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY]);
        if label == "guarded" {
            template = template.nested(CKA_UNWRAP_TEMPLATE, stays.clone());
        }
        session.generate(CKM_AES_KEY_GEN, &template).unwrap();
    }
    // One that is extractable, as far as the mode lets it, and a pair.
    let loose = Template::new().number(CKA_VALUE_LEN, 32).label("trusted-loose").on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP]);
    let loose = loose.off(&[CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY]);
    let made = session.generate(CKM_AES_KEY_GEN, &loose.clone().on(&[CKA_EXTRACTABLE]));
    made.or_else(|_| session.generate(CKM_AES_KEY_GEN, &loose)).unwrap();
    let pair = Template::new().label("trusted-pair").on(&[CKA_TOKEN]);
    let public = pair.clone().number(CKA_MODULUS_BITS, 3072).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).on(&[CKA_WRAP]);
    let public = public.off(&[CKA_ENCRYPT, CKA_VERIFY]);
    let private = pair.on(&[CKA_UNWRAP]).off(&[CKA_EXTRACTABLE, CKA_DECRYPT, CKA_SIGN]);
    session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private).unwrap();
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    for label in ["trusted-256", "trusted-128", "guarded", "trusted-loose", "trusted-pair"] {
        let wraps = session.find(&Template::new().label(label).on(&[CKA_WRAP])).unwrap();
        session.set(wraps[0], &Template::new().on(&[CKA_TRUSTED])).unwrap();
    }
    session.logout().unwrap();
    session.login(BOB).unwrap();
    let own = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_TOKEN, CKA_ENCRYPT, CKA_EXTRACTABLE]);
    session.generate(CKM_AES_KEY_GEN, &own.label("bobs")).unwrap();
    finalize().unwrap();
    share();
}

/// A key of bob's that alice may use. PKCS#11 has no call for sharing, so it is done as `cloudhsm-cli` does it.
fn share() {
    use hsm::config::Config;
    use hsm::mechanism::{Parameter, Use};
    use hsm::module::{Module, Role, Sharing};
    let module = Module::open(&Config::read().unwrap(), "hsm1").unwrap();
    let bob = module.login(Role::CryptoUser, BOB.as_bytes()).unwrap();
    let values: [(CK_ATTRIBUTE_TYPE, &[u8]); 5] = [
        (CKA_VALUE_LEN, &(32 as CK_ULONG).to_ne_bytes()),
        (CKA_TOKEN, &[1]),
        (CKA_ENCRYPT, &[1]),
        (CKA_EXTRACTABLE, &[1]),
        (CKA_LABEL, b"shared"),
    ];
    let template = hsm::object::Template::of(&values).unwrap();
    let sharing = Sharing { users: &["alice".to_owned()], ..Sharing::default() };
    let generator = module.generator(Use::Generate, CKM_AES_KEY_GEN, |_| Ok(Parameter::None)).unwrap();
    module.generate_key(&bob, generator, &template, &sharing).unwrap();
}

/// Tries them all, and tells what became of each.
fn attack() -> Vec<(u8, Option<Victim>, Outcome)> {
    initialize().unwrap();
    let ground = Ground::new();
    let families = [
        usage::LIST,
        attributes::LIST,
        derivation::LIST,
        oracles::LIST,
        transport::LIST,
        people::LIST,
        twins::LIST,
        trusted::LIST,
    ];
    let mut attacks: Vec<_> = families.into_iter().flatten().collect();
    attacks.sort_by_key(|attack| attack.0);
    assert!(attacks.iter().map(|attack| attack.0).eq(1..=93), "each attack once");
    let mut found = Vec::new();
    for (number, attack) in attacks {
        let mut note = |victim, outcome: Found| {
            let outcome = outcome.unwrap_or_else(|stopped| stopped);
            println!("A{number:02} | {victim:?} | {}", words(&outcome));
            found.push((*number, victim, outcome));
        };
        match attack {
            Plain(attack) => note(None, attack(&ground)),
            Of(attack) => Victim::ALL.into_iter().for_each(|victim| note(Some(victim), attack(&ground, victim))),
        }
    }
    found
}

fn judge(found: &[(u8, Option<Victim>, Outcome)], setting: Setting) {
    let table = Table::read();
    assert_eq!(table.count(), 93, "the document has a line for each attack");
    let mut wrong = Vec::new();
    let mut open = Vec::new();
    for (number, victim, outcome) in found {
        let expected = table.expected(*number, *victim, setting);
        if words(outcome) != expected {
            wrong.push(format!("A{number:02} {victim:?}: {}\n    in the document: {expected}", words(outcome)));
        }
        if *outcome != Outcome::Gained {
            continue;
        }
        open.push(*number);
        let allowed = match (table.mark(*number), victim) {
            _ if setting.secure => false,
            (Mark::Protected, victim) => *victim == Some(Victim::Extractable),
            (Mark::Faithful, victim) => {
                let protected = matches!(victim, Some(Victim::Unextractable | Victim::TrustedOnly));
                setting.profile == "standard" && THE_STANDARDS_OWN.contains(number) && !protected
            }
            (Mark::Secure, _) => true,
        };
        if !allowed {
            wrong.push(format!("A{number:02} {victim:?} succeeds in {setting:?}"));
        }
    }
    open.dedup();
    if !setting.secure {
        assert_eq!(open, Table::listed(setting.profile), "what the document lists as open in {}", setting.profile);
    }
    assert!(wrong.is_empty(), "{setting:?}:\n{}", wrong.join("\n"));
}
