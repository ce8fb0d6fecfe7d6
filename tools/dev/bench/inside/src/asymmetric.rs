//! RSA and elliptic curves, bare.
//!
//! The safe interface of AWS-LC signs data, not digests: rows that sign a digest under PKCS #11 include one SHA-2 of 32 bytes
//! here (a tenth of a microsecond).

use std::error::Error;
use std::hint::black_box;

use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair as RsaKeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm,
    OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};

use crate::{Operation, Row};

const DATA: [u8; 32] = [7; 32];

pub(crate) const ROWS: &[Row] = &[
    ("sign/rsa2048-pkcs", || rsa_sign(KeySize::Rsa2048, &RSA_PKCS1_SHA256)),
    ("sign/rsa2048-sha256", || rsa_sign(KeySize::Rsa2048, &RSA_PKCS1_SHA256)),
    ("sign/rsa2048-pss", || rsa_sign(KeySize::Rsa2048, &RSA_PSS_SHA256)),
    ("sign/rsa3072-pkcs", || rsa_sign(KeySize::Rsa3072, &RSA_PKCS1_SHA256)),
    ("sign/rsa3072-sha256", || rsa_sign(KeySize::Rsa3072, &RSA_PKCS1_SHA256)),
    ("sign/rsa4096-pkcs", || rsa_sign(KeySize::Rsa4096, &RSA_PKCS1_SHA256)),
    ("sign/rsa4096-sha256", || rsa_sign(KeySize::Rsa4096, &RSA_PKCS1_SHA256)),
    ("verify/rsa2048-sha256", || rsa_verify(KeySize::Rsa2048)),
    ("verify/rsa3072-sha256", || rsa_verify(KeySize::Rsa3072)),
    ("verify/rsa4096-sha256", || rsa_verify(KeySize::Rsa4096)),
    ("decrypt/rsa2048-oaep-sha256", || oaep_decrypt(&OAEP_SHA256_MGF1SHA256)),
    ("decrypt/rsa2048-oaep-sha1", || oaep_decrypt(&OAEP_SHA1_MGF1SHA1)),
    ("sign/ecdsa-p256", || ecdsa_sign(&ECDSA_P256_SHA256_FIXED_SIGNING)),
    ("verify/ecdsa-p256", || ecdsa_verify(&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED)),
    ("sign/ecdsa-p384", || ecdsa_sign(&ECDSA_P384_SHA384_FIXED_SIGNING)),
    ("verify/ecdsa-p384", || ecdsa_verify(&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED)),
    ("derive/ecdh-p256", ecdh),
    ("sign/ed25519", || {
        let key = Ed25519KeyPair::generate()?;
        Ok(Box::new(move || {
            black_box(key.sign(black_box(&DATA)));
            Ok(())
        }))
    }),
    ("token-key/ecdsa-p256-sign", || ecdsa_sign(&ECDSA_P256_SHA256_FIXED_SIGNING)),
    ("keygen/ec-p256-session", || {
        Ok(Box::new(|| {
            black_box(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?);
            Ok(())
        }))
    }),
    ("keygen/rsa2048-session", || {
        Ok(Box::new(|| {
            black_box(RsaKeyPair::generate(KeySize::Rsa2048)?);
            Ok(())
        }))
    }),
];

fn rsa_sign(size: KeySize, encoding: &'static dyn RsaEncoding) -> Result<Operation, Box<dyn Error>> {
    let key = RsaKeyPair::generate(size)?;
    let mut signature = vec![0; key.public_modulus_len()];
    Ok(Box::new(move || Ok(key.sign(encoding, &SystemRandom::new(), black_box(&DATA), &mut signature)?)))
}

fn rsa_verify(size: KeySize) -> Result<Operation, Box<dyn Error>> {
    let key = RsaKeyPair::generate(size)?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &DATA, &mut signature)?;
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())?;
    Ok(Box::new(move || Ok(public.verify_sig(black_box(&DATA), &signature)?)))
}

fn oaep_decrypt(algorithm: &'static OaepAlgorithm) -> Result<Operation, Box<dyn Error>> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048)?;
    let public = OaepPublicEncryptingKey::new(key.public_key())?;
    let (mut sealed, mut out) = ([0; 256], [0; 256]);
    public.encrypt(algorithm, &DATA, &mut sealed, None)?;
    let key = OaepPrivateDecryptingKey::new(key)?;
    Ok(Box::new(move || {
        black_box(key.decrypt(algorithm, black_box(&sealed), &mut out, None)?);
        Ok(())
    }))
}

fn ecdsa_sign(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Operation, Box<dyn Error>> {
    let key = EcdsaKeyPair::generate(algorithm)?;
    Ok(Box::new(move || {
        black_box(key.sign(&SystemRandom::new(), black_box(&DATA))?);
        Ok(())
    }))
}

fn ecdsa_verify(
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static EcdsaVerificationAlgorithm,
) -> Result<Operation, Box<dyn Error>> {
    let key = EcdsaKeyPair::generate(signing)?;
    let signature = key.sign(&SystemRandom::new(), &DATA)?;
    let public = ParsedPublicKey::new(verifying, key.public_key().as_ref())?;
    Ok(Box::new(move || Ok(public.verify_sig(black_box(&DATA), signature.as_ref())?)))
}

/// With the peer's point decoded each time, as C_DeriveKey gets it.
fn ecdh() -> Result<Operation, Box<dyn Error>> {
    let key = agreement::PrivateKey::generate(&ECDH_P256)?;
    let peer = key.compute_public_key()?;
    Ok(Box::new(move || {
        let peer = UnparsedPublicKey::new(&ECDH_P256, black_box(peer.as_ref()));
        agreement::agree(&key, peer, "agreement failed", |secret| {
            black_box(secret);
            Ok(())
        })?;
        Ok(())
    }))
}
