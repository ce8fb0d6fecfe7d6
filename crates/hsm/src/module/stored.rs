//! Token objects in the store: inserted together, replaced, opened, indexed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_OBJECT_CLASS};
use base::error::{Error, Result};
use base::secret::Secret;
use store::{Durability, Kind, Outline, Record, Selection, Tag, View};

use super::audit::{self, Event, Opcode};
use super::commit::{Head, Plan, Planned};
use super::hierarchy::Tier;
use super::ids::fresh_id;
use super::keys::{GONE, NewKey};
use super::quorum::{Actor, Toll};
use super::sharing::Sharing;
use super::{Hsm, Login};
use crate::config::Dialect;
use crate::object::{Object, ObjectId, UserId, attribute, record};

pub(super) const CHANGED_MEANWHILE: Error =
    Error::new(ck::CKR_FUNCTION_FAILED, "another has changed the object meanwhile; try again");

/// The tier of an object: private ones need a PIN.
fn tier_of(object: &Object) -> Tier {
    if object.is(ck::CKA_PRIVATE) { Tier::Data } else { Tier::Public }
}

/// What stands of an object in the clear; nothing of one that is not stored.
pub(super) fn outline(object: &Object) -> Outline {
    Outline {
        id: object.id.map_or(0, |id| id.0),
        class: object.class,
        key_type: object.key_type,
        owner: object.owner.0,
        tier: tier_of(object) as u8,
    }
}

impl Hsm {
    pub(super) fn insert(
        &self,
        login: Option<&Login>,
        objects: Vec<Object>,
        opcode: Opcode,
        dialect: &Dialect,
        sharing: &Sharing<'_>,
    ) -> Result<Vec<Arc<Object>>> {
        let mut stored = objects;
        // The epoch is that before the commit: what others change from here on is looked at again.
        let epoch = self.epoch();
        self.commit(login, Durability::Synced, &mut |view, head| {
            let mut plan = Plan::default();
            for object in stored.iter_mut().filter(|object| object.is_token()) {
                (object.id, object.version) = (Some(ObjectId(fresh_id()?)), 1);
                plan.changes.push(self.put_object(login, object, 0)?);
                plan.keys += i64::from(object.is_key());
                plan.asymmetric += i64::from(is_asymmetric(object));
            }
            check_room(head, &plan, dialect.most_keys)?;
            if stored.iter().any(|object| object.class == ck::CKO_CERTIFICATE) {
                check_certificates(view, dialect.most_certificates)?;
            }
            let made: Vec<&Object> = stored.iter().collect();
            if let Some(login) = login {
                plan.changes.extend(self.plan_sharing(view, login.user, &made, sharing.users)?);
            }
            plan.events = vec![Event::on_objects(login, opcode, &made)];
            Ok(plan)
        })?;
        for object in &stored {
            object.validated.store(epoch, Ordering::Release);
        }
        Ok(stored.into_iter().map(Arc::new).collect())
    }

    /// Writes the new form of a token object, on condition that `old` is still the newest.
    pub(super) fn replace(
        &self,
        actor: Option<Actor<'_>>,
        toll: Toll,
        old: &Object,
        id: ObjectId,
        new: NewKey,
    ) -> Result<Arc<Object>> {
        let login = actor.map(|actor| actor.login);
        let object = Object::new(new.attributes.finish(), new.material, old.owner).stored(id, old.version + 1);
        let event = Event::on_objects(login, Opcode::ModifyObject, &[&object]);
        let event = event.saying(audit::changed_attributes(old, &object));
        self.commit(login, Durability::Synced, &mut |view, _| {
            self.unchanged_in(view, old, id)?;
            let mut changes = actor.map_or_else(|| Ok(Vec::new()), |actor| toll.pay(self, view, actor))?;
            changes.push(self.put_object(login, &object, old.version)?);
            Ok(Plan { changes, events: vec![event.clone()], ..Plan::default() })
        })?;
        Ok(Arc::new(object))
    }

    /// The version of an object in the store, if it is the one that was looked at: what follows from an older form is not written.
    pub(super) fn unchanged_in(&self, view: &dyn View, object: &Object, id: ObjectId) -> Result<u64> {
        match view.version(Kind::Object, id.0)? {
            Some(version) if version == object.version => Ok(version),
            Some(_) => {
                object.mark_superseded();
                Err(CHANGED_MEANWHILE)
            }
            // Not marked: the one who deletes it may be of the same group of commits, which can still fail.
            None => Err(GONE),
        }
    }

