//! Parameters of C_DeriveKey: CK_ECDH1_DERIVE_PARAMS and both CK_SP800_108_KDF_PARAMS.

use super::parameters::Form;
use super::table::Setting;
use crate::support::*;

/// CKD_CLOUDHSM_X963_SHA1_KDF to _SHA512_KDF, whose numbers are ours: the vendor bit and the standard's.
const X963: [CK_ULONG; 5] = [0x8000_0002, 0x8000_0005, 0x8000_0006, 0x8000_0007, 0x8000_0008];
const STANDARD: [CK_ULONG; 5] = [CKD_SHA1_KDF, CKD_SHA224_KDF, CKD_SHA256_KDF, CKD_SHA384_KDF, CKD_SHA512_KDF];

/// The peer's point on P-256: RFC 6979, A.2.5.
fn point() -> Vec<u8> {
    hex(ec_p256::POINT)
}

/// The same in an OCTET STRING, as CKA_EC_POINT is read.
fn coded() -> Vec<u8> {
    [&[4, 65][..], &point()].concat()
}

/// CK_ECDH1_DERIVE_PARAMS.
fn agreement(name: impl Into<String>, kdf: CK_ULONG, shared: &[u8], point: &[u8]) -> Parameter {
    let mut memory = Memory::default();
    let (information, place) = (memory.place(shared), memory.place(point));
    let words = [kdf, shared.len() as CK_ULONG, information, point.len() as CK_ULONG, place];
    Parameter::words(name, &words).keeping(memory)
}

pub(super) fn right_agreements(form: Form, setting: Setting) -> Vec<Parameter> {
    let mut kdfs = X963.to_vec();
    if form == Form::Ecdh {
        kdfs.extend(STANDARD);
    }
    let mut all: Vec<_> = kdfs.iter().map(|kdf| agreement(format!("kdf {kdf:#x}"), *kdf, &[], &coded())).collect();
    all.push(agreement("a raw point", X963[2], &[], &point()));
    all.push(agreement("shared information", X963[2], b"information", &coded()));
    // AWS's sample outside FIPS mode; SP 800-56A lets no shared secret be a key (ours in FIPS mode).
    if !setting.fips {
        all.push(agreement("CKD_NULL", CKD_NULL, &[], &coded()));
    }
    all
}

pub(super) fn wrong_agreements(form: Form, setting: Setting) -> Vec<Parameter> {
    let mut all: Vec<_> = [0, 3, 99, 0x8000_0000, 0x8000_0001, 0x8000_0003, CK_ULONG::MAX]
        .map(|kdf| agreement(format!("kdf {kdf:#x}"), kdf, &[], &coded()))
        .into();
    if form == Form::X963 {
        all.extend(STANDARD.map(|kdf| agreement(format!("kdf {kdf:#x}, the standard's"), kdf, &[], &coded())));
    }
    if setting.fips {
        all.push(agreement("CKD_NULL", CKD_NULL, &[], &coded()));
    }
    // PKCS#11 3.2, 6.3.18: CKD_NULL has no shared information.
    all.push(agreement("CKD_NULL with shared information", CKD_NULL, b"information", &coded()));
    let mut off = point();
    off[64] ^= 1;
    let mut off_coded = coded();
    off_coded[66] ^= 1;
    let other = [&[4][..], &[0x11; 96]].concat();
    let cut = point()[..64].to_vec();
    let long = [&point()[..], &[0]].concat();
    for (name, wrong) in [
        ("an empty point", vec![]),
        ("the point at infinity", vec![0]),
        ("a point off the curve", off),
        ("a coded point off the curve", off_coded),
        ("a point of another length", other),
        ("a point cut short", cut),
        ("a point and a byte", long),
        ("a point of zeros", [&[4][..], &[0; 64]].concat()),
    ] {
        all.push(agreement(name, X963[2], &[], &wrong));
    }
    all.push(Parameter::words("a point at NULL with a length", &[X963[2], 0, 0, 65, 0]));
    let mut memory = Memory::default();
    let place = memory.place(&coded());
    all.push(Parameter::words("shared information at NULL", &[X963[2], 4, 0, 67, place]).keeping(memory));
    all
}

/// A piece of the input of SP 800-108: its type and its value.
type Piece = (CK_ULONG, Vec<u8>);

