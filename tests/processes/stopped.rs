//! A writer that is stopped in the middle of a commit holds others up for as long as a writer waits for the lock and no longer,
//! and the error names it; readers are not held up at all. A login is a writer: its attempt is counted before it is judged.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{ledger, shim};
use crate::support::*;

/// How long a writer waits for another (`platform::flock`), and what a slow machine may add.
const LIMIT: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(5);

/// The folder in which the processes of the test tell each other how far they are.
const SIGNS: &str = "STOPPED_TEST_SIGNS";

fn wait_for(sign: &std::path::Path) {
    let begun = Instant::now();
    while !sign.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not come", sign.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stopped_writer() {
    staged(|stage, test| match stage {
        "" => {
            let (home, tools) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", home.path(), "make");
            let mut other = test.stage("cloudhsm", home.path(), "other");
            let other = other.env(SIGNS, tools.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            wait_for(&tools.path().join("logged-in"));
            let mut command = test.stage("cloudhsm", home.path(), "write");
            command.env("LD_PRELOAD", &shim).env("IO_SHIM_ROOT", home.path()).env("IO_SHIM_FAIL", "3 stop");
            let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
            let state = || std::fs::read_to_string(format!("/proc/{}/stat", writer.id())).unwrap_or_default();
            let begun = Instant::now();
            while !state().rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
                assert!(begun.elapsed() < Duration::from_secs(60), "it does not stop: {}", state());
                std::thread::sleep(Duration::from_millis(20));
            }
            std::fs::write(tools.path().join("stopped"), "").unwrap();
            let output = other.wait_with_output().unwrap();
            let said = told(&output);
            assert!(output.status.success(), "{said}");
            let named =
                said.lines().any(|line| line.contains("CKR_DEVICE_ERROR") && line.contains(&writer.id().to_string()));
            said.lines().filter(|line| line.starts_with("another writer")).for_each(|line| println!("{line}"));
            assert!(named, "the error names the process {}: {said}", writer.id());
            // It goes on as if nothing had been.
            // SAFETY: a signal to our own child.
            assert_eq!(unsafe { libc::kill(writer.id() as libc::pid_t, libc::SIGCONT) }, 0);
            assert!(writer.wait().unwrap().success());
            ledger::check(home.path(), &["pair-0".to_owned(), "key-0".to_owned()], 1).unwrap();
        }
        "make" => ledger::prepare(1),
        "write" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            shim::arm(true);
            ledger::round(session, 0, &mut |step, outcome| outcome.unwrap_or(Ok(())).expect(step));
        }
        "other" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            let signs = std::path::PathBuf::from(std::env::var_os(SIGNS).unwrap());
            std::fs::write(signs.join("logged-in"), "").unwrap();
            wait_for(&signs.join("stopped"));
            // Reading goes on: a search, a use.
            let begun = Instant::now();
            let key = session.labelled("rename-0")[0];
            session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 16]).unwrap();
            assert!(begun.elapsed() < SLACK, "reading waited {:?}", begun.elapsed());
            let begun = Instant::now();
            let made = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_TOKEN]));
            assert_eq!(made, code(CKR_DEVICE_ERROR));
            assert!((LIMIT / 2..LIMIT + SLACK).contains(&begun.elapsed()), "it waited {:?}", begun.elapsed());
            println!("\nanother writer gave up after {} s", begun.elapsed().as_secs());
        }
        other => panic!("{other}"),
    });
}
