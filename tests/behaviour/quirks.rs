//! The switches of a dialect, each on and off in every profile: CLOUDHSM_PKCS11_<NAME>.

use std::path::Path;
use std::time::Duration;

use crate::support::*;

const PROFILES: [&str; 3] = ["cloudhsm", "strict", "standard"];

/// An AES key that signs, with this CKA_TOKEN.
fn aes_key(token: bool) -> Template {
    aes_value(&[1; 16]).flag(CKA_TOKEN, token).label("quirky")
}

/// Makes the HSM of `home` in `cloudhsm`, with alice and a token key: `strict` makes none.
fn made(test: &Test, home: &Path) {
    test.run("cloudhsm", home, "make");
}

fn make() {
    hsm().create(&aes_key(true)).unwrap();
}

fn login() -> Session {
    initialize().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    session
}

/// User Guide, ki-pkcs11-sdk: no read-only sessions. The SDK has them from 5.5 on (libp11#412), so the switch brings the old refusal
/// back.
#[test]
fn read_only_sessions() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            for profile in PROFILES {
                for value in ["true", "false"] {
                    let mut command = test.stage(profile, home.path(), value);
                    test.must(command.env("CLOUDHSM_PKCS11_READ_ONLY_SESSIONS", value));
                }
                test.run(profile, home.path(), "true");
            }
        }
        stage => {
            initialize().unwrap();
            let opened = Session::open_with(CKF_SERIAL_SESSION);
            assert_eq!(opened.err(), if stage == "true" { None } else { Some(Rv(CKR_FUNCTION_FAILED)) });
        }
    });
}

/// User Guide, working-client-sync: on a cluster of one HSM no token key can be made or used. Session keys, certificates,
/// finding and reading are not affected.
#[test]
fn key_availability_check() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            made(test, home.path());
            for profile in PROFILES {
                let log = home.path().join(format!("{profile}.log"));
                for value in ["true", "false"] {
                    let mut command = test.stage(profile, home.path(), value);
                    command.env("CLOUDHSM_PKCS11_LOG_FILE", &log);
                    test.must(command.env("CLOUDHSM_PKCS11_KEY_AVAILABILITY_CHECK", value));
                }
                let log = std::fs::read_to_string(log).unwrap();
                let words = "does not meet the availability requirements";
                // Made in three ways and begun twice.
                assert_eq!(log.lines().filter(|line| line.contains(words)).count(), 5, "{log}");
                assert!(log.contains("C_EncryptInit: CKR_FUNCTION_FAILED: Key 0x"), "{log}");
                assert!(log.contains("C_GenerateKeyPair: CKR_FUNCTION_FAILED: A new key"), "{log}");
                test.run(profile, home.path(), "false");
            }
        }
        "make" => make(),
        stage => {
            let session = login();
            let expected = |answer: Option<Rv>| {
                assert_eq!(answer, if stage == "true" { Some(Rv(CKR_FUNCTION_FAILED)) } else { None });
            };
            let key = session.labelled("quirky")[0];
            assert_eq!(session.number(key, CKA_VALUE_LEN), Ok(16));
            for _ in 0..2 {
                expected(session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).err());
            }
            let token = |template: Template| template.flag(CKA_TOKEN, true);
            let new = [
                session.create(&token(aes_value(&[2; 16]))),
                session.generate(CKM_AES_KEY_GEN, &token(aes())),
                session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &token(ec_private())).map(|pair| pair.1),
            ];
            for new in new {
                expected(new.err());
                if let Ok(key) = new {
                    session.destroy(key).unwrap();
                }
            }
            let passing = session.create(&aes_key(false)).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), passing, &[0; 16]).unwrap();
            session.digest_init(CKM_SHA256).unwrap();
            session.destroy(passing).unwrap();
            assert_eq!(session.labelled("quirky"), [key], "nothing was half made");
            if std::env::var("CLOUDHSM_PKCS11_PROFILE").unwrap() == "standard" {
                // What is no key need not be on two HSMs.
                let data = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &[1]).flag(CKA_TOKEN, true);
                session.create(&data).unwrap();
            }
        }
    });
}

