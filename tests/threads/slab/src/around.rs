//! What the library's files take from the crate, as little as they need: an object is a few numbers, the store a map.

#[allow(non_camel_case_types, reason = "the standard's names")]
pub(crate) mod ck {
    pub(crate) type CK_ULONG = u64;
    pub(crate) type CK_OBJECT_HANDLE = u64;
    pub(crate) type CK_SLOT_ID = u64;
    pub(crate) type CK_ATTRIBUTE_TYPE = u64;
    pub(crate) type CK_RV = u64;
    pub(crate) const CKA_CLASS: u64 = 0;
    pub(crate) const CKA_PRIVATE: u64 = 2;
    pub(crate) const CKA_LABEL: u64 = 3;
    pub(crate) const CKR_OBJECT_HANDLE_INVALID: u64 = 0x82;
    pub(crate) const CKR_HOST_MEMORY: u64 = 2;
    pub(crate) const CKR_USER_NOT_LOGGED_IN: u64 = 0x101;
}

pub(crate) mod platform {
    pub(crate) mod lock {
        use shuttle::sync::{Mutex, MutexGuard};

        pub(crate) type LockGuard<'a, T> = MutexGuard<'a, T>;

        #[derive(Default)]
        pub(crate) struct Lock<T>(Mutex<T>);

        impl<T> Lock<T> {
            pub(crate) const fn new(value: T) -> Self {
                Self(Mutex::new(value))
            }

            pub(crate) fn lock(&self) -> LockGuard<'_, T> {
                self.0.lock().expect("no model panics with a lock held")
            }
        }

        pub(crate) struct Backoff;

        impl Backoff {
            pub(crate) const fn new() -> Self {
                Self
            }

            pub(crate) fn wait(&mut self) {
                shuttle::thread::yield_now();
            }
        }
    }
}

pub(crate) mod error {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Error(u64);

    pub(crate) type Result<T> = std::result::Result<T, Error>;

    impl Error {
        pub(crate) const fn new(rv: u64, _: &'static str) -> Self {
            Self(rv)
        }
    }
}

pub(crate) mod config {
    pub(crate) const MOST_SESSIONS: usize = 1 << 20;

    pub(crate) struct Dialect;

    pub(crate) struct Settings {
        pub(crate) cached_objects: u32,
    }

    pub(crate) struct Config {
        pub(crate) settings: Settings,
    }
}

pub(crate) mod object {
    use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) struct ObjectId(pub(crate) u64);

    /// What an object is made of.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Form {
        pub(crate) private: bool,
        pub(crate) label: u8,
        pub(crate) sensitive: bool,
    }

    pub(crate) struct Attributes(u8);

    impl Attributes {
        pub(crate) fn get(&self, id: u64) -> Option<&[u8]> {
            (id == crate::ck::CKA_LABEL).then_some(std::slice::from_ref(&self.0))
        }
    }

    pub(crate) struct Object {
        pub(crate) id: Option<ObjectId>,
        pub(crate) version: u64,
        pub(crate) form: Form,
        pub(crate) attributes: Attributes,
        pub(crate) validated: AtomicU64,
        destroyed: AtomicBool,
        superseded: AtomicBool,
    }

    impl Object {
        pub(crate) fn new(id: Option<u64>, version: u64, form: Form) -> Self {
            Self {
                id: id.map(ObjectId),
                version,
                form,
                attributes: Attributes(form.label),
                validated: AtomicU64::new(0),
                destroyed: AtomicBool::new(false),
                superseded: AtomicBool::new(false),
            }
        }

        pub(crate) fn is(&self, id: u64) -> bool {
            id == crate::ck::CKA_PRIVATE && self.form.private
        }

        pub(crate) fn mark_destroyed(&self) {
            self.destroyed.store(true, Ordering::Release);
        }

        pub(crate) fn is_destroyed(&self) -> bool {
            self.destroyed.load(Ordering::Acquire)
        }

        pub(crate) fn mark_superseded(&self) {
            self.superseded.store(true, Ordering::Release);
        }

        pub(crate) fn is_current(&self) -> bool {
            !self.is_destroyed() && !self.superseded.load(Ordering::Acquire)
        }

        pub(crate) fn is_newest_at(&self, epoch: u64) -> bool {
            self.is_current() && (self.id.is_none() || self.validated.load(Ordering::Acquire) == epoch)
        }

        pub(crate) fn succeed(&self, _: &Self) {}
    }

    pub(crate) struct Template(pub(crate) Vec<(u64, Vec<u8>)>);

    impl Template {
        pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
            self.0.iter().map(|(id, value)| (*id, value.as_slice()))
        }
    }

    pub(crate) mod attribute {
        pub(crate) struct Description {
            pub(crate) id: u64,
            pub(crate) indexed: bool,
        }

        pub(crate) static ATTRIBUTES: &[Description] = &[Description { id: crate::ck::CKA_LABEL, indexed: true }];

        pub(crate) fn is_found_by(id: u64, value: &[u8]) -> bool {
            !value.is_empty() && ATTRIBUTES.iter().any(|row| row.id == id && row.indexed)
        }
    }
}

