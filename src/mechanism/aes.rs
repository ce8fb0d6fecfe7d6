//! AES in ECB, CBC, CBC with PKCS#7 padding and CTR mode (PKCS#11 3.2 section 6.12; NIST SP 800-38A).

use zeroize::Zeroizing;

use super::parameter::Counter;
use super::{Ciphering, Parameter, Serves, Stream, Work};
use crate::ck;
use crate::crypto::aes::AesKey;
use crate::crypto::pad::{pkcs7_pad, pkcs7_unpad};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::object::KeyMaterial;

const BLOCK: usize = 16;

/// Which way and in which mode whole blocks are transformed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ecb,
    Cbc,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Encrypt,
    Decrypt,
}

/// CKM_AES_ECB.
pub(super) const fn ecb() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks(work, io, Mode::Ecb, Direction::Encrypt),
            start: |work| stream(work, Mode::Ecb, Direction::Encrypt, false),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks(work, io, Mode::Ecb, Direction::Decrypt),
            start: |work| stream(work, Mode::Ecb, Direction::Decrypt, false),
        }),
        ..Serves::NOTHING
    }
}

/// CKM_AES_CBC.
pub(super) const fn cbc() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks(work, io, Mode::Cbc, Direction::Encrypt),
            start: |work| stream(work, Mode::Cbc, Direction::Encrypt, false),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: |work, io| blocks(work, io, Mode::Cbc, Direction::Decrypt),
            start: |work| stream(work, Mode::Cbc, Direction::Decrypt, false),
        }),
        ..Serves::NOTHING
    }
}

/// CKM_AES_CBC_PAD.
pub(super) const fn cbc_pad() -> Serves {
    Serves {
        encrypt: Some(Ciphering {
            most: |_, input| (input / BLOCK * BLOCK).checked_add(BLOCK).ok_or(TOO_LONG),
            once: pad_encrypt,
            start: |work| stream(work, Mode::Cbc, Direction::Encrypt, true),
        }),
        decrypt: Some(Ciphering {
            most: same_length,
            once: pad_decrypt,
            start: |work| stream(work, Mode::Cbc, Direction::Decrypt, true),
        }),
        ..Serves::NOTHING
    }
}

/// CKM_AES_CTR.
pub(super) const fn ctr() -> Serves {
    let cipher = Ciphering { most: same_length, once: ctr_once, start: ctr_start };
    Serves { encrypt: Some(cipher), decrypt: Some(cipher), ..Serves::NOTHING }
}

const TOO_LONG: Error = Error::new(ck::CKR_DATA_LEN_RANGE, "the data is longer than memory can be");

#[allow(clippy::unnecessary_wraps, reason = "the signature of the row")]
const fn same_length(_: &Work<'_>, input: usize) -> Result<usize> {
    Ok(input)
}

/// The IV of the parameter; ECB has none.
fn iv(work: &Work<'_>) -> [u8; BLOCK] {
    match work.parameter {
        Parameter::Iv(iv) => *iv,
        _ => [0; BLOCK],
    }
}

