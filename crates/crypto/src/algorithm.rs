//! What an AlgorithmIdentifier says of a key (RFC 5280 section 4.1.1.2): an algorithm that is served, or the name of one that is not.

use p256::elliptic_curve::pkcs8::der::{Decode, Encode};
use p256::elliptic_curve::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier};

use super::ec::Curve;

/// What an RSA key is for: by its algorithm's identifier, everything, or PSS alone (RFC 4055 section 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RsaUse {
    /// rsaEncryption.
    Any,
    /// id-RSASSA-PSS.
    Pss,
}

/// The algorithm of a key.
pub(super) enum Algorithm {
    /// RSA.
    Rsa(RsaUse),
    /// EC on a curve that is served, or on one that stands elsewhere.
    Ec(Option<Curve>),
    /// Ed25519.
    Ed25519,
    /// Another one: a sentence that names it.
    NotServed(String),
}

/// rsaEncryption, id-RSASSA-PSS (RFC 8017 A.1, A.2.3), id-ecPublicKey (RFC 5480 section 2.1.1), id-Ed25519 (RFC 8410 section 3).
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

/// Names of what is not served.
const OTHERS: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.7", "RSAES-OAEP"),
    ("1.2.840.113549.1.3.1", "Diffie-Hellman"),
    ("1.2.840.10046.2.1", "Diffie-Hellman"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    // NIST CSOR: FIPS 203, 204.
    ("2.16.840.1.101.3.4.4.1", "ML-KEM-512"),
    ("2.16.840.1.101.3.4.4.2", "ML-KEM-768"),
    ("2.16.840.1.101.3.4.4.3", "ML-KEM-1024"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];
const OTHER_CURVES: &[(&str, &str)] = &[
    ("1.2.840.10045.3.1.1", "secp192r1"),
    ("1.2.156.10197.1.301", "SM2"),
    // RFC 5639 section 4.1.
    ("1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1"),
    ("1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1"),
    ("1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
];

fn look_up(table: &'static [(&str, &str)], number: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == number).map(|(_, value)| *value)
}

impl Algorithm {
    /// The algorithm of PKCS#8 or of a SubjectPublicKeyInfo.
    pub(super) fn of(identifier: &AlgorithmIdentifierRef<'_>) -> Self {
        let number = identifier.oid.to_string();
        match number.as_str() {
            RSA_ENCRYPTION => Self::Rsa(RsaUse::Any),
            RSASSA_PSS => Self::Rsa(RsaUse::Pss),
            EC_PUBLIC_KEY => {
                let parameters = identifier.parameters.map(|parameters| parameters.to_der().unwrap_or_default());
                Self::of_curve(parameters.as_deref())
            }
            ED25519 => Self::Ed25519,
            _ => {
                let name = look_up(OTHERS, &number).map_or_else(|| format!("the algorithm {number}"), str::to_owned);
                Self::NotServed(format!(
                    "The key in the file is of {name}, which is not imported: RSA, EC and Ed25519 are"
                ))
            }
        }
    }

    /// The curve that EC parameters name, in DER.
    pub(super) fn of_curve(parameters: Option<&[u8]>) -> Self {
        let Some(parameters) = parameters else { return Self::Ec(None) };
        let Ok(curve) = <ObjectIdentifier>::from_der(parameters) else {
            return Self::NotServed(
                "The EC key in the file has explicit parameters: openssl pkey -in FILE -ec_param_enc named_curve names its curve"
                    .to_owned(),
            );
        };
        if let Some(curve) = Curve::from_parameters(parameters) {
            return Self::Ec(Some(curve));
        }
        let number = curve.to_string();
        let name = look_up(OTHER_CURVES, &number).unwrap_or(&number);
        let served: Vec<&str> = Curve::ALL.into_iter().map(Curve::name).collect();
        Self::NotServed(format!(
            "The EC key in the file is on the curve {name}, which is not served: {} are",
            served.join(", ")
        ))
    }
}
