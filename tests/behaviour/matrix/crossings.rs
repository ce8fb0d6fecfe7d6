//! The crossings of a line: what is right works, and each thing that is wrong has its own code.

use super::functions::{Caller, Extra, Function};
use super::keys::{Half, Kind};
use super::parameters::{Form, right_for as rights, wrong as wrongs};
use super::report::Report;
use super::table::{Line, Parts, Setting};
use crate::support::*;

/// The kinds of keys of a line that exist in a setting.
fn kinds(line: &Line, setting: Setting) -> Vec<Kind> {
    line.keys.iter().map(|key| key.value).filter(|kind| kind.exists(setting)).collect()
}

/// The right key for a function; any for those that take none.
fn right_key(caller: &Caller<'_>, line: &Line, function: Function, setting: Setting) -> CK_OBJECT_HANDLE {
    match kinds(line, setting).first() {
        Some(kind) if function.attribute().is_some() => caller.keys.for_function(*kind, function),
        _ => 0,
    }
}

/// The plainest right parameter of a line for a function.
fn plain(line: &Line, function: Function, setting: Setting) -> Parameter {
    let form = line.form(setting);
    // A function that the line does not serve is called with what another would take.
    let all = [function, Function::Sign].map(|function| rights(function, form, line.hash(), setting));
    all.into_iter().flatten().next().expect("a right parameter")
}

/// What a function says to the right key, which is P-256 for an elliptic curve, and the right parameter.
pub(super) fn begins(line: &Line, function: Function, setting: Setting) -> CK_RV {
    let is_ecdsa = line.name.starts_with("CKM_ECDSA_");
    let is_short = matches!(line.hash(), Some(CKM_SHA_1 | CKM_SHA224));
    if setting.fips && is_ecdsa && is_short && function == Function::Sign {
        CKR_MECHANISM_INVALID // `fips.rs` has the rule and crosses all curves with all digests.
    } else {
        CKR_OK
    }
}

/// What a line serves with some parameter.
fn served(line: &Line, setting: Setting) -> Vec<Function> {
    let mut uses = line.uses(setting).value;
    uses.retain(|function| !rights(*function, line.form(setting), line.hash(), setting).is_empty());
    uses
}

/// Every right key with every right parameter.
pub(super) fn right(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    for function in served(line, setting) {
        if function.attribute().is_none() {
            for kind in if line.keys.is_empty() { vec![Kind::Aes] } else { kinds(line, setting) } {
                let parameter = plain(line, function, setting);
                let mut mechanism = parameter.mechanism(line.number);
                let rv = caller.call_for(kind, function, &mut mechanism, 0, &mut caller.extra());
                report.expect_code("right", format!("{} {function:?} {kind:?}", line.name), CKR_OK, rv);
            }
            continue;
        }
        for (at, kind) in kinds(line, setting).into_iter().enumerate() {
            let key = caller.keys.for_function(kind, function);
            let all = rights(function, line.form(setting), line.hash(), setting);
            // The other kinds of key with the plainest parameter alone: CMAC for example wants an AES key.
            for parameter in all.iter().take(if at == 0 { all.len() } else { 1 }) {
                let mut extra = caller.extra();
                let mut mechanism = parameter.mechanism(line.number);
                let mut expected = begins(line, function, setting);
                if function == Function::Unwrap && served(line, setting).contains(&Function::Wrap) {
                    let wrapping = caller.keys.for_function(kind, Function::Wrap);
                    caller.call(line, Function::Wrap, &mut mechanism, wrapping, &mut extra);
                } else if function == Function::Unwrap {
                    // R7: under the caller's IV a key comes in and none goes out. What is no wrapped key is told so.
                    // With a tag of 96 bits it has the length of no AES key.
                    let by_length = parameter.name == "an IV of 16";
                    expected = if by_length { CKR_WRAPPED_KEY_LEN_RANGE } else { CKR_WRAPPED_KEY_INVALID };
                }
                let rv = caller.call(line, function, &mut mechanism, key, &mut extra);
                let what = format!("{} {function:?} {kind:?}, {}", line.name, parameter.name);
                report.expect_code("right", what, expected, rv);
            }
        }
    }
}

