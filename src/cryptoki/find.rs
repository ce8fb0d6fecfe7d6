//! C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal.

use std::collections::BTreeSet;

use base::ck::{self, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use hsm::object::{Template, find};

use super::Library;
use super::operation::NOT_INITIALIZED;
use super::session::Finding;

const SEARCHING: Error = Error::new(ck::CKR_OPERATION_ACTIVE, "a search is active already");

impl Library {
    /// C_FindObjectsInit: the search is done here, so that what is made meanwhile does not shift it.
    ///
    /// # Errors
    /// CKR_OPERATION_ACTIVE; what the module refuses.
    pub fn find_init(&self, session: CK_SESSION_HANDLE, template: &Template) -> Result<()> {
        let (token, login) = {
            let session = self.session(session)?;
            if session.value.find.is_some() {
                return Err(SEARCHING);
            }
            (session.value.token()?.clone(), session.value.context.login.clone())
        };
        token.module.take_turn()?;
        let begun_under = login.as_ref();
        let login = login.as_deref();
        let regime = token.module.regime();
        let known = |id| token.objects.at_hand(id);
        let mut handles = Vec::new();
        if !template.is_impossible() {
            // Session objects first: one that becomes a token object meanwhile is found there or here.
            let of_sessions =
                token.objects.session_objects(login, template, |object| find::matches(object, template, regime));
            for object in token.module.find(login, template, &known)? {
                handles.push(token.objects.handle(&object, login)?);
            }
            if !of_sessions.is_empty() {
                // Not a set that hashes, as in `Hsm::keys_shared_with`.
                let stored: BTreeSet<_> = handles.iter().copied().collect();
                handles.extend(of_sessions.into_iter().filter(|handle| !stored.contains(handle)));
            }
        }
        let mut session = self.session(session)?;
        // What was found under a login that has ended is not for the next one.
        if !session.value.is_under(begun_under) {
            return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the login ended meanwhile"));
        }
        if session.value.find.is_some() {
            return Err(SEARCHING);
        }
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
