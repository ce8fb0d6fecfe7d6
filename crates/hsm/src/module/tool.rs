//! A mechanism at work with a key in one call, and what the user's approvals cost: what wrapping, unwrapping and derivation have in
//! common with the command line's signing.

use std::sync::Arc;

use base::ck::CK_MECHANISM_TYPE;
use base::error::Result;

use super::operation::Task;
use super::quorum::{Actor, Toll};
use super::{Login, Module};
use crate::mechanism::{Parameter, ParameterKind, Use};
use crate::object::{Object, safeguards};

/// A mechanism, its parameter and a key, which the user may work with so; what that costs is paid when it is used, which
/// is once.
pub struct Tool<'a> {
    pub(super) task: Task,
    /// Nobody, in a public session.
    pub(super) actor: Option<Actor<'a>>,
    pub(super) toll: Toll,
}

impl<'a> Tool<'a> {
    pub(super) fn login(&self) -> Option<&'a Login> {
        self.actor.map(|actor| actor.login)
    }

    /// The strength in bits with which it wraps: that of its key, and of the AES key in between if there is one.
    pub(super) fn strength(&self) -> usize {
        let between = match &self.task.parameter {
            Parameter::RsaAes(parameter) => 8 * parameter.key_length,
            _ => usize::MAX,
        };
        safeguards::strength(&self.task.key).min(between)
    }
}

impl Module {
    /// Puts a mechanism to work with a key, which `key` gives once the mechanism is known to be served. `decode` makes the parameter in
    /// the form that is wanted.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID; what `key` returns; as [`Module::admit`]; what the mechanism refuses of key and parameter.
    pub fn tool<'a>(
        &self,
        actor: Option<Actor<'a>>,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        key: impl FnOnce() -> Result<Arc<Object>>,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Tool<'a>> {
        let admit = |key: &Object, row: &_| self.admit_approved(actor, key, row, what);
        let (task, toll) = self.task(what, mechanism, key, admit, decode)?;
        Ok(Tool { task, actor, toll })
    }

    /// Pays for a tool's use and records it, before it is used.
    ///
    /// # Errors
    /// AWS's texts for approvals that do not do; if the use must be recorded and cannot be.
    pub(super) fn put_to_use(&self, tool: &Tool<'_>) -> Result<()> {
        self.pay(&[(tool.toll, tool.actor)])?;
        self.observe_use_of(tool)
    }

    /// Records a tool's use.
    ///
    /// # Errors
    /// If it must be recorded and cannot be.
    pub(super) fn observe_use_of(&self, tool: &Tool<'_>) -> Result<()> {
        self.observe_use(tool.login(), &tool.task.key, tool.task.row, tool.task.what)
    }
}
