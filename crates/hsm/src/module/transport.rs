//! Keys that leave the HSM wrapped, come in wrapped, or are derived inside it.
//!
//! What may leave is the payload's to say (extractable, only under a trusted key), and then the wrapping key's, whose
//! template names what it wraps. What comes in is made by the same rules as any new key, with its history unknown.

use std::sync::Arc;

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;

use super::Module;
use super::audit::{Event, Opcode};
use super::keys::{NOTHING_MADE, kind_of};
use super::policy::Command;
use super::quorum::{Actor, Toll};
use super::sharing::Sharing;
use super::tool::Tool;
use crate::mechanism::{self, Use};
use crate::object::form::Lengths;
use crate::object::rules::Making;
use crate::object::{Object, Template, create, find, inheritance, safeguards};

/// A key that left the HSM.
pub struct Wrapped {
    memory: Secret,
    length: usize,
    /// The IV that the HSM has made, if the caller is to be told.
    pub iv: Option<[u8; 12]>,
}

impl Wrapped {
    /// The wrapped key.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.expose().get(..self.length).unwrap_or_default()
    }
}

impl Module {
    /// Wraps `key` by a tool of the wrapping key. `owner` asks for the key, with the approvals that the key needs. `room` is
    /// told the length that the wrapped key can have, and says whether it is wanted: nothing is made for a question.
    ///
    /// # Errors
    /// CKR_KEY_HANDLE_INVALID and CKR_ACTION_PROHIBITED for a key that is not the user's, CKR_KEY_UNEXTRACTABLE,
    /// CKR_KEY_NOT_WRAPPABLE for a kind of key that the mechanism does not wrap or one that only a trusted key may
    /// wrap; CKR_KEY_HANDLE_INVALID for one that CKA_WRAP_TEMPLATE excludes (PKCS#11 3.2 section 5.18.3);
    /// CKR_KEY_SIZE_RANGE for one that the mechanism cannot hold; AWS's texts for approvals that do not do.
    pub fn wrap_key(
        &self,
        mut tool: Tool<'_>,
        owner: Option<Actor<'_>>,
        key: &Object,
        room: impl FnOnce(usize) -> Result<bool>,
    ) -> Result<Option<Wrapped>> {
        let (bytes, toll) = self.payload(&tool, owner, key)?;
        let wrapping = tool.task.row.serves.wrap.as_ref().ok_or(NOT_SERVED)?;
        let length = (wrapping.length)(&tool.task.work(), bytes.len())?;
        if !room(length)? {
            return Ok(None);
        }
        self.pay(&[(tool.toll, tool.actor), (toll, owner)])?;
        self.observe_use_of(&tool)?;
        let iv = mechanism::make_iv(tool.task.terms.parameter, Use::Wrap, &mut tool.task.parameter)?;
        let mut memory = Secret::zeros(length).ok_or(NO_MEMORY)?;
        let length = (wrapping.wrap)(&tool.task.work(), bytes.expose(), memory.expose_mut())?;
        // Recorded before it leaves.
        self.observe(|| {
            let login = owner.map(|owner| owner.login);
            let event = |opcode, key: &Object| Event::of(login, opcode).on(key.audit_number());
            let wrapping = (tool.task.key.key_type == ck::CKK_AES).then(|| event(Opcode::NistAesWrap, &tool.task.key));
            std::iter::once(event(Opcode::WrapKey, key)).chain(wrapping).collect()
        })?;
        Ok(Some(Wrapped { memory, length, iv }))
    }

