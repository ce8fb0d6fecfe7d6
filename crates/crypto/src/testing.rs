//! What the tests of this layer share: hexadecimal, the message of SP 800-38A, and a message in every two parts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use base::exchange::Exchange;

/// The four-block plaintext of SP 800-38A and SP 800-38B.
pub(super) const NIST_TEXT: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                                    30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
/// The keys of SP 800-38A and SP 800-38B, of 128, 192 and 256 bits.
pub(super) const NIST_KEYS: [&str; 3] = [
    "2b7e151628aed2a6abf7158809cf4f3c",
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
];

/// Bytes from hexadecimal, blanks ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit.try_into().unwrap()).collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A message without a pattern that a mistake could hide in.
pub(super) fn message(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 167 + index / 256 * 13 + 29) % 256).unwrap()).collect()
}

/// Every way to cut a message of `length` bytes into two parts, and one into single bytes.
pub(super) fn cuts(length: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..=length).map(move |first| vec![first, length - first]).chain([vec![1; length]])
}

/// Runs `transform` on `input` apart and in place, with some room to spare, and checks that both give the same, that
/// the input stays when apart, and that nothing behind the result is written.
pub(super) fn both_ways(input: &[u8], mut transform: impl FnMut(Exchange<'_>)) -> Vec<u8> {
    let mut output = vec![0xEE; input.len() + 5];
    let mut buffer = [input, &[0xEE; 5]].concat();
    transform(Exchange::Apart { input, output: &mut output });
    transform(Exchange::InPlace { buffer: &mut buffer, length: input.len() });
    assert_eq!(output, buffer);
    assert_eq!(output.split_off(input.len()), [0xEE; 5]);
    output
}
