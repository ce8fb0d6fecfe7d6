//! C_Encrypt, C_Decrypt and their parts.

use base::ck::{self, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::{Exchange, Transfer};
use base::secret::Secret;
use hsm::mechanism::Use;

use super::Library;
use super::operation::{Active, Flow, answer, resume};
use super::session::Context;

/// The most by which a plaintext can be shorter than its bound: a block of CBC with padding, an RSA modulus.
const LONGEST_PADDING: usize = 2048;
/// What is told of a part that gives nothing yet: a block.
const LEAST_TOLD: usize = 16;
const NO_ROOM: Error = Error::internal("room where there is none");

/// Runs what writes at most `most` bytes, straight into the caller's buffer if that is surely large enough.
///
/// Decryption with padding cannot tell its length before it has run. A buffer smaller than the bound may still be
/// large enough for the plaintext, so then it runs into memory of our own and the exact length decides.
fn run_into(
    transfer: &mut impl Transfer,
    most: usize,
    run: impl FnOnce(Exchange<'_>) -> Result<usize>,
) -> Result<Flow> {
    match transfer.room() {
        None => {
            transfer.set_length(most);
            Ok(Flow::Told)
        }
        Some(room) if room >= most => {
            let written = run(transfer.exchange(most))?;
            transfer.set_length(written);
            Ok(Flow::Done)
        }
        // Nothing is allocated for a length that is only claimed: padding is never longer than this.
        Some(room) if most - room > LONGEST_PADDING => answer(transfer, most)?.ok_or(NO_ROOM),
        Some(_) => {
            let mut own = Secret::zeros(most)
                .ok_or(Error::new(ck::CKR_HOST_MEMORY, "no memory for a plaintext of unknown length"))?;
            let written = run(Exchange::Apart { input: transfer.input(), output: own.expose_mut() })?;
            if let Some(flow) = answer(transfer, written)? {
                return Ok(flow);
            }
            transfer.deliver(own.expose().get(..written).unwrap_or_default());
            Ok(Flow::Done)
        }
    }
}

fn cipher(context: &Context, active: &mut Option<Active>, what: Use, transfer: &mut impl Transfer) -> Result<Flow> {
    let mut running = resume(context, active)?;
    let most = running.most(transfer.input_length())?;
    if what == Use::Encrypt {
        // What encryption writes is known beforehand, so the work is not done twice.
        if let Some(flow) = answer(transfer, most)? {
            return Ok(flow);
        }
    }
    run_into(transfer, most, |io| running.cipher(io))
}

fn cipher_update(context: &Context, active: &mut Option<Active>, transfer: &mut impl Transfer) -> Result<Flow> {
    let mut running = resume(context, active)?;
    let input = transfer.input_length();
    let most = running.part_most(input)?;
    // Who asks for a length and is told 0 may come back with the NULL that an allocator gives for it, and that asks again: the
    // part would never be taken. So of a part that gives nothing yet somewhat more than the need is told (PKCS#11 3.2 section
    // 5.2 allows that).
    if most == 0 && input != 0 && transfer.room().is_none() {
        transfer.set_length(LEAST_TOLD);
        return Ok(Flow::Told);
    }
    if let Some(flow) = answer(transfer, most)? {
        return Ok(flow);
    }
    let written = running.part(transfer.exchange(most))?;
    transfer.set_length(written);
    Ok(Flow::Told)
}

fn cipher_final(
    context: &Context,
    active: &mut Option<Active>,
    what: Use,
    transfer: &mut impl Transfer,
) -> Result<Flow> {
    let mut running = resume(context, active)?;
    let most = running.end_most()?;
    if what == Use::Encrypt
        && let Some(flow) = answer(transfer, most)?
    {
        return Ok(flow);
    }
    run_into(transfer, most, |mut io| running.end(io.output()))
}

impl Library {
    /// C_Encrypt and C_Decrypt.
    ///
    /// # Errors
    /// What the mechanism refuses; the operation ends then, except with CKR_BUFFER_TOO_SMALL.
    pub fn cipher(&self, session: CK_SESSION_HANDLE, what: Use, transfer: Result<impl Transfer>) -> Result<()> {
        self.with_operation(session, what, |context, active| cipher(context, active, what, &mut transfer?))
    }

    /// C_EncryptUpdate and C_DecryptUpdate.
    ///
    /// # Errors
    /// As [`Library::cipher`].
    pub fn cipher_update(&self, session: CK_SESSION_HANDLE, what: Use, transfer: Result<impl Transfer>) -> Result<()> {
        self.with_operation(session, what, |context, active| cipher_update(context, active, &mut transfer?))
    }

    /// C_EncryptFinal and C_DecryptFinal.
    ///
    /// # Errors
    /// As [`Library::cipher`].
    pub fn cipher_final(&self, session: CK_SESSION_HANDLE, what: Use, transfer: Result<impl Transfer>) -> Result<()> {
        self.with_operation(session, what, |context, active| cipher_final(context, active, what, &mut transfer?))
    }
}