pub(crate) mod module {
    use std::collections::HashMap;
    use std::sync::Arc;

    use shuttle::sync::Mutex;
    use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::config::{Config, Dialect};
    use super::error::{Error, Result};
    use super::object::{Form, Object, ObjectId};

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Role {
        CryptoOfficer,
        CryptoUser,
    }

    pub(crate) enum Ending {
        Finalize,
    }

    pub(crate) struct Login {
        pub(crate) role: Role,
        stamp: u32,
        ended: AtomicBool,
        epoch: Arc<AtomicU64>,
    }

    impl Login {
        pub(crate) const fn stamp(&self) -> u32 {
            self.stamp
        }

        pub(crate) fn end(&self) {
            self.ended.store(true, Ordering::Release);
        }

        pub(crate) fn note_end(&self, _: Ending) {}

        pub(crate) fn epoch(&self) -> u64 {
            self.epoch.load(Ordering::Acquire)
        }

        pub(crate) fn check(&self) -> Result<()> {
            if self.ended.load(Ordering::Acquire) { Err(Error::new(0x101, "")) } else { Ok(()) }
        }
    }

    /// The HSM: token objects with their versions, and an epoch that each change raises.
    pub(crate) struct Module {
        stored: Mutex<HashMap<u64, (u64, Form)>>,
        epoch: Arc<AtomicU64>,
    }

    impl Module {
        pub(crate) fn open(_: &Config, _: &'static str) -> Result<Self> {
            Ok(Self { stored: Mutex::new(HashMap::new()), epoch: Arc::new(AtomicU64::new(1)) })
        }

        pub(crate) const fn dialect(&self) -> &Dialect {
            &Dialect
        }

        pub(crate) fn note_destroyed(&self, _: Option<&Login>, _: &[Arc<Object>]) {}

        pub(crate) fn close(&self) {}

        pub(crate) fn epoch(&self) -> u64 {
            self.epoch.load(Ordering::Acquire)
        }

        pub(crate) fn login(&self, stamp: u32) -> Arc<Login> {
            let epoch = Arc::clone(&self.epoch);
            Arc::new(Login { role: Role::CryptoUser, stamp, ended: AtomicBool::new(false), epoch })
        }

        pub(crate) fn load(&self, login: Option<&Login>, id: ObjectId) -> Result<Option<Arc<Object>>> {
            login.map_or(Ok(()), Login::check)?;
            let epoch = self.epoch();
            let found = self.stored.lock().unwrap().get(&id.0).copied();
            let object = found.map(|(version, form)| Arc::new(Object::new(Some(id.0), version, form)));
            if let Some(object) = &object {
                object.validated.store(epoch, Ordering::Release);
            }
            Ok(object)
        }

        pub(crate) fn is_gone(&self, id: ObjectId) -> Result<bool> {
            Ok(!self.stored.lock().unwrap().contains_key(&id.0))
        }

        pub(crate) fn is_newest(&self, object: &Object) -> Result<bool> {
            let epoch = self.epoch();
            if let Some(id) = object.id.filter(|_| object.is_current()) {
                match self.stored.lock().unwrap().get(&id.0) {
                    Some((version, _)) if *version == object.version => {
                        object.validated.store(epoch, Ordering::Release)
                    }
                    Some(_) => object.mark_superseded(),
                    None => object.mark_destroyed(),
                }
            }
            Ok(object.is_current())
        }

        /// Writes a form on condition that the store has that version (0: none).
        pub(crate) fn write(&self, id: u64, expected: u64, form: Form) -> Option<Arc<Object>> {
            let mut stored = self.stored.lock().unwrap();
            if stored.get(&id).map_or(0, |(version, _)| *version) != expected {
                return None;
            }
            stored.insert(id, (expected + 1, form));
            drop(stored);
            self.epoch.fetch_add(1, Ordering::AcqRel);
            Some(Arc::new(Object::new(Some(id), expected + 1, form)))
        }

        pub(crate) fn delete(&self, object: &Object) {
            if let Some(id) = object.id {
                self.stored.lock().unwrap().remove(&id.0);
                self.epoch.fetch_add(1, Ordering::AcqRel);
            }
            object.mark_destroyed();
        }

        pub(crate) fn ids(&self) -> Vec<u64> {
            self.stored.lock().unwrap().keys().copied().collect()
        }
    }
}
