//! The caller's input and the place for the output, as safe Rust sees them.
//!
//! Encryption in place (output = input) is usual in PKCS#11 and two overlapping Rust slices are undefined
//! behaviour, so `abi` sorts the caller's two ranges once: either they are apart, or they start at the same
//! byte and only the output exists as a slice. (A partial overlap never gets here: `abi` copies that input.)
//! Everything below `abi` works on this type in safe code.

/// Input and output of one call of a cipher.
pub enum Exchange<'a> {
    /// Two ranges that share no byte.
    Apart {
        /// What is to be transformed.
        input: &'a [u8],
        /// Where the result goes; at least as long as the operation needs.
        output: &'a mut [u8],
    },
    /// The input is the first `length` bytes of the output.
    InPlace {
        /// Input and then output; at least as long as the operation needs.
        buffer: &'a mut [u8],
        /// Bytes of input at the front of `buffer`.
        length: usize,
    },
}

impl<'a> Exchange<'a> {
    /// The bytes that go in.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        match self {
            Self::Apart { input, .. } => input,
            Self::InPlace { buffer, length } => buffer.get(..*length).unwrap_or_default(),
        }
    }

    /// The room for what comes out.
    #[must_use]
    pub fn room(&self) -> usize {
        match self {
            Self::Apart { output, .. } => output.len(),
            Self::InPlace { buffer, .. } => buffer.len(),
        }
    }

    /// The whole output range. In place, this is the input too, so read first.
    pub fn output(&mut self) -> &mut [u8] {
        match self {
            Self::Apart { output, .. } => output,
            Self::InPlace { buffer, .. } => buffer,
        }
    }

    /// The first `count` bytes of input and output, to be transformed byte for byte.
    /// `None` if the input or the room is shorter.
    pub fn front(&mut self, count: usize) -> Option<Exchange<'_>> {
        match self {
            Self::Apart { input, output } => {
                Some(Exchange::Apart { input: input.get(..count)?, output: output.get_mut(..count)? })
            }
            Self::InPlace { buffer, length } => {
                if count > *length {
                    return None;
                }
                Some(Exchange::InPlace { buffer: buffer.get_mut(..count)?, length: count })
            }
        }
    }

    /// Splits off what lies behind the first `count` bytes of input and of output.
    /// `None` if the input or the room is shorter.
    #[must_use]
    pub fn split(self, count: usize) -> Option<(Self, Self)> {
        match self {
            Self::Apart { input, output } => {
                let (input_front, input_back) = input.split_at_checked(count)?;
                let (output_front, output_back) = output.split_at_mut_checked(count)?;
                Some((
                    Exchange::Apart { input: input_front, output: output_front },
                    Exchange::Apart { input: input_back, output: output_back },
                ))
            }
            Self::InPlace { buffer, length } => {
                let rest = length.checked_sub(count)?;
                let (front, back) = buffer.split_at_mut_checked(count)?;
                Some((
                    Exchange::InPlace { buffer: front, length: count },
                    Exchange::InPlace { buffer: back, length: rest },
                ))
            }
        }
    }
}

/// One call's data as `cryptoki` sees it: input that can be read, and room for output that may be the same memory.
///
/// Implemented by `abi` over the caller's pointers. The borrows make misuse impossible: the input cannot be held while
/// the output is written.
pub trait Transfer {
    /// Bytes of input.
    fn input_length(&self) -> usize;
    /// Bytes of room; nothing if the caller gave no buffer and only asks for the length.
    fn room(&self) -> Option<usize>;
    /// Tells the caller how long the output is or must be.
    fn set_length(&mut self, length: usize);
    /// The input.
    fn input(&self) -> &[u8];
    /// Input and output together. The output is `need` bytes long, or as long as the room if that is less: a caller may
    /// claim more room than it has, and no more than the result is ever touched.
    fn exchange(&mut self, need: usize) -> Exchange<'_>;
    /// Copies a result to the caller, which must fit in the room, and tells its length.
    fn deliver(&mut self, result: &[u8]);
}
