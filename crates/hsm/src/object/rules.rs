//! How the rule table is read: one rule for each attribute of each kind of object, in two dialects.
//!
//! AWS publishes CloudHSM's attributes as tables of function x key type with a mark in each cell. A [`Rule`] is one
//! row of such a table for one kind of object: a word of six letters, in the order
//! generate, create, unwrap, derive, read, change.
//!
//! | letter | in generate, create, unwrap, derive |
//! |---|---|
//! | `y` | accepted; absent if not given |
//! | `t`, `f`, `e` | accepted; true, false or empty if not given |
//! | `T`, `F` | accepted only with the default value, true or false (`=D` of AWS's tables) |
//! | `z`, `Z` | a number that can only be 0; absent it is 0, or it must be given |
//! | `m` | must be given |
//! | `R` | set by the HSM; giving it is CKR_ATTRIBUTE_READ_ONLY |
//! | `X` | the same, and always true |
//! | `-` | not known for this kind: CKR_TEMPLATE_INCONSISTENT |
//!
//! | letter | in read |
//! |---|---|
//! | `y` | shown; a boolean that was never given is false |
//! | `e`, `0`, `h` | shown; never given it is empty, 0 or CKM_SHA_1 |
//! | `p` | shown; never given it is the public key, which follows from the material |
//! | `S` | key material: shown only if the key is neither sensitive nor unextractable |
//! | `N` | key material: never shown |
//! | `-` | not known: CKR_ATTRIBUTE_TYPE_INVALID |
//!
//! | letter | in change (C_SetAttributeValue, C_CopyObject, `key set-attribute`) |
//! |---|---|
//! | `y` | free |
//! | `t`, `f` | only to true, only to false |
//! | `o` | by an officer only |
//! | `d` | free; in a copy only from true to false |
//! | `k` | to true; in a copy to any value |
//! | `c` | C_CopyObject only |
//! | `-` | never |

use std::sync::OnceLock;

use base::ck::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS};

use crate::config::{Profile, Regime};
use crate::object::form::Form;
use crate::object::rules_table::KINDS;

/// The function that makes an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Making {
    /// C_GenerateKey, C_GenerateKeyPair.
    Generate = 0,
    /// C_CreateObject.
    Create = 1,
    /// C_UnwrapKey.
    Unwrap = 2,
    /// C_DeriveKey.
    Derive = 3,
}

/// What a template may say about an attribute, and what holds if it says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// Accepted.
    Optional(Default),
    /// Accepted with this value only.
    Only(bool),
    /// Accepted as the number 0 only.
    OnlyZero,
    /// Must be given, as the number 0.
    MandatoryZero,
    /// Must be given.
    Mandatory,
    /// The HSM sets it.
    ReadOnly,
    /// The HSM sets it to true.
    ReadOnlyTrue,
    /// Not known for this kind of object.
    Unsupported,
}

/// The value of an attribute that the template does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// None: the object does not have the attribute.
    Absent,
    /// A boolean.
    Flag(bool),
    /// No bytes.
    Empty,
}

/// What C_GetAttributeValue does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Shows it.
    Shown(Unset),
    /// Shows it if the key is neither sensitive nor unextractable.
    Material,
    /// Holds it and never shows it.
    Never,
    /// Does not know it.
    Unknown,
}

/// What an object shows of an attribute that nobody has given it: "some of these default values may even be the empty string;
/// nonetheless, the object possesses these attributes" (PKCS#11 3.2 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unset {
    /// Nothing, the object does not have it; of a boolean false.
    Absent,
    /// No bytes.
    Empty,
    /// The number 0.
    Zero,
    /// The number of SHA-1.
    Sha1,
    /// The SubjectPublicKeyInfo of the key.
    PublicKey,
}

/// What may become of it later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changing {
    /// Any value.
    Free,
    /// Only this value.
    Only(bool),
    /// By an officer, to any value.
    Officer,
    /// Any value; in a copy only from true to false.
    LoweredIfCopied,
    /// In a copy to any value, otherwise only to true.
    RaisedOrCopied,
    /// In a copy only.
    Copy,
    /// Never.
    Never,
}

/// What one kind of object does with one attribute.
pub struct Rule {
    /// The attribute.
    pub attribute: CK_ATTRIBUTE_TYPE,
    cloudhsm: Word,
    standard: Word,
}

/// Whether CloudHSM's dialects have a kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// They have.
    Always,
    /// They have not.
    Never,
    /// If certificates are stored (`certificate_storage`).
    IfStored,
}

/// A kind of object: a class and, for keys, a key type.
pub struct Kind {
    /// CloudHSM's word for it, for messages and the docs.
    pub name: &'static str,
    /// `CKA_CLASS`.
    pub class: CK_OBJECT_CLASS,
    /// `CKA_KEY_TYPE`; none for certificates and data.
    pub key_type: Option<CK_KEY_TYPE>,
    /// Whether `cloudhsm` and `strict` have this kind; `standard` has every one.
    pub cloudhsm: Presence,
    /// How the material enters and leaves.
    pub form: &'static Form,
    /// Lists of rules; of two rules for one attribute the one in the earlier list holds.
    pub lists: &'static [&'static [Rule]],
    /// The same rules, each attribute once, in ascending order; made at the first look.
    pub(super) sorted: OnceLock<Box<[&'static Rule]>>,
}

#[derive(Clone, Copy)]
struct Word([u8; 6]);

