//! Where the HSM keeps what it holds: sealed records, found by number or by blind tags, committed in batches.
//!
//! The store knows nothing of keys or PKCS#11: a record is a sealed blob and the few numbers that a search selects by.
//! Whoever can write the files can change those numbers too, so nothing here is believed: the module above seals them
//! together with the content. The interface is synchronous and narrow, so that a store which machines share can
//! take the place of the one file of today.

pub mod sqlite;

#[cfg(test)]
mod memory;
#[cfg(test)]
mod suite;

pub use sqlite::{NewHsm, Options, SqliteStore, close_inherited};

use base::ck;
use base::error::{Error, Result};

/// The longest sealed record: an object with a few of the longest values that a template has.
pub const MAX_SEALED: usize = 1 << 22;
/// The most tags that one record carries, or that one search names.
pub const MAX_TAGS: usize = 64;
/// How often a batch is built anew when its expected versions are not those of the store.
const ATTEMPTS: usize = 3;

/// What a record is about; each kind counts its own ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// The HSM itself: identity, settings, integrity sum, counters.
    Meta = 0,
    /// A user.
    User = 1,
    /// An object.
    Object = 2,
    /// A key shared with a user.
    Share = 3,
    /// Quorum settings and tokens.
    Quorum = 4,
    /// An entry of the audit log.
    Audit = 5,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Meta, Self::User, Self::Object, Self::Share, Self::Quorum, Self::Audit];
}

/// A sealed record, and the numbers that go with it in the clear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// Its number within its kind, from 1 to `i64::MAX`; never used again after it is deleted.
    pub id: u64,
    /// Its version, from 1 to `i64::MAX`; whoever changes the record raises it.
    pub version: u64,
    /// The class of an object.
    pub class: u64,
    /// The key type of an object.
    pub key_type: u64,
    /// The user it belongs to.
    pub owner: u64,
    /// Which key seals it.
    pub tier: u8,
    /// The sealed content, at most [`MAX_SEALED`] bytes.
    pub sealed: Vec<u8>,
}

/// What stands of a record in the clear: enough to count and to choose by, without reading its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its number.
    pub id: u64,
    /// The class of an object.
    pub class: u64,
    /// The key type of an object.
    pub key_type: u64,
    /// The user it belongs to.
    pub owner: u64,
    /// Which key seals it.
    pub tier: u8,
}

impl Record {
    /// What stands of it in the clear.
    #[must_use]
    pub const fn outline(&self) -> Outline {
        Outline { id: self.id, class: self.class, key_type: self.key_type, owner: self.owner, tier: self.tier }
    }
}

/// An entry of the blind index: a keyed hash of an attribute and its value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(pub [u8; 16]);

/// One change of a batch.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a record.
    Put {
        /// The record as it is to be.
        record: Record,
        /// The version that it has in the store; 0 if it must not exist.
        expected: u64,
        /// What it is found by; `None` leaves that as it is.
        tags: Option<Vec<Tag>>,
    },
    /// Removes a record and its tags.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its number.
        id: u64,
        /// The version that it has in the store.
        expected: u64,
    },
}

/// Changes that are made together or not at all.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    /// The changes, in order. A batch without any commits nothing.
    pub changes: Vec<Change>,
}

impl Batch {
    /// Whether it removes anything: then a full disk must not refuse it.
    fn destroys(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Delete { .. }))
    }
}

/// Which records a search wants.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Of this kind.
    pub kind: Kind,
    /// Of this class, if given.
    pub class: Option<u64>,
    /// Of this key type, if given.
    pub key_type: Option<u64>,
    /// Sealed by this key, if given.
    pub tier: Option<u8>,
    /// With a greater number than this.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
}

impl Selection {
    /// Everything of one kind.
    #[must_use]
    pub const fn all(kind: Kind) -> Self {
        Self { kind, class: None, key_type: None, tier: None, after: 0, limit: usize::MAX }
    }
}

/// Reading. Inside [`Store::write`], a view is of the state that the batch will be committed onto.
pub trait View {
    /// One record.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` if the store cannot be read or its content cannot be right.
    fn read(&self, kind: Kind, id: u64) -> Result<Option<Record>>;

    /// The version of one record.
    ///
    /// # Errors
    /// As [`View::read`].
    fn version(&self, kind: Kind, id: u64) -> Result<Option<u64>>;

    /// The selected records, by ascending number.
    ///
    /// # Errors
    /// As [`View::read`].
    fn scan(&self, selection: &Selection) -> Result<Vec<Record>>;

    /// The selected records without their content, by ascending number.
    ///
    /// # Errors
    /// As [`View::read`].
    fn outlines(&self, selection: &Selection) -> Result<Vec<Outline>>;

    /// The numbers of the selected records that carry all of `tags`, ascending. Without tags, of all selected.
    ///
    /// # Errors
    /// As [`View::read`].
    fn find(&self, tags: &[Tag], selection: &Selection) -> Result<Vec<u64>>;

    /// Numbers and versions of the records of one kind with a number above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// As [`View::read`].
    fn versions(&self, kind: Kind, after: u64, limit: usize) -> Result<Vec<(u64, u64)>>;

