//! Bytes on disk: numbers little-endian, parts with their length in front, every length checked when read.

use crate::ck;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Writes the fields of a record one after the other.
pub struct Writer(Vec<u8>);

impl Writer {
    /// A writer of at most `capacity` bytes. The capacity is exact where secrets are written, so that no copy is
    /// left behind by a reallocation.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// A number of four bytes.
    pub fn number(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// A number of eight bytes.
    pub fn long(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Bytes without their length.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes with their length in front.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// What was written, as a secret.
    #[must_use]
    pub fn finish_secret(self) -> Secret {
        Secret::new(self.0)
    }
}

/// Reads the fields of a record; every shortage is CKR_DEVICE_ERROR.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// CKR_DEVICE_ERROR if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(*front)
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`Reader::array`].
    pub fn byte(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// As [`Reader::array`].
    pub fn number(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// As [`Reader::array`].
    pub fn long(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Bytes with their length in front.
    ///
    /// # Errors
    /// As [`Reader::array`].
    pub fn part(&mut self) -> Result<&'a [u8]> {
        let length = self.number()? as usize;
        let (front, rest) = self.0.split_at_checked(length).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(front)
    }

    /// Text with its length in front.
    ///
    /// # Errors
    /// As [`Reader::array`], and for what is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.part()?).map_err(|_| MALFORMED)
    }

    /// Whether bytes are left.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        !self.0.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// CKR_DEVICE_ERROR if bytes are left.
    pub const fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(MALFORMED) }
    }
}

/// A record that authenticated but has a form that is not known.
pub const MALFORMED: Error =
    Error::new(ck::CKR_DEVICE_ERROR, "a record has a form that this library does not know; run cloudhsm-cli doctor");
