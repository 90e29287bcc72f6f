//! Two points and what a path between them met.

use serde::{Deserialize, Serialize};

/// What runs between the ends of an [`Edge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The straight segment.
    Segment,
    /// A nudged elastic band.
    Band,
}

/// Two points, and the smallest margin on the path between them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// The two points, counted from 0, the smaller number first.
    pub ends: [usize; 2],
    /// The length of the path: for a segment the Euclidean distance of its ends; for a band that
    /// left the class that of the straight line.
    pub length: f64,
    /// The smallest margin among the samples: the class's logit minus the largest other one. At
    /// most 0 where the path leaves the class; it is then the smallest found before the test
    /// ended, which need not be the smallest of the path.
    pub margin: f64,
    /// Where the margin is smallest: the share of the path from the first end on, in [0, 1].
    pub at: f64,
    /// Whether the path is a segment or a band.
    pub kind: EdgeKind,
}
