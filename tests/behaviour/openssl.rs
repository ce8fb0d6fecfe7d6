//! OpenSSL's command as the other side: what the HSM signs, encrypts, wraps and agrees on, OpenSSL opens, and the other
//! way round. Public keys leave as their attributes say; the SubjectPublicKeyInfo is put together here.

use std::ffi::OsString;
use std::process::Command;
use std::ptr;

use crate::support::*;

const MESSAGE: &[u8] = b"a message between the HSM and OpenSSL";

/// OpenSSL with a folder for the files of one test; a name that begins with `@` is a file there.
struct OpenSsl(Folder);

impl OpenSsl {
    /// None, with the line that says so, where the command is not installed.
    fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
            return Some(Self(Folder::new()));
        }
        skip(test, "openssl is not installed");
        None
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// Whether the command succeeds, and what it says.
    fn attempt(&self, words: &str) -> (bool, String) {
        let arguments = words.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => self.0.path().join(name).into_os_string(),
            None => OsString::from(word),
        });
        let output = Command::new("openssl").args(arguments).output().unwrap();
        (output.status.success(), told(&output))
    }

    fn run(&self, words: &str) {
        let (good, said) = self.attempt(words);
        assert!(good, "openssl {words}: {said}");
    }
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

/// A number without a sign as a DER INTEGER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros.min(bytes.len() - 1)..];
    der(0x02, &if digits[0] >= 0x80 { [&[0], digits].concat() } else { digits.to_vec() })
}

/// The content of a DER value, and what comes after it.
fn content(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        short => (2, usize::from(short)),
    };
    (&der[start..start + length], &der[start + length..])
}

/// SubjectPublicKeyInfo (RFC 5280) of an algorithm and a key's bits.
fn spki(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    der(0x30, &[der(0x30, algorithm), der(0x03, &[&[0], bits].concat())].concat())
}

fn rsa_spki(session: Session, key: CK_OBJECT_HANDLE) -> Vec<u8> {
    let numbers = [CKA_MODULUS, CKA_PUBLIC_EXPONENT].map(|id| integer(&session.read(key, id).unwrap())).concat();
    spki(&hex("06092a864886f70d010101 0500"), &der(0x30, &numbers))
}

fn ec_spki(session: Session, key: CK_OBJECT_HANDLE) -> Vec<u8> {
    let curve = session.read(key, CKA_EC_PARAMS).unwrap();
    let point = session.read(key, CKA_EC_POINT).unwrap();
    spki(&[hex("06072a8648ce3d0201"), curve].concat(), content(&point).0)
}

/// r and s of one length, as PKCS#11 has them, as the DER SEQUENCE of OpenSSL.
fn to_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    der(0x30, &[integer(r), integer(s)].concat())
}

fn from_der(signature: &[u8], length: usize) -> Vec<u8> {
    let (r, rest) = content(content(signature).0);
    let (s, _) = content(rest);
    [r, s]
        .map(|number| {
            let digits = &number[number.len().saturating_sub(length)..];
            [&vec![0; length - digits.len()], digits].concat()
        })
        .concat()
}

/// C_CreateObject for a public key whose SubjectPublicKeyInfo OpenSSL has written.
fn import_public(session: Session, info: &[u8], uses: &[CK_ATTRIBUTE_TYPE]) -> CK_OBJECT_HANDLE {
    let (algorithm, rest) = content(content(info).0);
    let bits = &content(rest).0[1..];
    let (_, parameters) = content(algorithm);
    let template = Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY).on(uses);
    let template = if parameters == [5, 0] {
        let (modulus, exponent) = content(content(bits).0);
        let modulus = &modulus[usize::from(modulus[0] == 0)..];
        template
            .number(CKA_KEY_TYPE, CKK_RSA)
            .bytes(CKA_MODULUS, modulus)
            .bytes(CKA_PUBLIC_EXPONENT, content(exponent).0)
    } else {
        template.number(CKA_KEY_TYPE, CKK_EC).bytes(CKA_EC_PARAMS, parameters).bytes(CKA_EC_POINT, &der(4, bits))
    };
    session.create(&template).unwrap()
}

