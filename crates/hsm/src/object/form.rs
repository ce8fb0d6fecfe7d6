//! The forms in which key material enters and leaves: values of a template, the bytes of a wrapped or derived key.
//!
//! A kind of object names its [`Form`] in the rule table. What C_WrapKey wraps is the value of a secret key, and PKCS#8
//! of a private one (PKCS#11 3.2 sections 5.18.3 and 6.7); the same bytes come back from C_UnwrapKey.

use base::ck::{self, CK_ULONG};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::{ec_material, ed25519, rsa_material};

use super::attributes::Draft;
use super::import::{self, Import};
use super::key::{EcPrivateKey, KeyMaterial, RsaPrivateKey, SecretKey};

/// How the material of one kind of object enters and leaves.
pub struct Form {
    /// C_CreateObject.
    pub import: Import,
    /// C_WrapKey, C_UnwrapKey and C_DeriveKey; nothing for what they do not work with.
    pub bytes: Option<Bytes>,
    /// The lengths of a secret key's value, in bytes.
    pub lengths: Lengths,
}

/// Material as one string of bytes.
pub struct Bytes {
    /// The bytes of a key.
    pub encode: fn(&KeyMaterial) -> Result<Secret>,
    /// A key from its bytes, with the attributes that follow from it set in the draft.
    pub decode: fn(Secret, &mut Draft) -> Result<KeyMaterial>,
}

/// The lengths that the value of a secret key can have, in bytes.
#[derive(Clone, Copy)]
pub enum Lengths {
    /// It has no value of bytes.
    None,
    /// This one.
    Only(usize),
    /// One of these.
    Of(&'static [usize]),
    /// Anything from one byte to this.
    UpTo(usize),
}

/// AES (FIPS 197).
pub const AES: Lengths = Lengths::Of(&[16, 24, 32]);
/// Triple DES with three keys (SP 800-67).
pub const DES3: Lengths = Lengths::Only(24);
/// Generic secrets (User Guide, pkcs11-key-types).
pub const GENERIC: Lengths = Lengths::UpTo(800);

impl Lengths {
    /// Whether a value can have so many bytes.
    #[must_use]
    pub fn allow(self, length: usize) -> bool {
        match self {
            Self::None => false,
            Self::Only(only) => length == only,
            Self::Of(lengths) => lengths.contains(&length),
            Self::UpTo(longest) => (1..=longest).contains(&length),
        }
    }

    /// Shortest and longest.
    #[must_use]
    pub const fn range(self) -> (usize, usize) {
        match self {
            Self::Of(lengths) => match lengths {
                [shortest, .., longest] => (*shortest, *longest),
                [only] => (*only, *only),
                [] => (0, 0),
            },
            Self::Only(only) => (only, only),
            Self::UpTo(longest) => (1, longest),
            Self::None => (0, 0),
        }
    }

    /// The length, if there is only one: such a key has no `CKA_VALUE_LEN`.
    #[must_use]
    pub const fn only(self) -> Option<usize> {
        match self {
            Self::Only(only) => Some(only),
            _ => None,
        }
    }

