//! Slots that never move, behind handles that are never used twice: for sessions and for objects.
//!
//! A handle is a generation, a mark of its slab and an index. Slabs of different marks share no handle, so what one
//! has given out means nothing to another. Looking one up is indexing, locking that one slot and comparing the whole
//! handle: no map, no shared lock, no allocation. Slots live in chunks of doubling size, each made when it is first
//! needed and kept for good, which is what makes a reference to one safe while anybody may close it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ck::CK_ULONG;
use hsm::config::MOST_SESSIONS;
use platform::lock::{Lock, LockGuard};

/// The most slots of a slab: as many as sessions can be announced.
pub(super) const MOST: usize = MOST_SESSIONS;
/// Bits of a handle that are the index.
const INDEX_BITS: u32 = MOST.ilog2();
const _: () = assert!(MOST.is_power_of_two(), "every index is one of a slot");
/// Slots of the first chunk; each later one has twice as many.
const FIRST: usize = 64;
/// All chunks but the last are full.
const CHUNKS: usize = (MOST / FIRST).ilog2() as usize + 1;
/// Bits of a handle that are the mark of its slab.
const MARK_BITS: u32 = 3;
/// What a handle grows by from one generation to the next.
const GENERATION: u64 = 1 << (INDEX_BITS + MARK_BITS);

/// A slab of `T`s.
pub(super) struct Slab<T> {
    mark: u64,
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    free: Lock<Free>,
    live: AtomicU64,
}

struct Free {
    /// Handles to be given out next: generation already raised.
    handles: Vec<u64>,
    /// Slots ever used.
    used: usize,
}

/// Aligned so that two slots share no line that a processor prefetches.
#[repr(align(128))]
struct Slot<T>(Lock<Held<T>>);

/// What a slot holds, and under which handle; 0 while it is free.
pub(super) struct Held<T> {
    handle: u64,
    /// The content.
    pub(super) value: T,
}

impl<T: Default> Slab<T> {
    /// An empty slab whose handles bear `mark`, of which there are eight. Allocates nothing.
    #[must_use]
    pub(super) const fn new(mark: u32) -> Self {
        Self {
            mark: (mark & ((1 << MARK_BITS) - 1)) as u64,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Lock::new(Free { handles: Vec::new(), used: 0 }),
            live: AtomicU64::new(0),
        }
    }

    /// Puts a value in a free slot and returns its handle, if fewer than `most` are in use.
    pub(super) fn insert(&self, most: usize, fill: impl FnOnce(&mut T, CK_ULONG)) -> Option<CK_ULONG> {
        let handle = {
            let mut free = self.free.lock();
            if self.live.load(Ordering::Acquire) >= most as u64 {
                return None;
            }
            let handle = match free.handles.pop() {
                Some(handle) => handle,
                None => {
                    let index = free.used;
                    let (chunk, _) = place(index)?;
                    let slots = self.chunks.get(chunk)?;
                    slots.get_or_init(|| {
                        (0..length(chunk)).map(|_| Slot(Lock::new(Held { handle: 0, value: T::default() }))).collect()
                    });
                    free.used += 1;
                    GENERATION | (self.mark << INDEX_BITS) | index as u64
                }
            };
            self.live.fetch_add(1, Ordering::AcqRel);
            handle
        };
        let mut held = self.slot(handle)?.0.lock();
        held.handle = handle;
        fill(&mut held.value, handle);
        Some(handle)
    }

    /// The slot of a handle, locked; nothing if the handle is not in use.
    #[inline]
    pub(super) fn get(&self, handle: CK_ULONG) -> Option<LockGuard<'_, Held<T>>> {
        let held = self.slot(handle)?.0.lock();
        (held.handle == handle && handle != 0).then_some(held)
    }

    /// Frees the slot of a handle and returns what it held.
    pub(super) fn remove(&self, handle: CK_ULONG) -> Option<T> {
        self.remove_if(handle, |_| true)
    }

    /// The same, if what it holds is as `wanted`.
    pub(super) fn remove_if(&self, handle: CK_ULONG, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let value = {
            let mut held = self.get(handle).filter(|held| wanted(&held.value))?;
            held.handle = 0;
            std::mem::take(&mut held.value)
        };
        let mut free = self.free.lock();
        self.live.fetch_sub(1, Ordering::AcqRel);
        // A slot whose generation is at its end is never used again (41 bits: days of one loop).
        free.handles.extend(handle.checked_add(GENERATION));
        Some(value)
    }

    /// Visits every slot in use, one lock at a time. What is inserted meanwhile may be missed.
    pub(super) fn for_each(&self, mut visit: impl FnMut(CK_ULONG, &mut T)) {
        for slot in self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()) {
            let mut held = slot.0.lock();
            let handle = held.handle;
            if handle != 0 {
                visit(handle, &mut held.value);
            }
        }
    }

    #[inline]
    fn slot(&self, handle: u64) -> Option<&Slot<T>> {
        let index = usize::try_from(handle & ((1 << INDEX_BITS) - 1)).ok()?;
        let (chunk, at) = place(index)?;
        self.chunks.get(chunk)?.get()?.get(at)
    }
}

