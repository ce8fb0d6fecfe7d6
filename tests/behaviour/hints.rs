//! What the trace says to do about an error, against the call that raises it: a hint belongs to the cause and to the profile.
//!
//! The expected words are those of PKCS#11 3.2 and of AWS's pages for the case (which attribute, which mechanism, which function), not
//! of docs/troubleshooting.md. That no row of the page is left out is read from the page: what is not raised here has its place below.

use std::collections::BTreeSet;
use std::fs;

use base::ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;
use serde_json::Value;

use crate::support::*;

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// Rows of the page that no call of this test raises, and where they are raised. That the words by which a row is found are the
/// library's, tools/dev/check/troubleshooting sees.
const ELSEWHERE: &[&str] = &[
    "CKR_FUNCTION_FAILED from C_Initialize",  // tests/setups: wrong settings
    "CKR_DEVICE_ERROR",                       // tests/setups: folders, locks, damage
    "CKR_DEVICE_MEMORY saying \"file system", // tests/setups/system.rs
    "CKR_DEVICE_MEMORY",                      // the unit tests of hsm::module, which can fill a store
    "CKR_FUNCTION_FAILED from C_Login saying \"second", // tests/clients/mfa.sh
    "CKR_FUNCTION_FAILED from C_CreateObject saying", // tests/behaviour/certificates.rs: sixty of them
    // Two who change one object at once: not to be had for sure.
    "CKR_FUNCTION_FAILED saying \"another has changed",
    "CKR_DOMAIN_PARAMS_INVALID",   // tests/behaviour: curves
    "CKR_TOKEN_RESOURCE_EXCEEDED", // 256 MiB of input
    "CKR_HOST_MEMORY",             // no memory
    "CKR_FIPS_SELF_TEST_FAILED",   // tests/behaviour/injection.rs
    "CKR_GENERAL_ERROR",           // tests/behaviour/injection.rs
];

/// Calls that fail, and what the trace has to say of each.
struct Raised(Vec<(&'static str, CK_RV, &'static str)>);

impl Raised {
    /// A call of `function` has answered `wanted`, for which the hint has these words in it.
    #[track_caller]
    fn by<T: std::fmt::Debug>(
        &mut self,
        function: &'static str,
        answered: Answer<T>,
        wanted: CK_RV,
        words: &'static str,
    ) {
        assert_eq!(answered.err(), Some(Rv(wanted)), "{function}");
        self.0.push((function, wanted, words));
    }
}

extern "C" fn no_mutex(_: *mut std::ffi::c_void) -> CK_RV {
    CKR_OK
}

extern "C" fn no_new_mutex(_: *mut *mut std::ffi::c_void) -> CK_RV {
    CKR_OK
}

fn about_the_library(raised: &mut Raised) {
    raised.by("C_Initialize", initialize(), CKR_CRYPTOKI_ALREADY_INITIALIZED, "treat the code as success");
    let mut arguments = CK_C_INITIALIZE_ARGS {
        CreateMutex: Some(no_new_mutex),
        DestroyMutex: Some(no_mutex),
        LockMutex: Some(no_mutex),
        UnlockMutex: Some(no_mutex),
        flags: 0,
        pReserved: std::ptr::null_mut(),
    };
    let answered = answer(call!(C_Initialize((&raw mut arguments).cast())));
    raised.by("C_Initialize", answered, CKR_CANT_LOCK, "CKF_OS_LOCKING_OK");
    raised.by(
        "C_GetInfo",
        answer(call!(C_GetInfo(std::ptr::null_mut()))),
        CKR_ARGUMENTS_BAD,
        "the argument that the line names",
    );
    let nowhere = answer(call!(C_GetSlotInfo(0, std::ptr::null_mut())));
    raised.by("C_GetSlotInfo", nowhere, CKR_SLOT_ID_INVALID, "C_GetSlotList");
    let unknown = answer(call!(C_GetOperationState(1, std::ptr::null_mut(), std::ptr::null_mut())));
    raised.by("C_GetOperationState", unknown, CKR_FUNCTION_NOT_SUPPORTED, "functions");
}

fn about_sessions(raised: &mut Raised, session: Session) {
    raised.by("C_Login", session.login(ALICE), CKR_USER_ALREADY_LOGGED_IN, "log out to change the user");
    raised.by("C_Login", session.login_as(7, ALICE), CKR_USER_TYPE_INVALID, "CKU_USER, or CKU_SO");
    raised.by("C_CloseSession", Session(4).close(), CKR_SESSION_HANDLE_INVALID, "open another");
    raised.by("C_OpenSession", Session::open_with(CKF_RW_SESSION), CKR_SESSION_PARALLEL_NOT_SUPPORTED, "set it");
}

