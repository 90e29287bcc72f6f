//! `data`: brings and verifies the data sets.

use isopath::datasets::{self, Set};

use super::{Failure, Result};

/// Brings the set that `name` says, or every one for `all`.
///
/// # Errors
/// An unknown set, or no source could bring it.
pub fn data(name: &str) -> Result<()> {
    let sets = match name {
        "all" => Set::ALL.to_vec(),
        name => {
            vec![name.parse().map_err(|_| {
                Failure(format!(
                    "data set is {name:?}; expected mnist, cifar10 or all"
                ))
            })?]
        }
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
