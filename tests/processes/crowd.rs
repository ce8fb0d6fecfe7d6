//! Keys that one process makes and others use.

use std::process::Stdio;

use super::shim::{self, Event};
use crate::support::*;

const MESSAGE: &[u8] = b"signed by another process";

/// Logs in, in a process that finds an HSM.
fn user() -> Session {
    initialize().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    session
}

/// One key of each kind is made in one process and used in another: found by label and by ID, with all it was made with.
#[test]
fn a_key_made_here_is_used_there() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("cloudhsm", home.path(), "use");
            test.run("cloudhsm", home.path(), "gone");
        }
        "make" => {
            let session = hsm();
            let lasting =
                |label: &str| Template::new().flag(CKA_TOKEN, true).label(label).bytes(CKA_ID, label.as_bytes());
            let (public, private) = (ec_public(P256).and(&lasting("ec")), ec_private().and(&lasting("ec")));
            session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap();
            let (public, private) = (rsa_public(2048).and(&lasting("rsa")), rsa_private().and(&lasting("rsa")));
            session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private).unwrap();
            let aes =
                session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting("aes")).flag(CKA_EXTRACTABLE, false)).unwrap();
            let cipher = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), aes, &[42; 16]).unwrap();
            std::fs::write(home().join("cipher"), cipher).unwrap();
            let value = generic_value(&[0x0b; 20]).and(&lasting("hmac"));
            session.create(&value).unwrap();
            session.generate(CKM_AES_KEY_GEN, &crate::support::aes().label("passing")).unwrap();
        }
        "use" => {
            let session = user();
            assert_eq!(session.find(&Template::new()).unwrap().len(), 6);
            assert!(session.labelled("passing").is_empty(), "session keys go with their process");
            let half = |label: &str, class| {
                let template = Template::new().bytes(CKA_ID, label.as_bytes()).number(CKA_CLASS, class);
                let found = session.find(&template).unwrap();
                assert_eq!(found.len(), 1, "{label}");
                found[0]
            };
            for (label, mechanism) in [("ec", CKM_ECDSA_SHA256), ("rsa", CKM_SHA256_RSA_PKCS)] {
                let (public, private) = (half(label, CKO_PUBLIC_KEY), half(label, CKO_PRIVATE_KEY));
                let signature = session.sign(&mut Mechanism::new(mechanism), private, MESSAGE).unwrap();
                session.verify(&mut Mechanism::new(mechanism), public, MESSAGE, &signature).unwrap();
                assert_eq!(session.flag(private, CKA_LOCAL), Ok(true));
            }
            let aes = half("aes", CKO_SECRET_KEY);
            let cipher = std::fs::read(home().join("cipher")).unwrap();
            assert_eq!(session.decrypt(&mut Mechanism::new(CKM_AES_ECB), aes, &cipher).unwrap(), [42; 16]);
            assert_eq!(session.flag(aes, CKA_NEVER_EXTRACTABLE), Ok(true));
            assert_eq!(session.flag(aes, CKA_DESTROYABLE), Ok(true));
            // RFC 4231, test case 1.
            let mac = session.sign(&mut Mechanism::new(CKM_SHA256_HMAC), half("hmac", CKO_SECRET_KEY), b"Hi There");
            assert_eq!(mac.unwrap(), hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
            session.destroy(aes).unwrap();
        }
        _ => {
            let session = user();
            assert!(session.labelled("aes").is_empty(), "destroyed by another process");
            assert_eq!(session.find(&Template::new()).unwrap().len(), 5);
        }
    });
}

/// What one process changes the other sees at its next call, without a new start (generations, storage guard rails).
#[test]
fn a_running_process_sees_changes() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "watch");
        }
        "watch" => {
            let session = hsm();
            let lasting = Template::new().flag(CKA_TOKEN, true);
            let first = session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting).label("first")).unwrap();
            let second = session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting).label("second")).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), first, &[0; 16]).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), second, &[0; 16]).unwrap();
            // What is asked twice is remembered, and must not be any longer than it is true.
            for _ in 0..2 {
                assert_eq!(session.labelled("first"), [first]);
                assert!(session.labelled("third").is_empty());
            }
            test.run("cloudhsm", &home(), "change");
            assert_eq!(session.labelled("third").len(), 1, "a new key is found");
            assert!(session.labelled("first").is_empty(), "a destroyed one is not");
            let used = session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), first);
            assert_eq!(used, code(CKR_KEY_HANDLE_INVALID), "a key that another process destroyed");
            assert_eq!(session.read(first, CKA_LABEL), code(CKR_OBJECT_HANDLE_INVALID));
            assert_eq!(session.read(second, CKA_LABEL).unwrap(), b"renamed");
            let used = session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), second);
            assert_eq!(used, code(CKR_KEY_FUNCTION_NOT_PERMITTED), "the other process took CKA_ENCRYPT away");
        }
        _ => {
            let session = user();
            session.destroy(session.labelled("first")[0]).unwrap();
            let second = session.labelled("second")[0];
            session.set(second, &Template::new().label("renamed").flag(CKA_ENCRYPT, false)).unwrap();
            session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("third")).unwrap();
        }
    });
}

