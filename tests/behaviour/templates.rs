//! What templates may say: the cells of AWS's tables (User Guide, pkcs11-attributes-interpreting), one by one.
//!
//! `y` accepted; `m` mandatory (CKR_TEMPLATE_INCOMPLETE without it); `R` read-only (CKR_ATTRIBUTE_READ_ONLY); `-` not
//! supported (CKR_TEMPLATE_INCONSISTENT); `=` accepted with its default value only (else CKR_ATTRIBUTE_VALUE_INVALID).
//! Errors: User Guide, attr-errors. The last column is the default that a key made without the attribute shows.

use crate::support::*;

/// C_GenerateKeyPair.
const PAIRS: &str = "
                        EC-prv  EC-pub  RSA-prv  RSA-pub  default
    LOCAL               R       R       R        R        1
    TOKEN               y       y       y        y        0
    PRIVATE             =       =       =        =        1
    ENCRYPT             -       y       -        y        0
    DECRYPT             y       -       y        -        0
    DERIVE              y       y       y        y        0
    MODIFIABLE          y       y       y        y        1
    DESTROYABLE         y       y       y        y        1
    SIGN                y       -       y        -        0
    VERIFY              -       y       -        y        0
    SIGN_RECOVER        -       -       -        -        .
    VERIFY_RECOVER      -       -       -        -        .
    WRAP                -       y       -        y        0
    UNWRAP              y       -       y        -        0
    WRAP_TEMPLATE       -       y       -        y        .
    UNWRAP_TEMPLATE     y       -       y        -        .
    WRAP_WITH_TRUSTED   y       -       y        -        0
    SENSITIVE           =       -       =        -        1
    EXTRACTABLE         y       -       y        -        1
    ALWAYS_SENSITIVE    R       -       R        -        1
    NEVER_EXTRACTABLE   R       -       R        -        0
    CHECK_VALUE         R       R       R        R        .
    MODULUS_BITS        -       -       -        m        .
    PUBLIC_EXPONENT     -       -       -        m        .
    EC_PARAMS           -       m       -        -        .
    MODULUS             -       -       -        -        .
    PRIVATE_EXPONENT    -       -       -        -        .
    PRIME_1             -       -       -        -        .
    PRIME_2             -       -       -        -        .
    EXPONENT_1          -       -       -        -        .
    EXPONENT_2          -       -       -        -        .
    COEFFICIENT         -       -       -        -        .
    VALUE               -       -       -        -        .
    VALUE_LEN           -       -       -        -        .
    EC_POINT            -       -       -        -        .
    KEY_GEN_MECHANISM   -       -       -        -        .
    COPYABLE            -       -       -        -        .
    ALWAYS_AUTHENTICATE -       -       -        -        .
    ALLOWED_MECHANISMS  -       -       -        -        .
    SUBJECT             -       -       -        -        .
    START_DATE          -       -       -        -        .
    END_DATE            -       -       -        -        .
    PUBLIC_KEY_INFO     -       -       -        -        .
";

/// C_GenerateKey.
const SECRETS: &str = "
                        AES  generic  default
    LOCAL               R    R        1
    TOKEN               y    y        0
    PRIVATE             =    =        1
    ENCRYPT             y    -        0
    DECRYPT             y    -        0
    WRAP                y    -        0
    UNWRAP              y    -        0
    DERIVE              y    y        0
    SIGN                y    y        1
    VERIFY              y    y        1
    MODIFIABLE          y    y        1
    DESTROYABLE         y    y        1
    WRAP_TEMPLATE       y    -        .
    UNWRAP_TEMPLATE     y    -        .
    WRAP_WITH_TRUSTED   y    y        0
    SENSITIVE           y    y        1
    EXTRACTABLE         y    y        1
    NEVER_EXTRACTABLE   R    R        0
    ALWAYS_SENSITIVE    -    -        .
    VALUE_LEN           m    m        .
    CHECK_VALUE         R    R        .
    VALUE               -    -        .
    SIGN_RECOVER        -    -        .
    VERIFY_RECOVER      -    -        .
    EC_PARAMS           -    -        .
    MODULUS             -    -        .
    KEY_GEN_MECHANISM   -    -        .
    COPYABLE            -    -        .
    ALWAYS_AUTHENTICATE -    -        .
    ALLOWED_MECHANISMS  -    -        .
    START_DATE          -    -        .
    END_DATE            -    -        .
";

