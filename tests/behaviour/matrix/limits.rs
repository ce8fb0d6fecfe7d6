//! The largest inputs of AWS's dialect: exactly so much works, a byte more is CKR_DATA_LEN_RANGE; `standard` has no limit.
//!
//! User Guide, pkcs11-mechanisms, has the numbers; the code, and that the limit is one of each call, are ours.

use super::crossings::begins;
use super::functions::{Caller, Function};
use super::keys::Kind;
use super::parameters::{Form, right_for as rights};
use super::report::Report;
use super::table::{Line, Parts, Setting};
use crate::support::*;

pub(super) fn largest(report: &mut Report, caller: &Caller<'_>, line: &Line, setting: Setting) {
    let Some(kind) = line.keys.iter().map(|key| key.value).find(|kind| kind.exists(setting)) else { return };
    let Some(number) = line.has_limit_at_aws() else {
        return without_limit(report, caller, line, kind, setting);
    };
    let is_limited = line.largest(setting).is_some();
    let main = if line.serves(setting, Function::Sign) { Function::Sign } else { Function::Encrypt };
    for (at, parameter) in rights(main, line.form(setting), line.hash(), setting).iter().enumerate() {
        // Ed25519ph is hashed outside the HSM and has no limit.
        let limited = is_limited && !parameter.name.starts_with("Ed25519ph");
        let case = Case { caller, line, kind, setting, at, name: &parameter.name, number, limited };
        if line.serves(setting, Function::Sign) {
            case.signatures(report);
        } else {
            case.ciphers(report);
        }
    }
}

/// Whole blocks, and more than any limit. For hashed data the page of known issues has a limit of 64 KiB, the page of
/// mechanisms says that there is none, which holds here.
const LONG: usize = 100_000;

/// What has no limit in the table and takes data of any length.
fn without_limit(report: &mut Report, caller: &Caller<'_>, line: &Line, kind: Kind, setting: Setting) {
    if line.terms(setting).parts.value != Parts::Many {
        return;
    }
    let session = caller.session();
    let data = vec![3; LONG];
    for function in [Function::Encrypt, Function::Sign].into_iter().filter(|function| line.serves(setting, *function)) {
        let all = rights(function, line.form(setting), line.hash(), setting);
        let Some(parameter) = all.into_iter().next() else { continue };
        let mut mechanism = parameter.mechanism(line.number);
        let key = caller.keys.whole(kind, function.half(kind));
        let made = match function {
            Function::Encrypt => session.encrypt(&mut mechanism, key, &data),
            // A signature of ML-DSA-87 has 4627 bytes.
            _ => session.sign_init(&mut mechanism, key).and_then(|()| session.sign_into(&data, 5000)),
        };
        let expected = begins(line, function, setting);
        report.expect_code("largest", format!("{} {function:?} of {LONG} bytes", line.name), expected, rv(&made));
    }
}

/// One mechanism with one parameter.
struct Case<'a> {
    caller: &'a Caller<'a>,
    line: &'a Line,
    kind: Kind,
    setting: Setting,
    /// Which of the right parameters, and its name.
    at: usize,
    name: &'a str,
    number: usize,
    limited: bool,
}

