//! On a full disk: what destroys something, or counts an attempt at a PIN, is written with the room of the reserve.

use base::ck;
use base::error::Result;

use super::group::{Apply, First};
use super::{Builder, Inner, Open};
use crate::Durability;

/// What may use the reserve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// What destroys something.
    IfItDestroys,
    /// Anything.
    Vital,
}

impl Inner {
    /// [`Inner::write_first`], and once more with the room of the reserve if the disk is full and the batch may use it.
    pub(super) fn write_first_with_reserve(
        &self,
        open: &mut Open,
        durability: Durability,
        build: &mut Builder<'_>,
        (apply, need): (Apply, Need),
        company: &dyn Fn() -> bool,
    ) -> Result<First> {
        let mut may = need == Need::Vital;
        let first = self.write_first(
            open,
            durability,
            &mut |view| {
                let batch = build(view)?;
                may |= batch.destroys();
                Ok(batch)
            },
            apply,
            company,
        );
        match first {
            Err(error) if error.rv() == ck::CKR_DEVICE_MEMORY && may && self.reserve.give_up() => {
                self.write_first(open, durability, build, apply, company)
            }
            other => other,
        }
    }
}
