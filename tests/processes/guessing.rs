//! Guessing while the count of wrong PINs cannot be kept: the right PIN gets the answer of a wrong one, in each way in which a record
//! cannot be written.
//!
//! What is expected is what SECURITY.md promises: a failed attempt is durable before its error is returned, and five lock the user
//! (User Guide, cloudhsm_cli-login: "If you exceed five incorrect login attempts, your account is locked out"). Nothing here asks how
//! long anything takes.

use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use super::shim;
use crate::support::*;

const WRONG: &str = "alice:not-the-password";
const WRONG_OFFICER: &str = "admin:not-the-password";
/// More than would lock anybody.
const GUESSES: usize = 12;

/// How many guesses are killed, at which of the calls that a guess makes, and the answer to the right PIN afterwards.
type Case = (usize, fn(usize) -> usize, CK_RV);

/// How a record can be kept from being written.
const OUTAGES: [&str; 5] = ["eio", "enospc", "erofs", "sync", "rlimit"];

/// Starts or ends the outage of this process.
fn out_of_order(kind: &str, on: bool) {
    if kind != "rlimit" {
        return shim::arm(on);
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place for the limits, and limits of which only the soft one has changed.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit), 0);
        limit.rlim_cur = if on { 0 } else { limit.rlim_max };
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

fn stage(test: &Test, profile: &str, home: &Path, shim: &Path, name: &str, kind: &str) -> Command {
    let mut command = test.stage(profile, home, name);
    command.env("LD_PRELOAD", shim).env("IO_SHIM_ROOT", home).env("IO_SHIM_OUTAGE", kind).env("OUTAGE", kind);
    command
}

fn kind() -> String {
    std::env::var("OUTAGE").unwrap()
}

/// The PINs of users and officers, in a process that has none of them yet: after the outage the count is where it was, and the user is
/// locked after the fifth attempt that was answered.
#[test]
fn while_nothing_can_be_counted_a_right_pin_is_told_from_no_wrong_one() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let tools = Folder::new();
            let shim = shim::build(tools.path());
            for kind in OUTAGES {
                for profile in ["cloudhsm", "standard"] {
                    let home = Folder::new();
                    test.run(profile, home.path(), "make");
                    test.must(&mut stage(test, profile, home.path(), &shim, "guess", kind));
                }
            }
        }
        "make" => activate(&[ALICE, BOB]),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            let kind = kind();
            for _ in 0..2 {
                assert_eq!(session.login(WRONG), code(CKR_PIN_INCORRECT));
            }
            out_of_order(&kind, true);
            let answers = |count: usize, right: &dyn Fn() -> Answer, wrong: &dyn Fn() -> Answer| {
                let mut answers: Vec<_> = (0..count).map(|_| wrong()).collect();
                answers.push(right());
                answers.extend((0..2).map(|_| wrong()));
                answers
            };
            let mut all = answers(GUESSES, &|| session.login(ALICE), &|| session.login(WRONG));
            all.extend(answers(2, &|| session.login_as(CKU_SO, OFFICER), &|| session.login_as(CKU_SO, WRONG_OFFICER)));
            all.extend(answers(2, &|| session.set_pin(ALICE, "alice:another-password"), &|| {
                session.set_pin(WRONG, "alice:another-password")
            }));
            all.extend(answers(2, &|| session.login(BOB), &|| session.login("nobody:some-password")));
            out_of_order(&kind, false);
            let first = all[0];
            assert!(matches!(first, Err(Rv(CKR_DEVICE_ERROR | CKR_DEVICE_MEMORY))), "{kind}: {first:?}");
            assert!(all.iter().all(|answer| *answer == first), "{kind}: {all:?}");
            // Two were counted before; nothing was compared in between.
            for attempt in 3..=5 {
                assert_eq!(session.login(WRONG), code(CKR_PIN_INCORRECT), "{kind}: attempt {attempt}");
            }
            assert_eq!(session.login(ALICE), code(CKR_PIN_LOCKED), "{kind}");
            session.login(BOB).expect("nobody else is locked");
            session.logout().unwrap();
            session.login_as(CKU_SO, OFFICER).unwrap();
        }
    });
}

/// In a process that has had the right PIN, which is let in without a write as long as the disk is well (`module::relogin`): the first
/// guess ends that, and is counted when the disk is well again.
#[test]
fn a_pin_that_is_remembered_does_not_stand_out() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let tools = Folder::new();
            let shim = shim::build(tools.path());
            for kind in OUTAGES {
                let home = Folder::new();
                test.run("cloudhsm", home.path(), "make");
                test.must(&mut stage(test, "cloudhsm", home.path(), &shim, "guess", kind));
            }
        }
        "make" => activate(&[ALICE, BOB]),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            for pin in [BOB, ALICE] {
                session.login(pin).unwrap();
                session.logout().unwrap();
            }
            let kind = kind();
            out_of_order(&kind, true);
            let mut all: Vec<_> = (0..GUESSES).map(|_| session.login(WRONG)).collect();
            all.extend([session.login(ALICE), session.login(WRONG), session.login(BOB)]);
            out_of_order(&kind, false);
            assert!(all.iter().all(|answer| *answer == all[0] && answer.is_err()), "{kind}: {all:?}");
            for attempt in 2..=5 {
                assert_eq!(session.login(WRONG), code(CKR_PIN_INCORRECT), "{kind}: attempt {attempt}");
            }
            assert_eq!(
                session.login(ALICE),
                code(CKR_PIN_LOCKED),
                "{kind}: the guess in the outage was one of the five"
            );
            session.login(BOB).unwrap();
        }
    });
}

