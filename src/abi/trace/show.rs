//! What the trace shows of an argument.
//!
//! Memory of the caller's is read only where the call has read or written it: not at all after a call that was refused before
//! it looked, an answer only if there is one, a template as far as the first attribute that is refused. Values are shown of
//! attributes that name or describe an object, in templates that the caller made: what stands in the memory for an answer may
//! be anything. And nothing is followed that the call itself may have written over.

use base::ck::{self, CK_ATTRIBUTE, CK_MECHANISM, CK_RV, CK_ULONG, CK_UNAVAILABLE_INFORMATION, names};
use hsm::mechanism;
use hsm::object::attribute::{self, ValueKind};
use serde_json::{Map, Value, json};

use super::super::memory;
use super::super::template::Array;
use super::argument::{Argument, Passed};

/// Attributes or handles of one argument that are shown; of more only how many there are.
const MOST: usize = 64;
/// The longest label or id that is shown, in bytes.
const LONGEST: CK_ULONG = 256;
/// The largest number that every reader of JSON takes as it stands: above, a double has gaps.
const LARGEST: CK_ULONG = 1 << 53;

/// How much of a line is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// Of lists only how many entries they have.
    Counts,
}

/// What has become of a call, as far as it says which memory the call has looked at.
struct Outcome<'a> {
    function: &'a str,
    all: &'a [Argument],
    rv: CK_RV,
    extent: Extent,
    /// Whether a template has been refused: then those behind it were not looked at.
    refused: bool,
}

/// The arguments of a call that has ended with `rv`, by their names and in their order.
pub(super) fn arguments(function: &str, all: &[Argument], rv: CK_RV, extent: Extent) -> Vec<(&'static str, Value)> {
    let mut outcome = Outcome { function, all, rv, extent, refused: false };
    let mut rest = all;
    let mut shown = Vec::with_capacity(all.len());
    while let Some((argument, behind)) = rest.split_first() {
        shown.push((argument.name, outcome.one(argument, behind)));
        rest = behind;
    }
    shown
}

impl Outcome<'_> {
    /// Whether the call has looked at what it was given. What was refused as an argument need not be what it should be, and
    /// what is not there has no contract.
    fn has_read(&self) -> bool {
        !matches!(
            self.rv,
            ck::CKR_ARGUMENTS_BAD
                | ck::CKR_FUNCTION_NOT_SUPPORTED
                | ck::CKR_CRYPTOKI_NOT_INITIALIZED
                | ck::CKR_FIPS_SELF_TEST_FAILED
                | ck::CKR_GENERAL_ERROR
        )
    }

    /// Whether the call has written the lengths of its answer (PKCS#11 3.2 section 5.2).
    fn has_told(&self) -> bool {
        matches!(self.rv, ck::CKR_OK | ck::CKR_BUFFER_TOO_SMALL)
    }

    /// Whether C_GetAttributeValue has gone through its array (PKCS#11 3.2 section 5.7.5).
    fn has_filled(&self) -> bool {
        self.has_told() || matches!(self.rv, ck::CKR_ATTRIBUTE_SENSITIVE | ck::CKR_ATTRIBUTE_TYPE_INVALID)
    }

    /// One argument; those behind it tell how long an array is.
    fn one(&mut self, argument: &Argument, behind: &[Argument]) -> Value {
        let count = behind.first().and_then(Argument::number).unwrap_or(0);
        match argument.passed {
            Passed::Number(number) => scalar(argument.kind, number),
            Passed::Pointer(place) if place.is_null() => Value::Null,
            Passed::Pointer(_) if !self.has_read() => memory_there(),
            Passed::Pointer(_) => match argument.kind {
                "*mut CK_MECHANISM" => mechanism(argument),
                "*mut CK_ATTRIBUTE" if self.function == "C_GetAttributeValue" && !self.has_filled() => memory_there(),
                "*mut CK_ATTRIBUTE" if self.refused => memory_there(),
                "*mut CK_ATTRIBUTE" => self.template(argument, count),
                "*mut CK_ULONG" if self.has_told() => length(argument),
                "*mut CK_ULONG" => argument.before.map_or_else(memory_there, number),
                "*mut CK_SESSION_HANDLE" | "*mut CK_OBJECT_HANDLE" if self.rv == ck::CKR_OK => match behind {
                    [most, found, ..] if found.kind == "*mut CK_ULONG" => handles(argument, most, found, self.extent),
                    _ => read::<CK_ULONG>(argument).map_or_else(memory_there, number),
                },
                _ => memory_there(),
            },
        }
    }

    /// The attributes of a template as far as the call has looked at them, with the values that name and describe if the
    /// caller has put them there.
    fn template(&mut self, first: &Argument, count: CK_ULONG) -> Value {
        let Some(place) = first.place::<CK_ATTRIBUTE>() else { return Value::Null };
        let counted = json!({ "attributes": number(count) });
        let Ok(entries) = usize::try_from(count) else { return counted };
        let made_by_caller = self.function != "C_GetAttributeValue";
        let mut taken = 0;
        if made_by_caller {
            let array = Array::new(place.cast_mut(), count).ok().filter(|_| !self.written_over(first, entries));
            // SAFETY: by the contract of the function an array, at which it has looked as this does.
            taken = array.map_or(0, |array| unsafe { array.taken() });
            self.refused = taken < entries;
            if array.is_none() {
                return counted;
            }
        }
        if self.extent == Extent::Counts || entries > MOST {
            return counted;
        }
        // Of the entry that is refused the type and the length were read.
        let seen = if made_by_caller { entries.min(taken + 1) } else { entries };
        // SAFETY: so many entries the function has read; they are few, and each is read unaligned.
        let shown = (0..seen).filter_map(|at| Some((at, unsafe { memory::read_optional(place.add(at)) }?)));
        Value::Array(shown.map(|(at, entry)| attribute(&entry, at < taken)).collect())
    }

    /// Whether another argument points into this array, so that the call may have changed where its values are.
    fn written_over(&self, array: &Argument, entries: usize) -> bool {
        let Some(first) = array.place::<u8>() else { return true };
        let end = first.addr().saturating_add(entries.saturating_mul(size_of::<CK_ATTRIBUTE>()));
        let others = self.all.iter().filter(|argument| !std::ptr::eq(*argument, array));
        let mut places = others.filter_map(Argument::place::<u8>).map(<*const u8>::addr);
        places.any(|place| place < end && first.addr() < place.saturating_add(size_of::<CK_ULONG>()))
    }
}

