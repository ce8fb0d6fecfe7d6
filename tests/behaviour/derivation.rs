//! SP 800-108 in counter mode: the input that each of CloudHSM's two styles and the standard's structure lays out, computed
//! a second time here (NIST SP 800-108r1 section 4.1; User Guide, pkcs11-mechanisms; PKCS#11 3.2 section 6.42).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::support::*;

const BASE: [u8; 32] = [0x5A; 32];
const LABEL: &[u8] = b"label";
const CONTEXT: &[u8] = b"the context";
/// Two blocks of SHA-256, the second one cut.
const LENGTH: usize = 48;

/// The KDF itself: HMAC over what `input` lays out around the number of the iteration.
fn expected(input: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let block = |number| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&BASE).unwrap();
        mac.update(&input(number));
        mac.finalize().into_bytes().to_vec()
    };
    [block(1), block(2)].concat()[..LENGTH].to_vec()
}

/// One piece of the input: its type and its value.
type Piece<'a> = (CK_ULONG, &'a [u8]);

/// `CK_SP800_108_KDF_PARAMS` with three fields, or five.
fn derive(
    session: Session,
    mechanism: CK_MECHANISM_TYPE,
    pieces: &[Piece<'_>],
    fields: usize,
) -> Answer<CK_OBJECT_HANDLE> {
    let readable = plain_aes_value(&BASE).on(&[CKA_DERIVE, CKA_EXTRACTABLE]).off(&[CKA_SENSITIVE]);
    let base = session.create(&readable).unwrap();
    let mut values: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.1.to_vec()).collect();
    let mut data: Vec<_> = pieces
        .iter()
        .zip(&mut values)
        .map(|(piece, value)| CK_PRF_DATA_PARAM {
            type_: piece.0,
            pValue: value.as_mut_ptr().cast(),
            ulValueLen: value.len() as CK_ULONG,
        })
        .collect();
    let mut words = [CKM_SHA256_HMAC, data.len() as CK_ULONG, data.as_mut_ptr().addr() as CK_ULONG, 0, 0];
    let parameter: Vec<u8> = words[..fields].iter_mut().flat_map(|word| word.to_ne_bytes()).collect();
    let template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .number(CKA_VALUE_LEN, LENGTH as CK_ULONG)
        .on(&[CKA_SIGN]);
    session.derive(&mut Mechanism::bytes(mechanism, &parameter), base, &template)
}

/// Whether the derived key has this value, told by a MAC because CloudHSM's derived keys are sensitive.
fn assert_is(session: Session, key: CK_OBJECT_HANDLE, value: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(value).unwrap();
    mac.update(b"message");
    let came = session.sign(&mut Mechanism::new(CKM_SHA256_HMAC), key, b"message").unwrap();
    assert_eq!(came, mac.finalize().into_bytes().to_vec());
}

pub(crate) fn words(words: &[CK_ULONG]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The newer style joins its pieces in the order given.
#[test]
fn pieces_in_their_order() {
    isolated(|| {
        let session = hsm();
        // Counter of 16 bits, length by the sum of the keys in 64 bits.
        let (counter, length) = (words(&[16]), words(&[1, 64]));
        let pieces: [Piece<'_>; 4] = [(3, LABEL), (1, &counter), (3, CONTEXT), (2, &length)];
        let key = derive(session, vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &pieces, 3).unwrap();
        let value = expected(|number| {
            [LABEL, &number.to_be_bytes()[2..], CONTEXT, &(LENGTH as u64 * 8).to_be_bytes()].concat()
        });
        assert_is(session, key, &value);
    });
}

/// The older style is counter, label, a zero byte, context, length, in whatever order its pieces are given.
#[test]
fn older_pieces_in_any_order() {
    isolated(|| {
        let session = hsm();
        let (counter, length) = (words(&[32]), words(&[1, 32]));
        let value = expected(|number| {
            [&number.to_be_bytes()[..], LABEL, &[0], CONTEXT, &(LENGTH as u32 * 8).to_be_bytes()].concat()
        });
        let pieces: [Piece<'_>; 4] = [(4, &counter), (5, LABEL), (6, CONTEXT), (7, &length)];
        for turn in 0..pieces.len() {
            let mut pieces = pieces;
            pieces.rotate_left(turn);
            let key = derive(session, vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &pieces, 3).unwrap();
            assert_is(session, key, &value);
        }
        let mixed: [Piece<'_>; 2] = [(4, &counter), (3, LABEL)];
        let came = derive(session, vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &mixed, 3);
        assert_eq!(came, code(CKR_MECHANISM_PARAM_INVALID), "pieces of both styles");
    });
}

/// The standard's structure has five fields, and its formats a byte order.
#[test]
fn five_fields_of_the_standard() {
    isolated_standard(|| {
        let session = hsm();
        // CK_SP800_108_COUNTER_FORMAT {little-endian, 24 bits}; CK_SP800_108_DKM_LENGTH_FORMAT {sum of segments,
        // big-endian, 32 bits}: a CK_BBOOL in a word of its own, by its alignment.
        let counter = words(&[CK_ULONG::from(CK_TRUE).to_le(), 24]);
        let length = words(&[CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, 0, 32]);
        let pieces: [Piece<'_>; 4] = [
            (CK_SP800_108_BYTE_ARRAY, LABEL),
            (CK_SP800_108_ITERATION_VARIABLE, &counter),
            (CK_SP800_108_BYTE_ARRAY, CONTEXT),
            (CK_SP800_108_DKM_LENGTH, &length),
        ];
        let key = derive(session, CKM_SP800_108_COUNTER_KDF, &pieces, 5).unwrap();
        // The sum of the segments: two whole blocks.
        let value =
            expected(|number| [LABEL, &number.to_le_bytes()[..3], CONTEXT, &(2 * 256_u32).to_be_bytes()].concat());
        assert_is(session, key, &value);
        assert_eq!(session.flag(key, CKA_LOCAL), Ok(false), "what is derived was not generated");
        assert_eq!(derive(session, CKM_SP800_108_COUNTER_KDF, &pieces, 3), code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// ECDH without a derivation, on an HSM in FIPS mode.
fn agree_plainly() -> Answer<CK_OBJECT_HANDLE> {
    let session = hsm();
    let (_, private) =
        session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private().on(&[CKA_DERIVE])).unwrap();
    let point = hex(ec_p256::POINT);
    let parameter = words(&[CKD_NULL, 0, 0, point.len() as CK_ULONG, point.as_ptr().addr() as CK_ULONG]);
    let template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .number(CKA_VALUE_LEN, 32)
        .on(&[CKA_ENCRYPT]);
    session.derive(&mut Mechanism::bytes(CKM_ECDH1_DERIVE, &parameter), private, &template)
}

/// The shared secret itself is no key in FIPS mode (SP 800-56A) ...
#[test]
fn no_plain_agreement_in_fips_mode() {
    isolated_with("cloudhsm", &[("CLOUDHSM_PKCS11_FIPS", "true")], || {
        assert_eq!(agree_plainly(), code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// ... unless the client is told so (`configure-pkcs11 --enable-ecdh-without-kdf`).
#[test]
fn plain_agreement_where_it_is_allowed() {
    let variables = [("CLOUDHSM_PKCS11_FIPS", "true"), ("CLOUDHSM_PKCS11_ECDH_WITHOUT_KDF", "true")];
    isolated_with("cloudhsm", &variables, || assert!(agree_plainly().is_ok()));
}
