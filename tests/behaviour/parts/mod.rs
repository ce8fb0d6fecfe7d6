//! Operations in parts: wherever a message is split, the result is that of one call; a question about a length and a buffer
//! that is too small tell the need and end nothing, at whatever call (PKCS#11 3.2, section 5.2).

mod ciphers;
mod digests;
mod signatures;
mod wrapping;

use crate::support::*;

/// The message, and the part of it that is whole blocks.
fn message(length: usize) -> Vec<u8> {
    (0..length).map(|byte| byte as u8).collect()
}

/// A mechanism whose parameter can be had again and again.
struct Subject {
    number: CK_MECHANISM_TYPE,
    parameter: Parameter,
}

impl Subject {
    fn plain(number: CK_MECHANISM_TYPE) -> Self {
        Self { number, parameter: Parameter::none() }
    }

    fn mechanism(&self) -> Mechanism<'_> {
        self.parameter.mechanism(self.number)
    }

    fn name(&self) -> String {
        format!("{:#x} ({})", self.number, self.parameter.name)
    }
}

/// Splits of a message: the lengths of all parts but the last. Two parts at every place; three parts, empty ones among
/// them; a byte at a time, and other steps.
fn splits(length: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<_> = (0..=length).map(|at| vec![at]).collect();
    for first in [0, 1, 15, 16, 17, 32, length] {
        for second in [0, 1, 8, 15, 16, 17, 31] {
            if first + second <= length {
                all.push(vec![first, second]);
            }
        }
    }
    all.extend([1, 3, 7, 8, 15, 16, 17, 31].map(|step| vec![step; length / step]));
    all.push([vec![0; 3], vec![1, 0, 0, 5, 0]].concat());
    all
}

/// A message in these parts, the rest as the last.
fn parts<'a>(message: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = message;
    let mut all = Vec::new();
    for length in lengths {
        let (part, more) = rest.split_at(*length);
        all.push(part);
        rest = more;
    }
    all.push(rest);
    all
}

/// A call with an output buffer.
type Call<'a> = dyn FnMut(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV + 'a;

/// The buffer rule, before the call that ends the matter: a question tells the need, and so does each buffer that is too
/// small, whose bytes stay what they were.
///
/// What a question tells may exceed the need by `more` bytes: "this number may somewhat exceed the precise number of bytes
/// needed, but should not exceed it by a large amount". A buffer that is too small always tells the precise number.
fn told_and_too_small(what: &str, need: usize, more: usize, call: &mut Call<'_>) {
    let mut told = 7777;
    let rv = call(std::ptr::null_mut(), &raw mut told);
    assert_eq!(Rv(rv), Rv(CKR_OK), "{what}: a question");
    let told = told as usize;
    assert!((need..=need + more).contains(&told), "{what}: {told} is told, {need} is the need");
    if need == 0 {
        return;
    }
    for room in [0, need - 1] {
        let mut buffer = vec![0xA5; need + 64];
        let mut length = room as CK_ULONG;
        let rv = call(buffer.as_mut_ptr(), &raw mut length);
        assert_eq!((Rv(rv), length as usize), (Rv(CKR_BUFFER_TOO_SMALL), need), "{what}: room for {room}");
        assert!(buffer.iter().all(|byte| *byte == 0xA5), "{what}: something was written");
    }
}

/// The call itself, with room for exactly so much.
fn exactly(what: &str, need: usize, call: &mut Call<'_>) -> Vec<u8> {
    let written = into_buffer(need, call);
    let written = written.unwrap_or_else(|rv| panic!("{what}: {rv:?} with room for {need}"));
    assert_eq!(written.len(), need, "{what}");
    written
}

/// Both.
fn whole_rule(what: &str, need: usize, more: usize, call: &mut Call<'_>) -> Vec<u8> {
    told_and_too_small(what, need, more, call);
    exactly(what, need, call)
}
