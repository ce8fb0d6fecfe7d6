//! C_CreateObject, C_GenerateKey, C_DestroyObject and whatever else makes, changes or reads an object.

use std::sync::Arc;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use base::error::{Error, Result};
use hsm::mechanism::{Parameter, ParameterKind, Use};
use hsm::module::{Actor, Login, Sharing};
use hsm::object::{Object, Template};

use super::Library;
use super::objects::Claim;
use super::operation::object_of;
use super::token::Token;

/// What a function that changes objects works with, taken out of the session so that its lock is free.
pub(super) struct Place {
    pub(super) token: Arc<Token>,
    login: Option<Arc<Login>>,
    read_write: bool,
}

impl Place {
    /// Who asks; nobody in a public session.
    pub(super) fn actor(&self) -> Option<Actor<'_>> {
        self.login.as_deref().map(Actor::from)
    }

    /// Token objects are made and changed in read/write sessions only (PKCS#11 3.2 section 5.6.3).
    pub(super) fn check_writable(&self, token_object: bool) -> Result<()> {
        if token_object && !self.read_write {
            return Err(Error::new(ck::CKR_SESSION_READ_ONLY, "token objects need a read/write session"));
        }
        Ok(())
    }

    pub(super) fn object(&self, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
        self.token.objects.get(&self.token.module, self.login.as_deref(), handle)
    }

    /// Changes or destroys an object: alone in this process, and once more from the newest form, with all rules, if another
    /// process was faster.
    fn change<R>(&self, handle: CK_OBJECT_HANDLE, change: impl Fn(Claim<'_>) -> Result<R>) -> Result<R> {
        let mut attempts = 1;
        loop {
            let claim = self.token.objects.claim(&self.token.module, self.login.as_deref(), handle)?;
            let looked_at = Arc::clone(claim.object());
            match change(claim) {
                Err(_) if looked_at.is_superseded() && attempts < MOST_ATTEMPTS => attempts += 1,
                outcome => return outcome,
            }
        }
    }
}

/// How often a change is computed anew: another process is faster once or twice, not for ever.
const MOST_ATTEMPTS: usize = 16;

/// Reads one attribute of an object: hands its value to the second argument.
pub type ReadAttribute<'a> = dyn Fn(CK_ATTRIBUTE_TYPE, &mut dyn FnMut(&[u8])) -> Result<()> + 'a;

impl Library {
    pub(super) fn place(&self, session: CK_SESSION_HANDLE) -> Result<Place> {
        let session = self.session(session)?;
        session.value.token()?.module.take_turn()?;
        Ok(Place {
            token: Arc::clone(session.value.token()?),
            login: session.value.context.login.clone(),
            read_write: session.value.is_read_write(),
        })
    }

    /// C_CreateObject.
    ///
    /// # Errors
    /// What the module refuses; CKR_SESSION_READ_ONLY for a token object in a read-only session.
    pub fn create_object(&self, session: CK_SESSION_HANDLE, template: &Template) -> Result<CK_OBJECT_HANDLE> {
        let place = self.place(session)?;
        place.check_writable(place.token.module.makes_token_object(template))?;
        let object = place.token.module.create_object(place.login.as_deref(), template)?;
        self.hold(&place, object, session)
    }

    /// C_GenerateKey.
    ///
    /// # Errors
    /// As [`Library::create_object`], and CKR_MECHANISM_INVALID.
    pub fn generate_key(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let place = self.place(session)?;
        let module = &place.token.module;
        let generator = module.generator(Use::Generate, mechanism, decode)?;
        place.check_writable(template.flag(ck::CKA_TOKEN) == Some(true))?;
        let object = module.generate_key(place.login.as_deref(), generator, template, &Sharing::default())?;
        self.hold(&place, object, session)
    }

    /// C_GenerateKeyPair: the handles of the public and the private key.
    ///
    /// # Errors
    /// As [`Library::generate_key`].
    pub fn generate_key_pair(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
        public: &Template,
        private: &Template,
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let place = self.place(session)?;
        let module = &place.token.module;
        let generator = module.generator(Use::GeneratePair, mechanism, decode)?;
        let token_object = [public, private].iter().any(|template| template.flag(ck::CKA_TOKEN) == Some(true));
        place.check_writable(token_object)?;
        let login = place.login.as_deref();
        let (public, private) = module.generate_key_pair(login, generator, public, private, &Sharing::default())?;
        let is_stored = public.is_token();
        let public = self.hold(&place, public, session)?;
        let private = self.hold(&place, private, session).inspect_err(|_| {
            // Both or neither.
            if !is_stored {
                place.token.objects.remove(public);
            }
        })?;
        Ok((public, private))
    }

