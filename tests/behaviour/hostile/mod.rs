//! Hostile arguments: every function with every argument replaced in turn, and the exact answer.
//!
//! The calls go through the exported symbols as plain words, as a C program with a mistake makes them. What is asked of
//! the library (PKCS#11 3.2 section 5.1.6: CKR_ARGUMENTS_BAD, and the handle codes): no crash, the right code, and no
//! memory of the size that a caller claims. Each call has a process of its own in the long form (`sweep`).

mod argument;
mod sweep;
mod table;

use std::ffi::c_void;

use argument::Expected;
use sweep::{Cases, sweep};
use table::Function;

use crate::support::*;

/// Calls a symbol with up to nine words.
pub(super) fn call_words(name: &str, words: &[usize]) -> CK_RV {
    type Any = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize, usize) -> CK_RV;
    let mut all = [0; 9];
    all[..words.len()].copy_from_slice(words);
    let [a, b, c, d, e, f, g, h, i] = all;
    // SAFETY: every argument of a C function is one word on the platforms built for, and words too many do no harm. The
    // pointers are good or wrong on purpose.
    unsafe {
        let function: libloading::Symbol<'_, Any> = library().get(name.as_bytes()).unwrap();
        function(a, b, c, d, e, f, g, h, i)
    }
}

/// The words of the arguments of a call that works.
fn good_words(function: &Function, session: Session) -> Vec<Vec<usize>> {
    function.arguments.iter().map(|argument| argument.good(session)).collect()
}

#[test]
fn every_argument_of_every_function() {
    staged(|stage, test| {
        let one_at_a_time = |cases: &mut Cases, table: &[Function]| {
            for function in table {
                let good = |session| good_words(function, session).concat();
                cases.call(function, "the good call", &good, Expected::AsGood);
                for (at, argument) in function.arguments.iter().enumerate() {
                    for (number, (name, _, expected)) in argument.hostile(cases.keeper()).into_iter().enumerate() {
                        let words = |session: Session| {
                            let mut all = good_words(function, session);
                            all[at] = argument.hostile(session)[number].1.clone();
                            all.concat()
                        };
                        cases.call(function, &format!("argument {}: {name}", at + 1), &words, expected);
                    }
                }
            }
        };
        if let Some(outcome) = sweep(stage, test, one_at_a_time, &["off", "text", "json"]) {
            outcome.check();
        }
    });
}

/// Two wrong arguments at once: which of the two is named is the library's to choose, but it names one and lives.
#[test]
fn every_two_arguments_of_every_function() {
    staged(|stage, test| {
        if let Some(outcome) = sweep(stage, test, two_at_a_time, &["off"]) {
            outcome.check();
        }
    });
}

fn two_at_a_time(cases: &mut Cases, table: &[Function]) {
    for function in table {
        for (first, one) in function.arguments.iter().enumerate() {
            for (second, other) in function.arguments.iter().enumerate().skip(first + 1) {
                let (ones, others) = (one.hostile(cases.keeper()), other.hostile(cases.keeper()));
                for (a, (name, ..)) in ones.iter().enumerate() {
                    for (b, (with, ..)) in others.iter().enumerate() {
                        let words = |session: Session| {
                            let mut all = good_words(function, session);
                            all[first] = one.hostile(session)[a].1.clone();
                            all[second] = other.hostile(session)[b].1.clone();
                            all.concat()
                        };
                        let what = format!("arguments {} and {}: {name}, {with}", first + 1, second + 1);
                        cases.call(function, &what, &words, Expected::Anything);
                    }
                }
            }
        }
    }
}

/// The control: calls that kill their process, or answer wrongly, are told by name, and those after them are still made.
#[test]
fn a_death_is_told() {
    staged(|stage, test| {
        let planted = |cases: &mut Cases, table: &[Function]| {
            let [information, random] =
                ["C_GetInfo", "C_GenerateRandom"].map(|name| table.iter().find(|function| function.name == name));
            let (information, random) = (information.unwrap(), random.unwrap());
            let good = |function| move |session| good_words(function, session).concat();
            cases.call(information, "before", &good(information), Expected::AsGood);
            // Memory that is not there, which no library can find out.
            cases.call(random, "a wild pointer", &|session| vec![session.0 as usize, 8, 32], Expected::Anything);
            cases.call(information, "between", &good(information), Expected::Code(CKR_ARGUMENTS_BAD));
            cases.call(random, "a wild pointer again", &|session| vec![session.0 as usize, 8, 32], Expected::Anything);
            cases.call(random, "after", &good(random), Expected::AsGood);
        };
        if let Some(outcome) = sweep(stage, test, planted, &["off"]) {
            assert_eq!(outcome.calls, 5);
            let [first, second] = &outcome.deaths[..] else { panic!("{:?}", outcome.deaths) };
            assert!(first.starts_with("C_GenerateRandom: a wild pointer: "), "{first}");
            assert!(second.starts_with("C_GenerateRandom: a wild pointer again: "), "{second}");
            let [wrong] = &outcome.wrong[..] else { panic!("{:?}", outcome.wrong) };
            assert!(wrong.starts_with("C_GetInfo: between: "), "{wrong}");
        }
    });
}

/// The functions of 3.0 and 3.2 beyond those of 2.40: with any argument they answer, and nothing crashes.
#[test]
fn newer_functions_with_any_argument() {
    isolated(|| {
        let session = hsm();
        let names = [
            "C_LoginUser",
            "C_SessionCancel",
            "C_MessageEncryptInit",
            "C_EncryptMessage",
            "C_EncryptMessageBegin",
            "C_EncryptMessageNext",
            "C_MessageEncryptFinal",
            "C_MessageDecryptInit",
            "C_DecryptMessage",
            "C_DecryptMessageBegin",
            "C_DecryptMessageNext",
            "C_MessageDecryptFinal",
            "C_MessageSignInit",
            "C_SignMessage",
            "C_SignMessageBegin",
            "C_SignMessageNext",
            "C_MessageSignFinal",
            "C_MessageVerifyInit",
            "C_VerifyMessage",
            "C_VerifyMessageBegin",
            "C_VerifyMessageNext",
            "C_MessageVerifyFinal",
            "C_EncapsulateKey",
            "C_DecapsulateKey",
            "C_VerifySignatureInit",
            "C_VerifySignature",
            "C_VerifySignatureUpdate",
            "C_VerifySignatureFinal",
            "C_GetSessionValidationFlags",
            "C_AsyncComplete",
            "C_AsyncGetID",
            "C_AsyncJoin",
            "C_WrapKeyAuthenticated",
            "C_UnwrapKeyAuthenticated",
            "C_WaitForSlotEvent",
            "C_WrapKey",
            "C_UnwrapKey",
            "C_DeriveKey",
        ];
        for name in names {
            // SAFETY: only whether it is there.
            let there = unsafe { library().get::<*const c_void>(name.as_bytes()) }.is_ok();
            assert!(there, "{name} is not exported");
            for words in [[0; 9], [usize::MAX, 0, 0, 0, 0, 0, 0, 0, 0], [session.0 as usize, 0, 0, 0, 0, 0, 0, 0, 0]] {
                let rv = Rv(call_words(name, &words));
                assert_ne!(rv, Rv(CKR_GENERAL_ERROR), "{name}");
                if !["C_SessionCancel", "C_WaitForSlotEvent", "C_GetSessionValidationFlags"].contains(&name) {
                    assert_ne!(rv, Rv(CKR_OK), "{name}");
                }
            }
        }
    });
}
