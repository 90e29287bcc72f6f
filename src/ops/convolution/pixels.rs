//! Images with the channels of a pixel side by side.
//!
//! The kernels read and write such images: a vector holds channels, so that stride, padding and the
//! width of an image do not matter to it. Each image begins with one pixel of zeros, which stands
//! for what lies outside.

use candle_core::WithDType;
use pulp::Arch;

use super::geometry::Geometry;
use crate::ops::simd::{Float, transpose};

/// Channels of the largest vector.
pub(in crate::ops) const LANES: usize = 16;

/// The sizes of an image with its channels side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    /// Pixels, without that of zeros.
    pub area: usize,
    pub channels: usize,
}

impl Pixels {
    /// The input's and the output's of a convolution.
    pub(in crate::ops) fn of(shape: &Geometry) -> [Self; 2] {
        let input = Self {
            area: shape.input_area(),
            channels: shape.groups * shape.inputs,
        };
        let output = Self {
            area: shape.output_area(),
            channels: shape.groups * shape.outputs,
        };
        [input, output]
    }

    /// From one pixel to the next: whole vectors, the last one filled up with zeros.
    pub fn pitch(&self) -> usize {
        self.channels.next_multiple_of(LANES)
    }

    /// Numbers of an image channel by channel.
    pub fn count(&self) -> usize {
        self.area * self.channels
    }

    /// Numbers of an image with its channels side by side.
    pub fn image(&self) -> usize {
        (self.area + 1) * self.pitch()
    }

    /// Where in its image a pixel begins.
    pub fn start(&self, pixel: usize) -> usize {
        (pixel + 1) * self.pitch()
    }

    /// One number for each channel, filled up with zeros.
    pub fn padded<T: WithDType>(&self, numbers: &[T]) -> Vec<T> {
        let mut padded = numbers.to_vec();
        padded.resize(self.pitch(), T::zero());
        padded
    }

    /// Makes the pixel of zeros before each image.
    #[inline(always)]
    pub(in crate::ops) fn zero_first<T: WithDType>(&self, images: &mut [T]) {
        for image in images.chunks_mut(self.image()) {
            image[..self.pitch()].fill(T::zero());
        }
    }

    /// Lays images, channel by channel in `planes`, into `images`, which have zeros in their first pixels.
    /// What is after the channels stays. There may be no pixels in them.
    pub(in crate::ops) fn lay<T: Float>(&self, arch: Arch, planes: &[T], images: &mut [T]) {
        let images = images.chunks_mut(self.image());
        for (planes, image) in planes.chunks(self.count().max(1)).zip(images) {
            let to = (&mut image[self.pitch()..], self.pitch());
            transpose(arch, (planes, self.area), to, [self.channels, self.area]);
        }
    }

    /// The opposite of [`Pixels::lay`].
    pub(in crate::ops) fn put<T: Float>(&self, arch: Arch, images: &[T], planes: &mut [T]) {
        let images = images.chunks(self.image());
        for (planes, image) in planes.chunks_mut(self.count().max(1)).zip(images) {
            let from = (&image[self.pitch()..], self.pitch());
            transpose(arch, from, (planes, self.area), [self.area, self.channels]);
        }
    }
}

/// So many numbers, all zeros.
pub(super) fn zero<T: WithDType>(numbers: &mut Vec<T>, count: usize) {
    numbers.clear();
    numbers.resize(count, T::zero());
}
