//! Object handles: from what C holds to the object itself, with a bounded cache of token objects.
//!
//! A handle belongs to one run of the application. Session objects live here and nowhere else; of a token object the
//! slot remembers the id, and the decrypted object as long as the cache has room.
//!
//! Threads share all of it, so three things can be done in one way only. A **change** is made by the holder of a [`Claim`],
//! from the form that stands there and can stand there no more once the new one does: two changes follow one another, neither is lost.
//! An **old form** is marked when the new one is in its place, and never taken for a destroyed object. A handle of a **private**
//! object belongs to the login under which it was given out: it is given out while that login stands, goes with it, and
//! no other login's end touches it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ck::{self, CK_OBJECT_HANDLE};
use base::error::{Error, Result};
use hsm::module::{Login, Module};
use hsm::object::{Object, ObjectId, Template};
use platform::lock::{Backoff, Lock};

use super::session_objects::{Handles, SessionObjects};
use super::slab::Slab;

/// The objects of one token that this application has handles of.
pub(super) struct Objects {
    slots: Slab<Slot>,
    index: Lock<Index>,
    cached: Lock<VecDeque<CK_OBJECT_HANDLE>>,
    most_cached: usize,
}

/// What says which slots there are. Whoever fills a slot, empties it, or makes it one of a token object, holds its lock.
struct Index {
    /// The stamp of the login that stands; 0 if none does.
    login: u32,
    by_id: HashMap<ObjectId, CK_OBJECT_HANDLE>,
    session_objects: SessionObjects,
}

#[derive(Default)]
struct Slot {
    id: Option<ObjectId>,
    object: Option<Arc<Object>>,
    /// The stamp of the login that it goes with; 0 for an object that is not private.
    login: u32,
    /// Whether somebody is changing or destroying the object.
    claimed: bool,
    /// The index of session objects in which it stands.
    edition: u64,
}

const NO_OBJECT: Error = Error::new(ck::CKR_OBJECT_HANDLE_INVALID, "no such object");
const FULL: Error = Error::new(ck::CKR_HOST_MEMORY, "this application holds as many object handles as there can be");
const ENDED: Error = Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the login ended meanwhile");

impl Slot {
    /// Whether the handle is one of this login.
    fn is_for(&self, login: Option<&Login>) -> bool {
        self.login == 0 || login.is_some_and(|login| login.stamp() == self.login)
    }
}

/// The stamp of the login that the handle of an object goes with.
fn bound_to(object: &Object, login: Option<&Login>) -> Result<u32> {
    match login {
        _ if !object.is(ck::CKA_PRIVATE) => Ok(0),
        Some(login) => Ok(login.stamp()),
        None => Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "a private object is seen in a login only")),
    }
}

impl Index {
    /// Whether a handle that goes with a login may be given out.
    const fn admits(&self, bound: u32) -> bool {
        bound == 0 || bound == self.login
    }
}

impl Objects {
    /// None yet. `mark` tells the handles of one token from those of another.
    pub(super) fn new(most_cached: usize, mark: u32) -> Self {
        let index = Index { login: 0, by_id: HashMap::new(), session_objects: SessionObjects::new() };
        Self { slots: Slab::new(mark), index: Lock::new(index), cached: Lock::new(VecDeque::new()), most_cached }
    }

    /// Lets a login have handles of private objects. The one before it has ended.
    pub(super) fn begin(&self, login: &Login) {
        self.index.lock().login = login.stamp();
    }

    /// Takes the handles of a login back, all of them and no other's: a logout invalidates those of private objects (PKCS#11 3.2
    /// section 5.6.9). Gives back the session objects that are destroyed.
    pub(super) fn end(&self, login: &Login) -> Vec<Arc<Object>> {
        let mut index = self.index.lock();
        if index.login == login.stamp() {
            index.login = 0;
        }
        self.take_where(&mut index, |slot| slot.login == login.stamp())
    }

    /// The handle of a token object, new or known. One that comes after the end of its login is good for nothing, as it would be
    /// if it had come a moment before: the object is made all the same, and the caller is told so.
    pub(super) fn handle(&self, object: &Arc<Object>, login: Option<&Login>) -> Result<CK_OBJECT_HANDLE> {
        let bound = bound_to(object, login)?;
        let mut index = self.index.lock();
        if !index.admits(bound) {
            let handle = self.slots.insert(usize::MAX, |_, _| ()).ok_or(FULL)?;
            self.slots.remove(handle);
            return Ok(handle);
        }
        let known = object.id.and_then(|id| index.by_id.get(&id).copied());
        let handle = match known.and_then(|handle| Some((handle, self.slots.get(handle)?))) {
            Some((handle, mut slot)) => {
                slot.value.login = bound;
                handle
            }
            None => {
                let filled = |slot: &mut Slot, _| *slot = Slot { id: object.id, login: bound, ..Slot::default() };
                let handle = self.slots.insert(usize::MAX, filled).ok_or(FULL)?;
                index.by_id.extend(object.id.map(|id| (id, handle)));
                handle
            }
        };
        drop(index);
        self.refresh(handle, object);
        Ok(handle)
    }

