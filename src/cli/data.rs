//! The command `data`: downloads the data sets and verifies them.

use isopath::datasets::{self, Set};

use super::{Failure, Result};

/// Downloads the set called `name`, every set for `all`, or without a name those that the notebooks
/// use.
///
/// # Errors
/// An unknown set, or no source has it.
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

/// Downloads one set if it is not complete, and prints where it is.
///
/// # Errors
/// No source has it.
pub fn bring(set: Set) -> Result<()> {
    let fetched = datasets::fetch(set, &datasets::root(), &mut |line| println!("{line}"))?;
    println!("data     {} complete in {}", set, fetched.folder.display());
    Ok(())
}
