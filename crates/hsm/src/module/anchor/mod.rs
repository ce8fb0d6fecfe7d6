//! An anchor: heads of the HSM that are kept where whoever has its folder cannot reach them.
//!
//! Whoever holds `device.key` can seal any record of the public tier anew, and the audit log with it: inside the folder nothing can tell.
//! A head says of one moment how many commits there were, what the log was, and what every record was (`Head::state`). After each
//! commit that is waited for, one goes to where `audit_anchor` says; any can be asked for, kept by hand, and signed. A line also says
//! what the state was before its commit, so that lines which follow each other show a change that no commit has made.
//!
//! What it cannot tell is what was done after the last line: docs/audit.md.

mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base::ck;
use base::error::{Error, Result};
use crypto::digest::Hash;
use platform::outside::{Outside, Ready};
use store::View;

use self::line::{Line, Mark};
use super::audit::AuditHead;
use super::commit::Head;
use super::registered_key::RegisteredKey;
use super::{Hsm, Module};
use crate::config::{LogLevel, Settings};
use crate::log;

/// The head of the HSM, to be kept elsewhere.
pub struct StoreHead {
    /// The HSM's serial number.
    pub serial: String,
    /// How many commits there have been.
    pub commit: u64,
    /// The place in the audit log.
    pub audit: AuditHead,
    /// The line of an anchor that says all of it.
    pub line: String,
}

/// What a comparison with an anchor found.
pub struct AnchorCheck {
    /// How many lines are this HSM's.
    pub lines: u64,
    /// Whether anything was changed after the last of them.
    pub changed_since: bool,
    /// How many records of the audit log are younger than the last of them.
    pub records_since: u64,
    /// What is wrong, one line each.
    pub wrong: Vec<String>,
}

/// What a commit has made of the head.
#[derive(Clone, Copy, Default)]
pub(super) struct Step {
    pub(super) commit: u64,
    pub(super) records: u64,
    pub(super) log: [u8; 32],
    pub(super) was: [u8; 32],
    pub(super) state: [u8; 32],
}

impl Step {
    fn line(self, serial: &str, mark: Mark) -> Line {
        let Self { commit, records, log, was, state } = self;
        Line { serial: serial.to_owned(), mark, commit, records, log, was, state, time_ms: 0 }.at_this_time()
    }
}

