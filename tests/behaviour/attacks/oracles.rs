//! A33 to A35, A45 to A49, A52, A59, A70, A71, A74 and A75: answers that tell of a key or of a plaintext, and parameters that
//! make an answer tell (Vaudenay 2002; Manger 2001; Bardou et al. 2012).

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (33, Plain(conjured_key)),
    (34, Plain(padding_of_a_wrapped_key)),
    (35, Plain(padding_of_a_message)),
    (45, Plain(one_iv_twice)),
    (46, Plain(short_tag)),
    (47, Plain(digest_of_a_key)),
    (48, Plain(key_of_one_byte)),
    (49, Plain(endless_buffer)),
    (52, Plain(padding_of_blocks)),
    (59, Plain(check_value_of_one_byte)),
    (70, Plain(one_error_of_oaep)),
    (71, Plain(signature_that_decrypts)),
    (74, Plain(length_of_what_may_not_leave)),
    (75, Plain(search_by_value)),
];

fn conjured_key(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_UNWRAP]))?;
    ground.unwrap_by(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0x3C; 32], &aes_key())?;
    Ok(Outcome::Gained)
}

/// Encrypts with a public key as anybody can, in whatever program.
fn encrypt_with(ground: &Ground, public: CK_OBJECT_HANDLE, mechanism: Mechanism<'_>, data: &[u8]) -> Vec<u8> {
    let modulus = ground.session.read(public, CKA_MODULUS).unwrap();
    let own = rsa_public_value().without(CKA_MODULUS).bytes(CKA_MODULUS, &modulus).on(&[CKA_ENCRYPT]);
    let own = ground.session.create(&own).unwrap();
    ground.encrypt(mechanism, own, data).unwrap()
}

/// A ciphertext that is smaller than any modulus of 2048 bits and has no padding that anybody made.
fn noise(seed: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255_u8).map(|at| at.wrapping_mul(seed).wrapping_add(seed)).collect();
    bytes[0] = 0;
    bytes
}

fn padding_of_a_wrapped_key(ground: &Ground) -> Found {
    let (public, private) = ground.pair(2048, &[CKA_WRAP], &[CKA_UNWRAP])?;
    let pkcs = || Mechanism::new(CKM_RSA_PKCS);
    ground.unwrap_by(pkcs(), private, &noise(3), &aes_key())?;
    let wrapped = [
        encrypt_with(ground, public, pkcs(), &KNOWN),
        encrypt_with(ground, public, pkcs(), &KNOWN[..5]),
        noise(5),
        noise(7),
    ];
    let outcomes: Vec<_> =
        wrapped.iter().map(|wrapped| ground.unwrap_by(pkcs(), private, wrapped, &aes_key()).map(drop)).collect();
    Ok(if outcomes.iter().all(|outcome| *outcome == outcomes[0]) { Outcome::Nothing } else { Outcome::Gained })
}

fn padding_of_a_message(ground: &Ground) -> Found {
    let (_, private) = ground.pair(2048, &[CKA_ENCRYPT], &[CKA_DECRYPT])?;
    for seed in 1..=50 {
        let read = || ground.decrypt(Mechanism::new(CKM_RSA_PKCS), private, &noise(2 * seed + 1));
        if read()? != read()? {
            return Ok(Outcome::Gained);
        }
    }
    Ok(Outcome::Nothing)
}

fn one_iv_twice(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_ENCRYPT]))?;
    for _ in 0..2 {
        let mut iv = [9; 12];
        ground.encrypt(Mechanism::with(CKM_AES_GCM, &mut gcm(&mut iv, &mut [], 128)), key, b"message")?;
    }
    Ok(Outcome::Gained)
}

fn short_tag(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_DECRYPT]))?;
    let mut iv = [9; 12];
    // Nothing has this tag, which one guess in 256 hits: that such a parameter is taken is the attack.
    let mut parameter = gcm(&mut iv, &mut [], 8);
    let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
    by("C_Decrypt", CKM_AES_GCM, ground.session.begin(Way::Decrypt, &mut mechanism, key))?;
    Ok(Outcome::Gained)
}

fn digest_of_a_key(ground: &Ground) -> Found {
    ground.session.digest_init(CKM_SHA256).unwrap();
    let fed = at("C_DigestKey", answer(call!(C_DigestKey(ground.session.0, ground.victim(Victim::Extractable)))));
    ground.session.digest_into(b"", 64).unwrap();
    fed?;
    Ok(Outcome::Gained)
}

fn one_byte(ground: &Ground) -> Result<CK_OBJECT_HANDLE, Outcome> {
    let template = Template::new().number(CKA_VALUE_LEN, 1).on(&[CKA_SENSITIVE, CKA_SIGN]);
    let mechanism = CKM_GENERIC_SECRET_KEY_GEN;
    by("C_GenerateKey", mechanism, ground.session.generate(mechanism, &template))
}