/// One rule: its attribute and its words in the two dialects.
pub(super) const fn rule(attribute: CK_ATTRIBUTE_TYPE, cloudhsm: &str, standard: &str) -> Rule {
    Rule { attribute, cloudhsm: Word::read(cloudhsm), standard: Word::read(standard) }
}

impl Word {
    /// Checks the letters, at compile time since every rule is a constant.
    const fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        assert!(bytes.len() == 6, "a rule is six letters: generate, create, unwrap, derive, read, change");
        let mut letters = [b'-'; 6];
        let mut at = 0;
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
        while at < 6 {
            let allowed: &[u8] = match at {
                0..=3 => b"ytfeTFzZmRX-",
                4 => b"ye0hpSN-",
                _ => b"ytfodkc-",
            };
            let mut found = false;
            let mut k = 0;
            while k < allowed.len() {
                found |= allowed[k] == bytes[at];
                k += 1;
            }
            assert!(found, "a rule has a letter that its place does not know");
            letters[at] = bytes[at];
            at += 1;
        }
        Self(letters)
    }
}

impl Rule {
    const fn word(&self, regime: Regime<'_>) -> [u8; 6] {
        match regime.dialect.profile {
            Profile::CloudHsm | Profile::Strict => self.cloudhsm.0,
            Profile::Standard => self.standard.0,
        }
    }

    /// What a template may say.
    #[must_use]
    pub const fn cell(&self, making: Making, regime: Regime<'_>) -> Cell {
        let [generate, create, unwrap, derive, ..] = self.word(regime);
        let letter = match making {
            Making::Generate => generate,
            Making::Create => create,
            Making::Unwrap => unwrap,
            Making::Derive => derive,
        };
        match letter {
            b'y' => Cell::Optional(Default::Absent),
            b't' => Cell::Optional(Default::Flag(true)),
            b'f' => Cell::Optional(Default::Flag(false)),
            b'e' => Cell::Optional(Default::Empty),
            b'T' => Cell::Only(true),
            b'F' => Cell::Only(false),
            b'z' => Cell::OnlyZero,
            b'Z' => Cell::MandatoryZero,
            b'm' => Cell::Mandatory,
            b'R' => Cell::ReadOnly,
            b'X' => Cell::ReadOnlyTrue,
            _ => Cell::Unsupported,
        }
    }

    /// What C_GetAttributeValue does.
    #[must_use]
    pub const fn reading(&self, regime: Regime<'_>) -> Reading {
        let [.., letter, _] = self.word(regime);
        match letter {
            b'y' => Reading::Shown(Unset::Absent),
            b'e' => Reading::Shown(Unset::Empty),
            b'0' => Reading::Shown(Unset::Zero),
            b'h' => Reading::Shown(Unset::Sha1),
            b'p' => Reading::Shown(Unset::PublicKey),
            b'S' => Reading::Material,
            b'N' => Reading::Never,
            _ => Reading::Unknown,
        }
    }

    /// What may become of it later.
    #[must_use]
    pub const fn changing(&self, regime: Regime<'_>) -> Changing {
        let [.., letter] = self.word(regime);
        match letter {
            b'y' => Changing::Free,
            b't' => Changing::Only(true),
            b'f' => Changing::Only(false),
            b'o' => Changing::Officer,
            b'd' => Changing::LoweredIfCopied,
            b'k' => Changing::RaisedOrCopied,
            b'c' => Changing::Copy,
            _ => Changing::Never,
        }
    }

    /// Whether a value of this attribute is key material, which lives outside the attribute map.
    #[must_use]
    pub const fn is_material(&self) -> bool {
        matches!(self.cloudhsm.0, [.., b'S' | b'N', _]) || matches!(self.standard.0, [.., b'S' | b'N', _])
    }
}

impl Kind {
    /// Whether the dialect has this kind of object.
    #[must_use]
    pub const fn served(&self, regime: Regime<'_>) -> bool {
        match regime.dialect.profile {
            Profile::CloudHsm | Profile::Strict => match self.cloudhsm {
                Presence::Always => true,
                Presence::Never => false,
                Presence::IfStored => regime.dialect.certificate_storage,
            },
            Profile::Standard => true,
        }
    }

    /// The rule for an attribute, if this kind has one.
    #[must_use]
    pub fn rule(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<&'static Rule> {
        let sorted = self.sorted();
        let at = sorted.binary_search_by_key(&attribute, |rule| rule.attribute).ok()?;
        sorted.get(at).copied()
    }

    /// Every rule of this kind, each attribute once, in ascending order.
    pub fn sorted(&self) -> &[&'static Rule] {
        self.sorted.get_or_init(|| {
            let mut rules: Vec<_> = self.rules().collect();
            rules.sort_by_key(|rule| rule.attribute);
            rules.into()
        })
    }

    /// Every rule of this kind, each attribute once.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let lists = self.lists;
        lists.iter().enumerate().flat_map(move |(at, list)| {
            list.iter().filter(move |rule| {
                !lists.iter().take(at).any(|earlier| earlier.iter().any(|other| other.attribute == rule.attribute))
            })
        })
    }
}

/// The kind of an object, if it is one that is known here.
#[must_use]
pub fn kind(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.class == class && kind.key_type.is_none_or(|known| known == key_type))
}

/// Makes what rules are looked up by, so that nothing is made later: a child that was forked while another thread made it
/// would wait for ever.
pub fn prepare() {
    for kind in &KINDS {
        kind.sorted();
    }
}

/// Every kind of object, for the docs and for the tests that go through all of them.
#[must_use]
pub fn kinds() -> &'static [Kind] {
    &KINDS
}
