//! AES-GCM (SP 800-38D): one-shot with a key prepared once, and in parts.
//!
//! One-shot sealing and opening run on AWS-LC's `EVP_AEAD` straight from the caller's input to the caller's output.
//! What that interface cannot do goes through a stream, which costs two small allocations: data in parts, opening with
//! a tag shorter than 16 bytes, and opening more than 4 KiB in place.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use base::secret::Secret;

use super::ffi::aead::{Context, TAG};
use super::ffi::cipher::{Stream, Way};

/// The longest plaintext, in bytes: 2^39 - 256 bits (SP 800-38D section 5.2.1.1). Checked before anything is written,
/// so that no call gives up half-way.
const MAX_TEXT: usize = (1 << 36) - 32;

/// A prepared AES-GCM key. Zeroed when dropped.
pub struct GcmKey {
    context: Context,
    bytes: Secret,
}

impl GcmKey {
    /// Prepares a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// `CKR_KEY_SIZE_RANGE` for another length.
    pub fn new(key: &[u8]) -> Result<Self> {
        Ok(Self { context: Context::new(key)?, bytes: Secret::copy(key) })
    }

    /// Encrypts the input, writes ciphertext and tag to the output and returns their length. A pair of key and nonce
    /// must never be used twice; that is the caller's to ensure.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` for an empty nonce or a tag length that SP 800-38D section
    /// 5.2.1.2 does not list, `CKR_BUFFER_TOO_SMALL` if the output has no room for both (nothing is written),
    /// `CKR_DATA_LEN_RANGE` for over 2^36 - 32 bytes.
    #[inline]
    pub fn seal(&self, nonce: &[u8], aad: &[u8], tag_length: usize, io: Exchange<'_>) -> Result<usize> {
        check_parameters(nonce, tag_length)?;
        let length = io.input().len();
        if length > MAX_TEXT {
            return Err(Error::new(ck::CKR_DATA_LEN_RANGE, "AES-GCM: the message is longer than the mode allows"));
        }
        let total = length.checked_add(tag_length).filter(|total| *total <= io.room()).ok_or_else(no_room)?;
        match io {
            Exchange::Apart { input, output } => {
                let (text, place) = output.split_at_mut_checked(length).ok_or_else(no_room)?;
                with_tag(place, tag_length, |tag| self.context.seal_apart(nonce, aad, input, text, tag))?;
            }
            Exchange::InPlace { buffer, length } => {
                let (text, place) = buffer.split_at_mut_checked(length).ok_or_else(no_room)?;
                with_tag(place, tag_length, |tag| self.context.seal_in_place(nonce, aad, text, tag))?;
            }
        }
        Ok(total)
    }

    /// Opens ciphertext and tag, writes the plaintext to the output and returns its length.
    ///
    /// AWS-LC decrypts first and checks the tag afterwards. If the tag is wrong, no plaintext stays: an output apart
    /// from the input is zero as far as the plaintext would reach, and **in place the input is what it was before the
    /// call**. For that, up to 4 KiB are decrypted from a copy on the stack and more is decrypted in place and
    /// encrypted back; so in place, while the call runs, another thread can see unverified plaintext in the buffer.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` as in [`Self::seal`], `CKR_ENCRYPTED_DATA_LEN_RANGE` for an input shorter than
    /// the tag or of over 2^36 - 32 bytes without it, `CKR_BUFFER_TOO_SMALL` if the output has no room (nothing is written), `CKR_ENCRYPTED_DATA_INVALID` if
    /// the tag is wrong.
    #[inline]
    pub fn open(&self, nonce: &[u8], aad: &[u8], tag_length: usize, io: Exchange<'_>) -> Result<usize> {
        check_parameters(nonce, tag_length)?;
        let length =
            io.input().len().checked_sub(tag_length).filter(|length| *length <= MAX_TEXT).ok_or_else(|| {
                Error::new(
                    ck::CKR_ENCRYPTED_DATA_LEN_RANGE,
                    "AES-GCM: the input is shorter than its tag or longer than the mode allows",
                )
            })?;
        match io {
            Exchange::Apart { input, output } => {
                let (text, tag) = input.split_at_checked(length).ok_or_else(no_room)?;
                let output = output.get_mut(..length).ok_or_else(no_room)?;
                if tag_length == TAG {
                    self.context.open_apart(nonce, aad, text, tag, output)?;
                } else {
                    self.open_short(nonce, aad, text, tag, output)?;
                }
            }
            Exchange::InPlace { buffer, length: total } => {
                let both = buffer.get_mut(..total).ok_or_else(no_room)?;
                let (text, tag) = both.split_at_mut_checked(length).ok_or_else(no_room)?;
                match length {
                    0..=256 if tag_length == TAG => self.open_copied::<256>(nonce, aad, text, tag)?,
                    0..=4096 if tag_length == TAG => self.open_copied::<4096>(nonce, aad, text, tag)?,
                    _ => self.open_in_place(nonce, aad, text, tag)?,
                }
            }
        }
        Ok(length)
    }

    /// Opens `text` to `output` with a tag of any legal length.
    fn open_short(&self, nonce: &[u8], aad: &[u8], text: &[u8], tag: &[u8], output: &mut [u8]) -> Result<()> {
        let mut stream = Stream::start(Way::Open, self.bytes.expose(), nonce, aad)?;
        stream.apart(text, output).and_then(|()| stream.check(tag)).inspect_err(|_| output.fill(0))
    }