/// Each function that the line does not serve.
pub(super) fn wrong_functions(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    let source = line.uses(setting).source;
    for function in Function::ALL.into_iter().filter(|function| !line.serves(setting, *function)) {
        let key = match right_key(caller, line, function, setting) {
            0 => caller.keys.whole(Kind::Aes, Half::Secret),
            key => key,
        };
        let parameter = plain(line, function, setting);
        let mut mechanism = parameter.mechanism(line.number);
        let rv = caller.call(line, function, &mut mechanism, key, &mut caller.extra());
        let what = format!("{} {function:?}", line.name);
        report.expect_cell("wrong function", what, source, Rv(CKR_MECHANISM_INVALID), rv);
    }
}

/// Numbers that are no mechanism of any profile.
pub(super) fn unknown_mechanisms(report: &mut Report, caller: &Caller<'_>) {
    let aes = caller.keys.whole(Kind::Aes, Half::Secret);
    // 0x210A is CKM_AES_KEY_WRAP_PAD, which AWS tells its users to replace and 3.x has deprecated.
    for number in [CKM_MD5, CKM_MD5_HMAC, CKM_AES_MAC, CKM_AES_XTS, 0x210A, 0x7777_7777, 0x8000_8000, CK_ULONG::MAX] {
        for function in Function::ALL {
            let mut mechanism = Mechanism::new(number);
            let rv = caller.call_for(Kind::Aes, function, &mut mechanism, aes, &mut caller.extra());
            report.expect_code("wrong function", format!("{number:#x} {function:?}"), CKR_MECHANISM_INVALID, rv);
        }
        let mut information = CK_MECHANISM_INFO::default();
        let rv = Rv(call!(C_GetMechanismInfo(SLOT, number, &raw mut information)));
        report.expect_code("information", format!("{number:#x}"), CKR_MECHANISM_INVALID, rv);
    }
}

/// Keys of each other kind, the other half of a pair, keys without the flag, and handles of no key.
pub(super) fn wrong_keys(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    for function in served(line, setting) {
        let Some(attribute) = function.attribute() else { continue };
        let mut call = |subject, what: String, key, expected| {
            let parameter = plain(line, function, setting);
            let mut mechanism = parameter.mechanism(line.number);
            let rv = caller.call(line, function, &mut mechanism, key, &mut caller.extra());
            report.expect_code(subject, format!("{} {function:?}: {what}", line.name), expected, rv);
        };
        for kind in Kind::ALL.into_iter().filter(|kind| kind.exists(setting)) {
            let is_right = kinds(line, setting).contains(&kind);
            for half in kind.halves() {
                if is_right && *half == function.half(kind) {
                    let key = caller.keys.without(kind, function, attribute);
                    let what = format!("{kind:?} {half:?} without the flag");
                    call("wrong flag", what, key, CKR_KEY_FUNCTION_NOT_PERMITTED);
                } else {
                    let key = caller.keys.whole(kind, *half);
                    call("wrong key type", format!("{kind:?} {half:?}"), key, function.wrong_kind());
                }
            }
        }
        let Some(kind) = kinds(line, setting).first().copied() else { continue };
        let gone = caller.keys.destroyed(kind, function.half(kind));
        for (what, key) in [("no handle", 0), ("a destroyed key", gone), ("a handle of nothing", CK_ULONG::MAX - 5)] {
            call("invalid handle", what.to_owned(), key, function.wrong_handle());
        }
        if function != Function::Wrap {
            continue;
        }
        let key = caller.keys.for_function(kind, function);
        for (what, payload) in [("no handle", 0), ("a destroyed key", caller.keys.destroyed(Kind::Aes, Half::Secret))] {
            let mut extra = Extra { payload, wrapped: Vec::new() };
            let parameter = plain(line, function, setting);
            let mut mechanism = parameter.mechanism(line.number);
            let rv = caller.call(line, function, &mut mechanism, key, &mut extra);
            let what = format!("{} wraps {what}", line.name);
            report.expect_code("invalid handle", what, CKR_KEY_HANDLE_INVALID, rv);
        }
    }
}

