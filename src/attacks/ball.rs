//! The ball around each image of a batch, intersected with the bounds of the pixels: start, step,
//! projection.

use candle_core::{DType, Tensor};

use super::goal::Norm;
use crate::checks::Bounds;
use crate::error::Result;
use crate::ops;
use crate::rng::Rng;

/// The floor under ‖g‖₂ and ‖δ‖₂, foolbox's: keeps 0 at 0, and its square is far above the smallest
/// f32.
const SMALLEST_NORM: f64 = 1e-12;

/// All images that an attack on a batch may return.
pub(super) struct Ball {
    norm: Norm,
    eps: f64,
    centre: Tensor,
    /// The smallest and largest value of every pixel. L∞: of ball and bounds together, so that
    /// projecting and clipping is one clamp; L2: the bounds alone.
    limits: Option<(Tensor, Tensor)>,
}

impl Ball {
    /// `centre`: (N, …) inside the bounds, contiguous.
    pub fn new(norm: Norm, centre: &Tensor, eps: f64, bounds: Option<Bounds>) -> Result<Self> {
        let limits = match (norm, bounds) {
            (Norm::LInf, None) => Some(((centre - eps)?, (centre + eps)?)),
            (Norm::LInf, Some(Bounds { min, max })) => {
                Some(((centre - eps)?.maximum(min)?, (centre + eps)?.minimum(max)?))
            }
            (Norm::L2, None) => None,
            (Norm::L2, Some(Bounds { min, max })) => {
                let full = |value: f64| {
                    Tensor::full(value, centre.shape(), centre.device())?.to_dtype(centre.dtype())
                };
                Some((full(min)?, full(max)?))
            }
        };
        Ok(Self {
            norm,
            eps,
            centre: centre.clone(),
            limits,
        })
    }

    /// `unit` (from [`unit_noise`]) scaled to this ball.
    pub fn start(&self, unit: &Tensor) -> Result<Tensor> {
        self.project(&(&self.centre + (unit * self.eps)?)?)
    }

    /// x + α · normalise(gradient), back in the ball and the bounds. A negative α descends.
    pub fn step(&self, x: &Tensor, gradient: &Tensor, alpha: f64) -> Result<Tensor> {
        let step = match self.norm {
            Norm::LInf => (gradient.sign()? * alpha)?,
            Norm::L2 => {
                let scale = (row_norms(gradient)?.maximum(SMALLEST_NORM)?.recip()? * alpha)?;
                scale_rows(gradient, &scale)?
            }
        };
        self.project(&(x + step)?)
    }

    fn project(&self, x: &Tensor) -> Result<Tensor> {
        let inside = match self.norm {
            Norm::LInf => x.clone(), // the limits are the ball
            Norm::L2 => {
                let delta = (x - &self.centre)?;
                let scale = (row_norms(&delta)?.maximum(SMALLEST_NORM)?.recip()? * self.eps)?
                    .minimum(1.)?;
                (&self.centre + scale_rows(&delta, &scale)?)?
            }
        };
        Ok(match &self.limits {
            Some((lower, upper)) => inside.maximum(lower)?.minimum(upper)?,
            None => inside,
        })
    }
}

/// A point drawn uniformly from the unit ball of `norm` for each row of `like`, and of its shape.
///
/// L2: the first d coordinates of a point uniform on the sphere in d + 2 dimensions (Voelker et al.
/// 2017), as foolbox.
pub(super) fn unit_noise(norm: Norm, like: &Tensor, rng: &mut Rng) -> Result<Tensor> {
    let flat = like.flatten_from(1)?;
    let (rows, columns) = flat.dims2()?;
    let noise = match norm {
        Norm::LInf => rng.uniform((rows, columns), -1., 1., like.dtype(), like.device())?,
        Norm::L2 => {
            let normal = rng.normal((rows, columns + 2), 0., 1., DType::F64, like.device())?;
            normal
                .broadcast_div(&row_norms(&normal)?)?
                .narrow(1, 0, columns)?
                .to_dtype(like.dtype())?
        }
    };
    Ok(noise.reshape(like.shape())?)
}

/// ‖a − b‖ of each row, in f64.
pub(super) fn distances(norm: Norm, a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    let delta = (a.to_dtype(DType::F64)? - b.to_dtype(DType::F64)?)?.flatten_from(1)?;
    let distances = match norm {
        Norm::LInf => delta.abs()?.max(1)?,
        Norm::L2 => row_norms(&delta)?.squeeze(1)?,
    };
    Ok(distances.to_vec1()?)
}

/// ‖row‖₂ of (N, …), as (N, 1); of half-precision numbers in f32, since f16 holds neither the squares
/// of small ones nor the floor under the norm.
pub(super) fn row_norms(x: &Tensor) -> Result<Tensor> {
    let x = match x.dtype() {
        DType::F16 | DType::BF16 => &x.to_dtype(DType::F32)?,
        _ => x,
    };
    Ok(ops::row_norms(&x.flatten_from(1)?)?.unsqueeze(1)?)
}

/// Each row of (N, …) times its number in (N, 1), computed in the type of the numbers.
fn scale_rows(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(1)?
        .to_dtype(scale.dtype())?
        .broadcast_mul(scale)?
        .to_dtype(x.dtype())?
        .reshape(x.shape())?)
}
