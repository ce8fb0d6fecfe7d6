//! The public attributes of one object: a small sorted map in two allocations.
//!
//! Values are kept in the form C sees (`CK_BBOOL` one byte, `CK_ULONG` eight), so that reading one is a copy. The
//! platforms built for are little-endian with 64-bit `CK_ULONG`, so that form is the one on disk too.

use std::ops::Range;

use base::ck::{CK_ATTRIBUTE_TYPE, CK_FALSE, CK_TRUE, CK_ULONG};

/// An immutable map from attribute to value.
#[derive(Default)]
pub struct Attributes {
    index: Box<[Entry]>,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy)]
struct Entry {
    id: CK_ATTRIBUTE_TYPE,
    start: u32,
    end: u32,
}

impl Entry {
    fn new(id: CK_ATTRIBUTE_TYPE, start: usize, length: usize) -> Self {
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { id, start: place(start), end: place(start.saturating_add(length)) }
    }

    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The value of an attribute in an index that ascends.
fn find<'a>(index: &[Entry], bytes: &'a [u8], id: CK_ATTRIBUTE_TYPE) -> Option<&'a [u8]> {
    let at = index.binary_search_by_key(&id, |entry| entry.id).ok()?;
    bytes.get(index.get(at)?.range())
}

impl Attributes {
    /// The value of an attribute, if the object has it.
    #[must_use]
    pub fn get(&self, id: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        find(&self.index, &self.bytes, id)
    }

    /// The value of a boolean attribute.
    #[must_use]
    pub fn flag(&self, id: CK_ATTRIBUTE_TYPE) -> Option<bool> {
        match self.get(id)? {
            [value] => Some(*value != CK_FALSE),
            _ => None,
        }
    }

    /// The value of a numeric attribute.
    #[must_use]
    pub fn number(&self, id: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        Some(CK_ULONG::from_ne_bytes(self.get(id)?.try_into().ok()?))
    }

    /// All attributes in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
        self.index.iter().filter_map(|entry| Some((entry.id, self.bytes.get(entry.range())?)))
    }

    /// A map that can be changed, with the same content.
    #[must_use]
    pub fn edit(&self) -> Draft {
        let mut draft = Draft::default();
        for (id, value) in self.iter() {
            draft.set(id, value);
        }
        draft
    }
}

/// Attributes in the making: as [`Attributes`], with room to grow. A value that has been replaced by a longer one stays in
/// `bytes` until the map is finished.
#[derive(Default)]
pub struct Draft {
    index: Vec<Entry>,
    bytes: Vec<u8>,
}

/// Room for the attributes of a usual key.
const USUAL_ATTRIBUTES: usize = 40;
/// Room for their values, in bytes.
const USUAL_BYTES: usize = 256;

impl Draft {
    /// Sets a value in the form C sees.
    pub fn set(&mut self, id: CK_ATTRIBUTE_TYPE, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        if self.index.capacity() == 0 {
            self.index.reserve(USUAL_ATTRIBUTES);
            self.bytes.reserve(USUAL_BYTES);
        }
        let at = match self.index.last() {
            Some(last) if last.id < id => Err(self.index.len()),
            _ => self.index.binary_search_by_key(&id, |entry| entry.id),
        };
        if let Some(held) =
            at.ok().and_then(|at| self.index.get(at)).and_then(|entry| self.bytes.get_mut(entry.range()))
            && held.len() == value.len()
        {
            held.copy_from_slice(value);
            return;
        }
        let entry = Entry::new(id, self.bytes.len(), value.len());
        self.bytes.extend_from_slice(value);
        match at {
            Ok(at) => drop(self.index.get_mut(at).map(|held| *held = entry)),
            Err(at) => self.index.insert(at, entry),
        }
    }

    /// Sets a boolean.
    pub fn set_flag(&mut self, id: CK_ATTRIBUTE_TYPE, value: bool) {
        self.set(id, [if value { CK_TRUE } else { CK_FALSE }]);
    }

    /// Sets a number.
    pub fn set_number(&mut self, id: CK_ATTRIBUTE_TYPE, value: CK_ULONG) {
        self.set(id, value.to_ne_bytes());
    }

    /// The value of an attribute, if it is set.
    #[must_use]
    pub fn get(&self, id: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        find(&self.index, &self.bytes, id)
    }

    /// A boolean that is set to true.
    #[must_use]
    pub fn is(&self, id: CK_ATTRIBUTE_TYPE) -> bool {
        matches!(self.get(id), Some([value]) if *value != CK_FALSE)
    }

    /// A number, if it is set.
    #[must_use]
    pub fn number(&self, id: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        Some(CK_ULONG::from_ne_bytes(self.get(id)?.try_into().ok()?))
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, id: CK_ATTRIBUTE_TYPE) {
        self.index.retain(|entry| entry.id != id);
    }

    /// The finished map. Values together longer than 4 GiB cannot occur: `abi` caps each far below.
    #[must_use]
    pub fn finish(self) -> Attributes {
        let mut bytes = Vec::with_capacity(self.index.iter().map(|entry| entry.range().len()).sum());
        let mut index = Vec::with_capacity(self.index.len());
        for entry in &self.index {
            let value = self.bytes.get(entry.range()).unwrap_or_default();
            index.push(Entry::new(entry.id, bytes.len(), value.len()));
            bytes.extend_from_slice(value);
        }
        Attributes { index: index.into(), bytes: bytes.into() }
    }
}
