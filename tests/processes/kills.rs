//! `kill -9` while key pairs are made: what was acknowledged is there, and never half a pair.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use hsm::module::{Module, Pin, Role};

use super::{ledger, shim};
use crate::support::*;

/// Kills that hit a writer: 30, with CLOUDHSM_LONG=1 200.
fn kills_wanted() -> usize {
    if std::env::var_os("CLOUDHSM_LONG").is_some() { 200 } else { 30 }
}

/// Issue 2: the parent keeps the record of what was acknowledged. A kill counts if it hit the process between its
/// first and its last acknowledgement, while a pair was being made.
#[test]
fn nothing_acknowledged_is_lost() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let mut acknowledged = BTreeSet::new();
            let (mut kills, mut round) = (0, 0);
            while kills < kills_wanted() {
                round += 1;
                assert!(round < 3 * kills_wanted(), "too few kills hit a write");
                let mut command = test.stage("cloudhsm", home.path(), &format!("write {round}"));
                let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
                let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
                // The first acknowledgement: from now on it does nothing but make pairs.
                let first = lines.by_ref().find(|line| line.starts_with("made ")).expect("a first pair");
                acknowledged.insert(first["made ".len()..].to_owned());
                // At another moment of the write each time: a pair takes about half a millisecond and more.
                std::thread::sleep(Duration::from_micros(137 * (round as u64 % 41)));
                child.kill().unwrap();
                for line in lines.filter(|line| line.starts_with("made ")) {
                    acknowledged.insert(line["made ".len()..].to_owned());
                }
                if child.wait().unwrap().signal() == Some(libc::SIGKILL) {
                    kills += 1;
                }
            }
            std::fs::write(home.path().join("acknowledged"), acknowledged.into_iter().collect::<Vec<_>>().join("\n"))
                .unwrap();
            test.run("cloudhsm", home.path(), "count");
        }
        "make" => activate(&[ALICE]),
        "count" => {
            let session = user();
            let labels = |class| -> BTreeSet<String> {
                let found = session.find(&Template::new().number(CKA_CLASS, class)).unwrap();
                let labels: Vec<_> = found.iter().map(|key| session.read(*key, CKA_LABEL).unwrap()).collect();
                let count = labels.len();
                let set: BTreeSet<_> = labels.into_iter().map(|label| String::from_utf8(label).unwrap()).collect();
                assert_eq!(set.len(), count, "a label stands twice");
                set
            };
            let (public, private) = (labels(CKO_PUBLIC_KEY), labels(CKO_PRIVATE_KEY));
            assert_eq!(public, private, "half a pair");
            let text = std::fs::read_to_string(home().join("acknowledged")).unwrap();
            let lost: Vec<_> = text.lines().filter(|label| !private.contains(*label)).collect();
            println!("{} acknowledged, {} in the store, lost: {lost:?}", text.lines().count(), private.len());
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
            assert!(text.lines().count() >= kills_wanted());
            // Readable means usable.
            for label in private.iter().step_by(7) {
                let find = |class| session.find(&Template::new().label(label).number(CKA_CLASS, class)).unwrap()[0];
                let (public, private) = (find(CKO_PUBLIC_KEY), find(CKO_PRIVATE_KEY));
                let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"message").unwrap();
                session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), public, b"message", &signature).unwrap();
            }
        }
        stage => {
            let round = stage.trim_start_matches("write ");
            let session = user();
            for at in 0..1000 {
                let label = format!("{round}-{at}");
                let lasting = Template::new().flag(CKA_TOKEN, true).label(&label);
                let (public, private) = (ec_public(P256).and(&lasting), ec_private().and(&lasting));
                session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap();
                println!("made {label}");
            }
        }
    });
}

fn user() -> Session {
    initialize().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    session
}

/// The kinds of step that write: see `ledger::round`; several threads at once; and restoring.
const PHASES: usize = 9;

/// One in so many writes of several threads is killed at.
const CROWD_STRIDE: usize = 15;

/// Kills at the writes of every kind of change: 100, with CLOUDHSM_LONG=1 1,000.
fn kills_at_writes() -> usize {
    if std::env::var_os("CLOUDHSM_LONG").is_some() { 1000 } else { 100 }
}

