//! Distances between points, differentiable.

pub(crate) mod slices;

use std::any::Any;
use std::fmt::Debug;

use candle_core::{D, Tensor};

use crate::error::{Error, Result};

/// A distance d(a, b) between vectors.
pub trait Distance: Any + Debug + Send + Sync {
    /// d along the last axis: `a` (…, D) and `b` (…, D), broadcast against each other, give (…).
    ///
    /// Where d is not differentiable, equal points above all, its gradient is 0 and never NaN.
    ///
    /// # Errors
    /// Shapes that do not broadcast.
    fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor>;

    /// The matrix D_ij = d(x_i, x_j) of the rows of `x`: (N, D) gives (N, N). Takes memory for N²·D
    /// numbers.
    ///
    /// # Errors
    /// `x` is no matrix.
    fn pairwise(&self, x: &Tensor) -> Result<Tensor> {
        if x.rank() != 2 {
            return Err(Error::shape("pairwise", "x", "(N, D)", x.dims()));
        }
        self.distance(&x.unsqueeze(1)?, &x.unsqueeze(0)?)
    }
}

/// d(a, b) = √Σ_k (a_k − b_k)²: the *isometry* paper's choice (section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Euclidean;

/// d(a, b) = Σ_k |a_k − b_k|.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manhattan;

/// d(a, b) = 1 − a·b / (‖a‖ ‖b‖), in [0, 2]; 1 when either is the zero vector.
///
/// No metric in the strict sense (no triangle inequality), but a usual measure of representations.
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
