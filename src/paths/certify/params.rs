//! The parameters of certificates.

use crate::checks::{at_least_one, not_negative};
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
    /// How often a part may be halved, from 1 to 48; default 40. The shortest part is 2 to the minus
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
            max_depth: 40,
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

/// How [`lipschitz_certify`](super::lipschitz_certify()) samples a segment.
///
/// - **Shapes**: numbers.
/// - **Range**: that of each field.
/// - **Source**: ours.
#[derive(Clone, Debug, PartialEq)]
pub struct LipschitzCertifyParams {
    /// The space of the points; default the input.
    pub representation: Representation,
    /// The constant K: in real arithmetic the margin of the class changes by at most K times the
    /// distance, in L2. By default [`margin_constant`](crate::lipschitz::margin_constant), which knows networks whose stages give their
    /// weight. A constant of your own is believed.
    pub constant: Option<f64>,
    /// The allowance ρ for rounding: how far a margin that is computed at any point of the segment may
    /// be from that in real arithmetic. By default it is proved from the layers, for the networks
    /// that [`certify`](super::certify()) takes. A number of your own is believed; 0 means that the
    /// network's own rounding is left out of the proof.
    pub rounding: Option<f64>,
    /// The number of equal parts whose ends are sampled first, at least 1; default 4.
    pub parts: usize,
    /// The largest number of parts, at least `parts`; default 4096.
    pub max_parts: usize,
    /// How often a part may be halved, from 1 to 48; default 40.
    pub max_depth: u32,
    /// The progress bar, shown if it takes more than a second.
    pub progress: Progress,
}

impl Default for LipschitzCertifyParams {
    fn default() -> Self {
        Self {
            representation: Representation::Input,
            constant: None,
            rounding: None,
            parts: 4,
            max_parts: 4096,
            max_depth: 40,
            progress: Progress::Shown,
        }
    }
}

impl LipschitzCertifyParams {
    /// Checks every field.
    ///
    /// # Errors
    /// A constant or an allowance that is not finite and ≥ 0, no parts, fewer at most than at first, or a
    /// depth that is not from 1 to 48.
    pub fn validate(&self) -> Result<()> {
        self.constant
            .map_or(Ok(()), |value| not_negative("constant", value))?;
        self.rounding
            .map_or(Ok(()), |value| not_negative("rounding", value))?;
        at_least_one("parts", self.parts)?;
        if self.max_parts < self.parts {
            let expected = format!("at least {}, the first parts", self.parts);
            return Err(Error::argument("max_parts", expected, self.max_parts));
        }
        check_depth(self.max_depth)
    }
}

/// # Errors
/// Not from 1 to 48: deeper parts would have ends that f64 rounds.
fn check_depth(depth: u32) -> Result<()> {
    match depth {
        1..=48 => Ok(()),
        _ => Err(Error::argument("max_depth", "from 1 to 48", depth)),
    }
}