/// A pointer that is not NULL.
fn memory_there() -> Value {
    Value::from("set")
}

/// A number that JSON can carry, or its digits.
fn number(number: CK_ULONG) -> Value {
    if number < LARGEST { Value::from(number) } else { Value::from(format!("{number:#x}")) }
}

fn scalar(kind: &str, value: CK_ULONG) -> Value {
    match kind {
        // Neither of the two: the number says more.
        "CK_BBOOL" if value <= 1 => Value::from(value == 1),
        "CK_FLAGS" | "CK_SLOT_ID" => Value::from(format!("{value:#x}")),
        "CK_MECHANISM_TYPE" => mechanism_name(value),
        "CK_USER_TYPE" => Value::from(names::user_type(value)),
        _ => number(value),
    }
}

fn mechanism_name(id: CK_ULONG) -> Value {
    mechanism::find(id).map_or_else(|| Value::from(format!("CK_MECHANISM_TYPE {id:#x}")), |row| Value::from(row.name))
}

/// What stands behind a pointer that the function reads or has written.
fn read<T: Copy>(argument: &Argument) -> Option<T> {
    // SAFETY: by the contract of the function NULL or what the list of functions says; read unaligned, by value.
    argument.place::<T>().and_then(|place| unsafe { memory::read_optional(place) })
}

fn mechanism(argument: &Argument) -> Value {
    read::<CK_MECHANISM>(argument).map_or(Value::Null, |mechanism| {
        json!({ "type": mechanism_name(mechanism.mechanism), "parameter_length": number(mechanism.ulParameterLen) })
    })
}

/// A length that may have changed: the room that the caller named, and what was written there.
fn length(argument: &Argument) -> Value {
    match (argument.before, read::<CK_ULONG>(argument)) {
        (Some(before), Some(after)) if before != after => json!({ "before": number(before), "after": number(after) }),
        (_, Some(after)) => number(after),
        (_, None) => Value::Null,
    }
}

/// As many handles as were found, of those that were asked for.
fn handles(first: &Argument, most: &Argument, found: &Argument, extent: Extent) -> Value {
    let found = read::<CK_ULONG>(found).unwrap_or(0).min(most.number().unwrap_or(0));
    if extent == Extent::Counts {
        return json!({ "handles": number(found) });
    }
    let Some(place) = first.place::<CK_ULONG>() else { return Value::Null };
    // SAFETY: the function has just written so many handles from this place on, and MOST is far below what usize holds.
    let shown = (0..usize::try_from(found).unwrap_or(MOST).min(MOST))
        .filter_map(|at| unsafe { memory::read_optional(place.add(at)) });
    Value::Array(shown.map(number).collect())
}

fn attribute(entry: &CK_ATTRIBUTE, with_value: bool) -> Value {
    let mut shown = Map::new();
    shown.insert("type".to_owned(), attribute::name(entry.type_).into());
    let length =
        if entry.ulValueLen == CK_UNAVAILABLE_INFORMATION { Value::from(-1) } else { number(entry.ulValueLen) };
    shown.insert("length".to_owned(), length);
    if with_value && let Some(value) = value(entry) {
        shown.insert("value".to_owned(), value);
    }
    Value::Object(shown)
}

/// The value of an attribute that is no secret of anybody's: flags, numbers, labels and the id.
fn value(entry: &CK_ATTRIBUTE) -> Option<Value> {
    let row = attribute::describe(entry.type_)?;
    let wanted = match row.kind {
        ValueKind::Bool => 1,
        ValueKind::Number => size_of::<CK_ULONG>() as CK_ULONG,
        ValueKind::Text => entry.ulValueLen,
        ValueKind::Bytes if entry.type_ == ck::CKA_ID => entry.ulValueLen,
        _ => return None,
    };
    if entry.ulValueLen != wanted || wanted > LONGEST {
        return None;
    }
    // SAFETY: NULL or as many bytes as the length says, by the contract of templates; the length is small.
    let bytes = unsafe { memory::input(entry.pValue.cast_const().cast(), entry.ulValueLen) }.ok()?;
    match row.kind {
        ValueKind::Bool => bytes.first().map(|flag| Value::from(*flag != 0)),
        ValueKind::Number => {
            let value = CK_ULONG::from_ne_bytes(bytes.try_into().ok()?);
            Some(match entry.type_ {
                ck::CKA_CLASS => Value::from(names::class(value)),
                ck::CKA_KEY_TYPE => Value::from(names::key_type(value)),
                _ => number(value),
            })
        }
        ValueKind::Text => Some(std::str::from_utf8(bytes).map_or_else(|_| hexadecimal(bytes), Value::from)),
        _ => Some(hexadecimal(bytes)),
    }
}

fn hexadecimal(bytes: &[u8]) -> Value {
    Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
