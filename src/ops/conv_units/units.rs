//! The units one after another.

use candle_core::Tensor;

use super::fused;
use super::unit::{ConvUnit, ConvUnits, UnitNorm};
use crate::error::{Error, Result};
use crate::ops::convolution::grid::Geometry;
use crate::ops::convolution::{self, conv2d_composite};
use crate::ops::dtype::is_fused;
use crate::ops::normalisation::batch_norm_composite;
use crate::ops::normalisation::checks::{channel, check_count, check_eps};

/// The last of the results y_k of `units`, where y_0 = `x` (N, C, H, W): see [`ConvUnit`].
/// Differentiable in `x`, the weights, gamma, beta and biases.
///
/// `eps` > 0 is the normalisations'; PyTorch's is 1e-5. The same numbers as
/// [`conv2d`](crate::ops::conv2d()), [`batch_norm`](crate::ops::batch_norm()), sum and ReLU one after
/// another, but on a CPU in f32 or f64 one operation: between the units no gradient is zeroed,
/// copied or added up by the graph, normalisation, sum and ReLU are one pass, and where nothing
/// needs a gradient a result's memory is free as soon as nobody reads it. The same numbers whatever
/// the number of threads. Elsewhere [`conv_units_composite`].
///
/// # Errors
/// No units, a unit that reads its own or a later result, shapes or dtypes that do not fit, `eps`
/// not positive, and what [`conv2d`](crate::ops::conv2d()) and [`batch_norm`](crate::ops::batch_norm())
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
