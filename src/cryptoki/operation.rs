//! The operation in progress: begun by C_...Init, run by one call or in parts, ended by one rule.
//!
//! C_...Init only checks and records. A one-shot call runs straight from the prepared key of the object; the first
//! part of a message makes the state that the parts need. [`conclude`] holds the end of an operation and [`answer`]
//! the rule for output buffers (PKCS#11 3.2 section 5.2), once for all functions.

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::{Parameter, ParameterKind, Use};
use hsm::module::{Operation, Running};
use hsm::object::Object;

use super::Library;
use super::session::{Context, Session};

/// What a call came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The caller was told the length it asked for; the operation goes on.
    Told,
    /// The operation is done.
    Done,
}

pub(super) const NOT_INITIALIZED: Error = Error::new(ck::CKR_OPERATION_NOT_INITIALIZED, "no such operation is active");
const TOO_SMALL: Error = Error::new(ck::CKR_BUFFER_TOO_SMALL, "the buffer is smaller than the output");

/// The buffer rule: without a buffer the caller is told the length; with one that is too small it is told and refused;
/// both times the operation goes on. Returns the flow to return at once, or nothing if there is room.
#[inline]
pub(super) fn answer(transfer: &mut impl Transfer, need: usize) -> Result<Option<Flow>> {
    match transfer.room() {
        Some(room) if room >= need => Ok(None),
        Some(_) => {
            transfer.set_length(need);
            Err(TOO_SMALL)
        }
        None => {
            transfer.set_length(need);
            Ok(Some(Flow::Told))
        }
    }
}

/// Whether an operation goes on after a call with this outcome: only if a length was told.
#[inline]
pub(super) fn goes_on(outcome: &Result<Flow>) -> bool {
    match outcome {
        Ok(flow) => *flow == Flow::Told,
        Err(error) => error.rv() == ck::CKR_BUFFER_TOO_SMALL,
    }
}

/// An operation of a session: the HSM's, and the handle of its key.
pub(super) struct Active {
    operation: Operation,
    handle: CK_OBJECT_HANDLE,
}

/// An operation whose user the HSM has just admitted again: the login may have ended meanwhile, the key be gone.
#[inline]
pub(super) fn resume<'a>(context: &Context, active: &'a mut Option<Active>) -> Result<Running<'a>> {
    let active = active.as_mut().ok_or(NOT_INITIALIZED)?;
    context.token()?.module.resume(context.login.as_deref(), &mut active.operation)
}

impl Library {
    /// Runs a part of an operation with a key and ends the operation if that was its end, keeping the key at hand for
    /// the next one.
    #[inline]
    pub(super) fn with_operation(
        &self,
        session: CK_SESSION_HANDLE,
        what: Use,
        run: impl FnOnce(&Context, &mut Option<Active>) -> Result<Flow>,
    ) -> Result<()> {
        let mut session = self.session(session)?;
        let (context, active) = session.value.split(what)?;
        let outcome = run(context, active);
        if !goes_on(&outcome)
            && let Some(Active { operation, handle }) = active.take()
            && operation.key().is_current()
        {
            session.value.recent = Some((handle, operation.into_key()));
        }
        outcome.map(|_| ())
    }

    /// Begins an operation with a key. `decode` makes the parameter in the form that the row wants.
    /// Returns the IV that the HSM has made and the caller is to be told.
    ///
    /// # Errors
    /// CKR_OPERATION_ACTIVE, and what the mechanism, the key, the policy and the parameter refuse, in that order.
    pub fn begin(
        &self,
        session: CK_SESSION_HANDLE,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        key: CK_OBJECT_HANDLE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Option<[u8; 12]>> {
        let mut session = self.session(session)?;
        let session = &mut session.value;
        if session.active(what)?.is_some() {
            return Err(Error::new(ck::CKR_OPERATION_ACTIVE, "such an operation is active already"));
        }
        let Session { context, recent, .. } = session;
        let take_key = || object_of(context, recent, key).map_err(about_key);
        let module = &context.token()?.module;
        let (operation, made) = module.begin(context.login.as_deref(), what, mechanism, take_key, decode)?;
        *session.active(what)? = Some(Active { operation, handle: key });
        Ok(made)
    }

    /// Ends the operation of a use without a result (C_...Init with a NULL mechanism, C_SessionCancel).
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    pub fn cancel(&self, session: CK_SESSION_HANDLE, what: Use) -> Result<()> {
        let mut session = self.session(session)?;
        if what == Use::Digest {
            session.value.digest = None;
        } else {
            *session.value.active(what)? = None;
        }
        Ok(())
    }
}

/// What there is to say of a handle that is no object's, about a key.
#[cold]
fn about_key(error: Error) -> Error {
    match error.rv() {
        ck::CKR_OBJECT_HANDLE_INVALID => Error::new(ck::CKR_KEY_HANDLE_INVALID, "no such key"),
        _ => error,
    }
}

/// The object of a handle: the last one used if it still is what it was, else the object table's.
#[inline]
pub(super) fn object_of(
    context: &Context,
    recent: &mut Option<(CK_OBJECT_HANDLE, Arc<Object>)>,
    handle: CK_OBJECT_HANDLE,
) -> Result<Arc<Object>> {
    if let Some((last, object)) = recent.take()
        && last == handle
        && let Some(login) = &context.login
        && object.is_newest_at(login.epoch())
    {
        return Ok(object);
    }
    let token = context.token()?;
    token.objects.get(&token.module, context.login.as_deref(), handle)
}
