//! Secrets as a type: zeroed when dropped, never printed, cloned or compared in variable time.
//!
//! Key material, PINs and every intermediate that could give one away live in one of these types. They have no
//! `Debug`, `Display`, `Clone` or `PartialEq`, so a leak through one of those does not compile.

use std::ops::Range;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Equality in time that depends on the lengths only.
#[must_use]
pub fn ct_eq(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// A secret of any length on the heap.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes ownership of `bytes`; their spare capacity is zeroed too.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        if bytes.capacity() == bytes.len() {
            return Self(bytes.into_boxed_slice());
        }
        let copy = Self(bytes.as_slice().into());
        bytes.zeroize();
        copy
    }

    /// A copy of `bytes`, which stay the caller's to clean up.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// `length` zeros, to be written; nothing if there is no memory for them.
    #[must_use]
    pub fn zeros(length: usize) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).ok()?;
        bytes.resize(length, 0);
        Some(Self(bytes.into_boxed_slice()))
    }

    /// A secret of `length` bytes, written in place by `fill`.
    ///
    /// # Errors
    /// What `fill` returns; the partly filled memory is zeroed.
    pub fn made<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(vec![0; length].into_boxed_slice());
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The bytes themselves. Whoever calls this must not copy them anywhere that is not zeroed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be written.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Equality in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        ct_eq(&self.0, other)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secrets one after the other in one piece of memory, which grows as they come; what it grows out of is zeroed.
#[derive(Default)]
pub struct SecretBuffer(Vec<u8>);

impl SecretBuffer {
    /// Room for the values of a usual template, in bytes.
    const FIRST: usize = 256;

    /// Adds a copy of `bytes`, and says where it stands.
    pub fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.0.len();
        if self.0.capacity() - start < bytes.len() {
            let mut larger = Vec::with_capacity((2 * start).max(start + bytes.len()).max(Self::FIRST));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        start..self.0.len()
    }

    /// What stands at a place that [`SecretBuffer::append`] has given.
    #[must_use]
    pub fn get(&self, place: &Range<usize>) -> &[u8] {
        self.0.get(place.clone()).unwrap_or_default()
    }
}

impl Drop for SecretBuffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A secret of a fixed length, for the 32-byte keys of the key hierarchy.
pub struct Key<const N: usize>([u8; N]);

impl<const N: usize> Key<N> {
    /// A key written in place by `fill`.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn made<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self([0; N]);
        fill(&mut key.0)?;
        Ok(key)
    }

    /// A key from bytes of exactly the right length, or nothing.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The bytes themselves; see [`Secret::expose`].
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Key<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
