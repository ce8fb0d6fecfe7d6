//! Finding objects: by the blind index where the template has an indexed attribute, by class otherwise.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use once_cell::unsync::OnceCell;

use super::hierarchy::Tier;
use super::policy::{self, Standing};
use super::{Hsm, Login, Module};
use crate::ck;
use crate::error::Result;
use crate::object::template::Value;
use crate::object::{Object, ObjectId, Template, UserId, attribute, find};
use crate::store::{Kind, Record, Selection, Tag};

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
        let mut found = Vec::new();
        let mut failed = None;
        let epoch = hsm.epoch();
        let shared = Shared::default();
        for record in hsm.candidates(login, template)? {
            match hsm.visible(login, &record, &shared, epoch) {
                Ok(Some(object)) if self.open_to(login, &object) && find::matches(&object, template, self.regime()) => {
                    found.push(object);
                }
                Ok(_) => {}
                // One bad record does not hide the others; it is reported if it is all there is to say.
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            crate::log::error(&error);
            if found.is_empty() {
                return Err(error);
            }
        }
        Ok(found)
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

/// The keys that others share with a user, looked up when the first record asks for it.
#[derive(Default)]
pub(super) struct Shared(OnceCell<HashSet<u64>>);

impl Hsm {
    /// Whether the caller may see a record, by what stands outside its seal.
    pub(super) fn sees(&self, login: Option<&Login>, record: &Record, shared: &Shared) -> Result<bool> {
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
        if !self.sees(login, record, shared)? {
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
        let indexed: Vec<(u64, &[u8])> = template
            .iter()
            .filter_map(|(id, value)| match value {
                Value::Plain(bytes) if attribute::describe(id)?.indexed => Some((id, bytes.expose())),
                _ => None,
            })
            .collect();
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
