//! Table 1 and beyond in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Connection, Space};
use crate::error::{Error, Result};
use crate::models::ResNetParams;
use crate::paths::Verdict;
use crate::scale::Scale;
use crate::statistics::{Proportion, median, phi};

/// How many pairs have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// By a straight line.
    pub linear: usize,
    /// Only by a band.
    pub nonlinear: usize,
    /// By nothing that was found.
    pub none: usize,
}

impl Counts {
    /// All pairs.
    pub fn total(&self) -> usize {
        self.linear + self.nonlinear + self.none
    }
}

/// The verdicts of connections, counted.
pub fn counts<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Counts {
    let mut counts = Counts::default();
    for connection in connections {
        match connection.verdict {
            Verdict::Linear => counts.linear += 1,
            Verdict::Nonlinear => counts.nonlinear += 1,
            Verdict::NoneFound => counts.none += 1,
        }
    }
    counts
}

/// The notebook's JSON: every verdict, so that other software can check it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The weights' file.
    pub checkpoint: String,
    /// What the network does to pixels in [0, 1] first.
    pub normalisation: Normalisation,
    /// The share of all test images that the network gives their class, in [0, 1].
    pub test_accuracy: f64,
    /// Of line and path, on each segment.
    pub samples_per_segment: usize,
    /// Every pair in every space.
    pub pairs: Vec<PairResult>,
    /// Table 1, by space.
    pub counts: BTreeMap<Space, Counts>,
}

/// (pixel − mean) / std, of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Normalisation {
    /// What is taken off.
    pub mean: [f64; 3],
    /// What the rest is divided by.
    pub std: [f64; 3],
}

/// A pair in a space.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairResult {
    /// The class that the path must not leave.
    pub class: u32,
    /// Both images, counted from 0 in the order of the test set.
    pub test_index: [usize; 2],
    /// Where the path runs.
    pub space: Space,
    /// Linear, nonlinear or none.
    pub verdict: Verdict,
    /// max E − max(E(start), E(end)) along the line, E the cross-entropy; null where an energy is
    /// not a number.
    pub barrier_line: f64,
    /// The same along the path.
    pub barrier_path: f64,
    /// The length of the path over that of the line.
    pub length_ratio: f64,
    /// Steps of the band.
    pub iterations: usize,
}

impl Results {
    /// Collects what [`connect`](super::connect()) found in several spaces.
    pub fn new(
        scale: Scale,
        checkpoint: &str,
        network: &ResNetParams,
        test_accuracy: f64,
        samples_per_segment: usize,
        connections: &[Connection],
    ) -> Self {
        let result = |found: &Connection| PairResult {
            class: found.pair.class,
            test_index: found.pair.test_index,
            space: found.space,
            verdict: found.verdict,
            barrier_line: found.line.barrier(),
            barrier_path: found.path.barrier(),
            length_ratio: found.length_ratio(),
            iterations: found.iterations,
        };
        Self {
            scale: scale.to_string(),
            checkpoint: checkpoint.to_string(),
            normalisation: Normalisation {
                mean: network.mean,
                std: network.std,
            },
            test_accuracy,
            samples_per_segment,
            pairs: connections.iter().map(result).collect(),
            counts: by_space(connections)
                .into_iter()
                .map(|(space, found)| (space, counts(found)))
                .collect(),
        }
    }
}

fn by_space(connections: &[Connection]) -> BTreeMap<Space, Vec<&Connection>> {
    let mut spaces: BTreeMap<Space, Vec<&Connection>> = BTreeMap::new();
    for connection in connections {
        spaces.entry(connection.space).or_default().push(connection);
    }
    spaces
}

/// Which pairs two networks connect by a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Pairs that both do.
    pub both: usize,
    /// Pairs that the first does and the second does not.
    pub only_first: usize,
    /// Pairs that the second does and the first does not.
    pub only_second: usize,
    /// Pairs that neither does.
    pub neither: usize,
    /// Pairs that the first and the second connect by a band alone.
    pub nonlinear: [usize; 2],
}

impl Agreement {
    /// Of two networks' connections of the same pairs in the same space, in the same order.
    ///
    /// # Errors
    /// Other pairs or another space, or none.
    pub fn new(first: &[Connection], second: &[Connection]) -> Result<Self> {
        let same = |(a, b): (&Connection, &Connection)| a.pair == b.pair && a.space == b.space;
        if first.is_empty() || first.len() != second.len() || !first.iter().zip(second).all(same) {
            let got = format!("{} and {}, or others", first.len(), second.len());
            return Err(Error::argument(
                "connections",
                "the same pairs twice, at least one",
                got,
            ));
        }
        let linear = |found: &Connection| found.verdict == Verdict::Linear;
        let count = |one: bool, other: bool| {
            first
                .iter()
                .zip(second)
                .filter(|(a, b)| linear(a) == one && linear(b) == other)
                .count()
        };
        Ok(Self {
            both: count(true, true),
            only_first: count(true, false),
            only_second: count(false, true),
            neither: count(false, false),
            nonlinear: [first, second].map(|found| counts(found).nonlinear),
        })
    }

