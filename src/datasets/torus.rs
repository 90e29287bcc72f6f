//! A torus cut into cylinders, at several resolutions.

use std::f64::consts::TAU;

use candle_core::{Device, Tensor};

use crate::checks::{not_negative, positive};
use crate::datasets::Dataset;
use crate::datasets::points::with_noise;
use crate::device;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The parameters of [`torus`].
#[derive(Clone, Debug, PartialEq)]
pub struct TorusParams {
    /// The number of points around the central axis, the steps of u; 40 by default.
    pub toroidal: usize,
    /// The number of points around the tube, the steps of v; 40 by default.
    pub poloidal: usize,
    /// The radius R from the centre of the torus to that of the tube; 1 by default.
    pub major_radius: f64,
    /// The radius r of the tube, in (0, R); 0.4 by default.
    pub minor_radius: f64,
    /// The standard deviation ≥ 0 of the normal noise on every coordinate; 0.001 by default.
    pub noise: f64,
    /// The number of regions at each resolution, coarse to fine: each a multiple of the one before,
    /// and a divisor of `toroidal`; 2, 4 and 8 by default.
    pub regions: Vec<usize>,
    /// The seed of the noise; 0 by default.
    pub seed: u64,
}

impl Default for TorusParams {
    fn default() -> Self {
        Self {
            toroidal: 40,
            poloidal: 40,
            major_radius: 1.,
            minor_radius: 0.4,
            noise: 0.001,
            regions: vec![2, 4, 8],
            seed: 0,
        }
    }
}

impl TorusParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// No points; radii that are not finite and positive, or a tube as wide as the torus; noise
    /// negative or not finite; no resolution, one of fewer than two regions, or regions that do not
    /// nest or do not divide the torus evenly.
    pub fn validate(&self) -> Result<()> {
        for (name, steps) in [("toroidal", self.toroidal), ("poloidal", self.poloidal)] {
            if steps == 0 {
                return Err(Error::argument(name, "at least 1", steps));
            }
        }
        positive("major_radius", self.major_radius)?;
        positive("minor_radius", self.minor_radius)?;
        if self.minor_radius >= self.major_radius {
            let expected = format!("below {}, the major radius", self.major_radius);
            return Err(Error::argument("minor_radius", expected, self.minor_radius));
        }
        not_negative("noise", self.noise)?;
        let Some(coarsest) = self.regions.first() else {
            return Err(Error::argument(
                "regions",
                "at least one resolution",
                "empty",
            ));
        };
        if *coarsest < 2 {
            return Err(Error::argument(
                "regions",
                "at least 2 at every resolution",
                coarsest,
            ));
        }
        // What follows the finest are the points themselves.
        for (coarse, fine) in self
            .regions
            .iter()
            .zip(self.regions.iter().skip(1).chain([&self.toroidal]))
        {
            if *fine == 0 || fine % coarse != 0 {
                let expected = format!(
                    "numbers of which each divides the next, and the last divides toroidal = {}",
                    self.toroidal
                );
                return Err(Error::argument(
                    "regions",
                    expected,
                    format!("{:?}", self.regions),
                ));
            }
        }
        Ok(())
    }
}

/// The points of a torus and the regions they lie in, on the CPU.
#[derive(Clone, Debug)]
pub struct Torus {
    /// The points, (N, 3) of f32.
    pub points: Tensor,
    /// The region of each point, (N,) of u32 for each resolution, coarse to fine.
    pub labels: Vec<Tensor>,
    /// The circle around the tube, of one u, that each point lies on: (N,) of u32. A region holds
    /// whole circles.
    pub circles: Tensor,
}

impl Torus {
    /// The points with the regions of each resolution as classes, coarse to fine, on
    /// [`device::best`].
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn levels(&self) -> Result<Vec<Dataset>> {
        let level = |labels: &Tensor| {
            Dataset::new(self.points.clone(), labels.clone())?.to_device(&device::best())
        };
        self.labels.iter().map(level).collect()
    }
}

/// Points on a torus around the z axis, cut into cylindrical regions, coarsely and finely.
///
/// ```text
/// ((R + r cos v) cos u, (R + r cos v) sin u, r sin v) + ν,  ν ~ N(0, σ²) for every coordinate
/// region j of k holds 2πj/k ≤ u < 2π(j + 1)/k
/// ```
///
/// u and v run over a regular grid of `toroidal` × `poloidal` points, u slowest. The *isometry*
/// paper says "1600 points from the standard three-dimensional parametrization": that is a grid of
/// 40 × 40, and on a grid every region holds equally many points at every resolution, while points
/// drawn from U(0, 2π)² would only do so on average (200 ± 13 in each of eight regions). The grid
/// leaves out 2π, which is the same point as 0. The paper's noise N(0, 0.001) is read as a standard
/// deviation of 0.001, as PyTorch and NumPy take it; radii and numbers of regions are not given.
///
/// - **Shapes**: points (N, 3) of f32, N = `toroidal` · `poloidal`; labels (N,) of u32 for each
///   resolution.
/// - **Range**: without noise from −(R + r) to R + r along x and y, from −r to r along z; labels
///   from 0 to k − 1.
/// - **Source**: *isometry*, section 3.4.
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
/// let grid = TorusParams { toroidal: 8, poloidal: 4, regions: vec![2, 4], ..Default::default() };
/// let torus = datasets::torus(&grid)?;
/// assert_eq!(torus.points.dims(), [32, 3]);
/// assert_eq!(torus.levels()?[1].of_class("3")?.len(), 8);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn torus(params: &TorusParams) -> Result<Torus> {
    params.validate()?;
    let TorusParams {
        toroidal,
        poloidal,
        major_radius,
        minor_radius,
        noise,
        regions,
        seed,
    } = params;
    let angle = |step: usize, steps: usize| TAU * step as f64 / steps as f64;
    let grid = (0..*toroidal).flat_map(|along| (0..*poloidal).map(move |around| (along, around)));
    let points = grid.map(|(along, around)| {
        let (u, v) = (angle(along, *toroidal), angle(around, *poloidal));
        let from_axis = major_radius + minor_radius * v.cos();
        [
            from_axis * u.cos(),
            from_axis * u.sin(),
            minor_radius * v.sin(),
        ]
    });
    let points = with_noise(points, *noise, Rng::new(*seed).stream("torus"))?;
    let n = toroidal * poloidal;
    let labels = |regions: &usize| {
        let region = |point: usize| (point / poloidal * regions / toroidal) as u32;
        Ok(Tensor::from_iter((0..n).map(region), &Device::Cpu)?)
    };
    let labels = regions.iter().map(labels).collect::<Result<_>>()?;
    let circles = Tensor::from_iter((0..n).map(|point| (point / poloidal) as u32), &Device::Cpu)?;
    Ok(Torus {
        points,
        labels,
        circles,
    })
}
