//! C_Digest and its parts, and C_GenerateRandom: what needs a session and no key.

use base::ck::{self, CK_MECHANISM_TYPE, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::{self, Digest, Hash, Mechanism, Parameter, ParameterKind, Use};
use hsm::module;

use super::Library;
use super::operation::{Digesting, Flow, NOT_INITIALIZED, answer, goes_on};
use super::session::Session;

fn hash(row: &Mechanism) -> Result<Hash> {
    row.hash.ok_or(Error::internal("a digest row without a hash"))
}

impl Session {
    fn digest(&self, transfer: &mut impl Transfer) -> Result<Flow> {
        let Digesting::Ready(row) = self.digest else { return Err(NOT_INITIALIZED) };
        let hash = hash(row)?;
        if let Some(flow) = answer(transfer, hash.length())? {
            return Ok(flow);
        }
        let mut value = [0; 64];
        let length = hash.digest(transfer.input(), &mut value);
        transfer.deliver(value.get(..length).unwrap_or_default());
        Ok(Flow::Done)
    }

    fn digest_update(&mut self, part: &[u8]) -> Result<Flow> {
        if let Digesting::Ready(row) = self.digest {
            self.digest = Digesting::Running(Box::new(Digest::new(hash(row)?)));
        }
        let Digesting::Running(state) = &mut self.digest else { return Err(NOT_INITIALIZED) };
        state.update(part);
        Ok(Flow::Told)
    }

    fn digest_final(&mut self, transfer: &mut impl Transfer) -> Result<Flow> {
        let hash = match &self.digest {
            Digesting::None => return Err(NOT_INITIALIZED),
            Digesting::Ready(row) => hash(row)?,
            Digesting::Running(state) => state.hash(),
        };
        if let Some(flow) = answer(transfer, hash.length())? {
            return Ok(flow);
        }
        let mut value = [0; 64];
        let length = match std::mem::take(&mut self.digest) {
            Digesting::Running(state) => state.finish(&mut value),
            _ => hash.digest(&[], &mut value),
        };
        transfer.deliver(value.get(..length).unwrap_or_default());
        Ok(Flow::Done)
    }

    fn conclude_digest(&mut self, outcome: Result<Flow>) -> Result<()> {
        if !goes_on(&outcome) {
            self.digest = Digesting::None;
        }
        outcome.map(|_| ())
    }
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
        if !matches!(session.digest, Digesting::None) {
            return Err(Error::new(ck::CKR_OPERATION_ACTIVE, "a digest is active already"));
        }
        // Hashing is done by the client: no rule of FIPS mode holds a digest back.
        let (row, terms) = mechanism::serve(mechanism, Use::Digest, session.token()?.module.regime())?;
        decode(terms.parameter)?;
        session.digest = Digesting::Ready(row);
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