    /// The handle of a new session object, which is noted among those of its session. The caller holds that session, so that the
    /// object goes with it.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN if the login has ended: the object does not come to be.
    pub(super) fn keep(
        &self,
        object: Arc<Object>,
        login: Option<&Login>,
        of_session: &mut Option<Box<Handles>>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let bound = bound_to(&object, login)?;
        let mut index = self.index.lock();
        if !index.admits(bound) {
            return Err(ENDED);
        }
        let filled = |slot: &mut Slot, _| *slot = Slot { object: Some(object), login: bound, ..Slot::default() };
        let handle = self.slots.insert(usize::MAX, filled).ok_or(FULL)?;
        index.session_objects.add(handle, |handle| self.lives(handle));
        drop(index);
        of_session.get_or_insert_default().push(handle, |handle| self.lives(handle));
        Ok(handle)
    }

    /// The object of an id as it was seen last, if there is room for it.
    pub(super) fn at_hand(&self, id: ObjectId) -> Option<Arc<Object>> {
        let handle = self.index.lock().by_id.get(&id).copied()?;
        self.slots.get(handle)?.value.object.clone()
    }

    /// The object of a handle in its newest form.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID for a handle that is not, no longer or not for this login one of an object.
    pub(super) fn get(&self, module: &Module, login: Option<&Login>, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
        let (id, present) = {
            let slot = self.slots.get(handle).filter(|slot| slot.value.is_for(login)).ok_or(NO_OBJECT)?;
            (slot.value.id, slot.value.object.clone())
        };
        // A session object stands here in its newest form.
        let Some(id) = id else { return present.filter(|object| !object.is_destroyed()).ok_or(NO_OBJECT) };
        if let Some(object) = present
            && (object.is_newest_at(login.map_or_else(|| module.epoch(), Login::epoch)) || module.is_newest(&object)?)
        {
            return Ok(object);
        }
        if let Some(object) = module.load(login, id)? {
            return Ok(self.refresh(handle, &object));
        }
        // It is gone, or this caller does not see it: then the handle is still another's.
        if module.is_gone(id)? {
            self.forget(handle);
        }
        Err(NO_OBJECT)
    }

    /// Remembers what was read of a token object, unless a newer form is known, and gives back the newest; the oldest remembered
    /// object makes room if there is none.
    fn refresh(&self, handle: CK_OBJECT_HANDLE, object: &Arc<Object>) -> Arc<Object> {
        let was_empty = {
            let Some(mut slot) = self.slots.get(handle).filter(|slot| slot.value.id == object.id) else {
                return Arc::clone(object);
            };
            match &slot.value.object {
                Some(present) if present.is_current() && present.version > object.version => {
                    return Arc::clone(present);
                }
                Some(present) if present.is_current() && present.version == object.version => {
                    present.validated.fetch_max(object.validated.load(Ordering::Acquire), Ordering::AcqRel);
                    return Arc::clone(present);
                }
                _ => {}
            }
            let before = slot.value.object.replace(Arc::clone(object));
            before.inspect(|before| before.mark_superseded()).is_none()
        };
        if was_empty {
            self.make_room_for(handle);
        }
        Arc::clone(object)
    }

    fn make_room_for(&self, handle: CK_OBJECT_HANDLE) {
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

    /// The sole right to change or destroy an object, and its newest form. Waits for whoever has it.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub(super) fn claim(&self, module: &Module, login: Option<&Login>, handle: CK_OBJECT_HANDLE) -> Result<Claim<'_>> {
        let mut backoff = Backoff::new();
        loop {
            let mut slot = self.slots.get(handle).filter(|slot| slot.value.is_for(login)).ok_or(NO_OBJECT)?;
            if !std::mem::replace(&mut slot.value.claimed, true) {
                break;
            }
            drop(slot);
            backoff.wait();
        }
        let claimed = Claimed { objects: self, handle };
        let object = self.get(module, login, handle)?;
        Ok(Claim { claimed, object })
    }

    /// Forgets a handle.
    fn forget(&self, handle: CK_OBJECT_HANDLE) {
        let slot = self.take(&mut self.index.lock(), handle);
        drop(slot);
    }

    /// Empties a slot; what is destroyed with its handle, which is a session object, is marked.
    fn take(&self, index: &mut Index, handle: CK_OBJECT_HANDLE) -> Option<Slot> {
        self.take_if(index, handle, |_| true)
    }

    fn take_if(&self, index: &mut Index, handle: CK_OBJECT_HANDLE, wanted: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        let slot = self.slots.remove_if(handle, wanted)?;
        match slot.id {
            Some(id) if index.by_id.get(&id) == Some(&handle) => drop(index.by_id.remove(&id)),
            Some(_) => {}
            None => {
                index.session_objects.remove(slot.edition);
                slot.object.iter().for_each(|object| object.mark_destroyed());
            }
        }
        Some(slot)
    }

