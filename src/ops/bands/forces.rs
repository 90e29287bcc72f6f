//! Nudged forces.

use candle_core::{D, Result, Shape, Tensor};
use rayon::prelude::*;

use super::norms::row_norms_composite;
use super::rows::{dims, sums};
use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::simd::{Float, arch, vectorised};

/// The factors in the force on a pivot, for [`band_forces`].
///
/// ```text
/// F = (along · (g · τ) + stretch · (‖z⁺ − z‖ − ‖z − z⁻‖)) τ − g
/// τ = (before · (z − z⁻) + after · (z⁺ − z)), divided by its length
/// ```
///
/// - **Shapes**: numbers.
/// - **Range**: any; not checked.
/// - **Source**: Henkelman & Jónsson 2000, equations 3, 4 and 8 to 12.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PivotForce {
    /// The weight of the segment before the pivot in its tangent.
    pub before: f64,
    /// The weight of the segment after the pivot in its tangent.
    pub after: f64,
    /// How much of the gradient along the tangent is taken away: 1, and 2 for a climbing image.
    pub along: f64,
    /// The spring constant k.
    pub stretch: f64,
}

/// The forces on the pivots of bands, without a gradient.
///
/// ```text
/// F = (along · (g · τ) + stretch · (‖z⁺ − z‖ − ‖z − z⁻‖)) τ − g
/// τ = (before · (z − z⁻) + after · (z⁺ − z)), divided by its length
/// ```
///
/// z⁻, z and z⁺ are a pivot and its neighbours, g the energy's gradient at z; a [`PivotForce`] has the
/// factors. Where z⁻ and z⁺ lie on z, τ is 0. On a CPU in f32 or f64 two passes, elsewhere
/// [`band_forces_composite`].
///
/// - **Shapes**: `path` (B, N, D), N at least 3; `gradients` (B, N − 2, D); B·(N − 2) `pivots`, band
///   by band; the result (B, N − 2, D).
/// - **Range**: any.
/// - **Source**: Henkelman & Jónsson 2000, equations 3, 4 and 8 to 12.
///
/// # Errors
/// Shapes that do not fit, or numbers that are not floating-point.
pub fn band_forces(
    path: &Tensor,
    gradients: &Tensor,
    pivots: &[PivotForce],
) -> crate::Result<Tensor> {
    if !is_fused(path) {
        return band_forces_composite(path, gradients, pivots);
    }
    check(path, gradients, pivots)?;
    Ok([path, gradients].apply_detached(Forces { pivots })?)
}

/// The forces of [`band_forces`] in plain candle operations, on every device.
///
/// # Errors
/// As [`band_forces`].
pub fn band_forces_composite(
    path: &Tensor,
    gradients: &Tensor,
    pivots: &[PivotForce],
) -> crate::Result<Tensor> {
    let (bands, count) = check(path, gradients, pivots)?;
    let dtype = path.dtype();
    let [path, gradients] =
        [("path", path), ("gradients", gradients)].map(|(name, x)| widened(name, &x.detach()));
    let (path, gradients) = (path?, gradients?);
    let factor = |of: fn(&PivotForce) -> f64| -> crate::Result<Tensor> {
        let factors: Vec<f64> = pivots.iter().map(of).collect();
        let factors = Tensor::from_vec(factors, (bands, count, 1), path.device())?;
        Ok(factors.to_dtype(path.dtype())?)
    };
    let segments = (path.narrow(1, 1, count + 1)? - path.narrow(1, 0, count + 1)?)?;
    let norms =
        |rows: &Tensor| -> crate::Result<Tensor> { Ok(row_norms_composite(rows)?.unsqueeze(2)?) };
    let lengths = norms(&segments)?;
    let tangents = (segments
        .narrow(1, 0, count)?
        .broadcast_mul(&factor(|pivot| pivot.before)?)?
        + segments
            .narrow(1, 1, count)?
            .broadcast_mul(&factor(|pivot| pivot.after)?)?)?;
    let tangents = tangents.broadcast_div(&norms(&tangents)?.maximum(SHORTEST)?)?;
    let along = (&gradients * &tangents)?.sum_keepdim(D::Minus1)?;
    let stretch = (lengths.narrow(1, 1, count)? - lengths.narrow(1, 0, count)?)?;
    let along =
        ((along * factor(|pivot| pivot.along)?)? + (stretch * factor(|pivot| pivot.stretch)?)?)?;
    Ok((tangents.broadcast_mul(&along)? - gradients)?.to_dtype(dtype)?)
}

/// Keeps a tangent of length 0 at 0, and is below every norm that f32 squares and sums.
const SHORTEST: f64 = 1e-30;

/// B and the pivots of a band.
fn check(
    path: &Tensor,
    gradients: &Tensor,
    pivots: &[PivotForce],
) -> crate::Result<(usize, usize)> {
    let (bands, points, width) = dims(OPERATION.name(), path)?;
    if points < 3 || gradients.dims() != [bands, points - 2, width] {
        return Err(Error::shape(
            OPERATION.name(),
            "gradients",
            "(B, P, D), a row for each pivot",
            gradients.dims(),
        ));
    }
    if pivots.len() != bands * (points - 2) {
        let expected = format!("{}, one for each pivot", bands * (points - 2));
        return Err(Error::argument("pivots", expected, pivots.len()));
    }
    Ok((bands, points - 2))
}

const OPERATION: Operation = Operation::BandForces;

struct Forces<'a> {
    pivots: &'a [PivotForce],
}

impl Kernel<2> for Forces<'_> {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(
        &self,
        [path, gradients]: [Argument<'_, T>; 2],
    ) -> Result<(Vec<T>, Shape)> {
        let (bands, points, width) = path.layout.shape().dims3()?;
        let arch = arch()?;
        let count = points - 2;
        let mut forces = vec![T::zero(); bands * count * width];
        forces
            .par_chunks_mut(width.max(1))
            .zip(gradients.numbers.par_chunks(width.max(1)))
            .zip(self.pivots)
            .enumerate()
            .for_each(|(at, ((force, gradient), pivot))| {
                let start = (at / count * points + at % count) * width;
                let (before, rest) = path.numbers[start..][..3 * width].split_at(width);
                let (own, after) = rest.split_at(width);
                vectorised!(arch, pivot.force([before, own, after, gradient], force));
            });
        Ok((forces, Shape::from((bands, count, width))))
    }
}

impl PivotForce {
    /// The force on a pivot: rows of the point before, its own, the point after, the gradient.
    #[inline(always)]
    fn force<T: Float>(&self, rows: [&[T]; 4], force: &mut [T]) {
        let weights = [T::from_f64(self.before), T::from_f64(self.after)];
        let [square, product, before, after] = sums(
            rows,
            #[inline(always)]
            |[before, own, after, gradient]| {
                let (down, up) = (own - before, after - own);
                let tangent = down * weights[0] + up * weights[1];
                [tangent * tangent, tangent * gradient, down * down, up * up]
            },
        );
        let length = square.sqrt().max(SHORTEST);
        let along = self.along * product / length + self.stretch * (after.sqrt() - before.sqrt());
        let factor = T::from_f64(along / length);
        let [before, own, after, gradient] = rows;
        let places = before.iter().zip(own).zip(after.iter().zip(gradient));
        for (force, ((before, own), (after, gradient))) in force.iter_mut().zip(places) {
            let tangent = (*own - *before) * weights[0] + (*after - *own) * weights[1];
            *force = tangent * factor - *gradient;
        }
    }
}
