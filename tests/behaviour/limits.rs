//! How long the values of a template may be. The limits on sessions, users and keys: `sessions.rs`, and the unit tests
//! of the module, which can fill a store.

use crate::support::*;

/// User Guide: a label has up to 127 characters; an ID any length within reason.
#[test]
fn labels_have_up_to_127_characters() {
    isolated(|| {
        let session = hsm();
        let long = |count: usize| aes().label(&"x".repeat(count));
        let key = session.generate(CKM_AES_KEY_GEN, &long(127)).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap().len(), 127);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &long(128)), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(session.set(key, &Template::new().label(&"y".repeat(128))), code(CKR_ATTRIBUTE_VALUE_INVALID));
        session.generate(CKM_AES_KEY_GEN, &long(126)).unwrap();
        // Characters, not bytes.
        for character in ["ü", "鍵", "🔑"] {
            let key = session.generate(CKM_AES_KEY_GEN, &aes().label(&character.repeat(127))).unwrap();
            assert_eq!(session.read(key, CKA_LABEL).unwrap(), character.repeat(127).as_bytes());
            let more = session.generate(CKM_AES_KEY_GEN, &aes().label(&character.repeat(128)));
            assert_eq!(more, code(CKR_ATTRIBUTE_VALUE_INVALID));
        }
        // Of what is no UTF-8, bytes.
        let key = session.generate(CKM_AES_KEY_GEN, &aes().bytes(CKA_LABEL, &[0xff; 127])).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), [0xff; 127]);
        assert_eq!(
            session.set(key, &Template::new().bytes(CKA_LABEL, &[0xff; 128])),
            code(CKR_ATTRIBUTE_VALUE_INVALID)
        );
        let more = session.generate(CKM_AES_KEY_GEN, &aes().bytes(CKA_LABEL, &[0xff; 128]));
        assert_eq!(more, code(CKR_ATTRIBUTE_VALUE_INVALID));
        let empty = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        assert_eq!(session.read(empty, CKA_LABEL), Ok(vec![]));
        assert_eq!(session.read(empty, CKA_ID), Ok(vec![]));
    });
}

/// The standard has text in a label, and AWS's page too. Programs put bytes of any kind there: crypto11's tests, which pass on a
/// CloudHSM (crypto11#59), use 32 random ones. They are kept, found and changed as they are, in every profile.
#[test]
fn labels_may_be_any_bytes() {
    staged(|stage, test| {
        if stage.is_empty() {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "users");
            for profile in ["cloudhsm", "strict", "standard"] {
                test.run(profile, home.path(), "work");
            }
            return;
        }
        if stage == "users" {
            return activate(&[ALICE]);
        }
        initialize().unwrap();
        let session = Session::open();
        session.login(ALICE).unwrap();
        // No character at all, one that is cut off, a surrogate, ends of C's strings, text and no text.
        for label in [&[0xff, 0xfe][..], &[0xc3], &[0xed, 0xa0, 0x80], &[0, 0], &[b'a', 0x80]] {
            for token in [false, true] {
                let wanted = Template::new().bytes(CKA_LABEL, label).flag(CKA_TOKEN, token);
                let key = session.generate(CKM_AES_KEY_GEN, &aes().and(&wanted)).unwrap();
                assert_eq!(session.read(key, CKA_LABEL).unwrap(), label);
                assert_eq!(session.find(&wanted), Ok(vec![key]), "{label:?}");
                session.destroy(key).unwrap();
                let public = ec_public(P256).and(&wanted);
                let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &wanted).unwrap();
                assert_eq!(session.find(&wanted).unwrap().len(), 2, "{label:?}");
                session.destroy(pair.0).unwrap();
                session.destroy(pair.1).unwrap();
            }
            assert_eq!(session.find(&Template::new().bytes(CKA_LABEL, label)), Ok(vec![]));
        }
    });
}

/// AWS gives no limit for the ID of a key; ours is that of any value, 1 MiB, so that nobody can fill the memory.
#[test]
fn ids_have_up_to_1_mib() {
    isolated(|| {
        let session = hsm();
        for length in [1, 128, 129, 65_536, 1 << 20] {
            let id: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let template = aes().bytes(CKA_ID, &id).flag(CKA_TOKEN, true);
            let key = session.generate(CKM_AES_KEY_GEN, &template).unwrap();
            assert_eq!(session.read(key, CKA_ID).unwrap(), id);
            assert_eq!(session.find(&Template::new().bytes(CKA_ID, &id)), Ok(vec![key]));
        }
        let longer = aes().bytes(CKA_ID, &vec![0; (1 << 20) + 1]);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &longer), code(CKR_ATTRIBUTE_VALUE_INVALID));
    });
}

