//! Threads on the same keys, sessions and login at once: what each call answered, and what is there in the end, must be what some
//! order of the calls allows.
//!
//! A round: threads run scripts of random calls side by side, each call between two ticks of one clock. Then, alone, `verdict` goes
//! through what was answered. It knows of each key what has certainly happened before a call began and what may have happened before
//! it ended, and asks that I1 to I6 (see `model::reference`) hold of both. Nothing in it depends on how fast a thread was.
//!
//! The scripts are those of a seed: CLOUDHSM_MODEL_SEED and CLOUDHSM_TOGETHER_CALLS. How the threads meet is the scheduler's.

mod round;
mod verdict;

use crate::support::*;
use round::Rounds;

/// Calls of both tests together: 10^5, with CLOUDHSM_LONG=1 10^7.
fn calls() -> u64 {
    let set = std::env::var("CLOUDHSM_TOGETHER_CALLS").ok().and_then(|text| text.parse().ok());
    let usual = if std::env::var_os("CLOUDHSM_LONG").is_some() { 10_000_000 } else { 100_000 };
    set.unwrap_or(usual) / 2
}

fn rounds(number: u64, stores: bool) {
    let seed = std::env::var("CLOUDHSM_MODEL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(number);
    let summary = Rounds::begin(seed, stores).run(calls());
    println!("seed {seed}: {summary}");
}

#[test]
fn cloudhsm() {
    isolated(|| rounds(1, true));
}

#[test]
fn standard() {
    isolated_standard(|| rounds(2, false));
}
