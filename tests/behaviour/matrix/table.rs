//! `mechanisms.txt` read strictly, so that a slip of the hand is an error of the file and not a crossing less.

use super::functions::Function;
use super::keys::Kind;
use super::parameters::Form;
use super::secure;
use crate::support::*;

/// Whose word a cell is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Documented,
    Inferred,
    Ours,
}

/// A cell: what it says, and on whose word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell<T> {
    pub(super) value: T,
    pub(super) source: Source,
}

/// What serves in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Parts {
    /// The mechanism has no such calls.
    None,
    One,
    Many,
    /// Ed25519ph alone.
    Prehashed,
}

/// What one dialect makes of a mechanism.
pub(super) struct Terms {
    pub(super) sizes: Cell<(CK_ULONG, CK_ULONG)>,
    /// Outside FIPS mode, and in it.
    pub(super) uses: [Cell<Vec<Function>>; 2],
    pub(super) form: Option<Cell<Form>>,
    pub(super) parts: Cell<Parts>,
}

/// One line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) number: CK_MECHANISM_TYPE,
    pub(super) keys: Vec<Cell<Kind>>,
    /// Of `cloudhsm` and `strict`, and of `standard`.
    terms: [Terms; 2],
    largest: Option<usize>,
}

/// A profile, in or outside FIPS mode and secure mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Setting {
    pub(super) profile: &'static str,
    pub(super) fips: bool,
    pub(super) secure: bool,
}

impl Setting {
    pub(super) fn is_standard(self) -> bool {
        self.profile == "standard"
    }

    fn index(self) -> usize {
        usize::from(self.is_standard())
    }
}

impl Line {
    pub(super) fn terms(&self, setting: Setting) -> &Terms {
        &self.terms[setting.index()]
    }

    /// What the cell says; in secure mode, what rules R5 and R7 leave of it.
    pub(super) fn uses(&self, setting: Setting) -> Cell<Vec<Function>> {
        let mut uses = self.terms(setting).uses[usize::from(setting.fips)].clone();
        if setting.secure {
            uses.value.retain(|function| secure::serves(self, *function));
        }
        uses
    }

    /// Key sizes; in secure mode, what rule R8 leaves of them.
    pub(super) fn sizes(&self, setting: Setting) -> Cell<(CK_ULONG, CK_ULONG)> {
        let mut sizes = self.terms(setting).sizes.clone();
        if setting.secure {
            sizes.value.0 = secure::least(self, sizes.value.0);
        }
        let makes_rsa = self.uses(setting).value.contains(&Function::GeneratePair)
            && self.keys.iter().any(|key| key.value == Kind::Rsa);
        if setting.fips && makes_rsa {
            sizes.value.0 = sizes.value.0.max(2048);
        }
        sizes
    }

    pub(super) fn serves(&self, setting: Setting, function: Function) -> bool {
        self.uses(setting).value.contains(&function)
    }

    pub(super) fn form(&self, setting: Setting) -> Form {
        self.terms(setting).form.as_ref().map_or(Form::None, |cell| cell.value)
    }

    /// The largest input, which is one of AWS's dialect (design: `standard` has none).
    pub(super) fn largest(&self, setting: Setting) -> Option<usize> {
        self.largest.filter(|_| !setting.is_standard())
    }

    pub(super) fn has_limit_at_aws(&self) -> Option<usize> {
        self.largest
    }

    /// The hash that the name has, if it has one.
    pub(super) fn hash(&self) -> Option<CK_MECHANISM_TYPE> {
        let hashes = [
            ("SHA1", CKM_SHA_1),
            ("SHA_1", CKM_SHA_1),
            ("SHA224", CKM_SHA224),
            ("SHA256", CKM_SHA256),
            ("SHA384", CKM_SHA384),
            ("SHA512", CKM_SHA512),
        ];
        hashes.iter().find(|(name, _)| self.name.contains(name)).map(|(_, hash)| *hash)
    }
}

