//! A13 to A25 and A36 to A44: attributes that protect a key, taken away or claimed (PKCS#11 3.2 sections 4.4 to 4.10).

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (13, Plain(|ground| changed(ground, Victim::Extractable, CKA_SENSITIVE, false))),
    (14, Plain(|ground| changed(ground, Victim::Unextractable, CKA_EXTRACTABLE, true))),
    (15, Plain(|ground| copied(ground, Victim::Extractable, CKA_SENSITIVE, false))),
    (16, Plain(|ground| copied(ground, Victim::Unextractable, CKA_EXTRACTABLE, true))),
    (17, Plain(|ground| copied(ground, Victim::Extractable, CKA_PRIVATE, false))),
    (18, Plain(|ground| read_in_clear(ground, ground.victim(Victim::Extractable), CKA_VALUE))),
    (19, Plain(read_unextractable)),
    (20, Plain(read_private_exponent)),
    (21, Plain(generated_as_trusted)),
    (22, Plain(created_as_trusted)),
    (23, Plain(wrapped_by_an_untrusted_key)),
    (24, Plain(|ground| changed(ground, Victim::TrustedOnly, CKA_WRAP_WITH_TRUSTED, false))),
    (25, Plain(|ground| copied(ground, Victim::TrustedOnly, CKA_WRAP_WITH_TRUSTED, false))),
    (36, Plain(against_the_unwrap_template)),
    (37, Plain(without_the_unwrap_template)),
    (38, Plain(against_the_wrap_template)),
    (39, Plain(another_mechanism)),
    (40, Plain(more_mechanisms)),
    (41, Plain(without_authentication)),
    (42, Plain(authentication_taken_away)),
    (43, Plain(another_modulus)),
    (44, Plain(another_history)),
];

fn to(id: CK_ATTRIBUTE_TYPE, value: bool) -> Template {
    Template::new().flag(id, value)
}

fn holds(ground: &Ground, key: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE, value: bool) -> Found {
    let now = ground.session.flag(key, id).unwrap();
    Ok(if now == value { Outcome::Gained } else { Outcome::Nothing })
}

fn changed(ground: &Ground, victim: Victim, id: CK_ATTRIBUTE_TYPE, value: bool) -> Found {
    let key = ground.victim(victim);
    ground.set(key, &to(id, value))?;
    holds(ground, key, id, value)
}

fn copied(ground: &Ground, victim: Victim, id: CK_ATTRIBUTE_TYPE, value: bool) -> Found {
    let copy = ground.copy(ground.victim(victim), &to(id, value))?;
    holds(ground, copy, id, value)
}

/// A refused value leaves no byte in the caller's memory, and the length says that there is none to tell.
fn read_in_clear(ground: &Ground, key: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE) -> Found {
    let mut room = [0xA5_u8; 512];
    let mut attribute = CK_ATTRIBUTE { type_: id, pValue: room.as_mut_ptr().cast(), ulValueLen: 512 };
    let rv = call!(C_GetAttributeValue(ground.session.0, key, &raw mut attribute, 1));
    if rv != CKR_OK {
        let length = attribute.ulValueLen;
        assert!(room == [0xA5; 512] && length == CK_UNAVAILABLE_INFORMATION, "a refusal that writes: {length}");
    }
    at("C_GetAttributeValue", answer(rv))?;
    Ok(Outcome::Gained)
}

fn read_unextractable(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().off(&[CKA_SENSITIVE, CKA_EXTRACTABLE]))?;
    read_in_clear(ground, key, CKA_VALUE)
}

fn read_private_exponent(ground: &Ground) -> Found {
    let (_, private) = ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN])?;
    read_in_clear(ground, private, CKA_PRIVATE_EXPONENT)
}

fn generated_as_trusted(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_WRAP, CKA_TRUSTED]))?;
    holds(ground, key, CKA_TRUSTED, true)
}

fn created_as_trusted(ground: &Ground) -> Found {
    let key = ground.create(&plain_aes_value(&KNOWN).on(&[CKA_TRUSTED]))?;
    holds(ground, key, CKA_TRUSTED, true)
}

