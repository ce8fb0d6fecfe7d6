//! MACs and signatures: known answers, single-part mechanisms, a second opinion.

use std::ptr;

use crate::support::*;

pub(super) const DIGESTS: [CK_MECHANISM_TYPE; 5] = [CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512];
pub(super) const HMACS: [CK_MECHANISM_TYPE; 5] =
    [CKM_SHA_1_HMAC, CKM_SHA224_HMAC, CKM_SHA256_HMAC, CKM_SHA384_HMAC, CKM_SHA512_HMAC];

/// RFC 4231, test cases 1, 2 and 6; RFC 2202, test case 1.
#[test]
fn known_answers_of_hmac() {
    isolated(|| {
        let session = hsm();
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec();
        let cases = [
            (CKM_SHA_1_HMAC, vec![0x0b; 20], b"Hi There".to_vec(), "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                CKM_SHA224_HMAC,
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
            ),
            (
                CKM_SHA256_HMAC,
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                CKM_SHA384_HMAC,
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
            ),
            (
                CKM_SHA512_HMAC,
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ),
            (
                CKM_SHA256_HMAC,
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                CKM_SHA256_HMAC,
                vec![0xaa; 131],
                long,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (mechanism, key, data, expected) in cases {
            let key = session.create(&generic_value(&key)).unwrap();
            assert_eq!(session.sign(&mut Mechanism::new(mechanism), key, &data).unwrap(), hex(expected));
            session.verify(&mut Mechanism::new(mechanism), key, &data, &hex(expected)).unwrap();
        }
    });
}

/// RFC 4493, section 4 (AES-CMAC with a 128-bit key).
#[test]
fn known_answers_of_cmac() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&hex("2b7e151628aed2a6abf7158809cf4f3c"))).unwrap();
        let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                           30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        for (length, expected) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            let made = session.sign(&mut Mechanism::new(CKM_AES_CMAC), key, &message[..length]);
            assert_eq!(made.unwrap(), hex(expected));
        }
    });
}

/// An RSA pair and an EC pair with known values, and one of each curve.
pub(super) struct Pairs {
    pub(super) rsa: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
    pub(super) ec: Vec<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE, usize)>,
}

pub(super) fn pairs(session: Session) -> Pairs {
    let public = session.create(&rsa_public_value().on(&[CKA_VERIFY, CKA_ENCRYPT])).unwrap();
    let private = session.create(&rsa_private_value().on(&[CKA_SIGN, CKA_DECRYPT])).unwrap();
    let ec = [(P224, 28), (P256, 32), (P384, 48), (P521, 66), (K256, 32)].map(|(curve, length)| {
        let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(curve), &ec_private()).unwrap();
        (pair.0, pair.1, length)
    });
    Pairs { rsa: (public, private), ec: ec.to_vec() }
}

fn pss(hash: CK_MECHANISM_TYPE, mask: CK_ULONG, salt: CK_ULONG) -> CK_RSA_PKCS_PSS_PARAMS {
    CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf: mask, sLen: salt }
}

/// RFC 6979, A.2.5: signatures of another implementation verify.
#[test]
fn known_answers_of_ecdsa() {
    isolated(|| {
        let session = hsm();
        let public = session.create(&ec_public_value().on(&[CKA_VERIFY])).unwrap();
        let signature = |r: &str, s: &str| [hex(r), hex(s)].concat();
        let sha256 = signature(
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        );
        session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), public, b"sample", &sha256).unwrap();
        let digest = session.digest(CKM_SHA256, b"sample").unwrap();
        session.verify(&mut Mechanism::new(CKM_ECDSA), public, &digest, &sha256).unwrap();
        let sha512 = signature(
            "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00",
            "2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE",
        );
        session.verify(&mut Mechanism::new(CKM_ECDSA_SHA512), public, b"sample", &sha512).unwrap();
        // r and s must lie between 1 and the order.
        let order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
        let zero = "0000000000000000000000000000000000000000000000000000000000000000";
        for bad in [signature(zero, zero), signature(order, order), signature(zero, order)] {
            let refused = session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), public, b"sample", &bad);
            assert_eq!(refused, code(CKR_SIGNATURE_INVALID));
        }
    });
}

