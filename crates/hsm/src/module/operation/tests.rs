//! The gate: whoever calls the HSM without one check of its own gets the HSM's refusal. The codes are those of PKCS#11 3.2 section
//! 5.1.6 for the causes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE, CK_RV};
use base::error::Result;
use base::exchange::Exchange;
use base::secret::Secret;

use super::Operation;
use crate::config::Settings;
use crate::mechanism::{Parameter, Use};
use crate::module::testing::{ANN, OFFICER, config, generator, sample};
use crate::module::{Login, Module, Role, Sharing};
use crate::object::{Object, Template};

/// A secret key of a user's, with these attributes.
fn key(module: &Module, login: &Login, mechanism: CK_MECHANISM_TYPE, flags: &[(u64, bool)]) -> Arc<Object> {
    let length = 32_u64.to_ne_bytes();
    let flags: Vec<_> = flags.iter().map(|(id, value)| (*id, [u8::from(*value)])).collect();
    let mut entries: Vec<(u64, &[u8])> = flags.iter().map(|(id, value)| (*id, value.as_slice())).collect();
    if mechanism != ck::CKM_DES3_KEY_GEN {
        entries.push((ck::CKA_VALUE_LEN, &length));
    }
    let template = Template::of(&entries).unwrap();
    module.generate_key(login, generator(module, mechanism), &template, &Sharing::default()).unwrap()
}

fn begin(
    module: &Module,
    login: Option<&Login>,
    what: Use,
    mechanism: CK_MECHANISM_TYPE,
    key: &Arc<Object>,
) -> Result<Operation> {
    let made = module.begin(login, what, mechanism, || Ok(Arc::clone(key)), |_| Ok(Parameter::None));
    made.map(|(operation, _)| operation)
}

fn rv<T>(outcome: Result<T>) -> Option<CK_RV> {
    outcome.err().map(|error| error.rv())
}

