//! Helpers of the generated sets of points.

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
use crate::rng::Rng;

/// The points with normal noise of standard deviation `noise` on every coordinate: (N, 3) of f32.
pub(super) fn with_noise(
    points: impl Iterator<Item = [f64; 3]>,
    noise: f64,
    mut rng: Rng,
) -> Result<Tensor> {
    let points: Vec<f64> = points.flatten().collect();
    let points = Tensor::from_vec(points.clone(), (points.len() / 3, 3), &Device::Cpu)?;
    let noise = rng.normal(points.shape(), 0., noise, DType::F64, &Device::Cpu)?;
    Ok((points + noise)?.to_dtype(DType::F32)?)
}
