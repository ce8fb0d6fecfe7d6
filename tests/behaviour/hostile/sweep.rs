//! A sweep: each call in a process of its own, so that a call that kills its process is told by name and the others still run.
//!
//! The first process activates an HSM in a folder and forks, without ever having called the library: a child calls C_Initialize, logs
//! in, makes its keys and does the calls that are its share. With CLOUDHSM_LONG=1 that is one call; otherwise it is 32, since a login
//! costs 25 ms, and the call of which a process has died is followed by a new process that begins with the next.

use std::io::{BufRead, BufReader, PipeWriter, Write};

use super::argument::Expected;
use super::call_words;
use super::table::{Function, table};
use crate::support::*;

/// The calls that a process does in the short form.
const SHARE: usize = 32;

/// What a child does: it offers each case to [`Cases::call`], always in the same order.
pub(super) struct Cases {
    keeper: Session,
    /// Of all cases, those from here on, so many.
    first: usize,
    count: usize,
    at: usize,
    pipe: PipeWriter,
}

/// What came of a sweep.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) calls: usize,
    pub(super) processes: usize,
    /// Calls after which their process was dead or its library broken.
    pub(super) deaths: Vec<String>,
    /// Calls with another answer than they must have.
    pub(super) wrong: Vec<String>,
}

impl Outcome {
    pub(super) fn check(&self) {
        let Self { calls, processes, deaths, wrong } = self;
        println!("{calls} calls in {processes} processes, {} deaths", deaths.len());
        assert!(deaths.is_empty(), "{} deaths:\n{}", deaths.len(), deaths.join("\n"));
        assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
    }
}

impl Cases {
    /// The session of the login, in which the keys are made.
    pub(super) fn keeper(&self) -> Session {
        self.keeper
    }

    fn tell(&mut self, word: &str, text: &str) {
        writeln!(self.pipe, "{word} {text}").unwrap();
    }

    /// One call in a session of its own; what it is, is said before, so that a death tells what it died of.
    pub(super) fn call(
        &mut self,
        function: &Function,
        what: &str,
        words: &dyn Fn(Session) -> Vec<usize>,
        expected: Expected,
    ) {
        self.at += 1;
        if self.at <= self.first || self.at > self.first + self.count {
            return;
        }
        let what = format!("{}: {what}", function.name);
        self.tell("CALL", &what);
        let session = Session::open();
        (function.before)(session);
        let words = words(session);
        let rv = Rv(call_words(function.name, &words));
        let fine = match expected {
            Expected::AsGood => rv == Rv(function.good),
            Expected::Code(code) => rv == Rv(code),
            Expected::Anything => rv != Rv(CKR_GENERAL_ERROR),
        };
        if !fine {
            let expected = if let Expected::Code(code) = expected { code } else { function.good };
            self.tell("WRONG", &format!("{what}: {rv:?}, expected {:?}; {words:x?}", Rv(expected)));
        }
        let _ = session.close();
        if self.keeper.information().unwrap().state == CKS_RW_PUBLIC_SESSION {
            self.keeper.login(ALICE).unwrap();
        }
    }
}

/// Offers all cases for the functions of the table.
pub(super) type Offer = fn(&mut Cases, &[Function]);

/// The stages of a sweep; the first process gets what came of it. With `traces` of more than one form it is done in each,
/// because a trace reads the caller's memory too.
pub(super) fn sweep(stage: &str, test: &Test, offer: Offer, traces: &[&str]) -> Option<Outcome> {
    match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let said: String = traces
                .iter()
                .map(|form| {
                    let variables = [("CLOUDHSM_PKCS11_TRACE", *form), ("CLOUDHSM_PKCS11_TRACE_FILE", "/dev/null")];
                    test.must(test.stage("cloudhsm", home.path(), "sweep").envs(variables))
                })
                .collect();
            let lines = |word: &'static str| said.lines().filter_map(move |line| line.strip_prefix(word));
            let number = |word| lines(word).filter_map(|number| number.parse::<usize>().ok()).sum();
            Some(Outcome {
                calls: number("CALLS "),
                processes: number("PROCESSES "),
                deaths: lines("DEATH ").map(str::to_owned).collect(),
                wrong: lines("WRONG ").map(str::to_owned).collect(),
            })
        }
        "make" => {
            activate(&[ALICE, BOB]);
            None
        }
        _ => {
            fork_for_all(offer);
            None
        }
    }
}

/// One child after the other until all cases are done; prints what [`sweep`] reads.
fn fork_for_all(offer: Offer) {
    let share = if std::env::var_os("CLOUDHSM_LONG").is_some() { 1 } else { SHARE };
    let (mut first, mut processes) = (0, 0);
    loop {
        let (reader, writer) = std::io::pipe().unwrap();
        let child = forked(|| {
            let mut cases = Cases { keeper: begin(), first, count: share, at: 0, pipe: writer.try_clone().unwrap() };
            let functions = table(cases.keeper);
            offer(&mut cases, &functions);
            // The library is whole.
            let key = cases.keeper.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            cases.keeper.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            cases.tell("END", &cases.at.to_string());
        });
        drop(writer);
        processes += 1;
        let (mut begun, mut last, mut all) = (0, String::new(), None);
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap();
            match line.split_once(' ') {
                Some(("CALL", what)) => {
                    begun += 1;
                    last = what.to_owned();
                }
                Some(("END", count)) => all = count.parse::<usize>().ok(),
                _ => println!("{line}"),
            }
        }
        let status = joined(child);
        println!("CALLS {begun}");
        if all.is_none() || status != 0 {
            // Before its first call it is no call's fault, and would be so for ever.
            assert!(begun > 0, "a child cannot begin: status {status:#x}");
            println!("DEATH {last}: status {status:#x}");
        }
        first += begun;
        if begun == 0 || all.is_some_and(|all| first >= all) {
            break;
        }
    }
    println!("PROCESSES {processes}");
}

/// A child's library, with alice's login.
fn begin() -> Session {
    initialize().unwrap();
    // A gibibyte more than now, all in all: nothing is allocated because a caller claims a size.
    let limit = libc::rlimit { rlim_cur: 2 << 30, rlim_max: 2 << 30 };
    // SAFETY: a limit of this process.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let session = Session::open();
    session.login(ALICE).unwrap();
    session
}
