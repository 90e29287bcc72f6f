//! Summaries of verdicts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Connection, Connections};
use crate::error::{Error, Result};
use crate::paths::Verdict;
use crate::statistics::{Proportion, median, phi};

/// The number of pairs with each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The number of pairs that a straight line connects.
    pub linear: usize,
    /// The number of pairs that only a band connects.
    pub nonlinear: usize,
    /// The number of pairs for which no path was found.
    pub none: usize,
}

impl Counts {
    /// Counts the verdicts of connections.
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

    /// The number of all pairs.
    pub fn total(&self) -> usize {
        self.linear + self.nonlinear + self.none
    }
}

/// Writes the counts in words: `19 linear, 6 nonlinear, 0 none`.
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

/// A summary of the connections of pairs in one representation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The share of pairs that a line connects: table 1's first row.
    pub linear: Proportion,
    /// The share of pairs that only a band connects: table 1's second row.
    pub nonlinear: Proportion,
    /// The share of pairs for which no path was found: table 1's third row.
    pub none: Proportion,
    /// The number of pairs with each verdict, by class.
    pub classes: BTreeMap<u32, Counts>,
    /// The number of pairs for each number of iterations, over the pairs that a line does not
    /// connect and a band does.
    pub iterations: BTreeMap<usize, usize>,
    /// The median of the iterations over the pairs that only a band connects.
    pub median_iterations: Option<f64>,
    /// The median of [`Connection::length_ratio`] over the same pairs.
    pub median_length_ratio: Option<f64>,
    /// The median of [`Connection::departure`] over the length of the line, over the same pairs.
    pub median_departure: Option<f64>,
    /// The median of [`Connection::largest_change`] over the same pairs.
    pub median_largest_change: Option<f64>,
}

impl Connections {
    /// The number of pairs with each verdict.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.connections)
    }

    /// Summarises the connections: shares with their intervals, verdicts by class, and how far the
    /// bands went.
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

/// A comparison of two networks: which of the same pairs each connects by a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The number of pairs that both networks connect by a line.
    pub both: usize,
    /// The number of pairs that only the first network connects by a line.
    pub only_first: usize,
    /// The number of pairs that only the second network connects by a line.
    pub only_second: usize,
    /// The number of pairs that neither network connects by a line.
    pub neither: usize,
    /// The number of pairs that the first and the second network connect by a band alone.
    pub nonlinear: [usize; 2],
}

impl Agreement {
    /// Compares two networks' connections of the same pairs, in the same order and the same
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

    /// The number of pairs that both networks would connect if their verdicts were independent.
    ///
    /// ```text
    /// (n₁₁ + n₁₀)(n₁₁ + n₀₁) / N
    /// ```
    ///
    /// n₁₁ pairs are connected by both, n₁₀ by the first alone, n₀₁ by the second alone.
    ///
    /// - **Shapes**: a number.
    /// - **Range**: from 0 to N.
    /// - **Source**: the definition.
    pub fn both_by_chance(&self) -> f64 {
        let [first, second, all] = self.margins();
        first * second / all
    }

    /// The correlation φ of the two networks' verdicts; [`phi`](crate::statistics::phi) has its
    /// formula.
    ///
    /// - **Shapes**: a number.
    /// - **Range**: in [−1, 1]: 1 if they always agree, 0 if they have nothing in common; NaN where
    ///   a network connects all pairs, or none.
    /// - **Source**: Yule 1912.
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
