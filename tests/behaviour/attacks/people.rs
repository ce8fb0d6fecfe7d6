//! A50, A51, A60 to A69 and A72: users who are not the owner, officers, and what outlives the login that allowed it.

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (50, Plain(operation_after_logout)),
    (51, Plain(guessed_pin)),
    (60, Plain(shared_key_wrapped)),
    (61, Plain(shared_key_destroyed)),
    (62, Plain(guessed_handle)),
    (63, Plain(key_used_by_an_officer)),
    (64, Plain(trusted_import)),
    (65, Plain(trust_lent)),
    (66, Plain(session_key_after_logout)),
    (67, Plain(handle_of_a_destroyed_key)),
    (68, Plain(saved_state)),
    (69, Plain(authentication_for_two)),
    (72, Plain(recovering_signature)),
];

fn operation_after_logout(ground: &Ground) -> Found {
    let session = ground.session;
    let key = ground.generate(&Template::new().on(&[CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN]))?;
    let iv = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
    session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
    session.begin(Way::Encrypt, &mut iv(), key).unwrap();
    session.begin(Way::Decrypt, &mut iv(), key).unwrap();
    session.logout().unwrap();
    let others = [Way::Encrypt, Way::Decrypt].map(|way| session.once_into(way, &[0; 16], 64));
    let signed = session.sign_into(b"message", 64);
    session.login(ALICE).unwrap();
    if others.iter().any(Result::is_ok) {
        return Ok(Outcome::Gained);
    }
    at("C_Sign", signed)?;
    Ok(Outcome::Gained)
}

fn guessed_pin(ground: &Ground) -> Found {
    let session = ground.session;
    session.logout().unwrap();
    for guess in 0..20 {
        let refused = session.login(&format!("carol:wrong-password-{guess}"));
        assert_eq!(refused, code(if guess < 5 { CKR_PIN_INCORRECT } else { CKR_PIN_LOCKED }), "{guess}");
    }
    let right = session.login(super::CAROL);
    let _ = session.logout();
    session.login(ALICE).unwrap();
    at("C_Login", right)?;
    Ok(Outcome::Gained)
}

fn shared_key_wrapped(ground: &Ground) -> Found {
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]))?;
    ground.wrap_by(key_wrap(), key, ground.prepared("shared"))?;
    Ok(Outcome::Gained)
}

fn shared_key_destroyed(ground: &Ground) -> Found {
    let key = ground.prepared("shared");
    if ground.set(key, &Template::new().on(&[CKA_WRAP])).is_ok() {
        return Ok(Outcome::Gained);
    }
    at("C_DestroyObject", ground.session.destroy(key))?;
    Ok(Outcome::Gained)
}

fn guessed_handle(ground: &Ground) -> Found {
    ground.become_user(CKU_USER, BOB)?;
    let other = ground.prepared("bobs");
    ground.become_user(CKU_USER, ALICE)?;
    let session = ground.session;
    let own = ground.generate(&Template::new().on(&[CKA_WRAP]))?;
    let tried = [
        session.read(other, CKA_LABEL).map(drop),
        session.sign(&mut Mechanism::new(CKM_AES_CMAC), other, b"message").map(drop),
        session.wrap(&mut key_wrap(), own, other).map(drop),
        session.destroy(other),
    ];
    if tried.iter().any(Result::is_ok) {
        return Ok(Outcome::Gained);
    }
    ground.encrypt(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), other, &[0; 16])?;
    Ok(Outcome::Gained)
}

fn key_used_by_an_officer(ground: &Ground) -> Found {
    ground.as_officer(|| {
        let key = ground.prepared("shared");
        if ground.read(key, CKA_VALUE).is_ok() {
            return Ok(Outcome::Gained);
        }
        ground.encrypt(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 16]).map(|_| Outcome::Gained)
    })
}

pub(super) fn trust(ground: &Ground, label: &str, trusted: bool) -> Result<(), Outcome> {
    ground.as_officer(|| ground.set(ground.prepared(label), &Template::new().flag(CKA_TRUSTED, trusted)))
}

fn trusted_import(ground: &Ground) -> Found {
    // The attacker knows the key, so what leaves under it is his.
    let uses: &[CK_ATTRIBUTE_TYPE] = &[CKA_TOKEN, CKA_WRAP];
    let import = |uses: &[_]| ground.create(&plain_aes_value(&KNOWN).label("imported").on(uses));
    import(uses).or_else(|_| import(&uses[..1]))?;
    trust(ground, "imported", true)?;
    Ok(Outcome::Gained)
}

fn trust_lent(ground: &Ground) -> Found {
    ground.generate(&Template::new().label("lent").on(&[CKA_TOKEN, CKA_WRAP]).off(&[CKA_EXTRACTABLE, CKA_SIGN]))?;
    for trusted in [true, false] {
        trust(ground, "lent", trusted)?;
    }
    ground.set(ground.prepared("lent"), &Template::new().on(&[CKA_DECRYPT]))?;
    trust(ground, "lent", true)?;
    let (key, victim) = (ground.prepared("lent"), ground.victim(Victim::TrustedOnly));
    ground.judge(&ground.open(key, &ground.wrap(key, victim)?)?, victim)
}

fn session_key_after_logout(ground: &Ground) -> Found {
    let key = ground.victim(Victim::Extractable);
    ground.session.logout().unwrap();
    let without = ground.read(key, CKA_LABEL).is_ok();
    ground.session.login(ALICE).unwrap();
    if without {
        return Ok(Outcome::Gained);
    }
    ground.read(key, CKA_LABEL)?;
    Ok(Outcome::Gained)
}

fn handle_of_a_destroyed_key(ground: &Ground) -> Found {
    let template = Template::new().on(&[CKA_ENCRYPT]);
    let key = ground.generate(&template)?;
    ground.session.destroy(key).unwrap();
    for _ in 0..100 {
        let newer = ground.generate(&template)?;
        assert_ne!(newer, key, "a handle is used once");
        ground.session.destroy(newer).unwrap();
    }
    ground.generate(&template)?;
    ground.encrypt(Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 16])?;
    Ok(Outcome::Gained)
}

fn saved_state(ground: &Ground) -> Found {
    let session = ground.session;
    let key = ground.generate(&Template::new().on(&[CKA_SIGN]))?;
    session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
    session.sign_update(b"message").unwrap();
    let mut room = [0; 4096];
    let mut length = 4096;
    let rv = call!(C_GetOperationState(session.0, room.as_mut_ptr(), &raw mut length));
    session.sign_final(16).unwrap();
    at("C_GetOperationState", answer(rv))?;
    Ok(Outcome::Gained)
}

fn authentication_for_two(ground: &Ground) -> Found {
    let key = super::attributes::with_authentication(ground)?;
    ground.session.login_as(CKU_CONTEXT_SPECIFIC, ALICE).unwrap();
    for _ in 0..2 {
        ground.sign(Mechanism::new(CKM_SHA256_RSA_PKCS), key, b"message")?;
    }
    Ok(Outcome::Gained)
}

fn recovering_signature(ground: &Ground) -> Found {
    let (_, private) = ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN])?;
    let mut mechanism = Mechanism::new(CKM_RSA_PKCS);
    at("C_SignRecoverInit", answer(call!(C_SignRecoverInit(ground.session.0, mechanism.raw(), private))))?;
    Ok(Outcome::Gained)
}