const HASHES: [(&str, CK_MECHANISM_TYPE, CK_MECHANISM_TYPE, CK_ULONG, usize); 5] = [
    ("sha1", CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKG_MGF1_SHA1, 20),
    ("sha224", CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKG_MGF1_SHA224, 28),
    ("sha256", CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKG_MGF1_SHA256, 32),
    ("sha384", CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKG_MGF1_SHA384, 48),
    ("sha512", CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKG_MGF1_SHA512, 64),
];
const PLAIN_HASHES: [CK_MECHANISM_TYPE; 5] = [CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512];

/// RSA signatures, PKCS#1 v1.5 and PSS, with each hash: the HSM's verify in OpenSSL, OpenSSL's in the HSM.
#[test]
fn rsa_signatures() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::rsa_signatures") else { return };
        let session = hsm();
        let (public, private) =
            session.generate_pair(CKM_RSA_X9_31_KEY_PAIR_GEN, &rsa_public(2048), &rsa_private()).unwrap();
        openssl.put("hsm.der", &rsa_spki(session, public));
        openssl.put("message", MESSAGE);
        openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out @own.pem");
        openssl.run("pkey -in @own.pem -pubout -outform DER -out @own.der");
        let theirs = import_public(session, &openssl.get("own.der"), &[CKA_VERIFY]);
        for ((name, pkcs1, pss, mask, salt), hash) in HASHES.into_iter().zip(PLAIN_HASHES) {
            let mut parameter = CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf: mask, sLen: salt as CK_ULONG };
            let forms = [
                (Mechanism::new(pkcs1), String::new()),
                (
                    Mechanism::with(pss, &mut parameter),
                    format!("-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt}"),
                ),
            ];
            for (mut mechanism, options) in forms {
                openssl.put("signature", &session.sign(&mut mechanism, private, MESSAGE).unwrap());
                openssl.run(&format!(
                    "dgst -{name} {options} -keyform DER -verify @hsm.der -signature @signature @message"
                ));
                openssl.run(&format!("dgst -{name} {options} -sign @own.pem -out @signature @message"));
                let mut signature = openssl.get("signature");
                session.verify(&mut mechanism, theirs, MESSAGE, &signature).unwrap();
                signature[300] ^= 1;
                let refused = session.verify(&mut mechanism, theirs, MESSAGE, &signature);
                assert_eq!(refused, code(CKR_SIGNATURE_INVALID), "{name} {options}");
            }
        }
        // A changed message is refused by OpenSSL too: what the loop above relies on.
        openssl.put("other", b"another message");
        openssl.put("signature", &session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), private, MESSAGE).unwrap());
        let (good, _) = openssl.attempt("dgst -sha256 -keyform DER -verify @hsm.der -signature @signature @other");
        assert!(!good);
    });
}

/// ECDSA on each curve of CloudHSM with each hash, both ways.
#[test]
fn ecdsa_signatures() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::ecdsa_signatures") else { return };
        let session = hsm();
        openssl.put("message", MESSAGE);
        for (curve, name, length) in [
            (P224, "secp224r1", 28),
            (P256, "prime256v1", 32),
            (P384, "secp384r1", 48),
            (P521, "secp521r1", 66),
            (K256, "secp256k1", 32),
        ] {
            let (public, private) =
                session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(curve), &ec_private()).unwrap();
            openssl.put("hsm.der", &ec_spki(session, public));
            openssl.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{name} -out @own.pem"));
            openssl.run("pkey -in @own.pem -pubout -outform DER -out @own.der");
            let theirs = import_public(session, &openssl.get("own.der"), &[CKA_VERIFY]);
            for (hash, mechanism) in [
                ("sha1", CKM_ECDSA_SHA1),
                ("sha224", CKM_ECDSA_SHA224),
                ("sha256", CKM_ECDSA_SHA256),
                ("sha384", CKM_ECDSA_SHA384),
                ("sha512", CKM_ECDSA_SHA512),
            ] {
                let mut mechanism = Mechanism::new(mechanism);
                openssl.put("signature", &to_der(&session.sign(&mut mechanism, private, MESSAGE).unwrap()));
                openssl.run(&format!("dgst -{hash} -keyform DER -verify @hsm.der -signature @signature @message"));
                openssl.run(&format!("dgst -{hash} -sign @own.pem -out @signature @message"));
                let signature = from_der(&openssl.get("signature"), length);
                session.verify(&mut mechanism, theirs, MESSAGE, &signature).unwrap();
                let refused = session.verify(&mut mechanism, theirs, &MESSAGE[1..], &signature);
                assert_eq!(refused, code(CKR_SIGNATURE_INVALID), "{name} {hash}");
            }
            // CKM_ECDSA: the caller's digest.
            let digest = session.digest(CKM_SHA256, MESSAGE).unwrap();
            openssl.put("digest", &digest);
            openssl.put("signature", &to_der(&session.sign(&mut Mechanism::new(CKM_ECDSA), private, &digest).unwrap()));
            openssl.run("pkeyutl -verify -pubin -keyform DER -inkey @hsm.der -in @digest -sigfile @signature");
        }
    });
}

