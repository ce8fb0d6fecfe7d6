//! `io_shim.c` from both sides: built and put before a child by the parent, armed and told of acknowledgements by the child.

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the shim into a folder.
pub(crate) fn build(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/io_shim.c");
    let built = folder.join("io_shim.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&built).arg(source);
    let output = compiler.output().expect("a C compiler, as the build of the library needs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    built
}

fn function(name: &CStr) -> *mut libc::c_void {
    // SAFETY: a name that ends; what is found is called with the type that io_shim.c has.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}: this process runs without the shim");
    found
}

/// From here on calls are counted and one of them fails, or no more.
pub(crate) fn arm(on: bool) {
    // SAFETY: `void io_shim_arm(int)`.
    let arm: extern "C" fn(c_int) = unsafe { std::mem::transmute(function(c"io_shim_arm")) };
    arm(on.into());
}

/// How many calls have been counted.
pub(crate) fn calls() -> c_long {
    // SAFETY: `long io_shim_calls(void)`.
    let calls: extern "C" fn() -> c_long = unsafe { std::mem::transmute(function(c"io_shim_calls")) };
    calls()
}

/// Writes into the record that something has been acknowledged.
pub(crate) fn acknowledge(text: &str) {
    let text = CString::new(text).unwrap();
    // SAFETY: `void io_shim_acknowledge(const char *)`, with a text that ends.
    let acknowledge: extern "C" fn(*const c_char) = unsafe { std::mem::transmute(function(c"io_shim_acknowledge")) };
    acknowledge(text.as_ptr());
}
