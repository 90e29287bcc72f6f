//! The parameters of the search for linear pieces.

use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// How [`exact`](super::exact()) goes through a segment.
///
/// - **Shapes**: numbers.
/// - **Range**: that of each field.
/// - **Source**: ours.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactParams {
    /// Whether to stop at the first breakpoint that is not inside the class; default true.
    /// [`exact_pieces`](super::exact_pieces()), which knows no class, goes on to the end.
    pub stop_at_witness: bool,
    /// The largest number of points that a thread takes through the network together, at least 2;
    /// default 64. It bounds the memory beside the breakpoints:
    ///
    /// ```text
    /// bytes ≤ 8 · ((threads + 2) · chunk + 12 · threads) · n,   n the numbers that all layers read and
    ///                                                           write for one point
    /// ```
    ///
    /// Channels count as the next multiple of 16. It changes no number of the result. On a GPU a
    /// thousand or more keep it busy; no tensor takes more than 1 GB there unless two points do.
    pub chunk: usize,
    /// The number of random points of the residual, at least 1; default 32.
    pub checks: usize,
    /// The seed of these points; default 0.
    pub seed: u64,
    /// The progress bar, shown if the search takes more than a second.
    pub progress: Progress,
}

impl Default for ExactParams {
    fn default() -> Self {
        Self {
            stop_at_witness: true,
            chunk: 64,
            checks: 32,
            seed: 0,
            progress: Progress::Shown,
        }
    }
}

impl ExactParams {
    /// Checks every field.
    ///
    /// # Errors
    /// A chunk below 2, or no checks.
    pub fn validate(&self) -> Result<()> {
        if self.chunk < 2 {
            let expected = "at least 2, the ends of a piece";
            return Err(Error::argument("chunk", expected, self.chunk));
        }
        at_least_one("checks", self.checks)
    }
}
