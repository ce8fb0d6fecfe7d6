//! The library's own files, made to stand here: what they take from its parts comes from `around`. Three of them get the
//! scheduler's atomics in the place of the standard ones, so that whatever is between two of their steps is a point at which threads
//! change; the other two are tried in every order, between the locks that they take.

use std::{env, fs, path::Path};

const WITH_ATOMICS: [&str; 3] =
    ["../../../crates/platform/src/line.rs", "../../../src/cryptoki/objects.rs", "../../../src/cryptoki/token.rs"];
const AS_THEY_ARE: [&str; 2] = ["../../../src/cryptoki/session_objects.rs", "../../../src/cryptoki/slab.rs"];

fn main() {
    let place = env::var_os("OUT_DIR").expect("cargo says where");
    for source in WITH_ATOMICS.iter().chain(&AS_THEY_ARE) {
        println!("cargo::rerun-if-changed={source}");
        let mut text = fs::read_to_string(source).expect("the library's file");
        if WITH_ATOMICS.contains(source) {
            assert_eq!(text.matches("use std::sync::atomic").count(), 1, "{source}: its atomics come from elsewhere");
            text = text.replace("use std::sync::atomic", "use shuttle::sync::atomic");
        }
        for (part, stand_in) in [("base::", "crate::"), ("hsm::", "crate::"), ("platform::", "crate::platform::")] {
            text = text.replace(&format!("use {part}"), &format!("use {stand_in}"));
        }
        let name = Path::new(source).file_name().expect("a file");
        fs::write(Path::new(&place).join(name), text.replace("//!", "//")).expect("a file of our own");
    }
}