/// The process dies just before its n-th call that changes a file of the store, for one n after the other: what the kernel has
/// been given survives it, so these are all the states that a kill can leave. The record of what was acknowledged is the parent's.
#[test]
fn killed_at_each_write() {
    staged(|stage, test| match stage {
        "" => {
            let (template, tools) = (Folder::new(), Folder::new());
            let shim = shim::build(tools.path());
            test.run("cloudhsm", template.path(), "make");
            let module = Module::open(&config(template.path()), "hsm1").unwrap();
            let officer = module.login(Role::CryptoOfficer, OFFICER.as_bytes()).unwrap();
            let backup = tools.path().join("backup");
            module.backup(&officer, Some(&backup), &mut |_, _| {}).unwrap();
            module.close();
            let mut hits: BTreeMap<String, usize> = BTreeMap::new();
            let mut write = 0;
            // Rounds of changes and restorations in turn, each from the first write to the last; of a crowd's, which are many and
            // never the same, one in so many.
            'kills: for first in (1..=CROWD_STRIDE).cycle() {
                for (script, first, stride) in [("work", 1, 1), ("crowd", first, CROWD_STRIDE), ("restore", 1, 1)] {
                    for at in (first..).step_by(stride) {
                        write += 1;
                        assert!(write < 20 * kills_at_writes(), "too few kills hit a write");
                        let home = Folder::new();
                        ledger::copy(template.path(), home.path());
                        let mut command = test.stage("cloudhsm", home.path(), script);
                        command
                            .env("LD_PRELOAD", &shim)
                            .env("IO_SHIM_ROOT", home.path())
                            .env("CLOUDHSM_TEST_BACKUP", &backup);
                        let output = command.env("IO_SHIM_FAIL", format!("{at} kill")).output().unwrap();
                        let said = told(&output);
                        let steps = |word: &str| -> Vec<String> {
                            said.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
                        };
                        if output.status.signal() != Some(libc::SIGKILL) {
                            assert!(output.status.success(), "{said}");
                            assert!(at > 10, "{script}: only {at} writes\n{said}");
                            break;
                        }
                        let under_way = steps("begin ").pop().expect("a step under way");
                        // One of the many that are.
                        let under_way = if script == "crowd" { script.to_owned() } else { under_way };
                        let acknowledged = steps("done ");
                        // What was restored has none of the changes that came after the backup.
                        let acknowledged = if script == "restore" { Vec::new() } else { acknowledged };
                        if let Err(wrong) = ledger::check(home.path(), &acknowledged, 1) {
                            panic!("killed at write {at} of {script}, in {under_way}: {wrong}\n{said}");
                        }
                        let phase = under_way.split('-').next().unwrap_or_default().to_owned();
                        *hits.entry(phase).or_default() += 1;
                        if hits.values().sum::<usize>() >= kills_at_writes() && hits.len() >= PHASES {
                            break 'kills;
                        }
                    }
                }
            }
            println!("{} kills; by what they hit: {hits:?}", hits.values().sum::<usize>());
        }
        "make" => ledger::prepare(1),
        "work" | "crowd" => {
            initialize().unwrap();
            let session = Session::open();
            session.login("alice:alice-password").unwrap();
            let say = |step: &str, outcome: Option<Answer>| {
                let word = if outcome.is_none() { "begin" } else { "done" };
                outcome.unwrap_or(Ok(())).unwrap();
                println!("{word} {step}");
            };
            shim::arm(true);
            if stage == "work" {
                ledger::round(session, 0, &mut { say });
            } else {
                ledger::crowd(&say);
            }
        }
        "restore" => {
            let home = home();
            let officer = Pin::split(OFFICER.as_bytes(), Role::CryptoOfficer, false).unwrap();
            println!("begin restore-0");
            shim::arm(true);
            let backup = std::path::PathBuf::from(std::env::var_os("CLOUDHSM_TEST_BACKUP").unwrap());
            Module::restore(&config(&home), "hsm1", &backup, &officer, true, &mut |_, _| {}).unwrap();
        }
        other => panic!("{other}"),
    });
}
