//! What differs between the profiles, and what an officer may set.

use crate::support::*;

/// A function of the newest list by its symbol.
fn newer<T: Copy>(name: &[u8]) -> T {
    // SAFETY: the callers name the standard's type.
    *unsafe { library().get::<T>(name) }.expect("the function is exported")
}

/// User Guide, user-permissions-table: an officer sets TRUSTED, either way; the owner does not. It stays on the disk.
#[test]
fn an_officer_sets_trusted() {
    isolated(|| {
        let session = hsm();
        let wrapping = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP, CKA_TOKEN]).label("wrapping");
        let key = session.generate(CKM_AES_KEY_GEN, &wrapping).unwrap();
        let trusted = |value| Template::new().flag(CKA_TRUSTED, value);
        assert_eq!(session.set(key, &trusted(true)), code(CKR_ATTRIBUTE_READ_ONLY));
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        let found = session.labelled("wrapping");
        assert_eq!(found.len(), 1, "an officer sees that the key exists");
        session.set(found[0], &trusted(true)).unwrap();
        assert!(session.set(found[0], &Template::new().flag(CKA_EXTRACTABLE, false)).is_err(), "nothing more");
        finalize().unwrap();
        initialize().unwrap();
        let session = Session::open();
        session.login(ALICE).unwrap();
        let key = session.labelled("wrapping")[0];
        assert_eq!(session.flag(key, CKA_TRUSTED), Ok(true));
        assert_eq!(session.set(key, &trusted(false)), code(CKR_ATTRIBUTE_READ_ONLY));
        let copy = session.copy(key, &Template::new().label("copy"));
        assert_eq!(copy, code(CKR_ACTION_PROHIBITED), "an officer has trusted one key");
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        session.set(session.labelled("wrapping")[0], &trusted(false)).unwrap();
    });
}

/// A certificate with these attributes besides; what it says is nobody's business here.
fn certificate(label: &str) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_CERTIFICATE)
        .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .bytes(CKA_SUBJECT, b"\x30\x00")
        .bytes(CKA_VALUE, b"\x30\x00")
        .label(label)
        .on(&[CKA_TOKEN])
}

/// PKCS#11 3.2 sections 4.6.2, 4.8 and 4.10: CKA_TRUSTED "can only be set to CK_TRUE by the SO user", of certificates, public keys and
/// secret keys. `p11tool --mark-trusted --so-login` imports a certificate so. In secure mode no imported key is trusted (R1).
fn imported_by_an_officer(secure: bool) {
    let session = hsm();
    let trusted = || Template::new().on(&[CKA_TRUSTED]);
    assert_eq!(session.create(&certificate("of alice").and(&trusted())), code(CKR_ATTRIBUTE_READ_ONLY));
    let plain = session.create(&certificate("of alice")).unwrap();
    session.create(&certificate("for good").off(&[CKA_MODIFIABLE])).unwrap();
    assert_eq!(session.set(plain, &trusted()), code(CKR_ATTRIBUTE_READ_ONLY));
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    let plain = session.labelled("of alice")[0];
    session.set(plain, &trusted()).unwrap();
    // CKA_MODIFIABLE is the owner's word, and CKA_TRUSTED no change of the owner's; of a key as of a certificate.
    let lasting = session.labelled("for good")[0];
    session.set(lasting, &trusted()).unwrap();
    assert_eq!(session.set(lasting, &trusted().label("other")), code(CKR_ACTION_PROHIBITED));
    let own = session.create(&certificate("of the officer").and(&trusted())).unwrap();
    assert_eq!(session.flag(own, CKA_TRUSTED), Ok(true));
    let copy = session.copy(own, &Template::new().label("copy")).unwrap();
    assert_eq!(session.flag(copy, CKA_TRUSTED), Ok(false), "trust is not copied");
    assert_eq!(session.copy(own, &trusted()), code(CKR_ATTRIBUTE_READ_ONLY));
    let keys = [rsa_public_value().label("public"), plain_aes_value(&[7; 32]).label("secret").off(&[CKA_PRIVATE])];
    for key in keys {
        let key = key.on(&[CKA_TOKEN]).and(&trusted());
        if secure {
            assert_eq!(session.create(&key), code(CKR_ATTRIBUTE_READ_ONLY), "R1");
        } else {
            session.create(&key.on(&[CKA_WRAP])).unwrap();
        }
    }
    // An officer makes no private object, and uses none (section 5.6.8).
    let private = plain_aes_value(&[7; 32]).on(&[CKA_PRIVATE]);
    assert_eq!(session.create(&private), code(CKR_USER_NOT_LOGGED_IN));
    session.logout().unwrap();
    session.login(ALICE).unwrap();
    let own = session.labelled("of the officer")[0];
    assert_eq!(session.flag(own, CKA_TRUSTED), Ok(true));
    assert_eq!(session.set(own, &Template::new().off(&[CKA_TRUSTED])), code(CKR_ATTRIBUTE_READ_ONLY));
    for issuer in [&b"\x30\x00"[..], &[0]] {
        assert_eq!(session.set(own, &Template::new().bytes(CKA_ISSUER, issuer)), code(CKR_ATTRIBUTE_READ_ONLY));
    }
    if secure {
        return;
    }
    // What the officer has made is everybody's to use: it wraps what only a trusted key may.
    let guarded = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED]);
    let guarded = session.generate(CKM_AES_KEY_GEN, &guarded).unwrap();
    let wrap = |mechanism, label: &str| {
        session.wrap(&mut Mechanism::new(mechanism), session.labelled(label)[0], guarded).map(drop)
    };
    assert_eq!(wrap(CKM_RSA_PKCS, "public"), Ok(()));
    assert_eq!(wrap(CKM_AES_KEY_WRAP_KWP, "secret"), Ok(()));
}

