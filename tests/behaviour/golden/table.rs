//! The text files, read strictly: a letter that the file's head does not explain, a ragged row, an attribute that is
//! unknown, named twice or left out is an error of the file.

use std::collections::BTreeSet;

use super::attributes::{Attribute, Value};

/// What a cell says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Letter {
    /// `y`
    Yes,
    /// `m`
    Mandatory,
    /// `R`
    ReadOnly,
    /// `-`
    Not,
    /// `=D`
    OnlyDefault,
    /// `S`
    Sensitive,
    /// `y/S`
    AsItsFlagSays,
    /// `+`
    OnlyUp,
    /// `>`
    OnlyDown,
    /// `O`
    Officer,
}

/// Whose word a cell is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Documented,
    Inferred,
    Ours,
}

/// What the object shows when the attribute was not given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Default {
    Unknown,
    /// The class or the key type of the column.
    Kind,
    Empty,
    Plain(Value),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    pub(super) letter: Letter,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) attribute: &'static Attribute,
    pub(super) cells: Vec<Cell>,
    pub(super) default: Default,
    pub(super) default_source: Source,
    pub(super) longest: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The file without its extension.
    pub(super) name: &'static str,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// The letters of the tables that say what a template may hold.
const TEMPLATE: &[(&str, Letter)] = &[
    ("y", Letter::Yes),
    ("m", Letter::Mandatory),
    ("R", Letter::ReadOnly),
    ("-", Letter::Not),
    ("=D", Letter::OnlyDefault),
];
const READ: &[(&str, Letter)] =
    &[("y", Letter::Yes), ("S", Letter::Sensitive), ("y/S", Letter::AsItsFlagSays), ("-", Letter::Not)];
const CHANGE: &[(&str, Letter)] = &[
    ("y", Letter::Yes),
    ("+", Letter::OnlyUp),
    (">", Letter::OnlyDown),
    ("O", Letter::Officer),
    ("R", Letter::ReadOnly),
    ("-", Letter::Not),
];

/// Attributes that stand in one table only: newer than AWS's PKCS#11, and of certificates.
const NEWER: &[&str] = &["UNIQUE_ID", "PROFILE_ID", "PARAMETER_SET", "ENCAPSULATE", "DECAPSULATE", "SEED"];
const OF_CERTIFICATES: &[&str] =
    &["HASH_OF_SUBJECT_PUBLIC_KEY", "HASH_OF_ISSUER_PUBLIC_KEY", "NAME_HASH_ALGORITHM", "JAVA_MIDP_SECURITY_DOMAIN"];

impl Table {
    /// A table of this repository.
    pub(super) fn named(name: &str) -> Self {
        macro_rules! files {
            ($($file:literal),*) => {
                match name {
                    $($file => Self::parse($file, include_str!(concat!($file, ".txt"))),)*
                    _ => Err(format!("there is no table {name}")),
                }
            };
        }
        files!(
            "generate_key_pair",
            "generate_key",
            "create_object",
            "unwrap_key",
            "derive_key",
            "get_attribute_value",
            "change",
            "certificate"
        )
        .unwrap_or_else(|why| panic!("{why}"))
    }

