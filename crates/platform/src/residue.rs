//! What functions leave behind on the stack: a prepared key is made there and moved to its place, and the copy would stay until
//! some deeper call happens to cover it.

/// How deep the frames below are that make big numbers ready, in bytes. Whether it is enough, `tests/processes/memory.rs` looks.
pub const DEEP: usize = 32 * 1024;
/// The same for key schedules and states of digests.
pub const SHALLOW: usize = 8 * 1024;

/// Overwrites so many bytes of the stack below the caller's frame with zeros: what functions that have returned left there. Takes a
/// third of a microsecond for the deeper where it was measured, so it belongs where keys are made and not where they are used.
#[inline(never)]
pub fn wipe_stack<const BYTES: usize>() {
    let mut below = [0_u8; BYTES];
    // Without a use that the compiler cannot see through there would be no array.
    std::hint::black_box(&mut below);
}
