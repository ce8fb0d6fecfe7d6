//! What was crossed and what differs, collected and told at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};

use super::table::Source;
use crate::support::*;

/// The crossings of one process.
pub(super) struct Report {
    crossings: BTreeMap<&'static str, usize>,
    differences: Vec<String>,
    seen: BTreeSet<String>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { crossings: BTreeMap::new(), differences: Vec::new(), seen: BTreeSet::new() }
    }

    /// One crossing, of a subject.
    pub(super) fn expect<T: PartialEq + Debug>(
        &mut self,
        subject: &'static str,
        what: impl Display,
        expected: T,
        came: T,
    ) {
        *self.crossings.entry(subject).or_default() += 1;
        if expected != came {
            let line = format!("{subject}: {what}: expected {expected:?}, came {came:?}");
            if self.seen.insert(line.clone()) {
                self.differences.push(line);
            }
        }
    }

    /// One crossing whose expectation is a cell's.
    pub(super) fn expect_cell<T: PartialEq + Debug>(
        &mut self,
        subject: &'static str,
        what: impl Display,
        source: Source,
        expected: T,
        came: T,
    ) {
        self.expect(subject, format!("{what} ({source:?})"), expected, came);
    }

    /// A call that must answer with a code.
    pub(super) fn expect_code(&mut self, subject: &'static str, what: impl Display, expected: CK_RV, came: Rv) {
        self.expect(subject, what, Rv(expected), came);
    }

    pub(super) fn differences(&self) -> &[String] {
        &self.differences
    }

    /// For the process that has started this one.
    pub(super) fn print(&self, setting: &str) {
        for difference in &self.differences {
            println!("DIFFERS {difference}");
        }
        for (subject, count) in &self.crossings {
            println!("CROSSED {subject}: {count}");
        }
        let total: usize = self.crossings.values().sum();
        println!("TOTAL {setting}: {total} crossings, {} differences", self.differences.len());
    }
}
