//! C_Initialize and C_Finalize: the arguments, the current library, the child of a fork.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base::ck::{self, CK_C_INITIALIZE_ARGS, CK_RV};
use base::error::{Error, Result};
use hsm::config::{Config, LogLevel};
use hsm::log;
use platform::cancellation::nap;
use platform::entropy;
use platform::fork::{self, ForkPointer};

use super::{call, trace};
use crate::cryptoki::Library;

/// The library between C_Initialize and C_Finalize; nothing in the child of a fork.
static CURRENT: ForkPointer<Library> = ForkPointer::new();
/// The library of this process, kept from one C_Initialize to the next.
static KEPT: ForkPointer<Library> = ForkPointer::new();
/// Who is inside C_Initialize or C_Finalize: the fork epoch of the process plus one, or 0. A child that was forked while
/// another thread was inside sees its parent's epoch and is not held up by a thread that it does not have.
static INSIDE: AtomicU64 = AtomicU64::new(0);

const SPOILED: Error = Error::new(ck::CKR_FIPS_SELF_TEST_FAILED, "a self-test has failed in this process");
const NOT_INITIALIZED: Error =
    Error::new(ck::CKR_CRYPTOKI_NOT_INITIALIZED, "C_Initialize was not called in this process, or C_Finalize since");

/// Whether a self-test has failed in this process: from then on nothing is answered (FIPS 140-3 section 7.10.1).
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Ends the library of this process. Calls that are on their way end as they may.
#[cold]
pub(super) fn stop_for_good() {
    BROKEN.store(true, Ordering::Release);
    CURRENT.store(None);
}

/// Why there is no current library.
#[cold]
pub(super) fn why_not() -> CK_RV {
    let why = if BROKEN.load(Ordering::Acquire) { SPOILED } else { NOT_INITIALIZED };
    if trace::on() {
        trace::because(why.message());
    }
    why.rv()
}

/// The current library.
#[inline]
pub(super) fn current() -> Option<&'static Library> {
    CURRENT.load()
}

/// C_Initialize.
pub(super) unsafe fn initialize(arguments: *mut c_void) -> Result<()> {
    // SAFETY: NULL, or a CK_C_INITIALIZE_ARGS, by the standard.
    unsafe { check_arguments(arguments.cast::<CK_C_INITIALIZE_ARGS>()) }?;
    call::install_panic_hook();
    fork::install()?;
    let _inside = enter();
    if BROKEN.load(Ordering::Acquire) {
        return Err(SPOILED);
    }
    if current().is_some() {
        return Err(Error::new(ck::CKR_CRYPTOKI_ALREADY_INITIALIZED, "C_Initialize was called already"));
    }
    let config = Config::read()?;
    log::configure(config.settings.log_level, config.settings.log_file.as_deref())?;
    let settings = &config.settings;
    trace::configure(settings.trace, settings.trace_file.as_deref(), &settings.dialect())?;
    for remark in &config.remarks {
        log::write(LogLevel::Debug, format_args!("{remark}"));
    }
    entropy::prepare()?;
    let library = KEPT.load().unwrap_or_else(|| Box::leak(Box::new(Library::new())));
    KEPT.store(Some(library));
    library.start(&config)?;
    CURRENT.store(Some(library));
    Ok(())
}

/// C_Finalize.
pub(super) unsafe fn finalize(reserved: *mut c_void) -> Result<()> {
    if !reserved.is_null() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "pReserved must be NULL"));
    }
    let _inside = enter();
    let library = current().ok_or(NOT_INITIALIZED)?;
    CURRENT.store(None);
    library.stop();
    Ok(())
}

/// The rules of PKCS#11 3.2 section 5.4.1.
///
/// # Safety
/// `arguments` is NULL or points to a `CK_C_INITIALIZE_ARGS`.
unsafe fn check_arguments(arguments: *const CK_C_INITIALIZE_ARGS) -> Result<()> {
    if arguments.is_null() {
        return Ok(());
    }
    // SAFETY: not NULL, and so a CK_C_INITIALIZE_ARGS by the caller's word; read unaligned, by value.
    let arguments = unsafe { arguments.read_unaligned() };
    if !arguments.pReserved.is_null() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "pReserved must be NULL"));
    }
    if arguments.flags & !(ck::CKF_LIBRARY_CANT_CREATE_OS_THREADS | ck::CKF_OS_LOCKING_OK) != 0 {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "flags that C_Initialize does not know"));
    }
    let callbacks = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    let given = callbacks.iter().filter(|given| **given).count();
    if given != 0 && given != callbacks.len() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "the four mutex functions come together or not at all"));
    }
    // Nothing here can run on the caller's mutexes alone. No thread is ever made, so that flag asks for nothing.
    if given != 0 && arguments.flags & ck::CKF_OS_LOCKING_OK == 0 {
        return Err(Error::new(ck::CKR_CANT_LOCK, "the library locks by the operating system: set CKF_OS_LOCKING_OK"));
    }
    Ok(())
}

/// Lets one thread of this process be inside at a time.
struct Inside;

fn enter() -> Inside {
    let own = fork::epoch() + 1;
    loop {
        let held = INSIDE.load(Ordering::Acquire);
        let free = held == 0 || held != own;
        if free && INSIDE.compare_exchange(held, own, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return Inside;
        }
        nap(Duration::from_micros(50));
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.store(0, Ordering::Release);
    }
}
