//! What tests of several parts do to a store behind its back.

use std::path::Path;

use platform::fork::store_gate;
use rusqlite::Connection;

/// Runs SQL on the file of a closed store in a home, as an attacker could.
///
/// # Panics
/// If the file is none, or the SQL is wrong.
#[allow(clippy::unwrap_used, reason = "tests")]
pub fn tamper(home: &Path, sql: &str) {
    let _gate = store_gate();
    let connection = Connection::open(home.join("hsm1/hsm.db")).unwrap();
    connection
        .execute_batch("PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
        .unwrap();
    connection.execute_batch(sql).unwrap();
}
