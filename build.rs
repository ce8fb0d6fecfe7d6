//! Link settings of the shared library that Cargo has no field for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The library stays mapped after dlclose: its fork handlers cannot be taken back.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // A program that is linked with it asks for it by this name, and not by the path at which the linker found it.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcloudhsm_pkcs11.so");
    // Our own copies of SQLite and AWS-LC are never replaced by the host's, nor seen by it.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // AWS-LC's calls of `syscall` go through crates/platform/src/entropy.rs, which has the function for these processors.
    let processor = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if ["x86_64", "aarch64"].contains(&processor.as_str()) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap=syscall");
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now,-z,noexecstack");
}
