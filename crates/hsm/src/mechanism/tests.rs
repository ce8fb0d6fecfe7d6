//! What the rows promise to others: the docs' table, and one range of sizes for each key type.

use super::*;
use crate::config::Profile;

/// The docs' table of mechanisms follows from the rows.
#[test]
fn the_docs_tell_which_mechanisms_there_are() {
    let uses = |set: u16| {
        let names: Vec<_> = Use::ALL
            .iter()
            .filter(|what| set & what.bit() != 0)
            .map(|what| format!("{what:?}").to_lowercase())
            .collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    };
    let mut table = String::from(
        "| mechanism | number | `cloudhsm`, `strict` | in FIPS mode | in secure mode | longest input | parts | `standard` | \
         in FIPS mode | in secure mode | defined in |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in all() {
        let cloudhsm = row.uses(Regime::of(Profile::CloudHsm, false));
        let fips = row.uses(Regime::of(Profile::CloudHsm, true));
        let secure = |profile| uses(row.uses(Regime::of(profile, false).secured()));
        let terms = row.terms(Regime::of(Profile::CloudHsm, false));
        let limit = terms.and_then(|terms| terms.longest_input).map_or_else(|| "-".to_owned(), |most| most.to_string());
        let parts = if terms.is_some_and(|terms| terms.multi_part) { "yes" } else { "-" };
        table.push_str(&format!(
            "| {} | {:#010x} | {} | {} | {} | {limit} | {parts} | {} | {} | {} | {} |\n",
            row.name,
            row.id,
            uses(cloudhsm),
            uses(fips),
            secure(Profile::CloudHsm),
            uses(row.uses(Regime::of(Profile::Standard, false))),
            uses(row.uses(Regime::of(Profile::Standard, true))),
            secure(Profile::Standard),
            row.source
        ));
    }
    let head = "# Mechanisms\n\nWhat each profile serves. The longest input and the parts (C_...Update, C_...Final) are \
                those of `cloudhsm`.\n\nRSA keys are generated in `cloudhsm` and `strict` with 2048 to 4096 bits in steps of 256, \
                in `standard` with 1024 to 8192 in steps of 128 (from 2048 by CKM_RSA_X9_31_KEY_PAIR_GEN, in FIPS mode and in \
                secure mode). C_GetMechanismInfo has no room for the step: a size between two is \
                CKR_ATTRIBUTE_VALUE_INVALID. `standard` imports and uses keys of every size in its range.\n\n";
    generated_docs::compare("mechanisms.md", &format!("{head}{table}"));
}

/// The admission bits remember a use, not a mechanism: so the sizes of one kind of key must be the same in all rows
/// that use it. Rows that take several types state the widest range; each type's own holds where keys are made.
#[test]
fn rows_of_one_key_type_agree_on_its_sizes() {
    let profiles = [Profile::CloudHsm, Profile::Strict, Profile::Standard];
    let regimes = profiles.map(|profile| Regime::of(profile, false));
    for regime in regimes.into_iter().chain(regimes.map(Regime::secured)) {
        // A generator works with no key that is there.
        let works = |row: &&Mechanism| row.terms(regime).is_some() && row.serves.generate_pair.is_none();
        for one in all().iter().filter(works) {
            for other in all().iter().filter(works) {
                if one.keys.types == other.keys.types
                    && one.keys.shape == other.keys.shape
                    && one.keys.unit == other.keys.unit
                {
                    assert_eq!(one.sizes(regime), other.sizes(regime), "{} and {}", one.name, other.name);
                }
            }
        }
    }
}