fn key_of_one_byte(ground: &Ground) -> Found {
    let mac = || Mechanism::new(CKM_SHA256_HMAC);
    let signed = ground.sign(mac(), one_byte(ground)?, b"message")?;
    // 256 keys of the attacker's own tell which one it is.
    let guess = (0..=255_u8).find(|guess| {
        let own = ground.session.create(&generic_value(&[*guess])).unwrap();
        ground.sign(mac(), own, b"message").unwrap() == signed
    });
    Ok(if guess.is_some() { Outcome::Gained } else { Outcome::Nothing })
}

fn endless_buffer(ground: &Ground) -> Found {
    let key = ground.victim(Victim::Extractable);
    let mut room = [0xA5_u8; 64];
    let mut attribute = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: room.as_mut_ptr().cast(), ulValueLen: CK_ULONG::MAX };
    let rv = call!(C_GetAttributeValue(ground.session.0, key, &raw mut attribute, 1));
    assert_eq!(room["victim".len()..], [0xA5; 58], "nothing is written behind the value");
    at("C_GetAttributeValue", answer(rv))?;
    Ok(Outcome::Nothing)
}

fn padding_of_blocks(ground: &Ground) -> Found {
    let pad = || Mechanism::bytes(CKM_AES_CBC_PAD, &[7; 16]);
    let key = ground.generate(&Template::new().on(&[CKA_ENCRYPT, CKA_DECRYPT]))?;
    let whole = ground.encrypt(pad(), key, &[1; 24])?;
    let answers: Vec<_> = (0..=255_u8)
        .map(|mask| {
            let mut changed = whole.clone();
            changed[15] ^= mask;
            ground.decrypt(pad(), key, &changed)
        })
        .filter_map(Result::err)
        .collect();
    assert!(answers.iter().all(|one| *one == answers[0]), "one error for every wrong padding: {answers:?}");
    let unwraps = ground.generate(&Template::new().on(&[CKA_UNWRAP]))?;
    ground.unwrap_by(pad(), unwraps, &whole, &aes_key())?;
    Ok(Outcome::Gained)
}

fn check_value_of_one_byte(ground: &Ground) -> Found {
    let longer = ground.session.create(&generic_value(&[7; 32])).unwrap();
    let shown = ground.read(longer, CKA_CHECK_VALUE).is_ok();
    match ground.read(one_byte(ground)?, CKA_CHECK_VALUE) {
        Ok(_) => Ok(Outcome::Gained),
        Err(Outcome::Refused(call, rv)) if !shown => Err(Outcome::NotOffered(call, rv)),
        Err(refused) => Err(refused),
    }
}

fn one_error_of_oaep(ground: &Ground) -> Found {
    let (public, private) = ground.pair(2048, &[CKA_ENCRYPT], &[CKA_DECRYPT])?;
    let good = ground.encrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), public, b"message")?;
    let mut label = *b"label";
    let mut labelled = oaep();
    labelled.pSourceData = label.as_mut_ptr().cast();
    labelled.ulSourceDataLen = label.len() as CK_ULONG;
    let mut answers = vec![ground.decrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut labelled), private, &good)];
    answers
        .extend((1..20).map(|seed| {
            ground.decrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), private, &noise(2 * seed + 1))
        }));
    let one = answers.iter().all(|one| one.is_err() && *one == answers[0]);
    Ok(if one { Outcome::Nothing } else { Outcome::Gained })
}

fn signature_that_decrypts(ground: &Ground) -> Found {
    let (public, private) = ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN])?;
    let message = encrypt_with(ground, public, Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), b"message");
    let plain = ground.sign(Mechanism::new(CKM_RSA_X_509), private, &message)?;
    // The padding of OAEP, which begins with a zero byte, is undone by whoever has it.
    Ok(if plain[0] == 0 { Outcome::Gained } else { Outcome::Nothing })
}

fn length_of_what_may_not_leave(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]))?;
    let mut length = 0;
    let victim = ground.victim(Victim::Unextractable);
    let mut mechanism = key_wrap();
    let rv = call!(C_WrapKey(ground.session.0, mechanism.raw(), key, victim, std::ptr::null_mut(), &raw mut length));
    assert_eq!(length, 0, "no length beside a refusal");
    at("C_WrapKey", answer(rv))?;
    Ok(Outcome::Gained)
}

fn search_by_value(ground: &Ground) -> Found {
    ground.create(&plain_aes_value(&[0x77; 32]).on(&[CKA_SENSITIVE]))?;
    let found = at("C_FindObjectsInit", ground.session.find(&Template::new().bytes(CKA_VALUE, &[0x77; 32])))?;
    Ok(if found.is_empty() { Outcome::Nothing } else { Outcome::Gained })
}
