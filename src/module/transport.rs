//! Keys that leave the HSM wrapped, come in wrapped, or are derived inside it.
//!
//! What may leave is the payload's to say (extractable, only under a trusted key), and then the wrapping key's, whose
//! template names what it wraps. What comes in is made by the same rules as any new key, with its history unknown.

use std::sync::Arc;

use super::audit::Opcode;
use super::keys::{NOTHING_MADE, kind_of};
use super::policy::{self, Command};
use super::{Login, Module};
use crate::ck;
use crate::error::{Error, Result};
use crate::mechanism::{Mechanism, Work};
use crate::object::attributes::Draft;
use crate::object::rules::Making;
use crate::object::{Object, Template, create, find};
use crate::secret::Secret;

impl Module {
    /// The bytes of `key` that `wrapping_key` wraps under a mechanism, if all of the rules let the key leave.
    ///
    /// # Errors
    /// CKR_KEY_HANDLE_INVALID and CKR_ACTION_PROHIBITED for a key that is not the user's, CKR_KEY_UNEXTRACTABLE,
    /// CKR_KEY_NOT_WRAPPABLE for a kind of key that the mechanism does not wrap or one that only a trusted key may
    /// wrap; CKR_KEY_HANDLE_INVALID for one that CKA_WRAP_TEMPLATE excludes (PKCS#11 3.2 section 5.18.3).
    pub fn payload(&self, login: &Login, row: &Mechanism, wrapping_key: &Object, key: &Object) -> Result<Secret> {
        policy::may_with(login, Command::ManageKey, key)?;
        super::quirks::check_available(self.dialect(), key)?;
        let payload = row.serves.wrap.as_ref().ok_or(NOT_SERVED)?.payload;
        let bytes = kind_of(key)?.form.bytes.as_ref();
        let Some(bytes) = bytes.filter(|_| payload.includes(key.class, key.key_type)) else {
            return Err(Error::with(
                ck::CKR_KEY_NOT_WRAPPABLE,
                format!("{} does not wrap keys of this kind", row.name),
            ));
        };
        if !key.is(ck::CKA_EXTRACTABLE) {
            return Err(Error::new(ck::CKR_KEY_UNEXTRACTABLE, "the key may not leave the HSM (CKA_EXTRACTABLE)"));
        }
        if key.is(ck::CKA_WRAP_WITH_TRUSTED) && !wrapping_key.is(ck::CKA_TRUSTED) {
            return Err(Error::new(
                ck::CKR_KEY_NOT_WRAPPABLE,
                "the key may be wrapped by a trusted key only (CKA_WRAP_WITH_TRUSTED)",
            ));
        }
        if let Some(template) = wrapping_key.attributes.get(ck::CKA_WRAP_TEMPLATE)
            && !find::matches(key, &Template::unflatten(template)?, self.regime())
        {
            return Err(Error::new(
                ck::CKR_KEY_HANDLE_INVALID,
                "the key is not as CKA_WRAP_TEMPLATE of the wrapping key wants it",
            ));
        }
        (bytes.encode)(&key.material)
    }

    /// The caller's template and CKA_UNWRAP_TEMPLATE of the unwrapping key in one.
    ///
    /// # Errors
    /// CKR_TEMPLATE_INCONSISTENT where the two contradict each other (PKCS#11 3.2 section 5.18.4).
    pub fn with_unwrap_template(&self, unwrapping_key: &Object, mut template: Template) -> Result<Template> {
        if let Some(own) = unwrapping_key.attributes.get(ck::CKA_UNWRAP_TEMPLATE) {
            template.join(own)?;
        }
        Ok(template)
    }