/// Ed25519, pure, both ways.
#[test]
fn ed25519_signatures() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::ed25519_signatures") else { return };
        let session = hsm();
        let (public, private) =
            session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private()).unwrap();
        let point = session.read(public, CKA_EC_POINT).unwrap();
        openssl.put("hsm.der", &spki(EDWARDS25519, content(&point).0));
        openssl.put("message", MESSAGE);
        let mut mechanism = Mechanism::new(vendor::CKM_CLOUDHSM_EDDSA);
        openssl.put("signature", &session.sign(&mut mechanism, private, MESSAGE).unwrap());
        openssl.run("pkeyutl -verify -rawin -pubin -keyform DER -inkey @hsm.der -in @message -sigfile @signature");

        openssl.run("genpkey -algorithm ED25519 -out @own.pem");
        openssl.run("pkey -in @own.pem -pubout -outform DER -out @own.der");
        openssl.run("pkeyutl -sign -rawin -inkey @own.pem -in @message -out @signature");
        let info = openssl.get("own.der");
        let template = Template::new()
            .number(CKA_CLASS, CKO_PUBLIC_KEY)
            .number(CKA_KEY_TYPE, CKK_EC)
            .bytes(CKA_EC_PARAMS, EDWARDS25519)
            .bytes(CKA_EC_POINT, &der(4, &info[info.len() - 32..]))
            .on(&[CKA_VERIFY]);
        let theirs = session.create(&template).unwrap();
        session.verify(&mut mechanism, theirs, MESSAGE, &openssl.get("signature")).unwrap();
        let refused = session.verify(&mut mechanism, theirs, &MESSAGE[1..], &openssl.get("signature"));
        assert_eq!(refused, code(CKR_SIGNATURE_INVALID));
    });
}

fn oaep(hash: CK_MECHANISM_TYPE, mask: CK_ULONG) -> CK_RSA_PKCS_OAEP_PARAMS {
    let (source, nothing) = (CKZ_DATA_SPECIFIED, ptr::null_mut());
    CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf: mask, source, pSourceData: nothing, ulSourceDataLen: 0 }
}

/// RSA encryption, OAEP with each hash and PKCS#1 v1.5, both ways.
#[test]
fn rsa_encryption() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::rsa_encryption") else { return };
        let session = hsm();
        let (public, private) =
            session.generate_pair(CKM_RSA_X9_31_KEY_PAIR_GEN, &rsa_public(2048), &rsa_private()).unwrap();
        openssl.put("hsm.der", &rsa_spki(session, public));
        openssl.put("message", MESSAGE);
        openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out @own.pem");
        openssl.run("pkey -in @own.pem -pubout -outform DER -out @own.der");
        let theirs = import_public(session, &openssl.get("own.der"), &[CKA_ENCRYPT]);
        let both = |mechanism: &mut Mechanism<'_>, options: &str| {
            openssl.run(&format!(
                "pkeyutl -encrypt -pubin -keyform DER -inkey @hsm.der {options} -in @message -out @sealed"
            ));
            assert_eq!(session.decrypt(mechanism, private, &openssl.get("sealed")).unwrap(), MESSAGE, "{options}");
            openssl.put("sealed", &session.encrypt(mechanism, theirs, MESSAGE).unwrap());
            openssl.run(&format!("pkeyutl -decrypt -inkey @own.pem {options} -in @sealed -out @opened"));
            assert_eq!(openssl.get("opened"), MESSAGE, "{options}");
        };
        both(&mut Mechanism::new(CKM_RSA_PKCS), "-pkeyopt rsa_padding_mode:pkcs1");
        for ((name, _, _, mask, _), hash) in HASHES.into_iter().zip(PLAIN_HASHES) {
            let mut parameter = oaep(hash, mask);
            let options =
                format!("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{name} -pkeyopt rsa_mgf1_md:{name}");
            both(&mut Mechanism::with(CKM_RSA_PKCS_OAEP, &mut parameter), &options);
        }
    });
}

