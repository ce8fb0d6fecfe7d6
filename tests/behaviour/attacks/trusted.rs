//! A85 to A93: a key that an officer trusts, turned against what only a trusted key may wrap.

use super::ground::*;
use super::people::trust;
use super::{Attack, Of, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (85, Of(decrypts_by_a_copy)),
    (86, Of(unwraps_by_a_copy)),
    (87, Of(decrypts_by_a_change)),
    (88, Of(|ground, victim| comes_back(ground, victim, "trusted-loose"))),
    (89, Of(|ground, victim| comes_back(ground, victim, "trusted-256"))),
    (90, Plain(private_half_decrypts)),
    (91, Plain(private_half_unwraps)),
    (92, Plain(copied_before)),
    (93, Plain(wrapped_before)),
];

fn decrypts_by_a_copy(ground: &Ground, victim: Victim) -> Found {
    let (trusted, victim) = (ground.prepared("trusted-256"), ground.victim(victim));
    let blob = ground.wrap(trusted, victim);
    let copy = ground.copy(trusted, &Template::new().label("copy").off(&[CKA_TOKEN]).on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(copy, &blob?)?, victim)
}

/// The copy is not trusted, so nothing would protect what it unwraps.
fn unwraps_by_a_copy(ground: &Ground, victim: Victim) -> Found {
    let (trusted, victim) = (ground.prepared("trusted-256"), ground.victim(victim));
    let blob = ground.wrap(trusted, victim);
    let copy = ground.copy(trusted, &Template::new().label("copy").off(&[CKA_TOKEN]))?;
    let open = ground.unwrap(copy, &blob?, &aes_key().off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]))?;
    ground.judge(&ground.read(open, CKA_VALUE)?, victim)
}

fn decrypts_by_a_change(ground: &Ground, victim: Victim) -> Found {
    let (trusted, victim) = (ground.prepared("trusted-256"), ground.victim(victim));
    let blob = ground.wrap(trusted, victim);
    ground.set(trusted, &Template::new().on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(trusted, &blob?)?, victim)
}

/// A trusted key that is extractable leaves under `under`, which is itself or another one, and comes back with another use.
fn comes_back(ground: &Ground, victim: Victim, under: &str) -> Found {
    let (trusted, under) = (ground.prepared("trusted-loose"), ground.prepared(under));
    let victim = ground.victim(victim);
    let blob = ground.wrap(trusted, victim);
    let own = ground.wrap(under, trusted)?;
    let second = ground.unwrap(under, &own, &aes_key().on(&[CKA_DECRYPT]))?;
    ground.judge(&ground.open(second, &blob?)?, victim)
}

/// A pair whose public half the officer trusts, and the victim wrapped under it.
fn under_a_pair(ground: &Ground) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE, Vec<u8>), Outcome> {
    let half = |class| {
        let found = ground.session.find(&Template::new().label("trusted-pair").number(CKA_CLASS, class)).unwrap();
        assert_eq!(found.len(), 1);
        found[0]
    };
    let victim = Template::new().number(CKA_VALUE_LEN, 16).on(&[CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED]);
    let victim = ground.session.generate(CKM_AES_KEY_GEN, &victim).unwrap();
    let mut oaep = oaep();
    let blob = ground.wrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep), half(CKO_PUBLIC_KEY), victim)?;
    Ok((half(CKO_PRIVATE_KEY), victim, blob))
}

fn private_half_decrypts(ground: &Ground) -> Found {
    let (private, victim, blob) = under_a_pair(ground)?;
    ground.set(private, &Template::new().on(&[CKA_DECRYPT]))?;
    let opened = ground.decrypt(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), private, &blob);
    // The pair serves the next attack as it was.
    ground.set(private, &Template::new().off(&[CKA_DECRYPT]))?;
    ground.judge(&opened?, victim)
}

fn private_half_unwraps(ground: &Ground) -> Found {
    let (private, victim, blob) = under_a_pair(ground)?;
    let open = aes_key().off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]);
    let open = ground.unwrap_by(Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep()), private, &blob, &open)?;
    ground.judge(&ground.read(open, CKA_VALUE)?, victim)
}

/// The officer sees that the key only wraps, was made here and has never been extractable, and no copy.
fn copied_before(ground: &Ground) -> Found {
    let label = "copied";
    let stays = Template::new().label(label).on(&[CKA_TOKEN]).off(&[CKA_EXTRACTABLE, CKA_SIGN]);
    let key = ground.generate(&stays.on(&[CKA_WRAP, CKA_DECRYPT]))?;
    let twin = ground.copy(key, &Template::new().label("twin").on(&[CKA_TOKEN]))?;
    ground.set(key, &Template::new().off(&[CKA_DECRYPT]))?;
    trust(ground, label, true)?;
    let (key, victim) = (ground.prepared(label), ground.victim(Victim::TrustedOnly));
    assert_ne!(twin, key);
    ground.judge(&ground.open(ground.prepared("twin"), &ground.wrap(key, victim)?)?, victim)
}

/// The officer trusts a key that has been extractable.
fn wrapped_before(ground: &Ground) -> Found {
    let label = "wrapped";
    let own = ground.generate(&Template::new().on(&[CKA_WRAP, CKA_UNWRAP]))?;
    let uses = Template::new().label(label).on(&[CKA_TOKEN, CKA_WRAP]).off(&[CKA_SIGN]);
    let key = ground.generate(&uses.clone().on(&[CKA_EXTRACTABLE])).or_else(|_| ground.generate(&uses))?;
    let blob = ground.wrap(own, key)?;
    let twin = ground.unwrap(own, &blob, &aes_key().label("twin of wrapped").on(&[CKA_TOKEN, CKA_DECRYPT]))?;
    ground.set(key, &Template::new().off(&[CKA_EXTRACTABLE]))?;
    trust(ground, label, true)?;
    let (key, victim) = (ground.prepared(label), ground.victim(Victim::TrustedOnly));
    assert_ne!(twin, key);
    ground.judge(&ground.open(ground.prepared("twin of wrapped"), &ground.wrap(key, victim)?)?, victim)
}
