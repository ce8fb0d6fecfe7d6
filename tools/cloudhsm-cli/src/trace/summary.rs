//! What a trace comes to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::read::{Call, Trace};

/// Calls by function, failures by function and return value, and the slowest, each with the most first.
pub(super) fn of(trace: &Trace, slowest: usize) -> Value {
    let processes: BTreeSet<u64> = trace.calls.iter().map(|call| call.process).collect();
    json!({
        "calls": trace.calls.len(),
        "processes": processes.len(),
        "other_lines": trace.other_lines,
        "functions": functions(&trace.calls),
        "failures": failures(&trace.calls),
        "slowest": slow(&trace.calls, slowest),
    })
}

fn failed(call: &Call) -> bool {
    call.result != "CKR_OK"
}

#[allow(clippy::cast_precision_loss, reason = "a time for people")]
fn microseconds(nanoseconds: u64) -> Value {
    Value::from(nanoseconds as f64 / 1000.0)
}

fn functions(calls: &[Call]) -> Vec<Value> {
    let mut by_function: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        by_function.entry(&call.function).or_default().push(call);
    }
    let mut rows: Vec<(u64, Value)> = Vec::new();
    for (function, calls) in by_function {
        let mut took: Vec<u64> = calls.iter().map(|call| call.nanoseconds).collect();
        took.sort_unstable();
        let total = took.iter().fold(0_u64, |sum, took| sum.saturating_add(*took));
        let at = |place: usize| microseconds(took.get(place).copied().unwrap_or_default());
        rows.push((
            total,
            json!({
                "function": function,
                "calls": calls.len(),
                "failures": calls.iter().filter(|call| failed(call)).count(),
                "total_us": microseconds(total),
                "median_us": at(took.len() / 2),
                "longest_us": at(took.len() - 1),
            }),
        ));
    }
    rows.sort_by_key(|(total, _)| std::cmp::Reverse(*total));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn failures(calls: &[Call]) -> Vec<Value> {
    let mut by_code: BTreeMap<(&str, &str), Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| failed(call)) {
        by_code.entry((&call.function, &call.result)).or_default().push(call);
    }
    let mut rows: Vec<_> = by_code.into_iter().collect();
    rows.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.len()));
    let row = |((function, result), calls): ((&str, &str), Vec<&Call>)| {
        let mut row = Map::new();
        row.insert("function".to_owned(), function.into());
        row.insert("result".to_owned(), result.into());
        row.insert("calls".to_owned(), calls.len().into());
        if let Some(last) = calls.last() {
            row.insert("last_line".to_owned(), last.line.into());
        }
        if let Some(why) = calls.iter().rev().find_map(|call| call.why.as_deref()) {
            row.insert("why".to_owned(), why.into());
        }
        if let Some(cure) = calls.iter().rev().find_map(|call| call.what_to_do.as_deref()) {
            row.insert("what_to_do".to_owned(), cure.into());
        }
        Value::Object(row)
    };
    rows.into_iter().map(row).collect()
}

fn slow(calls: &[Call], most: usize) -> Vec<Value> {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.nanoseconds));
    let row = |call: &Call| {
        json!({
            "line": call.line,
            "function": call.function,
            "result": call.result,
            "us": microseconds(call.nanoseconds),
        })
    };
    calls.into_iter().take(most).map(row).collect()
}
