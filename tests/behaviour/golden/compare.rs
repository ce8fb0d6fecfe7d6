//! The comparison itself: every cell of a table against what the library does, and one line for each that differs.

use std::fmt;

use super::attributes::Value;
use super::makers::{Maker, generated, imported, maker};
use super::table::{Cell, Default, Letter, Row, Source, Table};
use crate::support::*;

/// A cell that the library does not honour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    pub(super) table: &'static str,
    pub(super) attribute: &'static str,
    pub(super) column: String,
    source: Source,
    expected: String,
    came: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, attribute, column, source, expected, came } = self;
        write!(f, "{table}.txt, {attribute}, {column} ({source:?}): expected {expected}; came {came}")
    }
}

impl Difference {
    pub(super) fn new(table: &Table, row: &Row, column: &str, source: Source, found: Mismatch) -> Self {
        let (table, attribute) = (table.name, row.attribute.name);
        Self { table, attribute, column: column.to_owned(), source, expected: found.expected, came: found.came }
    }

    /// What concerns a column and no cell of it.
    pub(super) fn of_column(table: &Table, column: &str, expected: &str, came: &str) -> Self {
        Self {
            table: table.name,
            attribute: "(the column)",
            column: column.to_owned(),
            source: Source::Documented,
            expected: expected.to_owned(),
            came: came.to_owned(),
        }
    }
}

pub(super) struct Mismatch {
    expected: String,
    came: String,
}

/// One comparison; the text says what was done.
pub(super) fn same<T: fmt::Debug + PartialEq>(what: &str, expected: &T, came: &T) -> Result<(), Mismatch> {
    if expected == came {
        Ok(())
    } else {
        Err(Mismatch { expected: format!("{what}: {expected:?}"), came: format!("{came:?}") })
    }
}

/// One column of a table that says what templates may hold.
pub(super) struct Templates<'a> {
    pub(super) session: Session,
    pub(super) table: &'a Table,
    pub(super) column: &'a str,
    /// What the object shows: the table of C_GetAttributeValue, and the column there.
    pub(super) reads: &'a Table,
    pub(super) reads_column: &'a str,
    pub(super) maker: Maker<'a>,
}

impl<'a> Templates<'a> {
    pub(super) fn of_keys(session: Session, table: &'a Table, reads: &'a Table, column: &'a str) -> Self {
        Self { session, table, column, reads, reads_column: column, maker: maker(session, table.name, column) }
    }

    pub(super) fn compare(&self, passed_over: &dyn Fn(&Row) -> bool) -> Vec<Difference> {
        let plain = match self.maker.make(&self.maker.base) {
            Ok(plain) => plain,
            Err(rv) => {
                return vec![Difference::of_column(self.table, self.column, "the least template", &format!("{rv:?}"))];
            }
        };
        let mut differences = Vec::new();
        let mut together = self.maker.base.clone();
        for (row, cell) in self.table.column(self.column).filter(|(row, _)| !passed_over(row)) {
            let mut found =
                |source, found| differences.push(Difference::new(self.table, row, self.column, source, found));
            match (self.default(plain, row, cell), self.cell(row, cell)) {
                (_, Err(cells)) => found(cell.source, cells),
                (Err(default), Ok(())) => found(row.default_source, default),
                (Ok(()), Ok(())) => together = self.joined(&together, row, cell),
            }
        }
        // What is accepted one by one is accepted in one template.
        match self.maker.make(&together) {
            Ok(object) => {
                let _ = self.session.destroy(object);
            }
            Err(rv) => {
                let what = "all that the column accepts in one template";
                differences.push(Difference::of_column(self.table, self.column, what, &format!("{rv:?}")));
            }
        }
        differences
    }

    fn joined(&self, template: &Template, row: &Row, cell: Cell) -> Template {
        let id = row.attribute.id;
        match (&row.default, cell.letter) {
            (Default::Plain(Value::Flag(flag)), Letter::Yes) if ![CKA_TRUSTED, CKA_TOKEN].contains(&id) => {
                template.clone().without(id).flag(id, !flag)
            }
            (Default::Plain(value), Letter::OnlyDefault) => value.put(template, id),
            (_, Letter::Yes) if row.attribute.values(self.maker.kind).len() == 1 => {
                row.attribute.values(self.maker.kind)[0].put(template, id)
            }
            _ => template.clone(),
        }
    }

