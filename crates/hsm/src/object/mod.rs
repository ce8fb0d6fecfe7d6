//! What the HSM holds: objects, their attributes, their key material, and the rules for both.
//!
//! Public attributes are a small sorted map; secret values are never in it but in `KeyMaterial`, so that a
//! search, a copy or a log line cannot meet one by accident.

pub mod attribute;
pub mod attributes;
pub mod create;
pub mod find;
pub mod form;
pub mod import;
pub mod inheritance;
pub(crate) mod key;
pub mod key_file;
mod prepared;
pub mod reading;
pub(crate) mod record;
pub mod rules;
pub mod safeguards;
#[rustfmt::skip] // a table, whose columns stand under each other
mod rules_table;
pub mod template;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub use attributes::Attributes;
pub(crate) use key::KeyMaterial;
pub use template::Template;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS};

/// What names a token object inside the HSM and on disk: stable, global, never a handle.
///
/// The upper bits are the milliseconds at which it was made, so that ascending ids are the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectId(pub u64);

/// What names a user inside the HSM and on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(pub u64);

/// The owner of what belongs to nobody: objects made without a login.
pub const NOBODY: UserId = UserId(0);

/// One object: immutable, but for the marks that tell whether it is still what its id means.
pub struct Object {
    /// Its name in the store; `None` for a session object.
    pub id: Option<ObjectId>,
    /// The version of its record in the store.
    pub version: u64,
    /// What names a session object in the audit log, where that has session objects; else 0.
    pub session_number: u64,
    /// Who made it.
    pub owner: UserId,
    /// `CKA_CLASS`, kept apart because every rule asks for it.
    pub class: CK_OBJECT_CLASS,
    /// `CKA_KEY_TYPE`, or `CK_UNAVAILABLE_INFORMATION` for what is no key.
    pub key_type: CK_KEY_TYPE,
    /// The rules for its kind; none for a record of a kind that is not known here.
    pub kind: Option<&'static rules::Kind>,
    /// Everything that may be shown, compared and searched.
    pub attributes: Attributes,
    /// What may be used but not shown.
    pub(crate) material: KeyMaterial,
    /// Which uses the policy has allowed, and until when: see `module::admission`.
    pub admitted: AtomicU64,
    /// The epoch of the store in which this was last known to be the newest version.
    pub validated: AtomicU64,
    destroyed: AtomicBool,
    superseded: AtomicBool,
    /// What it has in common with the other forms of the same session object; made when there is a second one.
    fate: OnceLock<Arc<Fate>>,
}

/// What becomes of a session object in all of its forms, so that an operation which was begun with an old one ends with the
/// object.
#[derive(Default)]
struct Fate {
    destroyed: AtomicBool,
    /// The id of the token object that it has become; 0 if it has not.
    stored_as: AtomicU64,
}

/// Whether objects of a class are keys.
#[must_use]
pub const fn is_key_class(class: CK_OBJECT_CLASS) -> bool {
    matches!(class, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY | ck::CKO_PUBLIC_KEY)
}

impl Object {
    /// An object that nobody has been admitted to yet.
    #[must_use]
    pub(crate) fn new(attributes: Attributes, material: KeyMaterial, owner: UserId) -> Self {
        let class = attributes.number(ck::CKA_CLASS).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
        let key_type = attributes.number(ck::CKA_KEY_TYPE).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
        Self {
            id: None,
            version: 0,
            session_number: 0,
            owner,
            class,
            key_type,
            kind: rules::kind(class, key_type),
            attributes,
            material,
            admitted: AtomicU64::new(0),
            validated: AtomicU64::new(0),
            destroyed: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            fate: OnceLock::new(),
        }
    }

    /// Whether it has been changed since it was made, so that an operation may still have what it was before.
    #[must_use]
    pub fn has_earlier_forms(&self) -> bool {
        self.version > 1 || self.fate.get().is_some()
    }

    /// The same object under a name and a version of the store.
    #[must_use]
    pub fn stored(mut self, id: ObjectId, version: u64) -> Self {
        self.id = Some(id);
        self.version = version;
        self
    }

    /// The same session object under a number for the audit log.
    #[must_use]
    pub fn numbered(mut self, number: u64) -> Self {
        self.session_number = number;
        self
    }

    /// Makes this the next form of `older`, a session object: what becomes of the one becomes of the other.
    pub fn succeed(&self, older: &Self) {
        let fate = older.fate.get_or_init(Arc::default);
        if let Some(id) = self.id {
            fate.stored_as.store(id.0, Ordering::Release);
        }
        // Nobody else has seen this form yet, so that it has no other.
        self.fate.set(Arc::clone(fate)).ok();
    }

    /// Its name in the store, or that of the token object which this session object has become.
    #[must_use]
    pub fn stored_as(&self) -> Option<ObjectId> {
        let became = || self.fate.get().map_or(0, |fate| fate.stored_as.load(Ordering::Acquire));
        self.id.or_else(|| Some(ObjectId(became())).filter(|id| id.0 != 0))
    }

    /// What names it in the audit log: its id, or the number of a session object.
    #[must_use]
    pub fn audit_number(&self) -> u64 {
        self.id.map_or(self.session_number, |id| id.0)
    }

    /// A boolean attribute; absent means false, as every boolean of the rule table does.
    #[must_use]
    pub fn is(&self, attribute: CK_ATTRIBUTE_TYPE) -> bool {
        self.attributes.flag(attribute).unwrap_or(false)
    }

    /// Whether the object belongs to the token (`CKA_TOKEN`) and not to a session.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.is(ck::CKA_TOKEN)
    }

    /// Whether the object is a key.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        is_key_class(self.class)
    }

    /// Whether the object is a secret or a private key.
    #[must_use]
    pub const fn holds_secret(&self) -> bool {
        matches!(self.class, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY)
    }

    /// Ends every use of this object, in all sessions, at their next call.
    pub fn mark_destroyed(&self) {
        self.destroyed.store(true, Ordering::Release);
        if let Some(fate) = self.fate.get() {
            fate.destroyed.store(true, Ordering::Release);
        }
    }

    /// Whether the object is gone.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.destroyed.load(Ordering::Acquire)
            || self.fate.get().is_some_and(|fate| fate.destroyed.load(Ordering::Acquire))
    }

    /// Says that a newer form of this object exists, which can be had by now wherever this one could.
    pub fn mark_superseded(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Whether this is neither destroyed nor an old version. The newest form bears its own mark of destruction.
    #[must_use]
    pub fn is_current(&self) -> bool {
        !self.destroyed.load(Ordering::Acquire) && !self.superseded.load(Ordering::Acquire)
    }

    /// Whether there is a newer form of it: the object is another than this, and not gone.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }
}

impl Object {
    /// Whether this is known to be the newest form as of an epoch of the store; session objects always are.
    #[must_use]
    pub fn is_newest_at(&self, epoch: u64) -> bool {
        self.is_current() && (self.id.is_none() || self.validated.load(Ordering::Acquire) == epoch)
    }
}
