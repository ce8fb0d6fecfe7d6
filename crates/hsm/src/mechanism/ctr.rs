//! AES in counter mode (PKCS#11 3.2 section 6.12.6; NIST SP 800-38A).

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;

use super::block::{NO_ROOM, same_length};
use super::parameter::Counter;
use super::{Ciphering, Parameter, Serves, Stream, Work};
use crate::object::KeyMaterial;

/// CKM_AES_CTR.
pub(super) const fn ctr() -> Serves {
    let cipher = Ciphering { most: same_length, once: ctr_once, start: ctr_start };
    Serves { encrypt: Some(cipher), decrypt: Some(cipher), ..Serves::NOTHING }
}

fn counter(work: &Work<'_>) -> Result<Counter> {
    match work.parameter {
        Parameter::Counter(counter) => Ok(counter.clone()),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no counter parameter")),
    }
}

fn ctr_once(work: &Work<'_>, mut io: Exchange<'_>) -> Result<usize> {
    let length = io.input().len();
    let io = io.front(length).ok_or(NO_ROOM)?;
    work.key.secret()?.aes()?.ctr(&mut counter(work)?, io)?;
    Ok(length)
}

fn ctr_start(work: &Work<'_>) -> Result<Box<dyn Stream>> {
    Ok(Box::new(CtrStream(counter(work)?)))
}

/// CTR in parts: every byte comes out at once.
struct CtrStream(Counter);

impl Stream for CtrStream {
    fn update_most(&self, input: usize) -> usize {
        input
    }

    fn update(&mut self, key: &KeyMaterial, mut io: Exchange<'_>) -> Result<usize> {
        let length = io.input().len();
        let io = io.front(length).ok_or(NO_ROOM)?;
        key.secret()?.aes()?.ctr(&mut self.0, io)?;
        Ok(length)
    }

    fn finish_most(&self) -> usize {
        0
    }

    fn finish(&mut self, _: &KeyMaterial, _: &mut [u8]) -> Result<usize> {
        Ok(0)
    }
}
