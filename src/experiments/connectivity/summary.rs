//! Verdicts in numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Connection, Connections};
use crate::error::{Error, Result};
use crate::paths::Verdict;
use crate::statistics::{Proportion, median, phi};

/// How many pairs have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pairs that a straight line connects.
    pub linear: usize,
    /// Pairs that only a band connects.
    pub nonlinear: usize,
    /// Pairs for which no path was found.
    pub none: usize,
}

impl Counts {
    /// The verdicts of connections, counted.
    pub fn of<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Self {
        let mut counts = Self::default();
        for connection in connections {
            match connection.verdict {
                Verdict::Linear => counts.linear += 1,
                Verdict::Nonlinear => counts.nonlinear += 1,
                Verdict::NoneFound => counts.none += 1,
            }
        }
        counts
    }

    /// The number of pairs.
    pub fn total(&self) -> usize {
        self.linear + self.nonlinear + self.none
    }
}

/// `19 linear, 6 nonlinear, 0 none`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            linear,
            nonlinear,
            none,
        } = self;
        write!(f, "{linear} linear, {nonlinear} nonlinear, {none} none")
    }
}

/// The connections of pairs in one representation, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Table 1's first row as a share.
    pub linear: Proportion,
    /// Its second row.
    pub nonlinear: Proportion,
    /// Its third row.
    pub none: Proportion,
    /// The verdicts by class.
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

impl Connections {
    /// How many pairs have which verdict.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.connections)
    }

    /// The connections in numbers: shares with their intervals, verdicts by class, how far the bands
    /// went.
    pub fn summary(&self) -> Summary {
        let all = self.counts();
        let share = |count| Proportion::new(count, all.total());
        let mut classes: BTreeMap<u32, Vec<&Connection>> = BTreeMap::new();
        for connection in &self.connections {
            let own = classes.entry(connection.pair.class).or_default();
            own.push(connection);
        }
        let bands = || {
            let all = self.connections.iter();
            all.filter(|connection| connection.verdict == Verdict::Nonlinear)
        };
        let over_bands =
            |value: fn(&Connection) -> f64| median(&bands().map(value).collect::<Vec<f64>>());
        let mut iterations = BTreeMap::new();
        for connection in bands() {
            *iterations.entry(connection.iterations).or_default() += 1;
        }
        let counted = |(class, own): (u32, Vec<&Connection>)| (class, Counts::of(own));
        Summary {
            linear: share(all.linear),
            nonlinear: share(all.nonlinear),
            none: share(all.none),
            classes: classes.into_iter().map(counted).collect(),
            iterations,
            median_iterations: over_bands(|c| c.iterations as f64),
            median_length_ratio: over_bands(Connection::length_ratio),
            median_departure: over_bands(|c| c.departure / c.line.length()),
            median_largest_change: over_bands(|c| c.largest_change),
        }
    }
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
    /// The agreement of two networks' connections of the same pairs, in the same order and the same
    /// representation.
    ///
    /// # Errors
    /// Other pairs or another representation, or none.
    pub fn new(first: &Connections, second: &Connections) -> Result<Self> {
        let both = || first.connections.iter().zip(&second.connections);
        let same = first.representation == second.representation
            && first.len() == second.len()
            && both().all(|(a, b)| a.pair == b.pair);
        if first.is_empty() || !same {
            let got = format!("{} and {}, or others", first.len(), second.len());
            let expected = "the same pairs in the same representation twice, at least one";
            return Err(Error::argument("connections", expected, got));
        }
        let linear = |connection: &Connection| connection.verdict == Verdict::Linear;
        let count = |one: bool, other: bool| {
            let own = both().filter(|(a, b)| linear(a) == one && linear(b) == other);
            own.count()
        };
        Ok(Self {
            both: count(true, true),
            only_first: count(true, false),
            only_second: count(false, true),
            neither: count(false, false),
            nonlinear: [first, second].map(|found| found.counts().nonlinear),
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

    /// The number of pairs.
    pub fn total(&self) -> usize {
        self.both + self.only_first + self.only_second + self.neither
    }

    /// How many pairs the first connects, how many the second, how many there are.
    fn margins(&self) -> [f64; 3] {
        let (first, second) = (self.both + self.only_first, self.both + self.only_second);
        [first, second, self.total()].map(|count| count as f64)
    }
}
