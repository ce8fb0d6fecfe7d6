//! A53, A54, A57, A58 and A73: wrapped keys that are changed on the way, taken for something else or wrapped by what is no
//! protection.

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (53, Plain(changed_private_key)),
    (54, Plain(exponent_that_does_nothing)),
    (57, Plain(another_type)),
    (58, Plain(one_half_twice)),
    (73, Plain(short_iv)),
];

fn changed_private_key(ground: &Ground) -> Found {
    let (_, private) = ground.pair(2048, &[CKA_VERIFY], &[CKA_SIGN, CKA_EXTRACTABLE])?;
    let trusted = ground.prepared("trusted-256");
    let whole = ground.wrap_by(key_wrap(), trusted, private)?;
    let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA);
    ground.unwrap_by(key_wrap(), trusted, &whole, &template)?;
    let mut last = None;
    for at in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        match ground.unwrap_by(key_wrap(), trusted, &changed, &template) {
            Ok(_) => return Ok(Outcome::Gained),
            Err(refused) => last = Some(refused),
        }
    }
    Err(last.unwrap())
}

fn exponent_that_does_nothing(ground: &Ground) -> Found {
    let with = |exponent: u8| {
        let key = rsa_public_value().without(CKA_PUBLIC_EXPONENT).bytes(CKA_PUBLIC_EXPONENT, &[exponent]);
        ground.create(&key.on(&[CKA_WRAP]))
    };
    if with(1).is_ok() {
        return Ok(Outcome::Gained);
    }
    ground.wrap_by(Mechanism::new(CKM_RSA_X_509), with(3)?, ground.victim(Victim::Extractable))?;
    Ok(Outcome::Gained)
}

/// What is wrapped does not tell its type, in AWS's forms as in the standard's; so what counts is that a key which comes back
/// as another one is protected as it was.
fn another_type(ground: &Ground) -> Found {
    let trusted = ground.prepared("trusted-256");
    let blob = ground.wrap_by(key_wrap(), trusted, ground.victim(Victim::TrustedOnly))?;
    let template = generic_key(32).without(CKA_VALUE_LEN);
    let open = template.clone().off(&[CKA_SENSITIVE]);
    let opened = ground.unwrap_by(key_wrap(), trusted, &blob, &open);
    let back = ground.unwrap_by(key_wrap(), trusted, &blob, &template)?;
    let stays = ground.session.flag(back, CKA_SENSITIVE) == Ok(true)
        && ground.session.flag(back, CKA_WRAP_WITH_TRUSTED) == Ok(true)
        && ground.read(back, CKA_VALUE).is_err();
    Ok(if opened.is_err() && stays { Outcome::Nothing } else { Outcome::Gained })
}

fn one_half_twice(ground: &Ground) -> Found {
    let des3 = Template::new().on(&[CKA_EXTRACTABLE]);
    let victim = by("C_GenerateKey", CKM_DES3_KEY_GEN, ground.session.generate(CKM_DES3_KEY_GEN, &des3))?;
    let trusted = ground.prepared("trusted-256");
    let whole = ground.wrap_by(key_wrap(), trusted, victim)?;
    let parts: Vec<&[u8]> = whole.chunks(8).collect();
    let halves = [parts[0], parts[1], parts[1], parts[3]].concat();
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_DES3);
    ground.unwrap_by(key_wrap(), trusted, &halves, &template)?;
    Ok(Outcome::Gained)
}

fn short_iv(ground: &Ground) -> Found {
    let mechanism = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD;
    let key = ground.generate(&Template::new().on(&[CKA_WRAP]))?;
    ground.wrap_by(Mechanism::bytes(mechanism, &[0xA6; 4]), key, ground.victim(Victim::Extractable))?;
    Ok(Outcome::Gained)
}
