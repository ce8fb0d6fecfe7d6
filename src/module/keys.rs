//! The life of an object: generated or imported, read, changed, copied, destroyed.

use std::sync::Arc;

use super::audit::Opcode;
use super::commit::{Plan, Planned};
use super::policy::{self, Command};
use super::stored::{events, is_asymmetric};
use super::{Login, Module};
use crate::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use crate::error::{Error, Result};
use crate::mechanism::{self, Mechanism};
use crate::object::attributes::Draft;
use crate::object::create::{self, Changer};
use crate::object::key::Shape;
use crate::object::rules::{self, Kind as ObjectKind, Making, Reading};
use crate::object::{KeyMaterial, NOBODY, Object, Template, import, record};
use crate::store::{Durability, Kind};

/// A new object that is not stored yet: its attributes and material.
pub struct NewKey {
    pub(super) attributes: Draft,
    pub(super) material: KeyMaterial,
}

impl Module {
    /// Makes a secret key.
    ///
    /// # Errors
    /// What the policy, the rules and the generator refuse.
    pub fn generate_key(&self, login: &Login, row: &Mechanism, template: &Template) -> Result<Arc<Object>> {
        policy::may(login, Command::CreateKeys)?;
        let generator = row.serves.generate.as_ref().ok_or(NOT_A_GENERATOR)?;
        let kind = self.kind_for(template, ck::CKO_SECRET_KEY, generator.key_type)?;
        let mut draft = create::draft(kind, Making::Generate, template, self.regime())?;
        let material = (generator.make)(&mut draft)?;
        create::set_history(&mut draft, true, true);
        let new = self.complete(kind, Making::Generate, draft, material, Some(row))?;
        let mut made = self.keep(Some(login), vec![new], Opcode::GenerateKey)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Makes a key pair: the public and the private key, stored together or not at all.
    ///
    /// # Errors
    /// As [`Module::generate_key`].
    pub fn generate_key_pair(
        &self,
        login: &Login,
        row: &Mechanism,
        public: &Template,
        private: &Template,
    ) -> Result<(Arc<Object>, Arc<Object>)> {
        policy::may(login, Command::CreateKeys)?;
        let regime = self.regime();
        let generator = row.serves.generate_pair.as_ref().ok_or(NOT_A_GENERATOR)?;
        let public_kind = self.kind_for(public, ck::CKO_PUBLIC_KEY, generator.key_type)?;
        let private_kind = self.kind_for(private, ck::CKO_PRIVATE_KEY, generator.key_type)?;
        let mut public = create::draft(public_kind, Making::Generate, public, regime)?;
        let useless = self.dialect().private_template_bug && private.names(PARAMETERS_OF_A_PAIR);
        let mut private = if useless {
            create::useless(private_kind, &private.without(PARAMETERS_OF_A_PAIR)?, regime)?
        } else {
            create::draft(private_kind, Making::Generate, private, regime)?
        };
        if let Some(bits) = public.number(ck::CKA_MODULUS_BITS) {
            self.check_size(row, bits, ck::CKR_KEY_SIZE_RANGE)?;
        }
        if let Some(exponent) = public.get(ck::CKA_PUBLIC_EXPONENT) {
            self.check_exponent(exponent)?;
        }
        // Seconds for a large RSA key: no lock is held here.
        let (public_material, private_material) = (generator.make)(&mut public, &mut private, self.mode())?;
        create::set_history(&mut public, true, true);
        create::set_history(&mut private, true, true);
        let new = vec![
            self.complete(public_kind, Making::Generate, public, public_material, Some(row))?,
            self.complete(private_kind, Making::Generate, private, private_material, Some(row))?,
        ];
        let mut made = self.keep(Some(login), new, Opcode::GenerateKeyPair)?;
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
        if let Some(login) = login {
            policy::may(login, Command::CreateKeys)?;
        }
        let mut draft = create::draft(kind, Making::Create, template, self.regime())?;
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
        self.may_manage(login, object)?;
        let kind = kind_of(object)?;
        let draft = create::change(kind, &object.attributes, template, Changer::Copy, self.regime())?;
        let (_, material) = record::decode(record::encode(&object.attributes, &object.material).expose())?;
        let mut new = NewKey { attributes: draft, material };
        self.may_make(login, &new.attributes)?;
        new.attributes.remove(ck::CKA_UNIQUE_ID);
        // An officer trusted that one key; a copy may have other uses, so it is not trusted with it.
        if new.attributes.is(ck::CKA_TRUSTED) {
            new.attributes.set_flag(ck::CKA_TRUSTED, false);
        }
        self.set_unique_id(kind, Making::Create, &mut new.attributes)?;
        let mut made = self.keep(login, vec![new], Opcode::CreateObject)?;
        made.pop().ok_or(NOTHING_MADE)
    }

    /// Changes an object (C_SetAttributeValue) and returns its new form; the old one is marked.
    ///
    /// # Errors
    /// What the policy and the rules refuse.
    pub fn change_object(&self, login: Option<&Login>, object: &Object, template: &Template) -> Result<Arc<Object>> {
        let changer = match login {
            Some(login) if login.role == super::Role::CryptoOfficer => {
                policy::may_with(login, Command::Trust, object)?;
                Changer::Officer
            }
            _ => {
                self.may_manage(login, object)?;
                Changer::Owner
            }
        };
        let draft = create::change(kind_of(object)?, &object.attributes, template, changer, self.regime())?;
        let (_, material) = record::decode(record::encode(&object.attributes, &object.material).expose())?;
        let new = NewKey { attributes: draft, material };
        let changed = match object.id {
            Some(id) => self.hsm()?.replace(login, object, id, new)?,
            // A session object that becomes a token object is stored for the first time.
            None => {
                let mut made = self.keep_for(login, object.owner, vec![new], Opcode::ModifyObject)?;
                made.pop().ok_or(NOTHING_MADE)?
            }
        };
        object.mark_superseded();
        Ok(changed)
    }

    /// Destroys an object: first in the store, then in memory, so that a failure leaves it usable.
    ///
    /// # Errors
    /// What the policy refuses; CKR_ACTION_PROHIBITED for an object that is not destroyable.
    pub fn destroy_object(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        self.may_manage(login, object)?;
        if object.attributes.flag(ck::CKA_DESTROYABLE) == Some(false) {
            return Err(Error::new(ck::CKR_ACTION_PROHIBITED, "the object is not destroyable (CKA_DESTROYABLE)"));
        }
        if let Some(id) = object.id {
            let hsm = self.hsm()?;
            hsm.commit(login, Durability::Synced, &mut |view, _| {
                let expected = view.version(Kind::Object, id.0)?.ok_or(GONE)?;
                Ok(Plan {
                    changes: vec![Planned::Delete { kind: Kind::Object, id: id.0, expected }],
                    events: events(login, Opcode::TombstoneObject, &[object]),
                    keys: -i64::from(object.is_key()),
                    asymmetric: -i64::from(is_asymmetric(object)),
                })
            })?;
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
            Reading::Shown => match object.attributes.get(id) {
                Some(value) => Ok(take(value)),
                None if create::absent_is_false(id) => Ok(take(&[ck::CK_FALSE])),
                None => Err(UNKNOWN_ATTRIBUTE),
            },
            Reading::Material => {
                let officer = login.is_some_and(|login| login.role == super::Role::CryptoOfficer);
                if officer || object.is(ck::CKA_SENSITIVE) || !object.is(ck::CKA_EXTRACTABLE) {
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

    /// The kind of object that a template describes.
    pub(super) fn kind_of_template(&self, template: &Template) -> Result<&'static ObjectKind> {
        let class =
            template.number(ck::CKA_CLASS).ok_or(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_CLASS must be given"))?;
        let key_type = template.number(ck::CKA_KEY_TYPE);
        if matches!(class, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY | ck::CKO_PUBLIC_KEY) && key_type.is_none() {
            return Err(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_KEY_TYPE must be given"));
        }
        self.served_kind(class, key_type.unwrap_or(ck::CK_UNAVAILABLE_INFORMATION))
    }

    /// The same for a derived key, which is a generic secret if the template does not say what it is (PKCS#11 3.2
    /// section 6.3.20); whether it must, the rules know.
    pub(super) fn kind_of_derived(&self, template: &Template) -> Result<&'static ObjectKind> {
        let class = template.number(ck::CKA_CLASS).unwrap_or(ck::CKO_SECRET_KEY);
        self.served_kind(class, template.number(ck::CKA_KEY_TYPE).unwrap_or(ck::CKK_GENERIC_SECRET))
    }

    fn served_kind(&self, class: CK_ULONG, key_type: CK_ULONG) -> Result<&'static ObjectKind> {
        rules::kind(class, key_type)
            .filter(|kind| kind.served(self.regime()))
            .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "objects of this class or key type are not served"))
    }

    /// The kind that a generator makes; a class or key type in the template must agree.
    fn kind_for(&self, template: &Template, class: CK_ULONG, key_type: CK_ULONG) -> Result<&'static ObjectKind> {
        let agrees = |id, wanted| template.number(id).is_none_or(|given| given == wanted);
        if !agrees(ck::CKA_CLASS, class) || !agrees(ck::CKA_KEY_TYPE, key_type) {
            return Err(Error::new(
                ck::CKR_TEMPLATE_INCONSISTENT,
                "CKA_CLASS or CKA_KEY_TYPE is not what the mechanism makes",
            ));
        }
        rules::kind(class, key_type).ok_or(Error::internal("a generator of a kind without rules"))
    }

    /// Adds what follows from the material and from how the object came to be.
    pub(super) fn complete(
        &self,
        kind: &ObjectKind,
        making: Making,
        mut draft: Draft,
        material: KeyMaterial,
        generator: Option<&Mechanism>,
    ) -> Result<NewKey> {
        if material.shape() == Shape::Edwards && !self.mode().edwards {
            return Err(Error::new(ck::CKR_CURVE_NOT_SUPPORTED, "FIPS mode has no keys on edwards25519"));
        }
        let sets = |id| match kind.rule(id).map(|rule| rule.cell(making, self.regime())) {
            Some(rules::Cell::ReadOnly) => Some(true),
            Some(rules::Cell::Optional(_)) => Some(false),
            _ => None,
        };
        if sets(ck::CKA_KEY_GEN_MECHANISM) == Some(true) {
            draft.set_number(ck::CKA_KEY_GEN_MECHANISM, generator.map_or(ck::CK_UNAVAILABLE_INFORMATION, |row| row.id));
        }
        if let Some(own) = sets(ck::CKA_CHECK_VALUE)
            && let Some(value) = import::check_value(&draft, &material)?
        {
            // A caller may give the check value: empty to have none, or the right one (PKCS#11 3.2 section 4.10.2).
            match draft.get(ck::CKA_CHECK_VALUE) {
                Some([]) if !own => {}
                Some(given) if !own && given != value => {
                    return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_CHECK_VALUE is not that of the key"));
                }
                _ => draft.set(ck::CKA_CHECK_VALUE, value),
            }
        }
        self.set_unique_id(kind, making, &mut draft)?;
        Ok(NewKey { attributes: draft, material })
    }

    fn set_unique_id(&self, kind: &ObjectKind, making: Making, draft: &mut Draft) -> Result<()> {
        if kind.rule(ck::CKA_UNIQUE_ID).is_some_and(|rule| rule.cell(making, self.regime()) == rules::Cell::ReadOnly) {
            let mut chance = [0; 16];
            crate::crypto::random::fill(&mut chance)?;
            draft.set(ck::CKA_UNIQUE_ID, format!("{:032x}", u128::from_be_bytes(chance)));
        }
        Ok(())
    }

    fn check_size(&self, row: &Mechanism, size: CK_ULONG, rv: CK_ULONG) -> Result<()> {
        let (smallest, largest) = row.sizes(self.regime());
        let step = row.terms(self.regime()).map_or(1, |terms| terms.size_step);
        if (smallest..=largest).contains(&size) && (size - smallest).is_multiple_of(step) {
            return Ok(());
        }
        Err(Error::with(rv, format!("a key of {size} bits is not served: {smallest} to {largest} in steps of {step}")))
    }

    /// An RSA key that comes from outside obeys the same limits as one that is generated here.
    pub(super) fn check_public_values(&self, draft: &Draft) -> Result<()> {
        let Some(exponent) = draft.get(ck::CKA_PUBLIC_EXPONENT) else { return Ok(()) };
        self.check_exponent(exponent)?;
        self.check_modulus(draft)
    }

    /// An imported RSA key is as large as a generated one may be.
    fn check_modulus(&self, draft: &Draft) -> Result<()> {
        let modulus = draft.get(ck::CKA_MODULUS).unwrap_or_default();
        let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
        let bits = (modulus.len() as CK_ULONG * 8).saturating_sub(CK_ULONG::from(leading));
        let row = mechanism::find(ck::CKM_RSA_PKCS_KEY_PAIR_GEN).ok_or(Error::internal("no RSA generator"))?;
        self.check_size(row, bits, ck::CKR_ATTRIBUTE_VALUE_INVALID)
    }

    fn check_exponent(&self, exponent: &[u8]) -> Result<()> {
        let exponent = import::trim(exponent);
        let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
        let least = self.dialect().least_public_exponent;
        let value = exponent.iter().take(8).fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if odd && (exponent.len() > 8 || value >= least) {
            return Ok(());
        }
        Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_PUBLIC_EXPONENT must be odd and at least {least}"),
        ))
    }

    /// What may be made without a login: public objects, where the profile has them.
    fn may_make(&self, login: Option<&Login>, draft: &Draft) -> Result<()> {
        if login.is_none() && (draft.is(ck::CKA_PRIVATE) || !self.dialect().public_objects) {
            return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "making this object needs a login"));
        }
        Ok(())
    }

    fn may_manage(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        match login {
            Some(login) => policy::may_with(login, Command::ManageKey, object),
            None if !object.is(ck::CKA_PRIVATE) && self.dialect().public_objects => Ok(()),
            None => Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "changing this object needs a login")),
        }
    }

    /// Stores new token objects in one commit; session objects are handed back as they are.
    pub(super) fn keep(&self, login: Option<&Login>, new: Vec<NewKey>, opcode: Opcode) -> Result<Vec<Arc<Object>>> {
        self.keep_for(login, login.map_or(NOBODY, |login| login.user), new, opcode)
    }

    fn keep_for(
        &self,
        login: Option<&Login>,
        owner: crate::object::UserId,
        new: Vec<NewKey>,
        opcode: Opcode,
    ) -> Result<Vec<Arc<Object>>> {
        let objects: Vec<Object> =
            new.into_iter().map(|new| Object::new(new.attributes.finish(), new.material, owner)).collect();
        if !objects.iter().any(Object::is_token) {
            return Ok(objects.into_iter().map(Arc::new).collect());
        }
        self.hsm()?.insert(login, objects, opcode, self.dialect().most_keys)
    }
}

/// What of a pair stands in the template of the public key.
const PARAMETERS_OF_A_PAIR: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_MODULUS_BITS, ck::CKA_PUBLIC_EXPONENT];

const NOT_A_GENERATOR: Error = Error::new(ck::CKR_MECHANISM_INVALID, "the mechanism makes no such key");
pub(super) const NOTHING_MADE: Error = Error::internal("nothing was made");
pub(super) const GONE: Error = Error::new(ck::CKR_OBJECT_HANDLE_INVALID, "the object has been destroyed");
const SENSITIVE: Error = Error::new(ck::CKR_ATTRIBUTE_SENSITIVE, "key material that may not leave the HSM");
const UNKNOWN_ATTRIBUTE: Error = Error::new(ck::CKR_ATTRIBUTE_TYPE_INVALID, "the object has no such attribute");

pub(super) fn kind_of(object: &Object) -> Result<&'static ObjectKind> {
    object.kind.ok_or(Error::internal("an object of a kind without rules"))
}
