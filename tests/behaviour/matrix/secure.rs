//! Secure mode in the matrix: what its rules take from the table. SECURITY.md has the rules R1 to R9; they are Bortolozzo et al.'s
//! (2010) and Focardi and Luccio's (2021), and R9 ours; nothing here is read from the library.

use super::functions::Function;
use super::keys::Kind;
use super::parameters::Form;
use super::table::Line;
use crate::support::*;

/// R5 and R7, the uses: keys leave and come in by KWP, AES-GCM, RSA-OAEP and RSA-AES alone; no PKCS#1 v1.5 encryption, no raw RSA
/// (its signature is a decryption), no ECB.
pub(super) fn serves(line: &Line, function: Function) -> bool {
    let name = line.name.as_str();
    if function.transports() {
        return matches!(
            name,
            "CKM_AES_KEY_WRAP_KWP"
                | "CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD"
                | "CKM_AES_GCM"
                | "CKM_CLOUDHSM_AES_GCM"
                | "CKM_RSA_PKCS_OAEP"
                | "CKM_RSA_AES_KEY_WRAP"
        );
    }
    match name {
        "CKM_RSA_PKCS" => matches!(function, Function::Sign | Function::Verify),
        "CKM_RSA_X_509" | "CKM_AES_ECB" | "CKM_DES3_ECB" => false,
        _ => true,
    }
}

/// R8, the sizes: RSA from 2048 bits, HMAC and derivation from 14 bytes, secrets that are generated from 112 bits.
pub(super) fn least(line: &Line, otherwise: CK_ULONG) -> CK_ULONG {
    let of_rsa = line.keys.iter().any(|key| key.value == Kind::Rsa);
    match line.name.as_str() {
        _ if of_rsa => otherwise.max(2048),
        "CKM_GENERIC_SECRET_KEY_GEN" => 112,
        name if name.ends_with("_HMAC") || name.ends_with("COUNTER_KDF") => 14,
        _ => otherwise,
    }
}

/// R5, R7 and R8, the parameters: no SHA-1 where a key is wrapped, no IV of the caller's where a new one belongs, no tag under
/// 96 bits.
pub(super) fn takes(form: Form, function: Function, parameter: &Parameter) -> bool {
    let words: Vec<CK_ULONG> = parameter
        .bytes
        .chunks_exact(8)
        .map(|word| CK_ULONG::from_ne_bytes(word.try_into().expect("8 bytes")))
        .collect();
    match form {
        Form::GcmZeroed | Form::GcmNull => words[5] >= 96,
        Form::Gcm => words[5] >= 96 && !matches!(function, Function::Encrypt | Function::Wrap),
        Form::OaepOneHash | Form::Oaep if function.transports() => words[0] != CKM_SHA_1 && words[1] != CKG_MGF1_SHA1,
        // The inner parameter is behind a pointer; its name has the hash.
        Form::RsaAesOneHash => !parameter.name.ends_with(&format!("hash {CKM_SHA_1:#x}")),
        // Its one parameter has SHA-1 in the mask.
        Form::RsaAes => !parameter.name.ends_with("two hashes"),
        _ => true,
    }
}

/// The label of the keys that do nothing but wrap and unwrap.
const LABEL: &str = "trusted";

/// R1, R2, R6: keys that are generated here, never extractable, for nothing else: AES-256, and RSA-3072, which carries 128 bits.
/// An officer trusts those that wrap, in profile `cloudhsm`, which has the login for it.
pub(super) fn make_trusted() {
    let session = Session::open();
    session.login(ALICE).unwrap();
    trust_all(session);
}

/// The same for a session of alice's, who is logged in again at the end.
pub(super) fn trust_all(session: Session) {
    let lasting = Template::new().label(LABEL).on(&[CKA_TOKEN]);
    let aes = lasting.clone().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP, CKA_UNWRAP]).off(&[CKA_EXTRACTABLE]);
    session.generate(CKM_AES_KEY_GEN, &aes).unwrap();
    let public = lasting.clone().number(CKA_MODULUS_BITS, 3072).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).on(&[CKA_WRAP]);
    let private = lasting.on(&[CKA_UNWRAP]).off(&[CKA_EXTRACTABLE]);
    session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private).unwrap();
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    for key in session.labelled(LABEL) {
        if session.flag(key, CKA_WRAP) == Ok(true) {
            session.set(key, &Template::new().on(&[CKA_TRUSTED])).unwrap();
        }
    }
    session.logout().unwrap();
    session.login(ALICE).unwrap();
}

/// The key of a kind for C_WrapKey or C_UnwrapKey.
pub(super) fn trusted(session: Session, kind: Kind, function: Function) -> CK_OBJECT_HANDLE {
    let (class, key_type) = match (kind, function) {
        (Kind::Aes, _) => (CKO_SECRET_KEY, CKK_AES),
        (Kind::Rsa, Function::Wrap) => (CKO_PUBLIC_KEY, CKK_RSA),
        (Kind::Rsa, _) => (CKO_PRIVATE_KEY, CKK_RSA),
        _ => panic!("{kind:?} wraps nothing"),
    };
    let template = Template::new().label(LABEL).number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type);
    session.find(&template).unwrap()[0]
}
