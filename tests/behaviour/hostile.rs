//! Hostile arguments: every function with every argument replaced in turn, and the exact answer.
//!
//! The calls go through the exported symbols as plain words, as a C program with a mistake makes them. What is asked of
//! the library (PKCS#11 3.2 section 5.1.6: CKR_ARGUMENTS_BAD, and the handle codes): no crash, the right code, and no
//! memory of the size that a caller claims.

use std::ffi::c_void;

use crate::support::*;

/// An argument of a call that would work: one word, or a pointer and its length.
#[derive(Clone)]
enum Argument {
    Session,
    Slot,
    /// An object; the code for one that is not there.
    Object(CK_OBJECT_HANDLE, CK_RV),
    /// A word that may be anything.
    Word(usize),
    Mechanism(CK_MECHANISM_TYPE, Vec<u8>),
    Template(Template),
    /// The same for reading: entries may have NULL and any length.
    Query,
    /// Bytes and their length.
    Input(Vec<u8>),
    /// Bytes that are filled, as many as the length says.
    Filled,
    /// A buffer and a place with its length.
    Output(usize),
    /// A list and a place with its length, in entries.
    List,
    /// A place that is written.
    Place,
    /// Something that must be NULL, and the code otherwise.
    Null(CK_RV),
}

use Argument::{Filled, Input, List, Null, Object, Output, Place, Query, Slot, Word};

/// What a replaced argument must come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The same as the call that works.
    AsGood,
    Code(CK_RV),
    /// Anything that is no crash.
    Anything,
}

const MAX: usize = usize::MAX;

fn kept<T>(value: T) -> *mut T {
    Box::leak(Box::new(value))
}

fn room() -> usize {
    kept([0_u64; 256]).addr()
}

/// A copy of plain data at an odd address.
fn odd<T: Copy>(values: &[T]) -> usize {
    let size = size_of_val(values);
    let bytes = kept(vec![0_u8; size + 32]);
    // SAFETY: the target has room, and the source is plain data.
    unsafe {
        let start = (*bytes).as_mut_ptr();
        let start = start.add(1 + start.addr() % 2);
        std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), start, size);
        start.addr()
    }
}

fn mechanism(kind: CK_MECHANISM_TYPE, parameter: &[u8]) -> CK_MECHANISM {
    let parameter = Vec::leak(parameter.to_vec());
    let place: *mut c_void = if parameter.is_empty() { std::ptr::null_mut() } else { parameter.as_mut_ptr().cast() };
    CK_MECHANISM { mechanism: kind, pParameter: place, ulParameterLen: parameter.len() as CK_ULONG }
}

impl Argument {
    /// The words of the call that works.
    fn good(&self, session: Session) -> Vec<usize> {
        match self {
            Self::Session => vec![session.0 as usize],
            Slot => vec![SLOT as usize],
            Object(handle, _) => vec![*handle as usize],
            Word(word) => vec![*word],
            Self::Mechanism(kind, parameter) => vec![kept(mechanism(*kind, parameter)).addr()],
            Self::Template(template) => {
                let raw = Vec::leak(kept_template(template).raw());
                vec![raw.as_ptr().addr(), raw.len()]
            }
            Query => vec![kept([entry(CKA_CLASS, room(), 8), entry(CKA_LABEL, 0, 0)]).addr(), 2],
            Input(bytes) => vec![Vec::leak(bytes.clone()).as_ptr().addr(), bytes.len()],
            Filled => vec![room(), 32],
            Output(size) => vec![room(), kept(*size as CK_ULONG).addr()],
            List => vec![room(), kept(200 as CK_ULONG).addr()],
            Place => vec![room()],
            Null(_) => vec![0],
        }
    }