    pub(super) fn parse(name: &'static str, text: &str) -> Result<Self, String> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (_, head) = lines.next().ok_or_else(|| format!("{name}.txt: no table"))?;
        let heads: Vec<_> = head.split('|').map(str::trim).collect();
        if heads.first() != Some(&"attribute") {
            return Err(format!("{name}.txt: the first column is {heads:?}"));
        }
        let place = |head: &str| heads.iter().position(|there| *there == head);
        let (default, longest) = (place("default"), place("longest"));
        let last = default.unwrap_or(heads.len());
        let mut table =
            Self { name, columns: heads[1..last].iter().map(|&head| head.to_owned()).collect(), rows: vec![] };
        for (number, line) in lines {
            let wrong = |why: &str| format!("{name}.txt:{number}: {why}: {line}");
            let words: Vec<_> = line.split('|').map(str::trim).collect();
            if words.len() != heads.len() {
                return Err(wrong(&format!("{} cells instead of {}", words.len(), heads.len())));
            }
            let attribute = Attribute::named(words[0]).ok_or_else(|| wrong("an unknown attribute"))?;
            let letters = |column: &str| match (name, column) {
                ("get_attribute_value", _) | ("certificate", "read") => READ,
                ("change", _) | ("certificate", "change") => CHANGE,
                _ => TEMPLATE,
            };
            let cells = table.columns.iter().zip(&words[1..last]).map(|(column, word)| cell(letters(column), word));
            let cells = cells.collect::<Option<_>>().ok_or_else(|| wrong("an unknown letter"))?;
            let (default, default_source) = sourced(default.map_or(".", |at| words[at]));
            let default = default_value(default).ok_or_else(|| wrong("an unknown default"))?;
            let longest = match longest.map(|at| words[at]) {
                None | Some(".") => None,
                Some(word) => Some(word.parse().map_err(|_| wrong("no length"))?),
            };
            table.rows.push(Row { attribute, cells, default, default_source, longest });
        }
        table.complete().map(|()| table)
    }

    /// Every attribute stands in the table, once.
    fn complete(&self) -> Result<(), String> {
        let mut wanted: BTreeSet<_> = super::attributes::ATTRIBUTES.iter().map(|attribute| attribute.name).collect();
        if self.name != "get_attribute_value" {
            wanted.retain(|name| !NEWER.contains(name));
        }
        if self.name != "certificate" {
            wanted.retain(|name| !OF_CERTIFICATES.contains(name));
        }
        for row in &self.rows {
            if !wanted.remove(row.attribute.name) {
                return Err(format!(
                    "{}.txt: {} stands there twice or has no place there",
                    self.name, row.attribute.name
                ));
            }
        }
        if wanted.is_empty() { Ok(()) } else { Err(format!("{}.txt: {wanted:?} are missing", self.name)) }
    }

    /// The rows, each with its cell of one column.
    pub(super) fn column(&self, column: &str) -> impl Iterator<Item = (&Row, Cell)> {
        let at = self.columns.iter().position(|there| there == column).expect("a column of the table");
        self.rows.iter().map(move |row| (row, row.cells[at]))
    }

    /// One cell.
    pub(super) fn cell(&self, attribute: &Attribute, column: &str) -> Option<Cell> {
        self.column(column).find(|(row, _)| row.attribute.id == attribute.id).map(|(_, cell)| cell)
    }

    /// A copy with one letter changed.
    pub(super) fn altered(&self, attribute: &str, column: &str, letter: Letter) -> Self {
        let mut copy = self.clone();
        let at = copy.columns.iter().position(|there| there == column).expect("a column of the table");
        let row = copy.rows.iter_mut().find(|row| row.attribute.name == attribute).expect("a row of the table");
        assert_ne!(row.cells[at].letter, letter, "the copy is altered");
        row.cells[at].letter = letter;
        copy
    }

    /// A copy with one default changed.
    pub(super) fn altered_default(&self, attribute: &str, default: Default) -> Self {
        let mut copy = self.clone();
        let row = copy.rows.iter_mut().find(|row| row.attribute.name == attribute).expect("a row of the table");
        assert_ne!(row.default, default, "the copy is altered");
        row.default = default;
        copy
    }
}

fn sourced(word: &str) -> (&str, Source) {
    if let Some(rest) = word.strip_suffix('?') {
        (rest, Source::Inferred)
    } else if let Some(rest) = word.strip_suffix('!') {
        (rest, Source::Ours)
    } else {
        (word, Source::Documented)
    }
}

fn cell(letters: &[(&str, Letter)], word: &str) -> Option<Cell> {
    let (word, source) = sourced(word);
    letters.iter().find(|(letter, _)| *letter == word).map(|(_, letter)| Cell { letter: *letter, source })
}

fn default_value(word: &str) -> Option<Default> {
    Some(match word {
        "." => Default::Unknown,
        "kind" => Default::Kind,
        "empty" => Default::Empty,
        "zero" => Default::Plain(Value::Number(0)),
        "true" => Default::Plain(Value::Flag(true)),
        "false" => Default::Plain(Value::Flag(false)),
        _ => return None,
    })
}
