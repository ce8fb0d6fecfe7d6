//! When a token was made, so that its life can be told by a clock that nobody can set.

use base::codec::{Reader, Writer};
use base::error::Result;
use platform::process;

/// A point in time by every clock there is.
pub(super) struct Moment {
    boot: [u8; 16],
    since_boot_ms: u64,
    pub(super) wall_ms: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            boot: process::boot_id().unwrap_or_default(),
            since_boot_ms: process::monotonic_ms(),
            wall_ms: process::wall_clock_ms(),
        }
    }

    /// How long ago this was, in milliseconds: by the clock that nobody can set as long as the machine runs, by the wall
    /// clock after that. Nothing for a time that is yet to come.
    pub(super) fn age(&self, now: &Self) -> Option<u64> {
        if self.boot == now.boot && self.boot != [0; 16] {
            return now.since_boot_ms.checked_sub(self.since_boot_ms);
        }
        now.wall_ms.checked_sub(self.wall_ms)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.boot).long(self.since_boot_ms).long(self.wall_ms);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { boot: reader.array()?, since_boot_ms: reader.long()?, wall_ms: reader.long()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes by the clock since boot, and by the wall clock only after another boot.
    #[test]
    fn a_token_lives_ten_minutes_whatever_is_done_to_the_wall_clock() {
        let at = |boot: u8, since_boot_ms, wall_ms| Moment { boot: [boot; 16], since_boot_ms, wall_ms };
        let made = at(7, 50_000, 1_000_000);
        assert_eq!(made.age(&at(7, 51_000, 1_000_000)), Some(1_000));
        assert_eq!(made.age(&at(7, 650_001, 999)), Some(600_001), "the wall clock was set back");
        assert_eq!(made.age(&at(7, 51_000, 99_000_000)), Some(1_000), "the wall clock was set forward");
        assert_eq!(made.age(&at(8, 10, 1_400_000)), Some(400_000), "the machine was started anew");
        assert_eq!(made.age(&at(8, 10, 999_999)), None, "and its clock is behind");
        assert_eq!(at(0, 5, 10).age(&at(0, 900_000, 12)), Some(2), "without a boot id there is the wall clock alone");
    }
}
