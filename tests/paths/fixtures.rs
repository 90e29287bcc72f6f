//! Stored values and energies to walk on.

use isopath::candle::{DType, Tensor};
use isopath::paths::{Energy, EnergyValues, NebParams, Optimizer, SgdParams};
use isopath::{Error, Result};
use serde::Deserialize;

use crate::common::{CPU, values};

/// `tests/fixtures/neb_ase.py`.
#[derive(Deserialize)]
pub struct Ase {
    pub stationary: std::collections::HashMap<String, Vec<Stationary>>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Stationary {
    pub at: [f64; 2],
    pub energy: f64,
}

#[derive(Deserialize)]
pub struct Case {
    pub surface: String,
    pub path: Vec<[f64; 2]>,
    pub k: f64,
    pub climb: bool,
    pub energies: Vec<f64>,
    pub gradients: Vec<[f64; 2]>,
    pub forces: Vec<[f64; 2]>,
    pub after_40_fire_steps: Vec<[f64; 2]>,
}

pub fn ase() -> Ase {
    serde_json::from_str(include_str!("../fixtures/neb_ase.json")).unwrap()
}

/// `tests/fixtures/neb_torch.py`.
#[derive(Deserialize)]
pub struct Torch {
    /// Weight (out, in) and bias of each layer: 6, 12, 8, 3.
    pub weights: Vec<(Vec<f64>, Vec<f64>)>,
    pub points: Vec<f64>,
    pub energies: Vec<f64>,
    pub gradients: Vec<f64>,
    pub hidden: Vec<f64>,
    pub tail_energies: Vec<f64>,
    pub tail_gradients: Vec<f64>,
    pub starts: Vec<f64>,
    pub ends: Vec<f64>,
    pub targets: Vec<u32>,
    pub relaxed: std::collections::HashMap<String, Vec<f64>>,
}

pub fn torch() -> Torch {
    serde_json::from_str(include_str!("../fixtures/neb_torch.json")).unwrap()
}

/// Points of the plane, (1, N, 2) in f64.
pub fn path(points: &[[f64; 2]]) -> Result<Tensor> {
    Ok(Tensor::from_vec(
        points.concat(),
        (1, points.len(), 2),
        CPU,
    )?)
}

/// (B, 2) in f64.
pub fn points(points: &[[f64; 2]]) -> Result<Tensor> {
    Ok(Tensor::from_vec(points.concat(), (points.len(), 2), CPU)?)
}

/// Energy, gradient and margin of a point of the plane, by pair.
pub struct Plane<F>(pub F);

impl<F: Fn(usize, [f64; 2]) -> (f64, [f64; 2], f64) + Send + Sync> Energy for Plane<F> {
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        Ok(self.values_and_gradients(points, bands)?.0)
    }

    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        if points.dims() != [bands.len(), 2] {
            return Err(Error::shape("plane", "points", "(P, 2)", points.dims()));
        }
        let (mut found, mut gradients) = (EnergyValues::default(), Vec::new());
        for (point, band) in values(points).chunks(2).zip(bands) {
            let (energy, gradient, margin) = self.0(*band, [point[0], point[1]]);
            found.energy.push(energy);
            found.margin.push(margin);
            gradients.extend(gradient);
        }
        let gradients =
            Tensor::from_vec(gradients, points.shape(), CPU)?.to_dtype(points.dtype())?;
        Ok((found, gradients))
    }
}

/// A hill exp(−(x² + y²)/2) beside the line y = `height`; a path must stay below `level`.
pub fn hill(level: f64) -> impl Energy {
    Plane(move |_, [x, y]: [f64; 2]| {
        let e = (-(x * x + y * y) / 2.).exp();
        (e, [-x * e, -y * e], level - e)
    })
}

/// Small steps of plain gradient descent.
pub fn descent(step_size: f64) -> Optimizer {
    Optimizer::Sgd(SgdParams::plain(step_size))
}

pub fn params() -> NebParams {
    NebParams {
        optimizer: descent(0.1),
        ..NebParams::default()
    }
}

/// The bits of every number.
pub fn bits(tensor: &Tensor) -> Vec<u64> {
    assert!(matches!(tensor.dtype(), DType::F32 | DType::F64));
    values(tensor).into_iter().map(f64::to_bits).collect()
}
