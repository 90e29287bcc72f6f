//! Fully connected networks whose layers have one spectral norm.

use std::fmt;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::mlp::{Activation, Mlp};
use super::rescaled::{Rescaled, Rescaling};
use crate::checks::positive;
use crate::error::{Error, Result};
use crate::models::{Layer, Network};
use crate::ops::{largest_eigenvector, widened};

/// The most steps of a power iteration.
const STEPS: usize = 100;

/// A matrix divided by its largest singular value, times a constant: spectral normalisation.
///
/// ```text
/// W' = c · W / σ(W),  σ(W) = ‖W‖₂ = uᵀ W v;   ‖W'‖₂ = c
/// ```
///
/// u and v are the singular vectors of the largest singular value. Differentiable in W; u and v
/// count as constants, so that ∂σ/∂W = u vᵀ, which is the exact derivative where σ is larger than
/// all other singular values. They come from a power iteration with a fixed start, on W Wᵀ or WᵀW,
/// whichever is smaller, and then on its powers, up to the 1024th: at most 100 steps, or until one
/// changes their largest eigenvalue by less than 1e-14 of itself. PyTorch's `spectral_norm` takes
/// one step for each forward pass and keeps the vectors; this is what it converges to.
///
/// - **Shapes**: `weight` W (outputs, inputs); the result, too.
/// - **Range**: any finite numbers, c > 0; a matrix of zeros stays. σ is found from below, so
///   ‖W'‖₂ ≥ c: by rounding, and by 1e-4 of it at most where two singular values lie close together.
/// - **Source**: Miyato et al. 2018 (arXiv 1802.05957), equations 8 and 9 and appendix A.
///
/// # Errors
/// A tensor that is no matrix, or c not positive and finite.
///
/// # Examples
/// ```
/// use isopath::models::spectrally_normalised;
/// use isopath::prelude::*;
///
/// let weight = Tensor::new(&[[0f64, -4.], [3., 0.]], &device::best())?;
/// let halved = spectrally_normalised(&weight, 2.)?;
/// assert!((lipschitz::spectral_norm(&halved)? - 2.).abs() < 1e-9);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn spectrally_normalised(weight: &Tensor, constant: f64) -> Result<Tensor> {
    positive("constant", constant)?;
    let &[outputs, inputs] = weight.dims() else {
        let expected = "(outputs, inputs)";
        let name = "spectrally_normalised";
        return Err(Error::shape(name, "weight", expected, weight.dims()));
    };
    let wide = widened("weight", weight)?;
    let fixed = wide.detach();
    let turned = fixed.t()?.contiguous()?;
    let is_flat = outputs <= inputs;
    let gram = match is_flat {
        true => fixed.matmul(&turned)?,
        false => turned.matmul(&fixed)?,
    };
    let found = largest_eigenvector(&gram, STEPS)?.vector;
    if found.iter().all(|number| *number == 0.) {
        return Ok(weight.clone());
    }
    let found = Tensor::new(found, weight.device())?.to_dtype(wide.dtype())?;
    // From one singular vector the other: ‖Wᵀu‖ is the estimate of σ.
    let (u, v) = match is_flat {
        true => (
            found.unsqueeze(0)?,
            unit(&turned.matmul(&found.unsqueeze(1)?)?)?,
        ),
        false => {
            let v = found.unsqueeze(1)?;
            (unit(&fixed.matmul(&v)?)?.t()?.contiguous()?, v)
        }
    };
    let sigma = u.matmul(&wide)?.matmul(&v)?;
    let normalised = wide.broadcast_div(&sigma)?;
    let normalised = match constant == 1. {
        true => normalised,
        false => (normalised * constant)?,
    };
    Ok(normalised.to_dtype(weight.dtype())?)
}

/// A vector divided by its length.
fn unit(vector: &Tensor) -> Result<Tensor> {
    Ok(vector.broadcast_div(&vector.sqr()?.sum_all()?.sqrt()?)?)
}

/// A fully connected network whose weights are spectrally normalised.
///
/// ```text
/// h_0 = x,    h_l = φ(W'_l h_{l−1} + b_l) for l < L,    f(x) = W'_L h_{L−1} + b_L
/// W'_l = c · W_l / ‖W_l‖₂
/// ```
///
/// An [`Mlp`] whose weights are [divided by their largest singular value](spectrally_normalised) in
/// every forward pass, through which gradients flow; once for all where it is frozen. Its
/// parameters are W and b by the names of an [`Mlp`]'s. With c = 1 no distance between two outputs
/// is larger than that of their inputs, and every layer keeps one direction as long as it is: a
/// [`LipschitzMlp`](super::LipschitzMlp) promises the first alone.
///
/// - **Shapes**: x (N, sizes\[0\]), or (N, …) of as many numbers; logits (N, sizes\[L\]).
/// - **Range**: as [`Mlp`]; ‖f(x) − f(x')‖₂ ≤ c^L ‖x − x'‖₂, up to the tolerance of the norms.
/// - **Source**: Miyato et al. 2018 (arXiv 1802.05957), there for discriminators and with c = 1.
///
/// # Examples
///
/// ```
/// use isopath::models::SpectralMlp;
/// use isopath::prelude::*;
///
/// let build = |vb| SpectralMlp::new(&[3, 20, 20, 2], Activation::Tanh, 1., vb);
/// let network = Model::new(0, build)?;
/// let norms = lipschitz::layer_norms(&network, Representation::Logits)?;
/// assert!(norms.iter().all(|norm| (norm - 1.).abs() < 1e-5));
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct SpectralMlp(Rescaled<Spectral>);

/// The rescaling of every weight.
#[derive(Clone)]
struct Spectral {
    constant: f64,
}

impl Rescaling for Spectral {
    fn rescale(&self, weight: &Tensor) -> Result<Tensor> {
        spectrally_normalised(weight, self.constant)
    }
}

impl SpectralMlp {
    /// Builds a network of layers `sizes[0] → … → sizes[L]`, with weights as [`Mlp::new`] takes
    /// them and norms of `constant`, c.
    ///
    /// # Errors
    /// As [`Mlp::new`], or c not positive and finite.
    pub fn new(
        sizes: &[usize],
        activation: Activation,
        constant: f64,
        vb: VarBuilder,
    ) -> Result<Self> {
        positive("constant", constant)?;
        let mlp = Mlp::new(sizes, activation, vb)?;
        Ok(Self(Rescaled::new(mlp, Spectral { constant })?))
    }

    /// The sizes of the layers, the input's first.
    pub fn sizes(&self) -> &[usize] {
        self.0.mlp().sizes()
    }
}

impl Network for SpectralMlp {
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

impl fmt::Debug for SpectralMlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spectral{:?}", self.0.mlp())
    }
}
