//! A01 to A12: one key that wraps and decrypts, or comes to do so (Clulow 2003; Delaune, Kremer and Steel 2008; Bortolozzo et
//! al. 2010), and keys wrapped under weaker ones.

use super::ground::*;
use super::{Attack, Of, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (1, Of(one_key_for_both)),
    (2, Of(decrypt_by_a_change)),
    (3, Of(decrypt_by_a_copy)),
    (4, Of(wrapped_under_itself)),
    (5, Of(back_without_protection)),
    (6, Of(under_a_known_key)),
    (7, Of(under_a_known_public_key)),
    (8, Of(known_key_by_encryption)),
    (9, Of(known_key_by_a_public_key)),
    (10, Of(one_pair_for_both)),
    (11, Plain(under_a_shorter_key)),
    (12, Plain(under_a_weak_modulus)),
];

fn one_key_for_both(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.generate(&Template::new().on(&[CKA_WRAP, CKA_DECRYPT]))?;
    let bytes = ground.open(key, &ground.wrap(key, victim)?)?;
    ground.judge(&bytes, victim)
}

fn decrypt_by_a_change(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]).off(&[CKA_DECRYPT]))?;
    let blob = ground.wrap(key, victim);
    ground.set(key, &Template::new().on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(key, &blob?)?, victim)
}

fn decrypt_by_a_copy(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]).off(&[CKA_DECRYPT]))?;
    let blob = ground.wrap(key, victim);
    let copy = ground.copy(key, &Template::new().on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(copy, &blob?)?, victim)
}

fn wrapped_under_itself(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let uses = [CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE];
    // Secure mode refuses that such a key is extractable; the attack goes on with what it gets.
    let key =
        ground.generate(&Template::new().on(&uses)).or_else(|_| ground.generate(&Template::new().on(&uses[..2])))?;
    let blob = ground.wrap(key, victim)?;
    let own = ground.wrap(key, key)?;
    let second = ground.unwrap(key, &own, &aes_key().on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(second, &blob)?, victim)
}

fn back_without_protection(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.generate(&Template::new().on(&[CKA_WRAP, CKA_UNWRAP]))?;
    let blob = ground.wrap(key, victim)?;
    let open = ground.unwrap(key, &blob, &aes_key().off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]))?;
    ground.judge(&ground.read(open, CKA_VALUE)?, victim)
}

/// Opens what was wrapped under [`KNOWN`], as its maker can anywhere.
fn open_by_known(ground: &Ground, blob: &[u8], victim: CK_OBJECT_HANDLE) -> Found {
    let own = ground.session.create(&plain_aes_value(&KNOWN).on(&[CKA_DECRYPT])).unwrap();
    ground.judge(&ground.open(own, blob)?, victim)
}

fn under_a_known_key(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.create(&plain_aes_value(&KNOWN).on(&[CKA_WRAP]))?;
    open_by_known(ground, &ground.wrap(key, victim)?, victim)
}

fn under_a_known_public_key(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let public = ground.create(&rsa_public_value().on(&[CKA_WRAP]))?;
    let blob = ground.wrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), public, victim)?;
    let own = ground.session.create(&rsa_private_value().on(&[CKA_DECRYPT])).unwrap();
    ground.judge(&ground.decrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), own, &blob)?, victim)
}

/// RFC 5649 by an oracle that encrypts one block.
fn key_wrap_by(encrypt: impl Fn(&[u8]) -> Result<Vec<u8>, Outcome>, key: &[u8; 32]) -> Result<Vec<u8>, Outcome> {
    let mut front = vec![0xA6, 0x59, 0x59, 0xA6, 0, 0, 0, 32];
    let mut parts: Vec<Vec<u8>> = key.chunks(8).map(<[u8]>::to_vec).collect();
    let mut step = 0_u64;
    for _ in 0..6 {
        for part in &mut parts {
            step += 1;
            let block = encrypt(&[front.as_slice(), part].concat())?;
            front = block[..8].to_vec();
            front.iter_mut().zip(step.to_be_bytes()).for_each(|(byte, mask)| *byte ^= mask);
            *part = block[8..].to_vec();
        }
    }
    Ok([vec![front], parts].concat().concat())
}

fn known_key_by_encryption(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let key = ground.generate(&Template::new().on(&[CKA_ENCRYPT, CKA_UNWRAP]))?;
    let blob = key_wrap_by(|block| ground.encrypt(Mechanism::new(CKM_AES_ECB), key, block), &KNOWN)?;
    let known = ground.unwrap_by(key_wrap(), key, &blob, &aes_key().on(&[CKA_WRAP]))?;
    open_by_known(ground, &ground.wrap(known, victim)?, victim)
}

fn known_key_by_a_public_key(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let (public, private) = ground.pair(2048, &[CKA_WRAP], &[CKA_UNWRAP])?;
    // Whoever has the public key encrypts with it, here or elsewhere.
    let encrypts = rsa_public_value()
        .without(CKA_MODULUS)
        .bytes(CKA_MODULUS, &ground.read(public, CKA_MODULUS)?)
        .on(&[CKA_ENCRYPT]);
    let encrypts = ground.create(&encrypts)?;
    let blob = ground.encrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), encrypts, &KNOWN)?;
    let template = aes_key().on(&[CKA_WRAP]);
    let known = ground.unwrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), private, &blob, &template)?;
    open_by_known(ground, &ground.wrap(known, victim)?, victim)
}

fn one_pair_for_both(ground: &Ground, victim: Victim) -> Found {
    let victim = ground.victim(victim);
    let (public, private) = ground.pair(2048, &[CKA_WRAP], &[CKA_DECRYPT])?;
    let blob = ground.wrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), public, victim)?;
    ground.judge(&ground.decrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), private, &blob)?, victim)
}

fn under_a_shorter_key(ground: &Ground) -> Found {
    ground.wrap(ground.prepared("trusted-128"), ground.victim(Victim::Extractable))?;
    Ok(Outcome::Gained)
}

fn under_a_weak_modulus(ground: &Ground) -> Found {
    let (public, _) = ground.pair(1024, &[CKA_WRAP], &[CKA_UNWRAP])?;
    ground.wrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), public, ground.victim(Victim::Extractable))?;
    Ok(Outcome::Gained)
}
