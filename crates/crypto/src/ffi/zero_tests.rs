//! Looks at the memory of dropped values: what held key material must hold none any more, whichever library's type it
//! was. Stands under `ffi` because only here may a test read such memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::mem::ManuallyDrop;
use std::slice;

use super::*;
use crate::aes::AesKey;
use crate::cmac::Cmac;
use crate::testing::message;

/// The bytes of `value` before and after it is dropped, in words of eight.
fn around_drop<T>(value: T) -> (Vec<u64>, Vec<u64>) {
    let mut value = ManuallyDrop::new(value);
    let start: *const u64 = (&raw const value).cast();
    let read = || -> Vec<u64> {
        // SAFETY: `value` is alive as memory throughout, and the words are read within its size and one at a time as
        // volatile, so that the compiler takes them as the machine has them (padding included).
        (0..size_of::<T>() / 8).map(|index| unsafe { start.add(index).read_volatile() }).collect()
    };
    assert!(align_of::<T>() >= 8);
    let before = read();
    // SAFETY: dropped once, and used afterwards as memory only.
    unsafe { ManuallyDrop::drop(&mut value) };
    (before, read())
}

/// Words that survived. Small numbers are tags, lengths and CPU features.
fn survivors((before, after): &(Vec<u64>, Vec<u64>)) -> usize {
    before.iter().zip(after).filter(|(before, after)| before == after && **before > 0xFFFF_FFFF).count()
}

fn digest_is_wiped<D: sha2::Digest>() {
    let mut state = D::new();
    state.update(message(200));
    let around = around_drop(state);
    assert!(around.0.iter().filter(|word| **word > 0xFFFF_FFFF).count() >= 3);
    assert_eq!(survivors(&around), 0);
}

fn hmac_is_wiped<D: hmac::EagerHash>() {
    let mut state = <hmac::Hmac<D> as hmac::KeyInit>::new_from_slice(&message(40)).unwrap();
    assert_eq!(survivors(&around_drop(state.clone())), 0);
    hmac::Mac::update(&mut state, &message(200));
    assert_eq!(survivors(&around_drop(state)), 0);
}

#[test]
fn running_digests_and_hmac_keys_are_wiped() {
    // The libraries' types and not our enums, which have stale stack behind their smaller variants.
    digest_is_wiped::<sha1::Sha1>();
    digest_is_wiped::<sha2::Sha224>();
    digest_is_wiped::<sha2::Sha256>();
    digest_is_wiped::<sha2::Sha384>();
    digest_is_wiped::<sha2::Sha512>();
    hmac_is_wiped::<sha1::Sha1>();
    hmac_is_wiped::<sha2::Sha224>();
    hmac_is_wiped::<sha2::Sha256>();
    hmac_is_wiped::<sha2::Sha384>();
    hmac_is_wiped::<sha2::Sha512>();
}

fn aes_is_wiped<C: aes::cipher::KeyInit>(rounds: usize) {
    let key = message(C::key_size());
    let (mut before, mut after) = around_drop(C::new_from_slice(&key).unwrap());
    // Both schedules come first; behind them is room that only the software implementation uses.
    let words = 2 * 2 * (rounds + 1);
    before.truncate(words);
    after.truncate(words);
    assert!(before.iter().filter(|word| **word > 0xFFFF_FFFF).count() > words - 4);
    assert_eq!(survivors(&(before, after)), 0);
}

#[test]
fn aes_keys_and_macs_are_wiped() {
    aes_is_wiped::<aes::Aes128>(10);
    aes_is_wiped::<aes::Aes192>(12);
    aes_is_wiped::<aes::Aes256>(14);
    let key = AesKey::new(&message(16)).unwrap();
    let mut state = Cmac::default();
    state.update(&key, &message(40)).unwrap();
    assert_eq!(survivors(&around_drop(state)), 0);
}

#[test]
fn prepared_contexts_of_aws_lc_are_wiped() {
    let context = Context::new(&message(32)).unwrap();
    let mut prepared = ManuallyDrop::new(*context.0);
    let bytes = |prepared: &ManuallyDrop<Prepared>| {
        // SAFETY: the structure was zeroed as a whole before it was filled, and cleansed as a whole afterwards.
        unsafe { slice::from_raw_parts((&raw const *prepared).cast::<u8>(), size_of::<Prepared>()) }.to_vec()
    };
    assert!(bytes(&prepared).windows(16).any(|window| window == &message(32)[..16]));
    // SAFETY: dropped once, and used afterwards as memory only.
    unsafe { ManuallyDrop::drop(&mut prepared) };
    assert!(bytes(&prepared).iter().all(|byte| *byte == 0));
    assert!(crate::ffi::aes::wiped_when_dropped(&message(32)));
    assert!(crate::ffi::des::wiped_when_dropped(&message(24).try_into().unwrap()));
}