#[test]
fn what_is_not_served_or_not_allowed_does_not_begin() {
    let (_home, module) = sample();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    let ben = module.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
    let aes = key(&module, &ann, ck::CKM_AES_KEY_GEN, &[(ck::CKA_ENCRYPT, true), (ck::CKA_DECRYPT, false)]);
    let begin = |login, what, mechanism| rv(begin(&module, login, what, mechanism, &aes));
    let ecb = ck::CKM_AES_ECB;
    assert_eq!(begin(Some(&ann), Use::Encrypt, ecb), None);
    assert_eq!(begin(None, Use::Encrypt, ecb), Some(ck::CKR_USER_NOT_LOGGED_IN));
    assert_eq!(begin(Some(&ben), Use::Encrypt, ecb), Some(ck::CKR_KEY_HANDLE_INVALID), "another user's");
    assert_eq!(begin(Some(&officer), Use::Encrypt, ecb), Some(ck::CKR_USER_NOT_LOGGED_IN));
    assert_eq!(begin(Some(&ann), Use::Decrypt, ecb), Some(ck::CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(begin(Some(&ann), Use::Sign, ecb), Some(ck::CKR_MECHANISM_INVALID), "it does not sign");
    assert_eq!(begin(Some(&ann), Use::Encrypt, ck::CKM_DES_ECB), Some(ck::CKR_MECHANISM_INVALID), "is not served");
    assert_eq!(begin(Some(&ann), Use::Encrypt, ck::CKM_DES3_CBC), Some(ck::CKR_KEY_TYPE_INCONSISTENT));
    let tool = |mechanism| {
        rv(module.tool(Some((&ann).into()), Use::Encrypt, mechanism, || Ok(Arc::clone(&aes)), |_| Ok(Parameter::None)))
    };
    assert_eq!((tool(ecb), tool(ck::CKM_DES_ECB)), (None, Some(ck::CKR_MECHANISM_INVALID)));
    let generator = |what, mechanism| rv(module.generator(what, mechanism, |_| Ok(Parameter::None)));
    assert_eq!(generator(Use::Generate, ck::CKM_AES_KEY_GEN), None);
    assert_eq!(generator(Use::GeneratePair, ck::CKM_AES_KEY_GEN), Some(ck::CKR_MECHANISM_INVALID));
    assert_eq!(generator(Use::Generate, ck::CKM_DES_KEY_GEN), Some(ck::CKR_MECHANISM_INVALID));
}

/// FIPS mode belongs to the HSM, whoever asks: triple DES encrypts nothing there (SP 800-131A), and no key of it is made.
#[test]
fn the_mode_is_the_hsms() {
    let home = platform::testing::temporary();
    let settings = Settings { fips: Some(true), ..Settings::default() };
    let module = Module::open(&config(home.path(), settings), "hsm1").unwrap();
    module.activate(&Secret::copy(b"officer-password"), None).unwrap();
    let generator = |mechanism| rv(module.generator(Use::Generate, mechanism, |_| Ok(Parameter::None)));
    assert_eq!(generator(ck::CKM_AES_KEY_GEN), None);
    assert_eq!(generator(ck::CKM_DES3_KEY_GEN), Some(ck::CKR_MECHANISM_INVALID));
}

#[test]
fn an_operation_goes_on_only_for_who_may_use_the_key_now() {
    let (_home, module) = sample();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    let ben = module.login(Role::CryptoUser, b"ben:bens-password").unwrap();
    let aes = key(&module, &ann, ck::CKM_AES_KEY_GEN, &[(ck::CKA_ENCRYPT, true), (ck::CKA_SIGN, true)]);
    let mut encrypts = begin(&module, Some(&ann), Use::Encrypt, ck::CKM_AES_ECB, &aes).unwrap();
    let mut signs = begin(&module, Some(&ann), Use::Sign, ck::CKM_AES_CMAC, &aes).unwrap();
    assert_eq!(rv(module.resume(Some(&ben), &mut encrypts)), Some(ck::CKR_KEY_HANDLE_INVALID));
    assert_eq!(rv(module.resume(None, &mut signs)), Some(ck::CKR_USER_NOT_LOGGED_IN));

    // An operation does what it was begun for.
    let mut out = [0; 16];
    let mut running = module.resume(Some(&ann), &mut signs).unwrap();
    assert_eq!(running.sign(b"text", &mut out).unwrap(), 16);
    assert!(running.verify(b"text", &out).is_err(), "it was begun to sign");
    assert!(running.cipher(Exchange::Apart { input: &[0; 16], output: &mut out }).is_err());
    let mut running = module.resume(Some(&ann), &mut encrypts).unwrap();
    assert!(running.sign(b"text", &mut out).is_err() && running.update_signature(b"text").is_err());
    assert_eq!(running.part(Exchange::Apart { input: &[0; 16], output: &mut out }).unwrap(), 16);
    assert_eq!(rv(running.most(16)), Some(ck::CKR_OPERATION_NOT_INITIALIZED), "it is in parts");

    module.destroy_object(Some(&ann), &aes).unwrap();
    assert_eq!(rv(module.resume(Some(&ann), &mut encrypts)), Some(ck::CKR_KEY_HANDLE_INVALID), "destroyed");
}

/// An IV that the HSM has made is for one message (NIST SP 800-38D section 8): who asks a second time gets none under it.
#[test]
fn what_is_encrypted_is_encrypted_once() {
    let (_home, module) = sample();
    let ann = module.login(Role::CryptoUser, ANN).unwrap();
    let aes = key(&module, &ann, ck::CKM_AES_KEY_GEN, &[(ck::CKA_ENCRYPT, true), (ck::CKA_SIGN, true)]);
    let over = Some(ck::CKR_OPERATION_NOT_INITIALIZED);
    let mut out = [0; 16];
    for in_parts in [false, true] {
        let mut operation = begin(&module, Some(&ann), Use::Encrypt, ck::CKM_AES_ECB, &aes).unwrap();
        let mut running = module.resume(Some(&ann), &mut operation).unwrap();
        if in_parts {
            running.part(Exchange::Apart { input: &[0; 16], output: &mut out }).unwrap();
            running.end(&mut []).unwrap();
        } else {
            running.cipher(Exchange::Apart { input: &[0; 16], output: &mut out }).unwrap();
        }
        let mut running = module.resume(Some(&ann), &mut operation).unwrap();
        assert_eq!(rv(running.cipher(Exchange::Apart { input: &[0; 16], output: &mut out })), over);
        assert_eq!(rv(running.part(Exchange::Apart { input: &[0; 16], output: &mut out })), over);
        assert_eq!(rv(running.end(&mut out)), over);
    }
    let mut operation = begin(&module, Some(&ann), Use::Sign, ck::CKM_AES_CMAC, &aes).unwrap();
    let mut running = module.resume(Some(&ann), &mut operation).unwrap();
    running.sign_parts(&mut out).unwrap();
    assert_eq!((rv(running.sign_parts(&mut out)), rv(running.update_signature(b"text"))), (over, over));
}
