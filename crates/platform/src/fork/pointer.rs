//! A pointer that a forked child reads as null, whichever way it was forked.
//!
//! The library finds its state through one such pointer, so a child is "not initialised" without a system call at any
//! entry. The kernel wipes the page in the child of fork *and* of a raw clone; where it does not know how, the
//! fork handler clears the pointer, which covers everything that goes through the C library.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::pages;

/// One word in a page of its own.
type Cell = AtomicPtr<libc::c_void>;

/// Every page handed out, for the fork handler. Holders are statics, so there are only a few.
static PAGES: [AtomicPtr<Cell>; 16] = [const { AtomicPtr::new(ptr::null_mut()) }; 16];

/// A place for a `&'static T` that is empty again in every forked child.
pub struct ForkPointer<T: 'static> {
    page: AtomicPtr<Cell>,
    kind: std::marker::PhantomData<AtomicPtr<T>>,
}

impl<T: Sync + 'static> ForkPointer<T> {
    /// An empty place; nothing is mapped until something is stored.
    #[must_use]
    pub const fn new() -> Self {
        Self { page: AtomicPtr::new(ptr::null_mut()), kind: std::marker::PhantomData }
    }

    /// What was stored in this process, or nothing.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Option<&'static T> {
        let page = self.page.load(Ordering::Acquire);
        if page.is_null() {
            return None;
        }
        // SAFETY: a page that is not null was made by `map` and is never unmapped, so the cell is alive; it holds
        // null or what `store` put there, a `&'static T`. `T: Sync` makes it right to hand that to any thread.
        unsafe { (*page).load(Ordering::Acquire).cast::<T>().as_ref() }
    }

    /// Stores a reference or, with `None`, empties the place.
    ///
    /// If there is no memory for the page, the place stays empty, so the library counts as not initialised.
    pub fn store(&self, value: Option<&'static T>) {
        let mut page = self.page.load(Ordering::Acquire);
        if page.is_null() {
            if value.is_none() {
                return;
            }
            page = self.map();
            if page.is_null() {
                return;
            }
        }
        let value = value.map_or(ptr::null_mut(), |value| ptr::from_ref(value).cast_mut().cast());
        // SAFETY: the page is one of `map`'s, never unmapped; a cell is shared through atomics only. The pointer
        // loses `const` for the type's sake alone: nobody writes through it.
        unsafe { (*page).store(value, Ordering::Release) };
    }

    /// Maps the page; of two threads that do so at once, the loser's page is leaked.
    fn map(&self) -> *mut Cell {
        let Some(page) = new_page() else { return ptr::null_mut() };
        match self.page.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => page,
            Err(first) => first,
        }
    }
}

impl<T: Sync + 'static> Default for ForkPointer<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Maps a page that a child finds empty, or nothing if neither the kernel nor the handler could see to that.
fn new_page() -> Option<*mut Cell> {
    let page = pages::map(PAGE)?.as_ptr();
    // SAFETY: advice about the page that was mapped above and that nobody uses yet.
    let wiped = unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) } == 0;
    let page = page.cast::<Cell>();
    let noted = PAGES
        .iter()
        .any(|slot| slot.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Relaxed).is_ok());
    (wiped || noted).then_some(page)
}

/// The unit of mapping; larger pages only mean that more of it is unused.
const PAGE: usize = 4096;

/// In a forked child: empties every place. Atomics only, as a fork handler must.
pub(super) fn clear_all() {
    for slot in &PAGES {
        let page = slot.load(Ordering::Relaxed);
        if !page.is_null() {
            // SAFETY: pages in the list are never unmapped, and a fork copies the mapping.
            unsafe { (*page).store(ptr::null_mut(), Ordering::Relaxed) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fork::install;
    use crate::testing::children::in_child;

    #[test]
    fn a_child_reads_nothing() {
        static PLACE: ForkPointer<u32> = ForkPointer::new();
        static VALUE: u32 = 7;
        install().unwrap();
        assert!(PLACE.load().is_none());
        PLACE.store(Some(&VALUE));
        assert_eq!(PLACE.load(), Some(&7));
        let code = in_child(|| {
            if PLACE.load().is_some() {
                return 1;
            }
            PLACE.store(Some(&VALUE));
            i32::from(PLACE.load() != Some(&7)) * 2
        });
        assert_eq!(code, 0);
        assert_eq!(PLACE.load(), Some(&7));
        PLACE.store(None);
        assert!(PLACE.load().is_none());
    }

    #[test]
    fn the_child_of_a_raw_clone_reads_nothing() {
        static PLACE: ForkPointer<u32> = ForkPointer::new();
        static VALUE: u32 = 7;
        PLACE.store(Some(&VALUE));
        // SAFETY: a plain fork by system call: the child only loads atomics and leaves by `_exit`.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if pid == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(PLACE.load().is_some())) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(libc::pid_t::try_from(pid).unwrap(), &raw mut status, 0) };
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
    }
}
