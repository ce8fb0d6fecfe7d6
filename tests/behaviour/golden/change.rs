//! Changing attributes: the cells of change.txt and of the certificates' column of that name.

use super::attributes::{Kind, Value};
use super::compare::{Difference, Mismatch, same, short};
use super::makers::{Maker, generated, imported};
use super::numbers::CKK_CLOUDHSM_ML_DSA;
use super::table::{Letter, Row, Table};
use crate::support::*;

/// A column, and what C_SetAttributeValue answers for it.
pub(super) struct Changes<'a> {
    pub(super) session: Session,
    pub(super) table: &'a Table,
    pub(super) column: &'a str,
    pub(super) reads: &'a Table,
    pub(super) reads_column: &'a str,
    pub(super) maker: Maker<'a>,
}

impl<'a> Changes<'a> {
    pub(super) fn of_keys(session: Session, table: &'a Table, reads: &'a Table, column: &'a str) -> Self {
        let maker = generated(session, Kind::named(column));
        Self { session, table, column, reads, reads_column: column, maker }
    }

    /// What the owner may do.
    pub(super) fn compare(&self) -> Vec<Difference> {
        let each = self.table.column(self.column);
        each.filter_map(|(row, cell)| {
            let found = self.cell(row, cell.letter).err()?;
            Some(Difference::new(self.table, row, self.column, cell.source, found))
        })
        .collect()
    }

    /// Profile `strict`: AWS has no such call for keys.
    pub(super) fn compare_refused(&self) -> Vec<Difference> {
        let object = self.maker.make(&self.maker.base).expect("a key");
        let each = self.table.column(self.column);
        each.filter_map(|(row, cell)| {
            let template = row.attribute.values(self.maker.kind)[0].put(&Template::new(), row.attribute.id);
            let expected = code(CKR_FUNCTION_NOT_SUPPORTED);
            let found = same("set", &expected, &self.session.set(object, &template)).err()?;
            Some(Difference::new(self.table, row, self.column, cell.source, found))
        })
        .collect()
    }

    /// Makes the object with a flag as it is to be before the change.
    fn with_flag(&self, row: &Row, flag: bool) -> Result<CK_OBJECT_HANDLE, Mismatch> {
        let id = row.attribute.id;
        let kind = self.maker.kind;
        // A generated EC or RSA key is sensitive from the beginning; an imported one need not be.
        let made = if id == CKA_SENSITIVE && kind.key_type != CKK_CLOUDHSM_ML_DSA {
            let imported = imported(self.session, kind);
            imported.make(&imported.base.clone().flag(id, flag))
        } else {
            self.maker.make(&self.maker.base.clone().flag(id, flag))
        };
        made.map_err(|rv| same(&format!("made as {flag}"), &Ok(()), &code::<()>(rv.0)).expect_err("two codes"))
    }

    fn plain(&self) -> CK_OBJECT_HANDLE {
        self.maker.make(&self.maker.base).unwrap_or_else(|rv| panic!("{}: {rv:?}", self.column))
    }

    fn cell(&self, row: &Row, letter: Letter) -> Result<(), Mismatch> {
        let one_way = |to: bool| {
            let object = self.with_flag(row, !to)?;
            self.set(object, row, &Value::Flag(to))?;
            let back = if row.attribute.id == CKA_MODIFIABLE { CKR_ACTION_PROHIBITED } else { CKR_ATTRIBUTE_READ_ONLY };
            self.kept(object, row, &Value::Flag(!to), back)
        };
        let none = |rv| {
            let object = self.plain();
            let values = row.attribute.values(self.maker.kind);
            let found = values.iter().try_for_each(|value| self.kept(object, row, value, rv));
            let _ = self.session.destroy(object);
            found
        };
        match letter {
            Letter::Yes => {
                let object = self.plain();
                // A flag goes both ways, back to where it was at last.
                let values = row.attribute.values(self.maker.kind);
                let found = values.iter().chain(values.first()).try_for_each(|value| self.set(object, row, value));
                let _ = self.session.destroy(object);
                found
            }
            Letter::OnlyUp => one_way(true),
            Letter::OnlyDown => one_way(false),
            Letter::ReadOnly => none(CKR_ATTRIBUTE_READ_ONLY),
            Letter::Officer => {
                let object = self.plain();
                self.set(object, row, &Value::Flag(false))?;
                self.kept(object, row, &Value::Flag(true), CKR_ATTRIBUTE_READ_ONLY)
            }
            Letter::Not => none(CKR_ATTRIBUTE_TYPE_INVALID),
            other => panic!("{other:?} is no letter of changes"),
        }
    }

    fn set(&self, object: CK_OBJECT_HANDLE, row: &Row, value: &Value) -> Result<(), Mismatch> {
        let came = self.session.set(object, &value.put(&Template::new(), row.attribute.id));
        same(&format!("set to {}", short(value)), &Ok(()), &came)?;
        if self.reads.cell(row.attribute, self.reads_column).is_some_and(|cell| cell.letter == Letter::Yes) {
            let came = Value::read(self.session, object, row.attribute);
            same("shown after the change", &Ok(value.clone()), &came)?;
        }
        Ok(())
    }

    fn kept(&self, object: CK_OBJECT_HANDLE, row: &Row, value: &Value, rv: CK_RV) -> Result<(), Mismatch> {
        let came = self.session.set(object, &value.put(&Template::new(), row.attribute.id));
        same(&format!("set to {}", short(value)), &code(rv), &came)
    }
}

/// The cells that are an officer's: alice makes a key for each, an officer sets the attribute, alice may not take it
/// back, the officer does.
pub(super) fn by_officer(session: Session, table: &Table, columns: &[&str]) -> Vec<Difference> {
    let mut cells: Vec<_> = columns
        .iter()
        .flat_map(|column| table.column(column).map(move |(row, cell)| (*column, row, cell)))
        .filter(|(_, _, cell)| cell.letter == Letter::Officer)
        .collect();
    let label = |column: &str, row: &Row| format!("officer {column} {}", row.attribute.name);
    for (column, row, _) in &cells {
        let maker = generated(session, Kind::named(column));
        maker.make(&maker.base.clone().flag(CKA_TOKEN, true).label(&label(column, row))).expect("a token key");
    }
    let mut differences = Vec::new();
    for (officer, flag, expected) in
        [(true, true, Ok(())), (false, false, code(CKR_ATTRIBUTE_READ_ONLY)), (true, false, Ok(()))]
    {
        let (who, user, pin) = if officer { ("an officer", CKU_SO, OFFICER) } else { ("the owner", CKU_USER, ALICE) };
        session.logout().expect("C_Logout");
        session.login_as(user, pin).expect("C_Login");
        let changed = |column: &str, row: &Row| {
            let id = row.attribute.id;
            let keys = session.labelled(&label(column, row));
            same(&format!("keys that {who} finds"), &1, &keys.len())?;
            let came = session.set(keys[0], &Template::new().flag(id, flag));
            same(&format!("set to {flag} by {who}"), &expected, &came)?;
            let shown = flag == expected.is_ok();
            same(&format!("shown to {who} after the change"), &Ok(shown), &session.flag(keys[0], id))
        };
        // One line for each cell: what has differed is not tried further.
        cells.retain(|(column, row, cell)| {
            let found: Result<(), Mismatch> = changed(column, row);
            let good = found.is_ok();
            differences.extend(found.err().map(|found| Difference::new(table, row, column, cell.source, found)));
            good
        });
    }
    session.logout().expect("C_Logout");
    session.login(ALICE).expect("C_Login");
    differences
}
