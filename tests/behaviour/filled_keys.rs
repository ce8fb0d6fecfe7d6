//! CKM_AES_KEY_WRAP of keys that are no whole number of half blocks, and what a wrapped key's length tells.
//!
//! "A secret key whose length is not a multiple of the AES Key Wrap semiblock size (8 bytes) will be zero padded to fit ... the
//! encoded private key will be zero padded to fit if necessary. ... In case of a secret key, it truncates the result according to
//! the CKA_KEY_TYPE attribute of the template and, if it has one and the key type supports it, the CKA_VALUE_LEN attribute of the
//! template. The length specified in the template must not be less than n-7 bytes ... In case of a private key, the mechanism
//! parses the encoding as defined in section 6.7 and ignores trailing zero bytes" (PKCS#11 3.2, CKM_AES_KEY_WRAP).

use crate::support::*;

const RAW: CK_MECHANISM_TYPE = CKM_AES_KEY_WRAP;

fn secret(key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type)
}

/// An AES key that wraps, unwraps, and in ECB does by hand what key wrap does with it.
fn wrapping_key(session: Session) -> CK_OBJECT_HANDLE {
    session.create(&aes_value(&[7; 32]).on(&[CKA_WRAP, CKA_UNWRAP])).unwrap()
}

/// RFC 3394, section 2.2.1, by the letter of its index-based description: the second implementation.
fn by_the_letter(session: Session, key: CK_OBJECT_HANDLE, text: &[u8]) -> Vec<u8> {
    let mut block = [[0xA6; 8], [0; 8]].concat();
    let mut halves: Vec<Vec<u8>> = text.chunks(8).map(<[u8]>::to_vec).collect();
    let mut step = 0_u64;
    for _ in 0..6 {
        for half in &mut halves {
            step += 1;
            block[8..].copy_from_slice(half);
            block = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &block).unwrap();
            half.copy_from_slice(&block[8..]);
            let mixed = u64::from_be_bytes(block[..8].try_into().unwrap()) ^ step;
            block[..8].copy_from_slice(&mixed.to_be_bytes());
        }
    }
    [&block[..8], &halves.concat()[..]].concat()
}

fn filled(key: &[u8]) -> Vec<u8> {
    let mut filled = key.to_vec();
    filled.resize(key.len().next_multiple_of(8), 0);
    filled
}

#[test]
fn a_secret_key_of_any_length_leaves_and_comes_back() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        for length in (9..=40).chain([799, 800]) {
            let value: Vec<u8> = (0..length).map(|byte| byte as u8 | 1).collect();
            let key = session.create(&plain_generic_value(&value).on(&[CKA_EXTRACTABLE])).unwrap();
            let wrapped = session.wrap(&mut Mechanism::new(RAW), wrapping, key).unwrap();
            assert_eq!(wrapped, by_the_letter(session, wrapping, &filled(&value)), "{length}");
            let target = secret(CKK_GENERIC_SECRET).off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]);
            let back = |template: &Template| session.unwrap(&mut Mechanism::new(RAW), wrapping, &wrapped, template);
            let key = back(&target.clone().number(CKA_VALUE_LEN, length as CK_ULONG)).unwrap();
            assert_eq!(session.read(key, CKA_VALUE), Ok(value.clone()), "{length}");
            // Without a length the zeros cannot be told from the key.
            let key = back(&target).unwrap();
            assert_eq!(session.read(key, CKA_VALUE), Ok(filled(&value)), "{length}");
            // More than the wrapped key holds, or less than n - 7.
            let most = filled(&value).len() as CK_ULONG;
            for other in [most + 1, most - 8] {
                let refused = back(&target.clone().number(CKA_VALUE_LEN, other));
                let refused = refused.map(drop);
                let expected = if other > 800 { CKR_ATTRIBUTE_VALUE_INVALID } else { CKR_WRAPPED_KEY_LEN_RANGE };
                assert_eq!(refused, code(expected), "{length} as {other}");
            }
        }
        // RFC 3394, section 2: "n is at least 2"; what fits into one half is nothing that it wraps.
        let short = session.create(&plain_generic_value(&[1; 8]).on(&[CKA_EXTRACTABLE])).unwrap();
        assert_eq!(session.wrap(&mut Mechanism::new(RAW), wrapping, short), code(CKR_KEY_SIZE_RANGE));
    });
}

/// What is cut off must be the zeros of the filling: else a key could be had again a byte shorter, and its bytes found one by one
/// (Clulow 2003, on keys that are cut in slices).
#[test]
fn nothing_but_zeros_is_cut_off() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        let wrapped = by_the_letter(session, wrapping, &[&[9; 31][..], &[0]].concat());
        let unwrap = |length| {
            let target = secret(CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, length);
            session.unwrap(&mut Mechanism::new(RAW), wrapping, &wrapped, &target).map(drop)
        };
        assert_eq!((unwrap(32), unwrap(31)), (Ok(()), Ok(())));
        for length in 25..31 {
            assert_eq!(unwrap(length), code(CKR_WRAPPED_KEY_INVALID), "{length}");
        }
    });
}

