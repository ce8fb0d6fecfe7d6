//! What templates may say beyond AWS's tables, whose cells are golden.rs's: sizes, unknown and repeated attributes, values
//! of the wrong shape, material that is no key, the history of a key.

use crate::derivation::words;
use crate::support::*;

/// PKCS#11 3.2 section 4.1.1: an attribute that nobody knows (rule 1); one given twice, with two values (rule 5) or with the same
/// one, which is "as though the attribute had only appeared once" (rule 6).
#[test]
fn unknown_and_repeated_attributes() {
    isolated(|| {
        let session = hsm();
        let ec = Template::new().bytes(CKA_EC_PARAMS, P256);
        let pair = CKM_EC_KEY_PAIR_GEN;
        type Make<'a> = (Template, &'a dyn Fn(&Template) -> Answer<CK_OBJECT_HANDLE>);
        let makes: [Make<'_>; 5] = [
            (Template::new(), &|private| Ok(session.generate_pair(pair, &ec, private)?.1)),
            (ec.clone(), &|public| Ok(session.generate_pair(pair, public, &Template::new())?.0)),
            (aes(), &|template| session.generate(CKM_AES_KEY_GEN, template)),
            (rsa_private_value(), &|template| session.create(template)),
            (plain_generic_value(&[1; 32]), &|template| session.create(template)),
        ];
        for (base, make) in makes {
            make(&base).unwrap();
            assert_eq!(make(&base.clone().number(0x7777_7777, 1)), code(CKR_ATTRIBUTE_TYPE_INVALID));
            assert_eq!(make(&base.clone().label("a").label("b")), code(CKR_TEMPLATE_INCONSISTENT));
            let made = make(&base.clone().label("a").label("a").and(&base)).unwrap();
            assert_eq!(session.read(made, CKA_LABEL).unwrap(), b"a");
        }
    });
}

/// The same for every other function that takes a template (sections 4.1.2 and 4.1.3: "all the scenarios apply"), and in
/// templates inside of one.
#[test]
fn repeated_attributes_in_every_template() {
    isolated_standard(|| {
        let session = hsm();
        let inner = |second: &str| Template::new().label("inner").label(second);
        let wrapping = aes().on(&[CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE]);
        let key =
            session.generate(CKM_AES_KEY_GEN, &wrapping.clone().nested(CKA_UNWRAP_TEMPLATE, inner("inner"))).unwrap();
        let refused = session.generate(CKM_AES_KEY_GEN, &wrapping.clone().nested(CKA_UNWRAP_TEMPLATE, inner("other")));
        assert_eq!(refused, code(CKR_TEMPLATE_INCONSISTENT));
        let twice = wrapping.clone().nested(CKA_WRAP_TEMPLATE, Template::new().label("x"));
        session
            .generate(CKM_AES_KEY_GEN, &twice.clone().nested(CKA_WRAP_TEMPLATE, Template::new().label("x")))
            .unwrap();
        let refused = session.generate(CKM_AES_KEY_GEN, &twice.nested(CKA_WRAP_TEMPLATE, Template::new().label("y")));
        assert_eq!(refused, code(CKR_TEMPLATE_INCONSISTENT));

        let same = || Template::new().label("a").label("a");
        let different = || Template::new().label("a").label("b");
        session.set(key, &same()).unwrap();
        assert_eq!(session.set(key, &different()), code(CKR_TEMPLATE_INCONSISTENT));
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"a", "nothing was changed");
        session.copy(key, &same()).unwrap();
        assert_eq!(session.copy(key, &different()), code(CKR_TEMPLATE_INCONSISTENT));

        let mut wrap = Mechanism::new(CKM_AES_KEY_WRAP);
        let wrapped = session.wrap(&mut wrap, key, key).unwrap();
        let back = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
        session.unwrap(&mut wrap, key, &wrapped, &back.clone().and(&back)).unwrap();
        let other = back.clone().number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        assert_eq!(session.unwrap(&mut wrap, key, &wrapped, &other), code(CKR_TEMPLATE_INCONSISTENT));

        let base = session.create(&ec_private_value().on(&[CKA_DERIVE])).unwrap();
        let point = hex(ec_p256::POINT);
        let parameter = words(&[CKD_NULL, 0, 0, point.len() as CK_ULONG, point.as_ptr().addr() as CK_ULONG]);
        let derive =
            |template: &Template| session.derive(&mut Mechanism::bytes(CKM_ECDH1_DERIVE, &parameter), base, template);
        let wanted = back.number(CKA_VALUE_LEN, 32);
        derive(&wanted.clone().number(CKA_VALUE_LEN, 32)).unwrap();
        assert_eq!(derive(&wanted.number(CKA_VALUE_LEN, 16)), code(CKR_TEMPLATE_INCONSISTENT));
        // A pair whose second template is refused makes nothing.
        let public = ec_public(P256).flag(CKA_TOKEN, true).label("half");
        let token = Template::new().flag(CKA_TOKEN, true).label("half");
        let pair = |private: &Template| session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, private);
        assert_eq!(pair(&token.clone().label("other")), code(CKR_TEMPLATE_INCONSISTENT));
        assert_eq!(pair(&token.clone().bytes(CKA_START_DATE, b"x")), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(session.labelled("half"), [0; 0]);
    });
}

