//! The lines of a trace, in either form, among lines of the log.

use std::io::{self, BufRead};

use serde_json::Value;

/// What is asked of a call.
#[derive(Clone)]
pub(super) struct Call {
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) process: u64,
    pub(super) function: String,
    pub(super) result: String,
    pub(super) nanoseconds: u64,
    pub(super) why: Option<String>,
    pub(super) what_to_do: Option<String>,
}

/// A trace that was read.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) calls: Vec<Call>,
    /// Lines of the log, or cut off.
    pub(super) other_lines: u64,
}

/// Reads a trace to its end.
pub(super) fn all(mut lines: impl BufRead) -> io::Result<Trace> {
    let mut trace = Trace::default();
    let (mut bytes, mut number, mut just_failed) = (Vec::new(), 0, false);
    loop {
        bytes.clear();
        if lines.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(trace);
        }
        number += 1;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\n');
        if let Some(call) = of_json(text, number) {
            trace.calls.push(call);
            just_failed = false;
            continue;
        }
        if let Some(call) = of_text(text, number) {
            just_failed = call.result != "CKR_OK";
            trace.calls.push(call);
            continue;
        }
        // In text the lines below a call that failed say why, and what to do.
        match (text.strip_prefix("    "), trace.calls.last_mut()) {
            (Some(below), Some(call)) if just_failed => {
                if let Some(cure) = below.strip_prefix("-> ") {
                    call.what_to_do = Some(cure.to_owned());
                    just_failed = false;
                } else {
                    call.why = Some(below.to_owned());
                }
            }
            _ => {
                trace.other_lines += 1;
                just_failed = false;
            }
        }
    }
}

fn of_json(text: &str, line: u64) -> Option<Call> {
    if !text.starts_with('{') {
        return None;
    }
    let object: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| object.get(name).and_then(Value::as_u64);
    Some(Call {
        line,
        process: number("pid")?,
        function: word("function")?,
        result: word("result")?,
        nanoseconds: number("nanoseconds")?,
        why: word("why"),
        what_to_do: word("what_to_do"),
    })
}

/// `SECONDS PROCESS/THREAD FUNCTION(ARGUMENTS) = RESULT, MICROSECONDS us`.
fn of_text(text: &str, line: u64) -> Option<Call> {
    let (time, rest) = text.split_once(' ')?;
    time.parse::<f64>().ok()?;
    let (who, rest) = rest.split_once(' ')?;
    let (process, thread) = who.split_once('/')?;
    thread.parse::<u64>().ok()?;
    let (function, rest) = rest.split_once('(')?;
    // The last one: a label can hold anything.
    let (_, outcome) = rest.rsplit_once(") = ")?;
    let (result, took) = outcome.strip_suffix(" us")?.rsplit_once(", ")?;
    let (whole, thousandths) = took.split_once('.')?;
    let microseconds: u64 = whole.parse().ok()?;
    Some(Call {
        line,
        process: process.parse().ok()?,
        function: function.to_owned(),
        result: result.to_owned(),
        nanoseconds: microseconds.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)?,
        why: None,
        what_to_do: None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// docs/tracing.md.
    const TEXT: &str = "\
cloudhsm-pkcs11[12] warn: C_Login: CKR_PIN_LOCKED: ...
1795914647.610461 12/14 C_Login(hSession=8388608, userType=CKU_USER, pPin=set, ulPinLen=7) = CKR_PIN_INCORRECT, 224223.078 us
    no such user with that PIN
    -> the PIN is user:password
1795914648.000000 12/12 C_FindObjectsInit(hSession=1, pTemplate=[CKA_LABEL=\"x) = CKR_OK, 1.000 us\"], ulCount=1) = CKR_OK, 0.250 us
    a line of the program's
1795914648.000000 12/12 C_Sign(hSess";
    const JSON: &str = r#"
{"time":1795914648.5,"pid":7,"thread":8,"function":"C_Sign","arguments":{"hSession":1},"result":"CKR_OK","nanoseconds":712}
{"time":1795914648.5,"pid":7,"thread":8,"function":"C_Login","arguments":{},"result":"CKR_PIN_LOCKED","nanoseconds":9,"why":"x","what_to_do":"y"}
{"time":1795914648.5,"pid":7,"#;

    /// Line, process, function, result, nanoseconds, reason and what to do.
    type Parts = (u64, u64, String, String, u64, Option<String>, Option<String>);

    fn calls(text: &str) -> (Vec<Parts>, u64) {
        let trace = all(text.as_bytes()).unwrap();
        let parts = |call: Call| {
            (call.line, call.process, call.function, call.result, call.nanoseconds, call.why, call.what_to_do)
        };
        (trace.calls.into_iter().map(parts).collect(), trace.other_lines)
    }

    fn call(line: u64, process: u64, function: &str, result: &str, took: u64, why: Option<(&str, &str)>) -> Parts {
        let (why, cure) = why.map(|(why, cure)| (why.to_owned(), cure.to_owned())).unzip();
        (line, process, function.to_owned(), result.to_owned(), took, why, cure)
    }

    #[test]
    fn both_forms_and_what_is_neither() {
        let (read, others) = calls(TEXT);
        let why = Some(("no such user with that PIN", "the PIN is user:password"));
        assert_eq!(read[0], call(2, 12, "C_Login", "CKR_PIN_INCORRECT", 224_223_078, why));
        assert_eq!(read[1], call(5, 12, "C_FindObjectsInit", "CKR_OK", 250, None));
        assert_eq!((read.len(), others), (2, 3));
        let (read, others) = calls(JSON);
        assert_eq!(
            read,
            [call(2, 7, "C_Sign", "CKR_OK", 712, None), call(3, 7, "C_Login", "CKR_PIN_LOCKED", 9, Some(("x", "y")))]
        );
        assert_eq!(others, 2);
        assert!(all(&[0xff, b'{', b'\n', b'{'][..]).unwrap().calls.is_empty());
    }
}
