//! The operation in progress: begun by C_...Init, run by one call or in parts, ended by one rule.
//!
//! C_...Init only checks and records. A one-shot call runs straight from the prepared key of the object; the first
//! part of a message makes the state that the parts need. [`conclude`] holds the end of an operation and [`answer`]
//! the rule for output buffers (PKCS#11 3.2 section 5.2), once for all functions.

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::{self, Accumulator, Digest, Mechanism, Parameter, Stream, Terms, Use, Work};
use hsm::object::Object;

use super::Library;
use super::session::{Context, Session};

/// An operation with a key.
#[derive(Default)]
pub(super) enum Active {
    /// None.
    #[default]
    None,
    /// Begun.
    Ready(Ready),
    /// Signing or verifying in parts.
    Accumulating(Ready, Box<Accumulator>),
    /// Encrypting or decrypting in parts.
    Streaming(Ready, Box<dyn Stream>),
}

/// What C_...Init has checked and recorded.
pub(super) struct Ready {
    pub(super) row: &'static Mechanism,
    pub(super) terms: &'static Terms,
    pub(super) handle: CK_OBJECT_HANDLE,
    pub(super) key: Arc<Object>,
    pub(super) parameter: Parameter,
}

/// A digest in progress.
#[derive(Default)]
pub(super) enum Digesting {
    /// None.
    #[default]
    None,
    /// Begun.
    Ready(&'static Mechanism),
    /// In parts.
    Running(Box<Digest>),
}

/// What a call came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The caller was told the length it asked for; the operation goes on.
    Told,
    /// The operation is done.
    Done,
}

impl Ready {
    pub(super) fn work(&self) -> Work<'_> {
        Work { row: self.row, key: &self.key.material, key_type: self.key.key_type, parameter: &self.parameter }
    }
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

/// The limit on the input of one call.
#[inline]
pub(super) fn check_length(ready: &Ready, length: usize) -> Result<()> {
    ready.terms.check_length(&ready.parameter, length)
}

impl Context {
    /// Asks again, at each call, whether the operation's key may be used: the login may have ended, the key be gone.
    #[inline]
    pub(super) fn still_admitted(&self, ready: &Ready, what: Use) -> Result<()> {
        self.token()?.module.admit_use(self.login.as_deref(), &ready.key, ready.row, what)
    }
}

impl Library {
    /// Runs a part of an operation with a key and ends the operation if that was its end, keeping the key at hand for
    /// the next one.
    #[inline]
    pub(super) fn with_operation(
        &self,
        session: CK_SESSION_HANDLE,
        what: Use,
        run: impl FnOnce(&Context, &mut Active) -> Result<Flow>,
    ) -> Result<()> {
        let mut session = self.session(session)?;
        let (context, active) = session.value.split(what)?;
        let outcome = run(context, active);
        if !goes_on(&outcome) {
            let ended = std::mem::take(active);
            if let Active::Ready(ready) | Active::Accumulating(ready, _) | Active::Streaming(ready, _) = ended
                && ready.key.is_current()
            {
                session.value.recent = Some((ready.handle, ready.key));
            }
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
        decode: impl FnOnce(mechanism::ParameterKind) -> Result<Parameter>,
    ) -> Result<Option<[u8; 12]>> {
        let mut session = self.session(session)?;
        let session = &mut session.value;
        if !matches!(session.active(what)?, Active::None) {
            return Err(Error::new(ck::CKR_OPERATION_ACTIVE, "such an operation is active already"));
        }
        let module = &session.token()?.module;
        let (row, terms) = mechanism::serve(mechanism, what, module.regime())?;
        let object = session.key(key)?;
        let token = session.token()?;
        token.module.admit(session.context.login.as_deref(), &object, row, what)?;
        let mut parameter = decode(terms.parameter)?;
        let work = Work { row, key: &object.material, key_type: object.key_type, parameter: &parameter };
        Mechanism::check(&work, what, token.module.regime())?;
        let made = mechanism::make_iv(terms.parameter, what, &mut parameter)?;
        token.module.observe_use(session.context.login.as_deref(), &object, row, what)?;
        *session.active(what)? = Active::Ready(Ready { row, terms, handle: key, key: object, parameter });
        Ok(made)
    }

    /// Ends the operation of a use without a result (C_...Init with a NULL mechanism, C_SessionCancel).
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    pub fn cancel(&self, session: CK_SESSION_HANDLE, what: Use) -> Result<()> {
        let mut session = self.session(session)?;
        if what == Use::Digest {
            session.value.digest = Digesting::None;
        } else {
            *session.value.active(what)? = Active::None;
        }
        Ok(())
    }
}

impl Session {
    /// The key of a handle.
    #[inline]
    fn key(&mut self, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
        self.object(handle).map_err(|error| match error.rv() {
            ck::CKR_OBJECT_HANDLE_INVALID => Error::new(ck::CKR_KEY_HANDLE_INVALID, "no such key"),
            _ => error,
        })
    }

    /// The object of a handle: the last one used if it still is what it was, else the object table's.
    #[inline]
    pub(super) fn object(&mut self, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
        if let Some((recent, object)) = self.recent.take()
            && recent == handle
            && let Some(login) = &self.context.login
            && object.is_newest_at(login.epoch())
        {
            return Ok(object);
        }
        let token = self.token()?;
        token.objects.get(&token.module, self.context.login.as_deref(), handle)
    }
}
