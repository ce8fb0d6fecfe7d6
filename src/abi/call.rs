//! What happens around every function: is there a library, no panic leaves, the error becomes a `CK_RV` and a log line, and
//! the trace gets its line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use base::ck::{self, CK_RV};
use base::error::{Error, Result};
use base::injection;
use hsm::config::LogLevel;
use hsm::log;
use platform::cancellation::Uncancelled;

use super::lifecycle;
use super::trace::{self, Argument};
use crate::cryptoki::Library;

/// Runs a function that works without C_Initialize. `arguments` are for the trace.
pub(super) fn bare<const N: usize>(
    name: &'static str,
    arguments: impl FnOnce() -> [Argument; N],
    run: impl FnOnce() -> Result<()>,
) -> CK_RV {
    // C_Initialize is noted even while there is no trace, because it is what begins one.
    let noted = trace::on() || name == "C_Initialize";
    if noted {
        trace::begin(name, arguments(), false);
    }
    let rv = guarded(name, false, run);
    if noted {
        trace::end(name, rv);
    }
    rv
}

/// How the names of the functions begin that are called by the thousand. They look after cancellation only where they wait, which is
/// in the store, the log and the locks: to switch it off and on takes as long as a third of the quickest of them.
const QUICK: [&str; 11] = [
    "C_Sign",
    "C_Verify",
    "C_Encrypt",
    "C_Decrypt",
    "C_Digest",
    "C_Find",
    "C_GetAttributeValue",
    "C_GetSessionInfo",
    "C_GenerateRandom",
    "C_OpenSession",
    "C_CloseSession",
];

/// Whether a function is one of the quick ones; asked by the compiler alone.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated when the library is built, where an index out of range is an error"
)]
pub(super) const fn is_quick(name: &str) -> bool {
    let mut row = 0;
    while row < QUICK.len() {
        let start = QUICK[row].as_bytes();
        let mut at = 0;
        while at < start.len() && at < name.len() && name.as_bytes()[at] == start[at] {
            at += 1;
        }
        if at == start.len() {
            return true;
        }
        row += 1;
    }
    false
}

/// Runs a function of an initialized library.
#[inline]
pub(super) fn library<const N: usize>(
    name: &'static str,
    quick: bool,
    arguments: impl FnOnce() -> [Argument; N],
    run: impl FnOnce(&'static Library) -> Result<()>,
) -> CK_RV {
    if trace::on() {
        // Made here: handed over as they are, they would be kept in memory on the way without a trace, too.
        trace::begin(name, arguments(), lifecycle::current().is_some());
    }
    let rv = match lifecycle::current() {
        Some(library) => guarded(name, quick, || run(library)),
        None => lifecycle::why_not(),
    };
    // Asked again, not remembered: that is two instructions, and no register is kept through the call.
    if trace::on() {
        trace::end(name, rv);
    }
    rv
}

/// Runs a function so that no panic leaves it and, unless it is a quick one, so that its thread is not cancelled in it.
#[inline]
fn guarded(name: &'static str, quick: bool, run: impl FnOnce() -> Result<()>) -> CK_RV {
    let _whole = (!quick).then(Uncancelled::new);
    match catch_unwind(AssertUnwindSafe(|| plant(name).and_then(|()| run()))) {
        Ok(Ok(())) => succeeded(name),
        Ok(Err(error)) => failed(name, &error),
        Err(payload) => panicked(name, payload),
    }
}

/// A panic that a test has planted here.
#[inline]
#[allow(clippy::panic, reason = "it is what the test is about")]
fn plant(name: &'static str) -> Result<()> {
    if injection::hits("panic", name) {
        panic!("planted");
    }
    Ok(())
}

#[inline]
fn succeeded(name: &'static str) -> CK_RV {
    if log::enabled(LogLevel::Debug) {
        log::write(LogLevel::Debug, format_args!("{name}: CKR_OK"));
    }
    ck::CKR_OK
}

#[cold]
fn failed(name: &'static str, error: &Error) -> CK_RV {
    if trace::on() {
        trace::because(error.message());
    }
    let level = severity(name, error.rv());
    if log::enabled(level) {
        log::write(level, format_args!("{name}: {}: {error}", ck::names::name(error.rv())));
    }
    if error.rv() == ck::CKR_FIPS_SELF_TEST_FAILED {
        lifecycle::stop_for_good();
    }
    error.rv()
}

#[cold]
fn panicked(name: &'static str, payload: Box<dyn std::any::Any + Send>) -> CK_RV {
    const BUG: &str = "a bug in the library, please report it";
    log::write(LogLevel::Error, format_args!("{name}: CKR_GENERAL_ERROR: {BUG}"));
    if trace::on() {
        trace::because(BUG);
    }
    // Dropping the payload may panic again, and that would abort the host.
    std::mem::forget(payload);
    ck::CKR_GENERAL_ERROR
}

/// How loud an error is: what an operator must mend, what a developer wants explained, what is everyday life.
fn severity(name: &str, rv: CK_RV) -> LogLevel {
    match rv {
        // A program asks for interfaces that only some libraries have (NSS for its own): "no" is an answer, not a failure.
        ck::CKR_ARGUMENTS_BAD if name == "C_GetInterface" => LogLevel::Debug,
        ck::CKR_GENERAL_ERROR
        | ck::CKR_FIPS_SELF_TEST_FAILED
        | ck::CKR_DEVICE_ERROR
        | ck::CKR_DEVICE_MEMORY
        | ck::CKR_HOST_MEMORY => LogLevel::Error,
        ck::CKR_FUNCTION_FAILED
        | ck::CKR_USER_PIN_NOT_INITIALIZED
        | ck::CKR_PIN_LOCKED
        | ck::CKR_TEMPLATE_INCOMPLETE
        | ck::CKR_TEMPLATE_INCONSISTENT
        | ck::CKR_ATTRIBUTE_READ_ONLY
        | ck::CKR_ATTRIBUTE_VALUE_INVALID
        | ck::CKR_MECHANISM_PARAM_INVALID => LogLevel::Warn,
        _ => LogLevel::Info,
    }
}

/// Makes a panic one line in our log. The hook is that of the library's own copy of the standard library: the host's,
/// if it is written in Rust too, is another.
pub(super) fn install_panic_hook() {
    // No `Once`: one that another thread was inside of at a fork never ends in the child.
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        std::panic::set_hook(Box::new(|information| {
            log::write(LogLevel::Error, format_args!("{information}"));
        }));
    }
}
