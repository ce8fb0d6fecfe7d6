//! The session objects of one token by what they are called, so that a search looks at those that can match and not at all.
//!
//! Putting an object in is a line in a list; the next search brings the index up to date, so that a program which never searches
//! pays for none. What is gone, or is called otherwise by now, stands in the index until enough of it does: who is found there is a
//! candidate, and is looked at.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_OBJECT_HANDLE};
use hsm::object::{Object, Template, attribute};

/// Handles in the order in which they came. Those that mean nothing any more are dropped each time the list has doubled.
#[derive(Default)]
pub(super) struct Handles {
    list: Vec<CK_OBJECT_HANDLE>,
    cleared_at: usize,
}

impl Handles {
    /// So many stand in a list before it is looked through for the first time.
    const FEW: usize = 64;

    pub(super) fn push(&mut self, handle: CK_OBJECT_HANDLE, lives: impl Fn(CK_OBJECT_HANDLE) -> bool) {
        if self.list.len() >= self.cleared_at.max(Self::FEW) {
            self.list.retain(|handle| lives(*handle));
            self.cleared_at = 2 * self.list.len();
        }
        self.list.push(handle);
    }

    pub(super) fn into_list(self) -> Vec<CK_OBJECT_HANDLE> {
        self.list
    }
}

/// See above.
pub(super) struct SessionObjects {
    /// Those that are not in the index yet.
    waiting: Handles,
    /// The index: for each attribute and value, and for none, who has it.
    places: HashMap<u64, Vec<CK_OBJECT_HANDLE>>,
    hasher: RandomState,
    /// Tells this index from those that have been thrown away; never 0.
    edition: u64,
    count: usize,
    /// How many have been put in that are gone or have changed.
    stale: usize,
}

/// So many may be stale beyond those that live.
const MOST_STALE: usize = 1024;

