//! A76 to A84: a derived key that nobody may read, got as the output of another use of its base key, or of a twin of it: the same
//! bytes under another handle (SP 800-108r1 derives by HMAC and AES-CMAC, which C_Sign serves too, and CMAC is AES in CBC).

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (76, Plain(|ground| signed(ground, CKM_SHA256_HMAC))),
    (77, Plain(|ground| signed(ground, CKM_AES_CMAC))),
    (78, Plain(encrypted)),
    (79, Plain(base_that_comes_back)),
    (80, Plain(twin_that_derives)),
    (81, Plain(derived_twice)),
    (82, Plain(signs_by_a_change)),
    (83, Plain(signs_by_a_copy)),
    (84, Plain(agreed_twice)),
];

/// With the counter of four bytes before it, one block of AES.
const LABEL: &[u8; 12] = b"what derives";

/// What the pseudorandom function is fed with for the first block (SP 800-108r1 section 4.1).
fn input() -> Vec<u8> {
    [&[0, 0, 0, 1], &LABEL[..]].concat()
}

fn derived_by(ground: &Ground, prf: CK_MECHANISM_TYPE, base: CK_OBJECT_HANDLE, template: &Template) -> Made {
    ground.derive(CounterKdf::new(prf, LABEL).mechanism(), base, template)
}

type Made = Result<CK_OBJECT_HANDLE, Outcome>;

/// The key that the attack is after: derived, sensitive and not extractable.
fn secret(ground: &Ground, prf: CK_MECHANISM_TYPE, base: CK_OBJECT_HANDLE) -> Made {
    let length = if prf == CKM_AES_CMAC { 16 } else { 32 };
    derived_by(ground, prf, base, &aes_key().number(CKA_VALUE_LEN, length).off(&[CKA_EXTRACTABLE]).on(&[CKA_ENCRYPT]))
}

fn generic(ground: &Ground, template: &Template) -> Made {
    let mechanism = CKM_GENERIC_SECRET_KEY_GEN;
    let template = Template::new().number(CKA_VALUE_LEN, 32).and(template);
    by("C_GenerateKey", mechanism, ground.session.generate(mechanism, &template))
}

/// Whether a signature by `key` is the secret.
fn told_by(ground: &Ground, key: CK_OBJECT_HANDLE, prf: CK_MECHANISM_TYPE, secret: CK_OBJECT_HANDLE) -> Found {
    ground.judge(&ground.sign(Mechanism::new(prf), key, &input())?, secret)
}

fn signed(ground: &Ground, prf: CK_MECHANISM_TYPE) -> Found {
    let template = Template::new().on(&[CKA_SIGN, CKA_DERIVE, CKA_SENSITIVE]).off(&[CKA_EXTRACTABLE]);
    let base = if prf == CKM_AES_CMAC { ground.generate(&template)? } else { generic(ground, &template)? };
    told_by(ground, base, prf, secret(ground, prf, base)?)
}

/// CMAC of one block is the encryption of that block with a mask, and the mask follows from the encryption of zeros (SP 800-38B).
fn encrypted(ground: &Ground) -> Found {
    let template = Template::new().on(&[CKA_ENCRYPT, CKA_DERIVE, CKA_SENSITIVE]).off(&[CKA_EXTRACTABLE]);
    let base = ground.generate(&template)?;
    let secret = secret(ground, CKM_AES_CMAC, base)?;
    let encrypt = |block: &[u8]| ground.encrypt(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), base, block);
    let zeros = u128::from_be_bytes(encrypt(&[0; 16])?.try_into().unwrap());
    let mask = (zeros << 1) ^ ((zeros >> 127) * 0x87);
    let block: Vec<u8> = input().iter().zip(mask.to_be_bytes()).map(|(byte, mask)| byte ^ mask).collect();
    ground.judge(&encrypt(&block)?, secret)
}

fn base_that_comes_back(ground: &Ground) -> Found {
    let uses = Template::new().on(&[CKA_DERIVE]);
    // Secure mode refuses that such a key is extractable; the attack goes on with what it gets.
    let base = generic(ground, &uses.clone().on(&[CKA_EXTRACTABLE])).or_else(|_| generic(ground, &uses))?;
    let secret = secret(ground, CKM_SHA256_HMAC, base)?;
    let trusted = ground.prepared("trusted-256");
    let blob = ground.wrap_by(key_wrap(), trusted, base)?;
    let template = generic_key(32).without(CKA_VALUE_LEN).on(&[CKA_SIGN]);
    told_by(ground, ground.unwrap_by(key_wrap(), trusted, &blob, &template)?, CKM_SHA256_HMAC, secret)
}

fn twin_that_derives(ground: &Ground) -> Found {
    let signs = generic(ground, &Template::new().on(&[CKA_SIGN, CKA_EXTRACTABLE]))?;
    let trusted = ground.prepared("trusted-256");
    let blob = ground.wrap_by(key_wrap(), trusted, signs)?;
    let template = generic_key(32).without(CKA_VALUE_LEN).on(&[CKA_DERIVE]);
    let derives = ground.unwrap_by(key_wrap(), trusted, &blob, &template)?;
    told_by(ground, signs, CKM_SHA256_HMAC, secret(ground, CKM_SHA256_HMAC, derives)?)
}

fn derived_twice(ground: &Ground) -> Found {
    let base = generic(ground, &Template::new().on(&[CKA_DERIVE]))?;
    let child = |id| derived_by(ground, CKM_SHA256_HMAC, base, &generic_key(32).on(&[id]));
    told_by(ground, child(CKA_SIGN)?, CKM_SHA256_HMAC, secret(ground, CKM_SHA256_HMAC, child(CKA_DERIVE)?)?)
}

fn only_derives(ground: &Ground) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Outcome> {
    let base = generic(ground, &Template::new().on(&[CKA_DERIVE]).off(&[CKA_SIGN]))?;
    Ok((base, secret(ground, CKM_SHA256_HMAC, base)?))
}

fn signs_by_a_change(ground: &Ground) -> Found {
    let (base, secret) = only_derives(ground)?;
    ground.set(base, &Template::new().on(&[CKA_SIGN]))?;
    told_by(ground, base, CKM_SHA256_HMAC, secret)
}

fn signs_by_a_copy(ground: &Ground) -> Found {
    let (base, secret) = only_derives(ground)?;
    told_by(ground, ground.copy(base, &Template::new().on(&[CKA_SIGN]))?, CKM_SHA256_HMAC, secret)
}

fn agreed_twice(ground: &Ground) -> Found {
    let mut point = hex(ec_p256::POINT);
    let mut child = |id| super::derivation::agree(ground, &mut point, &generic_key(32).on(&[id]));
    let signs = child(CKA_SIGN)?;
    told_by(ground, signs, CKM_SHA256_HMAC, secret(ground, CKM_SHA256_HMAC, child(CKA_DERIVE)?)?)
}
