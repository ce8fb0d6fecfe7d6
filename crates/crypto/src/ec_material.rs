//! Elliptic-curve key material: the encodings a key comes and goes in, and the second opinion on points and scalars.
//!
//! CKA_EC_POINT as a DER OCTET STRING or raw, PKCS#8 (RFC 5958) around SEC 1's ECPrivateKey (RFC 5915), and
//! SubjectPublicKeyInfo (RFC 5480). Decoding goes through the `der` types of RustCrypto, which are strict DER; secrets
//! are encoded straight into a [`Secret`].

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use elliptic_curve::pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef};
use elliptic_curve::pkcs8::der::{
    self, Decode, DecodeValue, Encode, EncodeValue, Header, Length, Reader, Sequence, TagMode, TagNumber, Writer,
};
use elliptic_curve::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize};
use p256::elliptic_curve;

use super::ec::{Curve, PrivateKey, PublicKey};

/// id-ecPublicKey (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The one version of ECPrivateKey (RFC 5915 section 3).
const VERSION: u8 = 1;
const PARAMETERS: TagNumber = TagNumber(0);
const POINT: TagNumber = TagNumber(1);
const OCTET_STRING: u8 = 0x04;

/// Runs `$function` with the RustCrypto curve that `$curve` is.
macro_rules! with_curve {
    ($curve:expr, $function:ident($($argument:expr),*)) => {
        match $curve {
            Curve::P224 => $function::<p224::NistP224>($($argument),*),
            Curve::P256 => $function::<p256::NistP256>($($argument),*),
            Curve::P384 => $function::<p384::NistP384>($($argument),*),
            Curve::P521 => $function::<p521::NistP521>($($argument),*),
            Curve::Secp256k1 => $function::<k256::Secp256k1>($($argument),*),
        }
    };
}

/// Whether 1 <= scalar < n, in constant time; the scalar has exactly [`Curve::order_bytes`].
pub(super) fn scalar_in_range(curve: Curve, scalar: &[u8]) -> bool {
    fn check<C: CurveArithmetic>(scalar: &[u8]) -> bool {
        elliptic_curve::SecretKey::<C>::from_slice(scalar).is_ok()
    }
    scalar.len() == curve.order_bytes() && with_curve!(curve, check(scalar))
}

/// Whether the bytes encode a point of the curve other than infinity, uncompressed or compressed.
pub(super) fn point_on_curve(curve: Curve, point: &[u8]) -> bool {
    fn check<C>(point: &[u8]) -> bool
    where
        C: CurveArithmetic,
        AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        FieldBytesSize<C>: ModulusSize,
    {
        elliptic_curve::PublicKey::<C>::from_sec1_bytes(point).is_ok()
    }
    has_point_shape(curve, point) && with_curve!(curve, check(point))
}

/// A scalar written with or without leading zeros, as exactly [`Curve::order_bytes`] at the end of `buffer`'s front.
pub(super) fn pad_scalar<'b>(curve: Curve, scalar: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = curve.order_bytes();
    // Big integers of PKCS#11 may come with leading zeros; only how many are dropped shows, not the value.
    let excess = scalar.len().saturating_sub(length);
    let (zeros, significant) = scalar.split_at_checked(excess)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let out = buffer.get_mut(..length)?;
    let (front, back) = out.split_at_mut_checked(length - significant.len())?;
    front.fill(0);
    back.copy_from_slice(significant);
    Some(out)
}

/// Tag and length of an encoded point, without arithmetic.
fn has_point_shape(curve: Curve, point: &[u8]) -> bool {
    match point.first() {
        Some(4) => point.len() == curve.point_bytes(),
        Some(2 | 3) => point.len() == 1 + curve.field_bytes(),
        _ => false,
    }
}

/// The point inside a value of CKA_EC_POINT, which PKCS#11 wants as a DER OCTET STRING and some callers give raw. The
/// two cannot be taken for each other: they differ in length. The point itself is not checked.
///
/// # Errors
/// CKR_ATTRIBUTE_VALUE_INVALID when it is neither.
pub fn decode_point(curve: Curve, value: &[u8]) -> Result<&[u8]> {
    if has_point_shape(curve, value) {
        return Ok(value);
    }
    <&OctetStringRef>::from_der(value)
        .ok()
        .map(OctetStringRef::as_bytes)
        .filter(|point| has_point_shape(curve, point))
        .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_EC_POINT is no encoded point of the curve"))
}

