//! Regions of classifiers on the plane whose pieces are known, against SciPy, and bad input.

mod bands;
mod counts;
mod extend;
mod pairs;
mod pieces;
mod refusals;
mod scipy;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Network, Representation};
use isopath::paths::{Regions, RegionsParams, regions};

use crate::common::{CPU, values};

/// A classifier of the plane with the logits [margin, 0], so that class 0 is where the margin is
/// positive. It counts the points that it is asked.
#[derive(Clone)]
pub struct Plane {
    margin: fn([f64; 2]) -> f64,
    asked: Arc<AtomicUsize>,
}

impl Plane {
    pub fn new(margin: fn([f64; 2]) -> f64) -> Self {
        let asked = Arc::default();
        Self { margin, asked }
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Network for Plane {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        self.asked.fetch_add(x.dim(0)?, Ordering::Relaxed);
        let logits = values(x);
        let logits = logits
            .chunks(2)
            .flat_map(|z| [(self.margin)([z[0], z[1]]), 0.]);
        Ok(Tensor::from_vec(logits.collect(), (x.dim(0)?, 2), CPU)?.to_dtype(x.dtype())?)
    }
}

/// Points of the plane, (N, 2) of f64.
pub fn plane(points: &[[f64; 2]]) -> Tensor {
    Tensor::from_vec(points.concat(), (points.len(), 2), CPU).unwrap()
}

/// The regions of class 0.
pub fn found(network: &dyn Network, points: &Tensor, params: &RegionsParams) -> Result<Regions> {
    regions(network, Representation::Input, points, 0, params)
}

/// A ring of radius 1 and width 0.6.
pub fn ring([x, y]: [f64; 2]) -> f64 {
    0.3 - (x.hypot(y) - 1.).abs()
}

/// So many points of the ring's middle, the next always some way round.
pub fn on_ring(count: usize) -> Vec<[f64; 2]> {
    let angle = |point: usize| (point as f64 * 2.4).sin_cos();
    (0..count).map(|point| angle(point).into()).collect()
}

/// The cells of a checkerboard, drawn in a little: class 0 has a cell of every two.
pub fn checkerboard([x, y]: [f64; 2]) -> f64 {
    use std::f64::consts::PI;
    (PI * x).sin() * (PI * y).sin() - 0.2
}

/// So many points in each of the eight cells of class 0 in a square of sixteen; a cell's points lie
/// one behind the other.
pub fn on_checkerboard(each: usize) -> Vec<[f64; 2]> {
    let of_cell = |cell: usize| {
        let (row, column) = (cell / 2, 2 * (cell % 2) + cell / 2 % 2);
        (0..each).map(move |point| {
            let (sin, cos) = (point as f64 * 2.4).sin_cos();
            [
                column as f64 + 0.5 + 0.2 * sin,
                row as f64 + 0.5 + 0.2 * cos,
            ]
        })
    };
    (0..8).flat_map(of_cell).collect()
}

/// The distance to the upper half of a circle around (x, y).
fn from_arc([x, y]: [f64; 2]) -> f64 {
    if y >= 0. {
        (x.hypot(y) - 1.).abs()
    } else {
        (x.abs() - 1.).hypot(y)
    }
}

/// Two half circles that reach into each other, as scikit-learn's `make_moons`: nowhere nearer than
/// 0.5, and class 0 lies within 0.15 of them.
pub fn moons([x, y]: [f64; 2]) -> f64 {
    0.15 - from_arc([x, y]).min(from_arc([1. - x, 0.5 - y]))
}

/// So many points of each moon, those of both in turn.
pub fn on_moons(each: usize) -> Vec<[f64; 2]> {
    let points = |point: usize| {
        let (y, x) = (point as f64 / (each - 1) as f64 * std::f64::consts::PI).sin_cos();
        [[x, y], [1. - x, 0.5 - y]]
    };
    (0..each).flat_map(points).collect()
}

/// In f32, as images are.
pub fn f32s(points: &Tensor) -> Tensor {
    points.to_dtype(DType::F32).unwrap()
}
