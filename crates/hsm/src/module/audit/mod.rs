//! The audit log: what was done, by whom and with what outcome, each record chained to the one before.
//!
//! What a commit changes, its records tell in the same commit: the one cannot be without the other. What changes nothing
//! on disk (a login, a session key, the use of a key) is recorded where the settings ask for it, in commits of its own
//! that no disk is waited for. [`opcode`] is the table of what can be said, [`record`] has the bytes, [`reading`] the way
//! back.

mod event;
mod opcode;
mod reading;
mod record;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use event::{Party, UserType};
pub use opcode::{CommandType, LogType, OPCODES, OpcodeRow, Origin};
pub use reading::{AuditCheck, AuditHead};
pub use record::Entry;
pub use response::Response;

pub(super) use event::Event;
pub(super) use opcode::Opcode;
pub(super) use record::FORM;

use base::ck;
use base::error::Result;
use store::Durability;

use super::commit::Plan;
use super::{Hsm, Login, Module};
use crate::config::{Audit, LogLevel, Settings};
use crate::log;
use crate::mechanism::{Mechanism, Use};
use crate::object::{Object, attribute};

/// What this process records besides changes.
#[derive(Clone, Copy)]
pub(super) struct Auditing {
    /// Everything that AWS's log holds.
    pub(super) aws: bool,
    /// Refuse what cannot be recorded.
    required: bool,
}

impl Auditing {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { aws: settings.audit == Audit::Aws, required: settings.audit_required }
    }

    /// Whether what cannot be recorded is refused.
    pub(super) const fn is_required(self) -> bool {
        self.required
    }
}

/// The number of a session object in the log, above all that the store gives out.
pub(super) fn session_object() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The attributes in which two forms of an object differ, in the words of AWS's log of certificates: `Label`.
pub(super) fn changed_attributes(old: &Object, new: &Object) -> String {
    let mut changed = Vec::new();
    for row in attribute::ATTRIBUTES {
        if old.attributes.get(row.id) != new.attributes.get(row.id) {
            let words = row.name.trim_start_matches("CKA_").split('_');
            let word = |word: &str| match word.split_at_checked(1) {
                Some((first, rest)) => format!("{first}{}", rest.to_lowercase()),
                None => String::new(),
            };
            changed.push(words.map(word).collect::<String>());
        }
    }
    changed.join(",")
}

/// How a login ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The user logs out.
    Logout,
    /// The last session is closed.
    CloseSession,
    /// The application ends its work with the library.
    Finalize,
}

impl Login {
    /// Says that the user works from here on. A login that only proves a password is not in the log.
    ///
    /// # Errors
    /// If that must be recorded (`audit_required`) and cannot be.
    pub fn begin(&self) -> Result<()> {
        if self.hsm.auditing.aws {
            self.hsm.record(vec![Event::by(self, Opcode::Login)])?;
        }
        Ok(())
    }

    /// Ends this login: every later call with it fails.
    pub fn end_by(&self, ending: Ending) {
        if !self.has_ended() {
            self.end();
            self.note_end(ending);
        }
    }

    /// Records how the login has ended. What cannot be recorded is in the log of this process: an end is one all the same.
    pub fn note_end(&self, ending: Ending) {
        if self.hsm.auditing.aws {
            let opcode = match ending {
                Ending::Logout => Opcode::Logout,
                Ending::CloseSession => Opcode::CloseSession,
                Ending::Finalize => Opcode::AppFinalize,
            };
            if let Err(error) = self.hsm.record(vec![Event::by(self, opcode)]) {
                log::write(LogLevel::Warn, format_args!("the end of a login is not in the audit log: {error}"));
            }
        }
    }
}

impl Module {
    pub(super) fn auditing(&self) -> Auditing {
        Auditing::of(&self.settings)
    }

    /// Records what is in AWS's log and changes nothing on disk, if that is wanted.
    ///
    /// # Errors
    /// If it must be recorded and cannot be.
    pub(super) fn observe(&self, events: impl FnOnce() -> Vec<Event>) -> Result<()> {
        if !self.auditing().aws {
            return Ok(());
        }
        self.hsm()?.record(events())
    }

    /// Records that a key is put to use, if that is wanted (`audit_key_use`): once for an operation, when it begins.
    ///
    /// # Errors
    /// If it must be recorded and cannot be.
    #[inline]
    pub fn observe_use(&self, login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<()> {
        if self.settings.audit_key_use { self.record_use(login, object, mechanism, what) } else { Ok(()) }
    }

    #[cold]
    fn record_use(&self, login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<()> {
        let event = Event::of(login, Opcode::UseKey).on(object.audit_number());
        self.hsm()?.record(vec![event.saying(format!("{what:?} {}", mechanism.name))])
    }

    /// Records the end of session keys with their session.
    pub fn note_destroyed(&self, login: Option<&Login>, objects: &[Arc<Object>]) {
        if objects.is_empty() {
            return;
        }
        let events = || {
            let one = |object: &Arc<Object>| Event::on_objects(login, Opcode::DestroyObject, &[object]);
            objects.iter().filter(|object| object.is_key()).map(one).collect()
        };
        if let Err(error) = self.observe(events) {
            log::write(LogLevel::Warn, format_args!("the end of session keys is not in the audit log: {error}"));
        }
    }

    /// Records that something about a certificate failed, if that is wanted, and passes the failure on.
    pub(super) fn observe_certificate<T>(
        &self,
        login: Option<&Login>,
        class: u64,
        opcode: Opcode,
        object: u64,
        outcome: Result<T>,
    ) -> Result<T> {
        if let (Err(error), ck::CKO_CERTIFICATE) = (&outcome, class) {
            let opcode = opcode.of_certificate();
            self.observe(|| {
                let event = Event::of(login, opcode).on(object);
                vec![event.answering(Response::of_failed_certificate(opcode, error))]
            })?;
        }
        outcome
    }
}

impl Hsm {
    /// Commits records that go with no change. Without `audit_required` a log that cannot be written is said in the log of
    /// this process, and holds nobody up.
    ///
    /// # Errors
    /// If they must be recorded and cannot be.
    pub(super) fn record(&self, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let written =
            self.commit(None, Durability::Lazy, &mut |_, _| Ok(Plan { events: events.clone(), ..Plan::default() }));
        match written {
            Err(error) if !self.auditing.required => {
                log::write(LogLevel::Warn, format_args!("a record is not in the audit log: {error}"));
                Ok(())
            }
            Err(error) => Err(error.context("refused, because it cannot be recorded (audit_required)")),
            Ok(()) => Ok(()),
        }
    }
}
