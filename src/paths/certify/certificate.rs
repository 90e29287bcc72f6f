//! What has been proved of a segment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a network keeps a class on a whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does: a proof.
    Proved,
    /// It does not: a point of the segment has another answer, or a tie.
    Refuted,
    /// Neither was found within the limits.
    Undecided,
}

/// A point of a segment that is not inside the class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// The share of the segment from its start to the point.
    pub t: f64,
    /// The margin that the network computes at z(t), rounded to its type: not positive.
    pub margin: f64,
    /// Whether every way to compute it gives such a margin; if not, it is the network on this machine
    /// that does.
    pub certain: bool,
}

/// What has been proved of a segment, from [`certify`](super::certify()) or
/// [`lipschitz_certify`](super::lipschitz_certify()).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The verdict.
    pub verdict: Verdict,
    /// A point outside the class; only where the verdict is `Refuted`.
    pub witness: Option<Witness>,
    /// A lower bound of the margin on the whole segment: positive where the verdict is `Proved`. It
    /// is as good as the parts needed it to be, not the best that there is.
    pub bound: f64,
    /// The number of parts that the segment was cut into.
    pub parts: usize,
    /// The number of parts and points that went through the network or its layers.
    pub evaluations: usize,
    /// The time that it took; for several segments their share of it.
    pub seconds: f64,
}

impl Certificate {
    /// Whether the class holds on the whole segment, for sure.
    pub fn is_proved(&self) -> bool {
        self.verdict == Verdict::Proved
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, parts, .. } = self;
        match (self.verdict, self.witness) {
            (Verdict::Refuted, Some(Witness { t, margin, certain })) => {
                let how = if certain {
                    ""
                } else {
                    ", by a rounding error perhaps"
                };
                write!(f, "refuted: margin {margin:.6} at t = {t:.9}{how}")
            }
            (Verdict::Proved, _) => {
                write!(
                    f,
                    "proved: margin above {bound:.6} everywhere (parts: {parts})"
                )
            }
            _ => write!(f, "undecided: margin above {bound:.6} (parts: {parts})"),
        }
    }
}