    /// The words of calls that do not, or that are odd, each with its name and what is expected.
    fn hostile(&self, session: Session) -> Vec<(&'static str, Vec<usize>, Expected)> {
        use Expected::{Anything, AsGood, Code};
        let good = self.good(session);
        let bad = Code(CKR_ARGUMENTS_BAD);
        match self {
            Self::Session => {
                let stale = Session::open();
                stale.close().unwrap();
                let invalid = Code(CKR_SESSION_HANDLE_INVALID);
                let forged = session.0 as usize ^ (1 << 40);
                vec![
                    ("zero", vec![0], invalid),
                    ("ulong-max", vec![MAX], invalid),
                    ("stale", vec![stale.0 as usize], invalid),
                    ("forged", vec![forged], invalid),
                ]
            }
            Slot => {
                [0, 1, SLOT as usize + 1, MAX].map(|slot| ("no slot", vec![slot], Code(CKR_SLOT_ID_INVALID))).to_vec()
            }
            Object(_, code) => [0, 3, MAX, 1 << 40].map(|object| ("no object", vec![object], Code(*code))).to_vec(),
            Word(_) => [0, MAX].map(|word| ("another word", vec![word], Anything)).to_vec(),
            Self::Mechanism(kind, parameter) => {
                let made = mechanism(*kind, parameter);
                let unknown = CK_MECHANISM { mechanism: CK_ULONG::MAX, ..made };
                let absurd = CK_MECHANISM { ulParameterLen: CK_ULONG::MAX, ..made };
                let null = CK_MECHANISM { pParameter: std::ptr::null_mut(), ulParameterLen: CK_ULONG::MAX, ..made };
                vec![
                    ("NULL", vec![0], bad),
                    ("misaligned", vec![odd(&[made])], AsGood),
                    ("unknown", vec![kept(unknown).addr()], Code(CKR_MECHANISM_INVALID)),
                    ("absurd parameter", vec![kept(absurd).addr()], Code(CKR_MECHANISM_PARAM_INVALID)),
                    ("NULL parameter", vec![kept(null).addr()], Code(CKR_MECHANISM_PARAM_INVALID)),
                ]
            }
            Self::Template(template) => {
                let mut all = vec![
                    ("NULL", vec![0, good[1].max(1)], bad),
                    ("NULL of ulong-max", vec![0, MAX], bad),
                    ("ulong-max entries", vec![good[0], MAX], bad),
                    ("2^32 entries", vec![good[0], 1 << 32], bad),
                    ("misaligned", vec![odd(&kept_template(template).raw()), good[1]], AsGood),
                ];
                let value = Code(CKR_ATTRIBUTE_VALUE_INVALID);
                let with = |entries: &[CK_ATTRIBUTE]| {
                    let mut raw = kept_template(template).raw();
                    raw.extend_from_slice(entries);
                    let raw = Vec::leak(raw);
                    vec![raw.as_ptr().addr(), raw.len()]
                };
                let inner = kept([entry(CKA_LABEL, room(), 4)]).addr();
                let nested = kept([entry(CKA_UNWRAP_TEMPLATE, inner, 24)]).addr();
                all.extend([
                    ("a NULL value", with(&[entry(CKA_ID, 0, 5)]), value),
                    ("a value of ulong-max", with(&[entry(CKA_ID, room(), CK_ULONG::MAX)]), value),
                    ("a value of 2^62", with(&[entry(CKA_ID, room(), 1 << 62)]), value),
                    ("a value of 2^40", with(&[entry(CKA_ID, room(), 1 << 40)]), value),
                    ("a NULL value of ulong-max", with(&[entry(CKA_ID, 0, CK_ULONG::MAX)]), value),
                    ("a nested NULL", with(&[entry(CKA_WRAP_TEMPLATE, 0, 24)]), value),
                    ("a nested one of ulong-max", with(&[entry(CKA_WRAP_TEMPLATE, inner, CK_ULONG::MAX)]), value),
                    ("a nested one of 2^40", with(&[entry(CKA_WRAP_TEMPLATE, inner, 24 << 40)]), value),
                    ("a nested one of odd size", with(&[entry(CKA_WRAP_TEMPLATE, inner, 23)]), value),
                    ("one nested in a nested one", with(&[entry(CKA_WRAP_TEMPLATE, nested, 24)]), value),
                ]);
                all
            }
            Query => {
                let misaligned = odd(&[entry(CKA_CLASS, room(), 8), entry(CKA_LABEL, 0, 0)]);
                let odd_buffer = kept([entry(CKA_CLASS, room() + 1, 8)]).addr();
                vec![
                    ("NULL", vec![0, 2], bad),
                    ("ulong-max entries", vec![good[0], MAX], bad),
                    ("2^32 entries", vec![good[0], 1 << 32], bad),
                    ("misaligned", vec![misaligned, 2], AsGood),
                    ("a misaligned buffer", vec![odd_buffer, 1], AsGood),
                    ("none", vec![0, 0], AsGood),
                ]
            }
            Input(bytes) => {
                let mut all = vec![("ulong-max bytes", vec![good[0], MAX], bad), ("no byte", vec![0, 0], Anything)];
                if !bytes.is_empty() {
                    all.push(("NULL", vec![0, bytes.len()], bad));
                    all.push(("NULL of ulong-max", vec![0, MAX], bad));
                    all.push(("misaligned", vec![odd(bytes), bytes.len()], AsGood));
                }
                all
            }
            Filled => vec![
                ("NULL", vec![0, 32], bad),
                ("ulong-max bytes", vec![good[0], MAX], bad),
                ("NULL of ulong-max", vec![0, MAX], bad),
                ("misaligned", vec![good[0] + 1, 32], AsGood),
            ],
            Output(size) => vec![
                ("a NULL length", vec![good[0], 0], bad),
                ("NULL and a NULL length", vec![0, 0], bad),
                ("a query", vec![0, kept(0 as CK_ULONG).addr()], Anything),
                ("a misaligned length", vec![good[0], odd(&[*size as CK_ULONG])], AsGood),
                ("misaligned", vec![good[0] + 1, kept(*size as CK_ULONG).addr()], AsGood),
                ("room of ulong-max", vec![good[0], kept(CK_ULONG::MAX).addr()], AsGood),
            ],
            List => vec![
                ("a NULL length", vec![good[0], 0], bad),
                ("NULL and a NULL length", vec![0, 0], bad),
                ("a query", vec![0, kept(0 as CK_ULONG).addr()], AsGood),
                ("no room", vec![good[0], kept(0 as CK_ULONG).addr()], Code(CKR_BUFFER_TOO_SMALL)),
                ("misaligned", vec![good[0] + 1, odd(&[200 as CK_ULONG])], AsGood),
                ("room of ulong-max", vec![good[0], kept(CK_ULONG::MAX).addr()], AsGood),
            ],
            Place => vec![("NULL", vec![0], bad), ("misaligned", vec![good[0] + 1], AsGood)],
            Null(code) => vec![("not NULL", vec![room()], Code(*code))],
        }
    }
}

