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

/// One line of the record (IO_SHIM_TRACE).
pub(crate) enum Event {
    Created(String),
    Written { path: String, offset: usize, bytes: Vec<u8> },
    Cut { path: String, length: usize },
    Synced(String),
    Removed(String),
    Acknowledged(String),
}

/// The record, in the order in which things happened.
pub(crate) fn read_record(bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = bytes;
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    while let Some((head, after)) = rest.split_at_checked(17) {
        let (name, offset, length) = (number(&head[1..5]), number(&head[5..13]), number(&head[13..17]));
        let path = String::from_utf8(after[..name].to_vec()).unwrap();
        let bytes = after[name..name + length].to_vec();
        rest = &after[name + length..];
        events.push(match head[0] {
            b'C' => Event::Created(path),
            b'W' => Event::Written { path, offset, bytes },
            b'T' => Event::Cut { path, length: offset },
            b'S' => Event::Synced(path),
            b'U' => Event::Removed(path),
            b'A' => Event::Acknowledged(path),
            other => panic!("{other}"),
        });
    }
    events
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
