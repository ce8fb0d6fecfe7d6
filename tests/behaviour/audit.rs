//! The audit log of what an application does through the C functions: which events each setting has, in AWS's words (User
//! Guide, cloudhsm-audit-log-reference, interpreting-audit-logs and pkcs11-certificate-storage-audit-logs).

use std::path::Path;

use hsm::module::{Entry, Module, Role};

use base::ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;

use crate::support::*;

const AWS: (&str, &str) = ("CLOUDHSM_PKCS11_AUDIT", "aws");
const KEY_USE: (&str, &str) = ("CLOUDHSM_PKCS11_AUDIT_KEY_USE", "true");
const REQUIRED: (&str, &str) = ("CLOUDHSM_PKCS11_AUDIT_REQUIRED", "true");

/// The log of a home, read by a process that has not loaded the library; it is whole.
fn log(home: &Path) -> Vec<Entry> {
    let module = Module::open(&config(home), "hsm1").unwrap();
    let officer = module.login(Role::CryptoOfficer, OFFICER.as_bytes()).unwrap();
    let mut entries = Vec::new();
    let total = module
        .read_audit(&officer, 0, &mut |entry| {
            entries.push(entry.clone());
            Ok(true)
        })
        .unwrap();
    assert_eq!(total, entries.len() as u64);
    assert!(entries.iter().zip(0..).all(|(entry, place)| entry.sequence == place), "no gaps");
    let check = module.verify_audit(None).unwrap();
    assert!(check.broken_at.is_none() && check.head.records == total);
    module.close();
    entries
}

/// One event in a line: its name, the user that AWS's form names, the outcome if it is none of success, what more there is.
fn line(entry: &Entry) -> String {
    let mut line = entry.row().map_or("?", |row| row.name).to_owned();
    for part in [&entry.user().name, &entry.detail] {
        if !part.is_empty() {
            line = format!("{line} {part}");
        }
    }
    if entry.response == 0 { line } else { format!("{line} {}", entry.response) }
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(line).collect()
}

/// What an application does; the same under every setting.
fn work() {
    activate(&[ALICE]);
    let session = Session::open();
    assert_eq!(session.login("nobody:some-password"), code(CKR_PIN_INCORRECT));
    assert_eq!(session.login("alice:wrong-password"), code(CKR_PIN_INCORRECT));
    session.login(ALICE).unwrap();
    let token =
        session.generate(CKM_AES_KEY_GEN, &aes().label("token").on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP])).unwrap();
    let of_session = session.generate(CKM_AES_KEY_GEN, &aes().label("session").on(&[CKA_EXTRACTABLE])).unwrap();
    let (_, private) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private()).unwrap();
    session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"data").unwrap();
    let form = || Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
    let wrapped = session.wrap(&mut form(), token, of_session).unwrap();
    session.unwrap(&mut form(), token, &wrapped, &plain_aes_template()).unwrap();
    session.destroy(of_session).unwrap();
    session.set(token, &Template::new().label("renamed")).unwrap();
    session.destroy(token).unwrap();
    session.logout().unwrap();
    // A second login ends with its session, a third one with the application.
    session.login(ALICE).unwrap();
    session.close().unwrap();
    let session = Session::open();
    session.login(ALICE).unwrap();
    let other = Session::open();
    other.generate(CKM_AES_KEY_GEN, &aes().label("goes with its session")).unwrap();
    other.close().unwrap();
    finalize().unwrap();
}

fn plain_aes_template() -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES)
}

const ACTIVATION: [&str; 5] =
    ["CN_INIT_TOKEN", "CN_GEN_PSWD_ENC_KEY", "CN_INIT_DONE", "CN_CHANGE_PSWD admin", "CN_CREATE_USER alice"];

#[test]
fn changes_and_failed_logins() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "work");
            let entries = log(home.path());
            let after = [
                "CN_LOGIN nobody 157",
                "CN_LOGIN alice 163",
                "CN_GENERATE_KEY alice",
                "CN_MODIFY_OBJECT alice Label",
                "CN_TOMBSTONE_OBJECT alice",
            ];
            assert_eq!(lines(&entries), [&ACTIVATION[..], &after].concat());
            let by: Vec<&str> = entries.iter().map(|entry| entry.by.name.as_str()).collect();
            assert_eq!(by, ["", "", "", "", "admin", "", "", "alice", "alice", "alice"]);
            let key = entries[7].objects;
            assert!(key[0] > 0 && key[1] == 0 && entries[8].objects == key && entries[9].objects == key);
            assert!(entries.windows(2).all(|pair| pair[0].time_us <= pair[1].time_us && pair[1].reboot_counter == 0));
        }
        "work" => work(),
        other => panic!("{other}"),
    });
}

