//! Writing: one batch in one transaction, or those of several threads that wait for the disk together.
//!
//! What a commit costs is the wait for the disk. So a thread that has made its changes while others stand in line does not commit
//! them: it passes the open transaction on, with the write lock and the store gate, and waits until one of those behind it has
//! committed for all. Nobody else sees anything of it before that. The threads of a group stand or fall together in the database,
//! but each gets an answer of its own: if the changes of one cannot be made, all are undone, and each thread tries again alone.
//!
//! A commit that is not waited for (`Durability::Lazy`) begins no group, but may be made in one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ck::{self, CK_RV};
use base::error::{Error, Result};
use platform::cancellation;
use platform::flock::{self, WriteGuard};
use platform::fork::try_store_gate;
use platform::lock::Lock;
use platform::process;

use super::read::Reader;
use super::room::Need;
use super::write::{self, Transaction};
use super::{Builder, Inner, Open};
use crate::{ATTEMPTS, Applied, Batch, Durability, check, conflict};

/// The most threads of one group, so that other processes and readers get their turn.
const MOST_MEMBERS: u32 = 64;
/// After so long a member takes back a transaction that was passed on and not taken: by a thread that was stopped in line, or is in a
/// signal's handler that forks, which waits for the gate. Longer in the tests, where a busy machine must not decide who commits.
const HELD_UP: Duration = Duration::from_millis(if cfg!(test) { 3000 } else { 200 });
/// How long a member sleeps at first, and at most, between two looks at what has become of its group.
const NAPS: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(400));

/// How a group ended.
#[derive(Clone)]
enum Outcome {
    /// Every change is in the database.
    Committed,
    /// None is: those of one member could not be made, it panicked, or the disk is full.
    Undone,
    /// None is, as far as anybody can tell: the commit failed.
    Failed(CK_RV, Arc<str>),
}

/// What the members of a group wait for.
#[derive(Default)]
struct Group(Lock<Option<Outcome>>);

impl Group {
    fn wait(&self, inner: &Inner) -> Outcome {
        let (mut nap, longest) = NAPS;
        let mut passed_since = None;
        loop {
            if let Some(outcome) = self.0.lock().clone() {
                return outcome;
            }
            if !inner.lock.is_passed() {
                passed_since = None;
            } else if passed_since.get_or_insert_with(Instant::now).elapsed() > HELD_UP
                && let Some(held) = inner.lock.take_back()
            {
                let passed = inner.passed.lock().take();
                return Turn { inner, passed }.commit(held);
            }
            cancellation::nap(nap);
            nap = (nap * 2).min(longest);
        }
    }
}

/// An open transaction on its way from one thread to the next.
pub(super) struct Passed {
    group: Arc<Group>,
    /// How many have had their turn in it.
    members: u32,
    /// The generation after those changes.
    generation: u64,
}

/// A thread's turn in a transaction that others have part in. Dropped before its end, it undoes the transaction.
struct Turn<'a> {
    inner: &'a Inner,
    passed: Option<Passed>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(passed) = self.passed.take() {
            self.inner.roll_back();
            *passed.group.0.lock() = Some(Outcome::Undone);
        }
    }
}

