//! Broken set-ups, one after the other: what users get wrong or have done to them, met by the built library.
//!
//! A test never loads the library itself. It runs this binary again as a child, by [`run::Run`], which may be another
//! account, lack an environment or live in mounts of its own; the child ([`child`]) calls the library's C functions and
//! tells what each returned. Asked each time: the documented `CK_RV`, exactly one line on stderr that names the path,
//! the reason and the cure, no panic, and that the keys made before are still there and usable once the set-up is
//! mended.
//!
//! Permission tests run the child as another account and first let it prove that the plain system call fails, because
//! root would meet no permission at all. What this machine cannot do is said in a line `SKIP name: cause`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail by panicking, and say on stdout what they skip"
)]

mod accounts;
mod child;
mod configuration;
mod damage;
mod descriptor;
mod links;
mod missing;
mod moved;
mod run;
mod sharing;
mod streams;
mod system;

/// The child that the other tests start; nothing when it is run as a test.
#[test]
fn child() {
    child::main();
}
