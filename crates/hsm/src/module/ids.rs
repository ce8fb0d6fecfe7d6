//! Ids of users, objects, shares and quorum tokens: in the order of creation, and no two alike.

use std::sync::atomic::{AtomicU64, Ordering};

use base::error::Result;
use crypto::random;
use platform::process;

/// 2024-01-01, so that 42 bits of milliseconds last until 2163.
const EPOCH_MS: u64 = 1_704_067_200_000;
/// How many bits of an id are chance.
const CHANCE: u32 = 21;

/// The last id of this process, so that the next is above it.
static LAST: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
thread_local! {
    /// The next id of this thread, for tests: what another process has drawn already.
    static NEXT: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// A new id: 42 bits of milliseconds, 21 of chance, and above every other of this process, even if the clock was put back. Two
/// processes may draw the same one in the same millisecond, once in two million times: who inserts draws anew at each attempt.
///
/// # Errors
/// As [`random::fill`].
pub(super) fn fresh_id() -> Result<u64> {
    #[cfg(test)]
    if let Some(id) = NEXT.take() {
        return Ok(id);
    }
    let mut chance = [0; 4];
    random::fill(&mut chance)?;
    let chance = u64::from(u32::from_le_bytes(chance));
    let milliseconds = process::wall_clock_ms().saturating_sub(EPOCH_MS);
    let drawn = (milliseconds << CHANCE) | (chance & ((1 << CHANCE) - 1));
    // By a step of chance, because a child of a fork goes on from the same id as its parent.
    let step = (chance >> CHANCE) + 1;
    // Never beyond what SQLite's integers hold.
    let above = |last: u64| drawn.max(last.saturating_add(step)) & i64::MAX.cast_unsigned();
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(above(last)));
    Ok(above(last.unwrap_or_else(|last| last)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::super::quorum::Service;
    use super::super::testing::{ANN, OFFICER, key, sample};
    use super::super::{Role, Sharing};
    use super::*;
    use store::Kind;

    #[test]
    fn one_that_is_taken_is_no_error() {
        let (_home, module) = sample();
        let ann = module.login(Role::CryptoUser, ANN).unwrap();
        let newest = |kind| ann.hsm.store.versions(kind, 0, usize::MAX).unwrap().last().map(|(id, _)| *id);
        let count = |kind| ann.hsm.store.count(kind).unwrap();
        let before = count(Kind::Object);
        NEXT.set(newest(Kind::Object));
        key(&module, &ann, "another", &Sharing::default());
        assert_eq!((NEXT.get(), count(Kind::Object)), (None, before + 1));
        let officer = module.login(Role::CryptoOfficer, OFFICER).unwrap();
        module.make_token(&officer, Service::User, None).unwrap();
        NEXT.set(newest(Kind::Quorum));
        module.make_token(&officer, Service::Cluster, None).unwrap();
        assert_eq!((NEXT.get(), count(Kind::Quorum)), (None, 2));
    }

    /// As many in a millisecond as the processor can: by chance alone some of 40,000 would be alike.
    #[test]
    fn ascending_and_never_twice() {
        let draw = || (0..10_000).map(|_| fresh_id().unwrap()).collect::<Vec<_>>();
        let all: Vec<Vec<u64>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|ids| ids.is_sorted_by(|before, after| before < after)));
        assert_eq!(all.iter().flatten().collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn ids_tell_the_time() {
        let before = process::wall_clock_ms();
        let id = fresh_id().unwrap();
        let told = (id >> CHANCE) + EPOCH_MS;
        // Others of these tests may have drawn more than a millisecond holds.
        assert!(told >= before && told < before + 60_000, "{told} {before}");
    }
}