fn entry(id: CK_ATTRIBUTE_TYPE, value: usize, length: CK_ULONG) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: id, pValue: std::ptr::with_exposed_provenance_mut(value), ulValueLen: length }
}

fn kept_template(template: &Template) -> &'static Template {
    Box::leak(Box::new(template.clone()))
}

/// Calls a symbol with up to nine words.
pub(super) fn call_words(name: &str, words: &[usize]) -> CK_RV {
    type Any = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize, usize) -> CK_RV;
    let mut all = [0; 9];
    all[..words.len()].copy_from_slice(words);
    let [a, b, c, d, e, f, g, h, i] = all;
    // SAFETY: every argument of a C function is one word on the platforms built for, and words too many do no harm. The
    // pointers are good or wrong on purpose.
    unsafe {
        let function: libloading::Symbol<'_, Any> = library().get(name.as_bytes()).unwrap();
        function(a, b, c, d, e, f, g, h, i)
    }
}

/// One function: its name, its arguments, what goes before it in the session, and what the good call answers.
struct Function {
    name: &'static str,
    arguments: Vec<Argument>,
    before: Box<dyn Fn(Session)>,
    good: CK_RV,
}

fn plain(name: &'static str, arguments: Vec<Argument>) -> Function {
    Function { name, arguments, before: Box::new(|_| {}), good: CKR_OK }
}

