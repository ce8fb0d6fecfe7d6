//! AWS-LC's elliptic-curve keys: ECDSA over a finished digest, ECDH, generation, points in and out.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use aws_lc_sys::{EC_GROUP, EC_KEY, EC_POINT, ECDSA_SIG};
use platform::fork::random_gate;

use super::bignum::{BigNum, write_padded};
use super::{Checked, Refused, checked, drawing, fresh, refused};
use crate::ec::Curve;

/// An owned key: a point, and a scalar if it is a private key.
pub(crate) struct EcKey(NonNull<EC_KEY>);

// SAFETY: an EC_KEY belongs to no thread; its memory, its reference count and its static group may be used and freed
// from any (ec_key.h, "EC key objects").
unsafe impl Send for EcKey {}
// SAFETY: ec_key.h allows concurrent use by functions that take a const EC_KEY. Every method that takes `&self` calls
// only such functions; the mutating ones run in constructors, before the value is shared.
unsafe impl Sync for EcKey {}

impl Drop for EcKey {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, this value owns its one reference, and it is released once.
        unsafe { aws_lc_sys::EC_KEY_free(self.0.as_ptr()) };
    }
}

/// An owned point; it lives within one call of a method below.
struct Point(NonNull<EC_POINT>);

impl Drop for Point {
    fn drop(&mut self) {
        // SAFETY: as for EcKey.
        unsafe { aws_lc_sys::EC_POINT_free(self.0.as_ptr()) };
    }
}

/// An owned pair (r, s).
struct Signature(NonNull<ECDSA_SIG>);

impl Drop for Signature {
    fn drop(&mut self) {
        // SAFETY: as for EcKey; the two integers go with it.
        unsafe { aws_lc_sys::ECDSA_SIG_free(self.0.as_ptr()) };
    }
}

/// AWS-LC's static description of a curve.
fn group(curve: Curve) -> *const EC_GROUP {
    // SAFETY: the functions take nothing and return pointers to constants that live as long as the process.
    unsafe {
        match curve {
            Curve::P224 => aws_lc_sys::EC_group_p224(),
            Curve::P256 => aws_lc_sys::EC_group_p256(),
            Curve::P384 => aws_lc_sys::EC_group_p384(),
            Curve::P521 => aws_lc_sys::EC_group_p521(),
            Curve::Secp256k1 => aws_lc_sys::EC_group_secp256k1(),
        }
    }
}

impl Point {
    fn new(group: *const EC_GROUP) -> Checked<Self> {
        // SAFETY: `group` came from `group()` or from a live key; null results are handled.
        Ok(Self(fresh(unsafe { aws_lc_sys::EC_POINT_new(group) })?))
    }

    /// A point from its encoding (SEC 1 section 2.3.4); AWS-LC refuses one that is not on the curve. The point at
    /// infinity and the hybrid form, which it would take, are refused here: X9.62 keys have neither.
    fn decode(group: *const EC_GROUP, encoded: &[u8]) -> Checked<Self> {
        if !matches!(encoded.first(), Some(2..=4)) {
            return Err(Refused);
        }
        let point = Self::new(group)?;
        // SAFETY: group and point are live and belong together; the slice is only read; a null context is allowed.
        checked(unsafe {
            aws_lc_sys::EC_POINT_oct2point(group, point.0.as_ptr(), encoded.as_ptr(), encoded.len(), ptr::null_mut())
        })?;
        Ok(point)
    }
}

impl EcKey {
    fn empty(curve: Curve) -> Checked<Self> {
        // SAFETY: takes nothing; null is handled.
        let key = Self(fresh(unsafe { aws_lc_sys::EC_KEY_new() })?);
        // SAFETY: the key is live and ours alone; a static group is not copied.
        checked(unsafe { aws_lc_sys::EC_KEY_set_group(key.0.as_ptr(), group(curve)) })?;
        Ok(key)
    }

    fn set_point(&mut self, point: &Point) -> Checked<()> {
        // SAFETY: both objects are live; the key copies the point and, by `&mut`, has no other user.
        checked(unsafe { aws_lc_sys::EC_KEY_set_public_key(self.0.as_ptr(), point.0.as_ptr()) })
    }

    fn group(&self) -> *const EC_GROUP {
        // SAFETY: the key is live and only read; the group lives as long as the process.
        unsafe { aws_lc_sys::EC_KEY_get0_group(self.0.as_ptr()) }
    }

    /// A new pair (FIPS 186-5 A.2.2: candidates are drawn until one is in range).
    pub(crate) fn generate(curve: Curve) -> Checked<Self> {
        let key = Self::empty(curve)?;
        // SAFETY: the key is live, has its group, and nobody else has it.
        drawing(|| unsafe { aws_lc_sys::EC_KEY_generate_key(key.0.as_ptr()) })?;
        Ok(key)
    }