/// A second opinion: openssl verifies what the HSM signs with imported and generated keys.
#[test]
fn openssl_agrees() {
    isolated(|| {
        let name = "openssl_agrees";
        if !std::process::Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
            skip(name, "openssl is not installed");
            return;
        }
        let session = hsm();
        let keys = pairs(session);
        let folder = Folder::new();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("message"), b"message").unwrap();
        let verify = |key: &[u8], signature: &[u8], hash: &str, options: &[&str]| {
            std::fs::write(path("key.der"), key).unwrap();
            std::fs::write(path("signature"), signature).unwrap();
            let mut command = std::process::Command::new("openssl");
            command.args(["dgst", hash, "-keyform", "DER", "-verify"]).arg(path("key.der"));
            for option in options {
                command.args(["-sigopt", option]);
            }
            let output = command.arg("-signature").arg(path("signature")).arg(path("message")).output().unwrap();
            assert!(output.status.success(), "{hash} {options:?}: {}", told(&output));
        };
        // SubjectPublicKeyInfo, put together here from the attributes.
        let integer = |bytes: &[u8]| {
            let mut value = bytes.to_vec();
            if value[0] >= 0x80 {
                value.insert(0, 0);
            }
            der(0x02, &value)
        };
        let rsa = |key| {
            let numbers =
                [CKA_MODULUS, CKA_PUBLIC_EXPONENT].map(|id| integer(&session.read(key, id).unwrap())).concat();
            let algorithm = der(0x30, &hex("06092a864886f70d010101 0500"));
            der(0x30, &[algorithm, der(0x03, &[&[0][..], &der(0x30, &numbers)].concat())].concat())
        };
        let ec = |key| {
            let curve = session.read(key, CKA_EC_PARAMS).unwrap();
            let octets = session.read(key, CKA_EC_POINT).unwrap();
            // The OCTET STRING around the point: its length is one byte, or two for P-521.
            let point = &octets[if octets[1] < 0x80 { 2 } else { 3 }..];
            let algorithm = der(0x30, &[hex("06072a8648ce3d0201"), curve].concat());
            der(0x30, &[algorithm, der(0x03, &[&[0], point].concat())].concat())
        };
        let generated = session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa_public(3072), &rsa_private()).unwrap();
        for (public, private) in [keys.rsa, generated] {
            let spki = rsa(public);
            for (mechanism, hash) in
                [(CKM_SHA1_RSA_PKCS, "-sha1"), (CKM_SHA256_RSA_PKCS, "-sha256"), (CKM_SHA512_RSA_PKCS, "-sha512")]
            {
                let signature = session.sign(&mut Mechanism::new(mechanism), private, b"message").unwrap();
                verify(&spki, &signature, hash, &[]);
            }
            let mut parameter = pss(CKM_SHA384, CKG_MGF1_SHA384, 17);
            let signature = session
                .sign(&mut Mechanism::with(CKM_SHA384_RSA_PKCS_PSS, &mut parameter), private, b"message")
                .unwrap();
            verify(&spki, &signature, "-sha384", &["rsa_padding_mode:pss", "rsa_pss_saltlen:17"]);
        }
        for (public, private, length) in keys.ec {
            let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"message").unwrap();
            let strip = |bytes: &[u8]| {
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                integer(&bytes[zeros.min(bytes.len() - 1)..])
            };
            let encoded = der(0x30, &[strip(&signature[..length]), strip(&signature[length..])].concat());
            verify(&ec(public), &encoded, "-sha256", &[]);
        }
    });
}

/// DER of one value.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..=127 => vec![short as u8],
        middle @ 128..=255 => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, value].concat()
}

/// Mechanisms of one call (User Guide, pkcs11-mechanisms): raw RSA, raw ECDSA, and what they take.
#[test]
fn single_part_signatures() {
    isolated(|| {
        let session = hsm();
        let keys = pairs(session);
        let (public, private) = keys.rsa;
        // CKM_RSA_PKCS: up to 11 bytes less than the modulus; the caller's DigestInfo makes it CKM_SHA256_RSA_PKCS.
        let digest = session.digest(CKM_SHA256, b"message").unwrap();
        let info = [hex("3031300d060960864801650304020105000420"), digest.clone()].concat();
        let raw = session.sign(&mut Mechanism::new(CKM_RSA_PKCS), private, &info).unwrap();
        assert_eq!(session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), private, b"message").unwrap(), raw);
        session.verify(&mut Mechanism::new(CKM_RSA_PKCS), public, &info, &raw).unwrap();
        session.sign(&mut Mechanism::new(CKM_RSA_PKCS), private, &[1; 245]).unwrap();
        assert_eq!(session.sign(&mut Mechanism::new(CKM_RSA_PKCS), private, &[1; 246]), code(CKR_DATA_LEN_RANGE));
        // CKM_RSA_PKCS_PSS takes a digest of exactly its hash's length.
        let mut parameter = pss(CKM_SHA256, CKG_MGF1_SHA256, 32);
        let mut one = Mechanism::with(CKM_RSA_PKCS_PSS, &mut parameter);
        let signature = session.sign(&mut one, private, &digest).unwrap();
        session.verify(&mut one, public, &digest, &signature).unwrap();
        for length in [0, 31, 33] {
            assert_eq!(session.sign(&mut one, private, &vec![1; length]), code(CKR_DATA_LEN_RANGE), "{length}");
        }
        let mut parameter = pss(CKM_SHA256, CKG_MGF1_SHA256, 32);
        session
            .verify(&mut Mechanism::with(CKM_SHA256_RSA_PKCS_PSS, &mut parameter), public, b"message", &signature)
            .expect("the hashing form takes the message");
        // CKM_RSA_X_509: as long as the modulus, and below it.
        let block = [&[0][..], &[7; 255]].concat();
        let raw = session.sign(&mut Mechanism::new(CKM_RSA_X_509), private, &block).unwrap();
        session.verify(&mut Mechanism::new(CKM_RSA_X_509), public, &block, &raw).unwrap();
        let big = session.sign(&mut Mechanism::new(CKM_RSA_X_509), private, &[0xff; 256]);
        assert!(matches!(big, Err(Rv(CKR_DATA_INVALID | CKR_DATA_LEN_RANGE))), "{big:?}");
        assert_eq!(session.sign(&mut Mechanism::new(CKM_RSA_X_509), private, &[1; 257]), code(CKR_DATA_LEN_RANGE));
        // CKM_ECDSA: any digest, the longer ones cut (FIPS 186-5, section 6.4.1).
        for (public, private, _) in keys.ec {
            for length in [20, 32, 64] {
                let digest = vec![9; length];
                let signature = session.sign(&mut Mechanism::new(CKM_ECDSA), private, &digest).unwrap();
                session.verify(&mut Mechanism::new(CKM_ECDSA), public, &digest, &signature).unwrap();
            }
        }
        // In parts they are refused.
        let ec = session.create(&ec_private_value().on(&[CKA_SIGN])).unwrap();
        for (mechanism, key) in [(CKM_RSA_PKCS, private), (CKM_RSA_X_509, private), (CKM_ECDSA, ec)] {
            session.sign_init(&mut Mechanism::new(mechanism), key).unwrap();
            assert!(session.sign_update(b"part").is_err(), "{mechanism:#x}");
            assert_eq!(session.sign_final(512), code(CKR_OPERATION_NOT_INITIALIZED), "an error ends the operation");
        }
    });
}

