//! Certificates as CloudHSM stores them: whose they are, how many there can be, and what the switch keeps out (User Guide,
//! pkcs11-certificate-storage and its subpages).

use crate::support::*;

const STORED: &[(&str, &str)] = &[("CLOUDHSM_PKCS11_CERTIFICATE_STORAGE", "true")];
/// User Guide, limits: certificates of a cluster.
const MOST: usize = 60;

fn certificate(label: &str) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_CERTIFICATE)
        .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .bytes(CKA_SUBJECT, b"subject")
        .bytes(CKA_VALUE, b"value")
        .label(label)
}

/// A certificate is a public object: whoever may open a session may store, renew and remove it, with or without a login.
#[test]
fn a_certificate_is_nobodys() {
    isolated_with("cloudhsm", STORED, || {
        activate(&[ALICE, BOB]);
        let session = Session::open();
        let in_public = session.create(&certificate("made without a login")).unwrap();
        session.login(ALICE).unwrap();
        let of_alice = session.create(&certificate("made by alice")).unwrap();
        session.set(in_public, &Template::new().label("renewed by alice")).unwrap();
        session.logout().unwrap();
        session.login(BOB).unwrap();
        assert_eq!(session.labelled("made by alice"), [of_alice]);
        session.set(of_alice, &Template::new().label("renewed by bob")).unwrap();
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        session.set(of_alice, &Template::new().label("renewed by the officer")).unwrap();
        session.logout().unwrap();
        assert_eq!(session.labelled("renewed by the officer"), [of_alice]);
        session.destroy(of_alice).unwrap();
        session.destroy(in_public).unwrap();
        assert_eq!(session.find(&Template::new().number(CKA_CLASS, CKO_CERTIFICATE)), Ok(vec![]));
    });
}

/// A full store is CKR_FUNCTION_FAILED, and one certificate less makes room for one.
#[test]
fn sixty_and_no_more() {
    isolated_with("cloudhsm", STORED, || {
        activate(&[]);
        let session = Session::open();
        let first = session.create(&certificate("first")).unwrap();
        for _ in 1..MOST {
            session.create(&certificate("another")).unwrap();
        }
        assert_eq!(session.create(&certificate("too many")), code(CKR_FUNCTION_FAILED));
        session.destroy(first).unwrap();
        assert!(session.create(&certificate("room again")).is_ok());
    });
}

/// Without the switch there are none, as before `configure-pkcs11 --enable-certificate-storage`.
#[test]
fn none_without_the_switch() {
    isolated(|| {
        let session = hsm();
        assert_eq!(session.create(&certificate("unwanted")), code(CKR_ATTRIBUTE_VALUE_INVALID));
    });
}

/// AWS's list of functions has C_SetAttributeValue for certificates alone.
#[test]
fn strict_changes_certificates_only() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.must(test.stage("strict", home.path(), "change").envs(STORED.iter().copied()));
        }
        "make" => drop(hsm()),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let stored = session.create(&certificate("stored")).unwrap();
            assert_eq!(session.set(stored, &Template::new().label("renewed")), Ok(()));
            let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            assert_eq!(session.set(key, &Template::new().label("renewed")), code(CKR_FUNCTION_NOT_SUPPORTED));
        }
    });
}
