//! Lengths of segments.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::norms::row_norms_composite;
use super::rows::{dims, sums};
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::simd::{Float, arch, vectorised};

/// The lengths of the segments of bands, without a gradient.
///
/// ```text
/// ℓ_i = ‖z_{i+1} − z_i‖₂,  i = 0 … N − 2
/// ```
///
/// On a CPU in f32 or f64 one pass, elsewhere [`band_lengths_composite`].
///
/// - **Shapes**: `path` (B, N, D), N at least 2; the result (B, N − 1).
/// - **Range**: ≥ 0, in the unit of the points.
/// - **Source**: the definition.
///
/// # Errors
/// No (B, N, D) with N ≥ 2, or numbers that are not floating-point.
pub fn band_lengths(path: &Tensor) -> crate::Result<Tensor> {
    if !is_fused(path) {
        return band_lengths_composite(path);
    }
    dims(OPERATION.name(), path)?;
    Ok([path].apply_detached(Lengths)?)
}

/// The lengths of [`band_lengths`] in plain candle operations, on every device.
///
/// # Errors
/// As [`band_lengths`].
pub fn band_lengths_composite(path: &Tensor) -> crate::Result<Tensor> {
    let (_, points, _) = dims(OPERATION.name(), path)?;
    let (dtype, path) = (path.dtype(), widened("path", &path.detach())?);
    let segments = (path.narrow(1, 1, points - 1)? - path.narrow(1, 0, points - 1)?)?;
    Ok(row_norms_composite(&segments)?.to_dtype(dtype)?)
}

const OPERATION: Operation = Operation::BandLengths;

struct Lengths;

impl Kernel<1> for Lengths {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [path]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (bands, points, width) = path.layout.shape().dims3()?;
        let arch = arch()?;
        let segments = points - 1;
        let length = |at: usize| {
            let start = (at / segments * points + at % segments) * width;
            let (from, to) = path.numbers[start..][..2 * width].split_at(width);
            let [square] = vectorised!(arch, {
                sums(
                    [from, to],
                    #[inline(always)]
                    |[from, to]| {
                        let step = to - from;
                        [step * step]
                    },
                )
            });
            T::from_f64(square.sqrt())
        };
        let lengths = (0..bands * segments).into_par_iter().map(length).collect();
        Ok((lengths, Shape::from((bands, segments))))
    }
}
