//! C_Digest and its parts, and C_GenerateRandom: what needs a session and no key.

use base::ck::{self, CK_MECHANISM_TYPE, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::{Parameter, ParameterKind};
use hsm::module::{self, LONGEST_DIGEST};

use super::Library;
use super::operation::{Flow, NOT_INITIALIZED, answer, goes_on};
use super::session::Session;

impl Session {
    fn digest(&self, transfer: &mut impl Transfer) -> Result<Flow> {
        let digest = self.digest.as_ref().ok_or(NOT_INITIALIZED)?;
        digest.check_whole()?;
        if let Some(flow) = answer(transfer, digest.length())? {
            return Ok(flow);
        }
        let mut value = [0; LONGEST_DIGEST];
        let length = digest.digest(transfer.input(), &mut value);
        deliver(transfer, &value, length)
    }

    fn digest_update(&mut self, part: &[u8]) -> Result<Flow> {
        self.digest.as_mut().ok_or(NOT_INITIALIZED)?.update(part);
        Ok(Flow::Told)
    }

    fn digest_final(&mut self, transfer: &mut impl Transfer) -> Result<Flow> {
        let digest = self.digest.as_mut().ok_or(NOT_INITIALIZED)?;
        if let Some(flow) = answer(transfer, digest.length())? {
            return Ok(flow);
        }
        let mut value = [0; LONGEST_DIGEST];
        let length = digest.finish(&mut value);
        deliver(transfer, &value, length)
    }

    fn conclude_digest(&mut self, outcome: Result<Flow>) -> Result<()> {
        if !goes_on(&outcome) {
            self.digest = None;
        }
        outcome.map(|_| ())
    }
}

fn deliver(transfer: &mut impl Transfer, value: &[u8], length: usize) -> Result<Flow> {
    transfer.deliver(value.get(..length).ok_or(Error::internal("a digest longer than the longest"))?);
    Ok(Flow::Done)
}

impl Library {
    /// C_DigestInit.
    ///
    /// # Errors
    /// CKR_OPERATION_ACTIVE, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID.
    pub fn digest_init(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<()> {
        let mut session = self.session(session)?;
        let session = &mut session.value;
        if session.digest.is_some() {
            return Err(Error::new(ck::CKR_OPERATION_ACTIVE, "a digest is active already"));
        }
        session.digest = Some(session.token()?.module.begin_digest(mechanism, decode)?);
        Ok(())
    }

    /// C_Digest.
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED, CKR_BUFFER_TOO_SMALL.
    pub fn digest(&self, session: CK_SESSION_HANDLE, transfer: Result<impl Transfer>) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = transfer.and_then(|mut transfer| session.value.digest(&mut transfer));
        session.value.conclude_digest(outcome)
    }

    /// C_DigestUpdate.
    ///
    /// # Errors
    /// CKR_OPERATION_NOT_INITIALIZED.
    pub fn digest_update(&self, session: CK_SESSION_HANDLE, part: Result<&[u8]>) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = part.and_then(|part| session.value.digest_update(part));
        session.value.conclude_digest(outcome)
    }

    /// C_DigestFinal.
    ///
    /// # Errors
    /// As [`Library::digest`].
    pub fn digest_final(&self, session: CK_SESSION_HANDLE, transfer: Result<impl Transfer>) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = transfer.and_then(|mut transfer| session.value.digest_final(&mut transfer));
        session.value.conclude_digest(outcome)
    }

    /// C_GenerateRandom: `take` is given memory to fill.
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_ERROR if the generator fails.
    pub fn generate_random(&self, session: CK_SESSION_HANDLE, out: &mut [u8]) -> Result<()> {
        // The session's lock is held no longer than it takes to see that it exists.
        drop(self.session(session)?);
        module::generate_random(out)
    }

    /// C_SeedRandom: accepted and not used, since the generator needs no seed of ours and trusts none.
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID; CKR_FUNCTION_NOT_SUPPORTED where the profile lacks it.
    pub fn seed_random(&self, session: CK_SESSION_HANDLE) -> Result<()> {
        drop(self.session(session)?);
        Ok(())
    }
}
