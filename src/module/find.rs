//! Finding objects: by the blind index where the template has an indexed attribute, by class otherwise; and listing keys,
//! for which nothing is opened but the page that is shown.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use once_cell::unsync::OnceCell;

use super::hierarchy::Tier;
use super::policy::{self, Standing};
use super::{Hsm, Login, Module};
use crate::ck;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectId, Template, UserId, attribute, find, rules};
use crate::store::{Kind, Outline, Record, Selection, Tag};

/// A page of all keys that a user sees.
pub struct KeyPage {
    /// How many there are in all.
    pub total: usize,
    /// The keys of the page, in the order in which they were made.
    pub keys: Vec<Arc<Object>>,
    /// The place at which the next page begins, if there is one.
    pub next: Option<usize>,
}

impl Module {
    /// The token objects that match a template and that the caller may see, in the order in which they were made.
    ///
    /// # Errors
    /// If the login has ended or the store cannot be read.
    pub fn find(&self, login: Option<&Login>, template: &Template) -> Result<Vec<Arc<Object>>> {
        let Some(hsm) = self.hsm_if_active()? else {
            return Ok(Vec::new());
        };
        if let Some(login) = login {
            login.check()?;
        }
        self.take_certificate_turn(template.number(ck::CKA_CLASS).unwrap_or(ck::CK_UNAVAILABLE_INFORMATION), false)?;
        if template.flag(ck::CKA_TOKEN) == Some(false) {
            return Ok(Vec::new());
        }
        let epoch = hsm.epoch();
        let shared = Shared::default();
        let mut found = Found::default();
        for record in hsm.candidates(login, template)? {
            let object = hsm.visible(login, &record, &shared, epoch).map(|object| {
                object.filter(|object| self.open_to(login, object) && find::matches(object, template, self.regime()))
            });
            found.add(object);
        }
        found.objects()
    }

    /// The token keys that a user sees, from the place `start` on and at most `most` of them. All are counted by what
    /// stands outside their seals; only those of the page are read and opened, and `progress` hears how many of how many are.
    ///
    /// # Errors
    /// As [`Module::find`].
    pub fn list_keys(
        &self,
        login: &Login,
        start: usize,
        most: usize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<KeyPage> {
        login.check()?;
        let hsm = &login.hsm;
        let epoch = hsm.epoch();
        let shared = Shared::default();
        let mut selection = Selection { limit: PAGE, ..Selection::all(Kind::Object) };
        let (mut total, mut page) = (0, Vec::new());
        loop {
            let outlines = hsm.store.outlines(&selection)?;
            for outline in &outlines {
                let kind = rules::kind(outline.class, outline.key_type).filter(|kind| kind.key_type.is_some());
                if kind.is_some_and(|kind| kind.served(self.regime())) && hsm.sees(Some(login), outline, &shared)? {
                    if total >= start && page.len() < most {
                        page.push(outline.id);
                    }
                    total += 1;
                }
            }
            match outlines.last() {
                Some(last) if outlines.len() == PAGE => selection.after = last.id,
                _ => break,
            }
        }
        let next = Some(start.saturating_add(page.len())).filter(|next| *next < total);
        let mut found = Found::default();
        for (at, id) in page.iter().copied().enumerate() {
            progress(at as u64, page.len() as u64);
            // One that was deleted meanwhile is left out.
            let record = hsm.store.read(Kind::Object, id)?;
            found.add(record.map_or(Ok(None), |record| hsm.visible(Some(login), &record, &shared, epoch)));
        }
        Ok(KeyPage { total, keys: found.objects()?, next })
    }

    /// A token object by its id, if the caller may see it.
    ///
    /// # Errors
    /// If the login has ended, or the store or the record cannot be read.
    pub fn load(&self, login: Option<&Login>, id: ObjectId) -> Result<Option<Arc<Object>>> {
        let hsm = self.hsm()?;
        if let Some(login) = login {
            login.check()?;
        }
        // The epoch is looked at before the record is read: what changes from here on is looked at again.
        let epoch = hsm.epoch();
        match hsm.store.read(Kind::Object, id.0)? {
            Some(record) => hsm.visible(login, &record, &Shared::default(), epoch),
            None => Ok(None),
        }
    }

    /// Whether the profile shows objects of this kind to somebody who is not logged in.
    fn open_to(&self, login: Option<&Login>, object: &Object) -> bool {
        login.is_some() || self.dialect().open(object.class)
    }

    /// The name of the user who owns an object; empty for one who is gone or for nobody.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn owner_name(&self, owner: UserId) -> Result<String> {
        Ok(self.hsm()?.read_user(owner)?.map_or_else(String::new, |(_, user)| user.name))
    }
}

