//! The trace: each call with its arguments, result and time, as OpenSC's pkcs11-spy has it, without a library in between.
//!
//! What it shows of an argument follows from its type in the list of functions. It never shows a PIN, key material, input or
//! output: of memory only lengths, of a template what names and describes the object ([`show`]). While it is off, a call pays
//! one look at a number.

mod argument;
mod line;
mod show;

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

pub(super) use argument::Argument;

use crate::ck::CK_RV;
use crate::config::Trace;
use crate::error::Result;
use crate::log::{self, Place};
use crate::platform::process;

static FORM: AtomicU8 = AtomicU8::new(Trace::Off as u8);
static PLACE: Place = Place::new();
static OWN_PLACE: AtomicBool = AtomicBool::new(false);

/// Sets form and destination, at C_Initialize; without a file the trace goes where the log goes.
///
/// # Errors
/// CKR_FUNCTION_FAILED if the file cannot be opened for appending.
pub(super) fn configure(form: Trace, file: Option<&Path>) -> Result<()> {
    if form != Trace::Off {
        PLACE.set("trace_file", file)?;
        OWN_PLACE.store(file.is_some(), Ordering::Release);
    }
    FORM.store(form as u8, Ordering::Relaxed);
    Ok(())
}

/// Whether calls are traced.
#[inline]
pub(super) fn on() -> bool {
    FORM.load(Ordering::Relaxed) != Trace::Off as u8
}

/// A call that has begun.
pub(super) struct Call {
    function: &'static str,
    arguments: Box<[Argument]>,
    why: RefCell<String>,
    begun_us: u64,
    begun: Instant,
}

/// Notes that a call begins.
#[cold]
pub(super) fn note<const N: usize>(function: &'static str, arguments: [Argument; N]) -> Box<Call> {
    Box::new(Call {
        function,
        arguments: Box::new(arguments),
        why: RefCell::default(),
        begun_us: process::wall_clock_us(),
        begun: Instant::now(),
    })
}

impl Call {
    /// Says why the call fails.
    pub(super) fn because(&self, why: &str) {
        why.clone_into(&mut self.why.borrow_mut());
    }

    /// Writes the line of the call, which has ended with this result. Whatever goes wrong here, the caller gets his result.
    #[cold]
    pub(super) fn end(&self, rv: CK_RV) {
        let took = self.begun.elapsed();
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let text = FORM.load(Ordering::Relaxed) != Trace::Json as u8;
            let place = if OWN_PLACE.load(Ordering::Acquire) { &PLACE } else { log::place() };
            place.write(line::of(self, rv, took, text).as_bytes());
        }));
        // As in `call`: dropping what a panic carries may panic again.
        std::mem::forget(written);
    }
}
