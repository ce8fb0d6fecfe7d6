//! The trace: each call with its arguments, result and time, as OpenSC's pkcs11-spy has it, without a library in between.
//!
//! What it shows of an argument follows from its type in the list of functions. It never shows a PIN, key material, input or
//! output: of memory only lengths, of a template what names and describes the object ([`show`]). While it is off, a call pays
//! two looks at a number.

mod argument;
mod line;
mod show;

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

pub(super) use argument::Argument;

use base::ck::CK_RV;
use base::error::Result;
use hsm::config::{Dialect, Profile, Trace};
use hsm::log::{self, Place};
use platform::process;

static FORM: AtomicU8 = AtomicU8::new(Trace::Off as u8);
static PLACE: Place = Place::new();
static OWN_PLACE: AtomicBool = AtomicBool::new(false);
/// The profile's number.
static PROFILE: AtomicU8 = AtomicU8::new(0);

/// Sets form and destination, at C_Initialize; without a file the trace goes where the log goes. The dialect decides what can be done
/// about an error.
///
/// # Errors
/// CKR_FUNCTION_FAILED if the file cannot be opened for appending.
pub(super) fn configure(form: Trace, file: Option<&Path>, dialect: &Dialect) -> Result<()> {
    if form != Trace::Off {
        PROFILE.store(dialect.number(), Ordering::Relaxed);
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
struct Call {
    function: &'static str,
    arguments: Box<[Argument]>,
    why: String,
    begun_us: u64,
    begun: Instant,
}

thread_local! {
    /// The call that this thread is in: none calls another.
    static CALL: Cell<Option<Box<Call>>> = const { Cell::new(None) };
}

/// Notes that a call begins. `runs` says that there is a library to run it; what is refused for want of one looks at no
/// argument, and neither does the trace.
#[cold]
#[inline(never)]
pub(super) fn begin<const N: usize>(function: &'static str, mut arguments: [Argument; N], runs: bool) {
    guarded(|| {
        if runs {
            Argument::note_rooms(&mut arguments);
        }
        let call = Call {
            function,
            arguments: Box::new(arguments),
            why: String::new(),
            begun_us: process::wall_clock_us(),
            begun: Instant::now(),
        };
        put(Some(Box::new(call)));
    });
}

/// Says why the call of this thread fails.
pub(super) fn because(why: &str) {
    if let Some(mut call) = take() {
        why.clone_into(&mut call.why);
        put(Some(call));
    }
}

/// Writes the line of the call, which has ended with this result, if calls are traced by now.
#[cold]
#[inline(never)]
pub(super) fn end(function: &'static str, rv: CK_RV) {
    // None, or another one, if a C_Initialize has switched the trace on or off meanwhile.
    let Some(call) = take().filter(|call| on() && call.function == function) else { return };
    let took = call.begun.elapsed();
    guarded(|| {
        let text = FORM.load(Ordering::Relaxed) != Trace::Json as u8;
        let place = if OWN_PLACE.load(Ordering::Acquire) { &PLACE } else { log::place() };
        let profile = Profile::name_of(PROFILE.load(Ordering::Relaxed));
        place.write(line::of(&call, rv, took, text, profile).as_bytes());
    });
}

/// A bug in the trace costs a line, never a result: nothing leaves here that would go on into C.
fn guarded(work: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    // As in `call`: dropping what a panic carries may panic again.
    std::mem::forget(outcome);
}

/// A thread that is ending has no place for a call any more; what it still calls is not traced.
fn take() -> Option<Box<Call>> {
    CALL.try_with(Cell::take).ok().flatten()
}

fn put(call: Option<Box<Call>>) {
    let _ended = CALL.try_with(|place| place.set(call));
}
