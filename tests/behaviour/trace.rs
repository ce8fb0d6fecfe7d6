//! The trace: one line for each call of a process, whole and true, with no secret in it, and nothing at all while it is off.
//!
//! The library that is loaded is asked through its function list, and the file is read by another process. docs/tracing.md has
//! the form.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::*;

const TEXT: &str = "text";
const JSON: &str = "json";
/// What a program must not find in the trace: a key that comes in, and what goes in and comes out.
const KEY: [u8; 32] = *b"0123456789abcdefSECRETSECRETabcd";
const PLAIN: &[u8; 32] = b"a plaintext that nobody may see!";

/// What an application does; `folder` gets what the tests look for.
fn work(folder: &Path) {
    let session = hsm();
    let key = session
        .create(
            &plain_aes_value(&KEY).label("a \"key\") = CKR_OK, 1.000 us").bytes(CKA_ID, &[1, 0xab]).on(&[CKA_ENCRYPT]),
        )
        .unwrap();
    let mut iv = Mechanism::bytes(CKM_AES_CBC, &[7; 16]);
    let cipher = session.encrypt(&mut iv, key, PLAIN).unwrap();
    fs::write(folder.join("cipher"), cipher).unwrap();
    assert_eq!(session.login(ALICE), code(CKR_USER_ALREADY_LOGGED_IN));
    assert!(session.labelled("no such key").is_empty());
    session.close().unwrap();
    assert_eq!(answer(call!(C_Logout(0x1234))), code(CKR_SESSION_HANDLE_INVALID));
    assert_eq!(answer(call!(C_GetInfo(std::ptr::null_mut()))), code(CKR_ARGUMENTS_BAD));
    finalize().unwrap();
}

/// Functions and results of `work` from the imported key on, as the calls above have them (PKCS#11 3.2 sections 5.6 to 5.8).
const EXPECTED: [(&str, &str); 11] = [
    ("C_CreateObject", "CKR_OK"),
    ("C_EncryptInit", "CKR_OK"),
    ("C_Encrypt", "CKR_OK"),
    ("C_Login", "CKR_USER_ALREADY_LOGGED_IN"),
    ("C_FindObjectsInit", "CKR_OK"),
    ("C_FindObjects", "CKR_OK"),
    ("C_FindObjectsFinal", "CKR_OK"),
    ("C_CloseSession", "CKR_OK"),
    ("C_Logout", "CKR_SESSION_HANDLE_INVALID"),
    ("C_GetInfo", "CKR_ARGUMENTS_BAD"),
    ("C_Finalize", "CKR_OK"),
];

/// Runs `work` with a trace in this form; what stands in the file afterwards, if there is one.
fn trace_of(test: &Test, form: &str, folder: &Folder) -> Option<String> {
    let file = folder.path().join("trace");
    let variables = [("CLOUDHSM_PKCS11_TRACE", form), ("CLOUDHSM_PKCS11_TRACE_FILE", file.to_str().unwrap())];
    test.must(test.stage("standard", &folder.path().join("home"), "work").envs(variables));
    file.exists().then(|| fs::read_to_string(file).unwrap())
}

/// No secret stands in a trace: as it is, in hexadecimal of either case, or as a list of numbers.
fn assert_keeps_secrets(trace: &str, folder: &Folder) {
    let cipher = fs::read(folder.path().join("cipher")).unwrap();
    assert!(cipher.len() >= PLAIN.len());
    let passwords = [ALICE, OFFICER].map(|pin| pin.split_once(':').unwrap().1.as_bytes().to_vec());
    for secret in [&KEY[..], &PLAIN[..], &cipher[..16], &passwords[0], &passwords[1]] {
        // A half of it is too much, too.
        for part in [&secret[..secret.len() / 2], &secret[secret.len() / 2..]] {
            let lower: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            let numbers: Vec<String> = part.iter().map(u8::to_string).collect();
            let forms = [
                String::from_utf8_lossy(part).into_owned(),
                lower.to_uppercase(),
                lower,
                numbers.join(","),
                numbers.join(", "),
            ];
            for form in forms {
                assert!(!trace.contains(&form), "{form} stands in the trace");
            }
        }
    }
}

