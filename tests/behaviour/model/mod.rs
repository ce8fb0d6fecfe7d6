//! Random calls against a small reference of keys, users and sessions; after each, the invariants of `reference`.
//!
//! A walk is replayed by its seed: CLOUDHSM_MODEL_SEED and CLOUDHSM_MODEL_CALLS. What the reference refuses may never succeed; what
//! it allows must succeed often, or the walk has shown nothing.

mod reference;
mod walk;

use crate::support::*;
use walk::Walk;

/// Calls of all walks together: 10^6, with CLOUDHSM_LONG=1 10^7.
fn calls() -> usize {
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let usual = if std::env::var_os("CLOUDHSM_LONG").is_some() { 10_000_000 } else { 1_000_000 };
    set("CLOUDHSM_MODEL_CALLS").unwrap_or(usual) / 4
}

fn seed(usual: u64) -> u64 {
    std::env::var("CLOUDHSM_MODEL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn walk(number: u64, derived_is_local: bool) {
    let mut walk = Walk::begin(seed(number), derived_is_local);
    walk.run(calls());
    println!("seed {}: {}", seed(number), walk.summary());
    walk.check_that_it_shows_something();
}

#[test]
fn cloudhsm_1() {
    isolated(|| walk(1, true));
}

#[test]
fn cloudhsm_2() {
    isolated(|| walk(2, true));
}

#[test]
fn standard_1() {
    isolated_standard(|| walk(3, false));
}

#[test]
fn standard_2() {
    isolated_standard(|| walk(4, false));
}
