//! AES-GCM: CKM_AES_GCM and CKM_CLOUDHSM_AES_GCM (PKCS#11 3.2 section 6.13; NIST SP 800-38D).
//!
//! CloudHSM's own mechanism puts the IV in front of the ciphertext. Whose IV it is has been decided before this
//! code runs: for encryption the parameter always holds the bytes to be used.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use crypto::gcm::{GcmOpener, GcmSealer};
use zeroize::Zeroizing;

use super::parameter::Gcm;
use super::{Ciphering, Parameter, Serves, Stream, Use, Work, wrap};
use crate::config::Regime;
use crate::mechanism::operation::{NO_PARTS, check_collected};
use crate::object::KeyMaterial;

/// The IV that stands in front of CKM_CLOUDHSM_AES_GCM's ciphertext.
const IV_IN_FRONT: usize = 12;

/// What CKM_AES_GCM serves.
pub(super) const fn serves() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: |work, input| input.checked_add(parameter(work)?.tag_length).ok_or(TOO_LONG),
            once: seal,
            start: start_seal,
        }),
        decrypt: Some(Ciphering {
            most: |work, input| Ok(input.saturating_sub(parameter(work)?.tag_length)),
            once: open,
            start: start_open,
        }),
        wrap: Some(wrap::BY_CIPHER),
        ..Serves::NOTHING
    }
}

/// What CKM_CLOUDHSM_AES_GCM serves.
pub(super) const fn serves_iv_in_front() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: |work, input| input.checked_add(IV_IN_FRONT + parameter(work)?.tag_length).ok_or(TOO_LONG),
            once: seal_iv_in_front,
            start: no_parts,
        }),
        decrypt: Some(Ciphering {
            most: |work, input| Ok(input.saturating_sub(IV_IN_FRONT + parameter(work)?.tag_length)),
            once: open_iv_in_front,
            start: no_parts,
        }),
        wrap: Some(wrap::BY_CIPHER),
        ..Serves::NOTHING
    }
}

/// Secure mode has no IV of the caller's where a new one belongs, and no tag under 96 bits (SP 800-38D section 5.2.1.2).
pub(super) fn iv_and_tag(work: &Work<'_>, what: Use, regime: Regime<'_>) -> Result<()> {
    let makes_one = matches!(what, Use::Encrypt | Use::Wrap);
    if makes_one && work.parameter.has_callers_iv() && !regime.safeguards.callers_iv {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "in secure mode the HSM makes the IV"));
    }
    if parameter(work)?.tag_length < regime.safeguards.shortest_tag {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "the tag is shorter than secure mode allows"));
    }
    Ok(())
}

const TOO_LONG: Error = Error::new(ck::CKR_DATA_LEN_RANGE, "the data is longer than memory can be");
const NO_ROOM: Error = Error::internal("the room is smaller than the operation said");

fn no_parts(_: &Work<'_>) -> Result<Box<dyn Stream>> {
    Err(NO_PARTS)
}

fn parameter<'a>(work: &Work<'a>) -> Result<&'a Gcm> {
    match work.parameter {
        Parameter::Gcm(gcm) => Ok(gcm),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no GCM parameter")),
    }
}

fn seal(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let gcm = parameter(work)?;
    work.key.secret()?.gcm()?.seal(gcm.iv.bytes(), &gcm.additional, gcm.tag_length, io)
}

fn open(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let gcm = parameter(work)?;
    work.key.secret()?.gcm()?.open(gcm.iv.bytes(), &gcm.additional, gcm.tag_length, io)
}

/// The IV shifts input against output, so that in place the input must be kept apart first.
fn apart<R>(mut io: Exchange<'_>, run: impl FnOnce(&[u8], &mut [u8]) -> Result<R>) -> Result<R> {
    match &mut io {
        Exchange::Apart { input, output } => run(input, output),
        Exchange::InPlace { .. } => {
            let mut copy = Zeroizing::new(Vec::new());
            copy.try_reserve_exact(io.input().len())
                .map_err(|_| Error::new(ck::CKR_HOST_MEMORY, "no memory for a copy of the input"))?;
            copy.extend_from_slice(io.input());
            run(&copy, io.output())
        }
    }
}

