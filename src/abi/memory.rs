//! The caller's memory: what a pointer and a length allege, checked once and turned into slices, values and buffers.

use std::ptr;

use base::ck::{self, CK_BYTE, CK_ULONG};
use base::error::{Error, Result};
use base::exchange::{Exchange, Transfer};
use zeroize::Zeroizing;

const NULL: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "a pointer is NULL that must not be");
const ABSURD: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "a length that no object in memory can have");

/// A length as Rust counts it.
fn length(length: CK_ULONG) -> Result<usize> {
    usize::try_from(length).ok().filter(|length| isize::try_from(*length).is_ok()).ok_or(ABSURD)
}

/// The bytes that a caller hands in. NULL stands for none, if the length says so too.
///
/// # Safety
/// `pointer` is NULL or may be read for `bytes` bytes as long as the result lives.
#[inline]
pub(super) unsafe fn input<'a>(pointer: *const CK_BYTE, bytes: CK_ULONG) -> Result<&'a [u8]> {
    if bytes == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(NULL);
    }
    // SAFETY: not NULL, no absurd length, and readable by the caller's word.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length(bytes)?) })
}

/// Writes a value.
///
/// # Safety
/// `place` is NULL or may be written.
#[inline]
pub(super) unsafe fn write<T>(place: *mut T, value: T) -> Result<()> {
    if place.is_null() {
        return Err(NULL);
    }
    // SAFETY: not NULL; unaligned, because the caller's alignment is only alleged.
    unsafe { place.write_unaligned(value) };
    Ok(())
}

/// Reads a value that must be there.
///
/// # Safety
/// `place` is NULL or may be read.
#[inline]
pub(super) unsafe fn read<T: Copy>(place: *const T) -> Result<T> {
    // SAFETY: the caller's promise.
    unsafe { read_optional(place) }.ok_or(NULL)
}

/// Reads a value that need not be there.
///
/// # Safety
/// As [`read`].
#[inline]
pub(super) unsafe fn read_optional<T: Copy>(place: *const T) -> Option<T> {
    // SAFETY: not NULL; unaligned, see `write`.
    (!place.is_null()).then(|| unsafe { place.read_unaligned() })
}

/// Whether a string that ends with a zero is this one; NULL is any.
///
/// # Safety
/// `pointer` is NULL or a string that ends, or that may be read for `longest` bytes.
pub(super) unsafe fn text_is(pointer: *const CK_BYTE, wanted: &[u8], longest: usize) -> bool {
    if pointer.is_null() {
        return true;
    }
    for at in 0..longest {
        // SAFETY: every byte up to the terminator may be read, and none is read behind it.
        let byte = unsafe { pointer.add(at).read() };
        match (byte, wanted.get(at)) {
            (0, None) => return true,
            (byte, Some(other)) if byte == *other && byte != 0 => {}
            _ => return false,
        }
    }
    false
}

/// Writes a list by the rule of C_GetSlotList and its like: without a buffer the count, with one the entries if there
/// is room for all of them.
///
/// # Safety
/// `count` is NULL or may be read and written; `list` is NULL or may be written for as many entries as `count` says.
pub(super) unsafe fn write_list<T: Copy>(list: *mut T, count: *mut CK_ULONG, entries: &[T]) -> Result<()> {
    // SAFETY: the caller's promise.
    let room = unsafe { read(count) }?;
    // SAFETY: just read, so not NULL.
    unsafe { write(count, entries.len() as CK_ULONG) }?;
    if list.is_null() {
        return Ok(());
    }
    if room < entries.len() as CK_ULONG {
        return Err(Error::new(ck::CKR_BUFFER_TOO_SMALL, "the list has more entries than there is room for"));
    }
    for (at, entry) in entries.iter().enumerate() {
        // SAFETY: `at` is below the room that the caller has alleged.
        unsafe { list.add(at).write_unaligned(*entry) };
    }
    Ok(())
}

/// A fixed field of text, padded with blanks, as PKCS#11 wants it.
pub(super) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (place, byte) in field.iter_mut().zip(text.bytes().take(end)) {
        *place = byte;
    }
    field
}

/// Input, output and output length of one call.
pub(super) struct Memory {
    input: *const u8,
    input_length: usize,
    output: *mut u8,
    room: usize,
    length: *mut CK_ULONG,
    /// The input, if it overlaps the output other than by being at the same place.
    copy: Zeroizing<Vec<u8>>,
}