    /// Opens `text` in place by way of a copy of the ciphertext on the stack, with which it is restored.
    fn open_copied<const N: usize>(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<()> {
        let mut room = [0; N];
        let copy = room.get_mut(..text.len()).ok_or_else(no_room)?;
        copy.copy_from_slice(text);
        self.context.open_apart(nonce, aad, copy, tag, text).inspect_err(|_| text.copy_from_slice(copy))
    }

    /// Opens `text` in place, and encrypts it back if the tag is wrong.
    fn open_in_place(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<()> {
        let mut stream = Stream::start(Way::Open, self.bytes.expose(), nonce, aad)?;
        stream.in_place(text)?;
        let Err(refusal) = stream.check(tag) else { return Ok(()) };
        let restored =
            Stream::start(Way::Seal, self.bytes.expose(), nonce, &[]).and_then(|mut back| back.in_place(text));
        if restored.is_err() {
            // Without memory for a stream the input is lost, but the unverified plaintext must not stay.
            text.fill(0);
        }
        Err(refusal)
    }
}

/// An encryption of data that comes in parts.
pub struct GcmSealer(Stream);

impl GcmSealer {
    /// Starts a message.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` for an empty nonce, `CKR_HOST_MEMORY`.
    pub fn start(key: &GcmKey, nonce: &[u8], aad: &[u8]) -> Result<Self> {
        check_parameters(nonce, TAG)?;
        Ok(Self(Stream::start(Way::Seal, key.bytes.expose(), nonce, aad)?))
    }

    /// Encrypts the input; the output gets as many bytes, whatever the length.
    ///
    /// # Errors
    /// `CKR_BUFFER_TOO_SMALL` (nothing is written), `CKR_DATA_LEN_RANGE` for over 2^36 - 32 bytes in total.
    pub fn update(&mut self, io: Exchange<'_>) -> Result<()> {
        match io {
            Exchange::Apart { input, output } => {
                self.0.apart(input, output.get_mut(..input.len()).ok_or_else(no_room)?)
            }
            Exchange::InPlace { buffer, length } => self.0.in_place(buffer.get_mut(..length).ok_or_else(no_room)?),
        }
    }

    /// Ends the message: writes the tag, whose length is that of `tag`.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` for a length that SP 800-38D does not list.
    pub fn finish(self, tag: &mut [u8]) -> Result<()> {
        check_tag_length(tag.len())?;
        for (to, from) in tag.iter_mut().zip(self.0.tag()?) {
            *to = from;
        }
        Ok(())
    }
}

/// A decryption of data that comes in parts: collects the ciphertext and gives the plaintext only when the tag has
/// been checked, because plaintext released earlier is unverified plaintext released (SP 800-38D section 7.2 gives
/// FAIL alone). The memory grows with the message; the caller limits it by [`Self::collected`].
pub struct GcmOpener {
    nonce: Box<[u8]>,
    aad: Box<[u8]>,
    tag_length: usize,
    collected: Vec<u8>,
}

impl GcmOpener {
    /// Starts a message.
    ///
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID` as in [`GcmKey::seal`].
    pub fn start(nonce: &[u8], aad: &[u8], tag_length: usize) -> Result<Self> {
        check_parameters(nonce, tag_length)?;
        Ok(Self { nonce: nonce.into(), aad: aad.into(), tag_length, collected: Vec::new() })
    }

    /// Appends a part of ciphertext and tag.
    ///
    /// # Errors
    /// `CKR_HOST_MEMORY` if there is no room for it.
    pub fn update(&mut self, part: &[u8]) -> Result<()> {
        self.collected
            .try_reserve(part.len())
            .map_err(|_| Error::new(ck::CKR_HOST_MEMORY, "AES-GCM: no memory for the ciphertext"))?;
        self.collected.extend_from_slice(part);
        Ok(())
    }

    /// Bytes held so far, the tag's included.
    #[must_use]
    pub const fn collected(&self) -> usize {
        self.collected.len()
    }

    /// The room that [`Self::finish`] needs.
    #[must_use]
    pub const fn plaintext_length(&self) -> usize {
        self.collected.len().saturating_sub(self.tag_length)
    }

    /// Ends the message: opens all of it under `key` into `output` and returns the plaintext's length. After
    /// `CKR_BUFFER_TOO_SMALL` it can be called again.
    ///
    /// # Errors
    /// As [`GcmKey::open`].
    pub fn finish(&self, key: &GcmKey, output: &mut [u8]) -> Result<usize> {
        key.open(&self.nonce, &self.aad, self.tag_length, Exchange::Apart { input: &self.collected, output })
    }
}

/// Lets `seal` write the tag straight to the front of `place`, or by way of a copy if it is to be shorter: then it is
/// the front of the full one (SP 800-38D section 7.1, step 6).
#[inline]
fn with_tag(place: &mut [u8], length: usize, seal: impl FnOnce(&mut [u8; TAG]) -> Result<()>) -> Result<()> {
    let place = place.get_mut(..length).ok_or_else(no_room)?;
    if let Ok(whole) = <&mut [u8; TAG]>::try_from(&mut *place) {
        return seal(whole);
    }
    let mut tag = [0; TAG];
    seal(&mut tag)?;
    place.copy_from_slice(tag.get(..length).ok_or_else(no_room)?);
    Ok(())
}

#[inline]
const fn check_parameters(nonce: &[u8], tag_length: usize) -> Result<()> {
    if nonce.is_empty() {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "AES-GCM: a nonce has a byte or more"));
    }
    check_tag_length(tag_length)
}

const fn check_tag_length(length: usize) -> Result<()> {
    match length {
        4 | 8 | 12..=16 => Ok(()),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "AES-GCM: a tag has 4, 8 or 12 to 16 bytes")),
    }
}

const fn no_room() -> Error {
    Error::new(ck::CKR_BUFFER_TOO_SMALL, "AES-GCM: the output is too small")
}

#[cfg(test)]
#[path = "gcm_tests.rs"]
mod tests;
