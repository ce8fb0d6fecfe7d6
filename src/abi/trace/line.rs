//! The line of a call: an object of JSON, or text for people.

use std::borrow::Cow;
use std::time::Duration;

use base::ck::cure::{self, Failure};
use base::ck::{CK_RV, names};
use platform::process;
use serde_json::{Map, Value};

use super::show::Extent;
use super::{Call, show};

/// The most bytes that a pipe takes from one writer without those of another in between (POSIX, `PIPE_BUF` of Linux).
const LONGEST: usize = 4096;

/// What a line says beside its arguments.
struct Ending {
    result: Cow<'static, str>,
    nanoseconds: u64,
    /// Why the call failed, and what to do about it; empty if it did not, or if there is nothing to say.
    why: String,
    what_to_do: String,
}

/// The line, or in text the line and below it why the call failed and what to do, each ended.
pub(super) fn of(call: &Call, rv: CK_RV, took: Duration, text: bool, profile: &str) -> String {
    let result = names::name(rv);
    let ending = Ending {
        nanoseconds: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        why: one_line(&call.why),
        what_to_do: cure::of(Failure { result: &result, function: call.function, why: &call.why, dialect: profile })
            .unwrap_or_default(),
        result,
    };
    let in_extent = |extent| {
        let arguments = show::arguments(call.function, &call.arguments, rv, extent);
        if text { as_text(call, &arguments, &ending) } else { as_json(call, arguments, &ending) }
    };
    let whole = in_extent(Extent::Whole);
    if whole.len() <= LONGEST { whole } else { in_extent(Extent::Counts) }
}

/// The longest reason that is shown, in characters: with all that JSON escapes a line of counts still fits.
const LONGEST_REASON: usize = 600;

/// A message is one line, whatever a path or a label in it holds.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST_REASON).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text in quotes, in which no character controls a terminal: JSON leaves those above U+007E as they are.
fn quoted(text: &Value) -> String {
    let mut made = String::new();
    for c in text.to_string().chars() {
        if c.is_control() {
            made.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            made.push(c);
        }
    }
    made
}

/// Seconds since 1970 with six digits behind the point.
fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

fn as_json(call: &Call, arguments: Vec<(&'static str, Value)>, ending: &Ending) -> String {
    // Written one after the other, so that a reader finds time and function first; each value is made by the JSON library.
    let mut line = format!(
        r#"{{"time":{},"pid":{},"thread":{},"function":{},"arguments":{{"#,
        seconds(call.begun_us),
        process::pid(),
        process::thread_id(),
        Value::from(call.function)
    );
    for (at, (name, value)) in arguments.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        line.push_str(&format!("{comma}{}:{}", Value::from(name), quoted(&value)));
    }
    let Ending { result, nanoseconds, why, what_to_do } = ending;
    line.push_str(&format!(r#"}},"result":{},"nanoseconds":{nanoseconds}"#, Value::from(result.as_ref())));
    for (name, text) in [("why", why), ("what_to_do", what_to_do)] {
        if !text.is_empty() {
            line.push_str(&format!(r#","{name}":{}"#, Value::from(text.as_str())));
        }
    }
    line.push_str("}\n");
    line
}

fn as_text(call: &Call, arguments: &[(&'static str, Value)], ending: &Ending) -> String {
    let mut line = format!("{} {}/{} {}(", seconds(call.begun_us), process::pid(), process::thread_id(), call.function);
    for (at, (name, value)) in arguments.iter().enumerate() {
        line.push_str(if at == 0 { "" } else { ", " });
        line.push_str(&format!("{name}="));
        push(&mut line, value);
    }
    let Ending { result, nanoseconds, why, what_to_do } = ending;
    line.push_str(&format!(") = {result}, {}.{:03} us\n", nanoseconds / 1000, nanoseconds % 1000));
    for (before, text) in [("", why), ("-> ", what_to_do)] {
        if !text.is_empty() {
            line.push_str(&format!("    {before}{text}\n"));
        }
    }
    line
}

/// A value as people read it.
fn push(line: &mut String, value: &Value) {
    match value {
        Value::Null => line.push_str("NULL"),
        Value::String(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => line.push_str(text),
        Value::Array(values) => {
            line.push('[');
            for (at, value) in values.iter().enumerate() {
                line.push_str(if at == 0 { "" } else { ", " });
                push(line, value);
            }
            line.push(']');
        }
        Value::Object(members) => match (members.get("type"), members.get("before"), members.get("after")) {
            (Some(name), ..) => push_object(line, name, members),
            (None, Some(before), Some(after)) => line.push_str(&format!("{before}->{after}")),
            _ => line.push_str(&value.to_string()),
        },
        other => line.push_str(&quoted(other)),
    }
}

/// An attribute with its value or length, a mechanism with the length of its parameter.
fn push_object(line: &mut String, name: &Value, members: &Map<String, Value>) {
    push(line, name);
    if let Some(value) = members.get("value") {
        line.push('=');
        // What the program has written stands in quotes, so that a label NULL is not a pointer.
        match value.as_str() {
            Some(text) if !text.starts_with("CK") => line.push_str(&quoted(value)),
            _ => push(line, value),
        }
    } else if let Some(length) = members.get("length") {
        line.push_str(&format!(" {length} bytes"));
    } else if let Some(length) = members.get("parameter_length") {
        line.push_str(&format!(" with {length} bytes"));
    }
}