/// AES in CBC, CTR and ECB and triple DES, of keys that both know; the command has no AES-GCM.
#[test]
fn block_ciphers() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::block_ciphers") else { return };
        let session = hsm();
        let (iv, block) = ([0xf1; 16], [MESSAGE, &[0; 11]].concat());
        let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut counter = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: iv };
        let mut cases = Vec::new();
        for bits in [128_usize, 192, 256] {
            cases.push((CKK_AES, bits / 8, format!("-aes-{bits}-cbc"), Some(CKM_AES_CBC_PAD), 16, MESSAGE.to_vec()));
            cases.push((CKK_AES, bits / 8, format!("-aes-{bits}-cbc -nopad"), Some(CKM_AES_CBC), 16, block.clone()));
            cases.push((CKK_AES, bits / 8, format!("-aes-{bits}-ecb -nopad"), Some(CKM_AES_ECB), 0, block.clone()));
            cases.push((CKK_AES, bits / 8, format!("-aes-{bits}-ctr"), None, 16, MESSAGE.to_vec()));
        }
        cases.push((CKK_DES3, 24, "-des-ede3-cbc".into(), Some(CKM_DES3_CBC_PAD), 8, MESSAGE.to_vec()));
        cases.push((CKK_DES3, 24, "-des-ede3-cbc -nopad".into(), Some(CKM_DES3_CBC), 8, block.clone()));
        cases.push((CKK_DES3, 24, "-des-ede3 -nopad".into(), Some(CKM_DES3_ECB), 0, block.clone()));
        for (kind, length, options, id, iv_length, message) in cases {
            // The keys of NIST SP 800-67, appendix B.1, are of odd parity.
            let value = hex("0123456789abcdef23456789abcdef01456789abcdef01230123456789abcdef")[..length].to_vec();
            let template = Template::new()
                .number(CKA_CLASS, CKO_SECRET_KEY)
                .number(CKA_KEY_TYPE, kind)
                .bytes(CKA_VALUE, &value)
                .on(&[CKA_ENCRYPT, CKA_DECRYPT]);
            let key = session.create(&template).unwrap();
            let mut mechanism = match id {
                Some(id) => Mechanism::bytes(id, &iv[..iv_length]),
                None => Mechanism::with(CKM_AES_CTR, &mut counter),
            };
            let chosen = if iv_length == 0 { String::new() } else { format!("-iv {}", digits(&iv[..iv_length])) };
            openssl.put("message", &message);
            openssl.run(&format!("enc {options} -K {} {chosen} -in @message -out @sealed", digits(&value)));
            let sealed = session.encrypt(&mut mechanism, key, &message).unwrap();
            assert_eq!(sealed, openssl.get("sealed"), "{options}");
            assert_eq!(session.decrypt(&mut mechanism, key, &sealed).unwrap(), message, "{options}");
        }
    });
}

/// HMAC and CMAC of keys that both know.
#[test]
fn macs() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::macs") else { return };
        let session = hsm();
        let digits = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
        openssl.put("message", MESSAGE);
        let generic = session.create(&generic_value(&hex(digits))).unwrap();
        let aes = session.create(&aes_value(&hex(digits))).unwrap();
        for (key, mechanism, options) in [
            (generic, CKM_SHA_1_HMAC, "-digest SHA1 HMAC"),
            (generic, CKM_SHA224_HMAC, "-digest SHA224 HMAC"),
            (generic, CKM_SHA256_HMAC, "-digest SHA256 HMAC"),
            (generic, CKM_SHA384_HMAC, "-digest SHA384 HMAC"),
            (generic, CKM_SHA512_HMAC, "-digest SHA512 HMAC"),
            (aes, CKM_AES_CMAC, "-cipher AES-256-CBC CMAC"),
        ] {
            openssl.run(&format!("mac -macopt hexkey:{digits} -binary -in @message -out @mac {options}"));
            let made = session.sign(&mut Mechanism::new(mechanism), key, MESSAGE).unwrap();
            assert_eq!(made, openssl.get("mac"), "{options}");
        }
    });
}

