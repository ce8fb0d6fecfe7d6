//! C_Sign, C_Verify and their parts.

use super::Library;
use super::operation::{Active, Flow, NOT_INITIALIZED, Ready, answer, check_length};
use super::session::Session;
use crate::ck::{self, CK_SESSION_HANDLE};
use crate::error::{Error, Result};
use crate::exchange::Transfer;
use crate::mechanism::{Accumulator, Signing, Use};

/// Signatures up to this length (RSA of 8192 bits) need no memory from the heap.
const USUAL: usize = 1024;

const ROW_WITHOUT_SIGNING: Error = Error::internal("a row that serves signing without functions for it");

fn signing(ready: &Ready) -> Result<&'static Signing> {
    ready.row.serves.sign.as_ref().ok_or(ROW_WITHOUT_SIGNING)
}

/// Signs into memory of our own and copies the result: data and signature may be the same memory.
#[inline]
fn sign_into(
    transfer: &mut impl Transfer,
    length: usize,
    sign: impl FnOnce(&[u8], &mut [u8]) -> Result<usize>,
) -> Result<Flow> {
    let mut usual = [0; USUAL];
    let mut longer = Vec::new();
    let buffer = match usual.get_mut(..length) {
        Some(buffer) => buffer,
        None => {
            longer.resize(length, 0);
            longer.as_mut_slice()
        }
    };
    let written = sign(transfer.input(), buffer)?;
    transfer.deliver(buffer.get(..written).ok_or(Error::internal("a signature longer than its length"))?);
    Ok(Flow::Done)
}

impl Session {
    fn sign(&mut self, transfer: &mut impl Transfer) -> Result<Flow> {
        let Active::Ready(ready) = &self.sign else { return Err(NOT_INITIALIZED) };
        self.still_admitted(ready, Use::Sign)?;
        check_length(ready.terms, transfer.input_length())?;
        let signing = signing(ready)?;
        let work = ready.work();
        let length = (signing.length)(&work)?;
        if let Some(flow) = answer(transfer, length)? {
            return Ok(flow);
        }
        sign_into(transfer, length, |data, out| (signing.sign)(&work, data, out))
    }

    fn sign_final(&mut self, transfer: &mut impl Transfer) -> Result<Flow> {
        let (Active::Ready(ready) | Active::Accumulating(ready, _)) = &self.sign else { return Err(NOT_INITIALIZED) };
        self.still_admitted(ready, Use::Sign)?;
        let length = (signing(ready)?.length)(&ready.work())?;
        if let Some(flow) = answer(transfer, length)? {
            return Ok(flow);
        }
        let (ready, state) = self.take_parts(Use::Sign)?;
        let signing = signing(&ready)?;
        let flow = sign_into(transfer, length, |_, out| (signing.sign_end)(&ready.work(), state, out));
        self.recent = Some((ready.handle, ready.key));
        flow
    }

    /// The state of an operation in parts; one that had no part yet has an empty message.
    fn take_parts(&mut self, what: Use) -> Result<(Ready, Accumulator)> {
        match std::mem::take(self.active(what)?) {
            Active::Accumulating(ready, state) => Ok((ready, *state)),
            Active::Ready(ready) if ready.terms.multi_part => {
                let state = (signing(&ready)?.start)(&ready.work())?;
                Ok((ready, state))
            }
            Active::Ready(_) => Err(NO_PARTS),
            _ => Err(NOT_INITIALIZED),
        }
    }

    fn update(&mut self, what: Use, part: &[u8]) -> Result<Flow> {
        match self.active(what)? {
            Active::Ready(ready) if !ready.terms.multi_part => return Err(NO_PARTS),
            Active::Ready(_) => {
                let (ready, state) = self.take_parts(what)?;
                *self.active(what)? = Active::Accumulating(ready, Box::new(state));
            }
            Active::Accumulating(..) => {}
            _ => return Err(NOT_INITIALIZED),
        }
        let active = std::mem::take(self.active(what)?);
        let Active::Accumulating(ready, mut state) = active else { return Err(NOT_INITIALIZED) };
        self.still_admitted(&ready, what)?;
        check_length(ready.terms, part.len())?;
        state.update(&ready.key.material, part)?;
        *self.active(what)? = Active::Accumulating(ready, state);
        Ok(Flow::Told)
    }

    fn verify(&mut self, data: &[u8], signature: &[u8]) -> Result<Flow> {
        let Active::Ready(ready) = &self.verify else { return Err(NOT_INITIALIZED) };
        self.still_admitted(ready, Use::Verify)?;
        check_length(ready.terms, data.len())?;
        (signing(ready)?.verify)(&ready.work(), data, signature)?;
        Ok(Flow::Done)
    }

    fn verify_final(&mut self, signature: &[u8]) -> Result<Flow> {
        let (ready, state) = self.take_parts(Use::Verify)?;
        let outcome = self
            .still_admitted(&ready, Use::Verify)
            .and_then(|()| (signing(&ready)?.verify_end)(&ready.work(), state, signature));
        self.recent = Some((ready.handle, ready.key));
        outcome.map(|()| Flow::Done)
    }
}

const NO_PARTS: Error = Error::new(ck::CKR_MECHANISM_INVALID, "the mechanism works in one call only");

impl Library {
    /// C_Sign.
    ///
    /// # Errors
    /// What the mechanism refuses; the operation ends then, except with CKR_BUFFER_TOO_SMALL.
    pub fn sign(&self, session: CK_SESSION_HANDLE, transfer: &mut impl Transfer) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = session.value.sign(transfer);
        session.value.conclude(Use::Sign, outcome)
    }

    /// C_SignUpdate and C_VerifyUpdate.
    ///
    /// # Errors
    /// As [`Library::sign`].
    pub fn update_signature(&self, session: CK_SESSION_HANDLE, what: Use, part: &[u8]) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = session.value.update(what, part);
        session.value.conclude(what, outcome)
    }

    /// C_SignFinal.
    ///
    /// # Errors
    /// As [`Library::sign`].
    pub fn sign_final(&self, session: CK_SESSION_HANDLE, transfer: &mut impl Transfer) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = session.value.sign_final(transfer);
        session.value.conclude(Use::Sign, outcome)
    }

    /// C_Verify.
    ///
    /// # Errors
    /// CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE; the operation ends whatever comes out.
    pub fn verify(&self, session: CK_SESSION_HANDLE, data: &[u8], signature: &[u8]) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = session.value.verify(data, signature);
        session.value.conclude(Use::Verify, outcome)
    }

    /// C_VerifyFinal.
    ///
    /// # Errors
    /// As [`Library::verify`].
    pub fn verify_final(&self, session: CK_SESSION_HANDLE, signature: &[u8]) -> Result<()> {
        let mut session = self.session(session)?;
        let outcome = session.value.verify_final(signature);
        session.value.conclude(Use::Verify, outcome)
    }
}
