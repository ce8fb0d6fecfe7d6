//! Signing and verifying, in one call and in parts.

use base::error::{Error, Result};

use super::{ANOTHER_USE, NO_PARTS, NOT_WHOLE, Running, State, Task};
use crate::mechanism::{Accumulator, Signing, Use};

impl Task {
    #[inline]
    fn signing(&self) -> Result<&'static Signing> {
        self.row.serves.sign.as_ref().ok_or(Error::internal("a row that serves signing without functions for it"))
    }

    /// How long a signature is, in bytes.
    #[inline]
    pub(in crate::module) fn signature_length(&self) -> Result<usize> {
        (self.signing()?.length)(&self.work())
    }

    /// Signs into a buffer of at least that length; returns how long the signature is.
    #[inline]
    pub(in crate::module) fn sign(&self, data: &[u8], out: &mut [u8]) -> Result<usize> {
        (self.signing()?.sign)(&self.work(), data, out)
    }

    /// Verifies a signature of data.
    #[inline]
    pub(in crate::module) fn verify(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        (self.signing()?.verify)(&self.work(), data, signature)
    }
}

impl Running<'_> {
    /// How long the signature of so many bytes is.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for more than one call may have; CKR_OPERATION_NOT_INITIALIZED for an operation in parts.
    #[inline]
    pub fn signature_length(&self, data: usize) -> Result<usize> {
        self.check_use(Use::Sign)?;
        let task = self.whole()?;
        task.check_length(data)?;
        task.signature_length()
    }

    /// Signs data into a buffer of at least [`Running::signature_length`]; returns how long the signature is.
    ///
    /// # Errors
    /// What the mechanism refuses of the data.
    #[inline]
    pub fn sign(&self, data: &[u8], out: &mut [u8]) -> Result<usize> {
        self.check_use(Use::Sign)?;
        self.whole()?.sign(data, out)
    }

    /// Verifies a signature of data.
    ///
    /// # Errors
    /// CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE; what the mechanism refuses of the data.
    #[inline]
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        self.check_use(Use::Verify)?;
        let task = self.whole()?;
        task.check_length(data.len())?;
        task.verify(data, signature)
    }

    /// Takes the next part of a message that is signed or verified.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for a mechanism without parts; what it refuses of the part.
    pub fn update_signature(&mut self, part: &[u8]) -> Result<()> {
        self.0.task.check_length(part.len())?;
        if matches!(self.0.state, State::Begun) {
            self.0.state = State::Signing(Box::new(self.first_part()?));
        }
        match &mut self.0.state {
            State::Signing(state) => state.update(&self.0.task.key.material, part),
            State::Over => Err(NOT_WHOLE),
            State::Begun | State::Ciphering(_) => Err(ANOTHER_USE),
        }
    }

    /// How long the signature of what has come in parts is.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for a mechanism without parts.
    pub fn signature_length_of_parts(&self) -> Result<usize> {
        self.check_use(Use::Sign)?;
        let task = &self.0.task;
        if task.terms.multi_part { task.signature_length() } else { Err(NO_PARTS) }
    }

    /// Signs what has come in parts, or the empty message; the operation is over then.
    ///
    /// # Errors
    /// As [`Running::sign`].
    pub fn sign_parts(&mut self, out: &mut [u8]) -> Result<usize> {
        let state = self.take_parts(Use::Sign)?;
        let task = &self.0.task;
        (task.signing()?.sign_end)(&task.work(), state, out)
    }

    /// Verifies a signature of what has come in parts, or of the empty message; the operation is over then.
    ///
    /// # Errors
    /// As [`Running::verify`].
    pub fn verify_parts(&mut self, signature: &[u8]) -> Result<()> {
        let state = self.take_parts(Use::Verify)?;
        let task = &self.0.task;
        (task.signing()?.verify_end)(&task.work(), state, signature)
    }

    /// The state of a message of which no part has come.
    fn first_part(&self) -> Result<Accumulator> {
        let task = &self.0.task;
        if !task.terms.multi_part {
            return Err(NO_PARTS);
        }
        (task.signing()?.start)(&task.work())
    }

    fn take_parts(&mut self, what: Use) -> Result<Accumulator> {
        self.check_use(what)?;
        match std::mem::replace(&mut self.0.state, State::Over) {
            State::Signing(state) => Ok(*state),
            State::Begun => self.first_part(),
            State::Over => Err(NOT_WHOLE),
            State::Ciphering(_) => Err(ANOTHER_USE),
        }
    }
}
