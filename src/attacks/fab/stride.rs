//! One step of FAB.

use pulp::Arch;

use super::Fab;
use crate::attacks::plane::Plane;
use crate::attacks::rows::{Pixel, distance};
use crate::error::Result;
use crate::ops::{self, vectorised};

/// The floor under the length of a step, the reference implementation's.
const FLOOR: f64 = 1e-8;

/// The steps of images of one size, with the memory that they take.
pub(super) struct Stride<T> {
    plane: Plane<T>,
    /// The projection of x, and that of the image.
    near: Vec<T>,
    home: Vec<T>,
    alpha_max: f64,
    eta: f64,
    arch: Arch,
}

impl<T: Pixel> Stride<T> {
    pub fn new(fab: &Fab, pixels: usize) -> Result<Self> {
        let limits = fab.bounds.map(|bounds| [bounds.min, bounds.max]);
        let limits = limits.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        Ok(Self {
            plane: Plane::new(fab.norm, limits.map(T::from_f64), pixels)?,
            near: vec![T::zero(); pixels],
            home: vec![T::zero(); pixels],
            alpha_max: fab.alpha_max,
            eta: fab.eta,
            arch: ops::arch()?,
        })
    }

    /// Moves `x` towards the plane w·(x' − x) = −`excess`, and towards the point of it that is
    /// nearest to `image`.
    pub fn take(&mut self, x: &mut [T], image: &[T], w: &[T], excess: f64) {
        let terms = w.iter().zip(image.iter().zip(&*x));
        let way: f64 = terms
            .map(|(w, (image, x))| w.to_f64() * (image.to_f64() - x.to_f64()))
            .sum();
        self.plane.project(x, w, excess, &mut self.near);
        self.plane.project(image, w, excess + way, &mut self.home);
        let norm = self.plane.norm;
        let a = distance(norm, &self.near, x).max(FLOOR);
        let b = distance(norm, &self.home, image).max(FLOOR);
        let alpha = (a / (a + b)).min(self.alpha_max);
        let (eta, [lowest, highest]) = (self.eta, self.plane.limits.map(T::to_f64));
        vectorised!(self.arch, {
            let images = image.iter().zip(&self.home);
            for ((x, near), (image, home)) in x.iter_mut().zip(&self.near).zip(images) {
                let [from, near, image, home] = [*x, *near, *image, *home].map(T::to_f64);
                let there = (from + eta * (near - from)) * (1. - alpha);
                let next = there + (image + eta * (home - image)) * alpha;
                let next = if next < lowest { lowest } else { next };
                *x = T::from_f64(if next > highest { highest } else { next });
            }
        });
    }
}