/// Each length that is not right, NULL with a length, and what is wrong inside.
pub(super) fn wrong_parameters(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    for function in line.uses(setting).value {
        let form = line.form(setting);
        let right = form.lengths();
        let longest = right.iter().max().copied().unwrap_or_default();
        // The structure with the most fields, so that each length has what belongs to its bytes.
        let full = || {
            let mut all = rights(function, form, line.hash(), setting);
            all.extend(rights(Function::Unwrap, form, line.hash(), setting));
            all.sort_by_key(|parameter| parameter.bytes.len());
            all.pop().expect("a right parameter")
        };
        let mut all: Vec<_> = (0..=longest + 8)
            .filter(|length| !right.contains(length))
            .map(|length| if length == 0 { Parameter::none() } else { full().of_length(length) })
            .collect();
        all.extend(right.iter().filter(|length| **length > 0).map(|length| Parameter::null(*length)));
        all.extend([1, 8, longest + 1].map(Parameter::null));
        all.push(Parameter::null(usize::MAX));
        all.extend(wrongs(form, line.hash(), function, setting));
        let key = right_key(caller, line, function, setting);
        for parameter in all {
            let mut mechanism = parameter.mechanism(line.number);
            let rv = caller.call(line, function, &mut mechanism, key, &mut caller.extra());
            let what = format!("{} {function:?}: {}", line.name, parameter.name);
            report.expect_code("wrong parameter", what, CKR_MECHANISM_PARAM_INVALID, rv);
        }
    }
}

/// C_...Update, where the mechanism has parts and where it has none.
pub(super) fn parts(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    let parts = &line.terms(setting).parts;
    if parts.value == Parts::None {
        return;
    }
    for function in served(line, setting) {
        if matches!(function, Function::Wrap | Function::Unwrap) {
            continue;
        }
        for parameter in rights(function, line.form(setting), line.hash(), setting) {
            // User Guide, ki-pkcs11-sdk, has this code for AES-GCM; for the others it is ours.
            let expected = match parts.value {
                Parts::Many => CKR_OK,
                Parts::Prehashed if parameter.name.starts_with("Ed25519ph") => CKR_OK,
                _ => CKR_MECHANISM_INVALID,
            };
            let mut mechanism = parameter.mechanism(line.number);
            let key = right_key(caller, line, function, setting);
            let session = caller.session();
            let raw = mechanism.raw();
            let begun = match function {
                Function::Encrypt => call!(C_EncryptInit(session.0, raw, key)),
                Function::Decrypt => call!(C_DecryptInit(session.0, raw, key)),
                Function::Digest => call!(C_DigestInit(session.0, raw)),
                Function::Sign => call!(C_SignInit(session.0, raw, key)),
                _ => call!(C_VerifyInit(session.0, raw, key)),
            };
            let begins = begins(line, function, setting);
            report.expect_code("parts", format!("{} {function:?}Init", line.name), begins, Rv(begun));
            if begins != CKR_OK {
                break;
            }
            let (mut data, mut room, mut length) = ([0; 16], [0; 64], 64);
            let part = data.as_mut_ptr();
            let rv = match function {
                Function::Encrypt => call!(C_EncryptUpdate(session.0, part, 16, room.as_mut_ptr(), &raw mut length)),
                Function::Decrypt => call!(C_DecryptUpdate(session.0, part, 16, room.as_mut_ptr(), &raw mut length)),
                Function::Digest => call!(C_DigestUpdate(session.0, part, 16)),
                Function::Sign => call!(C_SignUpdate(session.0, part, 16)),
                _ => call!(C_VerifyUpdate(session.0, part, 16)),
            };
            caller.renew();
            let what = format!("{} {function:?}Update, {}", line.name, parameter.name);
            report.expect_cell("parts", what, parts.source, Rv(expected), Rv(rv));
            if line.form(setting) == Form::None {
                break;
            }
        }
    }
}
