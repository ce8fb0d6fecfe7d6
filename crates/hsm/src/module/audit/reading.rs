//! Reading the log page by page, and checking that it is the one that was written: each record's seal, its place in the
//! chain, and the end of the chain against the head.

use base::error::{Error, Result};
use store::{Kind, Selection};

use super::super::commit::Head;
use super::super::policy::{self, Command};
use super::super::{Hsm, Login, Module};
use super::Entry;

/// A place in the log that can be kept elsewhere: whoever knows it notices a log that was put back to before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// How many records there are up to it.
    pub records: u64,
    /// The MAC over all of them.
    pub mac: [u8; 32],
}

/// What a check of the log found.
pub struct AuditCheck {
    /// The end of what is whole.
    pub head: AuditHead,
    /// The place, from 0, of the first record that is missing, exchanged or changed.
    pub broken_at: Option<u64>,
    /// Whether the place that was asked about is one of this log.
    pub includes: Option<bool>,
}

/// A record on the way through the log, with the MAC of the chain up to it.
struct Step {
    entry: Entry,
    head: AuditHead,
}

/// How a walk through the log ended.
enum Walk {
    /// Whoever asked had enough.
    Stopped,
    /// At the end, which is the one in the head.
    Whole,
    /// At a record, by its place from 0, that is not the one that was written.
    Broken(u64),
}

impl Module {
    /// Hands the records from place `from` (0 is the first) on to `each`, until there are no more or it returns false. Returns
    /// how many records there are in all.
    ///
    /// # Errors
    /// What the policy refuses, what `each` returns; CKR_DEVICE_ERROR naming the place of a record that is not the one that
    /// was written.
    pub fn read_audit(&self, login: &Login, from: u64, each: &mut dyn FnMut(&Entry) -> Result<bool>) -> Result<u64> {
        policy::may(login, Command::ReadAudit)?;
        self.hsm()?;
        let hsm = self.frozen()?;
        let head = Head::read(&*hsm.store, &hsm.public)?;
        match hsm.walk(&head, from, &mut |step| each(&step.entry))? {
            Walk::Stopped | Walk::Whole => Ok(head.audit_sequence),
            Walk::Broken(place) => Err(Error::device(format!(
                "the audit log is broken at record {place:#x}; `cloudhsm-cli audit verify` and `doctor --verify` say more"
            ))),
        }
    }

    /// Checks the whole log; with `known`, also whether it still includes that place. Needs no login.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn verify_audit(&self, known: Option<&AuditHead>) -> Result<AuditCheck> {
        self.hsm()?;
        self.frozen()?.check_audit(known)
    }
}

impl Hsm {
    pub(in crate::module) fn check_audit(&self, known: Option<&AuditHead>) -> Result<AuditCheck> {
        let mut reached = AuditHead { records: 0, mac: [0; 32] };
        let mut includes = known.map(|known| *known == reached);
        let broken_at = self.check_audit_with(&mut |head| {
            reached = *head;
            if known.is_some_and(|known| *known == reached) {
                includes = Some(true);
            }
        })?;
        Ok(AuditCheck { head: reached, broken_at, includes })
    }

    /// Checks the whole log and shows each place on the way; the place at which it is broken, if it is.
    pub(in crate::module) fn check_audit_with(&self, each: &mut dyn FnMut(&AuditHead)) -> Result<Option<u64>> {
        let head = Head::read(&*self.store, &self.public)?;
        let walk = self.walk(&head, 0, &mut |step| {
            each(&step.head);
            Ok(true)
        })?;
        Ok(match walk {
            Walk::Broken(place) => Some(place),
            Walk::Stopped | Walk::Whole => None,
        })
    }

    /// Walks from place `from` to the end. What stands before it is not looked at: a seal says of each record what its place
    /// is, and its content what came before.
    fn walk(&self, head: &Head, from: u64, each: &mut dyn FnMut(&Step) -> Result<bool>) -> Result<Walk> {
        const PAGE: usize = 256;
        let mut mac = (from == 0).then_some([0; 32]);
        let mut after = from;
        loop {
            let selection = Selection { after, limit: PAGE, ..Selection::all(Kind::Audit) };
            let page = self.store.scan(&selection)?;
            for record in &page {
                // Numbers begin at 1, places at 0.
                let opened = self.public.open(record).ok();
                let decoded =
                    opened.as_ref().and_then(|plain| Entry::decode(record.id, record.class, plain.expose()).ok());
                let (Some(plain), Some((previous, entry))) = (opened, decoded) else { return Ok(Walk::Broken(after)) };
                if record.id != after + 1 || mac.is_some_and(|mac| mac != previous) {
                    return Ok(Walk::Broken(after));
                }
                let own = self.public.chain(&previous, record.id, plain.expose());
                (mac, after) = (Some(own), record.id);
                if !each(&Step { entry, head: AuditHead { records: after, mac: own } })? {
                    return Ok(Walk::Stopped);
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
        let ends_right = after == head.audit_sequence && mac.is_none_or(|mac| mac == head.audit_mac);
        // A place beyond the end is no fault of the log.
        Ok(if ends_right || from > head.audit_sequence { Walk::Whole } else { Walk::Broken(after) })
    }
}