fn after(name: &'static str, arguments: Vec<Argument>, before: impl Fn(Session) + 'static) -> Function {
    Function { name, arguments, before: Box::new(before), good: CKR_OK }
}

fn answers(function: Function, good: CK_RV) -> Function {
    Function { good, ..function }
}

/// The functions that CloudHSM has, each with arguments that work. Those it has not are in `boundary`.
fn table(session: Session) -> Vec<Function> {
    use Argument::{Mechanism as Mech, Session as S, Template as T};
    let aes_key = session.create(&aes_value(&[1; 32])).unwrap();
    let hmac_key = session.create(&generic_value(&[1; 32])).unwrap();
    let (key, object) = (|handle| Object(handle, CKR_KEY_HANDLE_INVALID), Object(aes_key, CKR_OBJECT_HANDLE_INVALID));
    let cbc = || Mech(CKM_AES_CBC, vec![0; 16]);
    let hmac = || Mech(CKM_SHA256_HMAC, vec![]);
    let data = || Input(vec![7; 32]);
    let begin = move |way| {
        move |session: Session| session.begin(way, &mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), aes_key).unwrap()
    };
    let signing = move |session: Session| session.sign_init(&mut Mechanism::new(CKM_SHA256_HMAC), hmac_key).unwrap();
    let verifying =
        move |session: Session| session.verify_init(&mut Mechanism::new(CKM_SHA256_HMAC), hmac_key).unwrap();
    let digesting = |session: Session| session.digest_init(CKM_SHA256).unwrap();
    let searching = |session: Session| {
        assert_eq!(call!(C_FindObjectsInit(session.0, std::ptr::null_mut(), 0)), CKR_OK);
    };
    let halves = || vec![T(ec_public(P256)), T(ec_private())];
    let pair = [vec![S, Mech(CKM_EC_KEY_PAIR_GEN, vec![])], halves(), vec![Place, Place]].concat();
    vec![
        plain("C_GetInfo", vec![Place]),
        plain("C_GetFunctionList", vec![Place]),
        plain("C_GetSlotList", vec![Word(1), List]),
        plain("C_GetSlotInfo", vec![Slot, Place]),
        plain("C_GetTokenInfo", vec![Slot, Place]),
        plain("C_GetMechanismList", vec![Slot, List]),
        plain("C_GetMechanismInfo", vec![Slot, Word(CKM_AES_CBC as usize), Place]),
        answers(plain("C_InitToken", vec![Slot, Input(bytes(OFFICER)), Place]), CKR_SESSION_EXISTS),
        answers(plain("C_InitPIN", vec![S, Input(bytes("carol:carols-password"))]), CKR_USER_NOT_LOGGED_IN),
        answers(
            plain("C_SetPIN", vec![S, Input(bytes("bob:bobs-password")), Input(bytes("bob:another-password"))]),
            CKR_PIN_INCORRECT,
        ),
        plain("C_OpenSession", vec![Slot, Word(6), Null(CKR_ARGUMENTS_BAD), Null(CKR_ARGUMENTS_BAD), Place]),
        plain("C_CloseSession", vec![S]),
        plain("C_GetSessionInfo", vec![S, Place]),
        answers(plain("C_Login", vec![S, Word(CKU_USER as usize), Input(bytes(ALICE))]), CKR_USER_ALREADY_LOGGED_IN),
        plain("C_CreateObject", vec![S, T(aes_value(&[1; 32])), Place]),
        plain("C_CopyObject", vec![S, object.clone(), T(Template::new().label("copy")), Place]),
        plain("C_GetObjectSize", vec![S, object.clone(), Place]),
        plain("C_GetAttributeValue", vec![S, object.clone(), Query]),
        plain("C_SetAttributeValue", vec![S, object, T(Template::new().label("new"))]),
        plain("C_FindObjectsInit", vec![S, T(Template::new().label("label"))]),
        after("C_FindObjects", vec![S, Place, Word(5), Place], searching),
        after("C_FindObjectsFinal", vec![S], searching),
        plain("C_EncryptInit", vec![S, cbc(), key(aes_key)]),
        after("C_Encrypt", vec![S, data(), Output(32)], begin(Way::Encrypt)),
        after("C_EncryptUpdate", vec![S, data(), Output(32)], begin(Way::Encrypt)),
        after("C_EncryptFinal", vec![S, Output(32)], begin(Way::Encrypt)),
        plain("C_DecryptInit", vec![S, cbc(), key(aes_key)]),
        after("C_Decrypt", vec![S, data(), Output(32)], begin(Way::Decrypt)),
        after("C_DecryptUpdate", vec![S, data(), Output(32)], begin(Way::Decrypt)),
        after("C_DecryptFinal", vec![S, Output(32)], begin(Way::Decrypt)),
        plain("C_DigestInit", vec![S, Mech(CKM_SHA256, vec![])]),
        after("C_Digest", vec![S, data(), Output(32)], digesting),
        after("C_DigestUpdate", vec![S, data()], digesting),
        after("C_DigestFinal", vec![S, Output(32)], digesting),
        plain("C_SignInit", vec![S, hmac(), key(hmac_key)]),
        after("C_Sign", vec![S, data(), Output(32)], signing),
        after("C_SignUpdate", vec![S, data()], signing),
        after("C_SignFinal", vec![S, Output(32)], signing),
        plain("C_VerifyInit", vec![S, hmac(), key(hmac_key)]),
        answers(after("C_Verify", vec![S, data(), data()], verifying), CKR_SIGNATURE_INVALID),
        after("C_VerifyUpdate", vec![S, data()], verifying),
        answers(after("C_VerifyFinal", vec![S, data()], verifying), CKR_SIGNATURE_INVALID),
        plain("C_GenerateKey", vec![S, Mech(CKM_AES_KEY_GEN, vec![]), T(aes()), Place]),
        plain("C_GenerateKeyPair", pair),
        plain("C_SeedRandom", vec![S, data()]),
        plain("C_GenerateRandom", vec![S, Filled]),
        plain("C_Logout", vec![S]),
    ]
}

