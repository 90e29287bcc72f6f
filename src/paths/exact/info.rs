//! What was found along a segment.

use std::fmt;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::paths::network_energy::margin;

/// The answer of a piecewise linear network along a segment, from [`exact`](super::exact()).
#[derive(Clone, Debug, PartialEq)]
pub struct ExactInfo {
    /// Whether the margin is positive at every breakpoint, and so, up to floating point, on the whole
    /// segment.
    pub inside: bool,
    /// The smallest margin: the class's logit minus the largest other one.
    pub smallest_margin: f64,
    /// The t of the smallest margin, 0 at the start of the segment and 1 at its end.
    pub at: f64,
    /// The t of the first breakpoint whose margin is not positive, if there is one.
    pub witness: Option<f64>,
    /// The number of linear pieces: breakpoints, both ends included, less one. Where the search
    /// stopped early it counts, as all that follows, up to the witness.
    pub pieces: usize,
    /// The number of changes of units for each stage of the network; several units that change at
    /// one point count each.
    pub crossings_by_stage: Vec<usize>,
    /// The residual: the largest difference of a logit between the pieces and the network, evaluated
    /// in f64 at random points, over the largest logit there; 0 if no point was compared.
    pub residual: f64,
    /// The breakpoints in order: t and margin, 16 bytes each.
    pub margins: Vec<[f64; 2]>,
    /// The multiplications and additions, over those of one evaluation of the stages.
    pub evaluations: f64,
    /// The time that it took.
    pub seconds: f64,
}

impl fmt::Display for ExactInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.witness {
            Some(t) => write!(f, "outside at t = {t:.9}")?,
            None => write!(f, "inside")?,
        }
        write!(
            f,
            ": smallest margin {:.6} at t = {:.9}, {} linear pieces, exact up to floating point with \
             residual {:.1e}",
            self.smallest_margin, self.at, self.pieces, self.residual
        )
    }
}

/// The breakpoints of a network along a segment, from [`exact_pieces`](super::exact_pieces()).
#[derive(Clone, Debug)]
pub struct Pieces {
    /// The breakpoints in order, from 0 at the start to 1 at the end of the segment.
    pub t: Vec<f64>,
    /// The stage whose unit changes at each; none for the ends.
    pub stages: Vec<Option<usize>>,
    /// The logits at each, (breakpoints, classes), of f64.
    pub logits: Tensor,
    /// As [`ExactInfo::residual`].
    pub residual: f64,
}

impl Pieces {
    /// The margin of a class at every breakpoint: its logit minus the largest other one.
    ///
    /// # Errors
    /// A class that the network does not have.
    pub fn margins(&self, class: u32) -> Result<Vec<f64>> {
        check_class(class, self.logits.dim(1)?)?;
        let rows = self.logits.to_vec2::<f64>()?;
        Ok(rows.iter().map(|row| margin(row, class as usize)).collect())
    }
}

/// # Errors
/// `class` is not below `classes`.
pub(in crate::paths) fn check_class(class: u32, classes: usize) -> Result<()> {
    if (class as usize) < classes {
        return Ok(());
    }
    let expected = format!("below {classes}, the number of classes");
    Err(Error::argument("class", expected, class))
}
