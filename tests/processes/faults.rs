//! Every call about the store's files fails once: EIO, ENOSPC, EINTR, or half of it is done. What was acknowledged is there,
//! the code is the right one, and the process goes on.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ledger, shim};
use crate::support::*;

/// One call in so many is tried in the short form, every one with CLOUDHSM_LONG=1; of a crowd's, which are many, one in five of those.
fn stride(script: &str) -> usize {
    let long = if std::env::var_os("CLOUDHSM_LONG").is_some() { 1 } else { 5 };
    if script == "crowd" { 5 * long } else { long }
}

/// What a change may answer when the disk fails under it.
const RIGHT: [&str; 3] = ["CKR_DEVICE_ERROR", "CKR_DEVICE_MEMORY", "CKR_USER_NOT_LOGGED_IN"];

#[test]
fn every_call_fails_in_its_turn() {
    staged(|stage, test| match stage {
        "" => {
            let (template, tools) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", template.path(), "make");
            let run = |home: &Path, script: &str, fault: &str| {
                let mut command = test.stage("cloudhsm", home, script);
                command.env("LD_PRELOAD", &shim).env("IO_SHIM_ROOT", home).env("IO_SHIM_FAIL", fault);
                test.must(&mut command)
            };
            let (mut cases, mut failed) = (0, BTreeMap::<String, usize>::new());
            for script in ["work", "crowd"] {
                let home = Folder::new();
                ledger::copy(template.path(), home.path());
                let said = run(home.path(), script, "0 eio");
                let calls: usize = said.lines().find_map(|line| line.strip_prefix("calls ")?.parse().ok()).unwrap();
                assert!(calls > 50, "{script}: {calls} calls");
                for (kind, offset) in ["eio", "enospc", "eintr", "short"].into_iter().zip(1..) {
                    for call in (offset..=calls).step_by(stride(script)) {
                        let home = Folder::new();
                        ledger::copy(template.path(), home.path());
                        let said = run(home.path(), script, &format!("{call} {kind}"));
                        let case = format!("{script}: {kind} at call {call} of {calls}");
                        let mut done = Vec::new();
                        for line in said.lines().filter_map(|line| line.strip_prefix("step ")) {
                            let (step, outcome) = line.split_once(' ').unwrap();
                            if outcome == "ok" {
                                done.push(step.to_owned());
                            } else {
                                assert!(RIGHT.contains(&outcome), "{case}: {step} answers {outcome}\n{said}");
                                *failed.entry(format!("{kind} {outcome}")).or_default() += 1;
                            }
                        }
                        assert!(done.contains(&"pair-1".to_owned()), "{case}: it does not go on\n{said}");
                        if let Err(wrong) = ledger::check(home.path(), &done, 1) {
                            panic!("{case}: {wrong}\n{said}");
                        }
                        cases += 1;
                    }
                }
                println!("{script}: {calls} calls");
            }
            println!("{cases} failing calls; answers: {failed:?}");
        }
        "make" => ledger::prepare(1),
        "work" | "crowd" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            let say = |step: &str, outcome| match outcome {
                None => {}
                Some(Ok(())) => println!("step {step} ok"),
                Some(Err(rv)) => println!("step {step} {rv:?}"),
            };
            shim::arm(true);
            if stage == "work" {
                ledger::round(session, 0, &mut { say });
            } else {
                ledger::crowd(&say);
            }
            let calls = shim::calls();
            shim::arm(false);
            println!("calls {calls}");
            // The disk is well again.
            if session.information().unwrap().state != CKS_RW_USER_FUNCTIONS {
                let again = ["alice-password", "alices-new-password"]
                    .into_iter()
                    .find(|password| session.login(&format!("alice:{password}")).is_ok());
                assert!(again.is_some(), "nobody can log in any more");
            }
            let lasting = Template::new().flag(CKA_TOKEN, true).label("pair-1");
            let made =
                session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256).and(&lasting), &ec_private().and(&lasting));
            say("pair-1", Some(made.map(drop)));
        }
        other => panic!("{other}"),
    });
}
