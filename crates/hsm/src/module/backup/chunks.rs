//! The payload of a backup: one stream of bytes, sealed chunk by chunk, so that neither end ever holds it whole.
//!
//! Each chunk is AES-256-GCM under the backup's own key, with the header's hash, the chunk's number and whether it is the
//! last one as associated data: a chunk that is changed, moved, repeated or left out does not open, nor does anything under
//! another header, and a stream without its end has no last chunk. The key seals one backup, so the number is the nonce.

use std::io::{Read, Write};

use base::codec::{MALFORMED, Writer};
use base::error::{Error, Result};
use base::exchange::Exchange;
use base::secret::{Key, Secret};
use crypto::gcm::GcmKey;

/// The bytes of every chunk but the last.
pub(super) const CHUNK: usize = 1 << 16;
const TAG: usize = 16;

/// What both ends of a stream share.
struct Chain {
    key: GcmKey,
    header: [u8; 32],
    number: u64,
}

impl Chain {
    fn new(key: &Key<32>, header: [u8; 32]) -> Result<Self> {
        Ok(Self { key: GcmKey::new(key.expose())?, header, number: 0 })
    }

    /// The nonce and the associated data of the next chunk.
    fn next(&mut self, last: bool) -> ([u8; 12], Vec<u8>) {
        let mut nonce = [0; 12];
        let (_, number) = nonce.split_at_mut(4);
        number.copy_from_slice(&self.number.to_le_bytes());
        let mut binding = Writer::new(41);
        binding.raw(&self.header).long(self.number).byte(last.into());
        self.number += 1;
        (nonce, binding.finish())
    }
}

/// The end that is written to.
pub(super) struct Sealing<W> {
    out: W,
    chain: Chain,
    buffer: Secret,
    filled: usize,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(out: W, key: &Key<32>, header: [u8; 32]) -> Result<Self> {
        let buffer = Secret::zeros(CHUNK).ok_or(NO_MEMORY)?;
        Ok(Self { out, chain: Chain::new(key, header)?, buffer, filled: 0 })
    }

    /// Adds bytes to the stream.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            // Only now is it known that the full chunk is not the last.
            if self.filled == CHUNK {
                self.emit(false)?;
            }
            let room = self.buffer.expose_mut().get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn emit(&mut self, last: bool) -> Result<()> {
        let (nonce, binding) = self.chain.next(last);
        let input = self.buffer.expose().get(..self.filled).unwrap_or_default();
        let mut sealed = vec![0; self.filled + TAG];
        self.chain.key.seal(&nonce, &binding, TAG, Exchange::Apart { input, output: &mut sealed })?;
        self.filled = 0;
        self.out
            .write_all(&sealed)
            .map_err(|error| Error::device(format!("cannot be written: {error}; free some space")))
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> Result<W> {
        self.emit(true)?;
        Ok(self.out)
    }
}

/// The end that is read from.
pub(super) struct Opening<R> {
    input: R,
    chain: Chain,
    /// Sealed bytes that are still to come.
    remaining: u64,
    chunk: Secret,
    read: usize,
}

impl<R: Read> Opening<R> {
    /// A stream of so many sealed bytes.
    pub(super) fn new(input: R, length: u64, key: &Key<32>, header: [u8; 32]) -> Result<Self> {
        Ok(Self { input, chain: Chain::new(key, header)?, remaining: length, chunk: Secret::copy(&[]), read: 0 })
    }

    /// The next bytes of the stream.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let ready = self.chunk.expose().get(self.read..).unwrap_or_default();
            if ready.is_empty() {
                self.advance()?;
                continue;
            }
            let count = ready.len().min(rest.len());
            rest.iter_mut().zip(ready).for_each(|(to, from)| *to = *from);
            self.read += count;
            done += count;
        }
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn advance(&mut self) -> Result<()> {
        let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(CHUNK + TAG);
        let plain = length.checked_sub(TAG).ok_or(DAMAGED)?;
        self.remaining -= length as u64;
        let (nonce, binding) = self.chain.next(self.remaining == 0);
        let mut sealed = vec![0; length];
        self.input.read_exact(&mut sealed).map_err(|error| Error::device(format!("cannot be read: {error}")))?;
        self.chunk = Secret::made(plain, |output| {
            self.chain.key.open(&nonce, &binding, TAG, Exchange::Apart { input: &sealed, output }).map(drop)
        })
        .map_err(|_| DAMAGED)?;
        self.read = 0;
        Ok(())
    }

    /// Says that nothing more is expected.
    pub(super) fn end(&self) -> Result<()> {
        if self.remaining == 0 && self.read == self.chunk.len() { Ok(()) } else { Err(MALFORMED) }
    }
}

/// Whatever is wrong with the bytes of a backup.
pub(super) const DAMAGED: Error =
    Error::new(base::ck::CKR_DEVICE_ERROR, "is damaged: it is not what was written; use another backup");
const NO_MEMORY: Error = Error::new(base::ck::CKR_HOST_MEMORY, "no memory for a chunk of a backup");

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn key() -> Key<32> {
        Key::from_slice(&[7; 32]).unwrap()
    }

    fn seal(plain: &[u8]) -> Vec<u8> {
        let mut stream = Sealing::new(Vec::new(), &key(), [1; 32]).unwrap();
        plain.chunks(1000).for_each(|part| stream.write(part).unwrap());
        stream.finish().unwrap()
    }

    fn open(sealed: &[u8], length: usize, header: u8) -> Result<Vec<u8>> {
        let mut stream = Opening::new(sealed, sealed.len() as u64, &key(), [header; 32])?;
        let mut plain = vec![0; length];
        stream.read(&mut plain)?;
        stream.end()?;
        Ok(plain)
    }

    #[test]
    fn what_was_written_is_read() {
        for length in [1, 15, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77] {
            let plain: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let sealed = seal(&plain);
            assert_eq!(sealed.len(), length + TAG * length.div_ceil(CHUNK));
            assert_eq!(open(&sealed, length, 1).unwrap(), plain);
            assert!(open(&sealed, length, 2).is_err(), "under another header");
            assert!(open(&sealed, length - 1, 1).is_err() && open(&sealed, length + 1, 1).is_err());
        }
    }

    #[test]
    fn chunks_stay_where_they_are() {
        let (length, whole) = (3 * CHUNK, CHUNK + TAG);
        let sealed = seal(&vec![9; length]);
        let chunk = |n: usize| &sealed[n * whole..(n + 1) * whole];
        for order in
            [vec![1, 0, 2], vec![0, 2, 1], vec![0, 0, 1, 2], vec![0, 2], vec![0, 1], vec![1, 2], vec![0, 1, 2, 2]]
        {
            let moved: Vec<u8> = order.iter().flat_map(|n| chunk(*n)).copied().collect();
            assert!((0..=4).all(|count| open(&moved, count * CHUNK, 1).is_err()), "{order:?}");
        }
    }
}
