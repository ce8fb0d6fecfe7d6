//! What every way of making an object shares: its kind, what follows from its material, the limits, and its place in the
//! store.

use std::sync::Arc;

use super::audit::{self, Event, Opcode};
use super::keys::NewKey;
use super::policy::{self, Command};
use super::quorum::{Actor, Toll};
use super::sharing::Sharing;
use super::{Login, Module, Role};
use crate::ck::{self, CK_ULONG};
use crate::error::{Error, Result};
use crate::mechanism::{self, Mechanism};
use crate::object::attributes::Draft;
use crate::object::key::Shape;
use crate::object::rules::{self, Kind as ObjectKind, Making};
use crate::object::{KeyMaterial, NOBODY, Object, Template, UserId, import, reading};

impl Module {
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

    /// Whether C_CreateObject makes a token object of a template: most kinds of object must be told to be one.
    #[must_use]
    pub fn makes_token_object(&self, template: &Template) -> bool {
        template.flag(ck::CKA_TOKEN).unwrap_or_else(|| {
            let kind = self.kind_of_template(template).ok();
            let cell =
                kind.and_then(|kind| kind.rule(ck::CKA_TOKEN)).map(|rule| rule.cell(Making::Create, self.regime()));
            cell == Some(rules::Cell::Only(true))
        })
    }

    fn served_kind(&self, class: CK_ULONG, key_type: CK_ULONG) -> Result<&'static ObjectKind> {
        rules::kind(class, key_type).filter(|kind| kind.served(self.regime())).ok_or(Error::new(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            "objects of this class or key type are not served; certificates need the setting certificate_storage",
        ))
    }

    /// The kind that a generator makes; a class or key type in the template must agree.
    pub(super) fn kind_for(
        &self,
        template: &Template,
        class: CK_ULONG,
        key_type: CK_ULONG,
    ) -> Result<&'static ObjectKind> {
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
        reading::check_public_key(&draft, &material)?;
        self.set_unique_id(kind, making, &mut draft)?;
        Ok(NewKey { attributes: draft, material })
    }

    pub(super) fn set_unique_id(&self, kind: &ObjectKind, making: Making, draft: &mut Draft) -> Result<()> {
        if kind.rule(ck::CKA_UNIQUE_ID).is_some_and(|rule| rule.cell(making, self.regime()) == rules::Cell::ReadOnly) {
            let mut chance = [0; 16];
            crate::crypto::random::fill(&mut chance)?;
            draft.set(ck::CKA_UNIQUE_ID, format!("{:032x}", u128::from_be_bytes(chance)));
        }
        Ok(())
    }

    pub(super) fn check_size(&self, row: &Mechanism, size: CK_ULONG, rv: CK_ULONG) -> Result<()> {
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

    pub(super) fn check_exponent(&self, exponent: &[u8]) -> Result<()> {
        let exponent = import::trim(exponent);
        let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
        let least = self.regime().least_public_exponent();
        let value = exponent.iter().take(8).fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if odd && (exponent.len() > 8 || value >= least) {
            return Ok(());
        }
        Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_PUBLIC_EXPONENT must be odd and at least {least}"),
        ))
    }

    /// Whether the caller may make an object: public ones without a login, where the profile has them.
    pub(super) fn may_make(&self, login: Option<&Login>, draft: &Draft) -> Result<()> {
        let class = draft.number(ck::CKA_CLASS).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
        match login {
            // Who is logged in may do no less than who is not.
            _ if !draft.is(ck::CKA_PRIVATE) && self.dialect().open(class) => login.map_or(Ok(()), Login::check),
            Some(login) => policy::may(login, Command::CreateKeys),
            None => Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "making this object needs a login")),
        }
    }

    /// Whether the caller may change, copy or delete an object, and what approvals it costs.
    pub(super) fn may_manage(&self, actor: Option<Actor<'_>>, object: &Object, command: Command) -> Result<Toll> {
        match actor {
            _ if !object.is(ck::CKA_PRIVATE) && self.dialect().open(object.class) => {
                actor.map_or(Ok(()), |actor| actor.login.check())?;
                Ok(Toll::NOTHING)
            }
            Some(actor) => policy::may_approved(actor, command, object),
            None => Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "changing this object needs a login")),
        }
    }

    /// Stores new token objects in one commit; session objects are handed back as they are.
    pub(super) fn keep(&self, login: Option<&Login>, new: Vec<NewKey>, opcode: Opcode) -> Result<Vec<Arc<Object>>> {
        self.keep_shared(login, new, opcode, &Sharing::default())
    }

    /// The same for keys that are shared from the beginning, and need a quorum.
    pub(super) fn keep_shared(
        &self,
        login: Option<&Login>,
        mut new: Vec<NewKey>,
        opcode: Opcode,
        sharing: &Sharing<'_>,
    ) -> Result<Vec<Arc<Object>>> {
        // A certificate that is not private is nobody's: whoever uses the HSM may renew it. An officer, who uses no key, owns none.
        let is_common = |new: &NewKey| {
            new.attributes.number(ck::CKA_CLASS) == Some(ck::CKO_CERTIFICATE) && !new.attributes.is(ck::CKA_PRIVATE)
        };
        sharing.check(new.iter().all(|new| new.attributes.is(ck::CKA_TOKEN)))?;
        for new in &mut new {
            if new.attributes.number(ck::CKA_CLASS) != Some(ck::CKO_PUBLIC_KEY) {
                sharing.quorum.put(&mut new.attributes);
            }
        }
        let owner = login
            .filter(|login| login.role == Role::CryptoUser && !new.iter().any(is_common))
            .map_or(NOBODY, |login| login.user);
        self.keep_for(login, owner, new, opcode, sharing)
    }

    pub(super) fn keep_for(
        &self,
        login: Option<&Login>,
        owner: UserId,
        new: Vec<NewKey>,
        opcode: Opcode,
        sharing: &Sharing<'_>,
    ) -> Result<Vec<Arc<Object>>> {
        let made = |new: NewKey| {
            let object = Object::new(new.attributes.finish(), new.material, owner);
            if object.is_token() { object } else { object.numbered(audit::session_object()) }
        };
        let objects: Vec<Object> = new.into_iter().map(made).collect();
        objects.iter().try_for_each(|object| super::quirks::check_available(self.dialect(), object))?;
        if !objects.iter().any(Object::is_token) {
            if objects.iter().any(Object::is_key) {
                self.observe(|| vec![Event::on_objects(login, opcode, &objects.iter().collect::<Vec<_>>())])?;
            }
            return Ok(objects.into_iter().map(Arc::new).collect());
        }
        self.hsm()?.insert(login, objects, opcode, self.dialect(), sharing)
    }
}
