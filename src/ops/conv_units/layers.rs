//! What the units of a network in training leave for their gradients.

use std::ops::Range;

use pulp::Arch;

use super::workspace::{Room, Workspace};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::normalisation::kernels::Moments;
use crate::ops::normalisation::pixels::{Affine, Normalise};
use crate::ops::simd::Float;

/// A unit's result, or the argument of all units, for all images.
pub(super) struct Layer<T> {
    pub pixels: Pixels,
    pub relu: bool,
    /// What the convolution gives, with what normalises it; none with a bias.
    pub convolved: Option<(Room<T>, Affine<T>)>,
    pub moments: Vec<Moments>,
    /// The result itself. It is not kept where it is nothing but the convolution's, normalised: to
    /// compute it again is faster than to read it.
    pub result: Option<Room<T>>,
}

impl<T: Float> Layer<T> {
    /// The numbers of some images.
    pub fn images(&self, images: &Range<usize>) -> Range<usize> {
        images.start * self.pixels.image()..images.end * self.pixels.image()
    }

    /// The result for some images, perhaps in `scratch`.
    pub fn read<'a>(
        &'a self,
        arch: Arch,
        images: &Range<usize>,
        scratch: &'a mut Vec<T>,
    ) -> &'a [T] {
        let numbers = self.images(images);
        match (&self.result, &self.convolved) {
            (Some(result), _) => &result[numbers],
            (None, Some((convolved, affine))) => {
                scratch.resize(numbers.len(), T::zero());
                arch.dispatch(Normalise {
                    pixels: self.pixels,
                    affine,
                    z: &convolved[numbers],
                    residual: None,
                    relu: self.relu,
                    y: scratch,
                });
                scratch
            }
            (None, None) => &[],
        }
    }

    /// Gives up the memory of what nobody will read.
    pub fn forget(&mut self, workspace: &Workspace) {
        let convolved = self.convolved.take().map(|(numbers, _)| numbers);
        for numbers in [convolved, self.result.take()].into_iter().flatten() {
            workspace.give(numbers);
        }
    }
}

/// The argument of all units and then their results.
pub(super) struct Layers<T: Float> {
    pub all: Vec<Layer<T>>,
    pub workspace: Workspace,
}

impl<T: Float> Drop for Layers<T> {
    fn drop(&mut self) {
        for layer in &mut self.all {
            layer.forget(&self.workspace);
        }
    }
}

impl<T: Float> Layers<T> {
    /// The statistics of each unit, none with a bias.
    pub fn moments(&self) -> impl Iterator<Item = &[Moments]> {
        self.all.iter().skip(1).map(|layer| &layer.moments[..])
    }
}
