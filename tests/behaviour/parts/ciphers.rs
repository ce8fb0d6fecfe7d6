//! C_Encrypt and C_Decrypt: block modes of AES and triple DES, counter mode, and AES-GCM where it has parts.

use super::{Subject, exactly, message, parts, splits, told_and_too_small, whole_rule};
use crate::support::*;

/// A cipher: its key, how long the message is, and the block whose padding a question may tell with the plaintext.
struct Cipher {
    subject: Subject,
    key: CK_OBJECT_HANDLE,
    length: usize,
    padding: usize,
}

fn ciphers(session: Session) -> Vec<Cipher> {
    let aes = session.create(&aes_value(&[7; 32])).unwrap();
    let des3 = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_DES3)
        .bytes(CKA_VALUE, &hex("0123456789abcdef 23456789abcdef01 456789abcdef0123"))
        .on(&[CKA_ENCRYPT, CKA_DECRYPT]);
    let des3 = session.create(&des3).unwrap();
    let iv = |length: usize| Parameter::bytes("an IV", &message(length));
    let counter = |bits| Parameter::words(format!("{bits} bits"), &[bits, CK_ULONG::MAX, CK_ULONG::MAX]);
    let cipher = |number, parameter, key, length, padding| Cipher {
        subject: Subject { number, parameter },
        key,
        length,
        padding,
    };
    let mut all = Vec::new();
    for length in [64, 48] {
        all.push(cipher(CKM_AES_ECB, Parameter::none(), aes, length, 0));
        all.push(cipher(CKM_AES_CBC, iv(16), aes, length, 0));
        all.push(cipher(CKM_DES3_ECB, Parameter::none(), des3, length, 0));
        all.push(cipher(CKM_DES3_CBC, iv(8), des3, length, 0));
    }
    for length in [65, 64] {
        all.push(cipher(CKM_AES_CBC_PAD, iv(16), aes, length, 16));
        all.push(cipher(CKM_DES3_CBC_PAD, iv(8), des3, length, 8));
    }
    // The second begins at the highest counter, which wraps inside its bits.
    all.push(cipher(CKM_AES_CTR, Parameter::words("32 bits", &[32, 1, 2]), aes, 65, 0));
    all.push(cipher(CKM_AES_CTR, counter(128), aes, 65, 0));
    all
}

/// AES-GCM as `standard` has it: additional data, and IVs of two lengths.
fn gcms(session: Session) -> Vec<Cipher> {
    let key = session.create(&aes_value(&[7; 32])).unwrap();
    let gcm = |iv: &[u8], additional: &[u8], tag: CK_ULONG| {
        let mut memory = Memory::default();
        let length = iv.len() as CK_ULONG;
        let words = [memory.place(iv), length, 8 * length, memory.place(additional), additional.len() as CK_ULONG, tag];
        Parameter::words(format!("tag of {tag}"), &words).keeping(memory)
    };
    [gcm(&[9; 12], b"", 128), gcm(&[9; 12], b"additional", 96), gcm(&[9; 16], b"additional", 128)]
        .into_iter()
        .map(|parameter| Cipher { subject: Subject { number: CKM_AES_GCM, parameter }, key, length: 65, padding: 0 })
        .collect()
}

#[test]
fn ciphers_of_cloudhsm() {
    isolated(|| check(ciphers));
}

#[test]
fn ciphers_of_standard() {
    isolated_standard(|| check(|session| ciphers(session).into_iter().chain(gcms(session)).collect()));
}

fn check(all: impl Fn(Session) -> Vec<Cipher>) {
    let session = hsm();
    let mut operations = 0;
    for cipher in all(session) {
        let plain = message(cipher.length);
        let whole = session.encrypt(&mut cipher.subject.mechanism(), cipher.key, &plain).unwrap();
        for (way, input, output) in [(Way::Encrypt, &plain, &whole), (Way::Decrypt, &whole, &plain)] {
            one_call(session, &cipher, way, input, output);
            for lengths in splits(input.len()) {
                in_parts(session, &cipher, way, input, output, &lengths);
                operations += 1;
            }
        }
    }
    println!("{operations} operations in parts");
}

/// How much more than the need a question may tell: the padding is not known before it is decrypted.
fn more(cipher: &Cipher, way: Way) -> usize {
    if way == Way::Decrypt { cipher.padding } else { 0 }
}

fn one_call(session: Session, cipher: &Cipher, way: Way, input: &[u8], output: &[u8]) {
    let what = format!("{} {way:?}", cipher.subject.name());
    session.begin(way, &mut cipher.subject.mechanism(), cipher.key).unwrap();
    let mut data = input.to_vec();
    let (start, size) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    let got = whole_rule(&what, output.len(), more(cipher, way), &mut |buffer, length| match way {
        Way::Encrypt => call!(C_Encrypt(session.0, start, size, buffer, length)),
        Way::Decrypt => call!(C_Decrypt(session.0, start, size, buffer, length)),
    });
    assert_eq!(got, output, "{what}");
    assert_eq!(session.once_into(way, input, 256), code(CKR_OPERATION_NOT_INITIALIZED), "{what}: it has ended");
}

fn in_parts(session: Session, cipher: &Cipher, way: Way, input: &[u8], output: &[u8], lengths: &[usize]) {
    let what = format!("{} {way:?} in {lengths:?}", cipher.subject.name());
    session.begin(way, &mut cipher.subject.mechanism(), cipher.key).unwrap();
    let mut got = Vec::new();
    for part in parts(input, lengths) {
        let mut part = part.to_vec();
        let (start, size) = (part.as_mut_ptr(), part.len() as CK_ULONG);
        let mut update = |buffer, length| match way {
            Way::Encrypt => call!(C_EncryptUpdate(session.0, start, size, buffer, length)),
            Way::Decrypt => call!(C_DecryptUpdate(session.0, start, size, buffer, length)),
        };
        let (mut told, mut need, mut room) = (7777, 0, 0xA5);
        assert_eq!(Rv(update(std::ptr::null_mut(), &raw mut told)), Rv(CKR_OK), "{what}");
        // No room, but a buffer: the part is taken if it gives nothing, else the need is told.
        let rv = Rv(update(&raw mut room, &raw mut need));
        if rv == Rv(CKR_BUFFER_TOO_SMALL) {
            assert_eq!(told, need, "{what}: what a question tells is exactly what comes out");
            got.extend(whole_rule(&what, need as usize, 0, &mut update));
        } else {
            // A program that allocates what it is told and passes what it gets must not ask the same question for ever: so
            // of a part that is not empty a question never tells 0 ("somewhat exceed the precise number", section 5.2).
            assert_eq!((rv, need, room), (Rv(CKR_OK), 0, 0xA5), "{what}");
            assert_eq!(told, if size == 0 { 0 } else { 16 }, "{what}");
        }
    }
    let rest = output.len() - got.len();
    let mut end = |buffer, length| match way {
        Way::Encrypt => call!(C_EncryptFinal(session.0, buffer, length)),
        Way::Decrypt => call!(C_DecryptFinal(session.0, buffer, length)),
    };
    told_and_too_small(&what, rest, more(cipher, way), &mut end);
    got.extend(exactly(&what, rest, &mut end));
    assert_eq!(got, output, "{what}");
    assert_eq!(session.final_into(way, 64), code(CKR_OPERATION_NOT_INITIALIZED), "{what}: it has ended");
}
