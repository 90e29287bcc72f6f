//! Upper bounds from the weights alone.

use candle_core::{DType, Device, Tensor};

use super::host_rows;
use super::power::{from_above, spectral_norms};
use crate::distances::slices::euclidean;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};

/// The spectral norm of a matrix, its largest singular value.
///
/// ```text
/// ‖W‖₂ = max_v ‖W v‖₂ / ‖v‖₂
/// ```
///
/// By power iteration in f64, from below, on WᵀW and then on its powers, up to the 1024th; it ends
/// when a step changes their largest eigenvalue by less than 1e-14 of itself.
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
    (0..representation.index(network.stages())?)
        .map(|index| spectral_norm(&matrix(network, index)?))
        .collect()
}

/// The matrix of a stage.
///
/// # Errors
/// It has none.
fn matrix(network: &dyn Network, index: usize) -> Result<Tensor> {
    network.weight(index)?.ok_or_else(|| {
        let expected = "the matrix of a linear stage, given by the network's `weight`";
        Error::argument("weight", expected, format!("none for stage {index}"))
    })
}

/// An upper bound of the spectral norm of a matrix, its rounding included.
///
/// ```text
/// ‖W‖₂ ≤ ‖(WᵀW)^(2^k)‖_F^(1/2^(k+1)),  k = 12
/// ```
///
/// [`spectral_norm`] approaches the norm from below, which proves nothing. This is above it, by less
/// than a thousandth part: the matrix is squared k times, each time divided by its norm, and what f64
/// may have rounded is added.
///
/// - **Shapes**: as [`spectral_norm`].
/// - **Range**: ≥ the norm of the matrix as it is, in its own type.
/// - **Source**: Gelfand's formula, as Delattre and others 2023 (arXiv 2305.16173) use it; the rounding
///   after Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.5.
///
/// # Errors
/// A tensor of fewer than two axes, no rows or columns, or numbers that are not finite.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let matrix = Tensor::new(&[[0f64, -4.], [3., 0.]], &device::best())?;
/// let bound = lipschitz::spectral_norm_bound(&matrix)?;
/// assert!(bound >= 4. && bound < 4.001);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn spectral_norm_bound(matrix: &Tensor) -> Result<f64> {
    host_rows("matrix", matrix, 1)?;
    let matrix = super::rows(matrix.detach())?.to_device(&Device::Cpu)?;
    from_above(&matrix.to_dtype(DType::F64)?)
}

/// How fast a margin of a class may change at most: an upper bound, in all of space.
///
/// ```text
/// |m_y(z) − m_y(z')| ≤ K_y ‖z − z'‖₂,   m_y = f_y − max over c ≠ y of f_c
/// K_y = max over c ≠ y of ‖W_L,y − W_L,c‖₂ · ‖W_{L−1}‖₂ · … · ‖W_{l+1}‖₂
/// ```
///
/// The norms are [bounds from above](spectral_norm_bound) of the weights that the network has. For a
/// network whose matrices have norms of 1, such as [`LipschitzMlp`](crate::models::LipschitzMlp), K_y is
/// at most about √2.
///
/// - **Shapes**: a number, for the margins as functions of representation l.
/// - **Range**: ≥ 0.
/// - **Source**: Tsuzuku, Sato & Sugiyama 2018 (arXiv 1802.04034), proposition 1, with the rows of the
///   last matrix in the place of √2 times its norm.
///
/// # Errors
/// As [`layer_norms`]; a class that the network does not have, or only one class.
pub fn margin_constant(
    network: &dyn Network,
    representation: Representation,
    class: u32,
) -> Result<f64> {
    let begin = representation.index(network.stages())?;
    let last = network.stages().saturating_sub(1);
    if begin > last {
        let expected = "a representation before the logits";
        return Err(Error::argument("representation", expected, "the logits"));
    }
    let rows = host_rows("weight", &matrix(network, last)?, 1)?;
    let (Some(own), true) = (rows.get(class as usize), rows.len() > 1) else {
        let expected = format!(
            "below {}, the number of classes, of at least two",
            rows.len()
        );
        return Err(Error::argument("class", expected, class));
    };
    let others = rows
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != class as usize);
    let longest = others
        .map(|(_, row)| euclidean(own, row))
        .fold(0., f64::max);
    // More than the roundings of a sum of so many squares.
    let mut constant = longest * (1. + 4. * (own.len() + 8) as f64 * f64::EPSILON);
    for index in begin..last {
        constant *= spectral_norm_bound(&matrix(network, index)?)? * (1. + 4. * f64::EPSILON);
    }
    Ok(constant)
}