/// docs/limits.md: in `standard` any value has up to 1 MiB, as other libraries take it, a label 65,536 characters. What was taken
/// is there after a restart.
#[test]
fn values_of_standard() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("standard", home.path(), "make");
            test.run("standard", home.path(), "read");
        }
        "make" => {
            let session = hsm();
            let data = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
            let value: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
            session.create(&data.clone().label("large").bytes(CKA_VALUE, &value)).unwrap();
            let longer = data.clone().bytes(CKA_VALUE, &vec![0; (1 << 20) + 1]);
            assert_eq!(session.create(&longer), code(CKR_ATTRIBUTE_VALUE_INVALID));
            for id in [CKA_APPLICATION, CKA_OBJECT_ID] {
                session.create(&data.clone().bytes(id, &vec![7; 1 << 20])).unwrap();
                assert_eq!(
                    session.create(&data.clone().bytes(id, &vec![7; (1 << 20) + 1])),
                    code(CKR_ATTRIBUTE_VALUE_INVALID)
                );
            }
            // What all the attributes of a token object have together.
            let whole =
                data.clone().bytes(CKA_VALUE, &value).bytes(CKA_APPLICATION, &value).bytes(CKA_OBJECT_ID, &value);
            session.create(&whole).unwrap();
            let certificate = Template::new()
                .number(CKA_CLASS, CKO_CERTIFICATE)
                .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
                .flag(CKA_TOKEN, true)
                .bytes(CKA_SUBJECT, &value)
                .bytes(CKA_VALUE, &value)
                .bytes(CKA_ISSUER, &value)
                .bytes(CKA_SERIAL_NUMBER, &value);
            assert_eq!(session.create(&certificate), code(CKR_DEVICE_MEMORY));
            session.create(&data.clone().label(&"ü".repeat(65_536))).unwrap();
            assert_eq!(session.create(&data.label(&"ü".repeat(65_537))), code(CKR_ATTRIBUTE_VALUE_INVALID));
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let value = session.read(session.labelled("large")[0], CKA_VALUE).unwrap();
            assert!(value.len() == 1 << 20 && value.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
            assert_eq!(session.labelled(&"ü".repeat(65_536)).len(), 1);
        }
    });
}

/// docs/limits.md: what a token object takes when it is stored. The certificate of PKCS#11 3.2 sections 4.4 and 4.6 has 20 attributes that
/// hold a value: those of 8 bytes, of one and of none, a CKA_UNIQUE_ID of 32 characters, a CKA_CHECK_VALUE of 3, and those that are given.
#[test]
fn a_token_object_has_up_to_4_mib() {
    isolated_standard(|| {
        let session = hsm();
        let value = vec![7; 1 << 20];
        let certificate = |serial| {
            Template::new()
                .number(CKA_CLASS, CKO_CERTIFICATE)
                .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
                .flag(CKA_TOKEN, true)
                .bytes(CKA_SUBJECT, &value)
                .bytes(CKA_VALUE, &value)
                .bytes(CKA_ISSUER, &value)
                .bytes(CKA_SERIAL_NUMBER, &vec![7; serial])
        };
        let others = 2 * 8 + 6 + 32 + 3;
        let most = (4 << 20) - 34 - 20 * 12 - others - 3 * (1 << 20);
        session.create(&certificate(most)).unwrap();
        assert_eq!(session.create(&certificate(most + 1)), code(CKR_DEVICE_MEMORY));
        // A session object is not stored.
        session.create(&certificate(most + 1).without(CKA_TOKEN)).unwrap();
    });
}

/// User Guide, pkcs11-key-types: generic secrets of 1 to 800 bytes, made or brought.
#[test]
fn generic_secrets_have_up_to_800_bytes() {
    isolated(|| {
        generic_secrets();
    });
}

#[test]
fn generic_secrets_of_standard_too() {
    isolated_standard(|| {
        generic_secrets();
    });
}

fn generic_secrets() {
    let session = hsm();
    let generate =
        |length| session.generate(CKM_GENERIC_SECRET_KEY_GEN, &Template::new().number(CKA_VALUE_LEN, length));
    let import = |length| session.create(&generic_value(&vec![7; length]));
    for length in [1, 800] {
        let keys = [generate(length).unwrap(), import(length as usize).unwrap()];
        assert_eq!(keys.map(|key| session.number(key, CKA_VALUE_LEN)), [Ok(length); 2]);
    }
    for length in [0, 801] {
        assert_eq!(generate(length), code(CKR_ATTRIBUTE_VALUE_INVALID), "{length}");
        assert_eq!(import(length as usize), code(CKR_ATTRIBUTE_VALUE_INVALID), "{length}");
    }
}

/// docs/limits.md: a template has up to 1,024 attributes, one inside of another none.
#[test]
fn attributes_of_a_template() {
    isolated(|| {
        let session = hsm();
        let times = |count| (0..count).fold(aes().without(CKA_LABEL), |template, _| template.label("again"));
        let own = aes().raw().len();
        session.generate(CKM_AES_KEY_GEN, &times(1024 - own)).unwrap();
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &times(1025 - own)), code(CKR_ARGUMENTS_BAD));
        let nested = Template::new().nested(CKA_WRAP_TEMPLATE, Template::new().label("x"));
        session.generate(CKM_AES_KEY_GEN, &aes().and(&nested)).unwrap();
        let deeper = aes().nested(CKA_WRAP_TEMPLATE, nested);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &deeper), code(CKR_ATTRIBUTE_VALUE_INVALID));
    });
}

/// docs/limits.md; User Guide, pkcs11-certificate-storage-attributes: what a stored certificate of CloudHSM holds.
#[test]
fn values_of_certificates() {
    isolated_with("cloudhsm", &[("CLOUDHSM_PKCS11_CERTIFICATE_STORAGE", "true")], || {
        activate(&[]);
        let session = Session::open();
        let base = Template::new()
            .number(CKA_CLASS, CKO_CERTIFICATE)
            .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
            .bytes(CKA_SUBJECT, b"subject")
            .bytes(CKA_VALUE, b"value");
        let limits = [(CKA_VALUE, 32 * 1024), (CKA_ID, 128), (CKA_PUBLIC_KEY_INFO, 16 * 1024), (CKA_LABEL, 127)];
        for (id, most) in limits {
            let with = |length| session.create(&base.clone().without(id).bytes(id, &vec![b'x'; length]));
            with(most).unwrap();
            assert_eq!(with(most + 1), code(CKR_ATTRIBUTE_VALUE_INVALID), "{id:#x}");
        }
    });
}
