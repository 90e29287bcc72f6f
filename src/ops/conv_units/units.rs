//! Several units, one after another.

use candle_core::Tensor;

use super::begun::Begun;
use super::frozen::{FrozenUnits, is_fixed};
use super::unit::{ConvUnit, ConvUnits, UnitNorm};
use super::workspace::Workspace;
use super::{evaluation, fused};
use crate::error::{Error, Result};
use crate::ops::activation::relu;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::{self, conv2d_composite};
use crate::ops::dtype::is_fused;
use crate::ops::normalisation::batch_norm_composite;
use crate::ops::normalisation::checks::{channel, check_count, check_eps};

/// Several units of a residual network one after another, as one operation.
///
/// ```text
/// y_0 = x,  y_k = ReLU(norm_k(conv2d(y_input, weight_k)) + y_residual),  k = 1, 2, …
/// ```
///
/// The result is the last y_k, differentiable in `x`, the weights, gamma, beta and biases; see
/// [`ConvUnit`] for what a unit may leave out. `eps` is the normalisations'; PyTorch's is 1e-5.
///
/// It equals [`conv2d`](crate::ops::conv2d()), [`batch_norm`](crate::ops::batch_norm()), sum and
/// ReLU one after another, but on a CPU in f32 or f64 is one operation: between the units no
/// gradient is zeroed, copied or added up by the graph, normalisation, sum and ReLU are one pass,
/// and where nothing needs a gradient a result's memory is free as soon as nobody reads it. The
/// same numbers whatever the number of threads. Elsewhere [`conv_units_composite`].
///
/// - **Shapes**: `x` (N, C, H, W); the result is (N, O, H', W'), its statistics (O,) a unit.
/// - **Range**: any number; ≥ 0 where the last unit ends with a ReLU. `eps` > 0.
/// - **Source**: He et al. 2016 (arXiv 1512.03385), section 3; one operation for several units is
///   ours.
///
/// # Errors
/// No units, a unit that reads its own or a later result, shapes or dtypes that do not fit, `eps`
/// not positive and finite, and what [`conv2d`](crate::ops::conv2d()) and
/// [`batch_norm`](crate::ops::batch_norm()) refuse.
pub fn conv_units(x: &Tensor, units: &[ConvUnit], eps: f64) -> Result<ConvUnits> {
    conv_units_in(x, units, eps, &Workspace::default())
}

/// The same with memory that earlier calls have used.
pub(crate) fn conv_units_in(
    x: &Tensor,
    units: &[ConvUnit],
    eps: f64,
    workspace: &Workspace,
) -> Result<ConvUnits> {
    if !is_fused(x) {
        return conv_units_composite(x, units, eps);
    }
    let shapes = check(x, units, eps)?;
    if !evaluation::is_some(&shapes) {
        return conv_units_composite(x, units, eps);
    }
    if units.iter().all(is_fixed) {
        let output = evaluation::run(x, FrozenUnits::new(units)?, shapes)?;
        return Ok(ConvUnits {
            output,
            statistics: vec![None; units.len()],
        });
    }
    fused::run((x, units, eps), shapes, workspace)
}

/// No frozen unit normalises.
const EPS: f64 = 1.;

impl FrozenUnits {
    /// The last unit's result, differentiable in `x`.
    ///
    /// # Errors
    /// As [`conv_units`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if is_fused(x) {
            let shapes = check(x, self.units(), EPS)?;
            if evaluation::is_some(&shapes) {
                return Ok(evaluation::run(x, self.clone(), shapes)?);
            }
        }
        Ok(conv_units_composite(x, self.units(), EPS)?.output)
    }

    /// The units with what is known of them at points (N, C, H, W): for points between. None where that is
    /// no faster.
    pub(crate) fn begun(&self, x: &Tensor) -> Result<Option<Begun>> {
        if !is_fused(x) {
            return Ok(None);
        }
        let shapes = check(x, self.units(), EPS)?;
        match evaluation::is_some(&shapes) {
            true => Ok(Begun::new(x, self, shapes)?),
            false => Ok(None),
        }
    }
}

/// The function [`conv_units`] in plain candle operations, for every device.
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
        results.push(if unit.relu { relu(&y)? } else { y });
    }
    // There is at least one, as just checked.
    let output = results.pop().unwrap_or_else(|| x.clone());
    Ok(ConvUnits { output, statistics })
}

/// Checks all units; the sizes of their convolutions.
pub(super) fn check(x: &Tensor, units: &[ConvUnit], eps: f64) -> Result<Vec<Geometry>> {
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
        let shape = convolution::geometry(
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
                channel(name, vector, &result, x.dtype())?;
            }
            check_count(&result)?;
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
