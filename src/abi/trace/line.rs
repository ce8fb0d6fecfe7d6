//! The line of a call: an object of JSON, or text for people.

use std::time::Duration;

use serde_json::{Map, Value};

use super::show::Extent;
use super::{Call, show};
use crate::ck::{CK_RV, names};
use crate::platform::process;

/// The most bytes that a pipe takes from one writer without those of another in between (POSIX, `PIPE_BUF` of Linux).
const LONGEST: usize = 4096;

/// The line, or in text the line and below it why the call failed, each ended.
pub(super) fn of(call: &Call, rv: CK_RV, took: Duration, text: bool) -> String {
    let whole = in_extent(call, rv, took, text, Extent::Whole);
    if whole.len() <= LONGEST { whole } else { in_extent(call, rv, took, text, Extent::Counts) }
}

fn in_extent(call: &Call, rv: CK_RV, took: Duration, text: bool, extent: Extent) -> String {
    let arguments = show::arguments(call.function, &call.arguments, rv, extent);
    let why = one_line(&call.why);
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    if text {
        as_text(call, &arguments, &names::name(rv), took, &why)
    } else {
        as_json(call, arguments, &names::name(rv), took, why)
    }
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

fn as_json(call: &Call, arguments: Vec<(&'static str, Value)>, result: &str, took: u64, why: String) -> String {
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
    line.push_str(&format!(r#"}},"result":{},"nanoseconds":{took}"#, Value::from(result)));
    if !why.is_empty() {
        line.push_str(&format!(r#","why":{}"#, Value::from(why)));
    }
    line.push_str("}\n");
    line
}

fn as_text(call: &Call, arguments: &[(&'static str, Value)], result: &str, took: u64, why: &str) -> String {
    let mut line = format!("{} {}/{} {}(", seconds(call.begun_us), process::pid(), process::thread_id(), call.function);
    for (at, (name, value)) in arguments.iter().enumerate() {
        line.push_str(if at == 0 { "" } else { ", " });
        line.push_str(&format!("{name}="));
        push(&mut line, value);
    }
    line.push_str(&format!(") = {result}, {}.{:03} us\n", took / 1000, took % 1000));
    if !why.is_empty() {
        line.push_str(&format!("    {why}\n"));
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
