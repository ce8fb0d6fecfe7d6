//! A key as AWS's JSON shows it.

use base::ck::{self, vendor};
use base::error;
use hsm::module::Figures;
use hsm::object::Object;
use serde_json::{Map, Value, json};

use super::attributes::{CLASSES, Form, KEY_TYPES, ROWS, Row, unknown_reads};
use crate::context::Session;
use crate::input::to_hex;

/// `0x` and 16 digits.
pub(crate) fn reference(number: u64) -> String {
    format!("{number:#018x}")
}

/// The whole key.
pub(super) fn key(session: Session<'_>, object: &Object) -> error::Result<Value> {
    let custody = session.module.custody(session.login, object)?;
    let user = |name: &str| json!({ "username": name, "key-coverage": "full" });
    let owners = if custody.owner.is_empty() { json!([]) } else { json!([user(&custody.owner)]) };
    let shared: Vec<Value> = custody.shared.iter().map(|name| user(name)).collect();
    Ok(json!({
        "key-reference": reference(session.reference(object)),
        "key-info": {
            "key-owners": owners,
            "shared-users": shared,
            "key-quorum-values": {
                "manage-key-quorum-value": custody.quorum.manage,
                "use-key-quorum-value": custody.quorum.using,
            },
            "cluster-coverage": "full",
        },
        "attributes": attributes(session, object)?,
    }))
}

/// Reference and label alone.
pub(super) fn short(session: Session<'_>, object: &Object) -> Value {
    json!({
        "key-reference": reference(session.reference(object)),
        "attributes": { "label": Shown::new(session, object).text(ck::CKA_LABEL) },
    })
}

/// Every attribute that the kind of key shows, in AWS's order.
fn attributes(session: Session<'_>, object: &Object) -> error::Result<Map<String, Value>> {
    let mut all = Map::new();
    let mut shown = Shown::new(session, object);
    for row in ROWS {
        if let Some(value) = shown.value(row)? {
            all.insert(row.name.to_owned(), value);
        }
    }
    Ok(all)
}

/// A key whose attributes are shown. What follows from its material costs something, so it is worked out when the first
/// attribute asks for it.
pub(super) struct Shown<'a> {
    session: Session<'a>,
    object: &'a Object,
    figures: Option<Figures>,
}

impl<'a> Shown<'a> {
    pub(super) const fn new(session: Session<'a>, object: &'a Object) -> Self {
        Self { session, object, figures: None }
    }

    /// The value of one attribute, if the kind of key shows it.
    pub(super) fn value(&mut self, row: &Row) -> error::Result<Option<Value>> {
        Ok(match row.form {
            Form::Flag => Some(Value::Bool(self.flag(row.id))),
            Form::Text => Some(Value::from(self.text(row.id))),
            Form::Hex => match self.bytes(row.id) {
                Some(bytes) => Some(Value::from(to_hex(&bytes))),
                None if row.id == ck::CKA_CHECK_VALUE && is_ml_dsa(self.object) => {
                    self.figures()?.check_value.map(|value| Value::from(to_hex(&value)))
                }
                None => None,
            },
            Form::Class => Some(word(CLASSES, self.object.class)),
            Form::KeyType => Some(word(KEY_TYPES, self.object.key_type)),
            Form::Figure => {
                let figures = self.figures()?;
                match row.id {
                    ck::CKA_MODULUS_BITS => figures.modulus_bits.map(Value::from),
                    ck::CKA_EC_POINT => figures.point.as_deref().map(|point| Value::from(to_hex(point))),
                    ck::CKA_EC_PARAMS => figures.curve.map(Value::from),
                    vendor::CKA_CLOUDHSM_PARAMETER_SET => figures.parameter_set.map(Value::from),
                    _ => Some(Value::from(figures.length)),
                }
            }
        })
    }

    fn figures(&mut self) -> error::Result<&Figures> {
        let figures = match self.figures.take() {
            Some(figures) => figures,
            None => self.session.module.figures(self.session.login, self.object)?,
        };
        Ok(self.figures.insert(figures))
    }

    fn bytes(&self, id: ck::CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        self.session.module.read_attribute(Some(self.session.login), self.object, id, <[u8]>::to_vec).ok()
    }

    /// AWS's CLI shows every flag that a key has, also those that PKCS#11 does not.
    fn flag(&self, id: ck::CK_ATTRIBUTE_TYPE) -> bool {
        self.object.attributes.flag(id).unwrap_or_else(|| unknown_reads(id, self.object.class))
    }

    /// A text; bytes that are none are shown as those of an id.
    fn text(&self, id: ck::CK_ATTRIBUTE_TYPE) -> String {
        let bytes = self.bytes(id).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_else(|error| to_hex(error.as_bytes()))
    }
}

const fn is_ml_dsa(object: &Object) -> bool {
    matches!(object.key_type, vendor::CKK_CLOUDHSM_ML_DSA | ck::CKK_ML_DSA)
}

fn word(words: &[(&str, u64)], number: u64) -> Value {
    let known = words.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| Value::from(format!("{number:#x}")), |(word, _)| Value::from(*word))
}