#[test]
fn everything_that_aws_has() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.must(test.stage("cloudhsm", home.path(), "work").envs([AWS]));
            let entries = log(home.path());
            let officer = ["CN_LOGIN admin", "CN_CREATE_USER alice", "CN_LOGOUT admin"];
            let after = [
                "CN_LOGIN nobody 157",
                "CN_LOGIN alice 163",
                "CN_LOGIN alice",
                "CN_GENERATE_KEY alice",
                "CN_GENERATE_KEY alice",
                "CN_GENERATE_KEY_PAIR alice",
                "CN_WRAP_KEY alice",
                "CN_NIST_AES_WRAP alice",
                "CN_NIST_AES_WRAP alice",
                "CN_UNWRAP_KEY alice",
                "CN_DESTROY_OBJECT alice",
                "CN_MODIFY_OBJECT alice Label",
                "CN_TOMBSTONE_OBJECT alice",
                "CN_DESTROY_OBJECT alice",
                "CN_DESTROY_OBJECT alice",
                "CN_DESTROY_OBJECT alice",
                "CN_LOGOUT alice",
                "CN_LOGIN alice",
                "CN_CLOSE_SESSION alice",
                "CN_LOGIN alice",
                "CN_GENERATE_KEY alice",
                "CN_DESTROY_OBJECT alice",
                "CN_APP_FINALIZE alice",
            ];
            assert_eq!(lines(&entries), [&ACTIVATION[..4], &officer, &after].concat());
            let work = &entries[7..];
            // The wrapped key, the wrapping key; a pair has two handles, a destroyed key stands where a single one does.
            let (token, of_session) = (work[3].objects, work[4].objects);
            assert_eq!([work[6].objects, work[7].objects, work[8].objects], [of_session, token, token]);
            assert!(work[5].objects.iter().all(|handle| *handle > 0));
            assert_eq!([work[10].objects, work[12].objects], [of_session, token]);
            // What went with the logout: the pair and the unwrapped key.
            let mut gone = [13, 14, 15].map(|place: usize| work[place].objects[0]);
            let mut made = [work[5].objects[0], work[5].objects[1], work[9].objects[0]];
            gone.sort_unstable();
            made.sort_unstable();
            assert_eq!(gone, made);
            assert_eq!(work[20].objects, work[21].objects);
            // One login, one session handle; another login, another.
            let session = work[2].session;
            assert!(work[2..17].iter().all(|entry| entry.session == session));
            assert!(work[17].session != session && work[19].session != work[17].session);
        }
        "work" => work(),
        other => panic!("{other}"),
    });
}

#[test]
fn each_use_of_a_key() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.must(test.stage("cloudhsm", home.path(), "work").envs([KEY_USE]));
            let used: Vec<String> =
                lines(&log(home.path())).into_iter().filter(|line| line.starts_with("USE_KEY")).collect();
            let expected = [
                "USE_KEY alice Sign CKM_ECDSA_SHA256",
                "USE_KEY alice Wrap CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD",
                "USE_KEY alice Unwrap CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD",
            ];
            assert_eq!(used, expected);
            // Every use, not the first of a kind alone; what was refused is none.
            test.must(test.stage("cloudhsm", home.path(), "again").envs([KEY_USE]));
            let used: Vec<String> = lines(&log(home.path())).split_off(log(home.path()).len() - 5);
            let expected = [
                "CN_GENERATE_KEY alice",
                "USE_KEY alice Encrypt CKM_AES_CBC",
                "USE_KEY alice Encrypt CKM_AES_CBC",
                "USE_KEY alice Decrypt CKM_AES_CBC",
                "CN_TOMBSTONE_OBJECT alice",
            ];
            assert_eq!(used, expected);
        }
        "work" => work(),
        "again" => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let key = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_TOKEN]).off(&[CKA_SIGN])).unwrap();
            let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
            let encrypted = session.encrypt(&mut cbc(), key, &[0; 16]).unwrap();
            session.encrypt(&mut cbc(), key, &[0; 16]).unwrap();
            session.decrypt(&mut cbc(), key, &encrypted).unwrap();
            assert_eq!(session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
            session.destroy(key).unwrap();
            finalize().unwrap();
        }
        other => panic!("{other}"),
    });
}

