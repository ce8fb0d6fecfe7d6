//! Shared keys and keys that need a quorum, as an application sees them (User Guide, cloudhsm_cli-key-share and
//! key-quorum-auth-chsm-cli): used, found, and nothing else; gone at once when the owner takes them back.

use std::path::Path;
use std::sync::Arc;

use base::ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;
use hsm::mechanism::{Parameter, Use};
use hsm::module::{KeyQuorum, Login, Module, Role, Sharing};
use hsm::object::{self, Object};

use crate::support::*;

/// The HSM of a home with alice logged in, in a process that has not loaded the library.
fn as_alice(home: &Path, work: impl FnOnce(&Module, &Login)) {
    let module = Module::open(&config(home), "hsm1").unwrap();
    let alice = module.login(Role::CryptoUser, ALICE.as_bytes()).unwrap();
    work(&module, &alice);
    module.close();
}

fn labelled(module: &Module, login: &Login, label: &str) -> Arc<Object> {
    let template = object::Template::of(&[(CKA_LABEL, label.as_bytes())]).unwrap();
    module.find(Some(login), &template, &|_| None).unwrap().pop().unwrap()
}

fn mac() -> Mechanism<'static> {
    Mechanism::new(CKM_SHA256_HMAC)
}

#[test]
fn whom_a_key_is_shared_with_uses_it_and_nothing_else() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            as_alice(home.path(), |module, alice| {
                for label in ["mac", "kek"] {
                    module.share_key(alice, &labelled(module, alice, label), "bob", Role::CryptoUser).unwrap();
                }
            });
            test.run("cloudhsm", home.path(), "use");
        }
        "make" => {
            let session = hsm();
            let generic =
                Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_TOKEN, CKA_SIGN, CKA_DERIVE, CKA_EXTRACTABLE]);
            session.generate(CKM_GENERIC_SECRET_KEY_GEN, &generic.label("mac")).unwrap();
            let kek = aes().on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP]);
            session.generate(CKM_AES_KEY_GEN, &kek.label("kek")).unwrap();
            session.generate(CKM_AES_KEY_GEN, &aes().label("not shared").on(&[CKA_TOKEN])).unwrap();
        }
        "take back" => as_alice(&home(), |module, alice| {
            module.unshare_key(alice, &labelled(module, alice, "mac"), "bob", Role::CryptoUser).unwrap();
        }),
        "use" => {
            initialize().unwrap();
            let session = Session::open();
            session.login(BOB).unwrap();
            assert_eq!(session.find(&Template::new()).unwrap().len(), 2, "what is not shared is not there");
            let (shared, kek) = (session.labelled("mac")[0], session.labelled("kek")[0]);
            // Used: it signs, and wraps a key of bob's own.
            let tag = session.sign(&mut mac(), shared, b"data").unwrap();
            session.verify(&mut mac(), shared, b"data", &tag).unwrap();
            let own = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_EXTRACTABLE, CKA_WRAP, CKA_UNWRAP])).unwrap();
            let form = || Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
            session.wrap(&mut form(), kek, own).unwrap();
            // Nothing else: not exported, derived from, changed, copied or destroyed.
            assert_eq!(session.wrap(&mut form(), own, shared), code(CKR_ACTION_PROHIBITED));
            let mut derivation = CounterKdf::new(CKM_SHA256_HMAC, b"label");
            let derived = Template::new()
                .number(CKA_CLASS, CKO_SECRET_KEY)
                .number(CKA_KEY_TYPE, CKK_AES)
                .number(CKA_VALUE_LEN, 32);
            assert_eq!(
                session.derive(&mut derivation.mechanism(), shared, &derived),
                code(CKR_KEY_FUNCTION_NOT_PERMITTED)
            );
            assert_eq!(session.set(shared, &Template::new().label("mine")), code(CKR_ACTION_PROHIBITED));
            assert_eq!(session.copy(shared, &Template::new()), code(CKR_ACTION_PROHIBITED));
            assert_eq!(session.destroy(shared), code(CKR_ACTION_PROHIBITED));
            assert_eq!(session.read(shared, CKA_VALUE), code(CKR_ATTRIBUTE_SENSITIVE));
            // Taken back by another process in the middle of an operation: gone, and its handle with it.
            session.sign_init(&mut mac(), shared).unwrap();
            test.run("cloudhsm", &home(), "take back");
            assert_eq!(session.sign_into(b"data", 64), code(CKR_KEY_HANDLE_INVALID));
            assert_eq!(session.sign(&mut mac(), shared, b"data"), code(CKR_KEY_HANDLE_INVALID));
            assert_eq!(session.labelled("mac"), [0; 0]);
            session.wrap(&mut form(), kek, own).unwrap();
        }
        other => panic!("{other}"),
    });
}

/// No C function has a place for approvals, so a key that needs them is refused by each, to its owner too.
#[test]
fn what_needs_a_quorum_is_refused_through_pkcs11() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            as_alice(home.path(), |module, alice| {
                let length = 32_usize.to_ne_bytes();
                let flags =
                    [CKA_TOKEN, CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE];
                let mut values: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> =
                    flags.iter().map(|flag| (*flag, [1].as_slice())).collect();
                values.extend([(CKA_VALUE_LEN, length.as_slice()), (CKA_LABEL, b"guarded")]);
                let sharing = Sharing { users: &["bob".to_owned()], quorum: KeyQuorum { manage: 2, using: 2 } };
                let generator = module.generator(Use::Generate, CKM_AES_KEY_GEN, |_| Ok(Parameter::None)).unwrap();
                module.generate_key(alice, generator, &object::Template::of(&values).unwrap(), &sharing).unwrap();
            });
            test.run("cloudhsm", home.path(), "use");
        }
        "make" => drop(hsm()),
        "use" => {
            initialize().unwrap();
            let session = Session::open();
            for user in [ALICE, BOB] {
                session.login(user).unwrap();
                let guarded = session.labelled("guarded")[0];
                let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
                for refused in [
                    session.begin(Way::Encrypt, &mut cbc(), guarded),
                    session.begin(Way::Decrypt, &mut cbc(), guarded),
                    session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), guarded),
                    session.verify_init(&mut Mechanism::new(CKM_AES_CMAC), guarded),
                ] {
                    assert_eq!(refused, code(CKR_KEY_FUNCTION_NOT_PERMITTED));
                }
                let own =
                    session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_EXTRACTABLE, CKA_WRAP, CKA_UNWRAP])).unwrap();
                let form = || Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
                assert_eq!(session.wrap(&mut form(), guarded, own), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
                assert!(session.wrap(&mut form(), own, guarded).is_err());
                let wrapped = session.wrap(&mut form(), own, own).unwrap();
                let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
                let unwrapped = session.unwrap(&mut form(), guarded, &wrapped, &template);
                assert_eq!(unwrapped, code(CKR_KEY_FUNCTION_NOT_PERMITTED));
                for refused in [
                    session.set(guarded, &Template::new().label("mine")),
                    session.copy(guarded, &Template::new()).map(drop),
                ] {
                    assert!(refused.is_err());
                }
                session.logout().unwrap();
            }
            session.login(ALICE).unwrap();
            let guarded = session.labelled("guarded")[0];
            assert_eq!(session.set(guarded, &Template::new().label("mine")), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
            assert_eq!(session.copy(guarded, &Template::new()), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
            // Deleting it is no management that a quorum guards (User Guide, key-quorum-auth-chsm-cli: no such operation).
            session.destroy(guarded).unwrap();
        }
        other => panic!("{other}"),
    });
}