#[test]
fn an_officer_imports_what_is_trusted() {
    isolated_standard(|| imported_by_an_officer(false));
}

#[test]
fn an_officer_imports_in_secure_mode() {
    isolated_with("standard", &[("CLOUDHSM_PKCS11_SECURE", "true")], || imported_by_an_officer(true));
}

/// AWS, user-permissions-table: an officer makes no key, trusted or not.
#[test]
fn an_officer_of_cloudhsm_imports_nothing() {
    isolated(|| {
        let session = hsm();
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        let key = plain_aes_value(&[7; 32]).on(&[CKA_TRUSTED]);
        assert_eq!(session.create(&key), code(CKR_USER_NOT_LOGGED_IN));
    });
}

/// AWS's library has read-only sessions from 5.5 on (libp11#412: "ReadOnly issue fixed with CloudHSM version 5.5.0"), and `strict`
/// behaves as 5.18 does. What belongs to a read/write session alone it refuses there (PKCS#11 2.40, C_CreateObject).
#[test]
fn strict_has_read_only_sessions() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "users");
            test.run("strict", home.path(), "read");
        }
        "users" => activate(&[ALICE]),
        _ => {
            initialize().unwrap();
            let session = Session::open_read_only();
            session.login(ALICE).unwrap();
            assert_eq!(session.information().unwrap().state, CKS_RO_USER_FUNCTIONS);
            session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            let token = aes().flag(CKA_TOKEN, true);
            assert_eq!(session.generate(CKM_AES_KEY_GEN, &token), code(CKR_SESSION_READ_ONLY));
            Session::open();
        }
    });
}

/// `strict` uses what `cloudhsm` has made: same keys, same users.
#[test]
fn strict_uses_an_hsm_of_cloudhsm() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("strict", home.path(), "use");
            test.run("standard", home.path(), "general");
        }
        "make" => {
            hsm().create(&aes_value(&[1; 32]).flag(CKA_TOKEN, true).label("shared")).unwrap();
        }
        stage => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let key = session.labelled("shared")[0];
            let cipher = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            assert_eq!(session.decrypt(&mut Mechanism::new(CKM_AES_ECB), key, &cipher).unwrap(), [0; 16]);
            assert_eq!(session.read(key, CKA_VALUE), code(CKR_ATTRIBUTE_SENSITIVE));
            if stage == "general" {
                // The profile is a dialect: what the key's attributes forbid stays forbidden.
                assert_eq!(
                    session.set(key, &Template::new().flag(CKA_SENSITIVE, false)),
                    code(CKR_ATTRIBUTE_READ_ONLY)
                );
            }
        }
    });
}