/// No file of this process can be written from now on, as on a full disk.
fn fill_the_disk() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain number, and a limit that outlives the call.
    let set = unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none)
    };
    assert_eq!(set, 0);
}

/// A log that cannot be written holds nobody up, unless `audit_required` says so; then nothing is done that it does not tell.
#[test]
fn what_cannot_be_recorded() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let before = lines(&log(home.path()));
            test.must(test.stage("cloudhsm", home.path(), "goes on").envs([AWS, KEY_USE]));
            assert_eq!(lines(&log(home.path()))[before.len()..], ["CN_LOGIN alice"]);
            test.must(test.stage("cloudhsm", home.path(), "refused").envs([AWS, KEY_USE, REQUIRED]));
            assert_eq!(lines(&log(home.path()))[before.len() + 1..], ["CN_LOGIN alice"]);
            test.must(test.stage("cloudhsm", home.path(), "no login").envs([AWS, REQUIRED]));
            test.must(test.stage("cloudhsm", home.path(), "no need").envs([REQUIRED]));
            assert_eq!(lines(&log(home.path()))[before.len() + 2..], [""; 0]);
        }
        "make" => {
            hsm().generate(CKM_AES_KEY_GEN, &aes().label("key").on(&[CKA_TOKEN])).unwrap();
        }
        stage => {
            initialize().unwrap();
            let session = Session::open();
            let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
            if stage == "no login" {
                fill_the_disk();
                assert!(session.login(ALICE).is_err());
                assert_eq!(session.information().unwrap().state, CKS_RW_PUBLIC_SESSION);
                return;
            }
            session.login(ALICE).unwrap();
            let key = session.labelled("key")[0];
            fill_the_disk();
            let refused = stage == "refused";
            let made = session.generate(CKM_AES_KEY_GEN, &aes().label("of the session"));
            assert_eq!(made.is_err(), refused);
            assert_eq!(session.encrypt(&mut cbc(), key, &[0; 16]).is_err(), refused);
            assert_eq!(session.begin(Way::Encrypt, &mut cbc(), key).is_err(), refused);
            assert_eq!(session.labelled("of the session").len(), usize::from(!refused));
            // A logout is one whatever the log says.
            session.logout().unwrap();
            finalize().unwrap();
        }
    });
}

/// AWS's log of certificates: what succeeded under every setting, what failed with `audit=aws`.
#[test]
fn certificates_have_a_log_of_their_own() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            let variables = [("CLOUDHSM_PKCS11_CERTIFICATE_STORAGE", "true"), AWS];
            test.must(test.stage("cloudhsm", home.path(), "certificates").envs(variables));
            let entries = log(home.path());
            let own = &entries[6..];
            let words = |entry: &Entry| {
                let response = hsm::module::Response::of(entry.response).unwrap().of_certificate();
                format!("{} {response} {}", entry.row().unwrap().name, entry.detail)
            };
            let expected = [
                "CreateObject OK ",
                "SetAttributeValues OK Label",
                "CreateObject InvalidAttributeValue ",
                "DestroyObject OK ",
            ];
            assert_eq!(own.iter().map(words).collect::<Vec<_>>(), expected);
            assert!(own[0].objects[0] > 0 && own[0].objects == own[3].objects && own[2].objects == [0, 0]);
        }
        "certificates" => {
            activate(&[]);
            let session = Session::open();
            let certificate = Template::new()
                .number(CKA_CLASS, CKO_CERTIFICATE)
                .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
                .bytes(CKA_SUBJECT, b"subject")
                .bytes(CKA_VALUE, b"value");
            let made = session.create(&certificate).unwrap();
            session.set(made, &Template::new().label("changed")).unwrap();
            let long = certificate.without(CKA_VALUE).bytes(CKA_VALUE, &[0; 70_000]);
            assert_eq!(session.create(&long), code(CKR_ATTRIBUTE_VALUE_INVALID));
            session.destroy(made).unwrap();
            finalize().unwrap();
        }
        other => panic!("{other}"),
    });
}
