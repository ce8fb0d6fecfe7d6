//! Key files: the keys that a PEM file holds, and the form of a reference to a key that stays in the HSM.

use p256::elliptic_curve::pkcs8::der::asn1::AnyRef;
use p256::elliptic_curve::pkcs8::der::{self, Decode, Encode, Tag, pem};
use p256::elliptic_curve::pkcs8::{PrivateKeyInfoRef, SubjectPublicKeyInfoRef};

use super::algorithm::Algorithm;
pub use super::algorithm::RsaUse;
use base::ck;
use base::error::{Error, Result};

use super::ec::{self, Curve};
use super::pem::{self as file, Block};
use super::{ec_material, ed25519, rsa, rsa_material};

/// The public key of a file.
pub enum Public {
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>, RsaUse),
    /// The point, which is not checked.
    Ec(Curve, Vec<u8>),
    /// The point, which is not checked.
    Ed25519([u8; ed25519::KEY_LENGTH]),
}

/// The private key of a file.
pub enum Private {
    /// All eight numbers.
    Rsa(rsa::Components, RsaUse),
    /// On a curve that is served.
    Ec(ec::PrivateKey),
    /// With its seed.
    Ed25519(ed25519::PrivateKey),
}

/// The label of what OpenSSL writes in front of an EC key: the curve once more, which an older key does not name itself.
const EC_PARAMETERS: &str = "EC PARAMETERS";
const PUBLIC: &[&str] = &["PUBLIC KEY", "RSA PUBLIC KEY"];
const PRIVATE: &[&str] = &[
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
];
/// RFC 7468 section 5.1 has the first, older programs write the second.
const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE"];

fn refused(why: impl Into<String>) -> Error {
    Error::with(ck::CKR_ARGUMENTS_BAD, why.into())
}

/// The one public key of a PEM text; private keys beside it are not looked at.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for no key or several, and for one of an algorithm or a curve that is not served; the text says which.
pub fn read_public(text: &[u8]) -> Result<Public> {
    let blocks = file::blocks(text)?;
    let block = the_one(text, &blocks, PUBLIC, "public")?;
    let content = block.content()?;
    let encoded = content.expose();
    let rsa = |encoded: &[u8], usage| {
        rsa_material::decode_public_pkcs1(encoded).map(|(modulus, exponent)| Public::Rsa(modulus, exponent, usage))
    };
    if block.label == "RSA PUBLIC KEY" {
        return rsa(encoded, RsaUse::Any);
    }
    let info = SubjectPublicKeyInfoRef::from_der(encoded)
        .map_err(|_| refused("The public key in the file is damaged: it is no SubjectPublicKeyInfo"))?;
    let key = info.subject_public_key.as_bytes().unwrap_or_default();
    match Algorithm::of(&info.algorithm) {
        Algorithm::Rsa(usage) => rsa(key, usage),
        Algorithm::Ec(Some(curve)) => Ok(Public::Ec(curve, key.to_vec())),
        Algorithm::Ed25519 => ed25519::decode_spki(encoded).map(Public::Ed25519),
        Algorithm::Ec(None) => Err(refused("The EC key in the file names no curve")),
        Algorithm::NotServed(why) => Err(refused(why)),
    }
}

/// The one private key of a PEM text; public keys beside it are not looked at.
///
/// # Errors
/// As [`read_public`], and for an encrypted key; the decoders' codes for a key that is not whole.
pub fn read_private(text: &[u8]) -> Result<Private> {
    let blocks = file::blocks(text)?;
    let block = the_one(text, &blocks, PRIVATE, "private")?;
    match block.label {
        "DSA PRIVATE KEY" => return Err(refused("The key in the file is of DSA, which is not served")),
        "OPENSSH PRIVATE KEY" => {
            return Err(refused(
                "The private key in the file has OpenSSH's own form: change it to PKCS#8 with ssh-keygen -p -m PKCS8 -f FILE",
            ));
        }
        _ => {}
    }
    let content = block.content()?;
    let encoded = content.expose();
    match block.label {
        "RSA PRIVATE KEY" => Ok(Private::Rsa(rsa_material::decode_pkcs1(encoded)?, RsaUse::Any)),
        "EC PRIVATE KEY" => sec1(encoded, &blocks),
        _ => pkcs8(encoded),
    }
}