/// Keys that OpenSSL made and wrapped under a key that both know come into the HSM, and what the HSM wraps, OpenSSL
/// unwraps: RFC 3394 (NO_PAD) and RFC 5649 (ZERO_PAD).
#[test]
fn wrapped_keys() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::wrapped_keys") else { return };
        let session = hsm();
        let digits = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
        let wrapping = session.create(&plain_aes_value(&hex(digits)).on(&[CKA_WRAP, CKA_UNWRAP])).unwrap();
        let object = |class, kind| Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, kind);
        let no_pad = || Mechanism::new(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD);
        let zero_pad = || Mechanism::new(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
        // The command wants the IVs of the standards spelt out.
        let (with_no_pad, with_zero_pad) = ("-id-aes256-wrap -iv A6A6A6A6A6A6A6A6", "-id-aes256-wrap-pad -iv A65959A6");

        let secret = hex("000102030405060708090a0b0c0d0e0f");
        openssl.put("key", &secret);
        for (mut mechanism, options) in [(no_pad(), with_no_pad), (zero_pad(), with_zero_pad)] {
            openssl.run(&format!("enc {options} -K {digits} -in @key -out @wrapped"));
            let template = object(CKO_SECRET_KEY, CKK_AES).on(&[CKA_SIGN, CKA_EXTRACTABLE]);
            let key = session.unwrap(&mut mechanism, wrapping, &openssl.get("wrapped"), &template).unwrap();
            let known = session.create(&aes_value(&secret)).unwrap();
            let mac = |key| session.sign(&mut Mechanism::new(CKM_AES_CMAC), key, MESSAGE).unwrap();
            assert_eq!(mac(key), mac(known), "{options}");
            openssl.put("wrapped", &session.wrap(&mut mechanism, wrapping, key).unwrap());
            openssl.run(&format!("enc -d {options} -K {digits} -in @wrapped -out @back"));
            assert_eq!(openssl.get("back"), secret, "{options}");
        }

        // Private keys go as PKCS#8.
        openssl.put("message", MESSAGE);
        for (kind, options, mechanism) in [
            (CKK_RSA, "RSA -pkeyopt rsa_keygen_bits:2048", CKM_SHA256_RSA_PKCS),
            (CKK_EC, "EC -pkeyopt ec_paramgen_curve:secp384r1", CKM_ECDSA_SHA384),
        ] {
            openssl.run(&format!("genpkey -algorithm {options} -out @own.pem"));
            openssl.run("pkcs8 -topk8 -nocrypt -in @own.pem -outform DER -out @own.der");
            openssl.run("pkey -in @own.pem -pubout -outform DER -out @public.der");
            openssl.run(&format!("enc {with_zero_pad} -K {digits} -in @own.der -out @wrapped"));
            let template = object(CKO_PRIVATE_KEY, kind).on(&[CKA_SIGN, CKA_EXTRACTABLE]);
            let key = session.unwrap(&mut zero_pad(), wrapping, &openssl.get("wrapped"), &template).unwrap();
            let public = import_public(session, &openssl.get("public.der"), &[CKA_VERIFY]);
            let mut mechanism = Mechanism::new(mechanism);
            let signature = session.sign(&mut mechanism, key, MESSAGE).unwrap();
            session.verify(&mut mechanism, public, MESSAGE, &signature).unwrap();
            // And out again: OpenSSL reads it, and it is the same key.
            openssl.put("wrapped", &session.wrap(&mut zero_pad(), wrapping, key).unwrap());
            openssl.run(&format!("enc -d {with_zero_pad} -K {digits} -in @wrapped -out @back.der"));
            openssl.run("pkey -inform DER -in @back.der -pubout -outform DER -out @back-public.der");
            assert_eq!(openssl.get("back-public.der"), openssl.get("public.der"), "{options}");
        }
    });
}