fn about_attributes(raised: &mut Raised, session: Session) {
    let aes = || Template::new().number(CKA_VALUE_LEN, 32);
    let generate = |template: &Template| session.generate(CKM_AES_KEY_GEN, template);
    raised.by("C_GenerateKey", generate(&Template::new()), CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN");
    let foreign = generate(&aes().number(CKA_MODULUS_BITS, 2048));
    raised.by("C_GenerateKey", foreign, CKR_TEMPLATE_INCONSISTENT, "leave it out");
    let short = generate(&Template::new().number(CKA_VALUE_LEN, 17));
    raised.by("C_GenerateKey", short, CKR_ATTRIBUTE_VALUE_INVALID, "the line names the attribute");
    let key = generate(&aes().on(&[CKA_SENSITIVE])).unwrap();
    let own = session.set(key, &Template::new().flag(CKA_LOCAL, false));
    raised.by("C_SetAttributeValue", own, CKR_ATTRIBUTE_READ_ONLY, "leave it out");
    raised.by("C_GetAttributeValue", session.read(key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE, "wrap the key");
    raised.by("C_GetAttributeValue", session.read(key, CKA_MODULUS), CKR_ATTRIBUTE_TYPE_INVALID, "ulValueLen");
    let curve = ec_public(&[0x06, 0x03, 0x2a, 0x03, 0x04]);
    let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &curve, &ec_private());
    raised.by("C_GenerateKeyPair", pair, CKR_CURVE_NOT_SUPPORTED, "mechanisms");
    raised.by("C_DestroyObject", session.destroy(12345), CKR_OBJECT_HANDLE_INVALID, "find it again");
    let lasting = generate(&aes().off(&[CKA_DESTROYABLE])).unwrap();
    raised.by("C_DestroyObject", session.destroy(lasting), CKR_ACTION_PROHIBITED, "CKA_DESTROYABLE");
}

fn about_operations(raised: &mut Raised, session: Session) {
    let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
    let cbc = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
    let begin = |mechanism: &mut Mechanism<'_>, key| session.begin(Way::Encrypt, mechanism, key);
    raised.by("C_EncryptInit", begin(&mut cbc(), 999), CKR_KEY_HANDLE_INVALID, "find it again");
    raised.by(
        "C_EncryptInit",
        begin(&mut Mechanism::new(CKM_SHA256), key),
        CKR_MECHANISM_INVALID,
        "C_GetMechanismInfo",
    );
    let iv = begin(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 3]), key);
    raised.by("C_EncryptInit", iv, CKR_MECHANISM_PARAM_INVALID, "correct what the line names");
    let unsigning = session.generate(CKM_AES_KEY_GEN, &aes().off(&[CKA_SIGN])).unwrap();
    let mut cmac = Mechanism::new(CKM_AES_CMAC);
    raised.by(
        "C_SignInit",
        session.sign_init(&mut cmac, unsigning),
        CKR_KEY_FUNCTION_NOT_PERMITTED,
        "when the key is made",
    );
    let odd = session.encrypt(&mut cbc(), key, &[0; 5]);
    raised.by("C_Encrypt", odd, CKR_DATA_LEN_RANGE, "a mechanism that pads");
    begin(&mut cbc(), key).unwrap();
    raised.by("C_EncryptInit", begin(&mut cbc(), key), CKR_OPERATION_ACTIVE, "a session for each thread");
    raised.by("C_Encrypt", session.once_into(Way::Encrypt, &[0; 16], 3), CKR_BUFFER_TOO_SMALL, "a larger buffer");
    session.once_into(Way::Encrypt, &[0; 16], 16).unwrap();
    let ended = session.once_into(Way::Encrypt, &[0; 16], 16);
    raised.by("C_Encrypt", ended, CKR_OPERATION_NOT_INITIALIZED, "begin anew");
    let cut = session.decrypt(&mut cbc(), key, &[0; 5]);
    raised.by("C_Decrypt", cut, CKR_ENCRYPTED_DATA_LEN_RANGE, "on purpose");

    let (public, private) = (ec_public(P256), ec_private());
    let (public, private) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap();
    let mut ecdsa = Mechanism::new(CKM_ECDSA_SHA256);
    raised.by("C_Verify", session.verify(&mut ecdsa, public, b"text", &[1; 64]), CKR_SIGNATURE_INVALID, "openssl");
    let mut rsa = Mechanism::new(CKM_SHA256_RSA_PKCS);
    raised.by("C_SignInit", session.sign_init(&mut rsa, private), CKR_KEY_TYPE_INCONSISTENT, "another key");
    let mac = session.create(&generic_value(&[7; 32])).unwrap();
    let mut hmac = Mechanism::new(CKM_SHA256_HMAC);
    raised.by("C_Verify", session.verify(&mut hmac, mac, b"text", &[0; 32]), CKR_SIGNATURE_INVALID, "the signer's key");
    let rsa = session.create(&rsa_private_value().on(&[CKA_SIGN])).unwrap();
    let long = session.sign(&mut Mechanism::new(CKM_RSA_PKCS), rsa, &[0; 300]);
    raised.by("C_Sign", long, CKR_DATA_LEN_RANGE, "the length that the line names");
    let large = session.sign(&mut Mechanism::new(CKM_RSA_X_509), rsa, &[0xff; 256]);
    raised.by("C_Sign", large, CKR_DATA_INVALID, "a padding mechanism");

    let wrapping = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP, CKA_UNWRAP]);
    let wrapping = session.generate(CKM_AES_KEY_GEN, &wrapping).unwrap();
    let wrap = |key| session.wrap(&mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD), wrapping, key);
    let kept = Template::new().number(CKA_VALUE_LEN, 32).off(&[CKA_EXTRACTABLE]);
    let kept = session.generate(CKM_AES_KEY_GEN, &kept).unwrap();
    raised.by("C_WrapKey", wrap(kept), CKR_KEY_UNEXTRACTABLE, "back up the HSM");
    let guarded = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED]);
    let guarded = session.generate(CKM_AES_KEY_GEN, &guarded).unwrap();
    raised.by("C_WrapKey", wrap(guarded), CKR_KEY_NOT_WRAPPABLE, "an officer makes");
    raised.by("C_WrapKey", wrap(public), CKR_KEY_NOT_WRAPPABLE, "another mechanism");
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let junk = session.unwrap(&mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD), wrapping, &[9; 40], &template);
    raised.by("C_UnwrapKey", junk, CKR_WRAPPED_KEY_INVALID, "that it was wrapped with");
}

