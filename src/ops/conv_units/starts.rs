//! The results of the first units, which are affine functions of the argument: between two arguments they
//! lie between their results.

use std::ops::Range;

use pulp::Arch;

use super::unit::ConvUnit;
use crate::ops::bands::Place;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::planes::{between, relu};
use crate::ops::simd::{Float, vectorised};

/// Which units are affine functions of the argument, but for a ReLU at their end, and where those that
/// others read lie in an image's row.
#[derive(Debug)]
pub(super) struct Starts {
    is_affine: Vec<bool>,
    offsets: Vec<Option<usize>>,
    /// Numbers of a row.
    pub width: usize,
}

impl Starts {
    /// None if another unit reads the argument itself. `pixels` gives the sizes of a unit's result.
    pub fn of(units: &[ConvUnit], pixels: impl Fn(usize) -> Pixels) -> Option<Self> {
        let mut is_affine: Vec<bool> = Vec::with_capacity(units.len());
        for unit in units {
            let is = |number: usize| match number.checked_sub(1) {
                None => true,
                Some(index) => is_affine[index] && !units[index].relu,
            };
            is_affine.push(is(unit.input) && unit.residual.is_none_or(is));
        }
        let reads = |number: usize| {
            let others = units.iter().zip(&is_affine).filter(|(_, affine)| !**affine);
            let mut others = others.map(|(unit, _)| unit);
            others.any(|unit| unit.input == number || unit.residual == Some(number))
        };
        if reads(0) {
            return None;
        }
        let mut width = 0;
        let mut offset = |index: usize| {
            let is_read = reads(index + 1) || index + 1 == units.len();
            (is_affine[index] && is_read).then(|| {
                let offset = width;
                width += pixels(index).image();
                offset
            })
        };
        let offsets = (0..units.len()).map(&mut offset).collect();
        Some(Self {
            is_affine,
            offsets,
            width,
        })
    }

    pub fn is_affine(&self, index: usize) -> bool {
        self.is_affine[index]
    }

    /// Keeps the result of a unit for images of so many numbers, if others read it.
    pub fn put<T: Float>(&self, index: usize, (result, image): (&[T], usize), rows: &mut [T]) {
        let Some(offset) = self.offsets[index] else {
            return;
        };
        for (row, result) in rows.chunks_mut(self.width).zip(result.chunks(image)) {
            row[offset..][..image].copy_from_slice(result);
        }
    }
}

/// Images between others.
#[derive(Clone, Copy)]
pub(super) struct Between<'a, T> {
    pub starts: &'a Starts,
    /// What is known of the others, a row each.
    pub rows: &'a [T],
    pub places: &'a [Place],
}

impl<T: Float> Between<'_, T> {
    /// Some of the images.
    pub fn of(&self, images: Range<usize>) -> Self {
        Self {
            places: &self.places[images],
            ..*self
        }
    }

    /// The result of an affine unit, if others read it, with or without its ReLU.
    pub fn fill(&self, arch: Arch, index: usize, has_relu: bool, result: &mut [T]) {
        let Some(offset) = self.starts.offsets[index] else {
            return;
        };
        let image = result.len() / self.places.len();
        for (&(ends, t), result) in self.places.iter().zip(result.chunks_mut(image)) {
            let ends = ends.map(|row| &self.rows[row * self.starts.width + offset..][..image]);
            between(arch, ends, t, result);
            if has_relu {
                vectorised!(arch, relu(result));
            }
        }
    }
}
