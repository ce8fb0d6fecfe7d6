//! Tests of the boundary that need its inside: a panic, and the table of functions in the docs.

use base::ck;

use super::call;
use super::functions::{Availability, ROWS};

#[test]
fn a_panic_becomes_a_general_error() {
    #[allow(clippy::panic, reason = "the defect that is planted")]
    let rv = call::bare("C_Planted", || [], || panic!("planted"));
    assert_eq!(rv, ck::CKR_GENERAL_ERROR);
}

/// The docs' table of functions follows from the list: a test that finds it stale says how to renew it.
#[test]
fn the_docs_tell_which_functions_there_are() {
    let mark = |yes| if yes { "yes" } else { "-" };
    let mut table = String::from("| function | since | `cloudhsm` | `strict` | `standard` |\n|---|---|---|---|---|\n");
    let mut counts = [0_usize; 3];
    for row in ROWS {
        let served = match row.availability {
            Availability::Library => [true, true, true],
            Availability::Extension | Availability::Attributes => [true, false, true],
            Availability::Everything => [false, false, true],
            Availability::Missing => [false, false, false],
        };
        for (count, yes) in counts.iter_mut().zip(served) {
            *count += usize::from(yes);
        }
        let [cloudhsm, strict, standard] = served.map(mark);
        table.push_str(&format!("| {} | {} | {cloudhsm} | {strict} | {standard} |\n", row.name, row.since));
    }
    let [cloudhsm, strict, standard] = counts;
    let total = ROWS.len();
    table.push_str(&format!("| of {total} | | {cloudhsm} | {strict} | {standard} |\n"));
    generated_docs::compare("functions.md", &format!("# Functions\n\nA `-` is CKR_FUNCTION_NOT_SUPPORTED.\n\n{table}"));
}
