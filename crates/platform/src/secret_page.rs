//! Places for 32-byte keys that live as long as the library has an HSM open or a user logged in: in pages that the kernel
//! wipes in a child of fork, leaves out of core dumps and, where the limit on locked memory allows it, never swaps.
//!
//! One arena for the process: pages that are mapped when they are needed and never unmapped, a bit for each slot. It
//! takes no lock, so that a fork at any instant leaves it usable in the child: the slots that the child inherited read
//! zero and stay taken, others are free.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use base::ck;
use base::error::{Error, Result};
use zeroize::Zeroize;

use super::pages;

/// The bytes of a slot.
const SLOT: usize = 32;
/// The slots of a page, as many as its word has bits.
const SLOTS: usize = 64;
/// What is mapped at a time; where pages are larger, the rest of one is unused.
const PAGE: usize = SLOT * SLOTS;
/// The most pages: 4,096 keys.
const PAGES: usize = 64;

/// A page, and which of its slots are taken.
struct Page {
    start: AtomicPtr<[u8; SLOT]>,
    taken: AtomicU64,
}

static ARENA: [Page; PAGES] =
    [const { Page { start: AtomicPtr::new(ptr::null_mut()), taken: AtomicU64::new(0) } }; PAGES];

/// A 32-byte key in a page for secrets; zeroed and given back when dropped.
pub struct SecretSlot {
    bytes: NonNull<[u8; SLOT]>,
    page: &'static Page,
    bit: u64,
}

// SAFETY: the bytes belong to this value alone, as a box's would; they are written before it exists and when it is
// dropped, and only read in between. The page's other fields are atomics.
unsafe impl Send for SecretSlot {}
// SAFETY: as above: through a shared reference the bytes are only read.
unsafe impl Sync for SecretSlot {}

impl SecretSlot {
    /// A key written in place by `fill`, which gets zeros.
    ///
    /// # Errors
    /// What `fill` returns; `CKR_HOST_MEMORY` if the system has no memory or every slot is taken.
    pub fn new(fill: impl FnOnce(&mut [u8; SLOT]) -> Result<()>) -> Result<Self> {
        const NO_MEMORY: Error = Error::new(ck::CKR_HOST_MEMORY, "no memory for another key that must be kept secret");
        let slot = ARENA.iter().find_map(take).ok_or(NO_MEMORY)?;
        // SAFETY: the slot was free and its bit is now ours, so nobody else has a reference to its bytes; every bit
        // pattern is valid. If `fill` fails or panics, the drop of `slot` zeroes them.
        fill(unsafe { &mut *slot.bytes.as_ptr() })?;
        Ok(slot)
    }

    /// The bytes themselves; see [`base::secret::Secret::expose`]. In a forked child, zeros.
    #[inline]
    #[must_use]
    pub const fn expose(&self) -> &[u8; SLOT] {
        // SAFETY: ours as long as `self` lives, in a page that is never unmapped, and written by nobody meanwhile.
        unsafe { self.bytes.as_ref() }
    }
}

impl Drop for SecretSlot {
    fn drop(&mut self) {
        // SAFETY: still ours: the bit is cleared only after this, and `&mut self` says that nobody reads.
        unsafe { self.bytes.as_mut() }.zeroize();
        self.page.taken.fetch_and(!self.bit, Ordering::Release);
    }
}

/// A free slot of the page, which is mapped first if it is not; nothing if all are taken or there is no memory.
fn take(page: &'static Page) -> Option<SecretSlot> {
    let mut start = page.start.load(Ordering::Acquire);
    if start.is_null() {
        start = map(page)?;
    }
    let mut taken = page.taken.load(Ordering::Relaxed);
    loop {
        let index = taken.trailing_ones();
        let bit = 1_u64.checked_shl(index)?;
        match page.taken.compare_exchange_weak(taken, taken | bit, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                // SAFETY: the page holds as many slots as the word has bits, and `index` is one of them.
                let bytes = unsafe { start.add(index as usize) };
                return Some(SecretSlot { bytes: NonNull::new(bytes)?, page, bit });
            }
            Err(now) => taken = now,
        }
    }
}