/// C_CreateObject.
const IMPORTS: &str = "
                        EC-prv  EC-pub  RSA-prv  RSA-pub  AES  generic  default
    LOCAL               R       R       R        R        R    R        0
    TOKEN               y       y       y        y        y    y        0
    PRIVATE             =       =       =        =        =    =        1
    ENCRYPT             -       -       -        y        y    -        0
    DECRYPT             -       -       y        -        y    -        0
    DERIVE              y       y       y        y        y    y        0
    MODIFIABLE          y       y       y        y        y    y        1
    DESTROYABLE         y       y       y        y        y    y        1
    SIGN                y       -       y        -        y    y        0
    VERIFY              -       y       -        y        y    y        0
    WRAP                -       -       -        y        y    -        0
    UNWRAP              -       -       y        -        y    -        0
    WRAP_TEMPLATE       -       y       -        y        y    -        .
    UNWRAP_TEMPLATE     y       -       y        -        y    -        .
    WRAP_WITH_TRUSTED   y       -       y        -        y    y        0
    SENSITIVE           y       -       y        -        y    y        1
    EXTRACTABLE         y       -       y        -        y    y        1
    ALWAYS_SENSITIVE    R       -       R        -        R    R        0
    NEVER_EXTRACTABLE   R       -       R        -        R    R        0
    CHECK_VALUE         R       R       R        R        R    R        .
    EC_PARAMS           m       m       -        -        -    -        .
    VALUE               m       -       -        -        m    m        .
    EC_POINT            -       m       -        -        -    -        .
    MODULUS             -       -       m        m        -    -        .
    PUBLIC_EXPONENT     -       -       m        m        -    -        .
    PRIVATE_EXPONENT    -       -       m        -        -    -        .
    PRIME_1             -       -       y        -        -    -        .
    PRIME_2             -       -       y        -        -    -        .
    EXPONENT_1          -       -       y        -        -    -        .
    EXPONENT_2          -       -       y        -        -    -        .
    COEFFICIENT         -       -       y        -        -    -        .
    VALUE_LEN           -       -       -        -        -    -        .
    MODULUS_BITS        -       -       -        -        -    -        .
    SIGN_RECOVER        -       -       -        -        -    -        .
    VERIFY_RECOVER      -       -       -        -        -    -        .
    KEY_GEN_MECHANISM   -       -       -        -        -    -        .
    COPYABLE            -       -       -        -        -    -        .
    ALWAYS_AUTHENTICATE -       -       -        -        -    -        .
    START_DATE          -       -       -        -        -    -        .
";

/// The attributes of the tables, with the shape of a value: b(ool), u(long), t(emplate), x (bytes).
const ATTRIBUTES: &[(&str, CK_ATTRIBUTE_TYPE, char)] = &[
    ("LOCAL", CKA_LOCAL, 'b'),
    ("TOKEN", CKA_TOKEN, 'b'),
    ("PRIVATE", CKA_PRIVATE, 'b'),
    ("ENCRYPT", CKA_ENCRYPT, 'b'),
    ("DECRYPT", CKA_DECRYPT, 'b'),
    ("DERIVE", CKA_DERIVE, 'b'),
    ("MODIFIABLE", CKA_MODIFIABLE, 'b'),
    ("DESTROYABLE", CKA_DESTROYABLE, 'b'),
    ("SIGN", CKA_SIGN, 'b'),
    ("VERIFY", CKA_VERIFY, 'b'),
    ("SIGN_RECOVER", CKA_SIGN_RECOVER, 'b'),
    ("VERIFY_RECOVER", CKA_VERIFY_RECOVER, 'b'),
    ("WRAP", CKA_WRAP, 'b'),
    ("UNWRAP", CKA_UNWRAP, 'b'),
    ("WRAP_TEMPLATE", CKA_WRAP_TEMPLATE, 't'),
    ("UNWRAP_TEMPLATE", CKA_UNWRAP_TEMPLATE, 't'),
    ("WRAP_WITH_TRUSTED", CKA_WRAP_WITH_TRUSTED, 'b'),
    ("SENSITIVE", CKA_SENSITIVE, 'b'),
    ("EXTRACTABLE", CKA_EXTRACTABLE, 'b'),
    ("ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE, 'b'),
    ("NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE, 'b'),
    ("CHECK_VALUE", CKA_CHECK_VALUE, 'x'),
    ("MODULUS_BITS", CKA_MODULUS_BITS, 'u'),
    ("PUBLIC_EXPONENT", CKA_PUBLIC_EXPONENT, 'x'),
    ("EC_PARAMS", CKA_EC_PARAMS, 'x'),
    ("MODULUS", CKA_MODULUS, 'x'),
    ("PRIVATE_EXPONENT", CKA_PRIVATE_EXPONENT, 'x'),
    ("PRIME_1", CKA_PRIME_1, 'x'),
    ("PRIME_2", CKA_PRIME_2, 'x'),
    ("EXPONENT_1", CKA_EXPONENT_1, 'x'),
    ("EXPONENT_2", CKA_EXPONENT_2, 'x'),
    ("COEFFICIENT", CKA_COEFFICIENT, 'x'),
    ("VALUE", CKA_VALUE, 'x'),
    ("VALUE_LEN", CKA_VALUE_LEN, 'u'),
    ("EC_POINT", CKA_EC_POINT, 'x'),
    ("KEY_GEN_MECHANISM", CKA_KEY_GEN_MECHANISM, 'u'),
    ("COPYABLE", CKA_COPYABLE, 'b'),
    ("ALWAYS_AUTHENTICATE", CKA_ALWAYS_AUTHENTICATE, 'b'),
    ("ALLOWED_MECHANISMS", CKA_ALLOWED_MECHANISMS, 'x'),
    ("SUBJECT", CKA_SUBJECT, 'x'),
    ("START_DATE", CKA_START_DATE, 'd'),
    ("END_DATE", CKA_END_DATE, 'd'),
    ("PUBLIC_KEY_INFO", CKA_PUBLIC_KEY_INFO, 'x'),
];

struct Row {
    name: &'static str,
    id: CK_ATTRIBUTE_TYPE,
    shape: char,
    cell: char,
    default: Option<bool>,
}

/// One column of a table.
fn column(table: &'static str, kind: &str) -> Vec<Row> {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let heads: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    let at = heads.iter().position(|head| *head == kind).unwrap();
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let (name, id, shape) = *ATTRIBUTES.iter().find(|(name, ..)| *name == words[0]).expect(words[0]);
            let default = match words[heads.len()] {
                "." => None,
                word => Some(word == "1"),
            };
            Row { name, id, shape, cell: words[at + 1].chars().next().unwrap(), default }
        })
        .collect()
}

