//! Faults planted in a library that is built for it (the feature `injection`; CLOUDHSM_TEST_INJECTED names it): a panic in each
//! function, a wrong answer in each self-test, a new pair that does not belong together.

use std::path::Path;
use std::process::Command;

use super::boundary::V2_40;
use super::hostile::call_words;
use crate::support::*;

/// Runs a stage with the library in which faults can be planted; says so if there is none.
fn with_faults(test: &Test, home: &Path, stage: &str, faults: &str, name: &str) -> Option<Command> {
    let Some(library) = std::env::var_os("CLOUDHSM_TEST_INJECTED") else {
        skip(name, "CLOUDHSM_TEST_INJECTED names no library in which faults can be planted");
        return None;
    };
    let mut command = test.stage("standard", home, stage);
    command.env("CLOUDHSM_TEST_LIBRARY", library).env("CLOUDHSM_INJECT", faults);
    Some(command)
}

/// The faults of this process, from here on.
fn plant(faults: &str) {
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("CLOUDHSM_INJECT", faults) };
}

/// A panic in any function is CKR_GENERAL_ERROR, and the process goes on.
#[test]
fn a_panic_in_each_function() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            if let Some(mut command) = with_faults(test, home.path(), "panics", "", "a_panic_in_each_function") {
                test.must(&mut command);
            }
        }
        "panics" => {
            let session = hsm();
            let mut caught = 0;
            for name in V2_40 {
                plant(&format!("panic:{name}"));
                let answer = call_words(name, &[session.0 as usize, 0, 0, 0, 0, 0, 0, 0, 0]);
                plant("");
                assert_eq!(answer, CKR_GENERAL_ERROR, "{name}");
                caught += 1;
                let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
                session.destroy(key).unwrap();
            }
            println!("{caught} of {} functions have caught a panic", V2_40.len());
        }
        other => panic!("{other}"),
    });
}

/// After a wrong answer of a self-test the library answers nothing, and cannot be initialized again.
#[test]
fn a_wrong_answer_in_each_self_test() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            let at_start =
                ["SHA", "HMAC", "AES", "AES-CBC", "AES-CTR", "AES-CMAC", "AES-GCM", "AES key wrap", "triple DES"];
            let before_use = ["RSA", "ECDSA", "ECDH", "Ed25519", "ML-DSA"];
            let pairs = ["RSA", "EC", "Ed25519", "ML-DSA"];
            test.run("standard", home.path(), "make");
            for name in at_start {
                let fault = format!("self-test:{name}");
                let Some(mut command) =
                    with_faults(test, home.path(), "start", &fault, "a_wrong_answer_in_each_self_test")
                else {
                    return;
                };
                test.must(&mut command);
            }
            for name in before_use {
                let stage = format!("use {name}");
                let fault = format!("self-test:{name}");
                let command = with_faults(test, home.path(), &stage, &fault, "a_wrong_answer_in_each_self_test");
                test.must(&mut command.unwrap());
            }
            for name in pairs {
                let stage = format!("make {name}");
                let fault = format!("pairwise:{name}");
                let command = with_faults(test, home.path(), &stage, &fault, "a_wrong_answer_in_each_self_test");
                test.must(&mut command.unwrap());
            }
            println!("{} tests spoiled, no output afterwards", at_start.len() + before_use.len() + pairs.len());
        }
        "make" => drop(hsm()),
        "start" => {
            assert_eq!(initialize(), code(CKR_FIPS_SELF_TEST_FAILED));
            plant("");
            assert_eq!(initialize(), code(CKR_FIPS_SELF_TEST_FAILED), "it does not try again");
        }
        stage => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let lasting = |label: &str| Template::new().flag(CKA_TOKEN, true).label(label);
            let (_, name) = stage.split_once(' ').unwrap();
            let (mechanism, public, private) = match name {
                "RSA" => (CKM_RSA_PKCS_KEY_PAIR_GEN, rsa_public(2048), rsa_private()),
                "ECDSA" | "ECDH" | "EC" => (CKM_EC_KEY_PAIR_GEN, ec_public(P256), ec_private()),
                "Ed25519" => (CKM_EC_EDWARDS_KEY_PAIR_GEN, ec_public(EDWARDS25519), ec_private()),
                _ => (
                    CKM_ML_DSA_KEY_PAIR_GEN,
                    Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44).on(&[CKA_VERIFY]),
                    Template::new().on(&[CKA_SIGN]),
                ),
            };
            // Another key, which has nothing to do with the fault.
            let aes = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
            session.encrypt(&mut cbc(), aes, &[0; 16]).unwrap();
            let (public, private) = (public.and(&lasting("new")), private.and(&lasting("new")));
            let made = session.generate_pair(mechanism, &public, &private);
            assert_eq!(made, code(CKR_FIPS_SELF_TEST_FAILED));
            let gone = code::<Vec<u8>>(CKR_FIPS_SELF_TEST_FAILED);
            assert_eq!(session.encrypt(&mut cbc(), aes, &[0; 16]), gone, "nothing more is answered");
            assert_eq!(session.random(8), gone);
            assert_eq!(initialize(), code(CKR_FIPS_SELF_TEST_FAILED));
        }
    });
}