    /// A private key from its scalar, with the point computed; AWS-LC refuses a scalar that is not in [1, n-1].
    pub(crate) fn from_scalar(curve: Curve, scalar: &[u8]) -> Checked<Self> {
        let mut key = Self::empty(curve)?;
        let number = BigNum::from_bytes(scalar)?;
        // SAFETY: both objects are live; the key is ours alone and copies the integer.
        checked(unsafe { aws_lc_sys::EC_KEY_set_private_key(key.0.as_ptr(), number.as_ptr()) })?;
        let point = Point::new(group(curve))?;
        // SAFETY: group, point and integer are live; null for the second point, its factor and the context is allowed.
        checked(unsafe {
            aws_lc_sys::EC_POINT_mul(
                group(curve),
                point.0.as_ptr(),
                number.as_ptr(),
                ptr::null(),
                ptr::null(),
                ptr::null_mut(),
            )
        })?;
        key.set_point(&point)?;
        Ok(key)
    }

    /// A public key from its encoded point.
    pub(crate) fn from_point(curve: Curve, encoded: &[u8]) -> Checked<Self> {
        let mut key = Self::empty(curve)?;
        key.set_point(&Point::decode(group(curve), encoded)?)?;
        Ok(key)
    }

    /// Writes the scalar, filled up with zeros on the left.
    pub(crate) fn write_scalar(&self, out: &mut [u8]) -> Checked<()> {
        // SAFETY: the key is live and only read; its integer lives as long as it, and nothing changes it (see Sync).
        unsafe { write_padded(aws_lc_sys::EC_KEY_get0_private_key(self.0.as_ptr()), out) }
    }

    /// Writes the point as 04 || X || Y; returns its length.
    pub(crate) fn write_point(&self, out: &mut [u8]) -> Checked<usize> {
        // SAFETY: the key is live and only read.
        let point = unsafe { aws_lc_sys::EC_KEY_get0_public_key(self.0.as_ptr()) };
        if point.is_null() {
            return Err(Refused);
        }
        // SAFETY: group and point belong to the live key; AWS-LC writes at most `out.len()` bytes into our slice.
        let length = unsafe {
            aws_lc_sys::EC_POINT_point2oct(
                self.group(),
                point,
                aws_lc_sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED,
                out.as_mut_ptr(),
                out.len(),
                ptr::null_mut(),
            )
        };
        if length == 0 { Err(refused()) } else { Ok(length) }
    }

    /// Signs a digest; `r` and `s` are written as integers of their slices' lengths.
    pub(crate) fn sign(&self, digest: &[u8], r: &mut [u8], s: &mut [u8]) -> Checked<()> {
        let signature = random_gate(|| {
            // SAFETY: the slice and the key are live and only read; the result is ours to free.
            fresh(unsafe { aws_lc_sys::ECDSA_do_sign(digest.as_ptr(), digest.len(), self.0.as_ptr()) })
        });
        let signature = Signature(signature?);
        // SAFETY: the signature is live, and so are its integers; nobody else has them.
        unsafe {
            let pair = signature.0.as_ref();
            write_padded(pair.r, r)?;
            write_padded(pair.s, s)
        }
    }

    /// Verifies the signature (`r`, `s`) over a digest.
    pub(crate) fn verify(&self, digest: &[u8], r: &[u8], s: &[u8]) -> Checked<()> {
        // SAFETY: takes nothing; null is handled.
        let signature = Signature(fresh(unsafe { aws_lc_sys::ECDSA_SIG_new() })?);
        // SAFETY: a fresh signature holds two live integers, which only this call has; the slices are only read.
        // BN_bin2bn returns null or its last argument, so nothing new has to be freed.
        unsafe {
            let pair = signature.0.as_ref();
            fresh(aws_lc_sys::BN_bin2bn(r.as_ptr(), r.len(), pair.r))?;
            fresh(aws_lc_sys::BN_bin2bn(s.as_ptr(), s.len(), pair.s))?;
        }
        // SAFETY: digest, signature and key are live and only read.
        checked(unsafe {
            aws_lc_sys::ECDSA_do_verify(digest.as_ptr(), digest.len(), signature.0.as_ptr(), self.0.as_ptr())
        })
    }

    /// Writes the x coordinate of the shared point; refuses a peer's point that is not on the curve.
    pub(crate) fn agree(&self, peer: &[u8], out: &mut [u8]) -> Checked<()> {
        let peer = Point::decode(self.group(), peer)?;
        // SAFETY: point and key are live, of one group, and only read; at most `out.len()` bytes are written to `out`;
        // without a derivation function the x coordinate itself is copied.
        let length = unsafe {
            aws_lc_sys::ECDH_compute_key(out.as_mut_ptr().cast(), out.len(), peer.0.as_ptr(), self.0.as_ptr(), None)
        };
        if usize::try_from(length) == Ok(out.len()) { Ok(()) } else { Err(refused()) }
    }

    /// Checks the point, and that it is the scalar's (SP 800-56A r3 section 5.6.2.1.4 b).
    pub(crate) fn check(&self) -> Checked<()> {
        // SAFETY: the key is live and only read.
        checked(unsafe { aws_lc_sys::EC_KEY_check_key(self.0.as_ptr()) })
    }
}