/// User Guide, troubleshoot-hsm-throttling: over its rate the HSM answers 187, and the caller gets CKR_FUNCTION_FAILED.
#[test]
fn throttle() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            made(test, home.path());
            for profile in PROFILES {
                let log = home.path().join(format!("{profile}.log"));
                let mut command = test.stage(profile, home.path(), "busy");
                test.must(command.env("CLOUDHSM_PKCS11_LOG_FILE", &log).env("CLOUDHSM_PKCS11_THROTTLE", "4"));
                let log = std::fs::read_to_string(log).unwrap();
                assert!(log.contains("C_Encrypt: CKR_FUNCTION_FAILED: the HSM is busy: response code 187"), "{log}");
                test.must(test.stage(profile, home.path(), "free").env("CLOUDHSM_PKCS11_THROTTLE", "0"));
                test.run(profile, home.path(), "free");
            }
        }
        "make" => make(),
        "free" => {
            let session = login();
            let key = session.labelled("quirky")[0];
            for _ in 0..500 {
                session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            }
        }
        _ => busy(),
    });
}

fn busy() {
    let session = login();
    let key = session.labelled("quirky")[0];
    let begun = std::time::Instant::now();
    let answers: Vec<_> = (0..100).map(|_| session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16])).collect();
    let most = 4 * (begun.elapsed().as_secs() + 2);
    let done = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    assert!((2..=most).contains(&done), "{done} were done, at most {most} could be");
    let wrong = answers.iter().find(|answer| !matches!(answer, Ok(_) | Err(Rv(CKR_FUNCTION_FAILED))));
    assert_eq!(wrong, None);
    // What runs in the HSM waits its turn; on a slow machine it may have come again in between.
    let refused = |name: &str, run: &dyn Fn() -> Option<Rv>| {
        let found = (0..20).any(|_| {
            while session.find(&Template::new()).is_ok() {}
            run() == Some(Rv(CKR_FUNCTION_FAILED))
        });
        assert!(found, "{name}");
    };
    refused("C_CreateObject", &|| session.create(&aes_key(false)).err());
    refused("C_GenerateKey", &|| session.generate(CKM_AES_KEY_GEN, &aes()).err());
    refused("C_GetAttributeValue", &|| session.read(key, CKA_LABEL).err());
    if std::env::var("CLOUDHSM_PKCS11_PROFILE").unwrap() != "strict" {
        refused("C_SetAttributeValue", &|| session.set(key, &Template::new().label("quirky")).err());
    }
    refused("C_DestroyObject", &|| session.destroy(0).err());
    // The rest does not; nor does it take a turn from anybody.
    while session.find(&Template::new()).is_ok() {}
    session.digest_init(CKM_SHA256).unwrap();
    session.digest_into(b"abc", 32).unwrap();
    session.random(16).unwrap();
    session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key).unwrap();
    session.logout().unwrap();
    session.login(ALICE).unwrap();
    // A second later there is room again.
    std::thread::sleep(Duration::from_millis(1100));
    let key = session.labelled("quirky")[0];
    session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
}

/// A CloudHSM reads ten certificates a second and writes one (User Guide, pkcs11-certificate-storage).
#[test]
fn a_busy_hsm_has_rates_for_certificates() {
    isolated_with(
        "cloudhsm",
        &[("CLOUDHSM_PKCS11_CERTIFICATE_STORAGE", "true"), ("CLOUDHSM_PKCS11_THROTTLE", "100000")],
        || {
            activate(&[]);
            let session = Session::open();
            let certificate = Template::new()
                .number(CKA_CLASS, CKO_CERTIFICATE)
                .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
                .bytes(CKA_SUBJECT, b"subject")
                .bytes(CKA_VALUE, b"value");
            let made = session.create(&certificate).unwrap();
            let reads: Vec<_> = (0..1000).map(|_| session.read(made, CKA_VALUE)).collect();
            assert_eq!(reads[0], Ok(b"value".to_vec()));
            assert!(reads.contains(&code(CKR_FUNCTION_FAILED)), "a thousand reads are more than ten");
            let writes: Vec<_> = (0..100).map(|_| session.create(&certificate).map(drop)).collect();
            assert!(writes.contains(&code(CKR_FUNCTION_FAILED)));
        },
    );
}