/// A value of CKA_EC_POINT: the point as a DER OCTET STRING (PKCS#11 3.2 section 6.3.3).
#[must_use]
pub fn encode_point(point: &[u8]) -> Vec<u8> {
    // No point is longer than 133 bytes, so one length byte, or two, do.
    let mut out = Vec::with_capacity(3 + point.len());
    out.push(OCTET_STRING);
    let length = u8::try_from(point.len()).unwrap_or(u8::MAX);
    if length > 0x7f {
        out.push(0x81);
    }
    out.push(length);
    out.extend_from_slice(point);
    out
}

/// ECPrivateKey of SEC 1 appendix C.4 and RFC 5915.
struct EcPrivateKey<'a> {
    scalar: &'a [u8],
    parameters: Option<ObjectIdentifier>,
    point: Option<&'a [u8]>,
}

impl EcPrivateKey<'_> {
    fn parameters_field(&self) -> Option<ContextSpecific<ObjectIdentifier>> {
        self.parameters.map(|value| ContextSpecific { tag_number: PARAMETERS, tag_mode: TagMode::Explicit, value })
    }

    fn point_field(&self) -> der::Result<Option<ContextSpecific<BitStringRef<'_>>>> {
        self.point
            .map(|point| {
                let value = BitStringRef::from_bytes(point)?;
                Ok(ContextSpecific { tag_number: POINT, tag_mode: TagMode::Explicit, value })
            })
            .transpose()
    }
}

impl<'a> DecodeValue<'a> for EcPrivateKey<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> der::Result<Self> {
        if u8::decode(reader)? != VERSION {
            return Err(der::Tag::Integer.value_error().into());
        }
        let scalar = <&OctetStringRef>::decode(reader)?.as_bytes();
        let parameters = reader.context_specific(PARAMETERS, TagMode::Explicit)?;
        let point = reader.context_specific::<BitStringRef<'a>>(POINT, TagMode::Explicit)?;
        let point = point.map(|bits| bits.as_bytes().ok_or_else(|| der::Tag::BitString.value_error())).transpose()?;
        Ok(Self { scalar, parameters, point })
    }
}

impl EncodeValue for EcPrivateKey<'_> {
    fn value_len(&self) -> der::Result<Length> {
        VERSION.encoded_len()?
            + OctetStringRef::new(self.scalar)?.encoded_len()?
            + self.parameters_field().encoded_len()?
            + self.point_field()?.encoded_len()?
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        VERSION.encode(writer)?;
        OctetStringRef::new(self.scalar)?.encode(writer)?;
        self.parameters_field().encode(writer)?;
        self.point_field()?.encode(writer)
    }
}

impl<'a> Sequence<'a> for EcPrivateKey<'a> {}

fn oid(curve: Curve) -> der::Result<ObjectIdentifier> {
    ObjectIdentifier::from_der(curve.parameters())
}

fn curve_of(oid: ObjectIdentifier) -> Option<Curve> {
    Curve::from_parameters(&oid.to_der().ok()?)
}

fn bad_encoding(_: der::Error) -> Error {
    Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an EC key whose DER encoding is wrong")
}

fn cannot_encode(_: der::Error) -> Error {
    Error::internal("an EC key that cannot be encoded")
}

/// DER written straight into memory that will be zeroed.
pub(super) fn encode_secret(message: &impl Encode) -> der::Result<Secret> {
    Secret::made(usize::try_from(message.encoded_len()?)?, |out| message.encode_to_slice(out).map(|_| ()))
}

fn sec1_with(key: &PrivateKey, parameters: Option<ObjectIdentifier>) -> Result<Secret> {
    let (scalar, point) = (key.scalar()?, key.point());
    encode_secret(&EcPrivateKey { scalar: scalar.expose(), parameters, point: Some(&point) }).map_err(cannot_encode)
}

/// PKCS#8 around an ECPrivateKey.
fn pkcs8_with(curve: Curve, inner: &Secret) -> Result<Secret> {
    let encode = || {
        let curve = oid(curve)?;
        let algorithm = AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(AnyRef::from(&curve)) };
        encode_secret(&PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(inner.expose())?))
    };
    encode().map_err(cannot_encode)
}

/// The key as an ECPrivateKey with curve and point.
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_sec1(key: &PrivateKey) -> Result<Secret> {
    sec1_with(key, Some(oid(key.curve()).map_err(cannot_encode)?))
}

/// The key as PKCS#8 PrivateKeyInfo: the curve is in the algorithm, the point inside (RFC 5915 section 1 and what
/// OpenSSL writes).
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_pkcs8(key: &PrivateKey) -> Result<Secret> {
    pkcs8_with(key.curve(), &sec1_with(key, None)?)
}

