//! Encrypting and decrypting, in one call and in parts.

use base::error::{Error, Result};
use base::exchange::Exchange;

use super::{ANOTHER_USE, NO_PARTS, NOT_WHOLE, Operation, Running, State, Task};
use crate::mechanism::{Ciphering, Stream, Use};
use crate::object::KeyMaterial;

impl Task {
    #[inline]
    fn ciphering(&self) -> Result<&'static Ciphering> {
        let serves = &self.row.serves;
        let found = match self.what {
            Use::Encrypt => &serves.encrypt,
            Use::Decrypt => &serves.decrypt,
            _ => return Err(ANOTHER_USE),
        };
        found.as_ref().ok_or(Error::internal("a row that serves a cipher without functions for it"))
    }
}

impl Running<'_> {
    /// The most bytes that come out of so many bytes in one call. What encryption writes is known beforehand and is just that.
    ///
    /// # Errors
    /// What the mechanism refuses of the length: the limit on one call is one on plaintext, so that what the HSM has encrypted it
    /// can decrypt.
    #[inline]
    pub fn most(&self, input: usize) -> Result<usize> {
        let task = self.whole()?;
        let most = (task.ciphering()?.most)(&task.work(), input)?;
        task.check_length(if task.what == Use::Encrypt { input } else { most })?;
        Ok(most)
    }

    /// Encrypts or decrypts in one call, into room of at least [`Running::most`]; returns how many bytes came out. Encrypting is over
    /// then; what was decrypted may be longer than the caller's room, who decrypts once more.
    ///
    /// # Errors
    /// What the mechanism refuses.
    #[inline]
    pub fn cipher(&mut self, io: Exchange<'_>) -> Result<usize> {
        let task = self.whole()?;
        let written = (task.ciphering()?.once)(&task.work(), io);
        self.end_encrypting();
        written
    }

    #[inline]
    fn end_encrypting(&mut self) {
        if self.0.task.what == Use::Encrypt {
            self.0.state = State::Over;
        }
    }

    /// The most bytes that come out of a part of so many bytes.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for a mechanism without parts; CKR_DATA_LEN_RANGE for more than one call may have.
    #[inline]
    pub fn part_most(&mut self, input: usize) -> Result<usize> {
        let most = stream(self.0)?.0.update_most(input);
        self.0.task.check_length(input)?;
        Ok(most)
    }

    /// Encrypts or decrypts a part, into room of at least [`Running::part_most`]; returns how many bytes came out.
    ///
    /// # Errors
    /// What the mechanism refuses.
    #[inline]
    pub fn part(&mut self, io: Exchange<'_>) -> Result<usize> {
        let (stream, key) = stream(self.0)?;
        stream.update(key, io)
    }

    /// The most bytes that come out at the end.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for a mechanism without parts.
    pub fn end_most(&mut self) -> Result<usize> {
        Ok(stream(self.0)?.0.finish_most())
    }

    /// Ends an operation in parts, into room of at least [`Running::end_most`]; returns how many bytes came out. As of one call,
    /// encrypting is over then.
    ///
    /// # Errors
    /// What the mechanism refuses of the whole.
    pub fn end(&mut self, out: &mut [u8]) -> Result<usize> {
        let (stream, key) = stream(self.0)?;
        let written = stream.finish(key, out);
        self.end_encrypting();
        written
    }
}

/// The state of an operation in parts, begun if there was none, and the key for it.
#[inline]
fn stream(operation: &mut Operation) -> Result<(&mut dyn Stream, &KeyMaterial)> {
    let Operation { task, state } = operation;
    if matches!(state, State::Begun) {
        if !task.terms.multi_part {
            return Err(NO_PARTS);
        }
        *state = State::Ciphering((task.ciphering()?.start)(&task.work())?);
    }
    match state {
        State::Ciphering(stream) => Ok((&mut **stream, &task.key.material)),
        State::Over => Err(NOT_WHOLE),
        State::Begun | State::Signing(_) => Err(ANOTHER_USE),
    }
}
