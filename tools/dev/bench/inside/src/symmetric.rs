//! Digests, HMAC, AES and random numbers, bare.

use std::error::Error;
use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::{Operation, Row};

const KEY: [u8; 32] = [0x5a; 32];
const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

pub(crate) const ROWS: &[Row] = &[
    ("random/32", || {
        let mut out = [0; 32];
        Ok(Box::new(move || Ok(rand::fill(black_box(&mut out))?)))
    }),
    ("encrypt/aes256-gcm-64", || gcm(64)),
    ("encrypt/aes256-gcm-1k", || gcm(KIB)),
    ("encrypt/aes256-gcm-16k", || gcm(16 * KIB)),
    ("encrypt/aes256-gcm-1m", || gcm(MIB)),
    ("encrypt/aes256-cbc-1k", || cbc_encrypt(KIB)),
    ("encrypt/aes256-cbc-1m", || cbc_encrypt(MIB)),
    ("decrypt/aes256-cbc-1m", || cbc_decrypt(MIB)),
    ("encrypt/aes256-ctr-1m", || ctr(MIB)),
    ("digest/sha256-64", || sha256(64)),
    ("digest/sha256-1k", || sha256(KIB)),
    ("digest/sha256-1m", || sha256(MIB)),
    ("hmac/sha256-64", || hmac_sha256(64)),
    ("hmac/sha256-1k", || hmac_sha256(KIB)),
    ("wrap/aes-kw-aes256", || {
        // The safe interface uses a key up: its schedule is part of the row, as it need not be of a token's.
        let mut out = [0; 40];
        Ok(Box::new(move || {
            black_box(AesKek::new(&AES_256, &KEY)?.wrap(black_box(&KEY), &mut out)?);
            Ok(())
        }))
    }),
    ("token-key/aes256-gcm-1k", || gcm(KIB)),
    ("token-key/aes256-cbc-1k", || cbc_encrypt(KIB)),
    ("keygen/aes256-session", || {
        let mut out = [0; 32];
        Ok(Box::new(move || Ok(rand::fill(black_box(&mut out))?)))
    }),
];

fn gcm(length: usize) -> Result<Operation, Box<dyn Error>> {
    let (key, mut data) = (LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY)?), vec![1; length]);
    Ok(Box::new(move || {
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), black_box(&mut data))?;
        black_box(tag.as_ref());
        Ok(())
    }))
}

fn aes() -> Result<UnboundCipherKey, Box<dyn Error>> {
    Ok(UnboundCipherKey::new(&cipher::AES_256, &KEY)?)
}

fn cbc_encrypt(length: usize) -> Result<Operation, Box<dyn Error>> {
    let (key, mut data) = (EncryptingKey::cbc(aes()?)?, vec![1; length]);
    Ok(Box::new(move || {
        key.less_safe_encrypt(black_box(&mut data), EncryptionContext::Iv128(FixedLength::from([0; 16])))?;
        Ok(())
    }))
}

/// In place, so from the second time on it is not what was encrypted; it takes no less time.
fn cbc_decrypt(length: usize) -> Result<Operation, Box<dyn Error>> {
    let (key, mut data) = (DecryptingKey::cbc(aes()?)?, vec![1; length]);
    Ok(Box::new(move || {
        key.decrypt(black_box(&mut data), DecryptionContext::Iv128(FixedLength::from([0; 16])))?;
        Ok(())
    }))
}

fn ctr(length: usize) -> Result<Operation, Box<dyn Error>> {
    let (key, mut data) = (EncryptingKey::ctr(aes()?)?, vec![1; length]);
    Ok(Box::new(move || {
        key.less_safe_encrypt(black_box(&mut data), EncryptionContext::Iv128(FixedLength::from([0; 16])))?;
        Ok(())
    }))
}

fn sha256(length: usize) -> Result<Operation, Box<dyn Error>> {
    let data = vec![1; length];
    Ok(Box::new(move || {
        black_box(Sha256::digest(black_box(&data)));
        Ok(())
    }))
}

fn hmac_sha256(length: usize) -> Result<Operation, Box<dyn Error>> {
    let (key, data) = (Hmac::<Sha256>::new_from_slice(&KEY)?, vec![1; length]);
    Ok(Box::new(move || {
        let mut mac = key.clone();
        mac.update(black_box(&data));
        black_box(mac.finalize());
        Ok(())
    }))
}
