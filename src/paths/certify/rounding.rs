//! What floating-point arithmetic may do to a sum: the bounds that everything else adds up.

use candle_core::DType;

use crate::error::{Error, Result};

/// The unit roundoff of f64, in which the bounds are computed.
const OWN: f64 = f64::EPSILON / 2.;
/// More than what a few operations of f64 on a number add to it, relative to that number.
pub(super) const SOME: f64 = 16. * f64::EPSILON;
/// More than what the squares of a vector lose in its norm if they underflow.
pub(super) const LEAST: f64 = 1e-150;

/// The arithmetic that a network computes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arithmetic {
    /// The unit roundoff u: a result of size x is wrong by at most u·|x|.
    pub unit: f64,
    /// The smallest number above 0; a product that underflows is wrong by at most that.
    pub tiny: f64,
    /// Sums of terms that stay below it in size never overflow, in whatever order.
    pub safe: f64,
}

impl Arithmetic {
    /// That of f32 or f64.
    ///
    /// # Errors
    /// Another type.
    pub fn of(dtype: DType) -> Result<Self> {
        match dtype {
            DType::F32 => Ok(Self {
                unit: f64::from(f32::EPSILON) / 2.,
                tiny: f64::from(f32::from_bits(1)),
                safe: f64::from(f32::MAX) / 4.,
            }),
            DType::F64 => Ok(Self {
                unit: OWN,
                tiny: f64::from_bits(1),
                safe: f64::MAX / 4.,
            }),
            other => {
                let expected =
                    "F32 or F64; half precision is rounded in ways that differ by device";
                Err(Error::argument(
                    "dtype of weights",
                    expected,
                    other.as_str(),
                ))
            }
        }
    }

    /// γ_n = n u / (1 − n u), from above: what n roundings, in whatever order, do to a term of a sum,
    /// relative to its size. Higham, *Accuracy and Stability of Numerical Algorithms*, lemma 3.1.
    pub fn gamma(&self, n: usize) -> f64 {
        let roundings = n as f64 * self.unit;
        match roundings < 0.5 {
            true => up(roundings / (1. - roundings)),
            false => f64::INFINITY,
        }
    }
}

/// Four times what n roundings of f64 do: for sums of n terms in the bounds' own arithmetic.
pub(super) fn own_gamma(n: usize) -> f64 {
    4. * n as f64 * f64::EPSILON
}

/// `value` ≥ 0 with an allowance for a few roundings of its own.
pub(super) fn up(value: f64) -> f64 {
    value * (1. + SOME)
}
