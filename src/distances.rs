//! Distances between points, differentiable.

pub(crate) mod nearest;
mod numbers;
pub(crate) mod slices;

use std::any::Any;
use std::fmt::Debug;

use candle_core::{D, Tensor};

use crate::error::{Error, Result};

/// A distance between vectors, differentiable.
///
/// ```text
/// d(a, b) ≥ 0
/// ```
///
/// The isometric loss takes any of them; a distance of one's own needs the one method without a
/// default.
///
/// - **Shapes**: vectors (…, D) in, numbers (…) out.
/// - **Range**: ≥ 0, up to rounding.
/// - **Source**: the definition; *isometry*, section 2, calls it d.
///
/// # Errors
/// Both methods refuse shapes that do not fit.
pub trait Distance: Any + Debug + Send + Sync {
    /// The distance of the vectors along the last axis.
    ///
    /// ```text
    /// d(a, b)
    /// ```
    ///
    /// Where d is not differentiable, equal points above all, its gradient is 0 and never NaN.
    ///
    /// - **Shapes**: `a` (…, D) and `b` (…, D), broadcast against each other; the result is (…).
    /// - **Range**: ≥ 0, up to rounding.
    /// - **Source**: the definition.
    ///
    /// # Errors
    /// Shapes that do not broadcast.
    fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor>;

    /// The matrix of the distances between all rows of a matrix.
    ///
    /// ```text
    /// D_ij = d(x_i, x_j)
    /// ```
    ///
    /// The *isometry* paper's D_M of inputs, D_Φ of representations. Takes memory for N²·D numbers.
    ///
    /// - **Shapes**: `x` (N, D); the result is (N, N).
    /// - **Range**: ≥ 0, up to rounding.
    /// - **Source**: *isometry*, section 2, the matrices D_M and D_Φ.
    ///
    /// # Errors
    /// `x` is not a matrix.
    ///
    /// # Examples
    /// ```
    /// use isopath::distances::{Distance, Euclidean};
    /// use isopath::prelude::*;
    ///
    /// let x = Tensor::new(&[[0f32, 0.], [3., 4.]], &device::best())?;
    /// assert_eq!(Euclidean.pairwise(&x)?.to_vec2::<f32>()?, [[0., 5.], [5., 0.]]);
    /// # Ok::<(), isopath::Error>(())
    /// ```
    fn pairwise(&self, x: &Tensor) -> Result<Tensor> {
        if x.rank() != 2 {
            return Err(Error::shape("pairwise", "x", "(N, D)", x.dims()));
        }
        self.distance(&x.unsqueeze(1)?, &x.unsqueeze(0)?)
    }
}

/// The Euclidean distance, the length of the difference; the *isometry* paper's choice.
///
/// ```text
/// d(a, b) = √Σ_k (a_k − b_k)²
/// ```
///
/// Its gradient is 0 where a = b.
///
/// - **Shapes**: vectors (…, D) in, numbers (…) out.
/// - **Range**: ≥ 0, in the unit of the vectors.
/// - **Source**: *isometry*, section 2.
///
/// # Errors
/// [`Distance::distance`] refuses shapes that do not broadcast.
///
/// # Examples
/// ```
/// use isopath::distances::{Distance, Euclidean};
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let (a, b) = (Tensor::new(&[1f64, 1.], &device)?, Tensor::new(&[4f64, 5.], &device)?);
/// assert_eq!(Euclidean.distance(&a, &b)?.to_scalar::<f64>()?, 5.);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Euclidean;

/// The Manhattan distance, the sum of the differences along the axes.
///
/// ```text
/// d(a, b) = Σ_k |a_k − b_k|
/// ```
///
/// Its gradient along axis k is 0 where a_k = b_k.
///
/// - **Shapes**: vectors (…, D) in, numbers (…) out.
/// - **Range**: ≥ 0, in the unit of the vectors.
/// - **Source**: the definition.
///
/// # Errors
/// [`Distance::distance`] refuses shapes that do not broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manhattan;

/// The cosine distance: 1 minus the cosine of the angle between two vectors.
///
/// ```text
/// d(a, b) = 1 − a·b / (‖a‖₂ ‖b‖₂);  1 where a or b is the zero vector
/// ```
///
/// Not a metric in the strict sense (it breaks the triangle inequality, and d(0, 0) = 1), but a
/// usual measure of representations.
///
/// - **Shapes**: vectors (…, D) in, numbers (…) out.
/// - **Range**: \[0, 2\], up to rounding; no unit.
/// - **Source**: the definition.
///
/// # Errors
/// [`Distance::distance`] refuses shapes that do not broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cosine;

impl Distance for Euclidean {
    fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        root(&a.broadcast_sub(b)?.sqr()?.sum(D::Minus1)?)
    }
}

impl Distance for Manhattan {
    fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let difference = a.broadcast_sub(b)?;
        // |x| as x·sign(x), since candle gives |x| the slope 1 at 0.
        let sign = difference.detach().sign()?;
        Ok((difference * sign)?.sum(D::Minus1)?)
    }
}

impl Distance for Cosine {
    fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let unit = |v: &Tensor| -> Result<Tensor> {
            let norm = root(&v.sqr()?.sum_keepdim(D::Minus1)?)?;
            let zero = norm.eq(&norm.zeros_like()?)?;
            Ok(v.broadcast_div(&zero.where_cond(&norm.ones_like()?, &norm)?)?)
        };
        Ok((1. - unit(a)?.broadcast_mul(&unit(b)?)?.sum(D::Minus1)?)?)
    }
}

/// √s with the gradient 0 at s = 0, where candle's own is infinite (and 0·∞ = NaN would follow).
fn root(s: &Tensor) -> Result<Tensor> {
    let zero = s.eq(&s.zeros_like()?)?;
    let root = zero.where_cond(&s.ones_like()?, s)?.sqrt()?;
    Ok(zero.where_cond(&s.zeros_like()?, &root)?)
}
