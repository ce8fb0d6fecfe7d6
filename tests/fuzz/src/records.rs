//! Records as a broken disk or an attacker who knows the keys could leave them: object records, nested templates.
#![no_main]

use base::ck;
use hsm::inside;
use hsm::object::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(object) = inside::decode_record(data) {
        // What decodes can be looked at, and written again as it was.
        let written = inside::encode_record(&object);
        assert!(inside::decode_record(written.expose()).is_ok(), "what was decoded is encoded so that it decodes");
        let _ = (object.is_key(), object.is(ck::CKA_SENSITIVE));
    }
    if let Ok(template) = Template::unflatten(data) {
        let _ = template.number(ck::CKA_CLASS);
        for (id, _) in template.iter() {
            let _ = template.flag(id);
        }
    }
});
