//! A part of a segment, and what is known of it.

use super::bounds::Margin;
use super::certificate::{Certificate, Verdict, Witness};

/// Parts that were halved so often are looked at wherever they are not proved.
const LOOK_DEPTH: u32 = 14;

/// A segment between two points, by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub ends: [usize; 2],
    pub class: usize,
}

/// A part of a segment, t from `start` to `end`; one point where both are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The number of its segment.
    pub of: usize,
    pub depth: u32,
    pub start: f64,
    pub end: f64,
    /// A lower bound of the margin that is known already.
    pub bound: f64,
}

impl Part {
    pub fn middle(&self) -> f64 {
        (self.start + self.end) / 2.
    }
}

/// What is known of a segment.
pub(super) struct State {
    /// The smallest of the lower bounds of parts that are done with.
    pub bound: f64,
    pub witness: Option<Witness>,
    /// A part was given up.
    pub stuck: bool,
    /// Some point can be neither proved nor refuted by the bounds, however short its part.
    pub doubtful: bool,
    /// Both ends are one point to the first affine map, so that nothing is gained by halving.
    pub still: bool,
    pub parts: usize,
    pub evaluations: usize,
    /// Points that were looked at.
    pub seen: Vec<f64>,
}

/// What the bounds say of a part.
pub(super) struct Found {
    pub bound: f64,
    /// Where the margin may not be positive, by the lines in the middle of the bounds.
    pub suspect: Option<f64>,
}

/// The bound of a part by its margins, and the end at which the least of them may be
/// negative.
pub(super) fn judged(part: &Part, margins: &[Margin]) -> Found {
    let mut bound = f64::INFINITY;
    let mut lowest = f64::INFINITY;
    let mut at = part.start;
    for margin in margins {
        // NaN proves nothing.
        let least = margin.least();
        bound = bound.min(if least.is_nan() {
            f64::NEG_INFINITY
        } else {
            least
        });
        let low = margin.middle - margin.slope.abs();
        if low < lowest {
            lowest = low;
            at = if margin.slope > 0. {
                part.start
            } else {
                part.end
            };
        }
    }
    // Where the lines stay positive, only the smallest parts are worth a look.
    let narrow = part.depth >= LOOK_DEPTH;
    Found {
        bound,
        suspect: (lowest <= 0. || narrow || !lowest.is_finite()).then_some(at),
    }
}

impl State {
    pub fn certificate(self, seconds: f64) -> Certificate {
        let verdict = match self.witness {
            Some(_) => Verdict::Refuted,
            None if self.stuck => Verdict::Undecided,
            None => Verdict::Proved,
        };
        Certificate {
            verdict,
            witness: self.witness,
            bound: self.bound,
            parts: self.parts,
            evaluations: self.evaluations,
            seconds,
        }
    }
}
