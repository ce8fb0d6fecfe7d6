//! A small pool of random bytes for each thread, because a draw from the generator has a high fixed price.
//!
//! 334 ns for 32 bytes from AWS-LC against 23 ns from the pool. The pool lies in a page of its own that the kernel wipes
//! in a child of fork or clone and leaves out of core dumps; a wiped page reads "0 bytes left", so no two processes
//! ever serve the same bytes. Served bytes are wiped at once. Where the kernel cannot wipe, there is no pool.
//!
//! Only `C_GenerateRandom` uses it. Keys, IVs and nonces are drawn directly: a virtual machine restored from a snapshot
//! repeats a pool, the generator need not.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;

use base::error::Result;

use super::pages;

/// How many bytes one refill draws: nearly the page, because the generator's locks belong to all threads.
const CAPACITY: usize = 4064;
/// The largest request that is served from the pool.
const LARGEST: usize = 256;
/// What is mapped: one page.
const PAGE: usize = 4096;

/// The page: all zeros is a valid, empty pool.
#[repr(C)]
struct Pool {
    left: usize,
    bytes: [u8; CAPACITY],
}

const _: () = assert!(size_of::<Pool>() <= PAGE);

/// One thread's pool: not yet asked for (`None`), not to be had (null), or a page.
struct Owner(Cell<Option<*mut Pool>>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(page) = self.0.take()
            && !page.is_null()
        {
            // SAFETY: the page was mapped by `map` for this thread alone, which is ending: no reference is left. What
            // is unserved goes back to the kernel, which zeroes pages before it hands them out again.
            unsafe { libc::munmap(page.cast(), PAGE) };
        }
    }
}

thread_local! {
    static POOL: Owner = const { Owner(Cell::new(None)) };
}

/// Fills `out` with random bytes, from this thread's pool if they are few; `refill` draws from the generator.
///
/// # Errors
/// What `refill` returns; `out` then holds nothing to rely on.
#[inline]
pub fn serve(out: &mut [u8], refill: fn(&mut [u8]) -> Result<()>) -> Result<()> {
    if out.len() > LARGEST {
        return refill(out);
    }
    // At the end of the thread the pool is gone already.
    let page = POOL.try_with(|owner| owner.0.get().unwrap_or_else(|| map(owner))).unwrap_or(ptr::null_mut());
    // SAFETY: null, or this thread's own page, mapped until the thread ends and reachable from nowhere else. The
    // reference ends with this function, and `refill` (a plain function that knows nothing of it) cannot come back
    // here with it: it gets the pool's bytes as its argument and has no way to the page but `serve`, which the
    // generator does not call.
    match unsafe { page.as_mut() } {
        Some(pool) => pool.serve(out, refill),
        None => refill(out),
    }
}

impl Pool {
    fn serve(&mut self, out: &mut [u8], refill: fn(&mut [u8]) -> Result<()>) -> Result<()> {
        if self.left < out.len() || self.left > CAPACITY {
            self.left = 0;
            refill(&mut self.bytes)?;
            self.left = CAPACITY;
        }
        let start = self.left - out.len();
        let Some(bytes) = self.bytes.get_mut(start..self.left) else { return refill(out) };
        // Taken off before it is copied: whatever happens in between, nothing is served twice.
        self.left = start;
        out.copy_from_slice(bytes);
        zeroize::Zeroize::zeroize(bytes);
        Ok(())
    }
}

#[cold]
fn map(owner: &Owner) -> *mut Pool {
    let page = new_page().unwrap_or(ptr::null_mut());
    owner.0.set(Some(page));
    page
}

fn new_page() -> Option<*mut Pool> {
    let page = pages::map(PAGE)?.as_ptr();
    // SAFETY: advice about the page mapped above.
    let wiped = unsafe {
        libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) == 0 && libc::madvise(page, PAGE, libc::MADV_DONTDUMP) == 0
    };
    if !wiped {
        // SAFETY: nobody has seen the page yet.
        unsafe { libc::munmap(page, PAGE) };
        return None;
    }
    Some(page.cast())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

    use super::*;
    use crate::testing::children::in_child;

    static NEXT: AtomicU8 = AtomicU8::new(1);

    fn distinct(out: &mut [u8]) -> Result<()> {
        out.fill(NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }

    #[test]
    fn serves_each_byte_once_and_refills() {
        static DRAWS: AtomicUsize = AtomicUsize::new(0);
        fn count(out: &mut [u8]) -> Result<()> {
            DRAWS.fetch_add(1, Ordering::Relaxed);
            for (byte, n) in out.iter_mut().zip(0_usize..) {
                *byte = u8::try_from(n % 251).unwrap_or(0) + 1;
            }
            Ok(())
        }
        let mut out = [0_u8; 32];
        for _ in 0..=CAPACITY / 32 {
            out.fill(0);
            serve(&mut out, count).unwrap();
            assert!(!out.contains(&0));
        }
        assert_eq!(DRAWS.load(Ordering::Relaxed), 2);
        serve(&mut [0; 257], count).unwrap();
        assert_eq!(DRAWS.load(Ordering::Relaxed), 3);
        serve(&mut [], count).unwrap();
    }

    #[test]
    fn a_child_does_not_repeat_the_parent() {
        let mut first = [0; 8];
        serve(&mut first, distinct).unwrap();
        let code = in_child(|| {
            let mut mine = [0; 8];
            // The counter is copied by the fork too, so a refill in the child gives the next number.
            i32::from(serve(&mut mine, distinct).is_err() || mine == first)
        });
        assert_eq!(code, 0);
    }

    #[test]
    fn a_failed_refill_serves_nothing() {
        fn fail(_: &mut [u8]) -> Result<()> {
            Err(base::error::Error::internal("no entropy"))
        }
        std::thread::spawn(|| {
            assert!(serve(&mut [0; 4], fail).is_err());
            let mut out = [0; 4];
            serve(&mut out, distinct).unwrap();
            assert_ne!(out, [0; 4]);
        })
        .join()
        .unwrap();
    }
}
