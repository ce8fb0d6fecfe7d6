//! What searches by name have found, remembered as long as nobody commits anything.
//!
//! A program looks for the same few keys again and again, by label or id. The answer of the blind index costs a read
//! transaction, which is some ten system calls; remembered, it costs a look into a map. Only the ids are kept, and only while
//! the store's generation is the one of the search: what a commit of any process changes is searched for anew.

use std::collections::HashMap;
use std::sync::Arc;

use base::ck::CK_ULONG;
use base::codec::Writer;
use platform::lock::Lock;

/// So many searches are remembered: some 3 MiB, in a program that looks for so many keys.
const MOST: usize = 32 * 1024;
/// A search of more bytes, or one that finds more objects, is not worth the memory.
const LONGEST: usize = 256;
const MOST_FOUND: usize = 64;

/// What a search asks for.
pub(super) struct Search(Vec<u8>);

impl Search {
    /// By these values of indexed attributes, among objects of a class and key type; `whole` if a login shows the private ones.
    pub(super) fn new(
        indexed: &[(CK_ULONG, &[u8])],
        class: Option<CK_ULONG>,
        key_type: Option<CK_ULONG>,
        whole: bool,
    ) -> Self {
        let mut writer = Writer::new(LONGEST);
        writer.byte(u8::from(whole));
        for wanted in [class, key_type] {
            writer.byte(u8::from(wanted.is_some())).long(wanted.unwrap_or_default());
        }
        for (id, value) in indexed {
            writer.long(*id).part(value);
        }
        Self(writer.finish())
    }
}

/// The searches of this process and what they have found.
#[derive(Default)]
pub(super) struct Searches(Lock<Remembered>);

#[derive(Default)]
struct Remembered {
    generation: u64,
    found: HashMap<Vec<u8>, Arc<[u64]>>,
}

impl Searches {
    /// The ids that the search has found, if nothing has been committed since.
    pub(super) fn recall(&self, search: &Search, generation: u64) -> Option<Arc<[u64]>> {
        let remembered = self.0.lock();
        (remembered.generation == generation).then(|| remembered.found.get(&search.0).cloned()).flatten()
    }

    /// Keeps what a search has found. `generation` is that before the search.
    pub(super) fn remember(&self, search: Search, generation: u64, ids: &[u64]) {
        if search.0.len() > LONGEST || ids.len() > MOST_FOUND {
            return;
        }
        let mut remembered = self.0.lock();
        if remembered.generation != generation || remembered.found.len() >= MOST {
            remembered.found.clear();
            remembered.generation = generation;
        }
        remembered.found.insert(search.0, ids.into());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn search(label: &[u8], class: Option<u64>, whole: bool) -> Search {
        Search::new(&[(3, label)], class, None, whole)
    }

    #[test]
    fn what_was_found_holds_for_one_generation_and_one_question() {
        let searches = Searches::default();
        searches.remember(search(b"a", None, true), 7, &[1, 2]);
        let recalled = |question: &Search, generation| searches.recall(question, generation);
        assert_eq!(*recalled(&search(b"a", None, true), 7).unwrap(), [1, 2]);
        assert!(recalled(&search(b"a", None, true), 8).is_none());
        for other in [search(b"b", None, true), search(b"a", Some(0), true), search(b"a", None, false)] {
            assert!(recalled(&other, 7).is_none());
        }
        searches.remember(search(b"b", None, true), 8, &[]);
        assert!(recalled(&search(b"a", None, true), 7).is_none(), "an older generation has gone");
        assert!(recalled(&search(b"b", None, true), 8).unwrap().is_empty());
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let searches = Searches::default();
        for label in 0..=MOST {
            searches.remember(search(&label.to_le_bytes(), None, true), 1, &[]);
        }
        assert!(searches.0.lock().found.len() <= MOST);
        searches.remember(search(&[0; LONGEST], None, true), 1, &[]);
        searches.remember(search(b"many", None, true), 1, &[0; MOST_FOUND + 1]);
        assert!(searches.recall(&search(&[0; LONGEST], None, true), 1).is_none());
        assert!(searches.recall(&search(b"many", None, true), 1).is_none());
    }
}
