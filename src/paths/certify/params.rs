//! The parameters of certificates.

use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::models::Representation;
use crate::progress::Progress;

/// How [`certify`](super::certify()) cuts a segment.
///
/// - **Shapes**: numbers.
/// - **Range**: that of each field.
/// - **Source**: ours.
#[derive(Clone, Debug, PartialEq)]
pub struct CertifyParams {
    /// The space of the points; default the input.
    pub representation: Representation,
    /// The largest number of parts that a segment is cut into, at least 1; default 4096.
    pub max_parts: usize,
    /// How often a part may be halved, from 1 to 48; default 24. The shortest part is 2 to the minus
    /// that of the segment.
    pub max_depth: u32,
    /// The progress bar, shown if it takes more than a second.
    pub progress: Progress,
}

impl Default for CertifyParams {
    fn default() -> Self {
        Self {
            representation: Representation::Input,
            max_parts: 4096,
            max_depth: 24,
            progress: Progress::Shown,
        }
    }
}

impl CertifyParams {
    /// Checks every field.
    ///
    /// # Errors
    /// No parts, or a depth that is not from 1 to 48.
    pub fn validate(&self) -> Result<()> {
        at_least_one("max_parts", self.max_parts)?;
        check_depth(self.max_depth)
    }
}

/// # Errors
/// Not from 1 to 48: deeper parts would have ends that f64 rounds.
pub(super) fn check_depth(depth: u32) -> Result<()> {
    match depth {
        1..=48 => Ok(()),
        _ => Err(Error::argument("max_depth", "from 1 to 48", depth)),
    }
}
