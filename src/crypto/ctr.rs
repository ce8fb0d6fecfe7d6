//! AES-CTR (SP 800-38A section 6.5) with a counter of any width, because `CK_AES_CTR_PARAMS` says how many bits of the
//! block count; the `ctr` crate knows 32, 64 and 128.
//!
//! Between two wraps a counter of any width behaves as one of 128 bits: so the data is cut where the counter wraps, and
//! each run is the crate's.

use aes::cipher::inout::InOutBuf;
use aes::cipher::{InnerIvInit as _, StreamCipherCore as _};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use zeroize::Zeroize as _;

use super::aes::{AesKey, BLOCK, in_out, with};
use crate::ck;
use crate::error::{Error, Result};
use crate::exchange::Exchange;

/// Where in its key stream a message is. Holds no secret: the key stream block in use is computed again by the next
/// part.
pub struct Counter {
    block: [u8; BLOCK],
    /// The bits of the block that count, all ones.
    mask: u128,
    /// Blocks that may still be used, the one in `block` included.
    left: u128,
    /// Bytes of the current block's key stream that are spent, 0 to 15.
    used: usize,
}

impl Counter {
    /// A counter whose low `bits` bits count, big-endian, from what they are in `block` on.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` if `bits` is not 1 to 128 (PKCS#11 3.2, `CK_AES_CTR_PARAMS`).
    pub fn new(block: [u8; BLOCK], bits: u32) -> Result<Self> {
        if bits == 0 || bits > 128 {
            return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "AES-CTR: the counter has 1 to 128 bits"));
        }
        let mask = u128::MAX >> (128 - bits);
        Ok(Self { block, mask, left: mask.saturating_add(1), used: 0 })
    }

    /// Blocks until the counting bits wrap to zero.
    const fn before_wrap(&self) -> u128 {
        (self.mask - (u128::from_be_bytes(self.block) & self.mask)).saturating_add(1)
    }

    const fn advance(&mut self, blocks: u128) {
        let block = u128::from_be_bytes(self.block);
        let counted = block.wrapping_add(blocks) & self.mask;
        self.block = ((block & !self.mask) | counted).to_be_bytes();
        self.left = self.left.saturating_sub(blocks);
    }
}

impl AesKey {
    /// Encrypts or decrypts; parts of any length give what the whole gives.
    ///
    /// The bits of the block that do not count never change: a counter of few bits wraps within them. When every
    /// value has been used, going on would repeat the key stream, so that is refused before anything is written.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the counter has too few values left, `CKR_BUFFER_TOO_SMALL`.
    pub fn ctr(&self, counter: &mut Counter, io: Exchange<'_>) -> Result<()> {
        let data = in_out(io)?;
        let touched = (counter.used as u128).saturating_add(data.len() as u128).div_ceil(BLOCK as u128);
        if touched > counter.left {
            return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "AES-CTR: the counter would repeat"));
        }
        let head = if counter.used == 0 { 0 } else { data.len().min(BLOCK - counter.used) };
        let (head, rest) = data.split_at(head);
        self.partial(counter, head);
        let (mut blocks, tail) = rest.into_chunks();
        while !blocks.is_empty() {
            let run = usize::try_from(counter.before_wrap()).unwrap_or(usize::MAX).min(blocks.len());
            let (now, later) = blocks.split_at(run);
            with!(self, cipher => CtrCore::<_, Ctr128BE>::inner_iv_init(cipher, (&counter.block).into())
                .apply_keystream_blocks_inout(now));
            counter.advance(run as u128);
            blocks = later;
        }
        self.partial(counter, tail);
        Ok(())
    }

    /// Transforms `data`, which ends before or with the current block's key stream.
    fn partial(&self, counter: &mut Counter, data: InOutBuf<'_, '_, u8>) {
        if data.is_empty() {
            return;
        }
        let length = data.len();
        let mut stream = counter.block;
        self.encrypt_block(&mut stream);
        for (mut byte, key) in data.into_iter().zip(stream.iter().skip(counter.used)) {
            *byte.get_out() = *byte.get_in() ^ key;
        }
        stream.zeroize();
        counter.used += length;
        if counter.used >= BLOCK {
            counter.used = 0;
            counter.advance(1);
        }
    }
}

#[cfg(test)]
#[path = "ctr_tests.rs"]
mod tests;
