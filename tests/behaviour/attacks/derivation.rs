//! A26 to A32, A55 and A56: a key got at through the keys that are derived from it.

use super::ground::*;
use super::{Attack, Plain};
use crate::support::*;

pub(super) const LIST: &[(u8, Attack)] = &[
    (26, Plain(|ground| derived_readable(ground, CKM_CONCATENATE_BASE_AND_DATA))),
    (27, Plain(|ground| derived_readable(ground, CKM_XOR_BASE_AND_DATA))),
    (28, Plain(extracted_readable)),
    (29, Plain(extracted_slice)),
    (30, Plain(|ground| slice(ground, CKM_CONCATENATE_BASE_AND_DATA))),
    (31, Plain(|ground| slice(ground, CKM_XOR_BASE_AND_DATA))),
    (32, Plain(encryption_by_derivation)),
    (55, Plain(point_off_the_curve)),
    (56, Plain(slice_of_an_agreement)),
];

fn base(ground: &Ground) -> Result<CK_OBJECT_HANDLE, Outcome> {
    ground.generate(&Template::new().on(&[CKA_DERIVE, CKA_SENSITIVE]))
}

/// `CK_KEY_DERIVATION_STRING_DATA` over 32 zero bytes.
fn zeros() -> Parameter {
    let mut memory = Memory::default();
    let place = memory.place(&[0; 32]);
    Parameter::words("32 zero bytes", &[place, 32]).keeping(memory)
}

fn derived_readable(ground: &Ground, mechanism: CK_MECHANISM_TYPE) -> Found {
    let parameter = zeros();
    let derived =
        ground.derive(parameter.mechanism(mechanism), base(ground)?, &generic_key(32).off(&[CKA_SENSITIVE]))?;
    ground.read(derived, CKA_VALUE)?;
    Ok(Outcome::Gained)
}

fn extract() -> Mechanism<'static> {
    Mechanism::bytes(CKM_EXTRACT_KEY_FROM_KEY, &(0 as CK_ULONG).to_ne_bytes())
}

fn extracted_readable(ground: &Ground) -> Found {
    let derived = ground.derive(extract(), base(ground)?, &generic_key(32).off(&[CKA_SENSITIVE]))?;
    ground.read(derived, CKA_VALUE)?;
    Ok(Outcome::Gained)
}

fn extracted_slice(ground: &Ground) -> Found {
    let derived = ground.derive(extract(), base(ground)?, &generic_key(1).on(&[CKA_SIGN]))?;
    ground.sign(Mechanism::new(CKM_SHA256_HMAC), derived, b"message")?;
    Ok(Outcome::Gained)
}

fn slice(ground: &Ground, mechanism: CK_MECHANISM_TYPE) -> Found {
    let parameter = zeros();
    let derived = ground.derive(parameter.mechanism(mechanism), base(ground)?, &generic_key(1).on(&[CKA_SIGN]))?;
    ground.sign(Mechanism::new(CKM_SHA256_HMAC), derived, b"message")?;
    Ok(Outcome::Gained)
}

fn encryption_by_derivation(ground: &Ground) -> Found {
    let parameter = zeros();
    let template = generic_key(32).off(&[CKA_SENSITIVE]);
    let derived = ground.derive(parameter.mechanism(CKM_AES_ECB_ENCRYPT_DATA), base(ground)?, &template)?;
    ground.read(derived, CKA_VALUE)?;
    Ok(Outcome::Gained)
}

/// Agrees on a key with the holder of `point`, without a key derivation function.
pub(super) fn agree(ground: &Ground, point: &mut [u8], template: &Template) -> Result<CK_OBJECT_HANDLE, Outcome> {
    let own = ground.session.create(&ec_private_value().on(&[CKA_DERIVE])).unwrap();
    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: std::ptr::null_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_mut_ptr(),
    };
    ground.derive(Mechanism::with(CKM_ECDH1_DERIVE, &mut parameter), own, template)
}

fn point_off_the_curve(ground: &Ground) -> Found {
    let mut point = hex(ec_p256::POINT);
    point[64] ^= 1;
    agree(ground, &mut point, &generic_key(32))?;
    Ok(Outcome::Gained)
}

fn slice_of_an_agreement(ground: &Ground) -> Found {
    agree(ground, &mut hex(ec_p256::POINT), &generic_key(1))?;
    Ok(Outcome::Gained)
}
