//! `data`: brings and verifies the data sets.

use isopath::datasets::{self, Set};

use super::{Failure, Result};

/// Brings the set that `name` says, every one for `all`, or without a name those of the notebooks.
///
/// # Errors
/// An unknown set, or no source could bring it.
pub fn data(name: Option<&str>) -> Result<()> {
    let sets = match name {
        None => Set::OF_NOTEBOOKS.to_vec(),
        Some("all") => Set::ALL.to_vec(),
        Some(name) => vec![name.parse().map_err(|_| {
            let names = Set::ALL.map(Set::name).join(", ");
            Failure(format!("data set is {name:?}; expected {names} or all"))
        })?],
    };
    sets.into_iter().try_for_each(bring)
}

/// Brings one set, and says what it found.
///
/// # Errors
/// No source could bring it.
pub fn bring(set: Set) -> Result<()> {
    let fetched = datasets::fetch(set, &datasets::root(), &mut |line| println!("{line}"))?;
    println!("data     {} complete in {}", set, fetched.folder.display());
    Ok(())
}