pub(super) struct Table(pub(super) Vec<Line>);

pub(super) const TEXT: &str = include_str!("mechanisms.txt");

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let width = lines.next().ok_or("no head")?.split('|').count();
        let lines = lines.map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            if cells.len() != width {
                return Err(format!("{line}: {} cells of {width}", cells.len()));
            }
            read_line(&cells).map_err(|error| format!("{line}: {error}"))
        });
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        for (at, line) in lines.iter().enumerate() {
            if lines[..at].iter().any(|other| other.name == line.name || other.number == line.number) {
                return Err(format!("{} twice", line.name));
            }
        }
        Ok(Self(lines))
    }

    pub(super) fn line(&self, name: &str) -> Option<&Line> {
        self.0.iter().find(|line| line.name == name)
    }
}

fn read_line(cells: &[&str]) -> Result<Line, String> {
    let [name, number, keys, sizes_aws, sizes_standard, aws, standard, aws_fips, standard_fips, rest @ ..] = cells
    else {
        return Err("too few cells".to_owned());
    };
    let [form_aws, form_standard, parts_aws, parts_standard, largest] = rest else {
        return Err("another number of cells".to_owned());
    };
    let terms = |sizes: &str, uses: [&str; 2], form: &str, parts: &str| -> Result<Terms, String> {
        let terms = Terms {
            sizes: cell(sizes, read_sizes)?,
            uses: [cell(uses[0], read_uses)?, cell(uses[1], read_uses)?],
            form: if form == "-" { None } else { Some(cell(form, Form::named)?) },
            parts: cell(parts, read_parts)?,
        };
        let [outside, inside] = &terms.uses;
        if inside.value.iter().any(|function| !outside.value.contains(function)) {
            return Err("FIPS mode adds a use".to_owned());
        }
        if terms.form.is_none() != outside.value.is_empty() {
            return Err("a parameter without a use, or the reverse".to_owned());
        }
        Ok(terms)
    };
    Ok(Line {
        name: (*name).to_owned(),
        number: cell(number, read_number)?.value,
        keys: if *keys == "-" {
            Vec::new()
        } else {
            keys.split(' ').map(|key| cell(key, Kind::named)).collect::<Result<_, _>>()?
        },
        terms: [
            terms(sizes_aws, [aws, aws_fips], form_aws, parts_aws)?,
            terms(sizes_standard, [standard, standard_fips], form_standard, parts_standard)?,
        ],
        largest: if *largest == "-" { None } else { Some(largest.parse().map_err(|_| "the largest input")?) },
    })
}

fn cell<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Cell<T>, String> {
    let (text, source) = match text.strip_suffix('?') {
        Some(text) => (text, Source::Inferred),
        None => text.strip_suffix('!').map_or((text, Source::Documented), |text| (text, Source::Ours)),
    };
    Ok(Cell { value: read(text)?, source })
}

fn read_number(text: &str) -> Result<CK_ULONG, String> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8).ok_or("a number of eight digits")?;
    CK_ULONG::from_str_radix(digits, 16).map_err(|error| error.to_string())
}

fn read_sizes(text: &str) -> Result<(CK_ULONG, CK_ULONG), String> {
    if text == "-" {
        return Ok((0, 0));
    }
    let (least, most) = text.split_once('-').ok_or("two sizes")?;
    Ok((least.parse().map_err(|_| "a size")?, most.parse().map_err(|_| "a size")?))
}

fn read_uses(text: &str) -> Result<Vec<Function>, String> {
    if text == "-" {
        return Ok(Vec::new());
    }
    text.chars().map(Function::of_letter).collect()
}

fn read_parts(text: &str) -> Result<Parts, String> {
    match text {
        "-" => Ok(Parts::None),
        "1" => Ok(Parts::One),
        "n" => Ok(Parts::Many),
        "ph" => Ok(Parts::Prehashed),
        other => Err(format!("parts: {other}")),
    }
}