/// PKCS#11 3.2 section 5.13.1: keys, usage and parameters that do not fit.
#[test]
fn what_signatures_refuse() {
    isolated(|| {
        let session = hsm();
        let keys = pairs(session);
        let (public, private) = keys.rsa;
        let idle = session.create(&rsa_private_value()).unwrap();
        let generic = session.create(&generic_value(&[1; 16])).unwrap();
        let sha256 = || Mechanism::new(CKM_SHA256_RSA_PKCS);
        assert_eq!(session.sign_init(&mut sha256(), idle), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
        for other in [public, generic, keys.ec[0].1] {
            let refused = session.sign_init(&mut sha256(), other);
            assert!(
                matches!(refused, Err(Rv(CKR_KEY_TYPE_INCONSISTENT | CKR_KEY_FUNCTION_NOT_PERMITTED))),
                "{refused:?}"
            );
        }
        let refused = session.verify_init(&mut sha256(), private);
        assert!(matches!(refused, Err(Rv(CKR_KEY_TYPE_INCONSISTENT | CKR_KEY_FUNCTION_NOT_PERMITTED))), "{refused:?}");
        assert_eq!(session.sign_init(&mut sha256(), 0), code(CKR_KEY_HANDLE_INVALID));
        assert_eq!(session.sign_init(&mut Mechanism::new(CKM_SHA256), private), code(CKR_MECHANISM_INVALID));
        assert_eq!(session.sign_init(&mut Mechanism::new(CKM_AES_GCM), private), code(CKR_MECHANISM_INVALID));
        assert_eq!(answer(call!(C_SignInit(session.0, ptr::null_mut(), private))), code(CKR_ARGUMENTS_BAD));
        assert_eq!(
            session.sign_init(&mut Mechanism::bytes(CKM_SHA256_RSA_PKCS, b"x"), private),
            code(CKR_MECHANISM_PARAM_INVALID)
        );
        // PSS: another hash than the mechanism's, other mask than the hash, a salt longer than fits.
        for (hash, mask, salt) in [
            (CKM_SHA_1, CKG_MGF1_SHA1, 20),
            (CKM_SHA256, CKG_MGF1_SHA1, 32),
            (CKM_SHA256, CKG_MGF1_SHA256, 4096),
            (CKM_SHA256, CKG_MGF1_SHA256, CK_ULONG::MAX),
            (CKM_SHA256, 99, 32),
            (CKM_AES_ECB, CKG_MGF1_SHA256, 32),
        ] {
            let mut parameter = pss(hash, mask, salt);
            let refused = session.sign(&mut Mechanism::with(CKM_SHA256_RSA_PKCS_PSS, &mut parameter), private, b"m");
            assert_eq!(refused, code(CKR_MECHANISM_PARAM_INVALID), "{hash:#x} {mask} {salt}");
        }
        assert_eq!(
            session.sign_init(&mut Mechanism::new(CKM_SHA256_RSA_PKCS_PSS), private),
            code(CKR_MECHANISM_PARAM_INVALID)
        );
        // A weaker hash than the key outside FIPS mode is fine (User Guide, ki-all).
        session.sign(&mut Mechanism::new(CKM_ECDSA_SHA1), keys.ec[3].1, b"m").unwrap();
        session.sign_init(&mut sha256(), private).unwrap();
        assert_eq!(session.sign_init(&mut sha256(), private), code(CKR_OPERATION_ACTIVE));
    });
}
