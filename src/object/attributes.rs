//! The public attributes of one object: a small sorted map in two allocations.
//!
//! Values are kept in the form C sees (`CK_BBOOL` one byte, `CK_ULONG` eight), so that reading one is a copy. The
//! platforms built for are little-endian with 64-bit `CK_ULONG`, so that form is the one on disk too.

use std::collections::BTreeMap;

use crate::ck::{CK_ATTRIBUTE_TYPE, CK_FALSE, CK_TRUE, CK_ULONG};

/// An immutable map from attribute to value.
#[derive(Default)]
pub struct Attributes {
    index: Box<[Entry]>,
    bytes: Box<[u8]>,
}

struct Entry {
    id: CK_ATTRIBUTE_TYPE,
    start: u32,
    end: u32,
}

impl Attributes {
    /// The value of an attribute, if the object has it.
    #[must_use]
    pub fn get(&self, id: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        let at = self.index.binary_search_by_key(&id, |entry| entry.id).ok()?;
        let entry = self.index.get(at)?;
        self.bytes.get(entry.start as usize..entry.end as usize)
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
        self.index
            .iter()
            .filter_map(|entry| Some((entry.id, self.bytes.get(entry.start as usize..entry.end as usize)?)))
    }

    /// A map that can be changed, with the same content.
    #[must_use]
    pub fn edit(&self) -> Draft {
        Draft(self.iter().map(|(id, value)| (id, value.to_vec())).collect())
    }
}

/// Attributes in the making.
#[derive(Default)]
pub struct Draft(BTreeMap<CK_ATTRIBUTE_TYPE, Vec<u8>>);

impl Draft {
    /// Sets a value in the form C sees.
    pub fn set(&mut self, id: CK_ATTRIBUTE_TYPE, value: impl Into<Vec<u8>>) {
        self.0.insert(id, value.into());
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
        self.0.get(&id).map(Vec::as_slice)
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
    pub fn remove(&mut self, id: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        self.0.remove(&id)
    }

    /// The finished map. Values together longer than 4 GiB cannot occur: `abi` caps each far below.
    #[must_use]
    pub fn finish(self) -> Attributes {
        let mut bytes = Vec::with_capacity(self.0.values().map(Vec::len).sum());
        let mut index = Vec::with_capacity(self.0.len());
        for (id, value) in self.0 {
            let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&value);
            let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            index.push(Entry { id, start, end });
        }
        Attributes { index: index.into(), bytes: bytes.into() }
    }
}