/// Calls, and those that did not answer as they must.
struct Sweep {
    keeper: Session,
    calls: usize,
    wrong: Vec<String>,
}

impl Sweep {
    fn begin() -> Self {
        let keeper = hsm();
        // A gibibyte more than now, all in all: nothing is allocated because a caller claims a size.
        let limit = libc::rlimit { rlim_cur: 2 << 30, rlim_max: 2 << 30 };
        // SAFETY: a limit of this process.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
        Self { keeper, calls: 0, wrong: Vec::new() }
    }

    /// One call in a session of its own; what it is, is said before, so that a death tells what it died of.
    fn call(&mut self, function: &Function, what: &str, words: &dyn Fn(Session) -> Vec<usize>, expected: Expected) {
        let session = Session::open();
        (function.before)(session);
        let words = words(session);
        println!("{}: {what}: {words:x?}", function.name);
        let rv = Rv(call_words(function.name, &words));
        let fine = match expected {
            Expected::AsGood => rv == Rv(function.good),
            Expected::Code(code) => rv == Rv(code),
            Expected::Anything => rv != Rv(CKR_GENERAL_ERROR),
        };
        if !fine {
            let expected = if let Expected::Code(code) = expected { code } else { function.good };
            self.wrong.push(format!("{}: {what}: {rv:?}, expected {:?}", function.name, Rv(expected)));
        }
        self.calls += 1;
        let _ = session.close();
        if self.keeper.information().unwrap().state == CKS_RW_PUBLIC_SESSION {
            self.keeper.login(ALICE).unwrap();
        }
    }

    fn end(self) {
        let Self { keeper, calls, wrong } = self;
        println!("{calls} calls");
        assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
        // The library is whole.
        let key = keeper.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        keeper.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
    }
}

/// The words of the arguments of a call that works.
fn good_words(function: &Function, session: Session) -> Vec<Vec<usize>> {
    function.arguments.iter().map(|argument| argument.good(session)).collect()
}

