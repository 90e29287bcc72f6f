//! The range of a pixel.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The range of a pixel, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

/// [0, 1].
impl Default for Bounds {
    fn default() -> Self {
        Self { min: 0., max: 1. }
    }
}

impl Bounds {
    /// Checks both ends.
    ///
    /// # Errors
    /// Not finite, or not min < max.
    pub fn validate(&self) -> Result<()> {
        let Self { min, max } = *self;
        if min.is_finite() && max.is_finite() && min < max {
            return Ok(());
        }
        Err(Error::argument("bounds", "finite min < max", format!("[{min}, {max}]")))
    }
}
