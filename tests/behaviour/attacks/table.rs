//! docs/attacks.md, read strictly: what is expected of each attack in each setting.
//!
//! The table says what the catalogue of attacks, AWS's text and the standard want, and is the only statement of what is expected;
//! so the document cannot say anything else than the library does.

use super::ground::{Outcome, Victim};

const TEXT: &str = include_str!("../../../docs/attacks.md");

/// The settings that an attack is tried in: a profile, in secure mode or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Setting {
    pub(super) profile: &'static str,
    pub(super) secure: bool,
}

const PROFILES: [&str; 3] = ["cloudhsm", "strict", "standard"];

/// Which keys an attack must not get outside secure mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// None.
    Faithful,
    /// None that is not extractable or leaves under trusted keys only.
    Protected,
    /// Secure mode alone promises anything.
    Secure,
}

/// One line: what becomes of an attack on some kinds of keys in some settings.
struct Line {
    number: u8,
    victims: Vec<Option<Victim>>,
    settings: Vec<Setting>,
    outcome: String,
}

pub(super) struct Table {
    lines: Vec<Line>,
    marks: Vec<(u8, Mark)>,
}

/// An outcome in the document's words: the cells "refused by a rule", "not offered" and "gained".
pub(super) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(call, rv) => format!("{call} {rv:?} | - | -"),
        Outcome::NotOffered(call, rv) => format!("- | {call} {rv:?} | -"),
        Outcome::Nothing => "- | - | nothing".to_owned(),
        Outcome::Gained => "- | - | **succeeds**".to_owned(),
    }
}

fn settings(text: &str) -> Vec<Setting> {
    let of = |profiles: &[&'static str], secure: bool| -> Vec<Setting> {
        profiles.iter().map(|profile| Setting { profile, secure }).collect()
    };
    text.split(", ")
        .flat_map(|word| match word {
            "all" => [of(&PROFILES, false), of(&PROFILES, true)].concat(),
            "each" => of(&PROFILES, false),
            "each secure" => of(&PROFILES, true),
            word => {
                let (name, secure) = word.strip_suffix(" secure").map_or((word, false), |name| (name, true));
                let name = PROFILES.into_iter().find(|profile| *profile == name);
                of(&[name.unwrap_or_else(|| panic!("no setting: {word}"))], secure)
            }
        })
        .collect()
}

fn victims(text: &str) -> Vec<Option<Victim>> {
    text.split(", ")
        .map(|word| match word {
            "-" => None,
            "extractable" => Some(Victim::Extractable),
            "not extractable" => Some(Victim::Unextractable),
            "trusted only" => Some(Victim::TrustedOnly),
            word => panic!("no kind of key: {word}"),
        })
        .collect()
}

impl Table {
    pub(super) fn read() -> Self {
        let mut table = Self { lines: Vec::new(), marks: Vec::new() };
        for line in TEXT.lines().filter(|line| line.starts_with("| A")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [number, attack, mark, keys, place, refused, missing, gained, why] = cells[..] else {
                panic!("not nine cells: {line}");
            };
            let number = number[1..].parse().unwrap();
            if table.marks.last().is_none_or(|last| last.0 != number) {
                let mark = match mark {
                    "F" => Mark::Faithful,
                    "P" => Mark::Protected,
                    "S" => Mark::Secure,
                    _ => panic!("no mark: {line}"),
                };
                table.marks.push((number, mark));
                assert!(!attack.is_empty() && !why.is_empty(), "the first line tells what and why: {line}");
            } else {
                assert_eq!(mark, "", "one mark for an attack: {line}");
            }
            let outcome = format!("{refused} | {missing} | {gained}");
            table.lines.push(Line { number, victims: victims(keys), settings: settings(place), outcome });
        }
        table
    }

    /// What is expected; each attack has one line for each kind of key and setting.
    pub(super) fn expected(&self, number: u8, victim: Option<Victim>, setting: Setting) -> &str {
        let mut found = self
            .lines
            .iter()
            .filter(|line| line.number == number && line.victims.contains(&victim) && line.settings.contains(&setting));
        let first = found.next().map_or("no line", |line| &line.outcome);
        if found.next().is_some() { "more than one line" } else { first }
    }

    pub(super) fn mark(&self, number: u8) -> Mark {
        self.marks.iter().find(|mark| mark.0 == number).unwrap_or_else(|| panic!("A{number:02} has no line")).1
    }

    /// How many attacks there are lines for.
    pub(super) fn count(&self) -> usize {
        self.marks.len()
    }

    /// The numbers that the document lists as open in a profile.
    pub(super) fn listed(profile: &str) -> Vec<u8> {
        let head = format!("- `{profile}`: ");
        let line = TEXT.lines().find_map(|line| line.strip_prefix(&head)).expect("a list of what is open");
        line.trim_end_matches('.').split(", ").map(|number| number[1..].parse().unwrap()).collect()
    }
}
