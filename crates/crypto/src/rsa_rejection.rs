//! Implicit rejection: what RSA PKCS#1 v1.5 decryption answers to a bad padding, so that it is no oracle.
//!
//! An error for bad padding, or a measurable difference, lets an attacker decrypt anything (Bleichenbacher 1998;
//! Marvin 2023). Here a bad padding gives a message instead: one derived from the private key and the ciphertext, so
//! that it is the same at each repetition and means nothing (draft-irtf-cfrg-rsa-guidance section 7, which OpenSSL 3.2
//! follows as well). Everything up to the choice between the two messages takes time that depends on sizes alone; the
//! length that comes out is the caller's to see in either case.

use base::ck;
use base::error::{Error, Result};
use base::secret::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::{Zeroize, Zeroizing};

use super::rsa::{MAX_BYTES, PKCS1_OVERHEAD};

/// The bytes from which candidates for the synthetic length are read (section 7.2, step 3.2.1).
const CANDIDATES: usize = 256;
/// Where the message's separator may come first: after 00 02 and eight bytes of padding (RFC 8017 section 7.2.1).
const FIRST_SEPARATOR: u32 = 10;

/// The hash of the private exponent, from which synthetic messages are derived.
pub(super) struct Rejection(Key<32>);

/// What is derived from key and ciphertext in the place of a message.
#[derive(Zeroize)]
struct Drawn {
    candidates: [u8; CANDIDATES],
    message: [u8; MAX_BYTES],
    substitute: [u8; MAX_BYTES],
}

/// What the padding held, or seemed to hold; all of it secret.
struct Unpadded {
    good: Choice,
    length: u32,
}

impl Rejection {
    /// Prepares the derivation for a key (steps 3.1.1 and 3.1.2).
    pub(super) fn new(private_exponent: &[u8], modulus_bytes: usize) -> Result<Self> {
        let mut hash = Sha256::new();
        for _ in private_exponent.len()..modulus_bytes {
            hash.update([0]);
        }
        hash.update(private_exponent);
        let key = Key::made(|out| {
            hash.finalize_into(out.into());
            Ok::<_, Error>(())
        })?;
        Ok(Self(key))
    }

