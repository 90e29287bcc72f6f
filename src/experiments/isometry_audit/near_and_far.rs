//! Is a network isometric away from the decision boundary?

use std::fmt;

use serde::Serialize;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::figures::{Table, drawn};
use crate::lipschitz::{MarginGroup, ratios_by_margin};
use crate::models::{Network, Representation};

/// The neighbours of each image, and the groups of margins.
const NEIGHBORS: usize = 5;
const GROUPS: usize = 4;

/// How much several networks stretch near their decision boundary and far from it.
///
/// ```text
/// r_ij = d(Φ(x_i), Φ(x_j)) / d(x_i, x_j),  x_j one of the 5 nearest of x_i's class
/// ```
///
/// - **Shapes**: an entry for each network, each with four groups of margins.
/// - **Range**: as [`MarginGroup`].
/// - **Source**: ours; it tests what the paper's authors say in Scientific Reports 15, 2025 (doi
///   10.1038/s41598-025-20619-0).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearAndFar {
    /// The networks, each with its groups from the smallest margins to the largest.
    pub networks: Vec<(String, Vec<MarginGroup>)>,
}

impl NearAndFar {
    /// Measures one network's last hidden layer.
    ///
    /// # Errors
    /// As [`ratios_by_margin`].
    pub fn push(
        &mut self,
        name: impl fmt::Display,
        network: &dyn Network,
        data: &Dataset,
    ) -> Result<()> {
        let layer = Representation::LastHidden;
        let groups = ratios_by_margin(network, layer, data, (NEIGHBORS, GROUPS))?;
        self.networks.push((name.to_string(), groups));
        Ok(())
    }

    /// Tabulates the median ratio, with its quartiles, from the quarter of smallest margins to that of
    /// the largest, and the distortion of both.
    pub fn table(&self) -> Table {
        let head = [
            "network",
            "smallest margins",
            "second quarter",
            "third quarter",
            "largest margins",
            "distortion near",
            "distortion far",
        ];
        let caption =
            "Distances of neighbours after the map, divided by those before: median (quartiles)";
        let mut table = Table::new(caption, head);
        for (name, groups) in &self.networks {
            let words = |group: &MarginGroup| {
                let [low, middle, high] = group.ratio;
                format!("{middle:.2} ({low:.2}–{high:.2})")
            };
            let end = |group: Option<&MarginGroup>| {
                group.map_or(String::new(), |group| format!("{:.2}", group.distortion))
            };
            let mut row = vec![name.clone()];
            row.extend(groups.iter().map(words));
            row.extend([end(groups.first()), end(groups.last())]);
            table.push(row);
        }
        table
    }
}

drawn!(table: NearAndFar);
