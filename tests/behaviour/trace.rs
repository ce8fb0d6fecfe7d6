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
const LEFTOVER: &[u8; 24] = b"left over in the memory!";
const LABEL: &str = "an answer";
const PLAIN: &[u8; 32] = b"a plaintext that nobody may see!";

/// What an application does; `folder` gets what the tests look for.
fn work(folder: &Path) {
    let session = hsm();
    let digest = session.digest(CKM_SHA256, PLAIN).unwrap();
    let random = session.random(32).unwrap();
    let own = Template::new().number(CKA_VALUE_LEN, 32).text(CKA_LABEL, LABEL).on(&[CKA_SIGN]);
    let own = session.generate(CKM_GENERIC_SECRET_KEY_GEN, &own).unwrap();
    let mac = session.sign(&mut Mechanism::new(CKM_SHA256_HMAC), own, PLAIN).unwrap();
    // An answer, and what stands in the memory for one that there is none of.
    let (mut label, mut leftover) = (*LEFTOVER, *LEFTOVER);
    let mut asked = [(CKA_LABEL, &mut label), (CKA_APPLICATION, &mut leftover)].map(|(id, room)| CK_ATTRIBUTE {
        type_: id,
        pValue: room.as_mut_ptr().cast(),
        ulValueLen: LEFTOVER.len() as CK_ULONG,
    });
    let answered = answer(call!(C_GetAttributeValue(session.0, own, asked.as_mut_ptr(), 2)));
    assert_eq!((answered, leftover), (code(CKR_ATTRIBUTE_TYPE_INVALID), *LEFTOVER));
    assert!(label.starts_with(LABEL.as_bytes()));
    for (name, secret) in [("digest", digest), ("random", random), ("mac", mac)] {
        fs::write(folder.join(name), secret).unwrap();
    }
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
    let made = ["cipher", "digest", "random", "mac"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(made.iter().all(|secret| secret.len() >= PLAIN.len()));
    let passwords = [ALICE, OFFICER].map(|pin| pin.split_once(':').unwrap().1.as_bytes().to_vec());
    let given = [&KEY[..], &PLAIN[..], &LEFTOVER[..]].map(<[u8]>::to_vec);
    for secret in given.iter().chain(&made).chain(&passwords) {
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

        let answers = calls.iter().find(|call| name(call) == "C_GetAttributeValue").unwrap();
        let lengths =
            json!([{ "type": "CKA_LABEL", "length": LABEL.len() }, { "type": "CKA_APPLICATION", "length": -1 }]);
        assert_eq!(answers["arguments"]["pTemplate"], lengths, "what came out is not shown");
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
        // docs/troubleshooting.md.
        assert_eq!(work[3]["what_to_do"], "log in once; log out to change the user");
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
            "\n    -> log in once; log out to change the user\n",
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

/// An address at which nothing is.
fn nowhere<T>() -> *mut T {
    std::ptr::without_provenance_mut(16)
}

/// Calls that are refused before the library looks where their pointers lead; with a trace they are no worse.
fn refused_unseen() {
    let session = hsm();
    let no_session = code(CKR_SESSION_HANDLE_INVALID);
    assert_eq!(answer(call!(C_GetObjectSize(5, 6, nowhere()))), no_session);
    assert_eq!(answer(call!(C_GetAttributeValue(5, 6, nowhere(), 1))), no_session);
    assert_eq!(answer(call!(C_GetMechanismList(5, std::ptr::null_mut(), nowhere()))), code(CKR_SLOT_ID_INVALID));
    assert_eq!(answer(call!(C_Encrypt(5, std::ptr::null_mut(), 7, nowhere(), nowhere()))), no_session);
    assert_eq!(answer(call!(C_GetOperationState(5, nowhere(), nowhere()))), code(CKR_FUNCTION_NOT_SUPPORTED));
    // What stands behind the attribute that is refused is not looked at, in this template and in the next.
    let mut size = 32 as CK_ULONG;
    let entry = |id, value: *mut CK_ULONG| CK_ATTRIBUTE { type_: id, pValue: value.cast(), ulValueLen: 8 };
    let mut refused = [entry(0x7fff_0001, &raw mut size), entry(CKA_VALUE_LEN, nowhere())];
    let mut key = 0;
    let made = call!(C_CreateObject(session.0, refused.as_mut_ptr(), 2, &raw mut key));
    assert_eq!(answer(made), code(CKR_ATTRIBUTE_TYPE_INVALID));
    let mut behind = [entry(CKA_CLASS, nowhere())];
    let mut mechanism = Mechanism::new(CKM_EC_KEY_PAIR_GEN);
    let place = &raw mut key;
    let (first, second) = (refused.as_mut_ptr(), behind.as_mut_ptr());
    let made = call!(C_GenerateKeyPair(session.0, mechanism.raw(), first, 2, second, 1, place, place));
    assert_eq!(answer(made), code(CKR_ATTRIBUTE_TYPE_INVALID));
    // So is what has the wrong shape, what has two values, and what is wrong inside a template in a template.
    let mut flag_of_two = [CK_TRUE, CK_TRUE];
    let long_flag = CK_ATTRIBUTE { type_: CKA_TOKEN, pValue: flag_of_two.as_mut_ptr().cast(), ulValueLen: 2 };
    let good_flag = CK_ATTRIBUTE { type_: CKA_ENCRYPT, pValue: flag_of_two.as_mut_ptr().cast(), ulValueLen: 1 };
    let mut other = [CK_FALSE];
    let second_flag = CK_ATTRIBUTE { pValue: other.as_mut_ptr().cast(), ..good_flag };
    let mut inner = [entry(0x7fff_0001, &raw mut size)];
    let nested = CK_ATTRIBUTE {
        type_: CKA_WRAP_TEMPLATE,
        pValue: inner.as_mut_ptr().cast(),
        ulValueLen: size_of::<CK_ATTRIBUTE>() as CK_ULONG,
    };
    for (mut entries, expected) in [
        ([long_flag, entry(CKA_VALUE_LEN, nowhere()), good_flag], CKR_ATTRIBUTE_VALUE_INVALID),
        ([good_flag, second_flag, entry(CKA_VALUE_LEN, nowhere())], CKR_TEMPLATE_INCONSISTENT),
        ([nested, entry(CKA_VALUE_LEN, nowhere()), good_flag], CKR_ATTRIBUTE_TYPE_INVALID),
    ] {
        let made = call!(C_CreateObject(session.0, entries.as_mut_ptr(), 3, &raw mut key));
        assert_eq!(answer(made), code(expected));
        let mut mechanism = Mechanism::new(CKM_EC_KEY_PAIR_GEN);
        let place = &raw mut key;
        let made =
            call!(C_GenerateKeyPair(session.0, mechanism.raw(), entries.as_mut_ptr(), 3, nowhere(), 1, place, place));
        assert_eq!(answer(made), code(expected));
    }
    // The handle is written over the place of a value, which is no address any more.
    let mut yes = CK_TRUE;
    let flag = |value: *mut CK_BBOOL| CK_ATTRIBUTE { type_: CKA_ENCRYPT, pValue: value.cast(), ulValueLen: 1 };
    let mut template = [entry(CKA_VALUE_LEN, &raw mut size), flag(&raw mut yes)];
    let over = (&raw mut template[1].pValue).cast::<CK_OBJECT_HANDLE>();
    let mut mechanism = Mechanism::new(CKM_AES_KEY_GEN);
    assert_eq!(answer(call!(C_GenerateKey(session.0, mechanism.raw(), template.as_mut_ptr(), 2, over))), Ok(()));
    let gone = code(CKR_CRYPTOKI_NOT_INITIALIZED);
    let child = forked(|| {
        assert_eq!(answer(call!(C_Digest(5, std::ptr::null_mut(), 0, std::ptr::null_mut(), nowhere()))), gone);
    });
    assert_eq!(joined(child), 0, "a child that has not called C_Initialize");
    finalize().unwrap();
    assert_eq!(answer(call!(C_GetSlotList(CK_TRUE, std::ptr::null_mut(), nowhere()))), gone);
    assert_eq!(answer(call!(C_CreateObject(5, nowhere(), 1, nowhere()))), gone);
}

/// The control of the words above is the library without a trace.
#[test]
fn nothing_is_read_that_the_call_does_not_read() {
    staged(|stage, test| {
        if stage == "work" {
            return refused_unseen();
        }
        assert_eq!(trace_of(test, "off", &Folder::new()), None);
        assert!(trace_of(test, TEXT, &Folder::new()).unwrap().contains("CKR_CRYPTOKI_NOT_INITIALIZED"));
        let trace = trace_of(test, JSON, &Folder::new()).unwrap();
        let calls: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = calls.last().unwrap();
        assert_eq!((&last["function"], &last["arguments"]["pTemplate"]), (&json!("C_CreateObject"), &json!("set")));
        assert!(last["why"].as_str().unwrap().contains("C_Initialize"), "{last}");
        let child = calls.iter().find(|call| call["function"] == "C_Digest").unwrap();
        assert_ne!(child["pid"], last["pid"]);
        assert_eq!(child["result"], "CKR_CRYPTOKI_NOT_INITIALIZED");
    });
}

/// A pipe takes 4,096 bytes without those of another writer in between (POSIX, write): a line has no more.
#[test]
fn a_long_line_is_cut() {
    staged(|stage, test| {
        if stage == "work" {
            let session = hsm();
            let long = "\u{1}".repeat(256);
            let template = Template::new().text(CKA_LABEL, &long).text(CKA_APPLICATION, &long).text(CKA_URL, &long);
            session.find(&template).unwrap();
            return finalize().unwrap();
        }
        let trace = trace_of(test, JSON, &Folder::new()).unwrap();
        let longest = trace.split_inclusive('\n').map(str::len).max().unwrap();
        assert!(longest <= 4096, "{longest}");
        let calls = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let search = calls.into_iter().find(|call| call["function"] == "C_FindObjectsInit").unwrap();
        assert_eq!(search["arguments"]["pTemplate"], json!({ "attributes": 3 }));
    });
}