    /// Takes the message out of `encoded`, the result of the private operation on `ciphertext`, or the synthetic one.
    ///
    /// `lengths`, if given, are those that are legal for the message; one of any other length, real or synthetic, gives
    /// way to a third, the substitute, whose length is legal. So the unwrapping of an AES key always ends in an AES key. The
    /// synthetic length does not depend on `lengths`, and the substitute has nothing of the synthetic message in it: a
    /// ciphertext that is unwrapped as several types of key behaves as one with a good padding does.
    ///
    /// # Errors
    /// CKR_BUFFER_TOO_SMALL, which depends on the length that comes out, whichever message it is of;
    /// CKR_KEY_SIZE_RANGE when no legal length fits the modulus.
    pub(super) fn open<L: IntoIterator<Item = usize> + Clone>(
        &self,
        ciphertext: &[u8],
        encoded: &[u8],
        lengths: Option<L>,
        out: &mut [u8],
    ) -> Result<usize> {
        let size = encoded.len();
        let longest = u32::try_from(size.saturating_sub(PKCS1_OVERHEAD)).unwrap_or(0);
        let mut drawn =
            Zeroizing::new(Drawn { candidates: [0; CANDIDATES], message: [0; MAX_BYTES], substitute: [0; MAX_BYTES] });
        self.derive(ciphertext, size, lengths.is_some(), &mut drawn)?;

        // A bad padding is a message like any other from here on: of a length and of bytes that nobody chose.
        let real = unpad(encoded);
        let length = u32::conditional_select(&pick_length(&drawn.candidates, longest), &real.length, real.good);
        let (mut legal, mut chosen) = (Choice::from(1), length);
        if let Some(lengths) = lengths {
            let fits = |length| u32::try_from(length).ok().filter(|length| *length <= longest);
            let all = || lengths.clone().into_iter().filter_map(fits);
            legal = all().fold(Choice::from(0), |found, one| found | one.ct_eq(&length));
            let other = pick_legal_length(&drawn.candidates, all)
                .ok_or(Error::new(ck::CKR_KEY_SIZE_RANGE, "the RSA modulus is too short for any legal length"))?;
            chosen = u32::conditional_select(&other, &length, legal);
        }

        // The caller sees the length from here on: it is that of the message, and says nothing of which one it is.
        let length = chosen as usize;
        let Some(out) = out.get_mut(..length) else {
            return Err(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for the decrypted message"));
        };
        let start = size.saturating_sub(length);
        let all = drawn.message.iter().zip(&drawn.substitute).zip(encoded).skip(start);
        for (out, ((synthetic, substitute), decrypted)) in out.iter_mut().zip(all) {
            let message = u8::conditional_select(synthetic, decrypted, real.good);
            *out = u8::conditional_select(substitute, &message, legal);
        }
        Ok(length)
    }

    /// The synthetic block, the candidates for its length (steps 3.1.3 and 3.2), and the substitute.
    fn derive(&self, ciphertext: &[u8], size: usize, substitute: bool, drawn: &mut Drawn) -> Result<()> {
        const TOO_LONG: Error = Error::internal("an RSA block longer than any modulus");
        let mut mac = keyed(self.0.expose())?;
        mac.update(ciphertext);
        let derivation_key: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        let mac = keyed(derivation_key.as_ref())?;
        expand(&mac, b"length", &mut drawn.candidates);
        expand(&mac, b"message", drawn.message.get_mut(..size).ok_or(TOO_LONG)?);
        if substitute {
            expand(&mac, b"substitute", drawn.substitute.get_mut(..size).ok_or(TOO_LONG)?);
        }
        Ok(())
    }
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>> {
    Hmac::new_from_slice(key).map_err(|_| Error::internal("HMAC refused a key"))
}

/// IRPRF of section 7.1: HMAC over counter, label and length in bits, as often as needed.
fn expand(mac: &Hmac<Sha256>, label: &[u8], out: &mut [u8]) {
    let bits = u16::try_from(out.len().saturating_mul(8)).unwrap_or(u16::MAX);
    for (counter, chunk) in (0u16..).zip(out.chunks_mut(32)) {
        let mut mac = mac.clone();
        mac.update(&counter.to_be_bytes());
        mac.update(label);
        mac.update(&bits.to_be_bytes());
        let mut block = mac.finalize().into_bytes();
        for (out, byte) in chunk.iter_mut().zip(&block) {
            *out = *byte;
        }
        block.as_mut_slice().zeroize();
    }
}

/// EME-PKCS1-v1_5 decoding: 00 02, at least eight bytes that are not zero, 00, message.
fn unpad(encoded: &[u8]) -> Unpadded {
    let mut good = Choice::from(1);
    let mut searching = Choice::from(1);
    let mut separator = 0u32;
    let mut size = 0u32;
    for (index, byte) in (0u32..).zip(encoded) {
        match index {
            0 => good &= byte.ct_eq(&0),
            1 => good &= byte.ct_eq(&2),
            _ => {
                let zero = byte.ct_eq(&0);
                separator.conditional_assign(&index, searching & zero);
                searching &= !zero;
            }
        }
        size = index + 1;
    }
    good &= !searching & !separator.ct_lt(&FIRST_SEPARATOR);
    Unpadded { good, length: size.wrapping_sub(separator).wrapping_sub(1) }
}

/// The candidates as 16-bit numbers.
fn numbers(candidates: &[u8]) -> impl Iterator<Item = u32> {
    candidates.chunks_exact(2).map(|pair| pair.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The last candidate that, cut to the bits of `longest`, does not pass it; zero if all do (step 3.3).
fn pick_length(candidates: &[u8], longest: u32) -> u32 {
    let mask = longest.checked_ilog2().map_or(0, |bits| u32::MAX >> (31 - bits));
    numbers(candidates)
        .map(|number| number & mask)
        .fold(0, |picked, candidate| u32::conditional_select(&picked, &candidate, !candidate.ct_gt(&longest)))
}

/// One of the legal lengths, chosen by the first candidate; nothing if there is none.
fn pick_legal_length<I: Iterator<Item = u32>>(candidates: &[u8], legal: impl Fn() -> I) -> Option<u32> {
    let count = u32::try_from(legal().count()).ok()?;
    let choice = numbers(candidates).next()?.checked_rem(count)?;
    Some(
        (0u32..)
            .zip(legal())
            .fold(0, |picked, (index, length)| u32::conditional_select(&picked, &length, index.ct_eq(&choice))),
    )
}
