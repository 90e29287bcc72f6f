//! Upper bounds from the weights alone.

use candle_core::{DType, Tensor};

use super::host_rows;
use super::power::spectral_norms;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};

/// The spectral norm of a matrix, its largest singular value.
///
/// ```text
/// ‖W‖₂ = max_v ‖W v‖₂ / ‖v‖₂
/// ```
///
/// By power iteration in f64, from below; it ends when a step changes the square by less than 1e-12
/// of itself.
///
/// - **Shapes**: `matrix` (rows, columns); a number comes back. More axes are flattened into the
///   columns.
/// - **Range**: ≥ 0; 0 for a matrix of zeros.
/// - **Source**: the definition.
///
/// # Errors
/// A tensor of fewer than two axes, no rows or columns, numbers that are not finite, or a power
/// iteration that does not settle.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let matrix = Tensor::new(&[[0f64, -4.], [3., 0.]], &device::best())?;
/// assert!((lipschitz::spectral_norm(&matrix)? - 4.).abs() < 1e-6);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn spectral_norm(matrix: &Tensor) -> Result<f64> {
    host_rows("matrix", matrix, 1)?;
    let norms = spectral_norms(&super::rows(matrix.to_dtype(DType::F64)?)?.unsqueeze(0)?)?;
    Ok(norms.into_iter().fold(0., f64::max))
}

/// The spectral norms of a network's layers up to a representation, the first layer's first.
///
/// ```text
/// ‖W_1‖₂, …, ‖W_l‖₂;  the Lipschitz constant of f_{0:l} is ≤ ‖W_1‖₂ · … · ‖W_l‖₂
/// ```
///
/// Their product is an upper bound of the representation's Lipschitz constant in all of space,
/// since neither tanh nor ReLU stretches anywhere, and a generous one: it is reached only where
/// every layer stretches in the same direction and every unit is at its steepest.
///
/// - **Shapes**: l numbers for the l layers up to the representation; none for the input.
/// - **Range**: ≥ 0.
/// - **Source**: Szegedy et al. 2014 (arXiv 1312.6199), section 4.3; the matrices W_l are those of
///   [`Network::weight`].
///
/// # Errors
/// The network has no such representation or a stage without a weight matrix, a weight is not
/// finite, or a power iteration does not settle.
pub fn layer_norms(network: &dyn Network, representation: Representation) -> Result<Vec<f64>> {
    let norm = |index: usize| match network.weight(index)? {
        Some(weight) => spectral_norm(&weight),
        None => {
            let expected = "the matrix of a linear stage, given by the network's `weight`";
            Err(Error::argument(
                "weight",
                expected,
                format!("none for stage {index}"),
            ))
        }
    };
    (0..representation.index(network.stages())?)
        .map(norm)
        .collect()
}
