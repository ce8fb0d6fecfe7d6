//! Object handles: from what C holds to the object itself, with a bounded cache of token objects.
//!
//! A handle belongs to one run of the application. Session objects live here and nowhere else; of a token object the
//! slot remembers the id, and the decrypted object as long as the cache has room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::slab::Slab;
use crate::ck::{self, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use crate::error::{Error, Result};
use crate::module::{Login, Module};
use crate::object::{Object, ObjectId};
use crate::platform::lock::Lock;

/// The objects of one token that this application has handles of.
pub(super) struct Objects {
    slots: Slab<Slot>,
    by_id: Lock<HashMap<ObjectId, CK_OBJECT_HANDLE>>,
    cached: Lock<VecDeque<CK_OBJECT_HANDLE>>,
    most_cached: usize,
    session_objects: AtomicU64,
}

#[derive(Default)]
struct Slot {
    id: Option<ObjectId>,
    /// The session that a session object dies with.
    session: CK_SESSION_HANDLE,
    object: Option<Arc<Object>>,
    /// Whether it goes with the login.
    private: bool,
}

const NO_OBJECT: Error = Error::new(ck::CKR_OBJECT_HANDLE_INVALID, "no such object");
const FULL: Error = Error::new(ck::CKR_HOST_MEMORY, "this application holds as many object handles as there can be");

impl Objects {
    /// None yet. `mark` tells the handles of one token from those of another.
    pub(super) fn new(most_cached: usize, mark: u32) -> Self {
        Self {
            slots: Slab::new(mark),
            by_id: Lock::new(HashMap::new()),
            cached: Lock::new(VecDeque::new()),
            most_cached,
            session_objects: AtomicU64::new(0),
        }
    }

    /// The handle of an object, new or known. `session` is the one that a session object dies with.
    pub(super) fn handle(&self, object: &Arc<Object>, session: CK_SESSION_HANDLE) -> Result<CK_OBJECT_HANDLE> {
        let private = object.is(ck::CKA_PRIVATE);
        let Some(id) = object.id else {
            let filled =
                |slot: &mut Slot, _| *slot = Slot { id: None, session, object: Some(Arc::clone(object)), private };
            let handle = self.slots.insert(usize::MAX, filled).ok_or(FULL)?;
            self.session_objects.fetch_add(1, Ordering::AcqRel);
            return Ok(handle);
        };
        let mut by_id = self.by_id.lock();
        if let Some(handle) = by_id.get(&id) {
            let handle = *handle;
            drop(by_id);
            self.put(handle, object);
            return Ok(handle);
        }
        let handle = self
            .slots
            .insert(usize::MAX, |slot, _| *slot = Slot { id: Some(id), session: 0, object: None, private })
            .ok_or(FULL)?;
        by_id.insert(id, handle);
        drop(by_id);
        self.put(handle, object);
        Ok(handle)
    }

    /// The object of an id as it was seen last, if there is room for it.
    pub(super) fn at_hand(&self, id: ObjectId) -> Option<Arc<Object>> {
        let handle = self.by_id.lock().get(&id).copied()?;
        self.slots.get(handle)?.value.object.clone()
    }

    /// The object of a handle in its newest form.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID for a handle that is not, no longer or not for this login one of an object.
    pub(super) fn get(&self, module: &Module, login: Option<&Login>, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
        let (id, cached) = {
            let slot = self.slots.get(handle).ok_or(NO_OBJECT)?;
            (slot.value.id, slot.value.object.clone())
        };
        if let Some(object) = cached
            && (object.is_newest_at(login.map_or_else(|| module.epoch(), Login::epoch)) || module.is_newest(&object)?)
        {
            return Ok(object);
        }
        match id.map(|id| module.load(login, id)).transpose()?.flatten() {
            Some(object) => {
                self.put(handle, &object);
                Ok(object)
            }
            None => {
                self.remove(handle);
                Err(NO_OBJECT)
            }
        }
    }

    /// Remembers the newest form of an object; the oldest remembered one makes room if there is none.
    pub(super) fn put(&self, handle: CK_OBJECT_HANDLE, object: &Arc<Object>) {
        let was_empty = match self.slots.get(handle) {
            Some(mut slot) => slot.value.object.replace(Arc::clone(object)).is_none(),
            None => return,
        };
        if object.id.is_none() || !was_empty {
            return;
        }
        let evicted = {
            let mut cached = self.cached.lock();
            cached.push_back(handle);
            if cached.len() > self.most_cached { cached.pop_front() } else { None }
        };
        if let Some(mut slot) = evicted.and_then(|handle| self.slots.get(handle))
            && slot.value.id.is_some()
        {
            slot.value.object = None;
        }
    }

    /// Gives a session object that became a token object its new form under its old handle.
    pub(super) fn rename(&self, handle: CK_OBJECT_HANDLE, object: &Arc<Object>) {
        let Some(id) = object.id else { return self.put(handle, object) };
        {
            let Some(mut slot) = self.slots.get(handle) else { return };
            if slot.value.id.is_none() {
                self.session_objects.fetch_sub(1, Ordering::AcqRel);
            }
            slot.value.id = Some(id);
            slot.value.session = 0;
            slot.value.object = None;
        }
        self.by_id.lock().insert(id, handle);
        self.put(handle, object);
    }

    /// Forgets a handle.
    pub(super) fn remove(&self, handle: CK_OBJECT_HANDLE) {
        drop(self.take(handle));
    }

    /// The same; gives back what is destroyed with its handle, which is a session object.
    fn take(&self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Object>> {
        let slot = self.slots.remove(handle)?;
        if let Some(id) = slot.id {
            self.by_id.lock().remove(&id);
            return None;
        }
        self.session_objects.fetch_sub(1, Ordering::AcqRel);
        slot.object.inspect(|object| object.mark_destroyed())
    }

    /// Destroys the objects of a session, and gives them back. Looks at every object: for sessions that have made some.
    pub(super) fn remove_of_session(&self, session: CK_SESSION_HANDLE) -> Vec<Arc<Object>> {
        self.remove_where(|slot| slot.id.is_none() && slot.session == session)
    }

    /// Forgets every private object: a logout invalidates their handles (PKCS#11 3.2 section 5.6.9). Gives back those that are
    /// destroyed.
    pub(super) fn remove_private(&self) -> Vec<Arc<Object>> {
        self.remove_where(|slot| slot.private)
    }

    pub(super) fn clear(&self) {
        drop(self.remove_where(|_| true));
    }

    /// The session objects for which `wanted` holds, with their handles.
    pub(super) fn session_objects(&self, wanted: impl Fn(&Object) -> bool) -> Vec<CK_OBJECT_HANDLE> {
        let mut found = Vec::new();
        if self.session_objects.load(Ordering::Acquire) > 0 {
            self.slots.for_each(|handle, slot| {
                if slot.id.is_none() && slot.object.as_ref().is_some_and(|object| wanted(object)) {
                    found.push(handle);
                }
            });
        }
        found
    }

    fn remove_where(&self, gone: impl Fn(&Slot) -> bool) -> Vec<Arc<Object>> {
        let mut handles = Vec::new();
        self.slots.for_each(|handle, slot| {
            if gone(slot) {
                handles.push(handle);
            }
        });
        handles.into_iter().filter_map(|handle| self.take(handle)).collect()
    }
}