impl Memory {
    /// Sorts the pointers of one call.
    ///
    /// # Safety
    /// For as long as the result lives: `input` is NULL or may be read for `input_length` bytes; `length` is NULL or may
    /// be read and written; `output` is NULL or may be written for as many bytes as `*length` says.
    #[inline]
    pub(super) unsafe fn new(
        input: *const CK_BYTE,
        input_length: CK_ULONG,
        output: *mut CK_BYTE,
        length_place: *mut CK_ULONG,
    ) -> Result<Self> {
        if input.is_null() && input_length != 0 {
            return Err(NULL);
        }
        // SAFETY: the caller's promise.
        let room = unsafe { read(length_place) }?;
        Ok(Self {
            input,
            input_length: length(input_length)?,
            output,
            // More room than memory can have is as good as enough: no more than the result is ever written.
            room: usize::try_from(room).unwrap_or(usize::MAX).min(isize::MAX.unsigned_abs()),
            length: length_place,
            copy: Zeroizing::new(Vec::new()),
        })
    }

    /// The same without input, for the last call of an operation in parts.
    ///
    /// # Safety
    /// As [`Memory::new`].
    #[inline]
    pub(super) unsafe fn output_only(output: *mut CK_BYTE, length_place: *mut CK_ULONG) -> Result<Self> {
        // SAFETY: the caller's promise; NULL input of no length.
        unsafe { Self::new(ptr::null(), 0, output, length_place) }
    }
}

impl Transfer for Memory {
    #[inline]
    fn input_length(&self) -> usize {
        self.input_length
    }

    #[inline]
    fn room(&self) -> Option<usize> {
        (!self.output.is_null()).then_some(self.room)
    }

    #[inline]
    fn set_length(&mut self, length: usize) {
        // SAFETY: not NULL, since `new` read it; the caller lets it be written as long as `self` lives.
        unsafe { self.length.write_unaligned(length as CK_ULONG) };
    }

    #[inline]
    fn input(&self) -> &[u8] {
        if self.input_length == 0 {
            return &[];
        }
        // SAFETY: not NULL and not absurd (`new`), readable by the caller's word; the output cannot be written while
        // this borrow of `self` lives.
        unsafe { std::slice::from_raw_parts(self.input, self.input_length) }
    }

    #[inline]
    fn exchange(&mut self, need: usize) -> Exchange<'_> {
        let need = if self.output.is_null() { 0 } else { need.min(self.room) };
        let (input, output) = (self.input.addr(), self.output.addr());
        if need == 0 {
            return Exchange::Apart { input: self.input(), output: &mut [] };
        }
        if self.input_length == 0 {
            // SAFETY: not NULL, and writable for `need` bytes, which is at most the room.
            let output = unsafe { std::slice::from_raw_parts_mut(self.output, need) };
            return Exchange::Apart { input: &[], output };
        }
        if input == output {
            let length = need.max(self.input_length);
            // SAFETY: the input's bytes and the room start at this address, so the longer of the two may be used; no
            // other reference to them exists, since the borrow of `self` is exclusive.
            let buffer = unsafe { std::slice::from_raw_parts_mut(self.output, length) };
            return Exchange::InPlace { buffer, length: self.input_length };
        }
        // Checked with saturation: a range that would end behind the address space overlaps whatever lies there.
        let overlap = input < output.saturating_add(need) && output < input.saturating_add(self.input_length);
        if overlap {
            self.copy = Zeroizing::new(self.input().to_vec());
            // SAFETY: as above; the input that the exchange holds is our own copy.
            let output = unsafe { std::slice::from_raw_parts_mut(self.output, need) };
            return Exchange::Apart { input: &self.copy, output };
        }
        // SAFETY: two ranges that share no byte, one readable and one writable by the caller's word, for as long as the
        // exclusive borrow of `self`.
        let (input, output) = unsafe {
            (
                std::slice::from_raw_parts(self.input, self.input_length),
                std::slice::from_raw_parts_mut(self.output, need),
            )
        };
        Exchange::Apart { input, output }
    }

    #[inline]
    fn deliver(&mut self, result: &[u8]) {
        if !self.output.is_null() && result.len() <= self.room {
            // SAFETY: writable for the room; `copy`, because `result` may have been made of the same memory.
            unsafe { ptr::copy(result.as_ptr(), self.output, result.len()) };
        }
        self.set_length(result.len());
    }
}
