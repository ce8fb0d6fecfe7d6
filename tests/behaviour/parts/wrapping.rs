//! C_WrapKey, which has no parts but the same rule for its buffer.

use super::{Subject, whole_rule};
use crate::support::*;

/// CloudHSM's numbers as clients have them (cloudhsm_pkcs11_vendor_defs.h).
const CKM_CLOUDHSM_AES_GCM: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1087;
const NO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x2109;
const PKCS5_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x210A;
const ZERO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x216F;

/// What wraps: the mechanism, the keys that wrap and unwrap, and how long 32 bytes become (RFC 3394 and 5649, RFC 8017).
struct Wrapper {
    subject: Subject,
    wrap: CK_OBJECT_HANDLE,
    unwrap: CK_OBJECT_HANDLE,
    length: usize,
    /// Whether private keys can be wrapped.
    any: bool,
}

fn wrappers(session: Session, standard: bool) -> Vec<Wrapper> {
    let aes = session.create(&plain_aes_value(&[7; 32]).on(&[CKA_WRAP, CKA_UNWRAP])).unwrap();
    let public = session.create(&rsa_public_value().on(&[CKA_WRAP])).unwrap();
    let private = session.create(&rsa_private_value().on(&[CKA_UNWRAP])).unwrap();
    let by_aes = |number, parameter, length, any| Wrapper {
        subject: Subject { number, parameter },
        wrap: aes,
        unwrap: aes,
        length,
        any,
    };
    let by_rsa = |number, parameter, length, any| Wrapper {
        subject: Subject { number, parameter },
        wrap: public,
        unwrap: private,
        length,
        any,
    };
    let oaep = Parameter::words("OAEP", &[CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 0]);
    let mut memory = Memory::default();
    let between = Parameter::words("an AES key between", &[256, memory.place(&oaep.bytes)]).keeping(memory);
    let gcm = |iv: &[u8]| {
        let mut memory = Memory::default();
        let words = [memory.place(iv), iv.len() as CK_ULONG, 0, 0, 0, 128];
        Parameter::words("GCM", &words).keeping(memory)
    };
    let mut all = vec![
        by_rsa(CKM_RSA_PKCS, Parameter::none(), 256, false),
        by_rsa(CKM_RSA_PKCS_OAEP, oaep, 256, false),
        by_rsa(CKM_RSA_AES_KEY_WRAP, between, 256 + 40, true),
        by_aes(CKM_AES_GCM, gcm(&[0; 12]), 32 + 16, true),
        by_aes(CKM_CLOUDHSM_AES_GCM, gcm(&[]), 12 + 32 + 16, true),
        by_aes(NO_PAD, Parameter::none(), 40, false),
        by_aes(PKCS5_PAD, Parameter::none(), 48, true),
        by_aes(ZERO_PAD, Parameter::none(), 40, true),
    ];
    if standard {
        all.push(by_aes(CKM_AES_KEY_WRAP, Parameter::none(), 40, true));
        all.push(by_aes(CKM_AES_KEY_WRAP_KWP, Parameter::none(), 40, true));
        all.push(by_aes(CKM_AES_KEY_WRAP_PKCS7, Parameter::none(), 48, true));
    }
    all
}

#[test]
fn wrapping_in_cloudhsm() {
    isolated(|| check(false));
}

#[test]
fn wrapping_in_standard() {
    isolated_standard(|| check(true));
}

fn check(standard: bool) {
    let session = hsm();
    let secret = session.create(&plain_aes_value(&[9; 32]).on(&[CKA_EXTRACTABLE])).unwrap();
    let rsa = session.create(&rsa_private_value().on(&[CKA_EXTRACTABLE])).unwrap();
    for wrapper in wrappers(session, standard) {
        let what = wrapper.subject.name();
        rule(session, &wrapper, &what, secret, Some(wrapper.length), (CKO_SECRET_KEY, CKK_AES));
    }
    // Anew, because the IV that the HSM makes has been written into the parameters by now.
    for wrapper in wrappers(session, standard).iter().filter(|wrapper| wrapper.any) {
        let what = format!("{}, an RSA key", wrapper.subject.name());
        rule(session, wrapper, &what, rsa, None, (CKO_PRIVATE_KEY, CKK_RSA));
    }
}

/// The rule for one key; what comes out can be unwrapped.
fn rule(
    session: Session,
    wrapper: &Wrapper,
    what: &str,
    payload: CK_OBJECT_HANDLE,
    length: Option<usize>,
    (class, key_type): (CK_OBJECT_CLASS, CK_KEY_TYPE),
) {
    let mut mechanism = wrapper.subject.mechanism();
    let raw = mechanism.raw();
    let mut wrap = |buffer, length| call!(C_WrapKey(session.0, raw, wrapper.wrap, payload, buffer, length));
    // How long PKCS #8 becomes is no fixed number: the question tells it.
    let mut told = 7777;
    assert_eq!(Rv(wrap(std::ptr::null_mut(), &raw mut told)), Rv(CKR_OK), "{what}");
    let need = length.unwrap_or(told as usize);
    let mut wrapped = whole_rule(what, need, 0, &mut wrap);
    let template = Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type);
    let mut target = template.raw();
    let (start, size) = (wrapped.as_mut_ptr(), wrapped.len() as CK_ULONG);
    let mut key = 0;
    // The same mechanism: the IV that the HSM has made stands in it.
    let rv = call!(C_UnwrapKey(session.0, raw, wrapper.unwrap, start, size, target.as_mut_ptr(), 2, &raw mut key));
    assert_eq!(Rv(rv), Rv(CKR_OK), "{what}: unwrapped");
    session.destroy(key).unwrap();
}