/// Every kind of private key that can be wrapped, each of a length that is no multiple of eight bytes at some point: the keys of
/// several sizes and curves leave and come back, and the wrapped form is PKCS#8, filled up.
#[test]
fn private_keys_leave_and_come_back() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        let (leaves, signs) = ([CKA_EXTRACTABLE], [CKA_SIGN]);
        let pair = |mechanism, public: &Template| {
            session.generate_pair(mechanism, public, &Template::new().on(&leaves).on(&signs)).unwrap().1
        };
        let mut keys =
            vec![(CKK_RSA, CKM_SHA256_RSA_PKCS, session.create(&rsa_private_value().on(&leaves).on(&signs)).unwrap())];
        for bits in [1024, 1152, 1280, 2048] {
            keys.push((CKK_RSA, CKM_SHA256_RSA_PKCS, pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa_public(bits))));
        }
        for curve in [P224, P256, P384, P521, K256] {
            keys.push((CKK_EC, CKM_ECDSA_SHA256, pair(CKM_EC_KEY_PAIR_GEN, &ec_public(curve))));
        }
        keys.push((CKK_EC_EDWARDS, CKM_EDDSA, pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &ec_public(EDWARDS25519))));
        let mut odd = 0;
        for (key_type, mechanism, key) in keys {
            // KWP keeps the length, so it tells how long the encoding is.
            let encoded = session.wrap(&mut Mechanism::new(CKM_AES_KEY_WRAP_PKCS7), wrapping, key).unwrap().len() - 8;
            let wrapped = session.wrap(&mut Mechanism::new(RAW), wrapping, key).unwrap();
            odd += usize::from(encoded != wrapped.len());
            let target =
                Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, key_type).on(&[CKA_SIGN]);
            let back = session.unwrap(&mut Mechanism::new(RAW), wrapping, &wrapped, &target).unwrap();
            let sign = |key| session.sign(&mut Mechanism::new(mechanism), key, b"message").unwrap();
            if mechanism == CKM_ECDSA_SHA256 {
                assert_eq!(session.read(back, CKA_EC_PARAMS), session.read(key, CKA_EC_PARAMS));
                sign(back);
            } else {
                assert_eq!(sign(back), sign(key), "{key_type}");
            }
        }
        assert!(odd > 0);
    });
}

/// Zeros behind the encoding are ignored up to seven, other bytes and whole half blocks are not.
#[test]
fn what_stands_behind_a_private_key() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        // RFC 8410, section 10.3: 48 bytes.
        let encoded =
            hex("302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842");
        let target = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_EC_EDWARDS);
        let unwrap = |text: &[u8]| {
            let wrapped = by_the_letter(session, wrapping, text);
            session.unwrap(&mut Mechanism::new(RAW), wrapping, &wrapped, &target).map(drop)
        };
        assert_eq!(unwrap(&encoded), Ok(()));
        assert_eq!(unwrap(&[&encoded[..], &[0; 8]].concat()), code(CKR_WRAPPED_KEY_INVALID));
        // A version of two bytes is not DER, so the rest is made by an attribute: 48 + 2 bytes and 6 zeros.
        let longer = [&hex("3030")[..], &encoded[2..], &hex("a000")].concat();
        assert_eq!(longer.len(), 50);
        assert_eq!(unwrap(&[&longer[..], &[0; 6]].concat()), Ok(()));
        assert_eq!(unwrap(&[&longer[..], &[0, 0, 0, 0, 0, 1]].concat()), code(CKR_WRAPPED_KEY_INVALID));
        assert_eq!(unwrap(&[&longer[..], &[0; 14]].concat()), code(CKR_WRAPPED_KEY_INVALID));
    });
}

/// "CKR_WRAPPED_KEY_LEN_RANGE: ... the provided wrapped key can be seen to be invalid solely on the basis of its length. ... has a
/// higher priority than CKR_WRAPPED_KEY_INVALID" (PKCS#11 3.2, section 5.1.6), whatever wraps: a length that no key of the type
/// has, and that of another type.
#[test]
fn a_length_is_judged_before_what_is_wrapped() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        for (mechanism, over) in [
            (RAW, 8),
            (CKM_AES_KEY_WRAP_KWP, 8),
            (CKM_AES_KEY_WRAP_PKCS7, 16),
            (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, 8),
            (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, 8),
            (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, 16),
        ] {
            let unwrap = |key_type, length| {
                let wrapped = vec![0x5A; length];
                session.unwrap(&mut Mechanism::new(mechanism), wrapping, &wrapped, &secret(key_type)).map(drop)
            };
            assert_eq!(unwrap(CKK_DES3, 16 + over), code(CKR_WRAPPED_KEY_LEN_RANGE), "{mechanism:#x}");
            assert_eq!(unwrap(CKK_AES, 40 + over), code(CKR_WRAPPED_KEY_LEN_RANGE), "{mechanism:#x}");
            assert_eq!(unwrap(CKK_AES, 17 + over), code(CKR_WRAPPED_KEY_LEN_RANGE), "{mechanism:#x}");
            assert_eq!(unwrap(CKK_AES, 16 + over), code(CKR_WRAPPED_KEY_INVALID), "{mechanism:#x}");
            assert_eq!(unwrap(CKK_DES3, 24 + over), code(CKR_WRAPPED_KEY_INVALID), "{mechanism:#x}");
        }
        let unwrap = |length: usize| {
            let (mut iv, mut none) = ([1; 12], []);
            let mut parameter = gcm(&mut iv, &mut none, 128);
            let wrapped = vec![0x5A; length];
            let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
            session.unwrap(&mut mechanism, wrapping, &wrapped, &secret(CKK_DES3)).map(drop)
        };
        assert_eq!(unwrap(32), code(CKR_WRAPPED_KEY_LEN_RANGE));
        assert_eq!(unwrap(40), code(CKR_WRAPPED_KEY_INVALID));
    });
}

