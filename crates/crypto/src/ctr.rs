//! AES-CTR (SP 800-38A section 6.5) with a counter of any width, because `CK_AES_CTR_PARAMS` says how many bits of the
//! block count; the libraries know 32, 64 and 128.
//!
//! A counter of fewer bits ends at its last value, and up to there it behaves as one of 128 bits: so every run is AWS-LC's.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;

use super::aes::{AesKey, BLOCK};
use super::ffi::aes::wipe;

/// Where in its key stream a message is. Holds no secret: the key stream block in use is computed again by the next
/// part.
#[derive(Clone)]
pub struct Counter {
    block: [u8; BLOCK],
    /// Blocks that may still be used, the one in `block` included.
    left: u128,
    /// Bytes of the current block's key stream that are spent, 0 to 15.
    used: usize,
}

impl Counter {
    /// A counter whose low `bits` bits count, big-endian, from what they are in `block` on, up to their last value. What
    /// lies above them is a nonce, which another message may continue (PKCS#11 3.2, "AES with Counter"). A counter of all 128
    /// bits has no nonce and goes on at zero, as SP 800-38A appendix B.1 counts and as Java and OpenSSL do; it would need
    /// 2^128 blocks to repeat.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` if `bits` is not 1 to 128 (PKCS#11 3.2, `CK_AES_CTR_PARAMS`).
    pub fn new(block: [u8; BLOCK], bits: u32) -> Result<Self> {
        if bits == 0 || bits > 128 {
            return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "AES-CTR: the counter has 1 to 128 bits"));
        }
        let mask = u128::MAX >> (128 - bits);
        let left = if bits == 128 { u128::MAX } else { mask - (u128::from_be_bytes(block) & mask) + 1 };
        Ok(Self { block, left, used: 0 })
    }

    /// Goes on by `bytes` of key stream, for which there are blocks left.
    const fn spend(&mut self, bytes: usize) {
        let total = self.used + bytes;
        let blocks = (total / BLOCK) as u128;
        self.used = total % BLOCK;
        // The carry out of a counter that has ended is never used: no block is left then.
        self.block = u128::from_be_bytes(self.block).wrapping_add(blocks).to_be_bytes();
        self.left = self.left.saturating_sub(blocks);
    }
}

impl AesKey {
    /// Encrypts or decrypts; parts of any length give what the whole gives.
    ///
    /// What would go beyond the counter's last value is refused before anything is written.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE` if the counter has too few values left, `CKR_BUFFER_TOO_SMALL`.
    pub fn ctr(&self, counter: &mut Counter, io: Exchange<'_>) -> Result<()> {
        let length = io.input().len();
        if io.room() < length {
            return Err(Error::new(ck::CKR_BUFFER_TOO_SMALL, "AES-CTR: the output is too small"));
        }
        let touched = counter.used.saturating_add(length).div_ceil(BLOCK);
        if touched as u128 > counter.left {
            return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "AES-CTR: the data is longer than the counter reaches"));
        }
        let mut rest = io;
        if counter.used != 0 {
            let (now, later) = split(rest, length.min(BLOCK.saturating_sub(counter.used)))?;
            self.head(counter, now);
            rest = later;
        }
        let run = rest.input().len();
        self.chained.ctr(counter.block, rest)?;
        counter.spend(run);
        Ok(())
    }

    /// Transforms what the rest of the current block's key stream is for. That block is encrypted a second time, so
    /// that no key stream is kept between calls.
    fn head(&self, counter: &mut Counter, mut io: Exchange<'_>) {
        let length = io.input().len();
        let mut stream = counter.block;
        self.encrypt_block(&mut stream);
        let stream_left = stream.iter().skip(counter.used);
        match &mut io {
            Exchange::Apart { input, output } => {
                for ((to, from), key) in output.iter_mut().zip(input.iter()).zip(stream_left) {
                    *to = from ^ key;
                }
            }
            Exchange::InPlace { buffer, length } => {
                for (byte, key) in buffer.iter_mut().take(*length).zip(stream_left) {
                    *byte ^= key;
                }
            }
        }
        wipe(&mut stream);
        counter.spend(length);
    }
}

fn split(io: Exchange<'_>, count: usize) -> Result<(Exchange<'_>, Exchange<'_>)> {
    io.split(count).ok_or_else(|| Error::internal("AES-CTR: input and output do not fit"))
}

#[cfg(test)]
#[path = "ctr_tests.rs"]
mod tests;
