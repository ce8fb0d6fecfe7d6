//! Examining the HSM: whether what the store holds is what was written, as `doctor` asks.

use base::codec::MALFORMED;
use base::error::{Error, Result};
use base::secret::Secret;
use store::{Kind, Record, Selection, SqliteStore, Tag};

use super::audit::{Event, Opcode};
use super::commit::{Head, Plan, Planned, batch, meta};
use super::hierarchy::Tier;
use super::ids::fresh_id;
use super::lifecycle::{decode_settings, put_settings};
use super::stored::is_asymmetric_class;
use super::user::User;
use super::{Hsm, Login, Module};
use crate::object::{UserId, is_key_class};

/// What an examination found.
pub struct Health {
    /// Records of users and of objects.
    pub users: u64,
    /// See `users`.
    pub objects: u64,
    /// Whether a record was cut out, put back or swapped.
    pub sum_is_right: bool,
    /// Objects of the public tier whose record does not open, or whose form is not known.
    pub unreadable: Vec<u64>,
    /// The place at which the audit log is broken, if it is.
    pub audit_broken_at: Option<u64>,
    /// Records in the audit log.
    pub audit_entries: u64,
}

/// What a verification found.
pub struct Verification {
    /// Records that were opened, and found under what they are indexed by.
    pub opened: u64,
    /// Records that only a user's password opens, and none was at hand.
    pub unopened: u64,
    /// What is wrong, one line each; no more than the first hundred.
    pub wrong: Vec<String>,
}

impl Verification {
    fn complain(&mut self, text: String) {
        const MOST: usize = 100;
        if self.wrong.len() < MOST {
            self.wrong.push(text);
        }
    }
}

impl Module {
    /// Examines the HSM as it is at this moment: the integrity sum, the audit log, the seals of public objects.
    ///
    /// # Errors
    /// If the store cannot be read at all.
    pub fn examine(&self) -> Result<Option<Health>> {
        if !self.is_active()? {
            return Ok(None);
        }
        let hsm = self.frozen()?;
        let mut unreadable = Vec::new();
        for record in hsm.store.scan(&Selection { tier: Some(Tier::Public as u8), ..Selection::all(Kind::Object) })? {
            if hsm.open_object(None, &record).is_err() {
                unreadable.push(record.id);
            }
        }
        let audit = hsm.check_audit(None)?;
        let head = Head::read(&*hsm.store, &hsm.public)?;
        Ok(Some(Health {
            users: hsm.store.count(Kind::User)?,
            objects: hsm.store.count(Kind::Object)?,
            sum_is_right: Head::recompute(&*hsm.store, &hsm.public)? == head.sum,
            unreadable,
            audit_broken_at: audit.broken_at,
            audit_entries: audit.head.records,
        }))
    }

    /// What SQLite and the schema find wrong with the store, one line each: the half of an examination that needs no key.
    ///
    /// # Errors
    /// If the store cannot be read at all.
    pub fn complaints(&self) -> Result<Vec<String>> {
        if !self.is_active()? {
            return Ok(Vec::new());
        }
        // A connection of its own: the trait that the HSM works through has no such call, because a store in memory
        // has nothing to complain about.
        SqliteStore::open(self.directory(), self.access(), self.options())?.examine()
    }

    /// Opens every record that the keys at hand open, those of users with a login, and compares all that stands beside it:
    /// number, version, owner, the index, the integrity sum, the counts, the audit log. With [`Module::complaints`], which
    /// compares the index with the records, no byte of a record is left out.
    ///
    /// # Errors
    /// If the store cannot be read at all.
    pub fn verify_store(&self, login: Option<&Login>) -> Result<Option<Verification>> {
        const PAGE: usize = 256;
        if !self.is_active()? {
            return Ok(None);
        }
        let hsm = self.frozen()?;
        let mut found = Verification { opened: 0, unopened: 0, wrong: Vec::new() };
        let (mut keys, mut asymmetric) = (0, 0);
        for kind in Kind::ALL {
            let mut selection = Selection { limit: PAGE, ..Selection::all(kind) };
            loop {
                let page = hsm.store.scan(&selection)?;
                for record in &page {
                    selection.after = record.id;
                    keys += u64::from(kind == Kind::Object && is_key_class(record.class));
                    asymmetric += u64::from(kind == Kind::Object && is_asymmetric_class(record.class));
                    match hsm.verify_record(login, record) {
                        Ok(true) => found.opened += 1,
                        Ok(false) => found.unopened += 1,
                        Err(error) => found.complain(format!("{kind:?} record {:#x}: {error}", record.id)),
                    }
                }
                if page.len() < PAGE {
                    break;
                }
            }
        }
        let head = Head::read(&*hsm.store, &hsm.public)?;
        if Head::recompute(&*hsm.store, &hsm.public)? != head.sum {
            found.complain("a record was cut out, put back or exchanged".to_owned());
        }
        if (keys, asymmetric) != (head.keys, head.asymmetric) {
            let (counted, pairs) = (head.keys, head.asymmetric);
            found.complain(format!(
                "{keys} keys are there, {asymmetric} of them asymmetric, and {counted} and {pairs} are counted"
            ));
        }
        if let Some(state) = head.state
            && Head::recompute_state(&*hsm.store, &hsm.public)? != state
        {
            found.complain("a record has another content than the head counts".to_owned());
        }
        if let Some(place) = hsm.check_audit(None)?.broken_at {
            found.complain(format!("the audit log is broken at record {place}"));
        }
        if let Err(error) = self.hsm()?.rehearse() {
            found.complain(format!("the next change would fail: {error}"));
        }
        Ok(Some(found))
    }
}