fn of_cloudhsm(raised: &mut Raised, session: Session) {
    let open = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    let mut handle = 0;
    let application = std::ptr::without_provenance_mut(16);
    let refused = answer(call!(C_OpenSession(SLOT, open, application, None, &raw mut handle)));
    raised.by("C_OpenSession", refused, CKR_ARGUMENTS_BAD, "NSS");
    let public = ec_public(P256).flag(CKA_PRIVATE, false);
    let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &ec_private());
    raised.by("C_GenerateKeyPair", pair, CKR_ATTRIBUTE_VALUE_INVALID, "leave CKA_PRIVATE out");
    let certificate = Template::new()
        .number(CKA_CLASS, CKO_CERTIFICATE)
        .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .bytes(CKA_SUBJECT, &[0x30, 0])
        .bytes(CKA_VALUE, &[0x30, 0]);
    raised.by("C_CreateObject", session.create(&certificate), CKR_ATTRIBUTE_VALUE_INVALID, "certificate_storage");
    let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
    let mut iv = [7; 12];
    let mut parameter = gcm(&mut iv, &mut [], 128);
    let iv = session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key);
    raised.by("C_EncryptInit", iv, CKR_MECHANISM_PARAM_INVALID, "pass zeros");
    let long = session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 16288]);
    raised.by("C_Encrypt", long, CKR_DATA_LEN_RANGE, "smaller parts");
    raised.by("C_InitToken", init_token(OFFICER, "hsm1"), CKR_SESSION_EXISTS, "close them first");
    raised.by("C_SetPIN", session.set_pin(ALICE, "alice:short"), CKR_PIN_LEN_RANGE, "choose another");
    while Session::open_with(open).is_ok() {}
    raised.0.push(("C_OpenSession", CKR_SESSION_COUNT, "close sessions"));
}

