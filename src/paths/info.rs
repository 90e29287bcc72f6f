//! The result of a band.

use std::fmt;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::band;
use super::dense::Profile;
use crate::error::Result;

/// Whether two points of a class are connected inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every sample of the straight segment is inside.
    #[serde(rename = "linear")]
    Linear,
    /// A sample of the segment is outside, but every sample of the band is inside.
    #[serde(rename = "nonlinear")]
    Nonlinear,
    /// No path was found, which does not prove that there is none.
    #[serde(rename = "none")]
    NoneFound,
}

/// The reason why a band stopped; its `Display` also says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The dense check passed.
    Connected,
    /// The forces on all pivots are below the limit of [`Stop::Force`](super::Stop::Force).
    Converged,
    /// The largest number of iterations was reached, and the forces were not small enough, or the
    /// path was not connected.
    IterationLimit,
    /// The same with a climbing image, where an end of the path was its highest point (at the last
    /// iteration, or at another of the second half): the image climbs towards that end and finds no
    /// saddle on its way. Choose ends in minima, or let the band relax without climbing.
    HighestAtEnd {
        /// The end: 0 for the start, N − 1 for the other one.
        point: usize,
    },
    /// An energy or a gradient was not a number, or infinite.
    NotFinite {
        /// After so many iterations.
        iteration: usize,
        /// At this point of the path, 0 for its start.
        point: usize,
    },
}

impl Outcome {
    /// Whether more iterations may help.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::IterationLimit | Self::HighestAtEnd { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => write!(f, "connected: every sample of the path is inside"),
            Self::Converged => write!(f, "converged: the forces are small enough"),
            Self::IterationLimit => write!(
                f,
                "reached the limit of iterations: more iterations, or larger steps, may help"
            ),
            Self::HighestAtEnd { point } => {
                let end = if *point == 0 { "start" } else { "end" };
                write!(
                    f,
                    "reached the limit of iterations: the {end} of the path (point {point}) is its \
                     highest point, so the climbing image has no saddle to climb to; choose ends in \
                     minima, or set climbing: false"
                )
            }
            Self::NotFinite { iteration, point } => write!(
                f,
                "stopped after {iteration} iterations: the energy or its gradient at point {point} \
                 is NaN or infinite; smaller steps, or bounds, may help; a climbing image needs ends \
                     in minima"
            ),
        }
    }
}

/// The number of points that were evaluated for one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    /// The number of points evaluated with their gradient: pivots × (iterations + 1).
    pub gradients: usize,
    /// The number of points evaluated without it: those of the straight line and the dense checks.
    pub values: usize,
}

/// The relaxed path of one pair, from [`neb`](super::neb()), [`relax`](super::relax()) or
/// [`auto_neb`](super::auto_neb()).
#[derive(Clone, Debug)]
pub struct NebInfo {
    /// The points of the path (N, …), both ends included.
    pub path: Tensor,
    /// The energy of each point of the path.
    pub energies: Vec<f64>,
    /// The verdict, by the dense checks of the line and of the path.
    pub verdict: Verdict,
    /// The reason why the band stopped.
    pub outcome: Outcome,
    /// The number of steps done; 0 if the straight line was enough.
    pub iterations: usize,
    /// The number of points that were evaluated.
    pub evaluations: Evaluations,
    /// The profile of the straight line.
    pub before: Profile,
    /// The profile of the path.
    pub after: Profile,
}

impl NebInfo {
    /// The length of the path over that of the straight line, ≥ 1 to rounding.
    pub fn length_ratio(&self) -> f64 {
        self.after.length() / self.before.length()
    }

    /// The same path, compared with another straight line.
    pub(super) fn compared_with(self, line: Profile) -> Self {
        Self {
            verdict: Verdict::of(&line, &self.after),
            before: line,
            ..self
        }
    }

    /// The points of the straight line to show beside the path: as many, equally far apart; (N, …).
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn line(&self) -> Result<Tensor> {
        let (points, flat) = (self.path.dim(0)?, self.path.flatten_from(1)?);
        let end = |at: usize| flat.narrow(0, at, 1);
        Ok(band::straight(&end(0)?, &end(points - 1)?, points - 2)?.reshape(self.path.shape())?)
    }

    /// How far the path leaves the straight segment: the largest distance of one of its points from
    /// it.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn departure(&self) -> Result<f64> {
        let points = self.path.flatten_from(1)?.to_dtype(DType::F64)?;
        let start = points.narrow(0, 0, 1)?;
        let chord = (points.narrow(0, points.dim(0)? - 1, 1)? - &start)?;
        let from_start = points.broadcast_sub(&start)?;
        let square = chord.sqr()?.sum_all()?.to_scalar::<f64>()?;
        let share = (from_start.broadcast_mul(&chord)?.sum_keepdim(1)? / square)?.clamp(0., 1.)?;
        let away = (from_start - share.broadcast_mul(&chord)?)?;
        Ok(away.sqr()?.sum(1)?.sqrt()?.max(0)?.to_scalar()?)
    }

    /// The index of the path's point with the largest energy, from 0 at the start: with a climbing
    /// image, the saddle.
    pub fn highest(&self) -> usize {
        let larger =
            |best: usize, (at, e): (usize, &f64)| if *e > self.energies[best] { at } else { best };
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