/// RSA_AES_KEY_WRAP and OAEP: a key that OpenSSL makes reaches the HSM under the HSM's public key alone.
#[test]
fn keys_under_rsa() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::keys_under_rsa") else { return };
        let session = hsm();
        let public = rsa_public(2048).without(CKA_ENCRYPT).on(&[CKA_WRAP]);
        let (public, private) =
            session.generate_pair(CKM_RSA_X9_31_KEY_PAIR_GEN, &public, &Template::new().on(&[CKA_UNWRAP])).unwrap();
        openssl.put("hsm.der", &rsa_spki(session, public));
        let seal = "pkeyutl -encrypt -pubin -keyform DER -inkey @hsm.der -pkeyopt rsa_padding_mode:oaep \
                    -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
        let digits = "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f";
        openssl.put("middle", &hex(digits));
        openssl.run(&format!("{seal} -in @middle -out @sealed"));
        let mut parameter = oaep(CKM_SHA256, CKG_MGF1_SHA256);

        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).on(&[CKA_SIGN]);
        let mut mechanism = Mechanism::with(CKM_RSA_PKCS_OAEP, &mut parameter);
        let key = session.unwrap(&mut mechanism, private, &openssl.get("sealed"), &template).unwrap();
        let known = session.create(&aes_value(&hex(digits))).unwrap();
        let mac = |key| session.sign(&mut Mechanism::new(CKM_AES_CMAC), key, MESSAGE).unwrap();
        assert_eq!(mac(key), mac(known));

        openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out @own.pem");
        openssl.run("pkcs8 -topk8 -nocrypt -in @own.pem -outform DER -out @own.der");
        openssl.run("pkey -in @own.pem -pubout -outform DER -out @public.der");
        openssl.run(&format!("enc -id-aes256-wrap-pad -iv A65959A6 -K {digits} -in @own.der -out @wrapped"));
        let wrapped = [openssl.get("sealed"), openssl.get("wrapped")].concat();
        let mut parameter = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: &raw mut parameter };
        let mut mechanism = Mechanism::with(CKM_RSA_AES_KEY_WRAP, &mut parameter);
        let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_EC).on(&[CKA_SIGN]);
        let key = session.unwrap(&mut mechanism, private, &wrapped, &template).unwrap();
        let theirs = import_public(session, &openssl.get("public.der"), &[CKA_VERIFY]);
        let mut mechanism = Mechanism::new(CKM_ECDSA_SHA256);
        let signature = session.sign(&mut mechanism, key, MESSAGE).unwrap();
        session.verify(&mut mechanism, theirs, MESSAGE, &signature).unwrap();
    });
}

/// ECDH with X9.63's derivation: OpenSSL has the shared secret by its own private key and derives the same key.
#[test]
fn agreements() {
    isolated(|| {
        let Some(openssl) = OpenSsl::new("openssl::agreements") else { return };
        let session = hsm();
        let own =
            session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P384), &Template::new().on(&[CKA_DERIVE])).unwrap();
        openssl.put("hsm.der", &ec_spki(session, own.0));
        openssl.run("pkey -pubin -inform DER -in @hsm.der -out @hsm.pem");
        openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp384r1 -out @own.pem");
        openssl.run("pkey -in @own.pem -pubout -outform DER -out @own.der");
        openssl.run("pkeyutl -derive -inkey @own.pem -peerkey @hsm.pem -out @shared");
        let shared: String = openssl.get("shared").iter().map(|byte| format!("{byte:02x}")).collect();
        let info = openssl.get("own.der");
        let mut point = info[info.len() - 97..].to_vec();
        for (hash, kdf) in [
            ("SHA1", vendor::CKD_CLOUDHSM_X963_SHA1_KDF),
            ("SHA224", vendor::CKD_CLOUDHSM_X963_SHA224_KDF),
            ("SHA256", vendor::CKD_CLOUDHSM_X963_SHA256_KDF),
            ("SHA384", vendor::CKD_CLOUDHSM_X963_SHA384_KDF),
            ("SHA512", vendor::CKD_CLOUDHSM_X963_SHA512_KDF),
        ] {
            let mut parameter = CK_ECDH1_DERIVE_PARAMS {
                kdf,
                ulSharedDataLen: 0,
                pSharedData: ptr::null_mut(),
                ulPublicDataLen: point.len() as CK_ULONG,
                pPublicData: point.as_mut_ptr(),
            };
            let template = Template::new()
                .number(CKA_CLASS, CKO_SECRET_KEY)
                .number(CKA_KEY_TYPE, CKK_AES)
                .number(CKA_VALUE_LEN, 32)
                .on(&[CKA_SIGN]);
            let key = session.derive(&mut Mechanism::with(CKM_ECDH1_DERIVE, &mut parameter), own.1, &template).unwrap();
            openssl.run(&format!(
                "kdf -keylen 32 -kdfopt digest:{hash} -kdfopt hexkey:{shared} -binary -out @derived X963KDF"
            ));
            let known = session.create(&aes_value(&openssl.get("derived"))).unwrap();
            let mac = |key| session.sign(&mut Mechanism::new(CKM_AES_CMAC), key, MESSAGE).unwrap();
            assert_eq!(mac(key), mac(known), "{hash}");
        }
    });
}
