//! C_GetMechanismList and C_GetMechanismInfo: exactly the table's mechanisms, flags and sizes (PKCS#11 3.2, section 5.5).

use std::collections::BTreeSet;
use std::ptr;

use super::keys::Kind;
use super::report::Report;
use super::table::{Line, Setting, Table};
use crate::support::*;

/// What C_GetMechanismList lists.
fn listed(report: &mut Report) -> BTreeSet<CK_MECHANISM_TYPE> {
    let mut count = 0;
    assert_eq!(call!(C_GetMechanismList(SLOT, ptr::null_mut(), &raw mut count)), CKR_OK);
    let mut list = vec![CK_ULONG::MAX; count as usize];
    for room in [0, count - 1] {
        let mut less = room;
        let rv = call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut less));
        report.expect("list", format!("room for {room}"), (Rv(CKR_BUFFER_TOO_SMALL), count), (Rv(rv), less));
    }
    assert_eq!(call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut count)), CKR_OK);
    let set: BTreeSet<_> = list.iter().copied().collect();
    report.expect("list", "each once", list.len(), set.len());
    set
}

/// The list against the whole table.
pub(super) fn whole_list(report: &mut Report, table: &Table, setting: Setting) {
    let listed = listed(report);
    let wanted: BTreeSet<_> =
        table.0.iter().filter(|line| !line.uses(setting).value.is_empty()).map(|line| line.number).collect();
    for line in &table.0 {
        let source = line.uses(setting).source;
        let there = (wanted.contains(&line.number), listed.contains(&line.number));
        report.expect_cell("list", format!("{} is listed", line.name), source, there.0, there.1);
    }
    for more in listed.difference(&wanted) {
        let name = table.0.iter().find(|line| line.number == *more).map_or("not in the table", |line| &line.name);
        report.expect("list", format!("{more:#x} ({name}) is listed"), false, true);
    }
}

/// C_GetMechanismInfo of one line.
pub(super) fn information(report: &mut Report, line: &Line, setting: Setting) {
    let mut information = CK_MECHANISM_INFO::default();
    let rv = Rv(call!(C_GetMechanismInfo(SLOT, line.number, &raw mut information)));
    let uses = line.uses(setting);
    if uses.value.is_empty() {
        report.expect_code("information", format!("{} is not served", line.name), CKR_MECHANISM_INVALID, rv);
        return;
    }
    report.expect_code("information", &line.name, CKR_OK, rv);
    let expected = uses.value.iter().fold(0, |flags, function| flags | function.flag());
    let curve_flags = CKF_EC_F_P | CKF_EC_F_2M | CKF_EC_ECPARAMETERS | CKF_EC_OID | CKF_EC_CURVENAME;
    let form_flags = CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS;
    let plain = information.flags & !(curve_flags | form_flags);
    let what = format!("{}, flags", line.name);
    report.expect_cell("information", what, uses.source, format!("{expected:#x}"), format!("{plain:#x}"));
    // PKCS#11 3.2, section 6.3.3: whoever has EC mechanisms must set the field, the representation and the form of points
    // for each of them. Here: prime fields, curves by their object identifier; Weierstrass points uncompressed.
    let curves = line.keys.iter().any(|key| matches!(key.value, Kind::Ec | Kind::Ed25519 | Kind::Edwards));
    let (curve, form) = if curves { (CKF_EC_F_P | CKF_EC_OID, CKF_EC_UNCOMPRESS) } else { (0, 0) };
    let what = format!("{}, flags of curves (3.2, 6.3.3)", line.name);
    report.expect("information", what, format!("{curve:#x}"), format!("{:#x}", information.flags & curve_flags));
    let came = information.flags & form_flags;
    let edwards_only = curves && line.keys.iter().all(|key| key.value != Kind::Ec);
    // Of the points of edwards25519 the standard does not say which form they are: at least one flag.
    let form = if edwards_only && came != 0 { came } else { form };
    let what = format!("{}, flags of points (3.2, 6.3.3)", line.name);
    report.expect("information", what, format!("{form:#x}"), format!("{came:#x}"));
    let sizes = line.sizes(setting);
    let what = format!("{}, key sizes", line.name);
    let came = (information.ulMinKeySize, information.ulMaxKeySize);
    report.expect_cell("information", what, sizes.source, sizes.value, came);
}
