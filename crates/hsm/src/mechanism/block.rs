//! Block ciphers in ECB, CBC and CBC with PKCS#7 padding, once for all of them (PKCS#11 3.2 section 6.12; NIST SP 800-38A).

use std::marker::PhantomData;

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use crypto::aes::AesKey;
use crypto::des::Des3Key;
use crypto::pad::{pkcs7_pad, pkcs7_unpad};
use zeroize::Zeroizing;

use super::{Ciphering, Parameter, Serves, Stream, Work};
use crate::object::KeyMaterial;

/// A block cipher with blocks of `N` bytes, as its prepared key has it.
pub(super) trait BlockCipher<const N: usize>: Sized + 'static {
    /// The prepared key.
    fn of(key: &KeyMaterial) -> Result<&Self>;
    /// The IV of the parameter; ECB has none.
    fn iv(parameter: &Parameter) -> [u8; N];
    /// Transforms whole blocks, and in CBC moves the IV on.
    fn transform(&self, iv: &mut [u8; N], io: Exchange<'_>, mode: Mode, direction: Direction) -> Result<()>;
}

macro_rules! block_cipher {
    ($key:ty, $length:literal, $prepared:ident, $iv:ident) => {
        impl BlockCipher<$length> for $key {
            fn of(key: &KeyMaterial) -> Result<&Self> {
                key.secret()?.$prepared()
            }

            fn iv(parameter: &Parameter) -> [u8; $length] {
                match parameter {
                    Parameter::$iv(iv) => *iv,
                    _ => [0; $length],
                }
            }

            fn transform(
                &self,
                iv: &mut [u8; $length],
                io: Exchange<'_>,
                mode: Mode,
                direction: Direction,
            ) -> Result<()> {
                match (mode, direction) {
                    (Mode::Ecb, Direction::Encrypt) => self.ecb_encrypt(io),
                    (Mode::Ecb, Direction::Decrypt) => self.ecb_decrypt(io),
                    (Mode::Cbc, Direction::Encrypt) => self.cbc_encrypt(iv, io),
                    (Mode::Cbc, Direction::Decrypt) => self.cbc_decrypt(iv, io),
                }
            }
        }
    };
}

block_cipher!(AesKey, 16, aes, Iv);
block_cipher!(Des3Key, 8, des3, ShortIv);

/// Which way and in which mode whole blocks are transformed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Ecb,
    Cbc,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

/// ECB.
pub(super) const fn ecb<C: BlockCipher<N>, const N: usize>() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks::<C, N>(work, io, Mode::Ecb, Direction::Encrypt),
            start: |work| stream::<C, N>(work, Mode::Ecb, Direction::Encrypt, false),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks::<C, N>(work, io, Mode::Ecb, Direction::Decrypt),
            start: |work| stream::<C, N>(work, Mode::Ecb, Direction::Decrypt, false),
        }),
        ..Serves::NOTHING
    }
}

/// CBC.
pub(super) const fn cbc<C: BlockCipher<N>, const N: usize>() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks::<C, N>(work, io, Mode::Cbc, Direction::Encrypt),
            start: |work| stream::<C, N>(work, Mode::Cbc, Direction::Encrypt, false),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks::<C, N>(work, io, Mode::Cbc, Direction::Decrypt),
            start: |work| stream::<C, N>(work, Mode::Cbc, Direction::Decrypt, false),
        }),
        ..Serves::NOTHING
    }
}

/// CBC with PKCS#7 padding.
pub(super) const fn cbc_pad<C: BlockCipher<N>, const N: usize>() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: |_, input| (input / N * N).checked_add(N).ok_or(TOO_LONG),
            once: pad_encrypt::<C, N>,
            start: |work| stream::<C, N>(work, Mode::Cbc, Direction::Encrypt, true),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: pad_decrypt::<C, N>,
            start: |work| stream::<C, N>(work, Mode::Cbc, Direction::Decrypt, true),
        }),
        ..Serves::NOTHING
    }
}

const TOO_LONG: Error = Error::new(ck::CKR_DATA_LEN_RANGE, "the data is longer than memory can be");

