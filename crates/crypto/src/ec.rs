//! Elliptic-curve keys ready for use: ECDSA over finished digests, ECDH, generation and import.
//!
//! The curves are the five that CloudHSM has. AWS-LC does all arithmetic with private keys; points and scalars that
//! come from outside are checked by AWS-LC and, independently, by the RustCrypto curve ([`ec_material`]).
//!
//! [`ec_material`]: super::ec_material

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use zeroize::Zeroize;

use super::ec_material;
use super::ffi::ec::EcKey;

/// The longest field and order of all curves, P-521's.
pub(super) const MAX_BYTES: usize = 66;

/// What the self-made signature of a pairwise test is made over: any digest does (FIPS 140-3 IG 10.3.A).
const TEST_DIGEST: [u8; 32] = [0x5a; 32];

const OBJECT_IDENTIFIER: u8 = 0x06;
const PRINTABLE_STRING: u8 = 0x13;

/// What is wrong with a value of CKA_EC_PARAMS that names no curve which is served where it stands (PKCS#11 3.2 section
/// 6.3). Explicit parameters are a representation that is not supported, even those of a named curve: a caller could choose
/// a generator of its own (CVE-2020-0601).
#[must_use]
pub fn no_curve(parameters: &[u8]) -> Error {
    let names_one = match parameters {
        [OBJECT_IDENTIFIER, length, arcs @ ..] => {
            usize::from(*length) == arcs.len() && arcs.last().is_some_and(|last| last & 0x80 == 0)
        }
        [PRINTABLE_STRING, length, name @ ..] => usize::from(*length) == name.len() && !name.is_empty(),
        _ => false,
    };
    if names_one {
        Error::new(ck::CKR_CURVE_NOT_SUPPORTED, "CKA_EC_PARAMS names no curve that is served here")
    } else {
        Error::new(ck::CKR_DOMAIN_PARAMS_INVALID, "CKA_EC_PARAMS is no object identifier in DER and no name of a curve")
    }
}

/// A named curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    /// NIST P-224, secp224r1.
    P224,
    /// NIST P-256, secp256r1, prime256v1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
    /// SEC 2's Koblitz curve over 256 bits.
    Secp256k1,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 5] = [Self::P224, Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// The curve that a value of CKA_EC_PARAMS names: its OID in DER, or its name as a PrintableString (PKCS#11 3.2
    /// section 6.3.3).
    #[must_use]
    pub fn from_parameters(der: &[u8]) -> Option<Self> {
        if let Some((&PRINTABLE_STRING, [length, name @ ..])) = der.split_first() {
            let same = usize::from(*length) == name.len();
            return Self::ALL.into_iter().find(|curve| same && curve.names().iter().any(|n| n.as_bytes() == name));
        }
        Self::ALL.into_iter().find(|curve| curve.parameters() == der)
    }

    /// The value of CKA_EC_PARAMS: the curve's OID in DER.
    #[must_use]
    pub const fn parameters(self) -> &'static [u8] {
        match self {
            Self::P224 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21],
            Self::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
            Self::Secp256k1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
        }
    }

    /// The length of a coordinate in bytes.
    #[must_use]
    pub const fn field_bytes(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The length of a scalar, and of each half of a signature, in bytes; the same as a coordinate's on all five.
    #[must_use]
    pub const fn order_bytes(self) -> usize {
        self.field_bytes()
    }

    /// The size that mechanism lists and key listings give, in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::P224 => 224,
            Self::P256 | Self::Secp256k1 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// CloudHSM's name for the curve.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P224 => "secp224r1",
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
            Self::P521 => "secp521r1",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// Every name under which the curve may be asked for.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::P224 => &["secp224r1", "P-224"],
            Self::P256 => &["secp256r1", "prime256v1", "P-256"],
            Self::P384 => &["secp384r1", "P-384"],
            Self::P521 => &["secp521r1", "P-521"],
            Self::Secp256k1 => &["secp256k1"],
        }
    }

    /// The length of a point as 04 || X || Y.
    pub(super) const fn point_bytes(self) -> usize {
        1 + 2 * self.field_bytes()
    }
}

/// A point as 04 || X || Y, kept beside its key: a point in AWS-LC's own form would need an inversion each time.
struct EncodedPoint {
    bytes: [u8; 1 + 2 * MAX_BYTES],
    length: usize,
}

