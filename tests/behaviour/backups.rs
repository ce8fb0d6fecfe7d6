//! Backups as an application sees them: the same keys, check values and signatures before and after; and what a program
//! hears that has the HSM open while it is restored.

use std::path::{Path, PathBuf};

use hsm::module::{Module, Pin, Role};

use crate::support::*;

const DATA: &[u8] = b"what is signed before and verified after";

/// Makes a backup, in a process that has not loaded the library.
fn back_up(home: &Path, file: &Path) {
    let module = Module::open(&config(home), "hsm1").unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER.as_bytes()).unwrap();
    module.backup(&officer, Some(file), &mut |_, _| {}).unwrap();
    module.close();
}

fn restore(home: &Path, file: &Path, force: bool) {
    let officer = Pin::split(OFFICER.as_bytes(), Role::CryptoOfficer, false).unwrap();
    Module::restore(&config(home), "hsm1", file, &officer, force, &mut |_, _| {}).unwrap();
}

/// The mechanisms of the pairs and the labels of their keys.
const PAIRS: [(&str, CK_MECHANISM_TYPE); 2] = [("ec", CKM_ECDSA_SHA256), ("rsa", CKM_SHA256_RSA_PKCS)];

fn key(session: Session, label: &str) -> CK_OBJECT_HANDLE {
    let found = session.find(&Template::new().label(label)).unwrap();
    assert_eq!(found.len(), 1, "{label}");
    found[0]
}

/// Signs with each private key, into files of the folder.
fn sign_all(session: Session, folder: &Path) {
    for (name, mechanism) in PAIRS {
        let private = key(session, &format!("{name}-private"));
        let signature = session.sign(&mut Mechanism::new(mechanism), private, DATA).unwrap();
        std::fs::write(folder.join(name), signature).unwrap();
    }
}

/// Verifies with each public key what another HSM of the lineage has signed.
fn verify_all(session: Session, folder: &Path) {
    for (name, mechanism) in PAIRS {
        let signature = std::fs::read(folder.join(name)).unwrap();
        let public = key(session, &format!("{name}-public"));
        session.verify(&mut Mechanism::new(mechanism), public, DATA, &signature).unwrap();
    }
}

fn check_value(session: Session) -> Vec<u8> {
    session.read(key(session, "aes"), CKA_CHECK_VALUE).unwrap()
}

fn alice() -> Session {
    initialize().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    session
}

#[test]
fn the_same_keys_before_and_after() {
    staged(|stage, test| match stage {
        "" => {
            let (old, new, files) = (Folder::new(), Folder::new(), Folder::new());
            let run = |home: &Folder, stage| {
                test.must(test.stage("cloudhsm", home.path(), stage).env("CLOUDHSM_TEST_FILES", files.path()));
            };
            run(&old, "make");
            let backup = files.path().join("backup");
            back_up(old.path(), &backup);
            restore(new.path(), &backup, false);
            run(&new, "after");
            run(&old, "back");
        }
        stage => {
            let files = PathBuf::from(std::env::var_os("CLOUDHSM_TEST_FILES").unwrap());
            match stage {
                "make" => {
                    let session = hsm();
                    let aes = aes().label("aes").on(&[CKA_TOKEN]);
                    session.generate(CKM_AES_KEY_GEN, &aes).unwrap();
                    for (name, mechanism, public, private) in [
                        ("ec", CKM_EC_KEY_PAIR_GEN, ec_public(P256), ec_private()),
                        ("rsa", CKM_RSA_X9_31_KEY_PAIR_GEN, rsa_public(2048), rsa_private()),
                    ] {
                        let public = public.label(&format!("{name}-public")).on(&[CKA_TOKEN]);
                        let private = private.label(&format!("{name}-private")).on(&[CKA_TOKEN]);
                        session.generate_pair(mechanism, &public, &private).unwrap();
                    }
                    sign_all(session, &files);
                    std::fs::write(files.join("check"), check_value(session)).unwrap();
                }
                "after" => {
                    let session = alice();
                    verify_all(session, &files);
                    assert_eq!(check_value(session), std::fs::read(files.join("check")).unwrap());
                    sign_all(session, &files);
                }
                "back" => verify_all(alice(), &files),
                other => panic!("{other}"),
            }
        }
    });
}

/// Every call that needs the HSM's content fails until the library is initialized anew, and nothing old is used meanwhile.
#[test]
fn a_program_that_has_the_hsm_open() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            back_up(home.path(), &home.path().join("backup"));
            test.run("cloudhsm", home.path(), "open");
        }
        "make" => {
            hsm().generate(CKM_AES_KEY_GEN, &aes().label("old").on(&[CKA_TOKEN])).unwrap();
        }
        "open" => {
            let session = alice();
            let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
            let old = key(session, "old");
            session.encrypt(&mut cbc(), old, &[0; 16]).unwrap();
            let newer = session.generate(CKM_AES_KEY_GEN, &aes().label("newer").on(&[CKA_TOKEN])).unwrap();
            test.run("cloudhsm", &home(), "replace");
            for _ in 0..2 {
                for key in [old, newer] {
                    assert_eq!(session.encrypt(&mut cbc(), key, &[0; 16]), code(CKR_DEVICE_ERROR));
                }
                assert_eq!(session.find(&Template::new().label("old")), code(CKR_DEVICE_ERROR));
                assert_eq!(session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_TOKEN])), code(CKR_DEVICE_ERROR));
            }
            session.logout().unwrap();
            assert_eq!(session.login(ALICE), code(CKR_DEVICE_ERROR));
            finalize().unwrap();
            let session = alice();
            session.encrypt(&mut cbc(), key(session, "old"), &[0; 16]).unwrap();
            assert_eq!(session.find(&Template::new().label("newer")).unwrap(), [0; 0]);
        }
        "replace" => restore(&home(), &home().join("backup"), true),
        other => panic!("{other}"),
    });
}
