//! The connection of one pair, and of several.

use std::fmt;
use std::sync::Arc;

use candle_core::DType;

use super::Pair;
use crate::error::{Error, Result};
use crate::models::Representation;
use crate::paths::{Evaluations, NebInfo, Outcome, Profile, Verdict};

/// The connection of one pair: the line and the path between its inputs, and the verdict on them.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The pair of inputs.
    pub pair: Pair,
    /// The representation that the path runs through.
    pub representation: Representation,
    /// Whether a line or only a band connects the pair: the rows of the *connectivity* paper's
    /// table 1.
    pub verdict: Verdict,
    /// The reason why the band stopped.
    pub outcome: Outcome,
    /// The number of steps of the band; 0 for a linear connection.
    pub iterations: usize,
    /// The number of points that went through the network.
    pub evaluations: Evaluations,
    /// The profile of the straight line: energies (cross-entropy) and margins (logits).
    pub line: Profile,
    /// The profile of the path; that of the line itself for a linear connection.
    pub path: Profile,
    /// How far the path leaves the line, Euclidean ([`NebInfo::departure`]); 0 to rounding for a
    /// linear connection.
    pub departure: f64,
    /// The largest change of a coordinate (of a colour of a pixel, in input space) between the
    /// path's points and those of the line beside them.
    pub largest_change: f64,
    /// The names of the classes.
    pub classes: Arc<Vec<String>>,
    /// The points of the path, if they were [kept](super::ConnectParams::kept_paths).
    pub shown: Option<Shown>,
}

/// The points of a path, with the network's probabilities there and at the points of the line
/// beside them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The path; [`NebInfo::line`] gives the points of the line.
    pub info: NebInfo,
    /// The probability of each class at each of the line's points.
    pub on_line: Vec<Vec<f64>>,
    /// The probability of each class at each of the path's points.
    pub on_path: Vec<Vec<f64>>,
}

impl Connection {
    /// The length of the path divided by that of the line, ≥ 1 up to rounding.
    pub fn length_ratio(&self) -> f64 {
        self.path.length() / self.line.length()
    }

    /// The name of the pair's class, its number where it has none.
    pub fn class(&self) -> String {
        let name = self.classes.get(self.pair.class as usize);
        name.cloned().unwrap_or_else(|| self.pair.class.to_string())
    }

    /// The points of the path.
    ///
    /// # Errors
    /// They were not kept.
    pub fn shown(&self) -> Result<&Shown> {
        self.shown.as_ref().ok_or_else(|| {
            let expected =
                "larger than the number of pairs before this one, so that its path is kept";
            Error::argument("kept_paths", expected, "too small")
        })
    }
}

/// Writes the verdict in words: `cat: connected by a band alone, after 12 iterations`.
impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.class();
        let iterations = match self.iterations {
            1 => "1 iteration".to_string(),
            several => format!("{several} iterations"),
        };
        match self.verdict {
            Verdict::Linear => write!(f, "{class}: connected by the straight line"),
            Verdict::Nonlinear => {
                write!(f, "{class}: connected by a band alone, after {iterations}")
            }
            Verdict::NoneFound => write!(f, "{class}: no path found in {iterations}"),
        }
    }
}

/// The connections of several pairs in one representation, in their order.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The representation that the paths run through.
    pub representation: Representation,
    /// The connections, one a pair; at least one.
    pub connections: Vec<Connection>,
}

impl Connections {
    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// The connections of the first `count` pairs; all, if there are fewer.
    pub fn first(&self, count: usize) -> Self {
        Self {
            representation: self.representation,
            connections: self.connections.iter().take(count).cloned().collect(),
        }
    }

    /// The pairs that no line connects.
    pub fn not_linear(&self) -> Vec<Pair> {
        let bent = self
            .connections
            .iter()
            .filter(|c| c.verdict != Verdict::Linear);
        bent.map(|connection| connection.pair).collect()
    }

    /// The `count` pairs that are hardest for a straight line, of those whose paths were kept: where
    /// no line connects, the highest barrier along the line first.
    pub fn hardest(&self, count: usize) -> Vec<&Connection> {
        let bent = |found: &&Connection| found.verdict != Verdict::Linear && found.shown.is_some();
        let mut hardest: Vec<_> = self.connections.iter().filter(bent).collect();
        hardest.sort_by(|a, b| b.line.barrier().total_cmp(&a.line.barrier()));
        hardest.truncate(count);
        hardest
    }
}

/// The largest change of a coordinate between path and line.
pub(super) fn largest_change(info: &NebInfo) -> Result<f64> {
    let change = (&info.path - info.line()?)?.abs()?.flatten_all()?.max(0)?;
    Ok(change.to_dtype(DType::F64)?.to_scalar()?)
}
