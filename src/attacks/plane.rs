//! Projections onto a plane inside a box: the steps of FAB.

use super::goal::Norm;
use super::rows::Pixel;
use crate::checks::Bounds;
use crate::error::{Error, Result};
use crate::ops::{self, vectorised};

/// The point of a plane that is nearest to `x` inside the bounds.
///
/// ```text
/// argmin ‖x' − x‖  over  w·x' = b,  min ≤ x' ≤ max
///
/// x'_i = x_i − s · sign(w_i) · min(λ v_i, r_i)        s = sign(w·x − b)
/// L∞: v_i = 1,   L2: v_i = |w_i|                      r_i: the way from x_i to its bound
/// λ ≥ 0 solves  Σ_i |w_i| min(λ v_i, r_i) = |w·x − b|
/// ```
///
/// The left side is a rising concave function of λ, linear between the points r_i / v_i, so that
/// Newton's method from λ = 0 ends at the solution itself after a few steps; the paper sorts those
/// points. Where the plane does not meet the box, every pixel goes to its bound: the corner nearest
/// to the plane. A pixel with w_i = 0 stays. In L∞ there may be other points as near.
///
/// - **Shapes**: `x` and `w` (d,); so is the result.
/// - **Range**: x inside the bounds; the result too, up to rounding.
/// - **Source**: Croce & Hein 2020 (arXiv 1907.02044), equations 4 to 6.
///
/// # Errors
/// Lists of different lengths, numbers that are not finite, x outside the bounds, or bounds that are
/// not finite with min < max.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let nearest = attacks::onto_plane(Norm::L2, &[0.5, 0.5], &[3., 4.], 5., None)?;
/// assert!((nearest[0] - 0.68).abs() < 1e-12 && (nearest[1] - 0.74).abs() < 1e-12);
/// // The second pixel stops at 1, and the first goes the rest of the way.
/// let unit = Some(Bounds::default());
/// let nearest = attacks::onto_plane(Norm::LInf, &[0.5, 0.9], &[1., 1.], 1.9, unit)?;
/// assert!((nearest[0] - 0.9).abs() < 1e-12 && nearest[1] == 1.);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn onto_plane(
    norm: Norm,
    x: &[f64],
    w: &[f64],
    b: f64,
    bounds: Option<Bounds>,
) -> Result<Vec<f64>> {
    if x.len() != w.len() {
        let expected = format!("({},), a number for each of x", x.len());
        return Err(Error::shape("onto_plane", "w", expected, &[w.len()]));
    }
    for (name, numbers) in [("x", x), ("w", w), ("b", &[b])] {
        if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
            return Err(Error::argument(name, "finite numbers", number));
        }
    }
    let limits = match bounds {
        Some(bounds) => {
            bounds.validate()?;
            [bounds.min, bounds.max]
        }
        None => [f64::NEG_INFINITY, f64::INFINITY],
    };
    if let Some(outside) = x.iter().find(|x| **x < limits[0] || **x > limits[1]) {
        let expected = format!("inside the bounds [{}, {}]", limits[0], limits[1]);
        return Err(Error::argument("x", expected, outside));
    }
    let excess = w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() - b;
    let mut plane = Plane::new(norm, limits, x.len())?;
    let mut moved = x.to_vec();
    plane.project(x, w, excess, &mut moved);
    Ok(moved)
}

/// The number of sums that are formed side by side, so that they fill a vector.
const LANES: usize = 16;

/// Projections of images of one size, with the memory that they take.
pub(super) struct Plane<T> {
    pub norm: Norm,
    pub limits: [T; 2],
    /// |w_i|.
    weight: Vec<f64>,
    /// The way from x_i to its bound.
    room: Vec<f64>,
    arch: pulp::Arch,
}

impl<T: Pixel> Plane<T> {
    /// `limits`: the smallest and largest value of a pixel, perhaps ∓∞.
    pub fn new(norm: Norm, limits: [T; 2], pixels: usize) -> Result<Self> {
        // Filled up to whole vectors by pixels of weight 0.
        let padded = pixels.next_multiple_of(LANES);
        Ok(Self {
            norm,
            limits,
            weight: vec![0.; padded],
            room: vec![0.; padded],
            arch: ops::arch()?,
        })
    }

    /// Writes the projection of `x` onto w·x' = w·x − `excess` into `moved`.
    pub fn project(&mut self, x: &[T], w: &[T], excess: f64, moved: &mut [T]) {
        let (arch, norm) = (self.arch, self.norm);
        vectorised!(arch, {
            let down = excess >= 0.;
            let [lowest, highest] = self.limits.map(T::to_f64);
            let numbers = x.iter().zip(w);
            let places = self.weight.iter_mut().zip(&mut self.room);
            for ((weight, room), (x, w)) in places.zip(numbers) {
                let (x, w) = (x.to_f64(), w.to_f64());
                *weight = w.abs();
                *room = if (w > 0.) == down {
                    x - lowest
                } else {
                    highest - x
                };
            }
            let level = match norm {
                Norm::LInf => level(&self.weight, &self.room, excess.abs(), |_| 1.),
                Norm::L2 => level(&self.weight, &self.room, excess.abs(), |weight| weight),
            };
            let ways = self.weight.iter().zip(&self.room);
            let numbers = moved.iter_mut().zip(x).zip(w);
            for ((weight, room), ((moved, x), w)) in ways.zip(numbers) {
                let speed = if norm == Norm::L2 { *weight } else { 1. };
                let way = level * speed;
                let way = if way < *room { way } else { *room };
                let sign = if (w.to_f64() > 0.) == down { -1. } else { 1. };
                let next = x.to_f64() + sign * way;
                *moved = if *weight > 0. { T::from_f64(next) } else { *x };
            }
        });
    }
}

/// λ ≥ 0 with Σ |w_i| min(λ v_i, r_i) = `total`; ∞ where the sum is never so large, 0 where all
/// weights are 0.
#[inline(always)]
fn level(weight: &[f64], room: &[f64], total: f64, speed: impl Fn(f64) -> f64 + Copy) -> f64 {
    let (_, slope) = filled(weight, room, -1., speed);
    let mut level = total / slope;
    if !level.is_finite() {
        return 0.;
    }
    loop {
        let (filled, slope) = filled(weight, room, level, speed);
        if slope <= 0. {
            return f64::INFINITY;
        }
        let next = (total - filled) / slope;
        // The same pixels at their bounds give the same sums.
        if next <= level || !next.is_finite() {
            return level;
        }
        level = next;
    }
}

/// Σ |w_i| r_i over the pixels that reach their bound at this level, and Σ |w_i| v_i over the others.
#[inline(always)]
fn filled(
    weight: &[f64],
    room: &[f64],
    level: f64,
    speed: impl Fn(f64) -> f64 + Copy,
) -> (f64, f64) {
    let (mut filled, mut slope) = ([0f64; LANES], [0f64; LANES]);
    for (weight, room) in weight.chunks_exact(LANES).zip(room.chunks_exact(LANES)) {
        for lane in 0..LANES {
            let (weight, room) = (weight[lane], room[lane]);
            let full = room <= level * speed(weight);
            filled[lane] += if full { weight * room } else { 0. };
            slope[lane] += if full { 0. } else { weight * speed(weight) };
        }
    }
    (filled.iter().sum(), slope.iter().sum())
}