/// CK_GCM_WRAP_PARAMS for C_WrapKey and C_UnwrapKey.
fn wrap_parameter(iv: &mut [u8], fixed: CK_ULONG, generator: CK_ULONG, additional: &mut [u8]) -> CK_GCM_WRAP_PARAMS {
    CK_GCM_WRAP_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvFixedBits: fixed,
        ivGenerator: generator,
        pAAD: additional.as_mut_ptr(),
        ulAADLen: additional.len() as CK_ULONG,
        ulTagBits: 128,
    }
}

/// "AES-GCM uses CK_GCM_WRAP_PARAMS for WrapKey, UnwrapKey": the whole IV is returned in pIv; CKG_NO_GENERATE takes the caller's;
/// to unwrap, "the ulIvFixedBits and ivGenerator fields are ignored" (PKCS#11 3.2, section 6.13.3).
#[test]
fn aes_gcm_wraps_with_the_parameter_for_it() {
    isolated_standard(|| {
        let session = hsm();
        let wrapping = wrapping_key(session);
        let value = [9; 32];
        let key = session.create(&plain_aes_value(&value).on(&[CKA_EXTRACTABLE])).unwrap();
        let mut ivs = Vec::new();
        for generator in [CKG_GENERATE, CKG_GENERATE_RANDOM, CKG_NO_GENERATE, CKG_GENERATE] {
            let (mut iv, mut additional) = ([3; 12], *b"additional");
            let mut parameter = wrap_parameter(&mut iv, 0, generator, &mut additional);
            let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
            // A question makes no IV.
            let mut length = 0;
            let rv = call!(C_WrapKey(session.0, mechanism.raw(), wrapping, key, std::ptr::null_mut(), &raw mut length));
            assert_eq!((Rv(rv), length), (Rv(CKR_OK), 48));
            assert_eq!(iv, [3; 12]);
            let wrapped = session.wrap(&mut mechanism, wrapping, key).unwrap();
            assert_eq!(iv == [3; 12], generator == CKG_NO_GENERATE);
            // C_Encrypt under the same IV is what the standard has GCM be.
            let mut plain = gcm(&mut iv, &mut additional, 128);
            let again = session.encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut plain), wrapping, &value).unwrap();
            assert_eq!(wrapped, again);
            let mut parameter = wrap_parameter(&mut iv, 99, 99, &mut additional);
            let mut back = Mechanism::with(CKM_AES_GCM, &mut parameter);
            let template = secret(CKK_AES).off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]);
            let back = session.unwrap(&mut back, wrapping, &wrapped, &template).unwrap();
            assert_eq!(session.read(back, CKA_VALUE), Ok(value.to_vec()));
            ivs.push(iv);
        }
        assert_ne!(ivs[0], ivs[3]);
        // A counter, a fixed part, an IV of another length that the HSM should make; an IV that is fixed beyond its end.
        for (length, fixed, generator) in [
            (12, 0, CKG_GENERATE_COUNTER),
            (12, 0, CKG_GENERATE_COUNTER_XOR),
            (12, 0, 99),
            (12, 32, CKG_GENERATE),
            (16, 0, CKG_GENERATE),
            (0, 0, CKG_GENERATE),
            (0, 0, CKG_NO_GENERATE),
            (12, 97, CKG_NO_GENERATE),
        ] {
            let mut iv = vec![0; length];
            let mut parameter = wrap_parameter(&mut iv, fixed, generator, &mut []);
            let refused = session.wrap(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), wrapping, key);
            assert_eq!(refused, code(CKR_MECHANISM_PARAM_INVALID), "{length} {fixed} {generator}");
        }
        // It is the parameter of wrapping alone.
        let mut iv = [3; 12];
        let mut parameter = wrap_parameter(&mut iv, 0, CKG_NO_GENERATE, &mut []);
        let refused = session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), wrapping);
        assert_eq!(refused, code(CKR_MECHANISM_PARAM_INVALID));
    });
}
