//! The functions that CloudHSM has, each with arguments that work; those it has not are in `boundary`.

use super::argument::Argument::{self, Filled, Handles, Input, List, Null, Object, Output, Place, Query, Slot, Word};
use crate::support::*;

/// One function: its name, its arguments, what goes before it in the session, and what the good call answers.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<Argument>,
    pub(super) before: Box<dyn Fn(Session)>,
    pub(super) good: CK_RV,
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
pub(super) fn table(session: Session) -> Vec<Function> {
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
        after("C_FindObjects", vec![S, Handles, Word(5), Place], searching),
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
