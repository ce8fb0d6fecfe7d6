//! C_Sign, C_Verify and their parts.

use base::ck::CK_SESSION_HANDLE;
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::operation::NO_PARTS;
use hsm::mechanism::{Accumulator, Signing, Use};

use super::Library;
use super::operation::{Active, Flow, NOT_INITIALIZED, Ready, answer, check_length};
use super::session::Context;

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

fn sign(context: &Context, active: &Active, transfer: &mut impl Transfer) -> Result<Flow> {
    let Active::Ready(ready) = active else { return Err(NOT_INITIALIZED) };
    context.still_admitted(ready, Use::Sign)?;
    check_length(ready, transfer.input_length())?;
    let signing = signing(ready)?;
    let work = ready.work();
    let length = (signing.length)(&work)?;
    if let Some(flow) = answer(transfer, length)? {
        return Ok(flow);
    }
    sign_into(transfer, length, |data, out| (signing.sign)(&work, data, out))
}

fn sign_final(context: &Context, active: &mut Active, transfer: &mut impl Transfer) -> Result<Flow> {
    let (Active::Ready(ready) | Active::Accumulating(ready, _)) = &*active else { return Err(NOT_INITIALIZED) };
    context.still_admitted(ready, Use::Sign)?;
    let length = (signing(ready)?.length)(&ready.work())?;
    if ready.terms.multi_part
        && let Some(flow) = answer(transfer, length)?
    {
        return Ok(flow);
    }
    finish(active, |ready, state| {
        sign_into(transfer, length, |_, out| (signing(ready)?.sign_end)(&ready.work(), state, out))
    })
}

/// Ends an operation in parts with its state; one that had no part yet has an empty message.
fn finish(active: &mut Active, end: impl FnOnce(&Ready, Accumulator) -> Result<Flow>) -> Result<Flow> {
    let (ready, state) = take_parts(active)?;
    let flow = end(&ready, state);
    *active = Active::Ready(ready);
    flow
}

/// The state of an operation in parts, begun now if there was no part yet; the operation itself is taken out.
fn take_parts(active: &mut Active) -> Result<(Ready, Accumulator)> {
    match std::mem::take(active) {
        Active::Accumulating(ready, state) => Ok((ready, *state)),
        Active::Ready(ready) if ready.terms.multi_part => {
            let state = (signing(&ready)?.start)(&ready.work())?;
            Ok((ready, state))
        }
        Active::Ready(_) => Err(NO_PARTS),
        _ => Err(NOT_INITIALIZED),
    }
}

fn update(context: &Context, active: &mut Active, what: Use, part: &[u8]) -> Result<Flow> {
    if matches!(active, Active::Ready(_)) {
        let (ready, state) = take_parts(active)?;
        *active = Active::Accumulating(ready, Box::new(state));
    }
    let Active::Accumulating(ready, state) = active else { return Err(NOT_INITIALIZED) };
    context.still_admitted(ready, what)?;
    check_length(ready, part.len())?;
    state.update(&ready.key.material, part)?;
    Ok(Flow::Told)
}

fn verify(context: &Context, active: &Active, data: &[u8], signature: &[u8]) -> Result<Flow> {
    let Active::Ready(ready) = active else { return Err(NOT_INITIALIZED) };
    context.still_admitted(ready, Use::Verify)?;
    check_length(ready, data.len())?;
    (signing(ready)?.verify)(&ready.work(), data, signature)?;
    Ok(Flow::Done)
}

fn verify_final(context: &Context, active: &mut Active, signature: &[u8]) -> Result<Flow> {
    let (Active::Ready(ready) | Active::Accumulating(ready, _)) = &*active else { return Err(NOT_INITIALIZED) };
    context.still_admitted(ready, Use::Verify)?;
    finish(active, |ready, state| {
        (signing(ready)?.verify_end)(&ready.work(), state, signature)?;
        Ok(Flow::Done)
    })
}

impl Library {
    /// C_Sign.
    ///
    /// # Errors
    /// What the mechanism refuses; the operation ends then, except with CKR_BUFFER_TOO_SMALL.
    pub fn sign(&self, session: CK_SESSION_HANDLE, transfer: Result<impl Transfer>) -> Result<()> {
        self.with_operation(session, Use::Sign, |context, active| sign(context, active, &mut transfer?))
    }

    /// C_SignUpdate and C_VerifyUpdate.
    ///
    /// # Errors
    /// As [`Library::sign`].
    pub fn update_signature(&self, session: CK_SESSION_HANDLE, what: Use, part: Result<&[u8]>) -> Result<()> {
        self.with_operation(session, what, |context, active| update(context, active, what, part?))
    }

    /// C_SignFinal.
    ///
    /// # Errors
    /// As [`Library::sign`].
    pub fn sign_final(&self, session: CK_SESSION_HANDLE, transfer: Result<impl Transfer>) -> Result<()> {
        self.with_operation(session, Use::Sign, |context, active| sign_final(context, active, &mut transfer?))
    }

    /// C_Verify.
    ///
    /// # Errors
    /// CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE; the operation ends whatever comes out.
    pub fn verify(&self, session: CK_SESSION_HANDLE, input: Result<(&[u8], &[u8])>) -> Result<()> {
        self.with_operation(session, Use::Verify, |context, active| {
            let (data, signature) = input?;
            verify(context, active, data, signature)
        })
    }

    /// C_VerifyFinal.
    ///
    /// # Errors
    /// As [`Library::verify`].
    pub fn verify_final(&self, session: CK_SESSION_HANDLE, signature: Result<&[u8]>) -> Result<()> {
        self.with_operation(session, Use::Verify, |context, active| verify_final(context, active, signature?))
    }
}
