//! Digests, which need no key.

use base::ck::CK_MECHANISM_TYPE;
use base::error::{Error, Result};
use crypto::digest::{Digest, Hash};

use super::NOT_WHOLE;
use crate::mechanism::{self, Parameter, ParameterKind, Use};
use crate::module::Module;

/// A digest that has been begun, and perhaps is in parts.
pub struct Digesting {
    hash: Hash,
    parts: Option<Box<Digest>>,
}

/// The longest digest, in bytes.
pub const LONGEST_DIGEST: usize = 64;

impl Digesting {
    /// How long the digest is, in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.hash.length()
    }

    /// Refuses a digest in parts a call that is the whole of one.
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED.
    pub fn check_whole(&self) -> Result<()> {
        if self.parts.is_none() { Ok(()) } else { Err(NOT_WHOLE) }
    }

    /// Digests data in one call; returns how long the digest is.
    pub fn digest(&self, data: &[u8], out: &mut [u8; LONGEST_DIGEST]) -> usize {
        self.hash.digest(data, out)
    }

    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.parts.get_or_insert_with(|| Box::new(Digest::new(self.hash))).update(part);
    }

    /// Digests what has come in parts; returns how long the digest is.
    pub fn finish(&mut self, out: &mut [u8; LONGEST_DIGEST]) -> usize {
        match self.parts.take() {
            Some(parts) => parts.finish(out),
            None => self.hash.digest(&[], out),
        }
    }
}

impl Module {
    /// Begins a digest. The client does the hashing: no rule of FIPS mode holds it back.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID; what `decode` refuses of the parameter.
    pub fn begin_digest(
        &self,
        mechanism: CK_MECHANISM_TYPE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Digesting> {
        let (row, terms) = mechanism::serve(mechanism, Use::Digest, self.regime())?;
        decode(terms.parameter)?;
        let hash = row.hash.ok_or(Error::internal("a digest row without a hash"))?;
        Ok(Digesting { hash, parts: None })
    }
}