#[test]
fn as_json_a_line_for_each_call() {
    staged(|stage, test| {
        if stage == "work" {
            return work(home().parent().unwrap());
        }
        let folder = Folder::new();
        let trace = trace_of(test, JSON, &folder).unwrap();
        let calls: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let name = |call: &Value| call["function"].as_str().unwrap().to_owned();
        assert_eq!(name(&calls[0]), "C_Initialize", "the call that begins the trace is in it");
        let start = calls.iter().position(|call| name(call) == "C_CreateObject").unwrap();
        let work = &calls[start..];
        let seen: Vec<(String, &str)> =
            work.iter().map(|call| (name(call), call["result"].as_str().unwrap())).collect();
        let expected: Vec<(String, &str)> =
            EXPECTED.iter().map(|(function, result)| ((*function).to_owned(), *result)).collect();
        assert_eq!(seen, expected);

        let template = work[0]["arguments"]["pTemplate"].as_array().unwrap();
        let of = |id: &str| template.iter().find(|entry| entry["type"] == id).unwrap();
        assert_eq!(*of("CKA_CLASS"), json!({ "type": "CKA_CLASS", "length": 8, "value": "CKO_SECRET_KEY" }));
        assert_eq!(of("CKA_KEY_TYPE")["value"], "CKK_AES");
        assert_eq!(of("CKA_LABEL")["value"], "a \"key\") = CKR_OK, 1.000 us");
        assert_eq!(of("CKA_ID")["value"], "01ab");
        assert_eq!(of("CKA_ENCRYPT")["value"], true);
        assert_eq!(*of("CKA_VALUE"), json!({ "type": "CKA_VALUE", "length": 32 }));
        let key = &work[0]["arguments"]["phObject"];
        assert!(key.as_u64().is_some());
        assert_eq!(work[1]["arguments"]["pMechanism"], json!({ "type": "CKM_AES_CBC", "parameter_length": 16 }));
        assert_eq!(work[1]["arguments"]["hKey"], *key);
        let encrypt = &work[2]["arguments"];
        assert_eq!((&encrypt["pData"], &encrypt["ulDataLen"]), (&json!("set"), &json!(32)));
        let length = &encrypt["pulEncryptedDataLen"];
        assert_eq!(length.get("after").unwrap_or(length), 32);
        assert_eq!(work[3]["arguments"]["userType"], "CKU_USER");
        assert_eq!(work[3]["arguments"]["pPin"], "set");
        assert!(work[3]["why"].as_str().unwrap().contains("logged in"));
        assert_eq!(work[5]["arguments"]["phObject"], json!([]));
        assert_eq!(work[8]["arguments"]["hSession"], 0x1234);
        assert_eq!(work[9]["arguments"]["pInfo"], Value::Null);
        for call in &calls {
            assert!(call["time"].as_f64().unwrap() > 1.7e9 && call["nanoseconds"].is_u64());
            assert!(call["pid"].is_u64() && call["thread"].is_u64());
        }
        assert_keeps_secrets(&trace, &folder);
    });
}

#[test]
fn as_text_too() {
    staged(|stage, test| {
        if stage == "work" {
            return work(home().parent().unwrap());
        }
        let folder = Folder::new();
        let trace = trace_of(test, TEXT, &folder).unwrap();
        for part in [
            r#"pTemplate=[CKA_CLASS=CKO_SECRET_KEY, CKA_KEY_TYPE=CKK_AES, CKA_VALUE 32 bytes, CKA_LABEL="a \"key\") = CKR_OK, 1.000 us""#,
            "pMechanism=CKM_AES_CBC with 16 bytes, hKey=",
            "C_Logout(hSession=4660) = CKR_SESSION_HANDLE_INVALID, ",
            "C_GetInfo(pInfo=NULL) = CKR_ARGUMENTS_BAD, ",
            "C_Finalize(pReserved=NULL) = CKR_OK, ",
        ] {
            assert!(trace.contains(part), "{part}: {trace}");
        }
        assert_keeps_secrets(&trace, &folder);
    });
}

#[test]
fn off_there_is_no_file() {
    staged(|stage, test| {
        if stage == "work" {
            return work(home().parent().unwrap());
        }
        assert_eq!(trace_of(test, "off", &Folder::new()), None);
    });
}

/// Eight threads write at once, and no line is broken by another.
#[test]
fn lines_are_whole() {
    const THREADS: usize = 8;
    const CALLS: usize = 200;
    staged(|stage, test| {
        if stage == "work" {
            let session = hsm();
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| (0..CALLS).for_each(|_| assert_ne!(session.information().unwrap().state, 0)));
                }
            });
            return finalize().unwrap();
        }
        let trace = trace_of(test, JSON, &Folder::new()).unwrap();
        let calls: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of: Vec<&Value> = calls.iter().filter(|call| call["function"] == "C_GetSessionInfo").collect();
        let mut threads: Vec<u64> = of.iter().map(|call| call["thread"].as_u64().unwrap()).collect();
        threads.sort_unstable();
        threads.dedup();
        assert_eq!((of.len(), threads.len()), (THREADS * CALLS, THREADS));
    });
}
