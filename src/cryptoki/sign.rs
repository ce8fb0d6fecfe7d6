//! C_Sign, C_Verify and their parts.

use base::ck::CK_SESSION_HANDLE;
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::Use;

use super::Library;
use super::operation::{Active, Flow, answer, resume};
use super::session::Context;

/// Signatures up to this length (RSA of 8192 bits) need no memory from the heap.
const USUAL: usize = 1024;

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

fn sign(context: &Context, active: &mut Option<Active>, transfer: &mut impl Transfer) -> Result<Flow> {
    let running = resume(context, active)?;
    let length = running.signature_length(transfer.input_length())?;
    if let Some(flow) = answer(transfer, length)? {
        return Ok(flow);
    }
    sign_into(transfer, length, |data, out| running.sign(data, out))
}

fn sign_final(context: &Context, active: &mut Option<Active>, transfer: &mut impl Transfer) -> Result<Flow> {
    let mut running = resume(context, active)?;
    let length = running.signature_length_of_parts()?;
    if let Some(flow) = answer(transfer, length)? {
        return Ok(flow);
    }
    sign_into(transfer, length, |_, out| running.sign_parts(out))
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
        self.with_operation(session, what, |context, active| {
            let part = part?;
            resume(context, active)?.update_signature(part)?;
            Ok(Flow::Told)
        })
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
            resume(context, active)?.verify(data, signature)?;
            Ok(Flow::Done)
        })
    }

    /// C_VerifyFinal.
    ///
    /// # Errors
    /// As [`Library::verify`].
    pub fn verify_final(&self, session: CK_SESSION_HANDLE, signature: Result<&[u8]>) -> Result<()> {
        self.with_operation(session, Use::Verify, |context, active| {
            let signature = signature?;
            resume(context, active)?.verify_parts(signature)?;
            Ok(Flow::Done)
        })
    }
}
