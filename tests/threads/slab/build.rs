//! The library's own files with the scheduler's atomics in the place of the standard ones: whatever is between two of their steps
//! is a point at which threads change.

use std::{env, fs, path::Path};

fn main() {
    for (name, source) in [
        ("line.rs", "../../../src/platform/line.rs"),
        ("objects.rs", "../../../src/cryptoki/objects.rs"),
        ("token.rs", "../../../src/cryptoki/token.rs"),
    ] {
        println!("cargo::rerun-if-changed={source}");
        let text = fs::read_to_string(source).expect("the library's file");
        assert_eq!(text.matches("use std::sync::atomic").count(), 1, "{source}: its atomics come from elsewhere");
        let text = text.replace("use std::sync::atomic", "use shuttle::sync::atomic").replace("//!", "//");
        let place = env::var_os("OUT_DIR").expect("cargo says where");
        fs::write(Path::new(&place).join(name), text).expect("a file of our own");
    }
}