/// Design: `standard` has no size limits, takes the caller's GCM IV and runs GCM in parts (PKCS#11 3.2 section 6.13).
#[test]
fn standard_has_no_limits() {
    isolated_standard(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let long = vec![1; 100_000];
        let cbc = session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &vec![0; 160_000]).unwrap();
        assert_eq!(cbc.len(), 160_000);
        let mut iv = [9; 12];
        let mut parameter = gcm(&mut iv, &mut [], 128);
        let whole = session.encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &long).unwrap();
        let mut parameter = gcm(&mut iv, &mut [], 128);
        let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
        assert_eq!(session.cipher_parts(Way::Encrypt, &mut mechanism, key, &long, &[1, 77, 50_000]).unwrap(), whole);
        let mut parameter = gcm(&mut iv, &mut [], 128);
        let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
        session.begin(Way::Decrypt, &mut mechanism, key).unwrap();
        let mut plain = Vec::new();
        for part in whole.chunks(33_333) {
            plain.extend(session.update_into(Way::Decrypt, part, 200_000).unwrap());
        }
        plain.extend(session.final_into(Way::Decrypt, 200_000).unwrap());
        assert_eq!(plain, long);
        assert_eq!(iv, [9; 12], "the caller's IV stays");
        let hmac = session.create(&generic_value(&[1; 16])).unwrap();
        session.sign(&mut Mechanism::new(CKM_SHA512_HMAC), hmac, &long).unwrap();
    });
}

/// GCM in parts with a wrong tag: nothing of the plaintext may have been used, the end is CKR_ENCRYPTED_DATA_INVALID.
#[test]
fn standard_gcm_in_parts_checks_the_tag() {
    isolated_standard(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let mut iv = [9; 12];
        let mut parameter = gcm(&mut iv, &mut [], 128);
        let mut whole = session.encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &[5; 100]).unwrap();
        whole[3] ^= 1;
        let mut parameter = gcm(&mut iv, &mut [], 128);
        session.begin(Way::Decrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        let shown = session.update_into(Way::Decrypt, &whole, 200).unwrap();
        assert_eq!(shown, [0; 0], "no plaintext before its tag is checked");
        assert_eq!(session.final_into(Way::Decrypt, 200), code(CKR_ENCRYPTED_DATA_INVALID));
    });
}

/// PKCS#11 3.2 section 5.6.10 (C_LoginUser) and 5.6.8 (C_SessionCancel); `cloudhsm` has a closed list of extensions,
/// and neither is on it.
#[test]
fn functions_of_30() {
    isolated_standard(|| {
        activate(&[ALICE]);
        let session = Session::open();
        type LoginUser = unsafe extern "C" fn(CK_ULONG, CK_ULONG, *mut u8, CK_ULONG, *mut u8, CK_ULONG) -> CK_RV;
        let login_user = |name: &str, password: &str| {
            let (mut name, mut password) = (bytes(name), bytes(password));
            let (name_length, length) = (name.len() as CK_ULONG, password.len() as CK_ULONG);
            // SAFETY: strings and their lengths.
            answer(unsafe {
                newer::<LoginUser>(b"C_LoginUser")(
                    session.0,
                    CKU_USER,
                    password.as_mut_ptr(),
                    length,
                    name.as_mut_ptr(),
                    name_length,
                )
            })
        };
        assert_eq!(login_user("alice", "wrong-password"), code(CKR_PIN_INCORRECT));
        login_user("alice", "alices-password").unwrap();
        assert_eq!(session.information().unwrap().state, CKS_RW_USER_FUNCTIONS);
        let key = session.create(&aes_value(&[1; 16])).unwrap();
        session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key).unwrap();
        session.digest_init(CKM_SHA256).unwrap();
        type Cancel = unsafe extern "C" fn(CK_ULONG, CK_FLAGS) -> CK_RV;
        let cancel = newer::<Cancel>(b"C_SessionCancel");
        // SAFETY: a session and flags.
        assert_eq!(Rv(unsafe { cancel(session.0, CKF_ENCRYPT) }), Rv(CKR_OK));
        assert_eq!(session.once_into(Way::Encrypt, &[0; 16], 16), code(CKR_OPERATION_NOT_INITIALIZED));
        session.digest_into(b"abc", 32).expect("the digest goes on");
    });
}