fn wrapped_by_an_untrusted_key(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]))?;
    ground.wrap(key, ground.victim(Victim::TrustedOnly))?;
    Ok(Outcome::Gained)
}

fn against_the_unwrap_template(ground: &Ground) -> Found {
    let key = ground.prepared("guarded");
    let blob = ground.wrap(key, ground.victim(Victim::Extractable))?;
    let open = ground.unwrap(key, &blob, &aes_key().on(&[CKA_EXTRACTABLE]).off(&[CKA_SENSITIVE]))?;
    holds(ground, open, CKA_EXTRACTABLE, true)
}

fn without_the_unwrap_template(ground: &Ground) -> Found {
    let key = ground.prepared("guarded");
    let blob = ground.wrap(key, ground.victim(Victim::Extractable))?;
    let back = ground.unwrap(key, &blob, &aes_key())?;
    assert_eq!(ground.session.flag(back, CKA_SENSITIVE), Ok(true));
    holds(ground, back, CKA_EXTRACTABLE, true)
}

fn against_the_wrap_template(ground: &Ground) -> Found {
    let only = Template::new().text(CKA_LABEL, "another");
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]).nested(CKA_WRAP_TEMPLATE, only))?;
    ground.wrap(key, ground.victim(Victim::Extractable))?;
    Ok(Outcome::Gained)
}

/// A key with an attribute that a profile may not have.
fn with_attribute(key: Result<CK_OBJECT_HANDLE, Outcome>) -> Result<CK_OBJECT_HANDLE, Outcome> {
    key.map_err(|outcome| match outcome {
        Outcome::Refused(call, rv) => Outcome::NotOffered(call, rv),
        other => other,
    })
}

fn with_one_mechanism(ground: &Ground) -> Result<CK_OBJECT_HANDLE, Outcome> {
    let list = CKM_AES_CMAC.to_ne_bytes();
    let template = Template::new().bytes(CKA_ALLOWED_MECHANISMS, &list).on(&[CKA_ENCRYPT, CKA_SIGN]);
    with_attribute(ground.generate(&template))
}

fn another_mechanism(ground: &Ground) -> Found {
    let key = with_one_mechanism(ground)?;
    ground.encrypt(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 16])?;
    Ok(Outcome::Gained)
}

fn more_mechanisms(ground: &Ground) -> Found {
    let key = with_one_mechanism(ground)?;
    ground.set(key, &Template::new().bytes(CKA_ALLOWED_MECHANISMS, &CKM_AES_CBC.to_ne_bytes()))?;
    Ok(Outcome::Gained)
}

pub(super) fn with_authentication(ground: &Ground) -> Result<CK_OBJECT_HANDLE, Outcome> {
    with_attribute(ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN, CKA_ALWAYS_AUTHENTICATE]).map(|(_, private)| private))
}

fn without_authentication(ground: &Ground) -> Found {
    ground.sign(Mechanism::new(CKM_SHA256_RSA_PKCS), with_authentication(ground)?, b"message")?;
    Ok(Outcome::Gained)
}

fn authentication_taken_away(ground: &Ground) -> Found {
    ground.set(with_authentication(ground)?, &to(CKA_ALWAYS_AUTHENTICATE, false))?;
    Ok(Outcome::Gained)
}

fn another_modulus(ground: &Ground) -> Found {
    let (public, _) = ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN])?;
    ground.set(public, &Template::new().bytes(CKA_MODULUS, &hex(rsa_2048::MODULUS)))?;
    Ok(Outcome::Gained)
}

fn another_history(ground: &Ground) -> Found {
    let mut last = None;
    for id in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL] {
        let claimed = ground.create(&plain_aes_value(&KNOWN).on(&[id]));
        let Err(refused) = claimed else { return Ok(Outcome::Gained) };
        last = Some(refused);
        let key = ground.create(&plain_aes_value(&KNOWN).on(&[CKA_SENSITIVE]).off(&[CKA_EXTRACTABLE]))?;
        assert_eq!(ground.session.flag(key, id), Ok(false), "an import has no history");
    }
    Err(last.unwrap())
}
