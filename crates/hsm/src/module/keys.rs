//! The life of an object: generated or imported, read, changed, copied, destroyed.

use std::sync::Arc;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_ULONG};
use base::error::{Error, Result};
use store::{Durability, Kind};

use super::audit::{Event, Opcode};
use super::commit::{Plan, Planned};
use super::policy::{self, Command};
use super::quorum::{Actor, KeyQuorum, Toll};
use super::sharing::Sharing;
use super::stored::is_asymmetric;
use super::{Login, Module};
use crate::mechanism::{self, Mechanism, Parameter, ParameterKind, Unit, Use};
use crate::object::attributes::Draft;
use crate::object::create::{self, Changer};
use crate::object::rules::{Kind as ObjectKind, Making, Reading};
use crate::object::{KeyMaterial, Object, Template, reading, record, safeguards};

/// A new object that is not stored yet: its attributes and material.
pub struct NewKey {
    pub(super) attributes: Draft,
    pub(super) material: KeyMaterial,
}

/// A mechanism that makes keys, which the regime serves.
#[derive(Clone, Copy)]
pub struct Generator(&'static Mechanism);

impl Module {
    /// Returns the generator of a mechanism for one of the two uses; `decode` looks at the parameter.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for one that is not served for it; what `decode` refuses.
    pub fn generator(
        &self,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Generator> {
        let (row, terms) = mechanism::serve(mechanism, what, self.regime())?;
        decode(terms.parameter)?;
        Ok(Generator(row))
    }

    /// Makes a secret key, shared as its maker wants it. Without a login only what the profile lets everybody make.
    ///
    /// # Errors
    /// What the policy, the rules and the generator refuse; CKR_ARGUMENTS_BAD for users who cannot share it and quorum values
    /// that do not fit.
    pub fn generate_key<'a>(
        &self,
        login: impl Into<Option<&'a Login>>,
        generator: Generator,
        template: &Template,
        sharing: &Sharing<'_>,
    ) -> Result<Arc<Object>> {
        let (login, row) = (login.into(), generator.0);
        self.may_make_some(login)?;
        let generator = row.serves.generate.as_ref().ok_or(NOT_A_GENERATOR)?;
        let kind = self.kind_for(template, ck::CKO_SECRET_KEY, generator.key_type)?;
        let mut draft = create::draft(kind, Making::Generate, template, self.regime())?;
        self.may_generate(login, &[&draft])?;
        safeguards::keep_apart(&mut [(template, &mut draft)], self.regime())?;
        // Before the work: what cannot be shared is not made.
        sharing.check(draft.is(ck::CKA_TOKEN))?;
        let material = (generator.make)(&mut draft)?;
        // The form knows the lengths of a key type; what secure mode leaves of them, the row does.
        if let (Unit::Bits, Some(length)) = (row.keys.unit, draft.number(ck::CKA_VALUE_LEN)) {
            self.check_size(row, length.saturating_mul(8))?;
        }
        create::set_history(&mut draft, true, true);
        let new = self.complete(kind, Making::Generate, draft, material, Some(row))?;
        let mut made = self.keep_shared(login, vec![new], Opcode::GenerateKey, sharing)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Makes a key pair: the public and the private key, stored together or not at all.
    ///
    /// # Errors
    /// As [`Module::generate_key`].
    pub fn generate_key_pair<'a>(
        &self,
        login: impl Into<Option<&'a Login>>,
        generator: Generator,
        public_template: &Template,
        private_template: &Template,
        sharing: &Sharing<'_>,
    ) -> Result<(Arc<Object>, Arc<Object>)> {
        let (login, row) = (login.into(), generator.0);
        self.may_make_some(login)?;
        let regime = self.regime();
        let generator = row.serves.generate_pair.as_ref().ok_or(NOT_A_GENERATOR)?;
        let public_kind = self.kind_for(public_template, ck::CKO_PUBLIC_KEY, generator.key_type)?;
        let private_kind = self.kind_for(private_template, ck::CKO_PRIVATE_KEY, generator.key_type)?;
        let mut public = create::draft(public_kind, Making::Generate, public_template, regime)?;
        let useless = self.dialect().private_template_bug
            && generator.key_type == ck::CKK_RSA
            && private_template.names(PARAMETERS_OF_A_PAIR);
        let mut private = if useless {
            create::useless(private_kind, &private_template.without(PARAMETERS_OF_A_PAIR), regime)?
        } else {
            create::draft(private_kind, Making::Generate, private_template, regime)?
        };
        self.may_generate(login, &[&public, &private])?;
        safeguards::keep_apart(&mut [(public_template, &mut public), (private_template, &mut private)], regime)?;
        if let Some(bits) = public.number(ck::CKA_MODULUS_BITS) {
            self.check_size(row, bits)?;
        }
        if let Some(exponent) = public.get(ck::CKA_PUBLIC_EXPONENT) {
            self.check_exponent(exponent)?;
        }
        sharing.check(public.is(ck::CKA_TOKEN) && private.is(ck::CKA_TOKEN))?;
        // Seconds for a large RSA key: no lock is held here.
        let (public_material, private_material) = (generator.make)(&mut public, &mut private, self.mode())?;
        create::set_history(&mut public, true, true);
        create::set_history(&mut private, true, true);
        let new = vec![
            self.complete(public_kind, Making::Generate, public, public_material, Some(row))?,
            self.complete(private_kind, Making::Generate, private, private_material, Some(row))?,
        ];
        let mut made = self.keep_shared(login, new, Opcode::GenerateKeyPair, sharing)?;
        let private = made.pop().ok_or(NOTHING_MADE)?;
        let public = made.pop().ok_or(NOTHING_MADE)?;
        Ok((public, private))
    }

    /// Imports an object (C_CreateObject). Without a login only what the profile lets everybody make.
    ///
    /// # Errors
    /// What the policy and the rules refuse, and material that does not fit together.
    pub fn create_object(&self, login: Option<&Login>, template: &Template) -> Result<Arc<Object>> {
        let kind = self.kind_of_template(template)?;
        self.take_certificate_turn(kind.class, true)?;
        let made = self.import(login, kind, template);
        self.observe_certificate(login, kind.class, Opcode::CreateObject, 0, made)
    }

    fn import(&self, login: Option<&Login>, kind: &'static ObjectKind, template: &Template) -> Result<Arc<Object>> {
        let regime = self.regime();
        let mut draft = match login {
            Some(login) if login.role == super::Role::CryptoOfficer => {
                create::draft_of_officer(kind, template, regime)?
            }
            _ => create::draft(kind, Making::Create, template, regime)?,
        };
        safeguards::keep_apart(&mut [(template, &mut draft)], regime)?;
        self.may_make(login, &draft)?;
        let material = (kind.form.import)(template, &mut draft)?;
        self.check_public_values(&draft)?;
        if kind.key_type.is_some() {
            create::set_history(&mut draft, false, false);
        }
        let new = self.complete(kind, Making::Create, draft, material, None)?;
        let mut made = self.keep(login, vec![new], Opcode::CreateObject)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Copies an object with changes (C_CopyObject).
    ///
    /// # Errors
    /// What the policy and the rules refuse.
    pub fn copy_object(&self, login: Option<&Login>, object: &Object, template: &Template) -> Result<Arc<Object>> {
        self.may_manage(login.map(Actor::from), object, Command::ManageKey)?.none()?;
        let kind = kind_of(object)?;
        let draft = create::change(kind, &object.attributes, template, Changer::Copy, self.regime())?;
        let mut new = NewKey { attributes: draft, material: clone_of(object)?.material };
        reading::check_public_key(&new.attributes, &new.material)?;
        self.may_make(login, &new.attributes)?;
        new.attributes.remove(ck::CKA_UNIQUE_ID);
        // An officer trusted that one object.
        if new.attributes.is(ck::CKA_TRUSTED) {
            new.attributes.set_flag(ck::CKA_TRUSTED, false);
        }
        self.set_unique_id(kind, Making::Create, &mut new.attributes)?;
        let mut made = self.keep(login, vec![new], Opcode::CreateObject)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Changes an object (C_SetAttributeValue) and returns its new form; of a session object the caller keeps the new form in
    /// the place of the old one, which nobody else may have changed meanwhile.
    ///
    /// # Errors
    /// What the policy and the rules refuse. If another has changed a token object meanwhile, `object` is marked as superseded:
    /// the change can be asked for again on the newest form.
    pub fn change_object(&self, login: Option<&Login>, object: &Object, template: &Template) -> Result<Arc<Object>> {
        self.change_object_approved(login.map(Actor::from), object, template)
    }

    /// The same for a request that may come with the approvals of a quorum.
    ///
    /// # Errors
    /// As [`Module::change_object`], and AWS's texts for approvals that do not do.
    pub fn change_object_approved(
        &self,
        actor: Option<Actor<'_>>,
        object: &Object,
        template: &Template,
    ) -> Result<Arc<Object>> {
        if object.is_key() && !self.dialect().extensions {
            return Err(Error::new(ck::CKR_FUNCTION_NOT_SUPPORTED, "only certificates are changed in this profile"));
        }
        self.take_certificate_turn(object.class, true)?;
        let (login, number) = (actor.map(|actor| actor.login), object.audit_number());
        let changed = self.change(actor, object, template);
        self.observe_certificate(login, object.class, Opcode::ModifyObject, number, changed)
    }

    fn change(&self, actor: Option<Actor<'_>>, object: &Object, template: &Template) -> Result<Arc<Object>> {
        let login = actor.map(|actor| actor.login);
        let (changer, toll) = match actor {
            Some(Actor { login, .. }) if login.role == super::Role::CryptoOfficer => {
                if object.is_key() {
                    policy::may_with(login, Command::Trust, object)?;
                    (Changer::Officer, Toll::NOTHING)
                } else {
                    (Changer::Keeper, self.may_manage(actor, object, Command::ManageKey)?)
                }
            }
            _ => (Changer::Owner, self.may_manage(actor, object, Command::ManageKey)?),
        };
        let draft = create::change(kind_of(object)?, &object.attributes, template, changer, self.regime())?;
        let new = NewKey { attributes: draft, material: clone_of(object)?.material };
        reading::check_public_key(&new.attributes, &new.material)?;
        match object.id {
            Some(id) => self.hsm()?.replace(actor, toll, object, id, new),
            // A session object that becomes a token object is stored for the first time.
            None => {
                toll.none()?;
                let sharing = Sharing::default();
                let mut made = self.keep_for(login, object.owner, vec![new], Opcode::ModifyObject, &sharing)?;
                made.pop().ok_or(NOTHING_MADE)
            }
        }
    }

    /// Destroys an object: first in the store, then in memory, so that a failure leaves it usable.
    ///
    /// # Errors
    /// What the policy refuses; CKR_ACTION_PROHIBITED for an object that is not destroyable; as [`Module::change_object`] if
    /// another has changed it meanwhile.
    pub fn destroy_object(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        self.take_certificate_turn(object.class, true)?;
        let destroyed = self.destroy(login, object);
        self.observe_certificate(login, object.class, Opcode::TombstoneObject, object.audit_number(), destroyed)
    }

    fn destroy(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        self.may_manage(login.map(Actor::from), object, Command::DeleteKey)?.none()?;
        if object.attributes.flag(ck::CKA_DESTROYABLE) == Some(false) {
            return Err(Error::new(ck::CKR_ACTION_PROHIBITED, "the object is not destroyable (CKA_DESTROYABLE)"));
        }
        if let Some(id) = object.id {
            let hsm = self.hsm()?;
            hsm.commit(login, Durability::Synced, &mut |view, _| {
                let expected = hsm.unchanged_in(view, object, id)?;
                let mut changes = vec![Planned::Delete { kind: Kind::Object, id: id.0, expected }];
                changes.extend(hsm.plan_without_shares(view, None, Some(id))?);
                changes.extend(hsm.plan_without_tokens(view, None, Some(id))?);
                Ok(Plan {
                    changes,
                    events: vec![Event::on_objects(login, Opcode::TombstoneObject, &[object])],
                    keys: -i64::from(object.is_key()),
                    asymmetric: -i64::from(is_asymmetric(object)),
                })
            })?;
        } else if object.is_key() {
            self.observe(|| vec![Event::on_objects(login, Opcode::DestroyObject, &[object])])?;
        }
        object.mark_destroyed();
        Ok(())
    }

    /// Reads one attribute (C_GetAttributeValue): hands its value to `take`.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_TYPE_INVALID for one that this kind of object does not show, CKR_ATTRIBUTE_SENSITIVE for key
    /// material that may not leave.
    #[inline]
    pub fn read_attribute<R>(
        &self,
        login: Option<&Login>,
        object: &Object,
        id: CK_ATTRIBUTE_TYPE,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let reading =
            object.kind.and_then(|kind| kind.rule(id)).map_or(Reading::Unknown, |rule| rule.reading(self.regime()));
        match reading {
            Reading::Shown(unset) => match object.attributes.get(id) {
                Some(value) => Ok(take(value)),
                None => reading::unset(object, id, unset)?.map(|value| take(&value)).ok_or(UNKNOWN_ATTRIBUTE),
            },
            Reading::Material => {
                let officer = login.is_some_and(|login| login.role == super::Role::CryptoOfficer);
                // What may leave under a trusted key or with a quorum only does not leave in clear.
                if officer
                    || object.is(ck::CKA_SENSITIVE)
                    || !object.is(ck::CKA_EXTRACTABLE)
                    || safeguards::leaves_under_trusted_only(object, self.regime())
                    || KeyQuorum::of(object).is_set()
                {
                    return Err(SENSITIVE);
                }
                object.material.reveal(id).map(take).ok_or(UNKNOWN_ATTRIBUTE)
            }
            Reading::Never => Err(SENSITIVE),
            Reading::Unknown => Err(UNKNOWN_ATTRIBUTE),
        }
    }

    /// The size of an object as it is kept, in bytes (C_GetObjectSize).
    #[must_use]
    pub fn object_size(&self, object: &Object) -> CK_ULONG {
        record::encode(&object.attributes, &object.material).len() as CK_ULONG
    }
}

/// What of a pair stands in the template of the public key.
const PARAMETERS_OF_A_PAIR: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_MODULUS_BITS, ck::CKA_PUBLIC_EXPONENT];
const NOT_A_GENERATOR: Error = Error::new(ck::CKR_MECHANISM_INVALID, "the mechanism makes no such key");
pub(super) const NOTHING_MADE: Error = Error::internal("nothing was made");
pub(super) const GONE: Error = Error::new(ck::CKR_OBJECT_HANDLE_INVALID, "the object has been destroyed");
const SENSITIVE: Error = Error::new(ck::CKR_ATTRIBUTE_SENSITIVE, "key material that may not leave the HSM");
const UNKNOWN_ATTRIBUTE: Error = Error::new(ck::CKR_ATTRIBUTE_TYPE_INVALID, "the object has no such attribute");

/// The same object once more, with material of its own.
pub(super) fn clone_of(object: &Object) -> Result<Object> {
    let (attributes, material) = record::decode(record::encode(&object.attributes, &object.material).expose())?;
    let clone = Object::new(attributes, material, object.owner);
    Ok(match object.id {
        Some(id) => clone.stored(id, object.version),
        None => clone,
    })
}

pub(super) fn kind_of(object: &Object) -> Result<&'static ObjectKind> {
    object.kind.ok_or(Error::internal("an object of a kind without rules"))
}