/// A12; User Guide, pkcs11-key-types: 2048 to 4096 bits in steps of 256, e odd and at least 65537.
#[test]
fn sizes_of_rsa_keys() {
    isolated(|| {
        let session = hsm();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
        let private = Template::new();
        let make = CKM_RSA_PKCS_KEY_PAIR_GEN;
        for bits in [0, 512, 1024, 2047, 2049, 2176, 4352, 8192, CK_ULONG::MAX] {
            let public = public.clone().without(CKA_MODULUS_BITS).number(CKA_MODULUS_BITS, bits);
            let refused = session.generate_pair(make, &public, &private);
            assert!(
                matches!(refused, Err(Rv(CKR_KEY_SIZE_RANGE | CKR_ATTRIBUTE_VALUE_INVALID))),
                "{bits}: {refused:?}"
            );
        }
        for exponent in [&[3_u8][..], &[1, 0, 0], &[0], &[], &[0xff, 0xff], &[1; 600]] {
            let public = public.clone().without(CKA_PUBLIC_EXPONENT).bytes(CKA_PUBLIC_EXPONENT, exponent);
            let refused = session.generate_pair(make, &public, &private);
            assert_eq!(refused, code(CKR_ATTRIBUTE_VALUE_INVALID), "{exponent:?}");
        }
    });
}

/// User Guide, pkcs11-key-types: AES of 16, 24 or 32 bytes, generic secrets of 1 to 800.
#[test]
fn sizes_of_secret_keys() {
    isolated(|| {
        let session = hsm();
        let made = |mechanism, length| session.generate(mechanism, &Template::new().number(CKA_VALUE_LEN, length));
        for length in [0, 1, 8, 15, 17, 33, 64, CK_ULONG::MAX] {
            let refused = made(CKM_AES_KEY_GEN, length);
            assert!(
                matches!(refused, Err(Rv(CKR_KEY_SIZE_RANGE | CKR_ATTRIBUTE_VALUE_INVALID))),
                "{length}: {refused:?}"
            );
        }
        for length in [0, 801, 1 << 20, CK_ULONG::MAX] {
            let refused = made(CKM_GENERIC_SECRET_KEY_GEN, length);
            assert!(
                matches!(refused, Err(Rv(CKR_KEY_SIZE_RANGE | CKR_ATTRIBUTE_VALUE_INVALID))),
                "{length}: {refused:?}"
            );
        }
        for length in [16, 24, 32] {
            let key = made(CKM_AES_KEY_GEN, length).unwrap();
            assert_eq!(session.number(key, CKA_VALUE_LEN), Ok(length));
        }
        for length in [1, 800] {
            let key = made(CKM_GENERIC_SECRET_KEY_GEN, length).unwrap();
            assert_eq!(session.number(key, CKA_VALUE_LEN), Ok(length));
        }
    });
}

/// Classes and key types that CloudHSM does not have, and those that do not fit the mechanism.
#[test]
fn other_classes_and_types() {
    isolated(|| {
        let session = hsm();
        assert_eq!(session.create(&Template::new()), code(CKR_TEMPLATE_INCOMPLETE));
        // Kinds that CloudHSM does not have (certificates are off until they are switched on).
        for class in [CKO_DATA, CKO_CERTIFICATE, CKO_HW_FEATURE, CKO_DOMAIN_PARAMETERS, 0x1234_5678] {
            let odd = Template::new().number(CKA_CLASS, class).bytes(CKA_VALUE, b"value");
            let refused = session.create(&odd);
            assert!(
                matches!(
                    refused,
                    Err(Rv(CKR_TEMPLATE_INCONSISTENT | CKR_ATTRIBUTE_VALUE_INVALID | CKR_TEMPLATE_INCOMPLETE))
                ),
                "{class}: {refused:?}"
            );
        }
        for key_type in [CKK_DSA, CKK_DES, CKK_BLOWFISH, 0x1234_5678] {
            let odd = Template::new()
                .number(CKA_CLASS, CKO_SECRET_KEY)
                .number(CKA_KEY_TYPE, key_type)
                .bytes(CKA_VALUE, &[1; 16]);
            let refused = session.create(&odd);
            assert!(matches!(refused, Err(Rv(CKR_TEMPLATE_INCONSISTENT | CKR_ATTRIBUTE_VALUE_INVALID))), "{refused:?}");
        }
        // Generation: class and type may be left out, and must fit when given (PKCS#11 3.2 section 5.18.1).
        let odd = aes().number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &odd), code(CKR_TEMPLATE_INCONSISTENT));
        let odd = aes().number(CKA_CLASS, CKO_PRIVATE_KEY);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &odd), code(CKR_TEMPLATE_INCONSISTENT));
        session
            .generate(CKM_AES_KEY_GEN, &aes().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES))
            .unwrap();
    });
}