fn value(template: Template, row: &Row, flag: bool) -> Template {
    match row.shape {
        'b' => template.flag(row.id, flag),
        'u' => template.number(row.id, 32),
        't' => template.nested(row.id, Template::new().flag(CKA_TOKEN, true)),
        'd' => template.bytes(row.id, b"20300101"),
        _ if row.id == CKA_ALLOWED_MECHANISMS => template.number(row.id, CKM_AES_ECB),
        _ => template.bytes(row.id, &[1, 0, 1]),
    }
}

/// Goes through one column: `base` is the least template that makes the object, `make` makes it and answers the handle
/// of the half in question.
fn check(
    session: Session,
    table: &'static str,
    kind: &str,
    base: &Template,
    make: &dyn Fn(&Template) -> Answer<CK_OBJECT_HANDLE>,
) {
    let rows = column(table, kind);
    let plain = make(base).unwrap_or_else(|rv| panic!("{kind}: the least template: {rv:?}"));
    let mut all = base.clone();
    for row in &rows {
        let what = format!("{kind}, CKA_{}", row.name);
        match row.cell {
            'm' => assert_eq!(make(&base.clone().without(row.id)), code(CKR_TEMPLATE_INCOMPLETE), "without {what}"),
            'R' => {
                for flag in [true, false] {
                    assert_eq!(make(&value(base.clone(), row, flag)), code(CKR_ATTRIBUTE_READ_ONLY), "{what}");
                }
            }
            '-' => assert_eq!(make(&value(base.clone(), row, true)), code(CKR_TEMPLATE_INCONSISTENT), "{what}"),
            '=' => {
                let default = row.default.unwrap();
                let refused = make(&value(base.clone(), row, !default));
                assert_eq!(refused, code(CKR_ATTRIBUTE_VALUE_INVALID), "{what} = {}", !default);
                all = value(all, row, default);
            }
            'y' if row.id == CKA_TOKEN || base.clone().without(row.id).raw().len() != base.raw().len() => {}
            'y' => all = value(all, row, !row.default.unwrap_or_default()),
            other => panic!("{other}"),
        }
        // What AWS's page pkcs11-attributes-retrieve does not show is CKR_ATTRIBUTE_TYPE_INVALID.
        let hidden = kind == "EC-pub" && [CKA_ENCRYPT, CKA_WRAP].contains(&row.id);
        if let Some(default) = row.default
            && row.cell != '-'
            && !hidden
        {
            assert_eq!(session.flag(plain, row.id), Ok(default), "the default of {what}");
        }
    }
    // Everything that is accepted, at once, with the value that is not the default.
    let full = make(&all).unwrap_or_else(|rv| panic!("{kind} with all it may have: {rv:?}"));
    for row in rows.iter().filter(|row| row.cell == 'y' && row.shape == 'b' && row.id != CKA_TOKEN) {
        if !(kind == "EC-pub" && [CKA_ENCRYPT, CKA_WRAP].contains(&row.id)) {
            assert_eq!(session.flag(full, row.id), Ok(!row.default.unwrap()), "{kind}, CKA_{} as given", row.name);
        }
    }
    // CKA_TRUSTED is a crypto officer's to give (attacks A21, A22).
    let trusted = make(&base.clone().flag(CKA_TRUSTED, true));
    let expected =
        if kind.ends_with("prv") || kind == "generic" { CKR_TEMPLATE_INCONSISTENT } else { CKR_ATTRIBUTE_READ_ONLY };
    assert_eq!(trusted, code(expected), "{kind}, CKA_TRUSTED");
    // PKCS#11 3.2 section 4.1.1: an attribute that nobody knows; one given twice.
    assert_eq!(make(&base.clone().number(0x7777_7777, 1)), code(CKR_ATTRIBUTE_TYPE_INVALID), "{kind}");
    let twice = make(&base.clone().label("a").label("b"));
    assert_eq!(twice, code(CKR_TEMPLATE_INCONSISTENT), "{kind}: two labels");
}

