//! What a band found.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::dense::Profile;

/// Whether two points of a class are connected inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every sample of the straight segment is inside.
    #[serde(rename = "linear")]
    Linear,
    /// Not so, but every sample of the band is.
    #[serde(rename = "nonlinear")]
    Nonlinear,
    /// Neither: no path was found, which does not say that there is none.
    #[serde(rename = "none")]
    NoneFound,
}

/// Why a band stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The dense check passed.
    Connected,
    /// The forces fell below the one to stop at.
    Converged,
    /// It did as many iterations as it may.
    IterationLimit,
    /// An energy or a gradient was not a number, or infinite.
    NotFinite {
        /// After so many iterations.
        iteration: usize,
        /// At this point of the path, 0 for its start.
        point: usize,
    },
}

/// Points evaluated for one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    /// With their gradient: pivots times iterations, and once more.
    pub gradients: usize,
    /// Without: the straight line and the dense checks.
    pub values: usize,
}

/// What [`neb`](super::neb()) or [`auto_neb`](super::auto_neb()) found for one pair.
#[derive(Clone, Debug)]
pub struct NebInfo {
    /// The points of the path (N, …), both ends included.
    pub path: Tensor,
    /// Their energies.
    pub energies: Vec<f64>,
    /// Linear, nonlinear or none, by the dense checks before and after.
    pub verdict: Verdict,
    /// Why the band stopped.
    pub outcome: Outcome,
    /// Steps done; 0 when the straight line was enough.
    pub iterations: usize,
    /// Points evaluated.
    pub evaluations: Evaluations,
    /// The straight line.
    pub before: Profile,
    /// The path.
    pub after: Profile,
}

impl NebInfo {
    /// The length of the path over that of the straight line, ≥ 1 to rounding.
    pub fn length_ratio(&self) -> f64 {
        self.after.length() / self.before.length()
    }

    /// The point of the path with the largest energy, 0 for its start: with a climbing image, the saddle.
    pub fn highest(&self) -> usize {
        let larger = |best: usize, (at, e): (usize, &f64)| if *e > self.energies[best] { at } else { best };
        self.energies.iter().enumerate().fold(0, larger)
    }
}

impl Verdict {
    /// From the dense checks of the straight line and of the path.
    pub(super) fn of(before: &Profile, after: &Profile) -> Self {
        match (before.is_connected(), after.is_connected()) {
            (true, _) => Self::Linear,
            (false, true) => Self::Nonlinear,
            (false, false) => Self::NoneFound,
        }
    }
}
