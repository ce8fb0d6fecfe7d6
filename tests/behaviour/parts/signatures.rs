//! C_Sign and C_Verify: MACs, and signatures that hash. What is signed in parts verifies as a whole, and the reverse.

use super::{Subject, exactly, message, parts, splits, told_and_too_small, whole_rule};
use crate::signatures::{HMACS, pairs};
use crate::support::*;

/// CloudHSM's numbers: the vendor bit and the standard's, by the header that clients have.
const CKM_CLOUDHSM_EDDSA: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | CKM_EDDSA;

/// What signs: the mechanism, the key that verifies and the one that signs, the length of a signature.
struct Signer {
    subject: Subject,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
    length: usize,
    deterministic: bool,
}

fn signer(subject: Subject, keys: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), length: usize, deterministic: bool) -> Signer {
    Signer { subject, public: keys.0, private: keys.1, length, deterministic }
}

/// CK_EDDSA_PARAMS that say Ed25519ph.
fn prehashed(context: &[u8]) -> Parameter {
    let mut memory = Memory::default();
    let words = [1, context.len() as CK_ULONG, memory.place(context)];
    Parameter::words("Ed25519ph", &words).keeping(memory)
}

/// Those of every profile.
fn signers(session: Session) -> Vec<Signer> {
    let keys = pairs(session);
    let generic = session.create(&generic_value(&[3; 40])).unwrap();
    let aes = session.create(&aes_value(&[3; 16])).unwrap();
    let mut all = Vec::new();
    for (mechanism, length) in HMACS.into_iter().zip([20, 28, 32, 48, 64]) {
        all.push(signer(Subject::plain(mechanism), (generic, generic), length, true));
    }
    all.push(signer(Subject::plain(CKM_AES_CMAC), (aes, aes), 16, true));
    for mechanism in
        [CKM_SHA1_RSA_PKCS, CKM_SHA224_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS]
    {
        all.push(signer(Subject::plain(mechanism), keys.rsa, 256, true));
    }
    for (number, hash, mask, salt) in [
        (CKM_SHA1_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20),
        (CKM_SHA224_RSA_PKCS_PSS, CKM_SHA224, CKG_MGF1_SHA224, 10),
        (CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32),
        (CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48),
        (CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 64),
    ] {
        let parameter = Parameter::words("PSS", &[hash, mask, salt]);
        all.push(signer(Subject { number, parameter }, keys.rsa, 256, false));
    }
    for (public, private, length) in keys.ec {
        for mechanism in [CKM_ECDSA_SHA1, CKM_ECDSA_SHA224, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512] {
            all.push(signer(Subject::plain(mechanism), (public, private), 2 * length, false));
        }
    }
    let edwards = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private()).unwrap();
    let subject = Subject { number: CKM_CLOUDHSM_EDDSA, parameter: prehashed(b"") };
    all.push(signer(subject, edwards, 64, true));
    all
}

/// Those of the standard alone: Ed25519ph with a context, and ML-DSA.
fn newer_signers(session: Session) -> Vec<Signer> {
    let edwards = session.generate_pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private()).unwrap();
    let mut all = Vec::new();
    for context in [&b""[..], b"context"] {
        let subject = Subject { number: CKM_EDDSA, parameter: prehashed(context) };
        all.push(signer(subject, edwards, 64, true));
    }
    // "a mechanism for single-part and multipart signatures" (PKCS#11 3.2, section 6.3.16): Ed25519 and Ed25519ctx too.
    all.push(signer(Subject::plain(CKM_EDDSA), edwards, 64, true));
    let mut memory = Memory::default();
    let words = [0, 7, memory.place(b"context")];
    let parameter = Parameter::words("Ed25519ctx", &words).keeping(memory);
    all.push(signer(Subject { number: CKM_EDDSA, parameter }, edwards, 64, true));
    for (set, length) in [(CKP_ML_DSA_44, 2420), (CKP_ML_DSA_65, 3309), (CKP_ML_DSA_87, 4627)] {
        let public = Template::new().number(CKA_PARAMETER_SET, set).on(&[CKA_VERIFY]);
        let pair = session.generate_pair(CKM_ML_DSA_KEY_PAIR_GEN, &public, &ec_private()).unwrap();
        all.push(signer(Subject::plain(CKM_ML_DSA), pair, length, false));
        let mut memory = Memory::default();
        let words = [CKH_HEDGE_PREFERRED, memory.place(b"context"), 7];
        let parameter = Parameter::words("a context", &words).keeping(memory);
        all.push(signer(Subject { number: CKM_ML_DSA, parameter }, pair, length, false));
    }
    all
}

