//! Tables of the docs that follow from the code: compared with what is in the repository, renewed on request.

use std::path::Path;

/// Compares a generated text with `docs/<name>`; with CLOUDHSM_WRITE_DOCS set, writes it instead.
#[allow(clippy::expect_used, reason = "a test helper")]
pub fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let note = "<!-- Made by `CLOUDHSM_WRITE_DOCS=1 cargo test --workspace --lib docs`; do not edit. -->\n";
    let text = format!("{note}{text}");
    if std::env::var_os("CLOUDHSM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("docs/ can be written");
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(present == text, "docs/{name} is stale: run CLOUDHSM_WRITE_DOCS=1 cargo test --workspace --lib docs");
}
