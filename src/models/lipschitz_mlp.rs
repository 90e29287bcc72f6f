//! Fully connected networks that never stretch.

use std::fmt;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::mlp::{Activation, Mlp};
use super::rescaled::{Rescaled, Rescaling};
use crate::error::{Error, Result};
use crate::models::{Layer, Network};
use crate::ops::{gram_sums, widened};

/// Where a column's sum is smaller, it counts as that.
const LEAST: f64 = 1e-12;

/// A matrix with its columns rescaled so that it stretches no vector: an almost orthogonal layer (AOL).
///
/// ```text
/// W' = W · diag(d),  d_i = (Σ_j |WᵀW|_ij)^(−1/2);   ‖W'‖₂ ≤ 1
/// ```
///
/// With equality where the columns of W are orthogonal. Differentiable in W.
///
/// - **Shapes**: `weight` W (outputs, inputs); the result, too. It takes inputs² · outputs
///   multiplications.
/// - **Range**: any finite numbers; columns of zeros stay, and sums below 1e-12 count as 1e-12. In f32
///   the norm may exceed 1 by rounding: [`spectral_norm_bound`](crate::lipschitz::spectral_norm_bound)
///   says by how much at most.
/// - **Source**: Prach & Lampert 2022 (arXiv 2208.03160), theorem 1.
///
/// # Errors
/// A tensor that is no matrix.
pub fn almost_orthogonal(weight: &Tensor) -> Result<Tensor> {
    if weight.rank() != 2 {
        let expected = "(outputs, inputs)";
        return Err(Error::shape(
            "almost_orthogonal",
            "weight",
            expected,
            weight.dims(),
        ));
    }
    let wide = widened("weight", weight)?;
    let sums = gram_sums(&wide)?;
    let least = sums.ones_like()?.affine(LEAST, 0.)?;
    let scales = sums.maximum(&least)?.powf(-0.5)?;
    Ok(wide.broadcast_mul(&scales)?.to_dtype(weight.dtype())?)
}

/// A fully connected network that is 1-Lipschitz: no distance between two outputs is larger than
/// that of their inputs.
///
/// ```text
/// h_0 = x,    h_l = φ(W'_l h_{l−1} + b_l) for l < L,    f(x) = W'_L h_{L−1} + b_L
/// W'_l = W_l · diag(d),  d_i = (Σ_j |W_lᵀW_l|_ij)^(−1/2)
/// ```
///
/// An [`Mlp`] whose weights are [rescaled](almost_orthogonal) in every forward pass, through which
/// gradients flow; once for all where it is frozen. Its parameters are W and b by the names of an
/// [`Mlp`]'s. Its margins change by at most √2 times the distance:
/// [`margin_constant`](crate::lipschitz::margin_constant) bounds that with the rounding of the rescaling,
/// and [`lipschitz_certify`](crate::paths::lipschitz_certify) uses it.
///
/// - **Shapes**: x (N, sizes\[0\]), or (N, …) of as many numbers; logits (N, sizes\[L\]).
/// - **Range**: as [`Mlp`]; ‖f(x) − f(x')‖₂ ≤ ‖x − x'‖₂ in exact arithmetic.
/// - **Source**: Prach & Lampert 2022 (arXiv 2208.03160).
///
/// # Examples
///
/// ```
/// use isopath::models::LipschitzMlp;
/// use isopath::prelude::*;
///
/// let build = |vb| LipschitzMlp::new(&[3, 20, 20, 2], Activation::Relu, vb);
/// let network = Model::new(0, build)?;
/// let norms = lipschitz::layer_norms(&network, Representation::Logits)?;
/// assert!(norms.iter().all(|norm| *norm < 1.000_001));
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct LipschitzMlp(Rescaled<AlmostOrthogonal>);

/// The rescaling of every weight.
#[derive(Clone)]
struct AlmostOrthogonal;

impl Rescaling for AlmostOrthogonal {
    fn rescale(&self, weight: &Tensor) -> Result<Tensor> {
        almost_orthogonal(weight)
    }
}

impl LipschitzMlp {
    /// Builds a network of layers `sizes[0] → … → sizes[L]`, with weights as [`Mlp::new`] takes them.
    ///
    /// # Errors
    /// As [`Mlp::new`].
    pub fn new(sizes: &[usize], activation: Activation, vb: VarBuilder) -> Result<Self> {
        let mlp = Mlp::new(sizes, activation, vb)?;
        Ok(Self(Rescaled::new(mlp, AlmostOrthogonal)?))
    }

    /// The sizes of the layers, the input's first.
    pub fn sizes(&self) -> &[usize] {
        self.0.mlp().sizes()
    }
}

impl Network for LipschitzMlp {
    fn stages(&self) -> usize {
        self.0.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.0.stage(index, x)
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        self.0.weight(index)
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        self.0.layers(index)
    }
}

impl fmt::Debug for LipschitzMlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lipschitz{:?}", self.0.mlp())
    }
}
