//! What benches, the fuzzer and tests of the parts above look at inside the HSM: compiled with the feature `inside` alone, which no
//! library that is shipped has.

use base::error::Result;
use base::secret::Secret;

use crate::object::{Attributes, KeyMaterial, NOBODY, Object, record};

/// Returns the bytes of an object's record, the key's among them.
#[must_use]
pub fn encode_record(object: &Object) -> Secret {
    record::encode(&object.attributes, &object.material)
}

/// Returns the object of a record's bytes.
///
/// # Errors
/// CKR_DEVICE_ERROR for bytes that no format known here has.
pub fn decode_record(bytes: &[u8]) -> Result<Object> {
    let (attributes, material) = record::decode(bytes)?;
    Ok(Object::new(attributes, material, NOBODY))
}

/// Returns an object that is attributes and no more.
#[must_use]
pub fn object(attributes: Attributes) -> Object {
    Object::new(attributes, KeyMaterial::None, NOBODY)
}
