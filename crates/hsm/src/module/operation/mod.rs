//! Operations with a key: what C_...Init begins and later calls go on with.
//!
//! Here runs the gate. A [`Task`] is made by [`Module::task`] alone, which asks whether the regime serves the mechanism, whether the
//! user may use the key so, and what the mechanism says of key and parameter. What is done with a task is done in this folder, so
//! no key and no function of a row leaves it. Who goes on with an operation must be admitted anew ([`Module::resume`]): the login
//! may have ended, the key may be gone.

mod cipher;
mod digest;
mod sign;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE};
use base::error::{Error, Result};

pub use digest::{Digesting, LONGEST_DIGEST};

use super::{Login, Module};
use crate::mechanism::operation::NO_PARTS;
use crate::mechanism::{self, Accumulator, Mechanism, Parameter, ParameterKind, Stream, Terms, Use, Work};
use crate::object::Object;

/// A mechanism, its parameter and a key, which a user has been admitted to.
pub(super) struct Task {
    pub(super) what: Use,
    pub(super) row: &'static Mechanism,
    pub(super) terms: &'static Terms,
    pub(super) key: Arc<Object>,
    pub(super) parameter: Parameter,
}

/// An operation with a key, begun and perhaps in parts.
pub struct Operation {
    task: Task,
    state: State,
}

/// How far an operation has come.
enum State {
    /// There was no part yet.
    Begun,
    /// Signing or verifying in parts.
    Signing(Box<Accumulator>),
    /// Encrypting or decrypting in parts.
    Ciphering(Box<dyn Stream>),
    /// What it was begun for is done: an IV that the HSM has made serves once, whoever asks again.
    Over,
}

/// An operation whose user has just been admitted: what can be done with it now.
pub struct Running<'a>(&'a mut Operation);

const NOT_WHOLE: Error = Error::new(ck::CKR_OPERATION_NOT_INITIALIZED, "the operation is in parts, or over");
const ANOTHER_USE: Error = Error::internal("an operation was begun for another use");

impl Task {
    pub(super) fn work(&self) -> Work<'_> {
        Work { row: self.row, key: &self.key.material, key_type: self.key.key_type, parameter: &self.parameter }
    }

    /// Refuses an input that is longer than one call may have.
    #[inline]
    pub(super) fn check_length(&self, length: usize) -> Result<()> {
        self.terms.check_length(&self.parameter, length)
    }
}

impl Operation {
    /// The key, for what the caller keeps of it.
    #[must_use]
    pub const fn key(&self) -> &Arc<Object> {
        &self.task.key
    }

    /// Gives the key back at the end.
    #[must_use]
    pub fn into_key(self) -> Arc<Object> {
        self.task.key
    }
}

impl Running<'_> {
    /// The task, for a call that is the whole of an operation; one in parts, or over, is refused it.
    #[inline]
    fn whole(&self) -> Result<&Task> {
        if matches!(self.0.state, State::Begun) { Ok(&self.0.task) } else { Err(NOT_WHOLE) }
    }

    /// Refuses what an operation was not begun for.
    #[inline]
    fn check_use(&self, what: Use) -> Result<()> {
        if self.0.task.what == what { Ok(()) } else { Err(ANOTHER_USE) }
    }
}

impl Module {
    /// Passes the gate. `key` gives the key once the mechanism is known to be served, `admit` asks whether it may be used, `decode`
    /// makes the parameter in the form that the row wants.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID; what the other three return; what the mechanism refuses of key and parameter.
    #[inline]
    pub(super) fn task<A>(
        &self,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        key: impl FnOnce() -> Result<Arc<Object>>,
        admit: impl FnOnce(&Object, &Mechanism) -> Result<A>,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<(Task, A)> {
        let (row, terms) = mechanism::serve(mechanism, what, self.regime())?;
        let key = key()?;
        let admitted = admit(&key, row)?;
        let parameter = decode(terms.parameter)?;
        let task = Task { what, row, terms, key, parameter };
        Mechanism::check(&task.work(), what, self.regime())?;
        Ok((task, admitted))
    }

    /// Begins an operation with a key, which `key` gives; `decode` makes the parameter in the form that is wanted. Returns with it
    /// the IV that the HSM has made, if the caller is to be told.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID; what `key` returns; what policy, parameter and mechanism refuse, in that order.
    #[inline]
    pub fn begin(
        &self,
        login: Option<&Login>,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        key: impl FnOnce() -> Result<Arc<Object>>,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<(Operation, Option<[u8; 12]>)> {
        let admit = |key: &Object, row: &Mechanism| self.admit(login, key, row, what);
        let (mut task, ()) = self.task(what, mechanism, key, admit, decode)?;
        let made = mechanism::make_iv(task.terms.parameter, what, &mut task.parameter)?;
        self.observe_use(login, &task.key, task.row, what)?;
        Ok((Operation { task, state: State::Begun }, made))
    }

    /// Goes on with an operation, if its key may still be used.
    ///
    /// # Errors
    /// As [`Module::begin`] of the policy; CKR_FUNCTION_FAILED from an HSM that is busy.
    #[inline]
    pub fn resume<'a>(&self, login: Option<&Login>, operation: &'a mut Operation) -> Result<Running<'a>> {
        let task = &operation.task;
        self.admit_use(login, &task.key, task.row, task.what)?;
        Ok(Running(operation))
    }
}