#[test]
fn signatures_of_cloudhsm() {
    isolated(|| check(hsm(), signers));
}

#[test]
fn signatures_of_standard() {
    isolated_standard(|| check(hsm(), newer_signers));
}

fn check(session: Session, all: impl Fn(Session) -> Vec<Signer>) {
    let mut operations = 0;
    for signer in all(session) {
        let message = message(65);
        let whole = one_call(session, &signer, &message);
        for lengths in splits(65) {
            in_parts(session, &signer, &message, &whole, &lengths);
            operations += 2;
        }
        what_does_not_verify(session, &signer, &message, &whole);
    }
    println!("{operations} operations in parts");
}

/// C_Sign: the signature, which verifies in one call.
fn one_call(session: Session, signer: &Signer, message: &[u8]) -> Vec<u8> {
    let (what, length) = (signer.subject.name(), signer.length);
    let mut data = message.to_vec();
    let (start, size) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    session.sign_init(&mut signer.subject.mechanism(), signer.private).unwrap();
    let whole =
        whole_rule(&what, length, 0, &mut |buffer, length| call!(C_Sign(session.0, start, size, buffer, length)));
    assert_eq!(session.sign_into(message, length), code(CKR_OPERATION_NOT_INITIALIZED), "{what}: it has ended");
    session.verify(&mut signer.subject.mechanism(), signer.public, message, &whole).unwrap();
    // The signature may be written over the message.
    session.sign_init(&mut signer.subject.mechanism(), signer.private).unwrap();
    let mut memory = vec![0; length.max(65)];
    memory[..65].copy_from_slice(message);
    let (start, mut room) = (memory.as_mut_ptr(), memory.len() as CK_ULONG);
    assert_eq!(call!(C_Sign(session.0, start, size, start, &raw mut room)), CKR_OK, "{what}");
    session.verify(&mut signer.subject.mechanism(), signer.public, message, &memory[..room as usize]).unwrap();
    // Without any part: the empty message.
    session.sign_init(&mut signer.subject.mechanism(), signer.private).unwrap();
    let empty = session.sign_final(length).unwrap();
    session.verify(&mut signer.subject.mechanism(), signer.public, b"", &empty).unwrap();
    whole
}

fn in_parts(session: Session, signer: &Signer, message: &[u8], whole: &[u8], lengths: &[usize]) {
    let what = format!("{} in {lengths:?}", signer.subject.name());
    session.sign_init(&mut signer.subject.mechanism(), signer.private).unwrap();
    let mut end = |buffer, length| call!(C_SignFinal(session.0, buffer, length));
    for part in parts(message, lengths) {
        // A question in between ends nothing.
        told_and_too_small(&what, signer.length, 0, &mut end);
        session.sign_update(part).unwrap();
    }
    told_and_too_small(&what, signer.length, 0, &mut end);
    let made = exactly(&what, signer.length, &mut end);
    assert_eq!(session.sign_final(signer.length), code(CKR_OPERATION_NOT_INITIALIZED), "{what}: it has ended");
    if signer.deterministic {
        assert_eq!(made, whole, "{what}");
    }
    let verified = session.verify(&mut signer.subject.mechanism(), signer.public, message, &made);
    assert_eq!(verified, Ok(()), "{what}: made in parts, verified as a whole");
    let verified = session.verify_parts(&mut signer.subject.mechanism(), signer.public, message, lengths, whole);
    assert_eq!(verified, Ok(()), "{what}: made as a whole, verified in parts");
}

/// Another message, another signature, one of another length: in one call and in parts.
fn what_does_not_verify(session: Session, signer: &Signer, message: &[u8], whole: &[u8]) {
    let what = signer.subject.name();
    let check = |message: &[u8], signature: &[u8], expected: CK_RV| {
        let once = session.verify(&mut signer.subject.mechanism(), signer.public, message, signature);
        assert_eq!(once, code(expected), "{what}: {} bytes", signature.len());
        let parts = session.verify_parts(&mut signer.subject.mechanism(), signer.public, message, &[9], signature);
        assert_eq!(parts, code(expected), "{what}: {} bytes, in parts", signature.len());
    };
    check(&message[1..], whole, CKR_SIGNATURE_INVALID);
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut wrong = whole.to_vec();
        wrong[at] ^= 1;
        check(message, &wrong, CKR_SIGNATURE_INVALID);
    }
    for wrong in [&whole[..whole.len() - 1], &[whole, &[0]].concat(), &[]] {
        check(message, wrong, CKR_SIGNATURE_LEN_RANGE);
    }
}