impl Case<'_> {
    fn key(&self, function: Function) -> CK_OBJECT_HANDLE {
        self.caller.keys.whole(self.kind, function.half(self.kind))
    }

    /// Made anew for each use: the IV that the HSM makes is written into it.
    fn parameter(&self) -> Parameter {
        let main = if self.line.serves(self.setting, Function::Sign) { Function::Sign } else { Function::Encrypt };
        rights(main, self.line.form(self.setting), self.line.hash(), self.setting).swap_remove(self.at)
    }

    fn what(&self, call: &str, length: usize) -> String {
        format!("{} {call} of {length} bytes, {}", self.line.name, self.name)
    }

    fn over(&self) -> CK_RV {
        if self.limited { CKR_DATA_LEN_RANGE } else { CKR_OK }
    }

    fn has_parts(&self) -> bool {
        match self.line.terms(self.setting).parts.value {
            Parts::Many => true,
            Parts::Prehashed => self.name.starts_with("Ed25519ph"),
            Parts::One | Parts::None => false,
        }
    }

    fn signatures(&self, report: &mut Report) {
        let parameter = self.parameter();
        let mut mechanism = parameter.mechanism(self.line.number);
        let (sign, verify) = (self.key(Function::Sign), self.key(Function::Verify));
        let mut last = Vec::new();
        for (length, expected) in [(self.number, CKR_OK), (self.number + 1, self.over())] {
            let session = self.caller.session();
            let data = vec![3; length];
            let signature = session.sign(&mut mechanism, sign, &data);
            report.expect_code("largest", self.what("C_Sign", length), expected, rv(&signature));
            last = signature.unwrap_or(last);
            let verified = session.verify(&mut mechanism, verify, &data, &last);
            report.expect_code("largest", self.what("C_Verify", length), expected, rv(&verified));
            if !self.has_parts() {
                continue;
            }
            // Per call: two parts of the limit are more than the limit.
            if let Err(refused) = session.sign_init(&mut mechanism, sign) {
                report.expect_code("largest", self.what("C_SignInit", length), CKR_OK, refused);
                continue;
            }
            let (first, second) = (session.sign_update(&data), session.sign_update(&data));
            report.expect_code("largest", self.what("C_SignUpdate", length), expected, rv(&first));
            if expected == CKR_OK {
                report.expect_code("largest", self.what("a second C_SignUpdate", length), CKR_OK, rv(&second));
                let end = session.sign_final(1024);
                report.expect_code("largest", self.what("C_SignFinal after two parts", length), CKR_OK, rv(&end));
            }
            self.caller.renew();
        }
    }

    fn ciphers(&self, report: &mut Report) {
        let key = self.key(Function::Encrypt);
        let block = match self.line.form(self.setting) {
            Form::Iv16 => 16,
            Form::Iv8 => 8,
            _ => 1,
        };
        let serves = |function| self.line.serves(self.setting, function);
        for (length, expected) in [(self.number, CKR_OK), (self.number + block, self.over())] {
            let session = self.caller.session();
            let data = vec![3; length];
            let mut cipher = None;
            // One mechanism for both ways: the IV that was made stands in it.
            let parameter = self.parameter();
            let mut mechanism = parameter.mechanism(self.line.number);
            if serves(Function::Encrypt) {
                let made = session.encrypt(&mut mechanism, key, &data);
                report.expect_code("largest", self.what("C_Encrypt", length), expected, rv(&made));
                cipher = made.ok();
                if block > 1 && expected != CKR_OK {
                    let odd = session.encrypt(&mut mechanism, key, &data[..=self.number]);
                    report.expect_code(
                        "largest",
                        self.what("C_Encrypt", self.number + 1),
                        CKR_DATA_LEN_RANGE,
                        rv(&odd),
                    );
                }
            }
            if serves(Function::Decrypt) {
                // Something that is longer than what the HSM can have made: the length is all that is looked at.
                let overhead = match self.line.form(self.setting) {
                    Form::GcmNull => 28,
                    Form::GcmZeroed | Form::Gcm => 16,
                    _ => 0,
                };
                let back = match cipher {
                    Some(cipher) => session.decrypt(&mut mechanism, key, &cipher),
                    None => session.decrypt(&mut mechanism, key, &vec![3; length + overhead]),
                };
                report.expect_code("largest", self.what("C_Decrypt", length), expected, rv(&back));
            }
            if !self.has_parts() {
                continue;
            }
            for function in [Function::Encrypt, Function::Decrypt].into_iter().filter(|function| serves(*function)) {
                let Some(way) = function.way() else { continue };
                let parameter = self.parameter();
                let mut mechanism = parameter.mechanism(self.line.number);
                let session = self.caller.session();
                if let Err(refused) = session.begin(way, &mut mechanism, key) {
                    report.expect_code("largest", self.what("C_...Init", length), CKR_OK, refused);
                    continue;
                }
                let part = session.update_into(way, &data, length + 64);
                let what = self.what(&format!("C_{function:?}Update"), length);
                report.expect_code("largest", what, expected, rv(&part));
                if expected == CKR_OK {
                    let second = session.update_into(way, &data, length + 64);
                    let what = self.what(&format!("a second C_{function:?}Update"), length);
                    report.expect_code("largest", what, CKR_OK, rv(&second));
                    // The tag of what was made up is wrong; ending it is all that is wanted.
                    drop(session.final_into(way, 2 * length + 64));
                }
                self.caller.renew();
            }
        }
    }
}

fn rv<T>(answer: &Answer<T>) -> Rv {
    answer.as_ref().map_or_else(|rv| *rv, |_| Rv(CKR_OK))
}
