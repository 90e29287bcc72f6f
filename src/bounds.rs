//! The range of a pixel, and of all numbers.

use candle_core::{DType, Tensor};
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
        Err(Error::argument(
            "bounds",
            "finite min < max",
            format!("[{min}, {max}]"),
        ))
    }

    /// Checks that all of `tensor`, whose finite numbers are `what`, lies inside.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn check(&self, name: &'static str, what: &str, tensor: &Tensor) -> Result<()> {
        let Self { min, max } = *self;
        let number =
            |tensor: Tensor| -> Result<f64> { Ok(tensor.to_dtype(DType::F64)?.to_scalar()?) };
        // The bounds as the tensor's type has them: 0.1 in f32 is above 0.1 in f64.
        let rounded =
            |value: f64| number(Tensor::new(value, tensor.device())?.to_dtype(tensor.dtype())?);
        let (lowest, highest) = (number(tensor.min_all()?)?, number(tensor.max_all()?)?);
        if lowest < rounded(min)? || highest > rounded(max)? {
            let got = format!("between {lowest} and {highest}");
            return Err(Error::argument(
                name,
                format!("{what} inside the bounds [{min}, {max}]"),
                got,
            ));
        }
        Ok(())
    }
}

/// Whether no number is NaN or ±∞.
pub(crate) fn is_finite(tensor: &Tensor) -> Result<bool> {
    // A sum of finite f32 cannot overflow in f64, and NaN and ±∞ survive it.
    Ok(tensor
        .to_dtype(DType::F64)?
        .abs()?
        .sum_all()?
        .to_scalar::<f64>()?
        .is_finite())
}