fn value(words: &[CK_ULONG]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The counter: AWS's structure is one word, the standard's has a byte for the order of bytes before it.
fn counter(form: Form, bits: CK_ULONG) -> Piece {
    (1, if form == Form::CounterKdf3 { value(&[bits]) } else { value(&[0, bits]) })
}

/// The number of the type of the key's length: 2 with AWS, 3 in the standard.
fn length(form: Form, method: CK_ULONG, bits: CK_ULONG) -> Piece {
    if form == Form::CounterKdf3 { (2, value(&[method, bits])) } else { (3, value(&[method, 0, bits])) }
}

/// Bytes: 3 with AWS, 4 in the standard.
fn bytes(form: Form, bytes: &[u8]) -> Piece {
    (if form == Form::CounterKdf3 { 3 } else { 4 }, bytes.to_vec())
}

/// CK_SP800_108_KDF_PARAMS.
fn counter_kdf(name: impl Into<String>, form: Form, prf: CK_ULONG, pieces: &[Piece]) -> Parameter {
    let mut memory = Memory::default();
    let mut list = Vec::new();
    for (kind, value) in pieces {
        list.extend([*kind, memory.place(value), value.len() as CK_ULONG]);
    }
    let mut words = vec![prf, pieces.len() as CK_ULONG, memory.place(&value(&list))];
    if form == Form::CounterKdf5 {
        words.extend([0, 0]);
    }
    Parameter::words(name, &words).keeping(memory)
}

const PRFS: [CK_MECHANISM_TYPE; 6] =
    [CKM_SHA256_HMAC, CKM_SHA_1_HMAC, CKM_SHA224_HMAC, CKM_SHA384_HMAC, CKM_SHA512_HMAC, CKM_AES_CMAC];

/// The widths of the counter and of the key's length, in bits, that are served: samples of AWS; PKCS#11 3.2, 6.42.2.
fn widths(form: Form) -> (&'static [CK_ULONG], &'static [CK_ULONG]) {
    if form == Form::CounterKdf3 {
        (&[16, 32], &[8, 16, 32, 64])
    } else {
        (&[8, 16, 24, 32], &[8, 16, 24, 32, 40, 48, 56, 64])
    }
}

pub(super) fn right_counters(form: Form) -> Vec<Parameter> {
    let (counters, lengths) = widths(form);
    let label = || bytes(form, b"label");
    let mut all: Vec<_> = PRFS
        .iter()
        .map(|prf| counter_kdf(format!("prf {prf:#x}"), form, *prf, &[label(), counter(form, 32), length(form, 1, 32)]))
        .collect();
    let of = |name: String, pieces: &[Piece]| counter_kdf(name, form, CKM_SHA256_HMAC, pieces);
    all.extend(counters.iter().map(|bits| of(format!("a counter of {bits}"), &[counter(form, *bits), label()])));
    all.extend(
        lengths.iter().map(|bits| of(format!("a length of {bits}"), &[counter(form, 32), length(form, 1, *bits)])),
    );
    all.push(of("a counter alone".to_owned(), &[counter(form, 32)]));
    if form == Form::CounterKdf3 {
        // The older types: counter 4, label 5, context 6, length 7, in any order.
        let older = [(7, value(&[1, 32])), (6, b"context".to_vec()), (5, b"label".to_vec()), (4, value(&[16]))];
        all.push(of("the older types".to_owned(), &older));
    } else {
        all.push(of("the sum of segments".to_owned(), &[counter(form, 32), length(form, 2, 32)]));
    }
    all
}

pub(super) fn wrong_counters(form: Form) -> Vec<Parameter> {
    let (counters, lengths) = widths(form);
    let label = || bytes(form, b"label");
    let of = |name: String, pieces: &[Piece]| counter_kdf(name, form, CKM_SHA256_HMAC, pieces);
    let mut all = Vec::new();
    for prf in [0, CKM_SHA256, CKM_MD5_HMAC, CKM_AES_ECB, CK_ULONG::MAX] {
        all.push(counter_kdf(format!("prf {prf:#x}"), form, prf, &[counter(form, 32), label()]));
    }
    for bits in (0..=72).chain([128, 256, CK_ULONG::MAX]) {
        if !counters.contains(&bits) {
            all.push(of(format!("a counter of {bits}"), &[counter(form, bits), label()]));
        }
        if !lengths.contains(&bits) {
            all.push(of(format!("a length of {bits}"), &[counter(form, 32), length(form, 1, bits)]));
        }
    }
    // "Only SUM_OF_KEYS works" (AWS's samples); the standard has both methods.
    let methods: &[CK_ULONG] = if form == Form::CounterKdf3 { &[0, 2, 3] } else { &[0, 3] };
    all.extend(
        methods.iter().map(|method| of(format!("method {method}"), &[counter(form, 32), length(form, *method, 32)])),
    );
    let types: &[CK_ULONG] = if form == Form::CounterKdf3 { &[0, 9, 99] } else { &[0, 6, 99] };
    all.extend(types.iter().map(|unknown| of(format!("type {unknown}"), &[counter(form, 32), (*unknown, vec![1; 8])])));
    let (kind, good) = counter(form, 32);
    for size in [1, good.len() - 1, good.len() + 1] {
        let mut value = good.clone();
        value.resize(size, 0);
        all.push(of(format!("a counter's structure of {size} bytes"), &[(kind, value), label()]));
    }
    let (kind, good) = length(form, 1, 32);
    for size in [1, good.len() - 1, good.len() + 1] {
        let mut value = good.clone();
        value.resize(size, 0);
        all.push(of(format!("a length's structure of {size} bytes"), &[counter(form, 32), (kind, value)]));
    }
    // PKCS#11 3.2, 6.42, counter mode: "If specified, only one instance of this type may be specified", of the key's length.
    for others in [&[][..], &[label()]] {
        let two = [&[counter(form, 32), length(form, 1, 32)], others, &[length(form, 1, 32)]].concat();
        all.push(of(format!("two lengths and {} pieces", others.len() + 1), &two));
    }
    all.push(of("two counters".to_owned(), &[counter(form, 32), counter(form, 32)]));
    // SP 800-108 section 4.1: the counter is part of every input.
    all.push(of("no counter".to_owned(), &[label()]));
    all.push(of("no piece".to_owned(), &[]));
    let words = [CKM_SHA256_HMAC, 2, 0, 0, 0];
    let words = if form == Form::CounterKdf3 { &words[..3] } else { &words[..] };
    all.push(Parameter::words("pieces at NULL", words));
    all
}