type GetInterface = unsafe extern "C" fn(*mut CK_UTF8CHAR, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV;

fn of_standard(raised: &mut Raised, session: Session) {
    let value = vec![7; 1 << 20];
    let ids = [CKA_SUBJECT, CKA_VALUE, CKA_ISSUER, CKA_SERIAL_NUMBER];
    let large = Template::new().number(CKA_CLASS, CKO_CERTIFICATE).number(CKA_CERTIFICATE_TYPE, CKC_X_509);
    let large = ids.into_iter().fold(large.on(&[CKA_TOKEN]), |template, id| template.bytes(id, &value));
    raised.by("C_CreateObject", session.create(&large), CKR_DEVICE_MEMORY, "store less in it");
    let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
    let mut iv = [1; 12];
    let mut parameter = gcm(&mut iv, &mut [], 128);
    session.begin(Way::Decrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
    let kept = session.update_into(Way::Decrypt, &vec![0; (256 << 20) + 1], 0);
    raised.by("C_DecryptUpdate", kept, CKR_DEVICE_MEMORY, "in one call");
    let read_only = Session::open_read_only();
    let lasting = read_only.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true));
    raised.by("C_GenerateKey", lasting, CKR_SESSION_READ_ONLY, "open such a session");
    let name = c"no such interface";
    let mut interface = std::ptr::null_mut();
    // SAFETY: a name that ends, and room for one pointer.
    let unknown = unsafe {
        let get: libloading::Symbol<'_, GetInterface> = library().get(b"C_GetInterface").unwrap();
        get(name.as_ptr().cast_mut().cast(), std::ptr::null_mut(), &raw mut interface, 0)
    };
    raised.0.push(("C_GetInterface", unknown, "C_GetInterfaceList"));
    assert_ne!(unknown, CKR_OK);
    let mut slot = 0;
    let polled = answer(call!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &raw mut slot, std::ptr::null_mut())));
    raised.by("C_WaitForSlotEvent", polled, CKR_NO_EVENT, "poll nothing");
    // PKCS#11 3.2 section 5.5.4 has it block; one that never ends is a function that is not there (docs/open-points.md).
    let waited = answer(call!(C_WaitForSlotEvent(0, &raw mut slot, std::ptr::null_mut())));
    raised.by("C_WaitForSlotEvent", waited, CKR_FUNCTION_NOT_SUPPORTED, "wait for nothing");
}

/// In secure mode, with a base key from before it.
fn of_secure(raised: &mut Raised, session: Session) {
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let template = template.number(CKA_VALUE_LEN, 32);
    let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
    let derived = session.derive(&mut kdf.mechanism(), session.labelled("base")[0], &template);
    raised.by("C_DeriveKey", derived, CKR_KEY_FUNCTION_NOT_PERMITTED, "for derivation alone");
    let trusted = session.wrap(
        &mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD),
        session.labelled("by")[0],
        session.labelled("trusted")[0],
    );
    raised.by("C_WrapKey", trusted, CKR_KEY_NOT_WRAPPABLE, "no key wraps it");
}

fn make_for_secure() {
    let session = hsm();
    let lasting = || Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_TOKEN]);
    let keys = [
        ("base", lasting().on(&[CKA_SIGN, CKA_DERIVE]).off(&[CKA_EXTRACTABLE])),
        ("by", lasting().on(&[CKA_WRAP])),
        ("trusted", lasting().on(&[CKA_WRAP, CKA_EXTRACTABLE])),
    ];
    for (label, template) in keys {
        session.generate(CKM_AES_KEY_GEN, &template.label(label)).unwrap();
    }
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    session.set(session.labelled("trusted")[0], &Template::new().on(&[CKA_TRUSTED])).unwrap();
}

fn of_strict(raised: &mut Raised, session: Session) {
    let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true));
    raised.by("C_GenerateKey", key, CKR_FUNCTION_FAILED, "switches for tests");
    let read_only = Session::open_with(CKF_SERIAL_SESSION);
    raised.by("C_OpenSession", read_only, CKR_FUNCTION_FAILED, "CKF_RW_SESSION");
    session.logout().unwrap();
    raised.by("C_Login", session.login_as(CKU_SO, OFFICER), CKR_USER_TYPE_INVALID, "profile `cloudhsm`");
    session.login(ALICE).unwrap();
}

/// The end of the login, and of the library.
fn at_the_end(raised: &mut Raised, session: Session, of_a_wrong_pin: &'static str) {
    session.logout().unwrap();
    let nobody = session.generate(CKM_AES_KEY_GEN, &aes());
    raised.by("C_GenerateKey", nobody, CKR_USER_NOT_LOGGED_IN, "log in (again)");
    for _ in 0..5 {
        raised.by("C_Login", session.login("bob:wrong-password"), CKR_PIN_INCORRECT, of_a_wrong_pin);
    }
    raised.by("C_Login", session.login(BOB), CKR_PIN_LOCKED, "user change-password");
    finalize().unwrap();
    raised.by("C_Logout", session.logout(), CKR_CRYPTOKI_NOT_INITIALIZED, "fork first");
}