impl EncodedPoint {
    fn of(key: &EcKey) -> Result<Self> {
        let mut bytes = [0; 1 + 2 * MAX_BYTES];
        let length = key.write_point(&mut bytes).map_err(|_| Error::internal("an EC key without a point"))?;
        Ok(Self { bytes, length })
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A prepared private key, with its public point.
pub struct PrivateKey {
    key: EcKey,
    curve: Curve,
    point: EncodedPoint,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn generate(curve: Curve) -> Result<Self> {
        let key = EcKey::generate(curve).map_err(|_| Error::internal("EC key generation failed"))?;
        let point = EncodedPoint::of(&key)?;
        Ok(Self { key, curve, point })
    }

    /// The key with this scalar, big-endian, with or without leading zeros; its point is computed.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless 1 <= scalar < n.
    pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self> {
        const REFUSED: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "the EC scalar is not in [1, n-1]");
        let mut buffer = [0; MAX_BYTES];
        let made = ec_material::pad_scalar(curve, scalar, &mut buffer)
            .filter(|padded| ec_material::scalar_in_range(curve, padded))
            .and_then(|padded| EcKey::from_scalar(curve, padded).ok());
        buffer.zeroize();
        let key = made.ok_or(REFUSED)?;
        let point = EncodedPoint::of(&key)?;
        Ok(Self { key, curve, point })
    }

    /// The scalar, [`Curve::order_bytes`] long.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR: a private key always has one.
    pub fn scalar(&self) -> Result<Secret> {
        Secret::made(self.curve.order_bytes(), |out| self.key.write_scalar(out))
            .map_err(|_| Error::internal("an EC private key without a scalar"))
    }

    /// The public point as 04 || X || Y.
    #[must_use]
    pub fn point(&self) -> Vec<u8> {
        self.point.as_slice().to_vec()
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Signs a digest of any length, of which the leftmost bits count (FIPS 186-5 section 6.4.1). Writes r || s, each
    /// [`Curve::order_bytes`] long (PKCS#11 3.2 section 6.3.1), and returns the length.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for an empty digest; CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn sign_digest(&self, digest: &[u8], signature: &mut [u8]) -> Result<usize> {
        let half = self.curve.order_bytes();
        refuse_empty(digest)?;
        let Some((r, s)) = signature.get_mut(..2 * half).and_then(|out| out.split_at_mut_checked(half)) else {
            return Err(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for an ECDSA signature"));
        };
        self.key.sign(digest, r, s).map_err(|_| Error::internal("ECDSA signing failed"))?;
        Ok(2 * half)
    }

    /// The x coordinate that this key shares with the owner of `point`, [`Curve::field_bytes`] long (SP 800-56A r3
    /// section 5.7.1.2). The point may be compressed.
    ///
    /// # Errors
    /// CKR_MECHANISM_PARAM_INVALID for a point that is not on the curve, or is the point at infinity: it came as a
    /// parameter of the mechanism.
    pub fn agree(&self, point: &[u8]) -> Result<Secret> {
        Secret::made(self.curve.field_bytes(), |out| self.key.agree(point, out))
            .map_err(|_| Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "the peer's public point is not on the curve"))
    }

    /// Recomputes the public point from the scalar.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when it is not the one that is stored.
    pub fn check_pair_cheap(&self) -> Result<()> {
        self.key.check().map_err(|_| Error::internal("the EC key pair is inconsistent"))
    }

    /// Signs and verifies (FIPS 140-3 IG 10.3.A).
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when the public half does not verify what the private half signed.
    pub fn check_pair_by_signature(&self) -> Result<()> {
        let public = PublicKey::from_point(self.curve, self.point.as_slice())?;
        let mut signature = [0; 2 * MAX_BYTES];
        let length = self.sign_digest(&TEST_DIGEST, &mut signature)?;
        public
            .verify_digest(&TEST_DIGEST, signature.get(..length).unwrap_or_default())
            .map_err(|_| Error::internal("the EC key pair failed its pairwise test"))
    }
}

/// A prepared public key.
pub struct PublicKey {
    key: EcKey,
    curve: Curve,
    point: EncodedPoint,
}

impl PublicKey {
    /// The key with this point: 04 || X || Y, or compressed (SEC 1 section 2.3.3).
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless it is an encoding of a point of the curve other than infinity.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self> {
        const REFUSED: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "the EC point is not on the curve");
        if !ec_material::point_on_curve(curve, point) {
            return Err(REFUSED);
        }
        let key = EcKey::from_point(curve, point).map_err(|_| REFUSED)?;
        let point = EncodedPoint::of(&key)?;
        Ok(Self { key, curve, point })
    }

    /// The point as 04 || X || Y.
    #[must_use]
    pub fn point(&self) -> Vec<u8> {
        self.point.as_slice().to_vec()
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Verifies r || s over a digest of any length. The two halves are equally long and may be shorter than
    /// [`Curve::order_bytes`], because a caller who does not know the order leaves leading zeros out (PKCS#11 3.2 section
    /// 6.3.1).
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE for an odd length, none, or more than two times [`Curve::order_bytes`];
    /// CKR_SIGNATURE_INVALID for a wrong signature; CKR_DATA_LEN_RANGE for an empty digest.
    pub fn verify_digest(&self, digest: &[u8], signature: &[u8]) -> Result<()> {
        refuse_empty(digest)?;
        let half = signature.len() / 2;
        let fits = signature.len().is_multiple_of(2) && (1..=self.curve.order_bytes()).contains(&half);
        let Some((r, s)) = signature.split_at_checked(half).filter(|_| fits) else {
            return Err(Error::new(ck::CKR_SIGNATURE_LEN_RANGE, "an ECDSA signature of the wrong length"));
        };
        self.key
            .verify(digest, r, s)
            .map_err(|_| Error::new(ck::CKR_SIGNATURE_INVALID, "the ECDSA signature does not verify"))
    }

    /// Checks again that the point is on the curve.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when it is not.
    pub fn check(&self) -> Result<()> {
        self.key.check().map_err(|_| Error::internal("the EC public key is invalid"))
    }
}

/// The digest zero, which an empty input would mean, has signatures that anybody can make up.
fn refuse_empty(digest: &[u8]) -> Result<()> {
    if digest.is_empty() {
        return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "ECDSA needs at least one byte of data"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
