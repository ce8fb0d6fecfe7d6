//! A mechanism at work with a key in one call: what the C functions without parts and the command line have in common.

use std::sync::Arc;

use base::error::Result;

use super::quorum::{Actor, Toll};
use super::{Login, Module};
use crate::mechanism::{Mechanism, Parameter, ParameterKind, Terms, Use, Work};
use crate::object::{Object, safeguards};

/// A mechanism, its parameter and a key, which the user may work with so; what that costs is paid when it is used, which
/// is once.
pub struct Tool<'a> {
    what: Use,
    pub(super) row: &'static Mechanism,
    pub(super) terms: &'static Terms,
    pub(super) key: Arc<Object>,
    pub(super) parameter: Parameter,
    /// Nobody, in a public session.
    pub(super) actor: Option<Actor<'a>>,
    pub(super) toll: Toll,
}

impl<'a> Tool<'a> {
    pub(super) fn login(&self) -> Option<&'a Login> {
        self.actor.map(|actor| actor.login)
    }

    pub(super) fn work(&self) -> Work<'_> {
        Work { row: self.row, key: &self.key.material, key_type: self.key.key_type, parameter: &self.parameter }
    }

    /// The strength in bits with which it wraps: that of its key, and of the AES key in between if there is one.
    pub(super) fn strength(&self) -> usize {
        let between = match &self.parameter {
            Parameter::RsaAes(parameter) => 8 * parameter.key_length,
            _ => usize::MAX,
        };
        safeguards::strength(&self.key).min(between)
    }
}

impl Module {
    /// Puts a mechanism, which [`crate::mechanism::serve`] has found to be served, to work with a key. `decode` makes the
    /// parameter in the form that the row wants.
    ///
    /// # Errors
    /// As [`Module::admit`]; what the mechanism refuses of key and parameter.
    pub fn tool<'a>(
        &self,
        actor: Option<Actor<'a>>,
        what: Use,
        (row, terms): (&'static Mechanism, &'static Terms),
        key: Arc<Object>,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Tool<'a>> {
        let toll = self.admit_approved(actor, &key, row, what)?;
        let tool = Tool { what, row, terms, key, parameter: decode(terms.parameter)?, actor, toll };
        Mechanism::check(&tool.work(), what, self.regime())?;
        Ok(tool)
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
        self.observe_use(tool.login(), &tool.key, tool.row, tool.what)
    }
}
