//! Finding objects: by the blind index where the template has an indexed attribute, by class otherwise; and listing keys,
//! for which nothing is opened but the page that is shown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ck::{self, CK_ATTRIBUTE_TYPE};
use base::error::{Error, Result};
use once_cell::unsync::OnceCell;
use store::{Kind, Outline, Record, Selection, Tag};

use super::hierarchy::Tier;
use super::policy::{self, Standing};
use super::searches::Search;
use super::{Hsm, Login, Module, stored};
use crate::object::{Object, ObjectId, Template, UserId, attribute, find, rules};

/// Gives the token objects that somebody has at hand, in whatever version.
pub type Known<'a> = dyn Fn(ObjectId) -> Option<Arc<Object>> + 'a;

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
    /// `known` gives those that the caller has at hand; which of them are still the newest is decided here.
    ///
    /// # Errors
    /// If the login has ended or the store cannot be read.
    pub fn find(&self, login: Option<&Login>, template: &Template, known: &Known<'_>) -> Result<Vec<Arc<Object>>> {
        self.search(login, template, known, &|object| self.serves(object) && self.open_to(login, object))
    }

    /// The token keys that match a template and that the user sees, in the order in which they were made: those of every profile,
    /// for who manages what others use.
    ///
    /// # Errors
    /// As [`Module::find`].
    pub fn find_keys(&self, login: &Login, template: &Template) -> Result<Vec<Arc<Object>>> {
        self.search(Some(login), template, &|_| None, &Object::is_key)
    }

    /// What matches of the objects that are `wanted`.
    fn search(
        &self,
        login: Option<&Login>,
        template: &Template,
        known: &Known<'_>,
        wanted: &dyn Fn(&Object) -> bool,
    ) -> Result<Vec<Arc<Object>>> {
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
        let newest = |id| known(id).filter(|object| object.is_newest_at(epoch));
        for candidate in hsm.candidates(login, template, &newest)? {
            let object = match candidate {
                Candidate::Known(object) => {
                    hsm.sees(login, &stored::outline(&object), &shared).map(|seen| seen.then_some(object))
                }
                Candidate::Stored(record) => hsm.visible(login, &record, &shared, epoch),
            };
            found.add(object.map(|object| {
                object.filter(|object| wanted(object) && find::matches(object, template, self.regime()))
            }));
        }
        found.objects()
    }

    /// The token keys of every profile that a user sees, from the place `start` on and at most `most` of them. All are counted by what
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
                if kind.is_some() && hsm.sees(Some(login), outline, &shared)? {
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

    /// Whether there is no token object of this id, for anybody.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_gone(&self, id: ObjectId) -> Result<bool> {
        Ok(self.hsm()?.store.version(Kind::Object, id.0)?.is_none())
    }

    /// Whether the profile has objects of this kind.
    fn serves(&self, object: &Object) -> bool {
        object.kind.is_some_and(|kind| kind.served(self.regime()))
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
pub(super) struct Shared(OnceCell<BTreeSet<u64>>);

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

    /// What can match: objects with all indexed values of the template in either tier, or all of a class.
    fn candidates(&self, login: Option<&Login>, template: &Template, known: &Known<'_>) -> Result<Vec<Candidate>> {
        let indexed: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> =
            template.iter().filter(|(id, value)| attribute::is_found_by(*id, value)).collect();
        let class = template.number(ck::CKA_CLASS);
        let key_type = template.number(ck::CKA_KEY_TYPE);
        let selection = Selection { class, key_type, limit: PAGE, ..Selection::all(Kind::Object) };
        if indexed.is_empty() {
            return self.candidates_of_class(login, selection, known);
        }
        let search = Search::new(&indexed, class, key_type, login.is_some());
        let generation = self.store.generation();
        if let Some(ids) = self.searches.recall(&search, generation) {
            return self.read_all(&ids, known);
        }
        let tags = |tier| indexed.iter().filter_map(move |(id, value)| self.attribute_tag(login, tier, *id, value));
        let mut tagged: Vec<(Tier, Vec<Tag>)> = vec![(Tier::Public, tags(Tier::Public).collect())];
        if login.is_some() {
            tagged.push((Tier::Data, tags(Tier::Data).collect()));
        }
        let mut ids = Vec::new();
        self.store.look(&mut |view| {
            for (tier, tags) in &tagged {
                let mut selection = Selection { tier: Some(*tier as u8), ..selection.clone() };
                loop {
                    let page = view.find(tags, &selection)?;
                    ids.extend_from_slice(&page);
                    match page.last() {
                        Some(last) if page.len() == PAGE => selection.after = *last,
                        _ => break,
                    }
                }
            }
            Ok(())
        })?;
        ids.sort_unstable();
        self.searches.remember(search, generation, &ids);
        self.read_all(&ids, known)
    }

    /// All objects of a class, or of every one.
    fn candidates_of_class(
        &self,
        login: Option<&Login>,
        mut selection: Selection,
        known: &Known<'_>,
    ) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::new();
        selection.tier = login.is_none().then_some(Tier::Public as u8);
        loop {
            let page = self.store.outlines(&selection)?;
            let ids: Vec<u64> = page.iter().map(|outline| outline.id).collect();
            candidates.extend(self.read_all(&ids, known)?);
            match ids.last() {
                Some(last) if ids.len() == PAGE => selection.after = *last,
                _ => return Ok(candidates),
            }
        }
    }

    /// The objects of these ids in their order; one that was deleted meanwhile is left out.
    fn read_all(&self, ids: &[u64], known: &Known<'_>) -> Result<Vec<Candidate>> {
        // Outside the store, whose lock stands below those of who has objects at hand.
        let mut at_hand: Vec<_> = ids.iter().map(|id| known(ObjectId(*id)).map(Candidate::Known)).collect();
        if at_hand.iter().any(Option::is_none) {
            self.store.look(&mut |view| {
                for (id, place) in ids.iter().zip(&mut at_hand).filter(|(_, place)| place.is_none()) {
                    *place = view.read(Kind::Object, *id)?.map(Candidate::Stored);
                }
                Ok(())
            })?;
        }
        Ok(at_hand.into_iter().flatten().collect())
    }
}

/// An object that can match a search: at hand in its newest form, or as it stands in the store.
enum Candidate {
    Known(Arc<Object>),
    Stored(Record),
}

/// Records read at once.
const PAGE: usize = 1024;
