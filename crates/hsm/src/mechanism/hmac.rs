//! HMAC with full-length output: CKM_SHA_1_HMAC, CKM_SHA224_HMAC ... (PKCS#11 3.2 section 6.20 and following).

use base::ck;
use base::error::{Error, Result};
use crypto::digest::Hash;
use crypto::hmac::{Hmac, HmacKey};

use super::{Accumulator, Serves, Signing, Work};
use crate::mechanism::operation::same;

/// What every HMAC mechanism serves.
pub(super) const fn serves() -> Serves {
    Serves { sign: Some(Signing { length, sign, verify, start, sign_end, verify_end }), ..Serves::NOTHING }
}

fn hash(work: &Work<'_>) -> Result<Hash> {
    work.row.hash.ok_or(Error::internal("an HMAC row without a hash"))
}

fn key<'a>(work: &Work<'a>) -> Result<&'a HmacKey> {
    work.key.secret()?.hmac(hash(work)?)
}

fn length(work: &Work<'_>) -> Result<usize> {
    Ok(hash(work)?.length())
}

fn sign(work: &Work<'_>, data: &[u8], out: &mut [u8]) -> Result<usize> {
    Ok(key(work)?.sign(data, out))
}

fn verify(work: &Work<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
    let mut mac = [0; 64];
    let length = key(work)?.sign(data, &mut mac);
    same(mac.get(..length).unwrap_or_default(), signature)
}

fn start(work: &Work<'_>) -> Result<Accumulator> {
    Ok(Accumulator::Hmac(key(work)?.start()))
}

fn state(accumulator: Accumulator) -> Result<Hmac> {
    match accumulator {
        Accumulator::Hmac(state) => Ok(state),
        _ => Err(Error::new(ck::CKR_GENERAL_ERROR, "the state is not that of an HMAC")),
    }
}

fn sign_end(_: &Work<'_>, accumulator: Accumulator, out: &mut [u8]) -> Result<usize> {
    Ok(state(accumulator)?.finish(out))
}

fn verify_end(_: &Work<'_>, accumulator: Accumulator, signature: &[u8]) -> Result<()> {
    let mut mac = [0; 64];
    let length = state(accumulator)?.finish(&mut mac);
    same(mac.get(..length).unwrap_or_default(), signature)
}
