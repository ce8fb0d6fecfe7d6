//! C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal.

use super::Library;
use super::operation::NOT_INITIALIZED;
use super::session::Finding;
use crate::ck::{self, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use crate::error::{Error, Result};
use crate::module::Login;
use crate::object::{Template, find};

impl Library {
    /// C_FindObjectsInit: the search is done here, so that what is made meanwhile does not shift it.
    ///
    /// # Errors
    /// CKR_OPERATION_ACTIVE; what the module refuses.
    pub fn find_init(&self, session: CK_SESSION_HANDLE, template: &Template) -> Result<()> {
        let (token, login) = {
            let session = self.session(session)?;
            if session.value.find.is_some() {
                return Err(Error::new(ck::CKR_OPERATION_ACTIVE, "a search is active already"));
            }
            (session.value.token()?.clone(), session.value.context.login.clone())
        };
        token.module.take_turn()?;
        let login = login.as_deref();
        let regime = token.module.regime();
        let mut handles = Vec::new();
        let known = |id| token.objects.at_hand(id);
        let found = if template.is_impossible() { Vec::new() } else { token.module.find(login, template, &known)? };
        for object in found {
            handles.push(token.objects.handle(&object, 0)?);
        }
        handles.extend(token.objects.session_objects(|object| {
            !template.is_impossible()
                && (login.is_some() || !object.is(ck::CKA_PRIVATE))
                && find::matches(object, template, regime)
        }));
        if login.is_some_and(Login::has_ended) {
            // The logout took the private handles back before these were made.
            token.objects.remove_private();
            return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the login ended meanwhile"));
        }
        let mut session = self.session(session)?;
        session.value.find = Some(Finding { handles, next: 0 });
        Ok(())
    }

    /// C_FindObjects: hands out at most `most` handles.
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED.
    pub fn find(
        &self,
        session: CK_SESSION_HANDLE,
        most: usize,
        mut give: impl FnMut(usize, CK_OBJECT_HANDLE),
    ) -> Result<usize> {
        let mut session = self.session(session)?;
        let finding = session.value.find.as_mut().ok_or(NOT_INITIALIZED)?;
        let rest = finding.handles.get(finding.next..).unwrap_or_default();
        let count = rest.len().min(most);
        for (at, handle) in rest.iter().take(count).enumerate() {
            give(at, *handle);
        }
        finding.next += count;
        Ok(count)
    }

    /// C_FindObjects without an array: how many are left, without handing them out. A question for none at all is about all;
    /// one for `most` counts no further (AWS's sample `unwrap_with_template` asks so whether a label stands for two keys).
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED; CKR_ARGUMENTS_BAD where the profile wants a place for `most`.
    pub fn find_left(&self, session: CK_SESSION_HANDLE, most: usize) -> Result<usize> {
        let session = self.session(session)?;
        let finding = session.value.find.as_ref().ok_or(NOT_INITIALIZED)?;
        let left = finding.handles.len().saturating_sub(finding.next);
        if most == 0 {
            return Ok(left);
        }
        if !session.value.token()?.dialect().counts_without_array {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "phObject is NULL"));
        }
        Ok(left.min(most))
    }

    /// Ends a search if there is one (C_SessionCancel).
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    pub fn cancel_find(&self, session: CK_SESSION_HANDLE) -> Result<()> {
        self.session(session)?.value.find = None;
        Ok(())
    }

    /// C_FindObjectsFinal.
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED.
    pub fn find_final(&self, session: CK_SESSION_HANDLE) -> Result<()> {
        let mut session = self.session(session)?;
        session.value.find.take().map(|_| ()).ok_or(NOT_INITIALIZED)
    }
}