/// A program that logs in again with a PIN that was right before gets the answer of today: another process has changed the PIN,
/// or has guessed until the user was locked (design of repeated logins; User Guide, cloudhsm_cli-login, for the five attempts).
#[test]
fn a_login_again_asks_what_has_become_of_the_user() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "watch");
        }
        "watch" => {
            let session = hsm();
            let again = || {
                session.logout().unwrap();
                session.login(ALICE)
            };
            again().unwrap();
            again().unwrap();
            session.logout().unwrap();
            test.run("cloudhsm", &home(), "change");
            assert_eq!(session.login(ALICE), code(CKR_PIN_INCORRECT), "the PIN of before");
            session.login(OTHER).unwrap();
            session.logout().unwrap();
            test.run("cloudhsm", &home(), "guess");
            assert_eq!(
                session.login(OTHER),
                code(CKR_PIN_LOCKED),
                "the right PIN, remembered here, of a user who is locked"
            );
        }
        "change" => user().set_pin(ALICE, OTHER).unwrap(),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            for _ in 0..5 {
                assert_eq!(session.login("alice:not-the-password"), code(CKR_PIN_INCORRECT));
            }
        }
    });
}

const OTHER: &str = "alice:another-password";
const PROCESSES: usize = 8;
const THREADS: u8 = 32;
const ROUNDS: u8 = 10;
const CYCLES: usize = 40;

/// Issue 2: 8 processes x 40 cycles of open, log in, sign, log out, close at once: no failure.
#[test]
fn a_crowd_signs() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            together(test, home.path(), "sign", PROCESSES);
            println!("{} cycles of {PROCESSES} processes", PROCESSES * CYCLES);
        }
        "make" => {
            let lasting = Template::new().flag(CKA_TOKEN, true).label("shared");
            let (public, private) = (ec_public(P256).and(&lasting), ec_private().and(&lasting));
            hsm().generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap();
        }
        _ => {
            for _ in 0..CYCLES {
                let session = user();
                let find = |class| session.find(&Template::new().label("shared").number(CKA_CLASS, class)).unwrap()[0];
                let (public, private) = (find(CKO_PUBLIC_KEY), find(CKO_PRIVATE_KEY));
                let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, MESSAGE).unwrap();
                session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), public, MESSAGE, &signature).unwrap();
                session.logout().unwrap();
                session.close().unwrap();
                finalize().unwrap();
            }
        }
    });
}

/// The same with writers: every process makes and destroys token keys while the others do.
#[test]
fn a_crowd_writes() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            together(test, home.path(), "write", PROCESSES);
            test.run("cloudhsm", home.path(), "count");
        }
        "make" => activate(&[ALICE]),
        "write" => {
            let session = user();
            let own = std::process::id();
            for at in 0..10 {
                let key = |name: &str| aes().flag(CKA_TOKEN, true).label(&format!("{name} {own} {at}"));
                session.generate(CKM_AES_KEY_GEN, &key("kept")).unwrap();
                let passing = session.generate(CKM_AES_KEY_GEN, &key("passing")).unwrap();
                session.destroy(passing).unwrap();
            }
        }
        _ => assert_eq!(user().find(&Template::new()).unwrap().len(), 10 * PROCESSES),
    });
}

