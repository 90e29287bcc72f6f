//! The parameters of the search for regions.

use super::sampler::TOGETHER;
use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::paths::NebParams;
use crate::progress::Progress;

/// The parameters of [`regions`](super::regions()): which segments are tested, and how densely.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionsParams {
    /// The number of equal parts into which the samples divide a segment, at least 2: the samples
    /// are both ends and the `samples` − 1 points between. Default 16.
    pub samples: usize,
    /// The number k of nearest neighbours of each point to which segments are tested first, at
    /// least 1; all others where there are fewer. Default 10.
    pub neighbors: usize,
    /// The number of tests after which a point is no longer tested on behalf of its component, if
    /// that is not joined to the largest by segments to the k neighbours; with 0 only those are
    /// tested. Default 60.
    pub max_tests_per_point: usize,
    /// The number of segments that are tested together, at least 1. More keep more processors busy,
    /// and more tests turn out not to have been needed. The segments to the k neighbours that
    /// join the points do not depend on it. Default 32.
    pub batch_size: usize,
    /// The band by which what no segment has joined is tried at last: between each component but
    /// the largest and that one, at their nearest pair of points. Set its `bounds` where points have
    /// bounds, as pixels do. Default `None`: no bands.
    pub bands: Option<NebParams>,
    /// Whether a progress bar appears where the search takes more than a second.
    pub progress: Progress,
}

impl Default for RegionsParams {
    fn default() -> Self {
        Self {
            samples: 16,
            neighbors: 10,
            max_tests_per_point: 60,
            batch_size: TOGETHER,
            bands: None,
            progress: Progress::default(),
        }
    }
}

impl RegionsParams {
    /// Checks every field.
    ///
    /// # Errors
    /// `samples` below 2, `neighbors` or `batch_size` of 0, or what [`NebParams::validate`] refuses.
    pub fn validate(&self) -> Result<()> {
        check_samples(self.samples)?;
        at_least_one("neighbors", self.neighbors)?;
        at_least_one("batch_size", self.batch_size)?;
        self.bands.map_or(Ok(()), |bands| bands.validate())
    }
}

/// # Errors
/// No sample between the ends.
pub(super) fn check_samples(samples: usize) -> Result<()> {
    match samples {
        0 | 1 => {
            let expected = "at least 2, since 1 would sample the ends of a segment alone";
            Err(Error::argument("samples", expected, samples))
        }
        _ => Ok(()),
    }
}
