//! Several commits in one turn at the write lock, which leave the generation as it is.

use base::error::Result;
use platform::fork::try_store_gate;
use platform::{flock, process};

use super::group::First;
use super::room::Need;
use super::{Builder, Inner, write};
use crate::{Durability, Turn};

/// The write lock and the store gate, held.
struct InTurn<'a>(&'a Inner);

impl Turn for InTurn<'_> {
    fn write(&self, durability: Durability, build: &mut Builder<'_>) -> Result<()> {
        let Self(inner) = self;
        let how = (write::apply_quietly as _, Need::Vital);
        inner.with(|open| match inner.write_first_with_reserve(open, durability, build, how, &|| false)? {
            First::Committed(_) | First::Open(_) => Ok(()),
        })
    }
}

impl Inner {
    /// Works as [`crate::Store::in_turn`] says.
    pub(super) fn in_turn(&self, work: &mut dyn FnMut(&dyn Turn) -> Result<()>) -> Result<()> {
        // As for a single write.
        if let Some(_gate) = try_store_gate() {
            self.with(|_| Ok(()))?;
        }
        let _held = self.lock.acquire(process::now() + flock::PATIENCE, &self.map)?;
        work(&InTurn(self))
    }
}