    fn shown(&self, row: &Row) -> bool {
        self.reads.cell(row.attribute, self.reads_column).is_some_and(|cell| cell.letter == Letter::Yes)
    }

    /// A key that was made without the attribute shows its default.
    fn default(&self, plain: CK_OBJECT_HANDLE, row: &Row, cell: Cell) -> Result<(), Mismatch> {
        if cell.letter == Letter::Not || row.default == Default::Unknown || !self.shown(row) {
            return Ok(());
        }
        let came = Value::read(self.session, plain, row.attribute);
        let expected = match &row.default {
            Default::Plain(value) => value.clone(),
            Default::Kind => row.attribute.values(self.maker.kind)[0].clone(),
            Default::Empty | Default::Unknown => {
                let empty = matches!(&came, Ok(Value::Bytes(bytes)) if bytes.is_empty())
                    || matches!(&came, Ok(Value::Flags(flags)) if flags.is_empty());
                return if empty { Ok(()) } else { same("the default", &Ok(Value::Bytes(Vec::new())), &came) };
            }
        };
        same("the default", &Ok(expected), &came)
    }

    fn cell(&self, row: &Row, cell: Cell) -> Result<(), Mismatch> {
        let id = row.attribute.id;
        let values = row.attribute.values(self.maker.kind);
        let all = |code| values.iter().try_for_each(|value| self.refused(row, value, code));
        match cell.letter {
            // User Guide, user-permissions-table: TRUSTED is an officer's to give, except in certificates.
            Letter::Yes if id == CKA_TRUSTED => {
                self.accepted(row, &Value::Flag(false))?;
                self.refused(row, &Value::Flag(true), CKR_ATTRIBUTE_READ_ONLY)
            }
            Letter::Yes => {
                values.iter().try_for_each(|value| self.accepted(row, value))?;
                if self.maker.needs(id) { self.left_out(row, &Ok(())) } else { Ok(()) }
            }
            Letter::Mandatory => {
                values.iter().try_for_each(|value| self.accepted(row, value))?;
                self.left_out(row, &code(CKR_TEMPLATE_INCOMPLETE))
            }
            Letter::ReadOnly => all(CKR_ATTRIBUTE_READ_ONLY),
            Letter::Not => all(CKR_TEMPLATE_INCONSISTENT),
            Letter::OnlyDefault => {
                let (good, bad) = match &row.default {
                    Default::Plain(Value::Flag(flag)) => (Value::Flag(*flag), Value::Flag(!flag)),
                    Default::Plain(Value::Number(number)) => (Value::Number(*number), Value::Number(number + 1)),
                    other => panic!("{}: =D needs a default, not {other:?}", row.attribute.name),
                };
                self.accepted(row, &good)?;
                self.refused(row, &bad, CKR_ATTRIBUTE_VALUE_INVALID)
            }
            letter => panic!("{letter:?} is no letter of templates"),
        }?;
        let Some(longest) = row.longest else { return Ok(()) };
        let long = Value::Bytes(vec![b'x'; longest + 1]);
        self.refused(row, &long, CKR_ATTRIBUTE_VALUE_INVALID)?;
        // A value of the largest size must also be a certificate or a key, so only free text and bytes are tried.
        let free = [CKA_LABEL, CKA_ID].contains(&id);
        if free { self.accepted(row, &Value::Bytes(vec![b'x'; longest])) } else { Ok(()) }
    }

    /// Makes the object; what is made is destroyed by the caller.
    fn attempt(&self, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        self.maker.make(template)
    }

    fn forget(&self, made: Answer<CK_OBJECT_HANDLE>) -> Answer {
        made.map(|object| {
            let _ = self.session.destroy(object);
        })
    }

    fn accepted(&self, row: &Row, value: &Value) -> Result<(), Mismatch> {
        let made = self.attempt(&value.put(&self.maker.base, row.attribute.id));
        let Ok(object) = made else {
            return same(&format!("given as {}", short(value)), &Ok(()), &self.forget(made));
        };
        let shown = if self.shown(row) {
            let came = Value::read(self.session, object, row.attribute);
            same("shown as given", &Ok(value.clone()), &came)
        } else {
            Ok(())
        };
        let _ = self.session.destroy(object);
        shown
    }