fn seal_iv_in_front(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let gcm = parameter(work)?;
    let key = work.key.secret()?.gcm()?;
    apart(io, |input, out| {
        let (front, output) = out.split_at_mut_checked(IV_IN_FRONT).ok_or(NO_ROOM)?;
        if gcm.iv.bytes().len() != IV_IN_FRONT {
            return Err(Error::internal("the IV to be put in front was not made"));
        }
        front.copy_from_slice(gcm.iv.bytes());
        let written = key.seal(gcm.iv.bytes(), &gcm.additional, gcm.tag_length, Exchange::Apart { input, output })?;
        Ok(IV_IN_FRONT + written)
    })
}

fn open_iv_in_front(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let gcm = parameter(work)?;
    let key = work.key.secret()?.gcm()?;
    apart(io, |input, output| {
        let (iv, input) = input
            .split_at_checked(IV_IN_FRONT)
            .ok_or(Error::new(ck::CKR_ENCRYPTED_DATA_LEN_RANGE, "the ciphertext is shorter than its IV"))?;
        key.open(iv, &gcm.additional, gcm.tag_length, Exchange::Apart { input, output })
    })
}

fn start_seal(work: &Work<'_>) -> Result<Box<dyn Stream>> {
    let gcm = parameter(work)?;
    let sealer = GcmSealer::start(work.key.secret()?.gcm()?, gcm.iv.bytes(), &gcm.additional)?;
    Ok(Box::new(Sealing { sealer: Some(sealer), tag_length: gcm.tag_length }))
}

fn start_open(work: &Work<'_>) -> Result<Box<dyn Stream>> {
    let gcm = parameter(work)?;
    Ok(Box::new(Opening(GcmOpener::start(gcm.iv.bytes(), &gcm.additional, gcm.tag_length)?)))
}

/// Encryption in parts: every byte comes out at once, the tag at the end.
struct Sealing {
    sealer: Option<GcmSealer>,
    tag_length: usize,
}

impl Stream for Sealing {
    fn update_most(&self, input: usize) -> usize {
        input
    }

    fn update(&mut self, _: &KeyMaterial, io: Exchange<'_>) -> Result<usize> {
        let length = io.input().len();
        self.sealer.as_mut().ok_or(ENDED)?.update(io)?;
        Ok(length)
    }

    fn finish_most(&self) -> usize {
        self.tag_length
    }

    fn finish(&mut self, _: &KeyMaterial, out: &mut [u8]) -> Result<usize> {
        let tag = out.get_mut(..self.tag_length).ok_or(NO_ROOM)?;
        self.sealer.take().ok_or(ENDED)?.finish(tag)?;
        Ok(self.tag_length)
    }
}

const ENDED: Error = Error::internal("an encryption that has ended already");

/// Decryption in parts: nothing comes out before the tag has been checked ("no data should be returned until C_Decrypt or
/// C_DecryptFinal", PKCS#11 3.2 section 6.13.2), so the ciphertext is kept, up to a limit.
struct Opening(GcmOpener);

impl Stream for Opening {
    fn update_most(&self, _: usize) -> usize {
        0
    }

    fn update(&mut self, _: &KeyMaterial, io: Exchange<'_>) -> Result<usize> {
        check_collected(self.0.collected(), io.input().len(), ck::CKR_DEVICE_MEMORY)?;
        self.0.update(io.input())?;
        Ok(0)
    }

    fn finish_most(&self) -> usize {
        self.0.plaintext_length()
    }

    fn finish(&mut self, key: &KeyMaterial, out: &mut [u8]) -> Result<usize> {
        self.0.finish(key.secret()?.gcm()?, out)
    }
}