    pub(super) fn put_object(&self, login: Option<&Login>, object: &Object, expected: u64) -> Result<Planned> {
        let tier = tier_of(object);
        Ok(Planned::Put {
            kind: Kind::Object,
            id: object.id.ok_or(Error::internal("a token object without an id"))?.0,
            expected,
            class: object.class,
            key_type: object.key_type,
            owner: object.owner.0,
            tier,
            plain: record::encode(&object.attributes, &object.material),
            tags: Some(self.object_tags(login, tier, object)),
        })
    }

    pub(super) fn object_tags(&self, login: Option<&Login>, tier: Tier, object: &Object) -> Vec<Tag> {
        attribute::ATTRIBUTES
            .iter()
            .filter(|row| row.indexed)
            .filter_map(|row| self.attribute_tag(login, tier, row.id, object.attributes.get(row.id)?))
            .collect()
    }

    /// The blind index entry of one attribute in one tier; none without the keys of that tier.
    pub(super) fn attribute_tag(
        &self,
        login: Option<&Login>,
        tier: Tier,
        id: CK_ATTRIBUTE_TYPE,
        value: &[u8],
    ) -> Option<Tag> {
        let label = id.to_le_bytes();
        match tier {
            Tier::Public => Some(self.public.tag(&label, value)),
            Tier::Data => login.map(|login| login.data.tag(&label, value)),
        }
    }

    /// An object from its record, if the keys at hand open it.
    pub(super) fn open_object(&self, login: Option<&Login>, stored: &Record) -> Result<Option<Arc<Object>>> {
        let plain: Secret = match (stored.tier, login) {
            (tier, _) if tier == Tier::Public as u8 => self.public.open(stored)?,
            (_, Some(login)) => login.data.open(stored).map_err(|error| self.public.damaged(&error))?,
            (_, None) => return Ok(None),
        };
        let (attributes, material) = record::decode(plain.expose()).map_err(|error| self.public.damaged(&error))?;
        let object = Object::new(attributes, material, UserId(stored.owner));
        Ok(Some(Arc::new(object.stored(ObjectId(stored.id), stored.version))))
    }

    /// Whether a user owns any object.
    pub(super) fn owns_objects(&self, view: &dyn View, user: UserId) -> Result<bool> {
        const PAGE: usize = 1024;
        let mut after = 0;
        loop {
            let selection =
                Selection { kind: Kind::Object, class: None, key_type: None, tier: None, after, limit: PAGE };
            let page = view.scan(&selection)?;
            if page.iter().any(|record| record.owner == user.0) {
                return Ok(true);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.id,
                _ => return Ok(false),
            }
        }
    }
}

pub(super) const fn is_asymmetric(object: &Object) -> bool {
    is_asymmetric_class(object.class)
}

pub(super) const fn is_asymmetric_class(class: CK_OBJECT_CLASS) -> bool {
    matches!(class, ck::CKO_PRIVATE_KEY | ck::CKO_PUBLIC_KEY)
}

/// The limits on token keys (User Guide, limits: hsm2m.medium).
pub(super) fn check_room(head: &Head, plan: &Plan, limit: Option<(u64, u64)>) -> Result<()> {
    let Some((keys, asymmetric)) = limit else { return Ok(()) };
    if head.keys.saturating_add_signed(plan.keys) > keys
        || (plan.asymmetric > 0 && head.asymmetric.saturating_add_signed(plan.asymmetric) > asymmetric)
    {
        return Err(Error::with(
            ck::CKR_DEVICE_MEMORY,
            format!("the HSM holds as many keys as it can: {keys}, of which {asymmetric} asymmetric"),
        ));
    }
    Ok(())
}

/// The limit on certificates; of a full store AWS says CKR_FUNCTION_FAILED (User Guide, pkcs11-certificate-storage).
fn check_certificates(view: &dyn View, limit: Option<u64>) -> Result<()> {
    let Some(most) = limit.and_then(|most| usize::try_from(most).ok()) else { return Ok(()) };
    let selection = Selection { class: Some(ck::CKO_CERTIFICATE), limit: most, ..Selection::all(Kind::Object) };
    if view.scan(&selection)?.len() < most {
        return Ok(());
    }
    Err(Error::with(ck::CKR_FUNCTION_FAILED, format!("the HSM stores {most} certificates, that is the most")))
}

#[cfg(test)]
mod tests {
    use base::ck::cure;

    use super::CHANGED_MEANWHILE;

    /// What the caller is told to do follows from these very words.
    #[test]
    fn a_lost_race_has_a_cure() {
        let error = CHANGED_MEANWHILE;
        let failure = cure::Failure {
            result: "CKR_FUNCTION_FAILED",
            function: "C_SetAttributeValue",
            why: error.message(),
            dialect: "cloudhsm",
        };
        assert_eq!(cure::of(failure).as_deref(), Some("repeat the call"));
    }
}
