//! The folder is moved away while a commit is on its way into it: the key is in the folder that was moved, so it is not acknowledged.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{ledger, shim};
use crate::support::*;

#[test]
fn in_the_middle_of_a_commit() {
    staged(|stage, test| match stage {
        "" => {
            let (home, tools) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", home.path(), "make");
            let mut command = test.stage("cloudhsm", home.path(), "write");
            // Before the third call that changes a file: the commit has begun, and is not yet durable.
            command.env("LD_PRELOAD", &shim).env("IO_SHIM_ROOT", home.path()).env("IO_SHIM_FAIL", "3 stop");
            let writer = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let state = || std::fs::read_to_string(format!("/proc/{}/stat", writer.id())).unwrap_or_default();
            let begun = Instant::now();
            while !state().rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
                assert!(begun.elapsed() < Duration::from_secs(60), "it does not stop: {}", state());
                std::thread::sleep(Duration::from_millis(20));
            }
            let (folder, old) = (home.path().join("hsm1"), home.path().join("old"));
            std::fs::rename(&folder, &old).unwrap();
            // SAFETY: a signal to our own child.
            assert_eq!(unsafe { libc::kill(writer.id() as libc::pid_t, libc::SIGCONT) }, 0);
            let output = writer.wait_with_output().unwrap();
            let said = told(&output);
            assert!(output.status.success(), "{said}");
            let line = said.lines().find(|line| line.contains("CKR_DEVICE_ERROR")).expect("a line");
            for words in ["moved, removed or replaced", "the change is in what was opened", "then repeat it"] {
                assert!(line.contains(words), "{words}: {line}");
            }
            // What the line says is so.
            std::fs::rename(&old, &folder).unwrap();
            test.run("cloudhsm", home.path(), "look");
        }
        "make" => ledger::prepare(1),
        "write" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            shim::arm(true);
            let made = session.generate(CKM_AES_KEY_GEN, &aes().label("between").on(&[CKA_TOKEN]));
            shim::arm(false);
            assert_eq!(made, code(CKR_DEVICE_ERROR));
        }
        "look" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            assert_eq!(session.labelled("between").len(), 1);
        }
        other => panic!("{other}"),
    });
}
