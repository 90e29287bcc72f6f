//! Convolutions, each normalised, added to an earlier result and rectified: what a stage of a
//! residual network is.

mod fused;

use candle_core::Tensor;

use super::batch_norm::{batch_norm_composite, check_eps};
use super::conv2d::{Conv2dParams, conv2d_composite};
use super::conv2d_grid::Geometry;
use super::{batch_norm, conv2d, is_fused};
use crate::error::{Error, Result};

/// One unit: y_k = ReLU(norm(conv2d(y_input, weight)) + y_residual).
///
/// y_0 is the argument of [`conv_units`], y_k the result of the k-th unit, the first being 1.
#[derive(Clone, Debug)]
pub struct ConvUnit {
    /// The number of the result that is convolved, below the unit's own.
    pub input: usize,
    /// The number of the result that is added after the normalisation, below the unit's own, if
    /// any.
    pub residual: Option<usize>,
    /// (O, C / groups, kernel height, kernel width).
    pub weight: Tensor,
    /// Where the kernel is laid.
    pub conv: Conv2dParams,
    /// What follows the convolution.
    pub norm: UnitNorm,
    /// Whether what is below 0 then becomes 0.
    pub relu: bool,
}

/// What follows the convolution of a unit.
#[derive(Clone, Debug)]
pub enum UnitNorm {
    /// [`batch_norm`](super::batch_norm()) with the statistics of the batch, as in training.
    Batch {
        /// (O,), the factors.
        gamma: Tensor,
        /// (O,), what is added.
        beta: Tensor,
    },
    /// One number a channel is added, (O,): a normalisation in evaluation mode folded into the
    /// convolution.
    Bias(Tensor),
}

/// What [`conv_units`] gives.
#[derive(Clone, Debug)]
pub struct ConvUnits {
    /// The last unit's result (N, O, H', W'); differentiable.
    pub output: Tensor,
    /// For each unit with [`UnitNorm::Batch`]: mean and unbiased variance of its channels, (O,)
    /// each, no gradient.
    pub statistics: Vec<Option<(Tensor, Tensor)>>,
}

/// The last of the results y_k of `units`, where y_0 = `x` (N, C, H, W): see [`ConvUnit`].
/// Differentiable in `x`, the weights, gamma, beta and biases.
///
/// `eps` > 0 is the normalisations'; PyTorch's is 1e-5. The same numbers as
/// [`conv2d`](super::conv2d()), [`batch_norm`](super::batch_norm()), sum and ReLU one after
/// another, but on a CPU in f32 or f64 one operation: between the units no gradient is zeroed,
/// copied or added up by the graph, normalisation, sum and ReLU are one pass, and where nothing
/// needs a gradient a result's memory is free as soon as nobody reads it. The same numbers whatever
/// the number of threads. Elsewhere [`conv_units_composite`].
///
/// # Errors
/// No units, a unit that reads its own or a later result, shapes or dtypes that do not fit, `eps`
/// not positive, and what [`conv2d`](super::conv2d()) and [`batch_norm`](super::batch_norm())
/// refuse.
pub fn conv_units(x: &Tensor, units: &[ConvUnit], eps: f64) -> Result<ConvUnits> {
    if !is_fused(x) {
        return conv_units_composite(x, units, eps);
    }
    let shapes = check(x, units, eps)?;
    fused::run(x, units, shapes, eps)
}

/// [`conv_units`] in plain candle operations, for every device.
///
/// # Errors
/// As [`conv_units`].
pub fn conv_units_composite(x: &Tensor, units: &[ConvUnit], eps: f64) -> Result<ConvUnits> {
    check(x, units, eps)?;
    let mut results = vec![x.clone()];
    let mut statistics = Vec::with_capacity(units.len());
    for unit in units {
        let input = &results[unit.input];
        let mut y = match &unit.norm {
            UnitNorm::Bias(bias) => {
                statistics.push(None);
                conv2d_composite(input, &unit.weight, Some(bias), &unit.conv)?
            }
            UnitNorm::Batch { gamma, beta } => {
                let y = conv2d_composite(input, &unit.weight, None, &unit.conv)?;
                let normal = batch_norm_composite(&y, gamma, beta, eps)?;
                statistics.push(Some((normal.mean, normal.variance)));
                normal.output
            }
        };
        if let Some(residual) = unit.residual {
            y = (y + &results[residual])?;
        }
        results.push(if unit.relu { y.relu()? } else { y });
    }
    // There is at least one, as just checked.
    let output = results.pop().unwrap_or_else(|| x.clone());
    Ok(ConvUnits { output, statistics })
}

/// What every unit's convolution is.
fn check(x: &Tensor, units: &[ConvUnit], eps: f64) -> Result<Vec<Geometry>> {
    const NAME: &str = "conv_units";
    check_eps(eps)?;
    if units.is_empty() {
        return Err(Error::argument("units", "at least one", "none"));
    }
    if x.rank() != 4 {
        return Err(Error::shape(NAME, "x", "(N, C, H, W)", x.dims()));
    }
    let mut results = vec![x.dims().to_vec()];
    let mut shapes = Vec::with_capacity(units.len());
    for (index, unit) in units.iter().enumerate() {
        for (name, read) in [("input", Some(unit.input)), ("residual", unit.residual)] {
            if let Some(read) = read.filter(|&read| read > index) {
                return Err(Error::argument(
                    name,
                    format!("at most {index}, an earlier result, in unit {index}"),
                    read,
                ));
            }
        }
        let shape = conv2d::geometry(
            &results[unit.input],
            x.dtype(),
            &unit.weight,
            unit.norm.bias(),
            &unit.conv,
        )?;
        let result = vec![
            shape.images,
            shape.groups * shape.outputs,
            shape.output[0],
            shape.output[1],
        ];
        if let UnitNorm::Batch { gamma, beta } = &unit.norm {
            for (name, vector) in [("gamma", gamma), ("beta", beta)] {
                batch_norm::channel(name, vector, &result, x.dtype())?;
            }
            batch_norm::check_count(&result)?;
        }
        if let Some(residual) = unit
            .residual
            .filter(|&residual| results[residual] != result)
        {
            let expected = format!("{result:?}, that of unit {index}'s convolution");
            return Err(Error::shape(NAME, "residual", expected, &results[residual]));
        }
        results.push(result);
        shapes.push(shape);
    }
    Ok(shapes)
}

impl UnitNorm {
    fn bias(&self) -> Option<&Tensor> {
        match self {
            Self::Bias(bias) => Some(bias),
            Self::Batch { .. } => None,
        }
    }

    /// The tensors that may need a gradient.
    fn parameters(&self) -> Vec<&Tensor> {
        match self {
            Self::Bias(bias) => vec![bias],
            Self::Batch { gamma, beta } => vec![gamma, beta],
        }
    }
}
