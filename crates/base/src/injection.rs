//! Planted faults, by which a test shows that a check is one: compiled with the feature `injection` alone, which no library
//! that is shipped has (`tools/dev/check/shipped-stores`).

/// Whether the fault `kind:name` is planted: CLOUDHSM_INJECT lists them, with commas.
#[cfg(feature = "injection")]
#[must_use]
pub fn hits(kind: &str, name: &str) -> bool {
    let planted = std::env::var("CLOUDHSM_INJECT").unwrap_or_default();
    planted.split(',').any(|fault| fault.split_once(':') == Some((kind, name)))
}

/// Nothing is planted.
#[cfg(not(feature = "injection"))]
#[inline(always)]
#[must_use]
pub const fn hits(_kind: &str, _name: &str) -> bool {
    false
}
