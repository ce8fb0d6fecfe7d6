//! What a CloudHSM does that a program must survive and nobody would wish for, each behind a switch of the dialect.
//!
//! A quirk that is off costs nothing where keys are used: one that refuses keeps admissions from being remembered, so
//! that its rule stands on the slow path alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use base::ck::{self, CK_OBJECT_CLASS};
use base::error::{Error, Result};
use platform::process;

use super::Module;
use crate::config::Dialect;
use crate::object::Object;

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

/// `throttle`: how many operations the HSM does in a second before it says that it is busy, and how many of them may read
/// or write certificates (User Guide, pkcs11-certificate-storage).
pub(super) struct Throttle {
    operations: Bucket,
    certificate_reads: Bucket,
    certificate_writes: Bucket,
}

/// A bucket that holds the operations of one second and fills at that rate.
struct Bucket {
    most: u32,
    opened: Instant,
    /// The nanoseconds since `opened` at which the bucket will be full again; one word, so that no lock is needed.
    full_at: AtomicU64,
}

const SECOND: u64 = 1_000_000_000;
const CERTIFICATE_READS: u32 = 10;
const CERTIFICATE_WRITES: u32 = 1;

impl Throttle {
    pub(super) fn of(dialect: &Dialect) -> Option<Self> {
        Some(Self {
            operations: Bucket::new(dialect.throttle?),
            certificate_reads: Bucket::new(CERTIFICATE_READS),
            certificate_writes: Bucket::new(CERTIFICATE_WRITES),
        })
    }
}

impl Bucket {
    fn new(most: u32) -> Self {
        Self { most, opened: process::now(), full_at: AtomicU64::new(0) }
    }

    fn take(&self, what: &str) -> Result<()> {
        let now = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.take_at(now) {
            return Ok(());
        }
        let most = self.most;
        Err(Error::with(
            ck::CKR_FUNCTION_FAILED,
            format!(
                "the HSM is busy: response code 187 (internal error 0x000000BB); it does {most} {what} a second (throttle)"
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
        self.throttle.as_ref().map_or(Ok(()), |throttle| throttle.operations.take("operations"))
    }

    /// Counts what is done with an object of this class, if it is a certificate.
    #[inline]
    pub(super) fn take_certificate_turn(&self, class: CK_OBJECT_CLASS, writes: bool) -> Result<()> {
        match &self.throttle {
            Some(throttle) if class == ck::CKO_CERTIFICATE && writes => {
                throttle.certificate_writes.take("writes of certificates")
            }
            Some(throttle) if class == ck::CKO_CERTIFICATE => throttle.certificate_reads.take("reads of certificates"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_one_second() {
        let bucket = Bucket::new(4);
        let taken = |now: u64, tries: usize| (0..tries).filter(|_| bucket.take_at(now)).count();
        assert_eq!(taken(0, 9), 4);
        assert_eq!(taken(SECOND / 4 - 1, 9), 0);
        assert_eq!(taken(SECOND / 4, 9), 1);
        assert_eq!(taken(SECOND, 9), 3);
        assert_eq!(taken(60 * SECOND, 9), 4, "no more than a second's are saved up");
        for most in [1, 3, 7, 1000] {
            let bucket = Bucket::new(most);
            let taken = (0..2000).filter(|_| bucket.take_at(5)).count();
            assert_eq!(u32::try_from(taken), Ok(most));
        }
    }
}