impl SessionObjects {
    pub(super) fn new() -> Self {
        Self {
            waiting: Handles::default(),
            places: HashMap::new(),
            hasher: RandomState::new(),
            edition: 1,
            count: 0,
            stale: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A new object.
    pub(super) fn add(&mut self, handle: CK_OBJECT_HANDLE, lives: impl Fn(CK_OBJECT_HANDLE) -> bool) {
        self.count += 1;
        self.waiting.push(handle, lives);
    }

    /// An object that has other attributes by now; `edition` is the index in which it stands.
    pub(super) fn change(&mut self, handle: CK_OBJECT_HANDLE, edition: u64, lives: impl Fn(CK_OBJECT_HANDLE) -> bool) {
        if edition == self.edition {
            self.stale += 1;
            self.waiting.push(handle, lives);
        }
    }

    /// An object that is no session object any more.
    pub(super) fn remove(&mut self, edition: u64) {
        self.count = self.count.saturating_sub(1);
        self.stale += usize::from(edition == self.edition);
        if self.count == 0 {
            self.begin_anew();
            self.waiting = Handles::default();
        }
    }

    /// Those that can match a template. `enter` gives the object of a handle that is to stand in the index of that edition,
    /// unless it does already.
    pub(super) fn candidates(
        &mut self,
        template: &Template,
        enter: impl Fn(CK_OBJECT_HANDLE, u64) -> Option<Arc<Object>>,
    ) -> Vec<CK_OBJECT_HANDLE> {
        let mut incoming = Vec::new();
        if self.stale > self.count + MOST_STALE {
            incoming = self.places.remove(&self.everything()).unwrap_or_default();
            self.begin_anew();
        }
        incoming.append(&mut self.waiting.list);
        for handle in incoming {
            let Some(object) = enter(handle, self.edition) else { continue };
            for place in self.places_of(&object) {
                self.places.entry(place).or_default().push(handle);
            }
        }
        let named =
            template.iter().filter(|(id, value)| is_found_by(*id, value)).map(|(id, value)| self.place(id, value));
        let places: Option<Vec<&Vec<CK_OBJECT_HANDLE>>> =
            named.chain([self.everything()]).map(|place| self.places.get(&place)).collect();
        let shortest = places.and_then(|places| places.into_iter().min_by_key(|place| place.len()));
        let mut found = shortest.cloned().unwrap_or_default();
        // One that was changed may stand there twice.
        found.sort_unstable();
        found.dedup();
        found
    }

    fn begin_anew(&mut self) {
        self.places.clear();
        self.edition += 1;
        self.stale = 0;
    }

    fn places_of(&self, object: &Object) -> Vec<u64> {
        let held = attribute::ATTRIBUTES.iter().filter_map(|row| Some((row.id, object.attributes.get(row.id)?)));
        let named = held.filter(|(id, value)| is_found_by(*id, value)).map(|(id, value)| self.place(id, value));
        named.chain([self.everything()]).collect()
    }

    fn place(&self, id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> u64 {
        self.hasher.hash_one((id, value))
    }

    /// Where all stand.
    fn everything(&self) -> u64 {
        self.hasher.hash_one(())
    }
}

/// Whether objects are found by this value of an attribute: of those of the store's index, and of the class.
fn is_found_by(id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> bool {
    id == ck::CKA_CLASS || attribute::is_found_by(id, value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use hsm::inside;
    use hsm::object::attributes::Draft;

    /// Objects as the table has them: each with its label, and the index in which it stands.
    #[derive(Default)]
    struct Table(RefCell<HashMap<u64, (Arc<Object>, u64)>>);

    impl Table {
        fn put(&self, handle: u64, label: &str) -> u64 {
            let mut draft = Draft::default();
            draft.set_number(ck::CKA_CLASS, ck::CKO_DATA);
            draft.set(ck::CKA_LABEL, label);
            let object = Arc::new(inside::object(draft.finish()));
            self.0.borrow_mut().insert(handle, (object, 0)).map_or(0, |(_, edition)| edition)
        }

        fn lives(&self, handle: u64) -> bool {
            self.0.borrow().contains_key(&handle)
        }

        fn candidates(&self, index: &mut SessionObjects, template: &[(u64, &[u8])]) -> Vec<u64> {
            index.candidates(&Template::of(template).unwrap(), |handle, edition| {
                let mut objects = self.0.borrow_mut();
                let (object, own) = objects.get_mut(&handle)?;
                (std::mem::replace(own, edition) != edition).then(|| Arc::clone(object))
            })
        }
    }

    fn filled(count: u64) -> (Table, SessionObjects) {
        let (table, mut index) = (Table::default(), SessionObjects::new());
        for handle in 1..=count {
            table.put(handle, &format!("label {}", handle % 1000));
            index.add(handle, |handle| table.lives(handle));
        }
        (table, index)
    }

    /// Of very many objects a search looks at those that bear the name.
    #[test]
    fn a_search_by_name_does_not_look_at_all() {
        let (table, mut index) = filled(20_000);
        let class = ck::CKO_DATA.to_ne_bytes();
        let found = table.candidates(&mut index, &[(ck::CKA_CLASS, &class), (ck::CKA_LABEL, b"label 7")]);
        assert_eq!(found, (0..20).map(|at| 1000 * at + 7).collect::<Vec<_>>());
        assert!(table.candidates(&mut index, &[(ck::CKA_LABEL, b"no such label")]).is_empty());
        assert_eq!(table.candidates(&mut index, &[(ck::CKA_CLASS, &class)]).len(), 20_000);
        assert_eq!(table.candidates(&mut index, &[]).len(), 20_000);
    }

    /// PKCS#11 3.2 section 4: an object possesses what nobody has given it, with an empty value, so each may match one.
    #[test]
    fn a_search_by_an_empty_value_looks_at_all() {
        let (table, mut index) = filled(10);
        let class = ck::CKO_DATA.to_ne_bytes();
        let found = table.candidates(&mut index, &[(ck::CKA_CLASS, &class), (ck::CKA_OBJECT_ID, b"")]);
        assert_eq!(found, (1..=10).collect::<Vec<_>>());
        let found = table.candidates(&mut index, &[(ck::CKA_OBJECT_ID, b""), (ck::CKA_LABEL, b"label 7")]);
        assert_eq!(found, [7]);
    }

    /// What is renamed is found by its new name; what is gone is cleared away, so that the index does not grow with what was.
    #[test]
    fn what_changes_and_goes() {
        let (table, mut index) = filled(100);
        for round in 0..5000_u64 {
            let (handle, label) = (1 + round % 50, format!("round {round}"));
            let edition = table.put(handle, &label);
            index.change(handle, edition, |handle| table.lives(handle));
            assert_eq!(table.candidates(&mut index, &[(ck::CKA_LABEL, label.as_bytes())]), [handle]);
        }
        assert!(index.places.len() < 10_000, "{} places for 100 objects", index.places.len());
        assert_eq!(table.candidates(&mut index, &[]).len(), 100);
        for handle in 1..=100 {
            let (_, edition) = table.0.borrow_mut().remove(&handle).unwrap();
            index.remove(edition);
        }
        assert!(index.is_empty() && index.places.is_empty());
    }

    /// A program that makes and destroys keys, and never searches, keeps no list of them.
    #[test]
    fn what_nobody_looks_for_costs_nothing() {
        let (table, mut index) = filled(10);
        for handle in 11..10_000 {
            table.put(handle, "short");
            index.add(handle, |handle| table.lives(handle));
            table.0.borrow_mut().remove(&handle);
            index.remove(0);
        }
        assert!(index.waiting.list.len() <= 2 * Handles::FEW, "{} wait", index.waiting.list.len());
        assert_eq!(table.candidates(&mut index, &[]).len(), 10);
    }
}