/// The slots of a chunk: twice those of the one before it, as long as there are so many left.
const fn length(chunk: usize) -> usize {
    let (all, before) = (FIRST << chunk, FIRST * ((1 << chunk) - 1));
    if MOST - before < all { MOST - before } else { all }
}

/// The chunk of an index and the place in it: chunk k holds 64 << k slots, the last one what is left.
#[inline]
const fn place(index: usize) -> Option<(usize, usize)> {
    let chunk = ((index / FIRST) + 1).ilog2() as usize;
    if index >= MOST {
        return None;
    }
    Some((chunk, index - FIRST * ((1 << chunk) - 1)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use hsm::config::Profile;

    #[test]
    fn a_handle_is_never_used_twice() {
        let slab = Slab::<u32>::new(0);
        let first = slab.insert(8, |value, _| *value = 7).unwrap();
        assert_eq!(slab.get(first).unwrap().value, 7);
        assert_eq!(slab.remove(first), Some(7));
        assert!(slab.get(first).is_none());
        let second = slab.insert(8, |value, _| *value = 8).unwrap();
        assert_ne!(first, second);
        assert!(slab.get(first).is_none());
        assert!(slab.remove(first).is_none());
        assert_eq!(slab.get(second).unwrap().value, 8);
    }

    #[test]
    fn every_index_has_one_place() {
        let slab = Slab::<usize>::new(0);
        let handles: Vec<_> = (0..10_000).map(|n| slab.insert(usize::MAX, |value, _| *value = n).unwrap()).collect();
        for (n, handle) in handles.iter().enumerate() {
            assert_eq!(slab.get(*handle).unwrap().value, n);
        }
        assert_eq!(slab.live.load(Ordering::Acquire), 10_000);
    }

    /// As many as C_GetTokenInfo announces, and not one less.
    #[test]
    fn as_many_as_are_announced() {
        let slab = Slab::<()>::new(0);
        let profiles = [Profile::CloudHsm, Profile::Strict, Profile::Standard];
        let most = profiles.into_iter().map(|profile| profile.dialect().most_sessions).max().unwrap();
        assert!((0..most).all(|_| slab.insert(most, |(), _| ()).is_some()));
        assert!(slab.insert(usize::MAX, |(), _| ()).is_none(), "no handle is left");
    }

    #[test]
    fn the_limit_holds() {
        let slab = Slab::<u8>::new(0);
        let handle = slab.insert(1, |_, _| ()).unwrap();
        assert!(slab.insert(1, |_, _| ()).is_none());
        slab.remove(handle);
        assert!(slab.insert(1, |_, _| ()).is_some());
    }

    #[test]
    fn slabs_of_different_marks_share_no_handle() {
        let slabs: Vec<_> = (0..8).map(Slab::<u8>::new).collect();
        for (at, slab) in slabs.iter().enumerate() {
            let mut handle = slab.insert(8, |_, _| ()).unwrap();
            for _ in 0..20 {
                for (other, slab) in slabs.iter().enumerate() {
                    assert_eq!(slab.get(handle).is_some(), other == at);
                }
                slab.remove(handle).unwrap();
                handle = slab.insert(8, |_, _| ()).unwrap();
            }
        }
    }

    #[test]
    fn hostile_handles_find_nothing() {
        let slab = Slab::<u8>::new(0);
        for handle in [0, 1, u64::MAX, 1 << 63, (1 << INDEX_BITS) | ((1 << INDEX_BITS) - 1)] {
            assert!(slab.get(handle).is_none());
            assert!(slab.remove(handle).is_none());
        }
    }
}