/// Maps the page; of two threads that do so at once, the loser's goes again.
#[cold]
fn map(page: &Page) -> Option<*mut [u8; SLOT]> {
    let start = pages::map(PAGE)?.as_ptr();
    // SAFETY: advice about the page mapped above. Each is an improvement that the kernel may refuse: a key in plain memory
    // is still better than none, and the limit on locked memory is often small.
    unsafe {
        libc::madvise(start, PAGE, libc::MADV_WIPEONFORK);
        libc::madvise(start, PAGE, libc::MADV_DONTDUMP);
        libc::mlock(start, PAGE);
    }
    let ours = start.cast::<[u8; SLOT]>();
    match page.start.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(ours),
        Err(first) => {
            // SAFETY: nobody has seen this page.
            unsafe { libc::munmap(start, PAGE) };
            Some(first)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::children::in_child;

    fn slot(byte: u8) -> SecretSlot {
        SecretSlot::new(|bytes| {
            assert_eq!(*bytes, [0; 32]);
            bytes.fill(byte);
            Ok(())
        })
        .unwrap()
    }

    /// The flags (`VmFlags` of smaps) of the mapping that an address lies in.
    fn flags(address: usize) -> Vec<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((from, to)) = range
                && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&address);
            } else if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
                return flags.split_whitespace().map(str::to_owned).collect();
            }
        }
        Vec::new()
    }

    #[test]
    fn the_page_is_kept_out_of_dumps_and_children_and_swap() {
        let key = slot(7);
        let found = flags(ptr::from_ref(key.expose()).addr());
        for wanted in ["dd", "wf"] {
            assert!(found.iter().any(|flag| flag == wanted), "{wanted} is not in {found:?}");
        }
        // The negative control: an ordinary page has neither.
        let plain = Box::new([7_u8; 32]);
        let ordinary = flags(ptr::from_ref(&*plain).addr());
        assert!(!ordinary.is_empty() && !ordinary.iter().any(|flag| flag == "dd" || flag == "wf"), "{ordinary:?}");
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is ours to write.
        unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
        if limit.rlim_cur > 1 << 20 {
            assert!(found.iter().any(|flag| flag == "lo"), "it is not locked: {found:?}");
        }
    }

    #[test]
    fn a_child_reads_zeros_and_has_room_of_its_own() {
        let key = slot(9);
        let plain = [9_u8; 32];
        let code = in_child(|| {
            if *key.expose() != [0; 32] || plain != [9; 32] {
                return 1;
            }
            let own = slot(5);
            i32::from(*own.expose() != [5; 32] || ptr::eq(own.expose(), key.expose())) * 2
        });
        assert_eq!(code, 0);
        assert_eq!(*key.expose(), [9; 32]);
    }

    #[test]
    fn slots_are_zeroed_and_used_again() {
        // More than a page has, and all of them distinct.
        let keys: Vec<SecretSlot> = (0..200).map(slot).collect();
        for (key, byte) in keys.iter().zip(0_u8..) {
            assert_eq!(*key.expose(), [byte; 32]);
        }
        drop(keys);
        // `slot` asserts that it gets zeros.
        let keys: Vec<SecretSlot> = (0..200).map(|_| slot(0xFF)).collect();
        let pages = ARENA.iter().filter(|page| !page.start.load(Ordering::Relaxed).is_null()).count();
        assert!(pages < 12, "{pages} pages: freed slots are not used again");
        drop(keys);
        assert!(SecretSlot::new(|_| Err(Error::internal("no randomness"))).is_err());
        std::thread::scope(|scope| {
            for byte in 1..5 {
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let key = slot(byte);
                        std::hint::spin_loop();
                        assert_eq!(*key.expose(), [byte; 32]);
                    }
                });
            }
        });
    }
}
