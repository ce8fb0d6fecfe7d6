//! The safe face of AWS-LC's C functions: the only place under `crypto` that may be unsafe.
//!
//! `aws-lc-rs` stops short of what PKCS#11 asks for (raw RSA, ECDSA over a digest, P-224, secp256k1, OAEP with two
//! hashes), so those bindings of `aws-lc-sys` are wrapped here: one owning type a C object, one method a C function,
//! lengths and pointers taken from Rust slices. The wrappers judge nothing; a refusal of AWS-LC comes out as
//! [`Refused`], and the modules above say which return value of PKCS#11 it is.
//!
//! AWS-LC draws random numbers inside signing, blinding and padding, under a lock that a forked child would find held.
//! Each wrapper of a function that may draw enters [`random_gate`] itself, so
//! no caller can forget it. RSA key generation alone does not: it lasts seconds, and a fork would wait for it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::NonNull;

use platform::fork::random_gate;

pub(super) mod aead;
pub(super) mod aes;
pub(crate) mod bignum;
pub(super) mod cipher;
pub(super) mod des;
pub(crate) mod ec;
pub(crate) mod ed25519;
mod envelope;
mod key_wrap;
pub(super) mod memory;
pub(crate) mod ml_dsa;
pub(super) mod random;
pub(crate) mod rsa;
pub(crate) mod rsa_padding;

/// AWS-LC would not do it. The reason is not kept: the caller knows what the operation can fail of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a wrapper returns.
pub(crate) type Checked<T> = Result<T, Refused>;

/// AWS-LC's 1 for success as a `Result`; a failure leaves the thread's error queue empty.
fn checked(returned: c_int) -> Checked<()> {
    if returned == 1 { Ok(()) } else { Err(refused()) }
}

/// The same for a call that may draw random numbers: no fork happens meanwhile.
fn drawing(call: impl FnOnce() -> c_int) -> Checked<()> {
    checked(random_gate(call))
}

/// A fresh C object, or the failure to make one.
fn fresh<T>(pointer: *mut T) -> Checked<NonNull<T>> {
    NonNull::new(pointer).ok_or_else(refused)
}

