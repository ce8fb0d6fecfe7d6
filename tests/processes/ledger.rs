//! A script of changes whose acknowledgements somebody else keeps, and the check that what was acknowledged is there, and
//! nothing by halves.

use std::collections::BTreeMap;
use std::path::Path;

use hsm::module::{Login, Module, Role};
use hsm::object;

use crate::support::*;

const PASSWORDS: [&str; 2] = ["alice-password", "alices-new-password"];

/// Makes the HSM that a script begins with: a user, and keys to be renamed and destroyed.
pub(crate) fn prepare(keys: usize) {
    activate(&[&format!("alice:{}", PASSWORDS[0])]);
    let session = Session::open();
    session.login(&format!("alice:{}", PASSWORDS[0])).unwrap();
    for number in 0..keys {
        for kind in ["rename", "destroy"] {
            session.generate(CKM_AES_KEY_GEN, &aes().label(&format!("{kind}-{number}")).on(&[CKA_TOKEN])).unwrap();
        }
    }
    finalize().unwrap();
}

/// Hears of each step of a script: its name when it begins, then with its outcome.
pub(crate) type Report<'a> = dyn FnMut(&str, Option<Answer>) + 'a;

/// Runs one round of a script: a pair, a key, a rename, a deletion, a wrong login and a right one, a new password. Each step
/// goes on from whatever the one before has left behind.
pub(crate) fn round(session: Session, number: usize, report: &mut Report<'_>) {
    let mut step = |name: &str, work: &dyn Fn() -> Answer| {
        let name = format!("{name}-{number}");
        report(&name, None);
        report(&name, Some(work()));
    };
    let one = |label: &str| {
        let found = session.find(&Template::new().label(&format!("{label}-{number}")))?;
        found.first().copied().ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))
    };
    let (old, new) = (PASSWORDS[number % 2], PASSWORDS[(number + 1) % 2]);
    let login = |password: &str| session.login(&format!("alice:{password}"));
    step("pair", &|| make_pair(session, number));
    step("key", &|| make_key(session, number));
    step("renamed", &|| session.set(one("rename")?, &Template::new().label(&format!("renamed-{number}"))));
    step("destroyed", &|| session.destroy(one("destroy")?));
    step("logout", &|| session.logout());
    step("refused", &|| match login("a-wrong-password") {
        Err(Rv(CKR_PIN_INCORRECT)) => Ok(()),
        Ok(()) => Err(Rv(CKR_OK)),
        other => other,
    });
    // A failure may have left the one password or the other.
    step("login", &|| login(old).or_else(|failed| login(new).map_err(|_| failed)));
    step("password", &|| session.set_pin(&format!("alice:{old}"), &format!("alice:{new}")));
}

fn lasting(label: &str, number: usize) -> Template {
    Template::new().flag(CKA_TOKEN, true).label(&format!("{label}-{number}"))
}

fn make_pair(session: Session, number: usize) -> Answer {
    let (public, private) = (ec_public(P256).and(&lasting("pair", number)), ec_private().and(&lasting("pair", number)));
    session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).map(drop)
}

fn make_key(session: Session, number: usize) -> Answer {
    session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting("key", number))).map(drop)
}

/// The threads of a crowd, and how many keys and pairs each of them makes.
const CROWD: (usize, usize) = (4, 5);
/// The numbers of what a crowd makes begin here, beyond those of any round.
const CROWDED: usize = 1000;

/// Several threads, each on a session of its own, make keys and pairs at once: they commit together.
pub(crate) fn crowd(report: &(dyn Fn(&str, Option<Answer>) + Sync)) {
    let (threads, each) = CROWD;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let session = Session::open();
                for number in (CROWDED + thread * each..).take(each) {
                    for (name, make) in [("key", make_key as fn(Session, usize) -> Answer), ("pair", make_pair)] {
                        let name = format!("{name}-{number}");
                        report(&name, None);
                        report(&name, Some(make(session, number)));
                    }
                }
            });
        }
    });
}

/// Copies the HSM of one home into another.
pub(crate) fn copy(from: &Path, to: &Path) {
    let run = std::process::Command::new("cp").arg("-a").arg(from.join("hsm1")).arg(to).status();
    assert!(run.is_ok_and(|status| status.success()));
}

/// What must hold of an HSM whatever happened to the one who changed it: every acknowledged change is there, and the rest is
/// whole or not there.
pub(crate) fn check(home: &Path, acknowledged: &[String], prepared: usize) -> Result<(), String> {
    let module = Module::open(&config(home), "hsm1").map_err(|error| format!("it does not open: {error}"))?;
    let found = check_opened(&module, acknowledged, prepared);
    module.close();
    found
}

fn check_opened(module: &Module, acknowledged: &[String], prepared: usize) -> Result<(), String> {
    // The last acknowledged change says which password holds, unless another was under way.
    let rounds =
        |name: &str| acknowledged.iter().filter_map(|step| step.strip_prefix(name)?.parse::<usize>().ok()).max();
    let sure = PASSWORDS[rounds("password-").map_or(0, |round| (round + 1) % 2)];
    let other = PASSWORDS[usize::from(sure == PASSWORDS[0])];
    let login = |password: &str| module.login(Role::CryptoUser, format!("alice:{password}").as_bytes());
    let alice: Login =
        login(sure).or_else(|_| login(other)).map_err(|error| format!("neither password logs in: {error}"))?;
    let verified = module.verify_store(Some(&alice)).map_err(|error| error.to_string())?.unwrap();
    let mut wrong = verified.wrong;
    wrong.extend(module.complaints().map_err(|error| error.to_string())?);
    if module.verify_audit(None).map_err(|error| error.to_string())?.broken_at.is_some() {
        wrong.push("the audit log is broken".to_owned());
    }
    let mut labels: BTreeMap<String, usize> = BTreeMap::new();
    for object in
        module.find(Some(&alice), &object::Template::default(), &|_| None).map_err(|error| error.to_string())?
    {
        let label = object.attributes.get(CKA_LABEL).unwrap_or_default();
        *labels.entry(String::from_utf8_lossy(label).into_owned()).or_default() += 1;
    }
    let count = |name: &str, number: &str| labels.get(&format!("{name}-{number}")).copied().unwrap_or(0);
    for step in acknowledged {
        let Some((name, number)) = step.split_once('-') else { continue };
        let there = match name {
            "pair" => count("pair", number) == 2,
            "key" => count("key", number) == 1,
            "renamed" => count("renamed", number) == 1 && count("rename", number) == 0,
            "destroyed" => count("destroy", number) == 0,
            _ => true,
        };
        if !there {
            wrong.push(format!("{step} was acknowledged and is not there"));
        }
    }
    for (label, count) in &labels {
        let whole = if label.starts_with("pair-") { 2 } else { 1 };
        if *count != whole {
            wrong.push(format!("{label}: {count} objects and not {whole}"));
        }
    }
    for number in 0..prepared {
        let number = number.to_string();
        if count("rename", &number) + count("renamed", &number) != 1 {
            wrong.push(format!("the key rename-{number} is there twice or not at all"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