#[allow(clippy::unnecessary_wraps, reason = "the signature of the row")]
pub(super) const fn same_length(_: &Work<'_>, input: usize) -> Result<usize> {
    Ok(input)
}

fn incomplete(direction: Direction) -> Error {
    match direction {
        Direction::Encrypt => Error::new(ck::CKR_DATA_LEN_RANGE, "the data is no whole number of blocks"),
        Direction::Decrypt => {
            Error::new(ck::CKR_ENCRYPTED_DATA_LEN_RANGE, "the ciphertext is no whole number of blocks")
        }
    }
}

/// ECB and CBC without padding, in one call.
fn blocks<C: BlockCipher<N>, const N: usize>(
    work: &Work<'_>,
    mut io: Exchange<'_>,
    mode: Mode,
    direction: Direction,
) -> Result<usize> {
    let length = io.input().len();
    if !length.is_multiple_of(N) {
        return Err(incomplete(direction));
    }
    let io = io.front(length).ok_or(NO_ROOM)?;
    C::of(work.key)?.transform(&mut C::iv(work.parameter), io, mode, direction)?;
    Ok(length)
}

pub(super) const NO_ROOM: Error = Error::internal("the room is smaller than the operation said");
const MORE_THAN_A_BLOCK: Error = Error::internal("more than a block held back");

fn pad_encrypt<C: BlockCipher<N>, const N: usize>(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let key = C::of(work.key)?;
    let mut iv = C::iv(work.parameter);
    let whole = io.input().len() / N * N;
    let (front, mut back) = io.split(whole).ok_or(NO_ROOM)?;
    let mut last = pkcs7_pad::<N>(back.input()).ok_or(MORE_THAN_A_BLOCK)?;
    key.transform(&mut iv, front, Mode::Cbc, Direction::Encrypt)?;
    key.transform(&mut iv, Exchange::InPlace { buffer: &mut last, length: N }, Mode::Cbc, Direction::Encrypt)?;
    back.output().get_mut(..N).ok_or(NO_ROOM)?.copy_from_slice(&last);
    Ok(whole + N)
}

fn pad_decrypt<C: BlockCipher<N>, const N: usize>(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let key = C::of(work.key)?;
    let mut iv = C::iv(work.parameter);
    let length = io.input().len();
    if length == 0 || !length.is_multiple_of(N) {
        return Err(incomplete(Direction::Decrypt));
    }
    let (front, mut back) = io.split(length - N).ok_or(NO_ROOM)?;
    let mut last = Zeroizing::new([0; N]);
    last.copy_from_slice(back.input());
    // Decryption in CBC needs no state but the block before, so the padding is looked at before anything is written.
    let mut last_iv = match front.input().last_chunk::<N>() {
        Some(block) => *block,
        None => iv,
    };
    key.transform(
        &mut last_iv,
        Exchange::InPlace { buffer: last.as_mut_slice(), length: N },
        Mode::Cbc,
        Direction::Decrypt,
    )?;
    let rest = pkcs7_unpad(&last)?;
    let written = front.input().len();
    key.transform(&mut iv, front, Mode::Cbc, Direction::Decrypt)?;
    let value = last.get(..rest).unwrap_or_default();
    back.output().get_mut(..rest).ok_or(NO_ROOM)?.copy_from_slice(value);
    Ok(written + rest)
}

fn stream<C: BlockCipher<N>, const N: usize>(
    work: &Work<'_>,
    mode: Mode,
    direction: Direction,
    padding: bool,
) -> Result<Box<dyn Stream>> {
    Ok(Box::new(BlockStream::<C, N> {
        cipher: PhantomData,
        mode,
        direction,
        padding,
        iv: C::iv(work.parameter),
        pending: Zeroizing::new([0; N]),
        held: 0,
    }))
}

/// ECB and CBC in parts: holds back an incomplete block, and with padding the last whole one when decrypting.
struct BlockStream<C, const N: usize> {
    cipher: PhantomData<fn() -> C>,
    mode: Mode,
    direction: Direction,
    padding: bool,
    iv: [u8; N],
    pending: Zeroizing<[u8; N]>,
    held: usize,
}