/// Empties the thread's error queue, so that a failure here is never read as one of a later call.
#[cold]
fn refused() -> Refused {
    // SAFETY: the function takes nothing and touches the calling thread's own queue only.
    unsafe { aws_lc_sys::ERR_clear_error() };
    Refused
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::bignum::{BigNum, Context};
    use super::ec::EcKey;
    use super::ed25519::{Pair, verify_digest, verify_in_context};
    use super::ml_dsa::MlDsa;
    use super::rsa::Rsa;
    use super::rsa_padding::pad_oaep;
    use crate::digest::Hash;
    use crate::ec::Curve;
    use crate::ml_dsa::ParameterSet;

    fn queue_is_empty() -> bool {
        // SAFETY: the function takes nothing and reads the calling thread's own queue only.
        unsafe { aws_lc_sys::ERR_peek_error() == 0 }
    }

    /// An error left behind would be taken for the reason of a later failure, and keeps memory.
    #[test]
    fn nothing_stays_in_the_error_queue() {
        let key = Rsa::generate(1024, &BigNum::from_u64(65537).unwrap()).unwrap();
        let (mut out, small) = ([0; 128], &mut [0; 8]);
        assert!(key.sign_pkcs1(&[0; 120], &mut out).is_err() && queue_is_empty());
        assert!(key.sign_pkcs1(&[0; 10], small).is_err() && queue_is_empty());
        assert!(key.sign_pss(Hash::Sha256, Hash::Sha256, 100, &[0; 32], &mut out).is_err() && queue_is_empty());
        assert!(key.verify_pss(Hash::Sha256, Hash::Sha256, 1, &[0; 32], &[1; 128]).is_err() && queue_is_empty());
        assert!(key.private_raw(&[0xff; 128], &mut out).is_err() && queue_is_empty());
        assert!(key.public_raw(&[0; 5], &mut out).is_err() && queue_is_empty());
        assert!(key.encrypt_pkcs1(&[0; 128], &mut out).is_err() && queue_is_empty());
        assert!(key.decrypt_oaep(Hash::Sha1, Hash::Sha256, b"label", &[1; 128], &mut out).is_err() && queue_is_empty());
        assert!(pad_oaep(Hash::Sha512, Hash::Sha1, b"", b"", &mut out).is_err() && queue_is_empty());
        assert!(
            Rsa::public(&BigNum::from_u64(16).unwrap(), &BigNum::from_u64(3).unwrap()).is_err() && queue_is_empty()
        );
        assert!(Rsa::generate(100, &BigNum::from_u64(3).unwrap()).is_err() && queue_is_empty());
        let (zero, context) = (BigNum::new().unwrap(), Context::new().unwrap());
        assert!(key.integers().is_ok() && zero.divided_by(&zero, &context).is_err() && queue_is_empty());
        assert!(zero.minus_one().is_err() && zero.to_the(&zero, &zero, &context).is_err() && queue_is_empty());
        let ((pair, public), signature) = (Pair::from_seed(&[7; 32]), &mut [0; 64]);
        assert!(pair.sign_in_context(b"", b"message", signature).is_err() && queue_is_empty());
        assert!(pair.sign_digest(&[0; 256], &[0; 64], signature).is_err() && queue_is_empty());
        assert!(verify_in_context(&public, b"", b"message", signature).is_err() && queue_is_empty());
        assert!(verify_digest(&public, &[0; 256], &[0; 64], signature).is_err() && queue_is_empty());
        for set in ParameterSet::ALL {
            assert!(MlDsa::private(set, &[0; 40]).is_err() && queue_is_empty());
            assert!(MlDsa::private(set, &vec![0xff; set.private_length()]).is_err() && queue_is_empty());
            assert!(MlDsa::public(set, &[0; 40]).is_err() && queue_is_empty());
            let key = MlDsa::private(set, &[7; 32]).unwrap();
            assert!(key.write_private(small).is_err() && key.write_public(small).is_err() && queue_is_empty());
            assert!(key.sign(b"", b"message", small).is_err() && key.sign_mu(&[0; 64], small).is_err());
            assert!(queue_is_empty() && key.sign(&[0; 256], b"message", &mut [0; 5000]).is_err() && queue_is_empty());
            assert!(key.sign_mu(&[0; 63], &mut [0; 5000]).is_err() && queue_is_empty());
            let signature = vec![0; set.signature_length()];
            assert!(key.verify(b"", b"message", &signature).is_err() && queue_is_empty());
            assert!(key.verify(&[0; 256], b"message", &signature).is_err() && queue_is_empty());
            assert!(key.verify_mu(&[0; 64], &signature).is_err() && queue_is_empty());
            assert!(key.verify_mu(&[0; 63], &signature).is_err() && queue_is_empty());
        }
        for curve in Curve::ALL {
            let length = curve.order_bytes();
            let key = EcKey::generate(curve).unwrap();
            assert!(EcKey::from_scalar(curve, &[0]).is_err() && queue_is_empty());
            assert!(EcKey::from_point(curve, &[4; 65]).is_err() && queue_is_empty());
            assert!(EcKey::from_point(curve, &[0]).is_err() && queue_is_empty());
            assert!(key.agree(&[4; 33], &mut out).is_err() && queue_is_empty());
            assert!(key.verify(b"digest", &[1], &[1]).is_err() && queue_is_empty());
            assert!(key.write_point(small).is_err() && key.write_scalar(small).is_err() && queue_is_empty());
            let (mut r, mut s) = (vec![0; length], vec![0; length]);
            assert!(key.sign(b"digest", &mut r, &mut s).is_ok() && key.verify(b"digest", &r, &s).is_ok());
            assert!(key.check().is_ok() && queue_is_empty());
        }
    }
}
