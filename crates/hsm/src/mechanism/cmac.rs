//! AES-CMAC with full-length output: CKM_AES_CMAC (PKCS#11 3.2 section 6.12; NIST SP 800-38B).

use base::ck;
use base::error::{Error, Result};
use crypto::cmac::Cmac;

use super::operation::same;
use super::{Accumulator, Serves, Signing, Work};

const LENGTH: usize = 16;

/// What CKM_AES_CMAC serves.
pub(super) const fn serves() -> Serves {
    Serves { sign: Some(Signing { length, sign, verify, start, sign_end, verify_end }), ..Serves::NOTHING }
}

#[allow(clippy::unnecessary_wraps, reason = "the signature of the row")]
const fn length(_: &Work<'_>) -> Result<usize> {
    Ok(LENGTH)
}

fn sign(work: &Work<'_>, data: &[u8], out: &mut [u8]) -> Result<usize> {
    put(&work.key.secret()?.aes()?.cmac(data)?, out)
}

fn put(mac: &[u8; LENGTH], out: &mut [u8]) -> Result<usize> {
    out.get_mut(..LENGTH).ok_or(Error::internal("the room is smaller than the operation said"))?.copy_from_slice(mac);
    Ok(LENGTH)
}

fn verify(work: &Work<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
    let mut mac = [0; LENGTH];
    sign(work, data, &mut mac)?;
    same(&mac, signature)
}

fn start(work: &Work<'_>) -> Result<Accumulator> {
    work.key.secret()?;
    Ok(Accumulator::Cmac(Cmac::default()))
}

fn sign_end(work: &Work<'_>, accumulator: Accumulator, out: &mut [u8]) -> Result<usize> {
    match accumulator {
        Accumulator::Cmac(state) => put(&state.finish(work.key.secret()?.aes()?)?, out),
        _ => Err(Error::new(ck::CKR_GENERAL_ERROR, "the state is not that of a CMAC")),
    }
}

fn verify_end(work: &Work<'_>, accumulator: Accumulator, signature: &[u8]) -> Result<()> {
    let mut mac = [0; LENGTH];
    sign_end(work, accumulator, &mut mac)?;
    same(&mac, signature)
}