    /// How many records of one kind there are.
    ///
    /// # Errors
    /// As [`View::read`].
    fn count(&self, kind: Kind) -> Result<u64>;

    /// What a record is found by, as it lists it itself; nothing for a record that is not there.
    ///
    /// # Errors
    /// As [`View::read`].
    fn tags(&self, kind: Kind, id: u64) -> Result<Vec<Tag>>;
}

/// Gives one batch after the other, each from the state that those before have made, and nothing at the end: what is too
/// much for one batch.
pub type Source<'a> = dyn FnMut(&dyn View) -> Result<Option<Batch>> + 'a;

/// Whether a commit survives the loss of power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// It does, from the moment that [`Store::write`] returns.
    Synced,
    /// It is written in order but not waited for: the next synced commit makes it durable. It survives the death of
    /// the process, not that of the machine.
    Lazy,
}

/// Write exclusivity for several commits ([`Store::in_turn`]).
pub trait Turn {
    /// Calls `build` with the newest state and commits its batch, all of it or nothing.
    ///
    /// # Errors
    /// As [`Store::write`].
    fn write(&self, durability: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<()>;
}

/// A place for records that several processes share.
pub trait Store: View + Send + Sync {
    /// Takes write exclusivity, calls `build` with the newest state and commits its batch, all of it or nothing, if the
    /// expected versions are right; calls `build` again if they are not. Returns the generation after the commit.
    ///
    /// `build` reads through the view that it is given, never through the store. What it reads may be changes of other
    /// threads that are to be committed together with its own; if one of them cannot be made, it is called again.
    ///
    /// # Errors
    /// What `build` returns; `CKR_DEVICE_ERROR` if the store cannot be written, is held by another process or
    /// disagrees with the batch for good; `CKR_DEVICE_MEMORY` if the disk is full.
    fn write(&self, durability: Durability, build: &mut dyn FnMut(&dyn View) -> Result<Batch>) -> Result<u64>;

    /// Takes write exclusivity and lets `work` make several commits, one after the other, with nobody else's in between. They leave
    /// the generation as it is, so they may change only what nobody keeps a copy of.
    ///
    /// # Errors
    /// What `work` returns; those of [`Store::write`] if the store cannot be had alone.
    fn in_turn(&self, work: &mut dyn FnMut(&dyn Turn) -> Result<()>) -> Result<()>;

    /// Runs `read` on the store as it is at one moment: several reads for the price of one.
    ///
    /// `read` reads through the view that it is given, never through the store.
    ///
    /// # Errors
    /// What `read` returns, and those of [`View::read`].
    fn look(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()>;

    /// A number that every commit of any process changes. Hot: costs two loads when no commit is under way.
    ///
    /// If it cannot be told, the number is one that was never returned before, so that no cache passes for current.
    fn generation(&self) -> u64;

    /// Tries whether the batches of `source` could be committed, one after the other, and undoes them.
    ///
    /// # Errors
    /// As [`Store::write`]; also where the next commits have no number left.
    fn rehearse(&self, source: &mut Source<'_>) -> Result<()>;

    /// Refuses to go on if what stands at the store's path is not what was opened: a folder that was moved away, and another put in its
    /// place. A write asks this of itself; for what only reads and must not trust a state that nobody keeps any more.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path, what is wrong and what cures it.
    fn check_place(&self) -> Result<()> {
        Ok(())
    }

    /// Lets go of the files: at `C_Finalize`, or in the child of a fork before it opens anew. Every later use fails.
    fn close(&self);
}

/// How making a batch's changes went.
enum Applied {
    /// All of them are made.
    Done,
    /// A record has another version than the batch expects; nothing may be committed.
    Conflict,
}

/// Refuses a batch that no store could hold. `place` says which store, for the log.
fn check(batch: &Batch, place: &dyn std::fmt::Display) -> Result<()> {
    const TOP: u64 = i64::MAX.unsigned_abs();
    for change in &batch.changes {
        match change {
            Change::Put { record, expected, tags } => {
                if !(1..=TOP).contains(&record.id) || !(1..=TOP).contains(&record.version) || *expected > TOP {
                    return Err(Error::internal("a record's number or version is out of range"));
                }
                if record.sealed.len() > MAX_SEALED {
                    return Err(Error::with(
                        ck::CKR_DEVICE_MEMORY,
                        format!(
                            "{place}: a record of {} bytes is more than the store takes ({MAX_SEALED}); store less",
                            record.sealed.len()
                        ),
                    ));
                }
                if tags.as_ref().is_some_and(|tags| tags.len() > MAX_TAGS) {
                    return Err(Error::internal("a record has more tags than the store takes"));
                }
            }
            Change::Delete { id, expected, .. } => {
                if *id > TOP || *expected > TOP || *expected == 0 {
                    return Err(Error::internal("a deletion's number or version is out of range"));
                }
            }
        }
    }
    Ok(())
}

/// The error when the expected versions stay wrong.
#[cold]
fn conflict(place: &dyn std::fmt::Display) -> Error {
    Error::device(format!("{place}: a record was changed while it was being written; repeat the call"))
}
