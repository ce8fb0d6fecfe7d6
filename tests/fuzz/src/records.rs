//! Records as a broken disk or an attacker who knows the keys could leave them: object records, nested templates.
#![no_main]

use base::ck;
use hsm::object::{NOBODY, Object, Template, record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((attributes, material)) = record::decode(data) {
        // What decodes can be looked at, and written again as it was.
        let object = Object::new(attributes, material, NOBODY);
        let written = record::encode(&object.attributes, &object.material);
        assert!(record::decode(written.expose()).is_ok(), "what was decoded is encoded so that it decodes");
        let _ = (object.is_key(), object.is(ck::CKA_SENSITIVE), object.material.shape());
    }
    if let Ok(template) = Template::unflatten(data) {
        let _ = template.number(ck::CKA_CLASS);
        for (id, _) in template.iter() {
            let _ = template.flag(id);
        }
    }
});