/// PKCS#8 of a key that stays in the HSM: its own curve and point, and in the place of the scalar what it is called by.
///
/// # Errors
/// CKR_GENERAL_ERROR for a name that is longer than a scalar.
pub fn encode_reference(curve: Curve, point: &[u8], name: &[u8]) -> Result<Secret> {
    let mut buffer = [0; 66];
    let scalar = pad_scalar(curve, name, &mut buffer).ok_or(Error::internal("a name longer than a scalar"))?;
    let inner = encode_secret(&EcPrivateKey { scalar, parameters: None, point: Some(point) }).map_err(cannot_encode)?;
    pkcs8_with(curve, &inner)
}

/// The key in an ECPrivateKey; `curve` is the one known from outside, if any. A point inside must be the scalar's.
///
/// # Errors
/// CKR_WRAPPED_KEY_INVALID for anything but a whole, consistent key on a known curve.
pub fn decode_sec1(encoded: &[u8], curve: Option<Curve>) -> Result<PrivateKey> {
    const NO_CURVE: Error = Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an EC key without a known curve");
    let parsed = EcPrivateKey::from_der(encoded).map_err(bad_encoding)?;
    let inner = parsed.parameters.map(|oid| curve_of(oid).ok_or(NO_CURVE)).transpose()?;
    let curve = match (curve, inner) {
        (Some(outer), Some(inner)) if outer != inner => {
            return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an EC key that names two curves"));
        }
        (outer, inner) => outer.or(inner).ok_or(NO_CURVE)?,
    };
    let key = PrivateKey::from_scalar(curve, parsed.scalar)
        .map_err(|_| Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an EC key whose scalar is not in [1, n-1]"))?;
    let same_point = |point| PublicKey::from_point(curve, point).is_ok_and(|public| public.point() == key.point());
    if parsed.point.is_some_and(|point| !same_point(point)) {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an EC key whose point is not its scalar's"));
    }
    Ok(key)
}

/// The EC parameters that an ECPrivateKey names itself, in DER: a curve or, in old keys, all its numbers.
///
/// # Errors
/// CKR_WRAPPED_KEY_INVALID for what is no ECPrivateKey.
pub(super) fn curve_in_sec1(encoded: &[u8]) -> Result<Option<Vec<u8>>> {
    let find = || -> der::Result<Option<Vec<u8>>> {
        let sequence = AnyRef::from_der(encoded)?;
        der::Tagged::tag(&sequence).assert_eq(der::Tag::Sequence)?;
        let mut reader = der::SliceReader::new(sequence.value())?;
        AnyRef::decode(&mut reader)?;
        AnyRef::decode(&mut reader)?;
        if reader.is_finished() {
            return Ok(None);
        }
        let field = AnyRef::decode(&mut reader)?;
        let parameters = der::Tag::ContextSpecific { constructed: true, number: PARAMETERS };
        Ok(Some(field.value().to_vec()).filter(|_| der::Tagged::tag(&field) == parameters))
    };
    find().map_err(bad_encoding)
}

/// The key in a PKCS#8 PrivateKeyInfo.
///
/// # Errors
/// CKR_WRAPPED_KEY_INVALID for anything but a whole, consistent EC key on a known curve.
pub fn decode_pkcs8(encoded: &[u8]) -> Result<PrivateKey> {
    let info = PrivateKeyInfoRef::from_der(encoded).map_err(bad_encoding)?;
    let curve = info.algorithm.parameters_oid().ok().and_then(curve_of);
    if info.algorithm.oid != EC_PUBLIC_KEY || curve.is_none() {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "PKCS#8 of another kind than a named EC curve's"));
    }
    decode_sec1(info.private_key.as_bytes(), curve)
}

/// A public key as SubjectPublicKeyInfo, the value of CKA_PUBLIC_KEY_INFO.
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_spki(curve: Curve, point: &[u8]) -> Result<Vec<u8>> {
    let encode = || {
        let curve = oid(curve)?;
        let algorithm = AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(AnyRef::from(&curve)) };
        SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(point)? }.to_der()
    };
    encode().map_err(cannot_encode)
}

/// Curve and point of a public key as SubjectPublicKeyInfo; the point itself is not checked.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything but a public key on a known, named curve.
pub fn decode_spki(encoded: &[u8]) -> Result<(Curve, Vec<u8>)> {
    const REFUSED: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "no public key on a known EC curve");
    let info = SubjectPublicKeyInfoRef::from_der(encoded).map_err(|_| REFUSED)?;
    let curve = info.algorithm.parameters_oid().ok().filter(|_| info.algorithm.oid == EC_PUBLIC_KEY).and_then(curve_of);
    let point = info.subject_public_key.as_bytes();
    curve.zip(point).map(|(curve, point)| (curve, point.to_vec())).ok_or(REFUSED)
}