/// Two processes that activate a fresh HSM at once: one wins, the other is told in one line, nothing is broken.
#[test]
fn two_creators_at_once() {
    staged(|stage, test| match stage {
        "" => {
            for _ in 0..5 {
                let home = Folder::new();
                let said = together(test, home.path(), "create", 2);
                assert!(said.iter().any(|said| said.contains("created")), "{said:?}");
                for refused in said.iter().filter(|said| !said.contains("created\n")) {
                    assert!(refused.contains("another process") || refused.contains("already exists"), "{refused}");
                    assert_eq!(refused.matches("cloudhsm-pkcs11[").count(), 1, "one line: {refused}");
                }
                test.run("cloudhsm", home.path(), "look");
            }
        }
        "create" => {
            initialize().unwrap();
            // The one who comes second has the right PIN too, so it may initialize anew what the first has made.
            match init_token(OFFICER, "hsm1") {
                Ok(()) => println!("created"),
                refused => assert_eq!(refused, code(CKR_DEVICE_ERROR)),
            }
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login_as(CKU_SO, OFFICER).unwrap();
            session.init_pin(ALICE).unwrap();
            session.logout().unwrap();
            session.login(ALICE).unwrap();
            session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        }
    });
}

/// Runs so many processes of one stage at once; all must succeed. The answer is what each said.
fn together(test: &Test, home: &std::path::Path, stage: &str, count: usize) -> Vec<String> {
    let children: Vec<_> = (0..count)
        .map(|_| {
            let mut command = test.stage("cloudhsm", home, stage);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", told(output));
    }
    outputs.iter().map(told).collect()
}

/// 32 threads of one process, each with a session: reads, signatures and writes at once.
#[test]
fn threads_share_the_library() {
    isolated(|| {
        let session = hsm();
        let (public, private) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private()).unwrap();
        std::thread::scope(|scope| {
            for at in 0..THREADS {
                scope.spawn(move || {
                    let session = Session::open();
                    for round in 0..ROUNDS {
                        let message = [at, round];
                        let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, &message).unwrap();
                        session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), public, &message, &signature).unwrap();
                        let lasting = aes().flag(CKA_TOKEN, round % 5 == 0).bytes(CKA_ID, &message);
                        let key = session.generate(CKM_AES_KEY_GEN, &lasting).unwrap();
                        assert_eq!(session.find(&Template::new().bytes(CKA_ID, &message)).unwrap(), [key]);
                        session.destroy(key).unwrap();
                    }
                    session.close().unwrap();
                });
            }
        });
        assert_eq!(session.find(&Template::new()).unwrap().len(), 2);
        println!("{} rounds of {THREADS} threads", u32::from(THREADS) * u32::from(ROUNDS));
    });
}

/// Threads that make keys at once wait for the disk together, and what they have made is there.
#[test]
fn threads_wait_for_the_disk_together() {
    const WRITERS: u8 = 8;
    const EACH: u8 = 10;
    staged(|stage, test| match stage {
        "" => {
            let (home, tools) = (Folder::new(), Folder::new());
            test.run("cloudhsm", home.path(), "make");
            let record = tools.path().join("record");
            let mut command = test.stage("cloudhsm", home.path(), "work");
            command.env("LD_PRELOAD", shim::build(tools.path())).env("IO_SHIM_ROOT", home.path());
            // A disk as slow as disks are, so that there is something to wait for.
            test.must(command.env("IO_SHIM_SLOW", "30").env("IO_SHIM_TRACE", &record));
            let keys = usize::from(WRITERS) * usize::from(EACH);
            let events = shim::read_record(&std::fs::read(&record).unwrap());
            let syncs = events.iter().filter(|event| matches!(event, Event::Synced(_))).count();
            println!("{keys} keys of {WRITERS} threads, {syncs} syncs");
            assert!(syncs > 0 && syncs <= keys / 2, "{syncs} syncs for {keys} keys");
            test.run("cloudhsm", home.path(), "count");
        }
        "make" => activate(&[ALICE]),
        "work" => {
            user();
            std::thread::scope(|scope| {
                for thread in 0..WRITERS {
                    scope.spawn(move || {
                        let session = Session::open();
                        for at in 0..EACH {
                            let lasting = aes().flag(CKA_TOKEN, true).bytes(CKA_ID, &[thread, at]);
                            session.generate(CKM_AES_KEY_GEN, &lasting).unwrap();
                        }
                    });
                }
            });
        }
        _ => {
            let session = user();
            for thread in 0..WRITERS {
                for at in 0..EACH {
                    assert_eq!(session.find(&Template::new().bytes(CKA_ID, &[thread, at])).unwrap().len(), 1);
                }
            }
        }
    });
}
