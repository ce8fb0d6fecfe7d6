//! What a CloudHSM does that a program must survive and nobody would wish for, each behind a switch of the dialect.
//!
//! A quirk that is off costs nothing where keys are used: one that refuses keeps admissions from being remembered, so
//! that its rule stands on the slow path alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::Module;
use crate::ck;
use crate::config::Dialect;
use crate::error::{Error, Result};
use crate::object::Object;
use crate::platform::process;

/// `key_availability_check`: a token key must be on two HSMs before it is used, and every cluster here is one HSM
/// (User Guide, working-client-sync). The words are those of AWS's log.
pub(super) fn check_available(dialect: &Dialect, object: &Object) -> Result<()> {
    if !dialect.key_availability_check || !object.is_token() || !object.is_key() {
        return Ok(());
    }
    let key = object.id.map_or_else(|| "A new key".to_owned(), |id| format!("Key {:#x}", id.0));
    Err(Error::with(
        ck::CKR_FUNCTION_FAILED,
        format!(
            "{key} does not meet the availability requirements - The key must be available on at least 2 HSMs before \
             being used (key_availability_check)"
        ),
    ))
}

/// `throttle`: how many operations the HSM does in a second before it says that it is busy. A bucket that holds those
/// of one second and fills at that rate.
pub(super) struct Throttle {
    most: u32,
    opened: Instant,
    /// The nanoseconds since `opened` at which the bucket will be full again; one word, so that no lock is needed.
    full_at: AtomicU64,
}

const SECOND: u64 = 1_000_000_000;

impl Throttle {
    pub(super) fn of(dialect: &Dialect) -> Option<Self> {
        let most = dialect.throttle?;
        Some(Self { most, opened: process::now(), full_at: AtomicU64::new(0) })
    }

    fn take(&self) -> Result<()> {
        let now = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.take_at(now) {
            return Ok(());
        }
        let most = self.most;
        Err(Error::with(
            ck::CKR_FUNCTION_FAILED,
            format!(
                "the HSM is busy: response code 187 (internal error 0x000000BB); it does {most} operations a second \
                 (throttle)"
            ),
        ))
    }

    /// Takes one operation out of the bucket, if there is one.
    fn take_at(&self, now: u64) -> bool {
        let cost = SECOND / u64::from(self.most.max(1));
        self.full_at
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
                let later = full_at.max(now).saturating_add(cost);
                (later - now <= SECOND).then_some(later)
            })
            .is_ok()
    }
}

impl Module {
    /// Counts an operation that runs inside the HSM. What a CloudHSM's client does by itself is not counted: digests,
    /// and the use of public keys.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED while the HSM is busy (`throttle`).
    #[inline]
    pub fn take_turn(&self) -> Result<()> {
        self.throttle.as_ref().map_or(Ok(()), Throttle::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_one_second() {
        let throttle = Throttle { most: 4, opened: process::now(), full_at: AtomicU64::new(0) };
        let taken = |now: u64, tries: usize| (0..tries).filter(|_| throttle.take_at(now)).count();
        assert_eq!(taken(0, 9), 4);
        assert_eq!(taken(SECOND / 4 - 1, 9), 0);
        assert_eq!(taken(SECOND / 4, 9), 1);
        assert_eq!(taken(SECOND, 9), 3);
        assert_eq!(taken(60 * SECOND, 9), 4, "no more than a second's are saved up");
        for most in [1, 3, 7, 1000] {
            let throttle = Throttle { most, opened: process::now(), full_at: AtomicU64::new(0) };
            let taken = (0..2000).filter(|_| throttle.take_at(5)).count();
            assert_eq!(u32::try_from(taken), Ok(most));
        }
    }
}