/// The two halves of a pair must fit each other: key-pair consistency is checked at import (attack A53 and fault
/// attacks by imported keys); a value that is no key is CKR_ATTRIBUTE_VALUE_INVALID.
#[test]
fn material_that_is_no_key() {
    isolated(|| {
        let session = hsm();
        let replaced = |whole: &Template, id, value: &[u8]| session.create(&whole.clone().without(id).bytes(id, value));
        let refused = |answer: Answer<CK_OBJECT_HANDLE>, what: &str| {
            assert!(matches!(answer, Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID | CKR_KEY_SIZE_RANGE))), "{what}: {answer:?}");
        };
        for length in [0, 1, 15, 17, 31, 33, 64] {
            refused(replaced(&plain_aes_value(&[1; 16]), CKA_VALUE, &vec![1; length]), "AES length");
        }
        for length in [0, 801] {
            refused(replaced(&plain_generic_value(&[1; 16]), CKA_VALUE, &vec![1; length]), "generic length");
        }
        // Scalars: zero, the order of P-256, more than it, too long.
        let order = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        for scalar in [vec![], vec![0; 32], order, vec![0xff; 32], vec![1; 33]] {
            refused(replaced(&ec_private_value(), CKA_VALUE, &scalar), "scalar");
        }
        // Points: not on the curve, the point at infinity, cut off, of another curve (A55).
        let good = hex(ec_p256::POINT);
        let mut off = good.clone();
        off[64] ^= 1;
        for point in [off, vec![0], good[..64].to_vec(), vec![4; 65], vec![]] {
            let mut octets = vec![0x04, point.len() as u8];
            octets.extend(point);
            refused(replaced(&ec_public_value(), CKA_EC_POINT, &octets), "point");
        }
        let p384 = replaced(&ec_public_value(), CKA_EC_PARAMS, P384);
        refused(p384, "a point of another curve");
        // Curves that nobody has here: an unknown name, explicit parameters, no object identifier at all.
        for curve in [&[6, 3, 1, 2, 3][..], &[0x30, 3, 2, 1, 1], &[1, 2, 3], &[]] {
            let answer = replaced(&ec_private_value(), CKA_EC_PARAMS, curve);
            assert!(
                matches!(
                    answer,
                    Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID | CKR_CURVE_NOT_SUPPORTED | CKR_DOMAIN_PARAMS_INVALID))
                ),
                "{curve:?}: {answer:?}"
            );
        }
        // RSA: parts that do not belong together, an even modulus, a small one, small exponents (A54).
        let rsa = rsa_private_value();
        for id in [
            CKA_PRIVATE_EXPONENT,
            CKA_PRIME_1,
            CKA_PRIME_2,
            CKA_EXPONENT_1,
            CKA_EXPONENT_2,
            CKA_COEFFICIENT,
            CKA_MODULUS,
        ] {
            let mut value = rsa_part(id);
            let last = value.len() - 1;
            value[last] ^= 2;
            refused(replaced(&rsa, id, &value), &format!("RSA part {id:#x}"));
        }
        let mut even = hex(rsa_2048::MODULUS);
        even[255] &= 0xfe;
        refused(replaced(&rsa_public_value(), CKA_MODULUS, &even), "an even modulus");
        refused(replaced(&rsa_public_value(), CKA_MODULUS, &hex(rsa_2048::MODULUS)[..128]), "1024 bits");
        for exponent in [&[1_u8][..], &[3], &[1, 0, 0], &[]] {
            refused(replaced(&rsa_public_value(), CKA_PUBLIC_EXPONENT, exponent), "a public exponent");
        }
        // Leading zeros are no fault (PKCS#11 3.2 section 4.1: big integers).
        let mut padded = vec![0];
        padded.extend(hex(rsa_2048::MODULUS));
        replaced(&rsa_public_value(), CKA_MODULUS, &padded).unwrap();
        // Without the primes the HSM finds them.
        let few = [CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT]
            .into_iter()
            .fold(rsa.clone(), Template::without)
            .on(&[CKA_SIGN]);
        let few = session.create(&few).unwrap();
        let public = session.create(&rsa_public_value().on(&[CKA_VERIFY])).unwrap();
        let signature = session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), few, b"message").unwrap();
        session.verify(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), public, b"message", &signature).unwrap();
    });
}