impl Hsm {
    /// Tries every kind of change that can come next, and undoes it: a failed login of each user, a record of the log, new settings and a
    /// new policy, a new record of each kind.
    fn rehearse(&self) -> Result<()> {
        let users = self.store.versions(Kind::User, 0, usize::MAX)?;
        let mut steps = users.into_iter().map(|(id, _)| Some(UserId(id))).chain([None]);
        self.store.rehearse(&mut |view| {
            let Some(step) = steps.next() else { return Ok(None) };
            let mut plan = Plan { events: vec![Event::new(Opcode::Login)], ..Plan::default() };
            match step {
                Some(id) => {
                    let (version, mut user) = self.read_user_in(view, id)?.ok_or(MALFORMED)?;
                    user.failed = user.failed.saturating_add(1);
                    plan.changes.push(self.put_user(id, version, &user, None));
                }
                None => {
                    let settings = view.version(Kind::Meta, meta::SETTINGS)?.ok_or(MALFORMED)?;
                    plan.changes.push(put_settings(&self.recorded, settings));
                    let (version, policy) = self.cluster_policy_in(view)?;
                    plan.changes.push(policy.put(version));
                    for kind in [Kind::User, Kind::Object, Kind::Share, Kind::Quorum] {
                        plan.changes.push(Planned::Put {
                            kind,
                            id: fresh_id()?,
                            expected: 0,
                            class: 0,
                            key_type: 0,
                            owner: 0,
                            tier: Tier::Public,
                            plain: Secret::copy(b"rehearsal"),
                            tags: Some(vec![self.public.tag(b"rehearsal", &[kind as u8])]),
                        });
                    }
                }
            }
            let mut head = Head::read(view, &self.public)?;
            batch(Some(view), &mut head, &self.public, None, plan).map(Some)
        })
    }

    /// Whether a record is what was written; false if the keys at hand do not open it.
    fn verify_record(&self, login: Option<&Login>, record: &Record) -> Result<bool> {
        if record.version >= i64::MAX.unsigned_abs() {
            return Err(Error::device("has the last version that there is, and cannot be changed any more".to_owned()));
        }
        let Some(mut wanted) = self.tags_of(login, record)? else { return Ok(false) };
        let mut listed = self.store.tags(record.kind, record.id)?;
        wanted.sort_unstable();
        listed.sort_unstable();
        if wanted == listed {
            return Ok(true);
        }
        Err(Error::device("is indexed by what it does not say".to_owned()))
    }

    /// Opens a record and tells what it must be found by; nothing if the keys at hand do not open it.
    fn tags_of(&self, login: Option<&Login>, record: &Record) -> Result<Option<Vec<Tag>>> {
        Ok(Some(match record.kind {
            Kind::Meta => {
                self.verify_meta(record)?;
                Vec::new()
            }
            Kind::User => {
                let user = User::decode(self.public.open(record)?.expose())?;
                user.check()?;
                vec![self.name_tag(&user.name, user.role)]
            }
            Kind::Object => {
                let tier = [Tier::Public, Tier::Data].into_iter().find(|tier| *tier as u8 == record.tier);
                let tier = tier.ok_or_else(|| Error::device("is of no tier that there is".to_owned()))?;
                match self.open_object(login, record)? {
                    Some(object) => self.object_tags(login, tier, &object),
                    None => return Ok(None),
                }
            }
            Kind::Share => self.tags_of_share(record)?.to_vec(),
            Kind::Quorum => {
                self.token(record)?;
                Vec::new()
            }
            Kind::Audit => {
                self.public.open(record)?;
                Vec::new()
            }
        }))
    }

    fn verify_meta(&self, record: &Record) -> Result<()> {
        match record.id {
            // It was opened before anything else could be; what stands beside its seal never changes.
            meta::ROOT if Record { sealed: Vec::new(), ..record.clone() } != super::lifecycle::bare_root() => {
                Err(Error::device("has other numbers beside it than were written".to_owned()))
            }
            meta::ROOT => Ok(()),
            meta::SETTINGS => decode_settings(self.public.open(record)?.expose()).map(drop),
            meta::POLICY => self.cluster_policy_in(&*self.store).map(drop),
            _ => self.public.open(record).map(drop),
        }
    }
}

#[cfg(test)]
#[path = "examination_tests.rs"]
mod tests;
