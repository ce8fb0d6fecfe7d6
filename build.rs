//! Link settings of the shared library that Cargo has no field for.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    link_own_unwinder();
    // The library stays mapped after dlclose: its fork handlers cannot be taken back.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // A program that is linked with it asks for it by this name, and not by the path at which the linker found it.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcloudhsm_pkcs11.so");
    // Our own copies of SQLite and AWS-LC are never replaced by the host's, nor seen by it.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now,-z,noexecstack");
}

/// Links the compiler's unwinder into the library instead of asking for libgcc_s.so: finding, mapping and relocating that took as
/// long as everything else in loading it, in a program that has no C++ in it. A panic begins and ends inside the library
/// (`abi/call.rs`), so it does not matter that the program may have another unwinder. Where the compiler has no such archive, the
/// shared one stays.
fn link_own_unwinder() {
    const ARCHIVE: &str = "libgcc_eh.a";
    println!("cargo:rerun-if-env-changed=CC");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let Ok(found) = Command::new(compiler).arg(format!("-print-file-name={ARCHIVE}")).output() else { return };
    let Ok(path) = String::from_utf8(found.stdout) else { return };
    // A compiler that does not have it answers with the bare name.
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