#[test]
fn generated_ec_keys() {
    isolated(|| {
        let session = hsm();
        let (public, private) = (Template::new().bytes(CKA_EC_PARAMS, P256), Template::new());
        let make = CKM_EC_KEY_PAIR_GEN;
        check(session, PAIRS, "EC-prv", &private, &|private| Ok(session.generate_pair(make, &public, private)?.1));
        check(session, PAIRS, "EC-pub", &public, &|public| Ok(session.generate_pair(make, public, &private)?.0));
    });
}

#[test]
fn generated_rsa_keys() {
    isolated(|| {
        let session = hsm();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
        let private = Template::new();
        let make = CKM_RSA_PKCS_KEY_PAIR_GEN;
        check(session, PAIRS, "RSA-prv", &private, &|private| Ok(session.generate_pair(make, &public, private)?.1));
        check(session, PAIRS, "RSA-pub", &public, &|public| Ok(session.generate_pair(make, public, &private)?.0));
        // A12; User Guide, pkcs11-key-types: 2048 to 4096 bits in steps of 256, e odd and at least 65537.
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

#[test]
fn generated_secret_keys() {
    isolated(|| {
        let session = hsm();
        let base = Template::new().number(CKA_VALUE_LEN, 32);
        check(session, SECRETS, "AES", &base, &|template| session.generate(CKM_AES_KEY_GEN, template));
        check(session, SECRETS, "generic", &base, &|template| session.generate(CKM_GENERIC_SECRET_KEY_GEN, template));
        // User Guide, pkcs11-key-types: AES of 16, 24 or 32 bytes, generic secrets of 1 to 800.
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

#[test]
fn imported_keys() {
    isolated(|| {
        let session = hsm();
        let create = |template: &Template| session.create(template);
        check(session, IMPORTS, "EC-prv", &ec_private_value(), &create);
        check(session, IMPORTS, "EC-pub", &ec_public_value(), &create);
        check(session, IMPORTS, "RSA-prv", &rsa_private_value(), &create);
        check(session, IMPORTS, "RSA-pub", &rsa_public_value(), &create);
        check(session, IMPORTS, "AES", &plain_aes_value(&[1; 32]), &create);
        check(session, IMPORTS, "generic", &plain_generic_value(&[1; 32]), &create);
    });
}

/// User Guide, pkcs11-attributes-interpreting: class and key type are mandatory in C_CreateObject.
#[test]
fn imports_need_class_and_type() {
    isolated(|| {
        let session = hsm();
        for whole in
            [ec_private_value(), ec_public_value(), rsa_private_value(), rsa_public_value(), plain_aes_value(&[1; 16])]
        {
            for missing in [CKA_CLASS, CKA_KEY_TYPE] {
                assert_eq!(session.create(&whole.clone().without(missing)), code(CKR_TEMPLATE_INCOMPLETE));
            }
        }
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

/// User Guide: a label has up to 127 characters; an ID any length within reason.
#[test]
fn labels_have_up_to_127_characters() {
    isolated(|| {
        let session = hsm();
        let long = |count: usize| aes().label(&"x".repeat(count));
        let key = session.generate(CKM_AES_KEY_GEN, &long(127)).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap().len(), 127);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &long(128)), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(session.set(key, &Template::new().label(&"y".repeat(128))), code(CKR_ATTRIBUTE_VALUE_INVALID));
        // Characters, not bytes; what is no UTF-8 is no label (RFC 2279).
        session.generate(CKM_AES_KEY_GEN, &aes().label(&"ü".repeat(127))).unwrap();
        assert_eq!(
            session.generate(CKM_AES_KEY_GEN, &aes().bytes(CKA_LABEL, &[0xff, 0xfe])),
            code(CKR_ATTRIBUTE_VALUE_INVALID)
        );
        let empty = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        assert_eq!(session.read(empty, CKA_LABEL), Ok(vec![]));
        assert_eq!(session.read(empty, CKA_ID), Ok(vec![]));
    });
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
