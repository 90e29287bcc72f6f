//! Checks of arguments: the range of a pixel, finite numbers, labels.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The range of a pixel, both ends included; [0, 1] by default.
///
/// ```text
/// min ≤ x ≤ max
/// ```
///
/// Attacks and paths keep their inputs inside.
///
/// - **Shapes**: two numbers.
/// - **Range**: finite, min < max.
/// - **Source**: ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The smallest value that a pixel may have.
    pub min: f64,
    /// The largest value that a pixel may have.
    pub max: f64,
}

/// The range [0, 1].
impl Default for Bounds {
    fn default() -> Self {
        Self { min: 0., max: 1. }
    }
}

impl Bounds {
    /// Checks that both ends are finite and in order.
    ///
    /// # Errors
    ///
    /// An end is not finite, or not min < max.
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
        match self.exceeded_by(tensor)? {
            None => Ok(()),
            Some([lowest, highest]) => {
                let expected = format!("{what} inside the bounds [{min}, {max}]");
                Err(Error::argument(
                    name,
                    expected,
                    format!("between {lowest} and {highest}"),
                ))
            }
        }
    }

    /// The smallest and the largest number of `tensor`, if one of them lies outside.
    pub(crate) fn exceeded_by(&self, tensor: &Tensor) -> Result<Option<[f64; 2]>> {
        let number =
            |tensor: Tensor| -> Result<f64> { Ok(tensor.to_dtype(DType::F64)?.to_scalar()?) };
        // The bounds as the tensor's type has them: 0.1 in f32 is above 0.1 in f64.
        let rounded =
            |value: f64| number(Tensor::new(value, tensor.device())?.to_dtype(tensor.dtype())?);
        let (lowest, highest) = (number(tensor.min_all()?)?, number(tensor.max_all()?)?);
        let outside = lowest < rounded(self.min)? || highest > rounded(self.max)?;
        Ok(outside.then_some([lowest, highest]))
    }
}

/// # Errors
/// `count` is 0.
pub(crate) fn at_least_one(name: &'static str, count: usize) -> Result<()> {
    match count {
        0 => Err(Error::argument(name, "at least 1", 0)),
        _ => Ok(()),
    }
}

/// # Errors
/// `value` is not finite, or not above 0.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0. {
        true => Ok(()),
        false => Err(Error::argument(name, "a finite number > 0", value)),
    }
}

/// # Errors
/// `value` is not finite, or below 0.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0. {
        true => Ok(()),
        false => Err(Error::argument(name, "a finite number ≥ 0", value)),
    }
}

/// # Errors
/// `value` is outside [0, 1).
pub(crate) fn decay(name: &'static str, value: f64) -> Result<()> {
    match (0. ..1.).contains(&value) {
        true => Ok(()),
        false => Err(Error::argument(name, "a number in [0, 1)", value)),
    }
}

/// Whether no number of `tensor` is NaN or ±∞, whatever their size and type.
pub(crate) fn is_finite(tensor: &Tensor) -> Result<bool> {
    // 0 for every finite number, NaN for NaN and ±∞: a sum of these neither overflows nor stalls.
    let zeros = (tensor.detach() * 0.)?.sum_all()?;
    Ok(zeros.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0.)
}

/// # Errors
/// A number of `tensor` is NaN or ±∞; `what` says what the numbers are.
pub(crate) fn finite(name: &'static str, what: &str, tensor: &Tensor) -> Result<()> {
    match is_finite(tensor)? {
        true => Ok(()),
        false => Err(Error::argument(
            name,
            format!("finite {what}"),
            "partly NaN or ∞",
        )),
    }
}

/// The labels of `n` inputs on the host, each below `classes` if that is given.
///
/// # Errors
/// Not (N,) of u32, or a label out of range; `operation` is what was called.
pub(crate) fn labels(
    operation: &'static str,
    labels: &Tensor,
    n: usize,
    classes: Option<usize>,
) -> Result<Vec<u32>> {
    if labels.dims() != [n] {
        let expected = format!("({n},), one for each input");
        return Err(Error::shape(operation, "labels", expected, labels.dims()));
    }
    if labels.dtype() != DType::U32 {
        return Err(Error::argument(
            "dtype of labels",
            "U32",
            format!("{:?}", labels.dtype()),
        ));
    }
    let labels = labels.to_vec1::<u32>()?;
    let classes = classes.unwrap_or(usize::MAX);
    match labels.iter().find(|label| **label as usize >= classes) {
        Some(label) => {
            let expected = format!("below {classes}, the number of classes");
            Err(Error::argument("label", expected, label))
        }
        None => Ok(labels),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn finiteness_holds_for_huge_numbers_in_every_type() -> Result<()> {
        let of = |values: &[f64], dtype| -> Result<bool> {
            is_finite(&Tensor::new(values, &Device::Cpu)?.to_dtype(dtype)?)
        };
        for (dtype, largest) in [
            (DType::F64, f64::MAX),
            (DType::F32, f64::from(f32::MAX)),
            (DType::BF16, 3e38),
            (DType::F16, 65_504.),
        ] {
            assert!(of(&[largest, largest, -largest], dtype)?, "{dtype:?}");
            for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!(!of(&[1., wrong, largest], dtype)?, "{wrong} in {dtype:?}");
            }
        }
        Ok(())
    }
}