impl<'a> Turn<'a> {
    /// Makes a member's changes: its own answer, which stands if the group is committed, or nothing if they cannot be made.
    fn join(&mut self, build: &mut Builder<'_>) -> Option<Result<u64>> {
        let inner = self.inner;
        let passed = self.passed.as_mut()?;
        passed.members += 1;
        let changed = inner.with(|open| {
            let reader = inner.reader(open);
            let built = build(&reader).and_then(|batch| check(&batch, &inner.database.display()).map(|()| batch));
            if write::is_lost(reader) {
                return Ok(None);
            }
            let batch = match built {
                Ok(batch) if batch.changes.is_empty() => return Ok(Some(Ok(passed.generation))),
                Ok(batch) => batch,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            let (Applied::Done, generation) = write::apply(reader, &batch)? else { return Ok(None) };
            passed.generation = generation;
            Ok(Some(Ok(generation)))
        });
        changed.ok().flatten()
    }

    /// Ends the turn: passes the transaction on, or commits it if nobody is there to take it.
    fn end(mut self, held: WriteGuard<'a>) -> Outcome {
        let Some(passed) = self.passed.take_if(|passed| passed.members < MOST_MEMBERS) else {
            return self.commit(held);
        };
        let group = Arc::clone(&passed.group);
        *self.inner.passed.lock() = Some(passed);
        match held.pass() {
            Ok(()) => group.wait(self.inner),
            Err(held) => {
                self.passed = self.inner.passed.lock().take();
                self.commit(held)
            }
        }
    }

    /// Ends the turn, and the transaction.
    fn commit(mut self, held: WriteGuard<'a>) -> Outcome {
        let Some(passed) = self.passed.take() else { return Outcome::Undone };
        let inner = self.inner;
        let outcome = match inner.with(|open| inner.commit(Transaction::resume(inner.reader(open)), passed.generation))
        {
            Ok(()) => Outcome::Committed,
            Err(error) => {
                inner.roll_back();
                // Alone, one that destroys something may have the room of the reserve.
                if error.rv() == ck::CKR_DEVICE_MEMORY {
                    Outcome::Undone
                } else {
                    Outcome::Failed(error.rv(), error.message().into())
                }
            }
        };
        // Before anybody can begin another group, whose transaction a member that still waits would take for its own.
        *passed.group.0.lock() = Some(outcome.clone());
        if passed.members < MOST_MEMBERS {
            drop(held);
        } else {
            held.give_way(&inner.map);
        }
        outcome
    }
}

/// How the changes of a batch are made.
pub(super) type Apply = fn(Reader<'_>, &Batch) -> Result<(Applied, u64)>;

/// What the first of a group, or a thread that is alone, has done.
pub(super) enum First {
    /// Committed; the generation after it.
    Committed(u64),
    /// Made its changes, in a transaction that is still open; the generation after them.
    Open(u64),
}

const USUAL: (Apply, Need) = (write::apply, Need::IfItDestroys);

impl Inner {
    /// Writes as [`crate::Store::write`] says.
    pub(super) fn write(&self, durability: Durability, build: &mut Builder<'_>) -> Result<u64> {
        // Checked first, so that a store which is closed or in use says so; unless that, too, had to be waited for.
        if let Some(_gate) = try_store_gate() {
            self.with(|_| Ok(()))?;
        }
        let held = self.lock.acquire_in_line(process::now() + flock::PATIENCE, &self.map)?;
        let passed = self.passed.lock().take();
        let answer = match passed {
            Some(passed) => self.join(held, passed, build),
            None => self.begin(held, durability, build),
        };
        answer.unwrap_or_else(|| {
            let _held = self.lock.acquire(process::now() + flock::PATIENCE, &self.map)?;
            self.with(|open| match self.write_first_with_reserve(open, durability, build, USUAL, &|| false)? {
                First::Committed(generation) | First::Open(generation) => Ok(generation),
            })
        })
    }

    /// Writes in a transaction of its own, which others may join. Nothing: to be tried again alone.
    fn begin(&self, held: WriteGuard<'_>, durability: Durability, build: &mut Builder<'_>) -> Option<Result<u64>> {
        let company = || durability == Durability::Synced && !held.is_alone();
        match self.with(|open| self.write_first_with_reserve(open, durability, build, USUAL, &company)) {
            Err(error) => Some(Err(error)),
            Ok(First::Committed(generation)) => Some(Ok(generation)),
            Ok(First::Open(generation)) => {
                let passed = Passed { group: Arc::default(), members: 1, generation };
                answer(Turn { inner: self, passed: Some(passed) }.end(held), Ok(generation))
            }
        }
    }

    /// Writes in a transaction that others have begun. Nothing: to be tried again alone.
    fn join(&self, held: WriteGuard<'_>, passed: Passed, build: &mut Builder<'_>) -> Option<Result<u64>> {
        let mut turn = Turn { inner: self, passed: Some(passed) };
        let own = turn.join(build)?;
        answer(turn.end(held), own)
    }

    /// Makes the changes of a batch in a new transaction, and commits it unless there is `company`.
    pub(super) fn write_first(
        &self,
        open: &mut Open,
        durability: Durability,
        build: &mut Builder<'_>,
        apply: Apply,
        company: &dyn Fn() -> bool,
    ) -> Result<First> {
        if open.durability != durability {
            write::set_durability(self.reader(open), durability)?;
            open.durability = durability;
        }
        let reader = self.reader(open);
        for _ in 0..ATTEMPTS {
            let transaction = Transaction::begin(reader)?;
            self.check_life(reader.generation()?)?;
            let batch = build(&reader)?;
            if batch.changes.is_empty() {
                return reader.generation().map(First::Committed);
            }
            check(&batch, &self.database.display())?;
            let (Applied::Done, generation) = apply(reader, &batch)? else { continue };
            if company() {
                transaction.leave_open();
                return Ok(First::Open(generation));
            }
            self.commit(transaction, generation)?;
            return Ok(First::Committed(generation));
        }
        Err(conflict(&self.database.display()))
    }

    /// Commits, and tells all processes of the new generation.
    ///
    /// What is acknowledged is in the folder that stands at the path: it is looked at before the commit, so that nothing is changed in
    /// a folder that was moved away, and once more after it, because it may be moved in between.
    pub(super) fn commit(&self, transaction: Transaction<'_>, generation: u64) -> Result<()> {
        self.check_place("nothing was changed", "")?;
        self.map.begin();
        // If this fails nobody knows what a recovery will find: the map stays unequal, and readers ask the database.
        transaction.commit()?;
        self.map.finish(generation);
        self.reserve.restore();
        self.check_place("the change is in what was opened and not at the path", ", then repeat it")
    }

    /// Undoes the transaction that is open, if one is. For the holder of the write lock.
    fn roll_back(&self) {
        if let Some(open) = self.connection.try_lock().as_deref().and_then(Option::as_ref) {
            drop(Transaction::resume(self.reader(open)));
        }
    }

    fn reader<'a>(&'a self, open: &'a Open) -> Reader<'a> {
        Reader { connection: &open.connection, path: &self.database }
    }
}

/// A member's answer, given its own and how its group has ended; nothing if it must try again alone.
fn answer(outcome: Outcome, own: Result<u64>) -> Option<Result<u64>> {
    match outcome {
        Outcome::Committed => Some(own),
        Outcome::Undone => None,
        Outcome::Failed(rv, text) => Some(Err(Error::with(rv, text.as_ref().to_owned()))),
    }
}