fn transform(key: &AesKey, iv: &mut [u8; BLOCK], io: Exchange<'_>, mode: Mode, direction: Direction) -> Result<()> {
    match (mode, direction) {
        (Mode::Ecb, Direction::Encrypt) => key.ecb_encrypt(io),
        (Mode::Ecb, Direction::Decrypt) => key.ecb_decrypt(io),
        (Mode::Cbc, Direction::Encrypt) => key.cbc_encrypt(iv, io),
        (Mode::Cbc, Direction::Decrypt) => key.cbc_decrypt(iv, io),
    }
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
fn blocks(work: &Work<'_>, mut io: Exchange<'_>, mode: Mode, direction: Direction) -> Result<usize> {
    let length = io.input().len();
    if !length.is_multiple_of(BLOCK) {
        return Err(incomplete(direction));
    }
    let io = io.front(length).ok_or(NO_ROOM)?;
    transform(work.key.secret()?.aes()?, &mut iv(work), io, mode, direction)?;
    Ok(length)
}

const NO_ROOM: Error = Error::internal("the room is smaller than the operation said");
const MORE_THAN_A_BLOCK: Error = Error::internal("more than a block held back");

fn pad_encrypt(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let key = work.key.secret()?.aes()?;
    let mut iv = iv(work);
    let whole = io.input().len() / BLOCK * BLOCK;
    let (front, mut back) = io.split(whole).ok_or(NO_ROOM)?;
    let mut last = pkcs7_pad::<BLOCK>(back.input()).ok_or(MORE_THAN_A_BLOCK)?;
    key.cbc_encrypt(&mut iv, front)?;
    key.cbc_encrypt(&mut iv, Exchange::InPlace { buffer: &mut last, length: BLOCK })?;
    back.output().get_mut(..BLOCK).ok_or(NO_ROOM)?.copy_from_slice(&last);
    Ok(whole + BLOCK)
}

fn pad_decrypt(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let key = work.key.secret()?.aes()?;
    let mut iv = iv(work);
    let length = io.input().len();
    if length == 0 || !length.is_multiple_of(BLOCK) {
        return Err(incomplete(Direction::Decrypt));
    }
    let (front, mut back) = io.split(length - BLOCK).ok_or(NO_ROOM)?;
    let mut last = Zeroizing::new([0; BLOCK]);
    last.copy_from_slice(back.input());
    // Decryption in CBC needs no state but the block before, so the padding is looked at before anything is written.
    let mut last_iv = match front.input().last_chunk::<BLOCK>() {
        Some(block) => *block,
        None => iv,
    };
    key.cbc_decrypt(&mut last_iv, Exchange::InPlace { buffer: last.as_mut_slice(), length: BLOCK })?;
    let rest = pkcs7_unpad(&last)?;
    let written = front.input().len();
    key.cbc_decrypt(&mut iv, front)?;
    let value = last.get(..rest).unwrap_or_default();
    back.output().get_mut(..rest).ok_or(NO_ROOM)?.copy_from_slice(value);
    Ok(written + rest)
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

fn stream(work: &Work<'_>, mode: Mode, direction: Direction, padding: bool) -> Result<Box<dyn Stream>> {
    Ok(Box::new(BlockStream { mode, direction, padding, iv: iv(work), pending: Zeroizing::new([0; BLOCK]), held: 0 }))
}

/// ECB and CBC in parts: holds back an incomplete block, and with padding the last whole one when decrypting.
struct BlockStream {
    mode: Mode,
    direction: Direction,
    padding: bool,
    iv: [u8; BLOCK],
    pending: Zeroizing<[u8; BLOCK]>,
    held: usize,
}

impl BlockStream {
    /// How many bytes can be transformed when `input` more arrive.
    const fn ready(&self, input: usize) -> usize {
        let all = self.held.saturating_add(input);
        let ready = all / BLOCK * BLOCK;
        // The last block may be the one with the padding: keep it until more comes or the end is known.
        if self.padding && matches!(self.direction, Direction::Decrypt) && ready == all && ready > 0 {
            ready - BLOCK
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

impl Stream for BlockStream {
    fn update_most(&self, input: usize) -> usize {
        self.ready(input)
    }

    fn update(&mut self, key: &KeyMaterial, io: Exchange<'_>) -> Result<usize> {
        let ready = self.ready(io.input().len());
        if ready == 0 {
            self.hold(io.input())?;
            return Ok(0);
        }
        let key = key.secret()?.aes()?;
        let (mode, direction) = (self.mode, self.direction);
        if self.held == 0 {
            let (front, back) = io.split(ready).ok_or(NO_ROOM)?;
            // The rest is read before the output is written: in place, the output may reach over it.
            let mut rest = Zeroizing::new([0; BLOCK]);
            let length = back.input().len();
            rest.get_mut(..length).ok_or(NO_ROOM)?.copy_from_slice(back.input());
            transform(key, &mut self.iv, front, mode, direction)?;
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
        transform(key, &mut self.iv, Exchange::Apart { input: &gathered, output }, mode, direction)?;
        Ok(ready)
    }

    fn finish_most(&self) -> usize {
        match (self.padding, self.direction) {
            (false, _) => 0,
            (true, Direction::Encrypt) => BLOCK,
            // The padding is looked at before the caller is told how much is left.
            (true, Direction::Decrypt) => BLOCK - 1,
        }
    }

    fn finish(&mut self, key: &KeyMaterial, out: &mut [u8]) -> Result<usize> {
        let held = self.pending.get(..self.held).unwrap_or_default();
        if !self.padding {
            return if held.is_empty() { Ok(0) } else { Err(incomplete(self.direction)) };
        }
        let key = key.secret()?.aes()?;
        let mut iv = self.iv;
        let mut last = Zeroizing::new([0; BLOCK]);
        let length = match self.direction {
            Direction::Encrypt => {
                *last = pkcs7_pad(held).ok_or(MORE_THAN_A_BLOCK)?;
                key.cbc_encrypt(&mut iv, Exchange::InPlace { buffer: last.as_mut_slice(), length: BLOCK })?;
                BLOCK
            }
            Direction::Decrypt => {
                if held.len() != BLOCK {
                    return Err(incomplete(self.direction));
                }
                last.copy_from_slice(held);
                key.cbc_decrypt(&mut iv, Exchange::InPlace { buffer: last.as_mut_slice(), length: BLOCK })?;
                pkcs7_unpad(&last)?
            }
        };
        out.get_mut(..length).ok_or(NO_ROOM)?.copy_from_slice(last.get(..length).unwrap_or_default());
        Ok(length)
    }
}