    fn refused(&self, row: &Row, value: &Value, rv: CK_RV) -> Result<(), Mismatch> {
        let came = self.forget(self.attempt(&value.put(&self.maker.base, row.attribute.id)));
        same(&format!("given as {}", short(value)), &code(rv), &came)
    }

    fn left_out(&self, row: &Row, expected: &Answer) -> Result<(), Mismatch> {
        let came = self.forget(self.attempt(&self.maker.base.clone().without(row.attribute.id)));
        same("left out", expected, &came)
    }
}

/// A value in a few words.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) if bytes.len() > 8 => format!("{} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// One column of get_attribute_value.txt, of a key that was generated and of one that was imported.
pub(super) fn reads(session: Session, table: &Table, column: &str) -> Vec<Difference> {
    let kind = super::attributes::Kind::named(column);
    let mut makers = vec![generated(session, kind)];
    if kind.key_type != super::numbers::CKK_CLOUDHSM_ML_DSA {
        makers.push(imported(session, kind));
    }
    let mut differences: Vec<Difference> = Vec::new();
    for maker in makers {
        // A key that has what it may have: the tables do not say what a template that was never given looks like.
        let nested = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE];
        let shown =
            table.column(column).filter(|(row, cell)| nested.contains(&row.attribute.id) && cell.letter == Letter::Yes);
        let template = shown.fold(maker.base.clone(), |template, (row, _)| {
            row.attribute.values(kind)[0].put(&template, row.attribute.id)
        });
        let made = match maker.make(&template) {
            Ok(made) => made,
            Err(rv) => {
                differences.push(Difference::of_column(table, column, "a key", &format!("{rv:?}")));
                continue;
            }
        };
        // Where no key of this origin is anything but sensitive, the one key is both.
        let open = maker.make(&maker.base.clone().flag(CKA_SENSITIVE, false)).unwrap_or(made);
        for (row, cell) in table.column(column) {
            let found = read_cell(session, made, open, row, cell.letter);
            if let Err(found) = found
                && !differences.iter().any(|there| there.attribute == row.attribute.name)
            {
                differences.push(Difference::new(table, row, column, cell.source, found));
            }
        }
    }
    differences
}

pub(super) fn read_cell(
    session: Session,
    object: CK_OBJECT_HANDLE,
    open: CK_OBJECT_HANDLE,
    row: &Row,
    letter: Letter,
) -> Result<(), Mismatch> {
    let shown = |object| {
        let came = Value::read(session, object, row.attribute).map(|_| ());
        same("read", &Ok(()), &came)
    };
    match letter {
        Letter::Yes => shown(object),
        Letter::AsItsFlagSays => {
            shown(open)?;
            hidden(session, object, row, CKR_ATTRIBUTE_SENSITIVE)
        }
        Letter::Sensitive => {
            hidden(session, open, row, CKR_ATTRIBUTE_SENSITIVE)?;
            hidden(session, object, row, CKR_ATTRIBUTE_SENSITIVE)
        }
        Letter::Not => hidden(session, object, row, CKR_ATTRIBUTE_TYPE_INVALID),
        other => panic!("{other:?} is no letter of reading"),
    }
}

/// What is not shown says so with and without a buffer, and tells no length (PKCS#11 3.2 section 5.7.5).
fn hidden(session: Session, object: CK_OBJECT_HANDLE, row: &Row, rv: CK_RV) -> Result<(), Mismatch> {
    let mut buffer = [0xC7_u8; 1024];
    for place in [std::ptr::null_mut(), buffer.as_mut_ptr()] {
        let mut entry = CK_ATTRIBUTE { type_: row.attribute.id, pValue: place.cast(), ulValueLen: 1024 };
        let came = call!(C_GetAttributeValue(session.0, object, &raw mut entry, 1));
        let (expected, came) = ((Rv(rv), CK_UNAVAILABLE_INFORMATION), (Rv(came), entry.ulValueLen));
        same("read, and ulValueLen", &expected, &came)?;
    }
    same("the buffer stays", &[0xC7_u8; 1024].as_slice(), &buffer.as_slice())
}