impl<C: BlockCipher<N>, const N: usize> BlockStream<C, N> {
    /// How many bytes can be transformed when `input` more arrive.
    const fn ready(&self, input: usize) -> usize {
        let all = self.held.saturating_add(input);
        let ready = all / N * N;
        // The last block may be the one with the padding: keep it until more comes or the end is known.
        if self.padding && matches!(self.direction, Direction::Decrypt) && ready == all && ready > 0 {
            ready - N
        } else {
            ready
        }
    }

    /// Keeps `rest`, which is at most a block, for the next part.
    fn hold(&mut self, rest: &[u8]) -> Result<()> {
        self.pending.get_mut(self.held..self.held + rest.len()).ok_or(MORE_THAN_A_BLOCK)?.copy_from_slice(rest);
        self.held += rest.len();
        Ok(())
    }
}

impl<C: BlockCipher<N>, const N: usize> Stream for BlockStream<C, N> {
    fn update_most(&self, input: usize) -> usize {
        self.ready(input)
    }

    fn update(&mut self, key: &KeyMaterial, io: Exchange<'_>) -> Result<usize> {
        let ready = self.ready(io.input().len());
        if ready == 0 {
            self.hold(io.input())?;
            return Ok(0);
        }
        let key = C::of(key)?;
        let (mode, direction) = (self.mode, self.direction);
        if self.held == 0 {
            let (front, back) = io.split(ready).ok_or(NO_ROOM)?;
            // The rest is read before the output is written: in place, the output may reach over it.
            let mut rest = Zeroizing::new([0; N]);
            let length = back.input().len();
            rest.get_mut(..length).ok_or(NO_ROOM)?.copy_from_slice(back.input());
            key.transform(&mut self.iv, front, mode, direction)?;
            self.hold(rest.get(..length).unwrap_or_default())?;
            return Ok(ready);
        }
        // What was held back shifts input against output, so the two cannot share memory: gather in our own.
        let mut io = io;
        let take = ready - self.held;
        let input = io.input();
        let (now, later) = input.split_at_checked(take).ok_or(NO_ROOM)?;
        let mut gathered = Zeroizing::new(Vec::new());
        gathered
            .try_reserve_exact(ready)
            .map_err(|_| Error::new(ck::CKR_HOST_MEMORY, "no memory for the part of a message"))?;
        gathered.extend_from_slice(self.pending.get(..self.held).unwrap_or_default());
        gathered.extend_from_slice(now);
        self.held = 0;
        self.hold(later)?;
        let output = io.output().get_mut(..ready).ok_or(NO_ROOM)?;
        key.transform(&mut self.iv, Exchange::Apart { input: &gathered, output }, mode, direction)?;
        Ok(ready)
    }

    fn finish_most(&self) -> usize {
        match (self.padding, self.direction) {
            (false, _) => 0,
            (true, Direction::Encrypt) => N,
            // The padding is looked at before the caller is told how much is left.
            (true, Direction::Decrypt) => N - 1,
        }
    }

    fn finish(&mut self, key: &KeyMaterial, out: &mut [u8]) -> Result<usize> {
        let held = self.pending.get(..self.held).unwrap_or_default();
        if !self.padding {
            return if held.is_empty() { Ok(0) } else { Err(incomplete(self.direction)) };
        }
        let key = C::of(key)?;
        let mut iv = self.iv;
        let mut last = Zeroizing::new([0; N]);
        let length = match self.direction {
            Direction::Encrypt => {
                *last = pkcs7_pad(held).ok_or(MORE_THAN_A_BLOCK)?;
                key.transform(
                    &mut iv,
                    Exchange::InPlace { buffer: last.as_mut_slice(), length: N },
                    Mode::Cbc,
                    Direction::Encrypt,
                )?;
                N
            }
            Direction::Decrypt => {
                if held.len() != N {
                    return Err(incomplete(self.direction));
                }
                last.copy_from_slice(held);
                key.transform(
                    &mut iv,
                    Exchange::InPlace { buffer: last.as_mut_slice(), length: N },
                    Mode::Cbc,
                    Direction::Decrypt,
                )?;
                pkcs7_unpad(&last)?
            }
        };
        out.get_mut(..length).ok_or(NO_ROOM)?.copy_from_slice(last.get(..length).unwrap_or_default());
        Ok(length)
    }
}