    /// C_CopyObject.
    ///
    /// # Errors
    /// What the module refuses.
    pub fn copy_object(
        &self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let place = self.place(session)?;
        let object = place.object(object)?;
        place.check_writable(template.flag(ck::CKA_TOKEN).unwrap_or_else(|| object.is_token()))?;
        let copy = place.token.module.copy_object(place.login.as_deref(), &object, template)?;
        self.hold(&place, copy, session)
    }

    /// C_DestroyObject.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID, and what the module refuses.
    pub fn destroy_object(&self, session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Result<()> {
        let place = self.place(session)?;
        let object = place.change(handle, |claim| {
            place.check_writable(claim.object().is_token())?;
            place.token.module.destroy_object(place.login.as_deref(), claim.object())?;
            let object = Arc::clone(claim.object());
            claim.destroyed();
            Ok(object)
        })?;
        // A session that used the key last would keep it alive. Nobody can take it up any more: who has it is counted, unless it is an
        // earlier form, which has its own copy of the key.
        if Arc::strong_count(&object) > 1 || object.has_earlier_forms() {
            self.sessions.for_each(|_, session| session.forget_key(handle));
        }
        Ok(())
    }

    /// C_SetAttributeValue.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID, and what the module refuses.
    pub fn set_attributes(
        &self,
        session: CK_SESSION_HANDLE,
        handle: CK_OBJECT_HANDLE,
        template: &Template,
    ) -> Result<()> {
        let place = self.place(session)?;
        place.change(handle, |claim| {
            let object = claim.object();
            place.check_writable(object.is_token() || template.flag(ck::CKA_TOKEN) == Some(true))?;
            let changed = place.token.module.change_object(place.login.as_deref(), object, template)?;
            claim.put(&changed)
        })
    }

    /// C_GetAttributeValue: asks `each` for one attribute after the other until it has no more, handing it a way to
    /// read it. The object is looked up once.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID; errors of single attributes go to `each`.
    #[inline]
    pub fn get_attributes<R>(
        &self,
        session: CK_SESSION_HANDLE,
        handle: CK_OBJECT_HANDLE,
        each: impl FnOnce(&ReadAttribute<'_>) -> R,
    ) -> Result<R> {
        let mut guard = self.session(session)?;
        let session = &mut guard.value;
        let object = object_of(&session.context, &mut session.recent, handle)?;
        let token = session.token()?;
        let login = session.context.login.as_deref();
        token.module.take_turn()?;
        token.module.may_read(login, &object)?;
        let answer = each(&|id, take: &mut dyn FnMut(&[u8])| token.module.read_attribute(login, &object, id, take));
        session.recent = Some((handle, object));
        Ok(answer)
    }

    /// C_GetObjectSize.
    ///
    /// # Errors
    /// CKR_OBJECT_HANDLE_INVALID.
    pub fn object_size(&self, session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Result<CK_ULONG> {
        let place = self.place(session)?;
        let object = place.object(handle)?;
        place.token.module.may_read(place.login.as_deref(), &object)?;
        Ok(place.token.module.object_size(&object))
    }

    /// Gives a new object a handle. A token object without one, because there are none left, can still be found later.
    pub(super) fn hold(
        &self,
        place: &Place,
        object: Arc<Object>,
        session: CK_SESSION_HANDLE,
    ) -> Result<CK_OBJECT_HANDLE> {
        let (objects, login) = (&place.token.objects, place.login.as_deref());
        if object.id.is_some() {
            return objects.handle(&object, login);
        }
        // The session may have been closed while the object was made: it is closed before this, or after, and takes the object along.
        let Ok(mut session) = self.session(session) else {
            return Err(Error::new(ck::CKR_SESSION_CLOSED, "the session was closed meanwhile"));
        };
        objects.keep(object, login, &mut session.value.objects)
    }
}