    fn take_where(&self, index: &mut Index, gone: impl Fn(&Slot) -> bool) -> Vec<Arc<Object>> {
        let mut handles = Vec::new();
        self.slots.for_each(|handle, slot| {
            if gone(slot) {
                handles.push(handle);
            }
        });
        destroyed(handles.into_iter().filter_map(|handle| self.take(index, handle)))
    }

    /// Destroys the objects that were made in a session, and gives them back. Waits for whoever is changing one: it may be a token
    /// object a moment later, which stays.
    pub(super) fn remove_of_session(&self, made: Handles) -> Vec<Arc<Object>> {
        let gone = made.into_list().into_iter().filter_map(|handle| {
            let mut backoff = Backoff::new();
            loop {
                let mut is_changing = false;
                let taken = self.take_if(&mut self.index.lock(), handle, |slot| {
                    is_changing = slot.id.is_none() && slot.claimed;
                    slot.id.is_none() && !slot.claimed
                });
                if !is_changing {
                    return taken;
                }
                backoff.wait();
            }
        });
        destroyed(gone)
    }

    /// Destroys a session object that came with another, which did not come to be.
    pub(super) fn remove(&self, handle: CK_OBJECT_HANDLE) {
        self.forget(handle);
    }

    pub(super) fn clear(&self) {
        let gone = self.take_where(&mut self.index.lock(), |_| true);
        drop(gone);
    }

    /// The handles of the session objects that this login sees, that can match a template and for which `wanted` holds.
    pub(super) fn session_objects(
        &self,
        login: Option<&Login>,
        template: &Template,
        wanted: impl Fn(&Object) -> bool,
    ) -> Vec<CK_OBJECT_HANDLE> {
        let candidates = {
            let mut index = self.index.lock();
            if index.session_objects.is_empty() {
                return Vec::new();
            }
            index.session_objects.candidates(template, |handle, edition| {
                let mut slot = self.slots.get(handle)?;
                let is_new = slot.value.id.is_none() && std::mem::replace(&mut slot.value.edition, edition) != edition;
                slot.value.object.clone().filter(|_| is_new)
            })
        };
        // Each is looked at as it is by now: its handle is that of the same object, whatever has become of it.
        let matches = |handle: &CK_OBJECT_HANDLE| {
            let slot = self.slots.get(*handle).filter(|slot| slot.value.id.is_none() && slot.value.is_for(login));
            slot.and_then(|slot| slot.value.object.clone()).is_some_and(|object| wanted(&object))
        };
        candidates.into_iter().filter(matches).collect()
    }

    fn lives(&self, handle: CK_OBJECT_HANDLE) -> bool {
        self.slots.get(handle).is_some()
    }
}

/// The session objects among what was in slots.
fn destroyed(slots: impl Iterator<Item = Slot>) -> Vec<Arc<Object>> {
    slots.filter(|slot| slot.id.is_none()).filter_map(|slot| slot.object).collect()
}

/// The sole right to change or destroy the object of a handle, which ends with it.
pub(super) struct Claim<'a> {
    claimed: Claimed<'a>,
    object: Arc<Object>,
}

struct Claimed<'a> {
    objects: &'a Objects,
    handle: CK_OBJECT_HANDLE,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if let Some(mut slot) = self.objects.slots.get(self.handle) {
            slot.value.claimed = false;
        }
    }
}

impl Claim<'_> {
    /// The form that a change is to be computed from.
    pub(super) const fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Puts the new form in the place of the one that it was computed from.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID for a session object that went meanwhile, with its session or login.
    pub(super) fn put(self, new: &Arc<Object>) -> Result<()> {
        let (objects, handle) = (self.claimed.objects, self.claimed.handle);
        if self.object.id.is_some() {
            objects.refresh(handle, new);
            self.object.mark_superseded();
            return Ok(());
        }
        new.succeed(&self.object);
        let mut index = objects.index.lock();
        let Some(mut slot) = objects.slots.get(handle) else {
            // What has become a token object is stored, whatever became of the handle.
            return if new.id.is_some() { Ok(()) } else { Err(NO_OBJECT) };
        };
        let edition = std::mem::take(&mut slot.value.edition);
        slot.value.id = new.id;
        slot.value.object = Some(Arc::clone(new));
        drop(slot);
        match new.id {
            Some(id) => {
                index.session_objects.remove(edition);
                // A search may have given it a second handle, as soon as it was stored: this one is found from now on.
                index.by_id.insert(id, handle);
                drop(index);
                objects.make_room_for(handle);
            }
            None => index.session_objects.change(handle, edition, |handle| objects.lives(handle)),
        }
        self.object.mark_superseded();
        Ok(())
    }

    /// Forgets the handle of the object, which has been destroyed.
    pub(super) fn destroyed(self) {
        self.claimed.objects.forget(self.claimed.handle);
    }
}