    /// The length of the key that a draft asks for by `CKA_VALUE_LEN`.
    ///
    /// # Errors
    /// CKR_TEMPLATE_INCOMPLETE if it does not and there are several, CKR_ATTRIBUTE_VALUE_INVALID for one that is none of
    /// these.
    pub fn wanted(self, draft: &Draft) -> Result<usize> {
        if let Some(only) = self.only() {
            return Ok(only);
        }
        let length = draft
            .number(ck::CKA_VALUE_LEN)
            .ok_or(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN must be given"))?;
        usize::try_from(length).ok().filter(|length| self.allow(*length)).ok_or_else(|| {
            Error::with(ck::CKR_ATTRIBUTE_VALUE_INVALID, format!("CKA_VALUE_LEN cannot be {length} for this key"))
        })
    }

    /// Every one of them, ascending.
    pub fn each(self) -> impl Iterator<Item = usize> + Clone {
        let (shortest, longest) = self.range();
        (shortest..=longest).filter(move |length| self.allow(*length))
    }
}

/// Data objects: no material.
pub(super) const NOTHING: Form = Form { import: import::nothing, bytes: None, lengths: Lengths::None };
/// Certificates: the same.
pub(super) const CERTIFICATE: Form = Form { import: import::certificate, bytes: None, lengths: Lengths::None };
/// AES keys.
pub(super) const AES_KEY: Form = secret(import::aes, |value, draft| sized(value, draft, AES), AES);
/// Triple-DES keys.
pub(super) const DES3_KEY: Form = secret(import::des3, |value, draft| sized(value, draft, DES3), DES3);
/// Generic secrets.
pub(super) const GENERIC_SECRET: Form = secret(import::generic, |value, draft| sized(value, draft, GENERIC), GENERIC);
/// Public keys.
pub(super) const RSA_PUBLIC: Form = public(import::rsa_public);
pub(super) const EC_PUBLIC: Form = public(import::ec_public);
pub(super) const EDWARDS_PUBLIC: Form = public(import::edwards_public);
pub(super) const ML_DSA_PUBLIC: Form = public(import::ml_dsa_public);
/// RSA private keys.
pub(super) const RSA_PRIVATE: Form = Form {
    import: import::rsa_private,
    bytes: Some(Bytes {
        encode: |material| match material {
            KeyMaterial::RsaPrivate(key) => rsa_material::encode_pkcs8(key.components()),
            _ => Err(ANOTHER),
        },
        decode: rsa_private,
    }),
    lengths: Lengths::None,
};
/// EC private keys, under CKK_EC those of edwards25519 among them.
pub(super) const EC_PRIVATE: Form = Form {
    import: import::ec_private,
    bytes: Some(Bytes { encode: ec_encode, decode: ec_private }),
    lengths: Lengths::None,
};
/// Ed25519 private keys under CKK_EC_EDWARDS.
pub(super) const EDWARDS_PRIVATE: Form = Form {
    import: import::edwards_private,
    bytes: Some(Bytes { encode: ec_encode, decode: edwards_private }),
    lengths: Lengths::None,
};
/// ML-DSA private keys; AWS does not wrap them.
pub(super) const ML_DSA_PRIVATE: Form = Form { import: import::ml_dsa_private, bytes: None, lengths: Lengths::None };

const ANOTHER: Error = Error::internal("the material is not of the object's kind");

const fn public(import: Import) -> Form {
    Form { import, bytes: None, lengths: Lengths::None }
}

const fn secret(import: Import, decode: fn(Secret, &mut Draft) -> Result<KeyMaterial>, lengths: Lengths) -> Form {
    Form {
        import,
        bytes: Some(Bytes { encode: |material| Ok(Secret::copy(material.secret()?.bytes().expose())), decode }),
        lengths,
    }
}

/// A secret key of one of these lengths.
fn sized(value: Secret, draft: &mut Draft, lengths: Lengths) -> Result<KeyMaterial> {
    if !lengths.allow(value.len()) {
        return Err(Error::new(
            ck::CKR_WRAPPED_KEY_INVALID,
            "the bytes are no key of this type: their number is wrong",
        ));
    }
    if lengths.only().is_none() {
        draft.set_number(ck::CKA_VALUE_LEN, value.len() as CK_ULONG);
    }
    Ok(KeyMaterial::Secret(SecretKey::new(value)))
}

fn rsa_private(value: Secret, draft: &mut Draft) -> Result<KeyMaterial> {
    let components = rsa_material::decode_pkcs8(value.expose())?;
    draft.set(ck::CKA_MODULUS, components.modulus.as_slice());
    draft.set(ck::CKA_PUBLIC_EXPONENT, components.public_exponent.as_slice());
    Ok(KeyMaterial::RsaPrivate(RsaPrivateKey::new(components)))
}

fn ec_encode(material: &KeyMaterial) -> Result<Secret> {
    match material {
        KeyMaterial::EcPrivate(key) => ec_material::encode_pkcs8(key.prepared()?),
        KeyMaterial::EdwardsPrivate(key) => ed25519::to_pkcs8(key),
        _ => Err(ANOTHER),
    }
}

fn edwards_private(value: Secret, draft: &mut Draft) -> Result<KeyMaterial> {
    let key = ed25519::from_pkcs8(value.expose())?;
    draft.set(ck::CKA_EC_PARAMS, ed25519::PARAMETERS);
    Ok(KeyMaterial::EdwardsPrivate(key))
}

/// The two codings name their algorithms, so one cannot be taken for the other.
fn ec_private(value: Secret, draft: &mut Draft) -> Result<KeyMaterial> {
    let Ok(key) = ec_material::decode_pkcs8(value.expose()) else {
        return edwards_private(value, draft);
    };
    draft.set(ck::CKA_EC_PARAMS, key.curve().parameters());
    Ok(KeyMaterial::EcPrivate(EcPrivateKey::from_prepared(key)?))
}

/// Returns how long the SEQUENCE is with which the bytes begin, its header included (X.690 section 8.1.3); nothing if they begin with
/// none, or one of 4 GiB or more. PKCS#8 is such a one.
#[must_use]
pub fn encoded_length(bytes: &[u8]) -> Option<usize> {
    const SEQUENCE: u8 = 0x30;
    let (&SEQUENCE, rest) = bytes.split_first()? else { return None };
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let digits = usize::from(first & 0x7f);
    let length = rest.get(..digits).filter(|_| (1..=4).contains(&digits))?;
    Some(2 + digits + length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_sequences() {
        assert_eq!(encoded_length(&[0x30, 0x05]), Some(7));
        assert_eq!(encoded_length(&[0x30, 0x81, 0x80]), Some(131));
        assert_eq!(encoded_length(&[0x30, 0x82, 0x01, 0x02]), Some(262));
        let wrong: [&[u8]; 6] = [&[], &[0x30], &[0x30, 0x80], &[0x30, 0x82, 1], &[0x30, 0x85, 1, 1, 1, 1, 1], &[4, 5]];
        for bytes in wrong {
            assert_eq!(encoded_length(bytes), None, "{bytes:x?}");
        }
    }
}