/// The write lock is held by somebody else: a right PIN waits for it as a wrong one does, and both get the same code.
#[test]
fn while_the_write_lock_is_held_a_right_pin_waits_too() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("cloudhsm", home.path(), "guess");
        }
        "make" => activate(&[ALICE]),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            let held = std::fs::File::open(home().join("hsm1/write.lock")).unwrap();
            // SAFETY: a descriptor that is open.
            assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) }, 0);
            assert_eq!(session.login(ALICE), code(CKR_DEVICE_ERROR));
            assert_eq!(session.login(WRONG), code(CKR_DEVICE_ERROR));
            drop(held);
            session.login(ALICE).unwrap();
        }
    });
}

/// A process that is killed while it answers has made an attempt all the same, if it may have compared anything: five times killed in
/// its second commit, when the answer is known; ten times before its first write, when nothing is compared.
#[test]
fn a_kill_takes_no_attempt_back() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let (tools, template) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", template.path(), "make");
            let guess = |home: &Path, fault: &str| {
                let mut command = test.stage("cloudhsm", home, "guess");
                command.env("LD_PRELOAD", &shim).env("IO_SHIM_ROOT", home).env("IO_SHIM_FAIL", fault);
                command.output().unwrap()
            };
            let counted = |output: &std::process::Output| -> usize {
                let said = told(output);
                said.lines().find_map(|line| line.strip_prefix("calls ")?.parse().ok()).expect("a whole guess")
            };
            // The second commit writes more than the first.
            let (first, second, last) = (|_| 1, |calls| calls / 2 + 2, |calls| calls);
            let cases: [Case; 3] = [(10, first, CKR_OK), (5, second, CKR_PIN_LOCKED), (5, last, CKR_PIN_LOCKED)];
            for (guesses, at, right) in cases {
                let home = Folder::new();
                super::ledger::copy(template.path(), home.path());
                for _ in 0..guesses {
                    // How many calls a guess makes that change something is seen on a copy: it depends on what is in the log.
                    let trial = Folder::new();
                    super::ledger::copy(home.path(), trial.path());
                    let calls = counted(&guess(trial.path(), "0 kill"));
                    assert!(calls > 4, "{calls}");
                    let killed = guess(home.path(), &format!("{} kill", at(calls)));
                    assert_eq!(killed.status.signal(), Some(libc::SIGKILL), "{}", told(&killed));
                }
                test.must(test.stage("cloudhsm", home.path(), "right").env("RIGHT", right.to_string()));
            }
        }
        "make" => activate(&[ALICE]),
        "guess" => {
            initialize().unwrap();
            let session = Session::open();
            shim::arm(true);
            let answer = session.login(WRONG);
            let calls = shim::calls();
            shim::arm(false);
            println!("calls {calls}");
            assert_eq!(answer, code(CKR_PIN_INCORRECT));
        }
        _ => {
            initialize().unwrap();
            let expected: CK_RV = std::env::var("RIGHT").unwrap().parse().unwrap();
            assert_eq!(Session::open().login(ALICE), answer(expected));
        }
    });
}

/// Right PINs at once, of more processes than there are attempts: none of them sees another's as a wrong one.
#[test]
fn right_pins_at_once_lock_nobody() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let children: Vec<_> = (0..12)
                .map(|_| {
                    let mut command = test.stage("cloudhsm", home.path(), "login");
                    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
                })
                .collect();
            for child in children {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", told(&output));
            }
        }
        "make" => {
            activate(&[ALICE]);
            let session = Session::open();
            // One more would lock her.
            for _ in 0..4 {
                assert_eq!(session.login(WRONG), code(CKR_PIN_INCORRECT));
            }
        }
        _ => {
            initialize().unwrap();
            Session::open().login(ALICE).unwrap();
        }
    });
}

/// A file system that becomes read-only under a process (docs/open-points.md): what only reads goes on.
#[test]
fn what_only_reads_goes_on_while_nothing_can_be_written() {
    staged(|stage_name, test| match stage_name {
        "" => {
            let (tools, home) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.must(&mut stage(test, "cloudhsm", home.path(), &shim, "work", "erofs"));
        }
        _ => {
            let session = hsm();
            let lasting = Template::new().flag(CKA_TOKEN, true).label("lasting");
            let key = session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap();
            let mut ecb = Mechanism::new(CKM_AES_ECB);
            let before = session.encrypt(&mut ecb, key, &[7; 32]).unwrap();
            shim::arm(true);
            assert_eq!(session.labelled("lasting"), [key]);
            assert_eq!(session.encrypt(&mut ecb, key, &[7; 32]).unwrap(), before);
            session.generate(CKM_AES_KEY_GEN, &aes()).expect("a session key");
            assert_eq!(session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)), code(CKR_DEVICE_ERROR));
            assert_eq!(session.destroy(key), code(CKR_DEVICE_ERROR));
            shim::arm(false);
            session.destroy(key).unwrap();
        }
    });
}