/// Compares what the trace says of each failed call with what it must say; the hints that it gave.
fn compare(raised: &Raised) -> Vec<String> {
    let trace = fs::read_to_string(std::env::var("CLOUDHSM_PKCS11_TRACE_FILE").unwrap()).unwrap();
    let calls = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let failed: Vec<Value> = calls.filter(|call| call["result"] != "CKR_OK").collect();
    let names: Vec<_> = failed.iter().map(|call| call["function"].as_str().unwrap()).collect();
    assert_eq!(names, raised.0.iter().map(|(function, ..)| *function).collect::<Vec<_>>());
    let mut hints = Vec::new();
    for (call, (function, rv, words)) in failed.iter().zip(&raised.0) {
        let hint = call["what_to_do"].as_str().unwrap_or_else(|| panic!("no hint: {call}"));
        assert!(hint.contains(words), "{function}, {rv:#x}: {words:?} is not in it: {call}");
        hints.push(hint.to_owned());
    }
    hints
}

fn work(profile: &str, folder: &std::path::Path) {
    let mut raised = Raised(Vec::new());
    initialize().unwrap();
    let mut session = Session::open();
    if profile == "strict" {
        session.login(ALICE).unwrap();
        of_strict(&mut raised, session);
    } else if profile == "secure" {
        session.login(ALICE).unwrap();
        of_secure(&mut raised, session);
    } else {
        raised.by("C_Login", session.login(ALICE), CKR_USER_PIN_NOT_INITIALIZED, "cluster activate");
        finalize().unwrap();
        session = hsm();
        about_the_library(&mut raised);
        about_sessions(&mut raised, session);
        about_attributes(&mut raised, session);
        about_operations(&mut raised, session);
        if profile == "standard" { of_standard(&mut raised, session) } else { of_cloudhsm(&mut raised, session) }
    }
    // AWS: a PIN is user:password. The standard: it is what C_InitPIN was given.
    let of_a_wrong_pin = if profile == "standard" { "C_InitPIN" } else { "user%3Apassword" };
    at_the_end(&mut raised, session, of_a_wrong_pin);
    fs::write(folder.join("hints"), compare(&raised).join("\n")).unwrap();
}

/// A cell of the page as the trace has it: without the marks of links, and with the paths in `docs/`.
fn in_the_trace(cell: &str) -> String {
    let mut parts = cell.split("](");
    let mut made = parts.next().unwrap_or_default().replace('[', "");
    for part in parts {
        made.push_str(" (docs/");
        made.push_str(&part.replace('[', ""));
    }
    made
}

#[test]
fn each_hint_belongs_to_what_raised_it() {
    staged(|stage, test| {
        match stage {
            "" => {}
            "make" => return activate(&[ALICE, BOB]),
            "make for secure" => return make_for_secure(),
            profile => return work(profile, home().parent().unwrap()),
        }
        let mut given = BTreeSet::new();
        for profile in ["cloudhsm", "strict", "standard", "secure"] {
            let folder = Folder::new();
            let (file, home) = (folder.path().join("trace"), folder.path().join("home"));
            let mut command = test.stage(if profile == "secure" { "cloudhsm" } else { profile }, &home, profile);
            if profile == "secure" {
                test.run("cloudhsm", &home, "make for secure");
                command.env("CLOUDHSM_PKCS11_SECURE", "true");
            }
            if profile == "strict" {
                test.run("cloudhsm", &home, "make");
                // What a CloudHSM's own settings switch on, whatever the profile's default is.
                command.env("CLOUDHSM_PKCS11_READ_ONLY_SESSIONS", "false");
                command.env("CLOUDHSM_PKCS11_KEY_AVAILABILITY_CHECK", "true");
            }
            command.env("CLOUDHSM_PKCS11_TRACE", "json").env("CLOUDHSM_PKCS11_TRACE_FILE", file);
            test.must(&mut command);
            given.extend(fs::read_to_string(folder.path().join("hints")).unwrap().lines().map(str::to_owned));
        }
        let rows = PAGE.lines().filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let (heading, cure) = (cells.next()?, cells.nth(1)?);
            heading.starts_with("CKR_").then_some((heading, in_the_trace(cure)))
        });
        let missing: Vec<_> = rows
            .filter(|(_, cure)| !given.contains(cure))
            .filter(|(heading, _)| !ELSEWHERE.iter().any(|elsewhere| heading.starts_with(elsewhere)))
            .collect();
        assert!(missing.is_empty(), "nothing has raised {missing:#?}");
    });
}
