//! Two rings that are linked in three dimensions.

use std::f64::consts::TAU;

use candle_core::{DType, Device, Tensor};

use super::dataset::Dataset;
use super::points::with_noise;
use crate::checks::{not_negative, positive};
use crate::device;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The parameters of [`entangled_rings`]. The *isometry* paper gives none of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingsParams {
    /// The number of points of both rings together, at least 2; 1,000 by default.
    pub points: usize,
    /// The radii r₀ and r₁ > 0 of the rings, with r₁ < 2·r₀; 1 and 1 by default.
    pub radii: [f64; 2],
    /// The standard deviation ≥ 0 of the normal noise on every coordinate; 0.02 by default.
    pub noise: f64,
    /// The seed of the angles and the noise; 0 by default.
    pub seed: u64,
}

impl Default for RingsParams {
    fn default() -> Self {
        Self {
            points: 1_000,
            radii: [1., 1.],
            noise: 0.02,
            seed: 0,
        }
    }
}

impl RingsParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// Fewer points than rings; radii that are not finite and positive, or whose rings are not
    /// linked; noise negative or not finite.
    pub fn validate(&self) -> Result<()> {
        if self.points < 2 {
            return Err(Error::argument(
                "points",
                "at least 2, one a ring",
                self.points,
            ));
        }
        for (name, radius) in [("radii[0]", self.radii[0]), ("radii[1]", self.radii[1])] {
            positive(name, radius)?;
        }
        let [first, second] = self.radii;
        if second >= 2. * first {
            let expected = format!(
                "below {}, twice radii[0], for the rings to be linked",
                2. * first
            );
            return Err(Error::argument("radii[1]", expected, second));
        }
        not_negative("noise", self.noise)
    }
}

/// The points of two linked rings, on the CPU.
#[derive(Clone, Debug)]
pub struct Rings {
    /// The points, (N, 3) of f32: ring 0 first, then ring 1.
    pub points: Tensor,
    /// The ring of each point, (N,) of u32.
    pub labels: Tensor,
    /// The angle φ in [0, 2π) of each point along its ring.
    pub angles: Vec<f64>,
}

impl Rings {
    /// The points as labelled data on [`device::best`], with the classes `ring A` and `ring B`.
    ///
    /// # Errors
    /// The rings are yours, and there is not one label for each point.
    pub fn dataset(&self) -> Result<Dataset> {
        Dataset::new(self.points.clone(), self.labels.clone())?
            .with_classes(["ring A", "ring B"])?
            .to_device(&device::best())
    }
}

/// Points on two linked rings, which no motion in three dimensions can take apart; each ring is a
/// class.
///
/// ```text
/// ring 0: (r₀ cos φ, r₀ sin φ, 0) + ν        ring 1: (r₀ + r₁ cos φ, 0, r₁ sin φ) + ν
/// φ ~ U(0, 2π),  ν ~ N(0, σ²) for every coordinate
/// ```
///
/// Ring 1 passes through ring 0 at (r₀ − r₁, 0, 0) and returns outside, at (r₀ + r₁, 0, 0): their
/// linking number is ±1. Half of the points lie on each ring; of an odd number, ring 0 has one
/// more.
///
/// - **Shapes**: points (N, 3) of f32, labels (N,) of u32.
/// - **Range**: without noise from −r₀ to r₀ + r₁ along x; labels 0 and 1.
/// - **Source**: *isometry*, section 3.1, which describes the set and gives no numbers; these are
///   ours.
///
/// # Errors
///
/// A parameter out of its range.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let params = RingsParams { points: 5, noise: 0., ..RingsParams::default() };
/// let rings = datasets::entangled_rings(&params)?;
/// assert_eq!(rings.labels.to_vec1::<u32>()?, [0, 0, 0, 1, 1]);
/// let radius = rings.points.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>()?[0];
/// assert!((radius - 1.).abs() < 1e-6);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn entangled_rings(params: &RingsParams) -> Result<Rings> {
    params.validate()?;
    let RingsParams {
        points: n,
        radii: [first, second],
        noise,
        seed,
    } = *params;
    let rng = Rng::new(seed).stream("entangled rings");
    let labels: Vec<u32> = (0..n)
        .map(|point| u32::from(point >= n.div_ceil(2)))
        .collect();
    let angles = rng
        .stream("angles")
        .uniform(n, 0., TAU, DType::F64, &Device::Cpu)?
        .to_vec1::<f64>()?;
    let points = angles
        .iter()
        .zip(&labels)
        .map(|(angle, label)| match label {
            0 => [first * angle.cos(), first * angle.sin(), 0.],
            _ => [first + second * angle.cos(), 0., second * angle.sin()],
        });
    let points = with_noise(points, noise, rng.stream("noise"))?;
    Ok(Rings {
        points,
        labels: Tensor::from_vec(labels, n, &Device::Cpu)?,
        angles,
    })
}