/// Where the settings want heads to go.
///
/// # Errors
/// CKR_FUNCTION_FAILED for a file inside the folder that it is to vouch for.
pub(super) fn place(settings: &Settings, folder: &Path) -> Result<Option<Outside>> {
    let place = settings.audit_anchor.as_deref().and_then(Outside::named);
    if let Some(place) = &place
        && place.path().starts_with(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
    {
        return Err(Error::with(
            ck::CKR_FUNCTION_FAILED,
            format!(
                "configuration audit_anchor: {} is inside the HSM's folder; name a file elsewhere",
                place.path().display()
            ),
        ));
    }
    Ok(place)
}

/// Whether a signature of these bytes (RSA of 2048 bits, SHA-256, PKCS#1 v1.5, as `openssl dgst -sha256 -sign` makes it) is that of a public
/// key in PEM. The key comes from outside: one that the HSM keeps could have been exchanged with the rest.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for a key that is none.
pub fn is_signed_by(pem: &str, content: &[u8], signature: &[u8]) -> Result<bool> {
    let digest: [u8; 32] = Hash::Sha256
        .value(content)
        .as_slice()
        .first_chunk()
        .copied()
        .ok_or(Error::internal("a digest of another length"))?;
    Ok(RegisteredKey::from_pem(pem.as_bytes())?.verifies(&digest, signature))
}

impl Module {
    /// The head of the HSM as it is, after everything in it was compared with it. Needs no login.
    ///
    /// # Errors
    /// If the store cannot be read; CKR_DEVICE_ERROR if the records are not those that the head counts, or the log is broken.
    pub fn store_head(&self) -> Result<StoreHead> {
        self.hsm()?;
        let hsm = self.frozen()?;
        let (step, mismatch) = hsm.present(&*hsm.store)?;
        if mismatch || hsm.check_audit(None)?.broken_at.is_some() {
            return Err(Error::device(
                "no head is given of an HSM whose records or audit log are not as they were written; run `cloudhsm-cli doctor --verify`"
                    .to_owned(),
            ));
        }
        let line = step.line(&hsm.recorded.serial, Mark::Asked).to_string();
        let audit = AuditHead { records: step.records, mac: step.log };
        Ok(StoreHead { serial: hsm.recorded.serial.clone(), commit: step.commit, audit, line })
    }

    /// Compares the HSM with the lines of an anchor: whether its log still goes through each of them, whether it was put back to before
    /// one, whether anything was changed between two of them or since the last without a commit that says so. Needs no login.
    ///
    /// # Errors
    /// If the store cannot be read; CKR_ARGUMENTS_BAD for a text that has no line of this HSM, or a malformed one.
    pub fn verify_anchor(&self, text: &str) -> Result<AnchorCheck> {
        self.hsm()?;
        let hsm = self.frozen()?;
        let mut lines = Vec::new();
        for (number, text) in (1_u64..).zip(text.lines()) {
            let wrong =
                |why| Error::with(ck::CKR_ARGUMENTS_BAD, format!("line {number} of the anchor is malformed: {why}"));
            lines.extend(Line::find(text).map_err(wrong)?.filter(|line| line.serial == hsm.recorded.serial));
        }
        if lines.is_empty() {
            return Err(Error::with(
                ck::CKR_ARGUMENTS_BAD,
                format!("the anchor has no line of the HSM {}", hsm.recorded.serial),
            ));
        }
        hsm.compare(lines)
    }

    /// Compares the HSM with the anchor that the settings name, in which every change must be: nothing if they name none that can be read.
    ///
    /// # Errors
    /// As [`Module::verify_anchor`]; CKR_DEVICE_ERROR naming the file if it cannot be read.
    pub fn verify_own_anchor(&self) -> Result<Option<AnchorCheck>> {
        /// Between a commit and its line another process may be looked at; then the line comes within moments.
        const LOOKS: u32 = 20;
        let hsm = self.hsm()?;
        let Some(Outside::File(path)) = &hsm.anchor else { return Ok(None) };
        let mut check = self.verify_anchor(&read(path)?)?;
        for _ in 0..LOOKS {
            // Of two commits the later one's line may stand there first.
            if !check.changed_since && check.wrong.is_empty() {
                return Ok(Some(check));
            }
            std::thread::sleep(Duration::from_millis(50));
            check = self.verify_anchor(&read(path)?)?;
        }
        if !check.changed_since {
            return Ok(Some(check));
        }
        check.wrong.push(
            "something was changed after its last line: by hand, by a process without audit_anchor, or by one that ended before it could \
             say so"
                .to_owned(),
        );
        Ok(Some(check))
    }
}

/// The text of an anchor's file.
fn read(path: &Path) -> Result<String> {
    /// A line takes some 350 bytes.
    const LONGEST: u64 = 1 << 30;
    let failed = |error: &dyn std::fmt::Display| {
        Error::device(format!("{}: the anchor cannot be read: {error}; correct audit_anchor", path.display()))
    };
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !length.is_file() || length.len() > LONGEST {
        return Err(failed(&"it is no file, or too long; begin another one"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

impl Hsm {
    /// Opens the anchor before a commit, so that one which cannot be reached refuses it where everything must be recorded.
    ///
    /// # Errors
    /// With `audit_required`, if the anchor cannot be opened.
    pub(super) fn open_anchor(&self) -> Result<Option<Ready>> {
        let Some(place) = &self.anchor else { return Ok(None) };
        match place.open() {
            Ok(ready) => Ok(Some(ready)),
            Err(error) if self.auditing.is_required() => Err(Error::device(format!(
                "{}: the anchor cannot be reached: {error}; nothing was changed, because it could not be anchored (audit_required)",
                place.path().display()
            ))),
            Err(error) => {
                unanchored(place, &error);
                Ok(None)
            }
        }
    }

    /// Says of a commit that it was made. One that could not be anchored is in the log of this process, and shows in the next line.
    pub(super) fn anchor(&self, ready: Option<Ready>, step: Step) {
        self.anchor_as(ready, step, Mark::Commit);
    }

    fn anchor_as(&self, ready: Option<Ready>, step: Step, mark: Mark) {
        if let (Some(place), Some(ready)) = (&self.anchor, ready)
            && let Err(error) = ready.append(&step.line(&self.recorded.serial, mark).to_string())
        {
            unanchored(place, &error);
        }
    }

    /// Anchors a new HSM.
    pub(super) fn anchor_activated(&self) {
        self.anchor_present(Mark::Activated);
    }

    /// Anchors an HSM that was put back from a backup.
    pub(super) fn anchor_restored(&self) {
        self.anchor_present(Mark::Restored);
    }

    /// For what is done already and cannot be refused any more.
    fn anchor_present(&self, mark: Mark) {
        let Some(place) = &self.anchor else { return };
        let mut found = None;
        let looked = self.store.look(&mut |view| {
            found = Some(self.present(view)?.0);
            Ok(())
        });
        match (place.open(), looked, found) {
            (Ok(ready), Ok(()), Some(step)) => self.anchor_as(Some(ready), step, mark),
            (Err(error), ..) => unanchored(place, &error),
            (_, Err(error), _) => unanchored(place, &error),
            (.., None) => {}
        }
    }

    /// The head as the records of a view are, and whether they are others than those that it counts.
    fn present(&self, view: &dyn View) -> Result<(Step, bool)> {
        let head = Head::read(view, &self.public)?;
        let state = Head::recompute_state(view, &self.public)?;
        let step = Step { commit: head.version, records: head.audit_sequence, log: head.audit_mac, was: state, state };
        Ok((step, head.state.is_some_and(|counted| counted != state)))
    }

    fn compare(&self, mut lines: Vec<Line>) -> Result<AnchorCheck> {
        let (present, mismatch) = self.present(&*self.store)?;
        let count = lines.len() as u64;
        let mut wrong = Vec::new();
        if mismatch {
            wrong.push("a record has another content than the head counts".to_owned());
        }
        // What stands before a restoration is of another history.
        if let Some(restored) = lines.iter().rposition(|line| line.mark == Mark::Restored) {
            lines.drain(..restored);
        }
        lines.sort_by_key(|line| line.commit);
        self.follow_log(&lines, &mut wrong)?;
        for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
            let same = line.commit == next.commit && line.state == next.state && line.log == next.log;
            if !same && next.was != line.state {
                wrong.push(format!(
                    "between commits {} and {} something was changed that no commit of the anchor has changed: by hand, by a process \
                     without audit_anchor, or by one that ended before it could say so",
                    line.commit, next.commit
                ));
            }
        }
        let Some(last) = lines.last() else { return Err(Error::internal("an anchor without lines")) };
        if last.commit > present.commit {
            wrong.push(format!(
                "it was put back: the anchor knows of {} commits, the HSM of {}",
                last.commit, present.commit
            ));
        }
        if last.commit == present.commit && last.state != present.state {
            wrong.push(format!("something was changed without a commit, after commit {}", last.commit));
        }
        let changed_since = last.commit < present.commit && last.state != present.state;
        let records_since = present.records.saturating_sub(last.records);
        Ok(AnchorCheck { lines: count, changed_since, records_since, wrong })
    }

    /// Complains of each place that the log does not go through.
    fn follow_log(&self, lines: &[Line], wrong: &mut Vec<String>) -> Result<()> {
        let mut places: BTreeMap<u64, Vec<[u8; 32]>> = BTreeMap::new();
        for line in lines {
            places.entry(line.records).or_default().push(line.log);
        }
        let check = self.check_audit_with(&mut |head| {
            if let Some(macs) = places.get_mut(&head.records) {
                macs.retain(|mac| *mac != head.mac);
            }
        })?;
        if let Some(place) = check {
            wrong.push(format!("the audit log is broken at record {place:#x}"));
        }
        for (records, macs) in &places {
            // An HSM without any record has no MAC.
            if macs.iter().any(|mac| (*records, *mac) != (0, [0; 32])) {
                wrong.push(format!(
                    "the audit log does not go through record {records} of the anchor: it was cut off or written anew"
                ));
            }
        }
        Ok(())
    }
}

#[cold]
fn unanchored(place: &Outside, error: &dyn std::fmt::Display) {
    log::write(
        LogLevel::Warn,
        format_args!(
            "{}: a commit is not in the anchor: {error}; give this process a place that it can add to",
            place.path().display()
        ),
    );
}