    /// Makes a key from its wrapped form.
    ///
    /// # Errors
    /// What the policy and the rules refuse; CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE.
    pub fn unwrap_key(
        &self,
        login: &Login,
        work: &Work<'_>,
        wrapped: &[u8],
        template: &Template,
    ) -> Result<Arc<Object>> {
        policy::may(login, Command::CreateKeys)?;
        let kind = self.kind_of_template(template)?;
        let wrapping = work.row.serves.wrap.as_ref().ok_or(NOT_SERVED)?;
        // The template is judged before the wrapped key is looked at, so that no answer tells of what is in it.
        let mut draft = create::draft(kind, Making::Unwrap, template, self.regime())?;
        let bytes = kind.form.bytes.as_ref();
        let key_type = draft.number(ck::CKA_KEY_TYPE).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
        let bytes = bytes.filter(|_| wrapping.payload.includes(kind.class, key_type)).ok_or_else(|| {
            Error::with(ck::CKR_TEMPLATE_INCONSISTENT, format!("{} does not unwrap this kind of key", work.row.name))
        })?;
        let claimed = draft.number(ck::CKA_VALUE_LEN);
        let value = (wrapping.unwrap)(work, wrapped, kind.form.lengths)?;
        if claimed.is_some_and(|claimed| claimed != value.len() as u64) {
            return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "the key has not the length of CKA_VALUE_LEN"));
        }
        let material = (bytes.decode)(value, &mut draft)?;
        self.check_public_values(&draft)?;
        create::set_history(&mut draft, false, false);
        let new = self.complete(kind, Making::Unwrap, draft, material, None)?;
        let mut made = self.keep(Some(login), vec![new], Opcode::UnwrapKey)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Derives a key from `base`.
    ///
    /// # Errors
    /// What the policy, the rules and the mechanism refuse.
    pub fn derive_key(
        &self,
        login: &Login,
        work: &Work<'_>,
        base: &Object,
        template: &Template,
    ) -> Result<Arc<Object>> {
        policy::may(login, Command::CreateKeys)?;
        let kind = self.kind_of_derived(template)?;
        let deriving = work.row.serves.derive.as_ref().ok_or(NOT_SERVED)?;
        let mut draft = create::draft(kind, Making::Derive, template, self.regime())?;
        let (Some(bytes), ck::CKO_SECRET_KEY) = (&kind.form.bytes, kind.class) else {
            return Err(Error::new(ck::CKR_TEMPLATE_INCONSISTENT, "only secret keys are derived"));
        };
        if deriving.inherits {
            inherit(base, template, &mut draft)?;
        }
        // Without a length a mechanism that has its own gives it; one that has none says that it must be given.
        let wanted = match (kind.form.lengths.only(), draft.number(ck::CKA_VALUE_LEN)) {
            (None, None) => None,
            _ => Some(kind.form.lengths.wanted(&draft)?),
        };
        let value = (deriving.derive)(work, wanted)?;
        let material = (bytes.decode)(value, &mut draft).map_err(|error| match error.rv() {
            ck::CKR_WRAPPED_KEY_INVALID => Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN must be given"),
            _ => error,
        })?;
        create::set_history(&mut draft, true, false);
        create::continue_history(&mut draft, base);
        let new = self.complete(kind, Making::Derive, draft, material, Some(work.row))?;
        let mut made = self.keep(Some(login), vec![new], Opcode::DeriveKey)?;
        made.pop().ok_or(NOTHING_MADE)
    }
}

/// A key derived from a secret key alone is protected at least as that one is: what is not said follows the base key,
/// and what contradicts it is refused.
fn inherit(base: &Object, template: &Template, draft: &mut Draft) -> Result<()> {
    for (attribute, protected) in
        [(ck::CKA_SENSITIVE, true), (ck::CKA_EXTRACTABLE, false), (ck::CKA_WRAP_WITH_TRUSTED, true)]
    {
        if base.is(attribute) != protected || draft.is(attribute) == protected {
            continue;
        }
        if template.flag(attribute).is_some() {
            return Err(Error::with(
                ck::CKR_TEMPLATE_INCONSISTENT,
                format!(
                    "{} would protect the derived key less than its base key",
                    crate::object::attribute::name(attribute)
                ),
            ));
        }
        draft.set_flag(attribute, protected);
    }
    Ok(())
}

const NOT_SERVED: Error = Error::internal("a row without the functions that it serves");
