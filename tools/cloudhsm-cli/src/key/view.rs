//! A key as AWS's JSON shows it.

use cloudhsm_pkcs11::ck;
use cloudhsm_pkcs11::error;
use cloudhsm_pkcs11::module::{Login, Module};
use cloudhsm_pkcs11::object::Object;
use serde_json::{Map, Value, json};

use super::attributes::{CLASSES, Form, KEY_TYPES, ROWS, to_hex, unknown_reads};

/// `0x` and 16 digits.
pub(super) fn reference(number: u64) -> String {
    format!("{number:#018x}")
}

/// The whole key. `session` is the reference of a key that the store has no name for.
pub(super) fn key(module: &Module, login: &Login, object: &Object, session: u64) -> error::Result<Value> {
    let owner = module.owner_name(object.owner)?;
    let owners = if owner.is_empty() { json!([]) } else { json!([ { "username": owner, "key-coverage": "full" } ]) };
    Ok(json!({
        "key-reference": reference(object.id.map_or(session, |id| id.0)),
        "key-info": {
            "key-owners": owners,
            "shared-users": [],
            "key-quorum-values": { "manage-key-quorum-value": 0, "use-key-quorum-value": 0 },
            "cluster-coverage": "full",
        },
        "attributes": attributes(module, login, object)?,
    }))
}

/// Reference and label alone.
pub(super) fn short(module: &Module, login: &Login, object: &Object) -> Value {
    json!({
        "key-reference": reference(object.id.map_or(0, |id| id.0)),
        "attributes": { "label": text(module, login, object, ck::CKA_LABEL) },
    })
}

/// Every attribute that the kind of key shows, in AWS's order.
pub(super) fn attributes(module: &Module, login: &Login, object: &Object) -> error::Result<Map<String, Value>> {
    let figures = module.figures(login, object)?;
    let mut shown = Map::new();
    for row in ROWS {
        let value = match row.form {
            Form::Flag => Some(Value::Bool(flag(module, login, object, row.id))),
            Form::Text => Some(Value::from(text(module, login, object, row.id))),
            Form::Hex => bytes(module, login, object, row.id).map(|bytes| Value::from(to_hex(&bytes))),
            Form::Class => Some(word(CLASSES, object.class)),
            Form::KeyType => Some(word(KEY_TYPES, object.key_type)),
            Form::Figure => match row.id {
                ck::CKA_MODULUS_BITS => figures.modulus_bits.map(Value::from),
                ck::CKA_EC_POINT => figures.point.as_deref().map(|point| Value::from(to_hex(point))),
                ck::CKA_EC_PARAMS => figures.curve.map(Value::from),
                _ => Some(Value::from(figures.length)),
            },
        };
        if let Some(value) = value {
            shown.insert(row.name.to_owned(), value);
        }
    }
    Ok(shown)
}

fn bytes(module: &Module, login: &Login, object: &Object, id: ck::CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    module.read_attribute(Some(login), object, id, <[u8]>::to_vec).ok()
}

fn flag(module: &Module, login: &Login, object: &Object, id: ck::CK_ATTRIBUTE_TYPE) -> bool {
    let read = module.read_attribute(Some(login), object, id, |value| value == [ck::CK_TRUE]);
    read.unwrap_or_else(|_| unknown_reads(id, object.class))
}

fn text(module: &Module, login: &Login, object: &Object, id: ck::CK_ATTRIBUTE_TYPE) -> String {
    String::from_utf8_lossy(&bytes(module, login, object, id).unwrap_or_default()).into_owned()
}

fn word(words: &[(&str, u64)], number: u64) -> Value {
    let known = words.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| Value::from(format!("{number:#x}")), |(word, _)| Value::from(*word))
}