    /// The bytes of `key` that a tool wraps, if all of the rules let the key leave, and what approvals that costs.
    fn payload(&self, tool: &Tool<'_>, owner: Option<Actor<'_>>, key: &Object) -> Result<(Secret, Toll)> {
        let (row, wrapping_key) = (tool.task.row, &*tool.task.key);
        if key.class == ck::CKO_PUBLIC_KEY {
            return Err(Error::new(ck::CKR_KEY_NOT_WRAPPABLE, "a public key is no secret to be wrapped"));
        }
        let toll = self.may_manage(owner, key, Command::ManageKey)?;
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
        // Its bytes could come back with other uses and open what it wrapped: the wrapped form does not tell that it is trusted.
        if key.is(ck::CKA_TRUSTED) {
            return Err(Error::new(
                ck::CKR_KEY_NOT_WRAPPABLE,
                "a key that an officer trusts does not leave (CKA_TRUSTED)",
            ));
        }
        let regime = self.regime();
        let trusted = wrapping_key.is(ck::CKA_TRUSTED) && safeguards::may_be_trusted(&wrapping_key.attributes, regime);
        if safeguards::leaves_under_trusted_only(key, regime) && !trusted {
            return Err(Error::new(
                ck::CKR_KEY_NOT_WRAPPABLE,
                "the key may be wrapped by a trusted key only (CKA_WRAP_WITH_TRUSTED)",
            ));
        }
        if regime.safeguards.strength_kept && tool.strength() < safeguards::strength(key) {
            return Err(Error::new(ck::CKR_KEY_NOT_WRAPPABLE, "the key is stronger than what would wrap it"));
        }
        // Under one IV of the caller's, a key that the caller knows would tell the one that nobody is to know.
        if wrapping_key.is(ck::CKA_TRUSTED) && tool.task.parameter.has_callers_iv() {
            return Err(Error::new(
                ck::CKR_MECHANISM_PARAM_INVALID,
                "a trusted key does not wrap under an IV of the caller's",
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
        Ok(((bytes.encode)(&key.material)?, toll))
    }

    /// The caller's template and CKA_UNWRAP_TEMPLATE of the unwrapping key in one.
    ///
    /// # Errors
    /// CKR_TEMPLATE_INCONSISTENT where the two contradict each other (PKCS#11 3.2 section 5.18.4).
    pub fn with_unwrap_template(&self, tool: &Tool<'_>, mut template: Template) -> Result<Template> {
        if let Some(own) = tool.task.key.attributes.get(ck::CKA_UNWRAP_TEMPLATE) {
            template.join(own)?;
        }
        Ok(template)
    }

    /// The caller's template and CKA_DERIVE_TEMPLATE of the base key in one.
    ///
    /// # Errors
    /// CKR_TEMPLATE_INCONSISTENT where the two contradict each other (PKCS#11 3.2 sections 4.9 and 4.10).
    pub fn with_derive_template(&self, tool: &Tool<'_>, mut template: Template) -> Result<Template> {
        if let Some(own) = tool.task.key.attributes.get(ck::CKA_DERIVE_TEMPLATE) {
            template.join(own)?;
        }
        Ok(template)
    }

    /// Makes a key from its wrapped form, with a template that [`Module::with_unwrap_template`] has made whole. The approvals
    /// that the unwrapping key needs are used up before the wrapped key is opened, so that no answer tells of it without.
    ///
    /// # Errors
    /// What the policy and the rules refuse; CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE; AWS's texts for approvals
    /// that do not do.
    pub fn unwrap_key(
        &self,
        tool: Tool<'_>,
        wrapped: &[u8],
        template: &Template,
        sharing: &Sharing<'_>,
    ) -> Result<Arc<Object>> {
        let (row, unwrapping_key, login) = (tool.task.row, &*tool.task.key, tool.login());
        self.may_make_some(login)?;
        let kind = self.kind_of_template(template)?;
        let wrapping = row.serves.wrap.as_ref().ok_or(NOT_SERVED)?;
        // The template is judged before the wrapped key is looked at, so that no answer tells of what is in it.
        let mut draft = create::draft(kind, Making::Unwrap, template, self.regime())?;
        let bytes = kind.form.bytes.as_ref();
        let key_type = draft.number(ck::CKA_KEY_TYPE).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
        let bytes = bytes.filter(|_| wrapping.payload.includes(kind.class, key_type)).ok_or_else(|| {
            Error::with(ck::CKR_TEMPLATE_INCONSISTENT, format!("{} does not unwrap this kind of key", row.name))
        })?;
        inheritance::unwrap(unwrapping_key, template, &mut draft, self.regime())?;
        self.may_generate(login, &[&draft])?;
        // A length that the template claims narrows what the wrapped key may hold, before it is opened.
        let lengths = match draft.number(ck::CKA_VALUE_LEN) {
            Some(_) => Lengths::Only(kind.form.lengths.wanted(&draft)?),
            None => kind.form.lengths,
        };
        let held = (wrapping.holds)(&tool.task.work(), wrapped.len())?;
        // What its length alone excludes is said before anything is opened (PKCS#11 3.2 section 5.1, CKR_WRAPPED_KEY_LEN_RANGE).
        if kind.class == ck::CKO_SECRET_KEY && !lengths.each().any(|length| held.contains(&length)) {
            return Err(Error::new(
                ck::CKR_WRAPPED_KEY_LEN_RANGE,
                "no key of this type is as long as this wrapped one",
            ));
        }
        if wrapped.len() > LONGEST_WRAPPED {
            return Err(Error::new(ck::CKR_WRAPPED_KEY_LEN_RANGE, "no key is as long as this wrapped one"));
        }
        self.put_to_use(&tool)?;
        let value = (wrapping.unwrap)(&tool.task.work(), wrapped, lengths)?;
        if kind.class == ck::CKO_SECRET_KEY && !lengths.allow(value.len()) {
            return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "the wrapped key has not the length of its type"));
        }
        let material = (bytes.decode)(value, &mut draft)?;
        self.check_public_values(&draft)
            .map_err(|error| Error::with(ck::CKR_WRAPPED_KEY_INVALID, error.message().to_owned()))?;
        create::set_history(&mut draft, false, false);
        if unwrapping_key.key_type == ck::CKK_AES {
            self.observe(|| vec![Event::of(login, Opcode::NistAesWrap).on(unwrapping_key.audit_number())])?;
        }
        let new = self.complete(kind, Making::Unwrap, draft, material, None)?;
        let mut made = self.keep_shared(login, vec![new], Opcode::UnwrapKey, sharing)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Returns a wrapped key anew without the zeros that the token it comes from has put behind its value, up to a multiple of 8 bytes:
    /// they would be taken for a part of the key. `length` is that of the value; without it the value tells, as PKCS#8 does.
    ///
    /// # Errors
    /// CKR_WRAPPED_KEY_INVALID for what does not open, and for what is not filled up so; AWS's texts for approvals that do not do.
    pub fn rewrap_without_filling(&self, tool: Tool<'_>, wrapped: Vec<u8>, length: Option<usize>) -> Result<Vec<u8>> {
        self.put_to_use(&tool)?;
        let wrapping = tool.task.row.serves.wrap.as_ref().ok_or(NOT_SERVED)?;
        let work = tool.task.work();
        let value = (wrapping.unwrap)(&work, &wrapped, Lengths::None)?;
        let filled = value.expose().len();
        let value = mechanism::without_filling(value, length.map_or(Lengths::None, Lengths::Only))?;
        let key = value.expose();
        if key.len() == filled {
            return Ok(wrapped);
        }
        let mut exact = vec![0; (wrapping.length)(&work, key.len())?];
        let written = (wrapping.wrap)(&work, key, &mut exact)?;
        exact.truncate(written);
        Ok(exact)
    }

    /// Derives a key from that of a tool, with a template that [`Module::with_derive_template`] has made whole.
    ///
    /// # Errors
    /// What the policy, the rules and the mechanism refuse.
    pub fn derive_key(&self, tool: Tool<'_>, template: &Template) -> Result<Arc<Object>> {
        let (base, login) = (&*tool.task.key, tool.login());
        self.may_make_some(login)?;
        let kind = self.kind_of_derived(template)?;
        let deriving = tool.task.row.serves.derive.as_ref().ok_or(NOT_SERVED)?;
        let mut draft = create::draft(kind, Making::Derive, template, self.regime())?;
        let (Some(bytes), ck::CKO_SECRET_KEY) = (&kind.form.bytes, kind.class) else {
            return Err(Error::new(ck::CKR_TEMPLATE_INCONSISTENT, "only secret keys are derived"));
        };
        if kind.key_type == Some(ck::CKK_DES3) && !self.mode().new_triple_des {
            return Err(Error::new(ck::CKR_TEMPLATE_INCONSISTENT, "FIPS mode makes no triple-DES keys"));
        }
        safeguards::check_base(base, self.regime())?;
        if deriving.inherits {
            inheritance::derive(base, kind, template, &mut draft, self.regime())?;
        }
        self.may_generate(login, &[&draft])?;
        // Without a length a mechanism that has its own gives it; one that has none says that it must be given.
        let wanted = match (kind.form.lengths.only(), draft.number(ck::CKA_VALUE_LEN)) {
            (None, None) => None,
            _ => Some(kind.form.lengths.wanted(&draft)?),
        };
        if wanted.is_some_and(|wanted| wanted < SHORTEST_DERIVED) {
            return Err(Error::with(
                ck::CKR_ATTRIBUTE_VALUE_INVALID,
                format!("a derived key has {SHORTEST_DERIVED} bytes or more"),
            ));
        }
        self.put_to_use(&tool)?;
        let value = (deriving.derive)(&tool.task.work(), wanted)?;
        let material = (bytes.decode)(value, &mut draft).map_err(|error| match error.rv() {
            ck::CKR_WRAPPED_KEY_INVALID => Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN must be given"),
            _ => error,
        })?;
        create::continue_history(&mut draft, base);
        let new = self.complete(kind, Making::Derive, draft, material, None)?;
        let mut made = self.keep(login, vec![new], Opcode::DeriveKey)?;
        made.pop().ok_or(NOTHING_MADE)
    }
}

/// Longer than any wrapped key: the PKCS#8 of an RSA key of 16,384 bits has less than 10,000 bytes.
const LONGEST_WRAPPED: usize = 64 * 1024;

/// A derived key shorter than 112 bits could be guessed (SP 800-131A), and since a shorter key is the beginning or the end
/// of a longer one, keys that grow by a byte would tell all of it (Clulow 2003).
const SHORTEST_DERIVED: usize = 14;

const NO_MEMORY: Error = Error::new(ck::CKR_HOST_MEMORY, "no memory for the wrapped key");
const NOT_SERVED: Error = Error::internal("a row without the functions that it serves");