    /// The number of pairs that both would connect if they had nothing in common but how often they
    /// do.
    pub fn both_by_chance(&self) -> f64 {
        let [first, second, all] = self.margins();
        first * second / all
    }

    /// φ, the correlation of the two verdicts: 1 if they always agree, 0 if they have nothing in
    /// common; NaN where a network connects all pairs, or none.
    pub fn phi(&self) -> f64 {
        phi([
            [self.both, self.only_first],
            [self.only_second, self.neither],
        ])
    }

    /// How many pairs the first connects, how many the second, how many there are.
    fn margins(&self) -> [f64; 3] {
        let Self {
            both,
            only_first,
            only_second,
            neither,
            ..
        } = *self;
        [
            both + only_first,
            both + only_second,
            both + only_first + only_second + neither,
        ]
        .map(|count| count as f64)
    }
}

/// What the notebook shows beyond table 1: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Of all pairs.
    pub all: Summary,
    /// The same pairs with smaller steps: how little is enough.
    pub small_steps: Summary,
    /// Pairs of a misclassified image and a right one of the class that it is taken for.
    pub misclassified: Summary,
    /// Pairs of images that an attack has [misled](super::mislead) the network about.
    pub misled: Summary,
    /// How many pairs were attacked for it.
    pub attacked: usize,
    /// Whether a second network, of another seed, connects the same pairs by a line.
    pub agreement: BTreeMap<Space, Agreement>,
    /// The mean squared error of each decoded space on the test images, pixels in [0, 1].
    pub reconstruction: BTreeMap<Space, f64>,
}

/// Connections in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// By space.
    pub spaces: BTreeMap<Space, SpaceSummary>,
}

/// A space in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpaceSummary {
    /// Table 1's first row as a share.
    pub linear: Proportion,
    /// Its second row.
    pub nonlinear: Proportion,
    /// Its third row.
    pub none: Proportion,
    /// By class.
    pub classes: BTreeMap<u32, Counts>,
    /// How many of the pairs that a line does not connect and a band does needed so many
    /// iterations.
    pub iterations: BTreeMap<usize, usize>,
    /// The median of the iterations over the same pairs.
    pub median_iterations: Option<f64>,
    /// The median of the length ratio over the same pairs.
    pub median_length_ratio: Option<f64>,
    /// The median of [`Connection::departure`] over the length of the line, over the same pairs.
    pub median_departure: Option<f64>,
    /// The median of [`Connection::largest_change`] over the same pairs.
    pub median_largest_change: Option<f64>,
}

impl Summary {
    /// Of what [`connect`](super::connect()) found in several spaces.
    pub fn new(connections: &[Connection]) -> Self {
        let spaces = by_space(connections)
            .into_iter()
            .map(|(space, found)| (space, SpaceSummary::new(&found)));
        Self {
            spaces: spaces.collect(),
        }
    }
}

impl SpaceSummary {
    fn new(found: &[&Connection]) -> Self {
        let all = counts(found.iter().copied());
        let share = |count| Proportion::new(count, all.total());
        let mut classes: BTreeMap<u32, Vec<&Connection>> = BTreeMap::new();
        for connection in found {
            classes
                .entry(connection.pair.class)
                .or_default()
                .push(connection);
        }
        let bands = || {
            found
                .iter()
                .filter(|found| found.verdict == Verdict::Nonlinear)
        };
        let over_bands = |value: fn(&Connection) -> f64| {
            median(&bands().map(|found| value(found)).collect::<Vec<f64>>())
        };
        let mut iterations = BTreeMap::new();
        for found in bands() {
            *iterations.entry(found.iterations).or_default() += 1;
        }
        Self {
            linear: share(all.linear),
            nonlinear: share(all.nonlinear),
            none: share(all.none),
            classes: classes
                .into_iter()
                .map(|(class, found)| (class, counts(found)))
                .collect(),
            iterations,
            median_iterations: over_bands(|found| found.iterations as f64),
            median_length_ratio: over_bands(Connection::length_ratio),
            median_departure: over_bands(|found| found.departure / found.line.length()),
            median_largest_change: over_bands(|found| found.largest_change),
        }
    }
}