fn sec1(encoded: &[u8], blocks: &[Block<'_>]) -> Result<Private> {
    let named = match ec_material::curve_in_sec1(encoded)? {
        Some(parameters) => Some(parameters.to_vec()),
        None => match blocks.iter().find(|block| block.label == EC_PARAMETERS) {
            Some(parameters) => Some(parameters.content()?.expose().to_vec()),
            None => None,
        },
    };
    match Algorithm::of_curve(named.as_deref()) {
        Algorithm::Ec(curve) => ec_material::decode_sec1(encoded, curve).map(Private::Ec),
        Algorithm::NotServed(why) => Err(refused(why)),
        Algorithm::Rsa(_) | Algorithm::Ed25519 => Err(Error::internal("a curve that is none")),
    }
}

fn pkcs8(encoded: &[u8]) -> Result<Private> {
    let info = PrivateKeyInfoRef::from_der(encoded)
        .map_err(|_| refused("The private key in the file is damaged: it is no PKCS#8"))?;
    let key = info.private_key.as_bytes();
    match Algorithm::of(&info.algorithm) {
        Algorithm::Rsa(usage) => Ok(Private::Rsa(rsa_material::decode_pkcs1(key)?, usage)),
        Algorithm::Ec(Some(curve)) => ec_material::decode_sec1(key, Some(curve)).map(Private::Ec),
        // Not as RFC 5915 section 1 wants it: the curve stands inside alone.
        Algorithm::Ec(None) => sec1(key, &[]),
        Algorithm::Ed25519 => ed25519::from_pkcs8(encoded).map(Private::Ed25519),
        Algorithm::NotServed(why) => Err(refused(why)),
    }
}

/// The one block with a key of a kind.
fn the_one<'b, 't>(text: &[u8], blocks: &'b [Block<'t>], labels: &[&str], kind: &str) -> Result<&'b Block<'t>> {
    let mut of_the_kind = blocks.iter().filter(|block| labels.contains(&block.label));
    match (of_the_kind.next(), of_the_kind.count()) {
        (Some(block), 0) => Ok(block),
        (Some(_), more) => Err(refused(format!("There are {} {kind} keys in the file: leave one", more + 1))),
        (None, _) => Err(refused(instead_of_it(text, blocks, kind))),
    }
}

/// What is in a file that has no key of a kind.
fn instead_of_it(text: &[u8], blocks: &[Block<'_>], kind: &str) -> String {
    let has = |labels: &[&str]| blocks.iter().any(|block| labels.contains(&block.label));
    if has(PRIVATE) {
        return "There is a private key in the file, and no public one: openssl pkey -in FILE -pubout writes that"
            .to_owned();
    }
    if has(PUBLIC) {
        return "There is a public key in the file, and no private one".to_owned();
    }
    if has(CERTIFICATES) && kind == "public" {
        return "There is a certificate in the file, and no public key: openssl x509 -in FILE -noout -pubkey writes that".to_owned();
    }
    if let Some(block) = blocks.iter().find(|block| block.label != EC_PARAMETERS) {
        return format!("There is a {} in the file, and no {kind} key", block.label);
    }
    // A DER SEQUENCE of more than 127 bytes.
    if matches!(text, [0x30, 0x81..=0x83, ..]) {
        return "It is DER and no PEM: openssl pkey -in FILE -inform DER writes PEM".to_owned();
    }
    format!("It is no {kind} key in PEM")
}

/// The certificates of a PEM text, in DER and in order.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything else in a block: what goes to where certificates are shown must hold no key.
pub fn read_certificates(text: &[u8]) -> Result<Vec<Vec<u8>>> {
    let blocks = file::blocks(text)?;
    if blocks.is_empty() {
        return Err(refused("it is no certificate in PEM"));
    }
    let of_block = |block: &Block<'_>| {
        if CERTIFICATES.contains(&block.label) {
            return Ok(block.content()?.expose().to_vec());
        }
        Err(refused(format!("there is a {} in the file, where certificates alone are taken", block.label)))
    };
    blocks.iter().map(of_block).collect()
}

/// A PEM text.
///
/// # Errors
/// CKR_GENERAL_ERROR: what was encoded can be written.
pub fn to_pem(label: &str, encoded: &[u8]) -> Result<String> {
    pem::encode_string(label, pem::LineEnding::LF, encoded).map_err(|_| Error::internal("PEM that cannot be written"))
}

/// What stands for a private key that stays in the HSM and whose kind has no other form for it:
/// `SEQUENCE { INTEGER 1, OCTET STRING reference, SubjectPublicKeyInfo }`.
///
/// # Errors
/// CKR_GENERAL_ERROR: what was encoded can be put together.
pub fn encode_reference(reference: &[u8; 8], public_key_info: &[u8]) -> Result<Vec<u8>> {
    let encode = || -> der::Result<Vec<u8>> {
        let version = AnyRef::new(Tag::Integer, &[1])?;
        let reference = AnyRef::new(Tag::OctetString, reference)?;
        vec![version, reference, AnyRef::from_der(public_key_info)?].to_der()
    };
    encode().map_err(|_| Error::internal("a reference that cannot be encoded"))
}
