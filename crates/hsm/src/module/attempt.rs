//! An attempt at a secret: counted on disk before it is judged, as a smart card counts.
//!
//! The order is the protection. An attempt is first written down as *begun*, and the disk is waited for; only then is the secret
//! compared; then the outcome is written. So while the count cannot be kept (a full disk, a quota, a file system that has become
//! read-only, a disk that fails, a lock that somebody holds) nothing is compared, and a right secret gets the answer of a wrong one. A
//! process that is killed in between leaves an attempt without an outcome, which the next attempt counts as a wrong one.
//!
//! All three steps are one turn at the write lock. Nobody else sees an attempt that is under way, so many right PINs at once do not
//! lock a user; and attempts at once are judged one after the other, so that none is judged after the fifth wrong one.

use base::error::{Error, Result};
use store::{Durability, Turn};

use super::Hsm;
use super::audit::{Event, Response};
use super::commit::Plan;
use super::login::{WRONG, failed_login};
use super::user::{Derivation, Role, User};
use crate::config::LogLevel;
use crate::log;
use crate::object::UserId;

/// What a right secret means for the wrong attempts before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// They are forgotten: the login is complete.
    Forget,
    /// They are kept: another secret must be proved too.
    Keep,
}

/// What a secret turns out to be.
pub(super) enum Verdict<T> {
    Right(T),
    Wrong,
    /// It could not be compared with the user as it is: no attempt.
    Outdated,
}

impl Hsm {
    /// Counts an attempt of a user, lets `judge` compare the secret with the user as it is on disk, and writes the outcome. Nothing
    /// for a secret that is outdated. `told` says whether the caller will know by the answer that the secret is a wrong one, whatever the
    /// store does: it is owed then if it cannot be counted.
    ///
    /// # Errors
    /// The store's, if the attempt cannot be counted: then `judge` was not asked. CKR_PIN_LOCKED for a user who is locked,
    /// CKR_PIN_INCORRECT for a wrong secret, and those of `judge`.
    pub(super) fn attempt<T>(
        &self,
        id: UserId,
        then: Then,
        told: bool,
        judge: &mut dyn FnMut(&User) -> Result<Verdict<T>>,
    ) -> Result<Option<T>> {
        let mut outcome = None;
        let turn = self.store.in_turn(&mut |turn| {
            let owed = self.relogins.owed(id);
            let user = self.count_ahead(turn, id, owed)?;
            self.relogins.settle(id, owed);
            outcome = Some(self.judge(turn, id, &user, then, judge));
            Ok(())
        });
        match (outcome, turn) {
            (Some(outcome), _) => outcome,
            (None, turn) => {
                // A PIN that is remembered is not asked for an attempt, and would be told from one that is not.
                self.relogins.close(told.then_some(id));
                turn.and(Err(Error::internal("an attempt without an outcome")))
            }
        }
    }

    /// The same work for a user who does not exist, with the record of one that does.
    ///
    /// # Errors
    /// CKR_PIN_INCORRECT in any case, or the store's as for a user that exists.
    pub(super) fn attempt_of_nobody(&self, alike: Option<UserId>, event: &Event) -> Result<()> {
        let mut counted = false;
        let turn = self.store.in_turn(&mut |turn| {
            self.commit_in(turn, Durability::Synced, &mut |view, _| {
                let Some(id) = alike else { return Ok(Plan::default()) };
                let Some((version, user)) = self.read_user_in(view, id)? else { return Ok(Plan::default()) };
                Ok(Plan { changes: vec![self.put_user(id, version, &user, None)], ..Plan::default() })
            })?;
            counted = true;
            note_unwritten(self.commit_in(turn, Durability::Synced, &mut |_, _| {
                Ok(Plan { events: vec![event.clone()], ..Plan::default() })
            }));
            Ok(())
        });
        if !counted {
            self.relogins.close(None);
        }
        turn.and(Err(WRONG))
    }

    /// Whose costs an unknown name has: those of one of the role's users, always the same one for the same name. A name then tells
    /// nothing by how long it takes, also where users have PINs of different costs.
    pub(super) fn stand_in(&self, name: &str, role: Role) -> Result<Option<(UserId, Derivation)>> {
        // As `normalize_name` has it for names that exist.
        let name = name.to_ascii_lowercase();
        let users = self.users_in(&*self.store)?;
        let role_is_there = users.iter().any(|(_, user)| user.role == role);
        let weight = |id: &UserId| self.public.tag(b"stand-in", &[name.as_bytes(), &id.0.to_be_bytes()].concat()).0;
        let alike = users.iter().filter(|(_, user)| !role_is_there || user.role == role);
        Ok(alike.max_by_key(|(id, _)| weight(id)).map(|(id, user)| (*id, user.derivation)))
    }

    /// Writes an attempt down as begun, and those before it that have no outcome as wrong ones. A user who is locked begins none.
    fn count_ahead(&self, turn: &dyn Turn, id: UserId, owed: u32) -> Result<User> {
        let mut counted = None;
        self.commit_in(turn, Durability::Synced, &mut |view, _| {
            let (version, mut user) = self.read_user_in(view, id)?.ok_or(WRONG)?;
            let without_outcome = user.begun.saturating_add(owed);
            user.failed = user.failed.saturating_add(without_outcome);
            user.begun = u32::from(!user.locked());
            let mut plan = Plan::default();
            if without_outcome > 0 {
                plan.events.push(failed_login(&user.name, user.role, Response::LoginFailure).saying("no outcome"));
            }
            if without_outcome > 0 || user.begun > 0 {
                plan.changes.push(self.put_user(id, version, &user, None));
            }
            counted = Some(user);
            Ok(plan)
        })?;
        counted.ok_or(Error::internal("an attempt that nobody makes"))
    }

    fn judge<T>(
        &self,
        turn: &dyn Turn,
        id: UserId,
        user: &User,
        then: Then,
        judge: &mut dyn FnMut(&User) -> Result<Verdict<T>>,
    ) -> Result<Option<T>> {
        if user.locked() {
            return Err(self.locked_out(user.role));
        }
        let verdict = judge(user)?;
        let wrong = matches!(verdict, Verdict::Wrong);
        let forget = matches!(verdict, Verdict::Right(_)) && then == Then::Forget;
        // Lost with the machine, the outcome of a first attempt makes it a wrong one, which the next login forgets for good.
        // What is not waited for is not anchored, and this changes what an anchor vouches for.
        let waits = wrong || user.failed > 0 || self.anchor.is_some();
        let durability = if waits { Durability::Synced } else { Durability::Lazy };
        note_unwritten(self.commit_in(turn, durability, &mut |view, _| {
            let (version, mut user) = self.read_user_in(view, id)?.ok_or(WRONG)?;
            user.begun = 0;
            let mut events = Vec::new();
            if wrong {
                user.failed = user.failed.saturating_add(1);
                events.push(failed_login(&user.name, user.role, Response::LoginFailure));
            }
            if forget {
                user.failed = 0;
            }
            Ok(Plan { changes: vec![self.put_user(id, version, &user, None)], events, ..Plan::default() })
        }));
        match verdict {
            Verdict::Right(proved) => Ok(Some(proved)),
            Verdict::Outdated => Ok(None),
            Verdict::Wrong => Err(WRONG),
        }
    }
}

/// The attempt is counted already, and without its outcome it stays so.
fn note_unwritten(written: Result<()>) {
    if let Err(error) = written {
        log::write(
            LogLevel::Warn,
            format_args!("the outcome of a login cannot be written, so that it counts as a wrong one: {error}"),
        );
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