#[test]
fn every_argument_of_every_function() {
    isolated(|| {
        let mut sweep = Sweep::begin();
        let keeper = sweep.keeper;
        for function in &table(keeper) {
            let good = |session| good_words(function, session);
            sweep.call(function, "the good call", &|session| good(session).concat(), Expected::AsGood);
            for (at, argument) in function.arguments.iter().enumerate() {
                for (number, (name, _, expected)) in argument.hostile(keeper).into_iter().enumerate() {
                    let words = |session: Session| {
                        let mut all = good(session);
                        all[at] = argument.hostile(session)[number].1.clone();
                        all.concat()
                    };
                    sweep.call(function, &format!("argument {}: {name}", at + 1), &words, expected);
                }
            }
        }
        sweep.end();
    });
}

/// Two wrong arguments at once: which of the two is named is the library's to choose, but it names one and lives.
#[test]
fn every_two_arguments_of_every_function() {
    isolated(|| {
        let mut sweep = Sweep::begin();
        let keeper = sweep.keeper;
        for function in &table(keeper) {
            for (first, one) in function.arguments.iter().enumerate() {
                for (second, other) in function.arguments.iter().enumerate().skip(first + 1) {
                    let (ones, others) = (one.hostile(keeper), other.hostile(keeper));
                    for (a, (name, ..)) in ones.iter().enumerate() {
                        for (b, (with, ..)) in others.iter().enumerate() {
                            let words = |session: Session| {
                                let mut all = good_words(function, session);
                                all[first] = one.hostile(session)[a].1.clone();
                                all[second] = other.hostile(session)[b].1.clone();
                                all.concat()
                            };
                            let what = format!("arguments {} and {}: {name}, {with}", first + 1, second + 1);
                            sweep.call(function, &what, &words, Expected::Anything);
                        }
                    }
                }
            }
        }
        sweep.end();
    });
}

/// The functions of 3.0 and 3.2 beyond those of 2.40: with any argument they answer, and nothing crashes.
#[test]
fn newer_functions_with_any_argument() {
    isolated(|| {
        let session = hsm();
        let names = [
            "C_LoginUser",
            "C_SessionCancel",
            "C_MessageEncryptInit",
            "C_EncryptMessage",
            "C_EncryptMessageBegin",
            "C_EncryptMessageNext",
            "C_MessageEncryptFinal",
            "C_MessageDecryptInit",
            "C_DecryptMessage",
            "C_DecryptMessageBegin",
            "C_DecryptMessageNext",
            "C_MessageDecryptFinal",
            "C_MessageSignInit",
            "C_SignMessage",
            "C_SignMessageBegin",
            "C_SignMessageNext",
            "C_MessageSignFinal",
            "C_MessageVerifyInit",
            "C_VerifyMessage",
            "C_VerifyMessageBegin",
            "C_VerifyMessageNext",
            "C_MessageVerifyFinal",
            "C_EncapsulateKey",
            "C_DecapsulateKey",
            "C_VerifySignatureInit",
            "C_VerifySignature",
            "C_VerifySignatureUpdate",
            "C_VerifySignatureFinal",
            "C_GetSessionValidationFlags",
            "C_AsyncComplete",
            "C_AsyncGetID",
            "C_AsyncJoin",
            "C_WrapKeyAuthenticated",
            "C_UnwrapKeyAuthenticated",
            "C_WaitForSlotEvent",
            "C_WrapKey",
            "C_UnwrapKey",
            "C_DeriveKey",
        ];
        for name in names {
            // SAFETY: only whether it is there.
            let there = unsafe { library().get::<*const c_void>(name.as_bytes()) }.is_ok();
            assert!(there, "{name} is not exported");
            for words in [[0; 9], [MAX, 0, 0, 0, 0, 0, 0, 0, 0], [session.0 as usize, 0, 0, 0, 0, 0, 0, 0, 0]] {
                let rv = Rv(call_words(name, &words));
                assert_ne!(rv, Rv(CKR_GENERAL_ERROR), "{name}");
                if !["C_SessionCancel", "C_WaitForSlotEvent", "C_GetSessionValidationFlags"].contains(&name) {
                    assert_ne!(rv, Rv(CKR_OK), "{name}");
                }
            }
        }
    });
}
