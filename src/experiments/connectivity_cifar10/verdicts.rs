//! Table 1: pairs in several spaces.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::Settings;
use super::space::Space;
use crate::error::{Error, Result};
use crate::experiments::connectivity::{Agreement, Connections, Pairs, connect_pairs};
use crate::models::{Network, evaluation};

/// The verdicts on the same pairs in several spaces.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// The pairs, the same in every space.
    pub pairs: Pairs,
    /// The connections of the pairs, by space.
    pub spaces: BTreeMap<Space, Connections>,
}

/// Connects every pair in each of [`Settings::spaces`], by the network's representations there.
///
/// - **Shapes**: `pairs` are images (N, 3, H, W); `network` has the stages of a
///   [`ResNet`](crate::models::ResNet).
/// - **Range**: pixels in [0, 1]; each verdict is linear, nonlinear or none.
/// - **Source**: *connectivity*, sections 3 and 4.
///
/// # Errors
///
/// As [`connect_pairs`], or no space.
pub fn connect_in_spaces(
    network: &dyn Network,
    pairs: &Pairs,
    settings: &Settings,
) -> Result<Verdicts> {
    if settings.spaces.is_empty() {
        return Err(Error::argument("spaces", "at least one", "none"));
    }
    let network = evaluation(network)?;
    let connect = |space: &Space| {
        let params = settings.params(*space);
        let found = connect_pairs(network.as_ref(), pairs, space.representation(), &params)?;
        Ok((*space, found))
    };
    Ok(Verdicts {
        pairs: pairs.clone(),
        spaces: settings.spaces.iter().map(connect).collect::<Result<_>>()?,
    })
}

impl Verdicts {
    /// The connections in one space.
    ///
    /// # Errors
    /// The experiment did not run in that space.
    pub fn at(&self, space: Space) -> Result<&Connections> {
        self.spaces.get(&space).ok_or_else(|| {
            let spaces: Vec<&str> = self.spaces.keys().map(|space| space.name()).collect();
            let expected = format!("one of {}, where the paths run", spaces.join(", "));
            Error::argument("space", expected, space.name())
        })
    }

    /// Compares these verdicts with another network's on the same pairs: whether both connect the
    /// same ones by a line.
    ///
    /// # Errors
    /// Other pairs, or other spaces.
    pub fn agreement(&self, other: &Self) -> Result<Agreements> {
        let of = |(space, found): (&Space, &Connections)| {
            Ok((*space, Agreement::new(found, other.at(*space)?)?))
        };
        let spaces = self.spaces.iter().map(of).collect::<Result<_>>()?;
        Ok(Agreements { spaces })
    }
}

/// A comparison of two networks: which pairs each connects by a straight line, by space.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Agreements {
    /// The comparison in each space.
    pub spaces: BTreeMap<Space, Agreement>,
}