fn rsa_part(id: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    hex(match id {
        CKA_MODULUS => rsa_2048::MODULUS,
        CKA_PRIVATE_EXPONENT => rsa_2048::PRIVATE_EXPONENT,
        CKA_PRIME_1 => rsa_2048::PRIME_1,
        CKA_PRIME_2 => rsa_2048::PRIME_2,
        CKA_EXPONENT_1 => rsa_2048::EXPONENT_1,
        CKA_EXPONENT_2 => rsa_2048::EXPONENT_2,
        _ => rsa_2048::COEFFICIENT,
    })
}

/// PKCS#11 3.2 section 4.1: values of the wrong shape.
#[test]
fn values_of_the_wrong_shape() {
    isolated(|| {
        let session = hsm();
        let refused = |template: Template| session.generate(CKM_AES_KEY_GEN, &template);
        for bad in [&[][..], &[2], &[0xff], &[1, 1], &[1, 0, 0, 0]] {
            let answer = refused(aes().without(CKA_ENCRYPT).bytes(CKA_ENCRYPT, bad));
            assert_eq!(answer, code(CKR_ATTRIBUTE_VALUE_INVALID), "a boolean of {bad:?}");
        }
        for bad in [&[][..], &[32], &[32, 0, 0, 0], &[32, 0, 0, 0, 0, 0, 0, 0, 0]] {
            let answer = refused(Template::new().bytes(CKA_VALUE_LEN, bad));
            assert_eq!(answer, code(CKR_ATTRIBUTE_VALUE_INVALID), "a number of {bad:?}");
        }
    });
}

/// Attacks A13 to A18, A24, A44: what a key was made with is what its history says.
#[test]
fn the_history_of_a_key() {
    isolated(|| {
        let session = hsm();
        let history =
            |key| [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE].map(|id| session.flag(key, id).unwrap());
        assert_eq!(history(session.generate(CKM_AES_KEY_GEN, &aes()).unwrap()), [true, true, false]);
        let closed = aes().flag(CKA_EXTRACTABLE, false);
        assert_eq!(history(session.generate(CKM_AES_KEY_GEN, &closed).unwrap()), [true, true, true]);
        let open = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_SENSITIVE, false)).unwrap();
        assert_eq!(history(open), [true, false, false]);
        session.set(open, &Template::new().flag(CKA_SENSITIVE, true)).unwrap();
        session.set(open, &Template::new().flag(CKA_EXTRACTABLE, false)).unwrap();
        assert_eq!(history(open), [true, false, false], "history is not rewritten");
        let imported = plain_aes_value(&[1; 16]).flag(CKA_EXTRACTABLE, false);
        assert_eq!(history(session.create(&imported).unwrap()), [false, false, false]);
        let copy = session.copy(open, &Template::new()).unwrap();
        assert_eq!(history(copy), [true, false, false]);
    });
}

/// User Guide, key check value: three bytes; of a symmetric key those of an encrypted zero block, of a pair those of
/// SHA-1 of the public key, the same on both halves; a generic secret has none.
#[test]
fn check_values() {
    isolated(|| {
        let session = hsm();
        let aes = session.create(&aes_value(&hex("000102030405060708090a0b0c0d0e0f"))).unwrap();
        let zero = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), aes, &[0; 16]).unwrap();
        assert_eq!(session.read(aes, CKA_CHECK_VALUE).unwrap(), &zero[..3]);
        let (public, private) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private()).unwrap();
        let value = session.read(public, CKA_CHECK_VALUE).unwrap();
        assert_eq!(value.len(), 3);
        assert_eq!(session.read(private, CKA_CHECK_VALUE).unwrap(), value);
        let generic = session.create(&generic_value(&[1; 16])).unwrap();
        assert_eq!(session.read(generic, CKA_CHECK_VALUE), code(CKR_ATTRIBUTE_TYPE_INVALID));
    });
}