/// What a search has found. One bad record does not hide the others; it is reported if it is all there is to say.
#[derive(Default)]
struct Found {
    objects: Vec<Arc<Object>>,
    failed: Option<Error>,
}

impl Found {
    fn add(&mut self, object: Result<Option<Arc<Object>>>) {
        match object {
            Ok(object) => self.objects.extend(object),
            Err(error) => self.failed = Some(error),
        }
    }

    fn objects(self) -> Result<Vec<Arc<Object>>> {
        if let Some(error) = self.failed {
            crate::log::error(&error);
            if self.objects.is_empty() {
                return Err(error);
            }
        }
        Ok(self.objects)
    }
}

/// The keys that others share with a user, looked up when the first record asks for it.
#[derive(Default)]
pub(super) struct Shared(OnceCell<HashSet<u64>>);

impl Hsm {
    /// Whether the caller may see a record, by what stands outside its seal.
    pub(super) fn sees(&self, login: Option<&Login>, record: &Outline, shared: &Shared) -> Result<bool> {
        let Some(login) = login else { return Ok(record.tier == Tier::Public as u8) };
        let public = record.class == ck::CKO_PUBLIC_KEY || record.tier == Tier::Public as u8;
        let known = policy::known_standing(login, UserId(record.owner), public);
        if policy::sees(login, known) {
            return Ok(true);
        }
        let keys = shared.0.get_or_try_init(|| self.keys_shared_with(login.user))?;
        Ok(keys.contains(&record.id) && policy::sees(login, Standing::Shared))
    }

    /// The object of a record, if the caller may see it; `epoch` is that before the record was read.
    fn visible(
        &self,
        login: Option<&Login>,
        record: &Record,
        shared: &Shared,
        epoch: u64,
    ) -> Result<Option<Arc<Object>>> {
        if !self.sees(login, &record.outline(), shared)? {
            return Ok(None);
        }
        let object = self.open_object(login, record)?;
        if let Some(object) = &object {
            object.validated.store(epoch, Ordering::Release);
        }
        Ok(object)
    }

    /// The records that can match: those with all indexed values of the template in either tier, or all of a class.
    fn candidates(&self, login: Option<&Login>, template: &Template) -> Result<Vec<Record>> {
        let indexed: Vec<(u64, &[u8])> =
            template.iter().filter(|(id, _)| attribute::describe(*id).is_some_and(|row| row.indexed)).collect();
        let class = template.number(ck::CKA_CLASS);
        let key_type = template.number(ck::CKA_KEY_TYPE);
        let mut records = Vec::new();
        for tier in [Tier::Public, Tier::Data] {
            if tier == Tier::Data && login.is_none() {
                continue;
            }
            let mut selection =
                Selection { kind: Kind::Object, class, key_type, tier: Some(tier as u8), after: 0, limit: PAGE };
            if indexed.is_empty() {
                loop {
                    let page = self.store.scan(&selection)?;
                    let full = page.len() == PAGE;
                    selection.after = page.last().map_or(0, |record| record.id);
                    records.extend(page);
                    if !full {
                        break;
                    }
                }
                continue;
            }
            let tags: Vec<Tag> =
                indexed.iter().filter_map(|(id, value)| self.attribute_tag(login, tier, *id, value)).collect();
            loop {
                let page = self.store.find(&tags, &selection)?;
                for id in &page {
                    records.extend(self.store.read(Kind::Object, *id)?);
                }
                match page.last() {
                    Some(last) if page.len() == PAGE => selection.after = *last,
                    _ => break,
                }
            }
        }
        records.sort_by_key(|record| record.id);
        Ok(records)
    }
}

/// Records read at once.
const PAGE: usize = 1024;
