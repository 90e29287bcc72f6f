//! What the weights alone allow.

use candle_core::{DType, Tensor};

use super::host_rows;
use super::power::spectral_norms;
use crate::error::Result;
use crate::models::{Mlp, Representation};

/// ‖W‖₂ ≥ 0 of a matrix (rows, columns): its largest singular value, by power iteration in f64.
///
/// # Errors
/// No matrix, no rows or columns, or numbers that are not finite.
pub fn spectral_norm(matrix: &Tensor) -> Result<f64> {
    host_rows("matrix", matrix, 1)?;
    let norms = spectral_norms(&super::rows(matrix.to_dtype(DType::F64)?)?.unsqueeze(0)?)?;
    Ok(norms.into_iter().fold(0., f64::max))
}

/// ‖W_l‖₂ of the layers up to the representation, the first layer's first.
///
/// Their product is an upper bound of the representation's Lipschitz constant in all of space,
/// since neither tanh nor ReLU stretches anywhere, and a generous one: it is reached only where
/// every layer stretches in the same direction and every unit is at its steepest.
///
/// # Errors
/// The network has no such representation, or a weight is not finite.
pub fn layer_norms(network: &Mlp, representation: Representation) -> Result<Vec<f64>> {
    let weights = network.weights();
    let index = representation.index(weights.len())?;
    weights.into_iter().take(index).map(spectral_norm).collect()
}
