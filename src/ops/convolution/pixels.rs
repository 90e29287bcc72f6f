//! Images with the channels of a pixel side by side.
//!
//! The kernels read and write such images: a vector holds channels, so that stride, padding and the
//! width of an image do not matter to it. Each image begins with one pixel of zeros, which stands
//! for what lies outside.

use candle_core::WithDType;
use pulp::Arch;

use super::geometry::Geometry;
use crate::ops::simd::Float;

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

    /// Lays one image, channel by channel in `planes`, into `image`, which has zeros in its first
    /// pixel and after the channels.
    #[inline(always)]
    pub fn lay<T: Copy>(&self, planes: &[T], image: &mut [T]) {
        transpose(
            planes,
            self.area,
            self.channels,
            &mut image[self.pitch()..],
            self.pitch(),
            self.area,
        );
    }

    /// The opposite of [`Pixels::lay`].
    #[inline(always)]
    pub fn put<T: Copy>(&self, image: &[T], planes: &mut [T]) {
        transpose(
            &image[self.pitch()..],
            self.pitch(),
            self.area,
            planes,
            self.area,
            self.channels,
        );
    }
}

impl Pixels {
    /// Makes the pixel of zeros before each image.
    #[inline(always)]
    pub(in crate::ops) fn zero_first<T: WithDType>(&self, images: &mut [T]) {
        for image in images.chunks_mut(self.image()) {
            image[..self.pitch()].fill(T::zero());
        }
    }

    /// [`Pixels::lay`] of images one after another, with the processor's vectors. There may be no
    /// pixels in them.
    pub(in crate::ops) fn lay_all<T: Float>(&self, arch: Arch, planes: &[T], images: &mut [T]) {
        arch.dispatch(
            #[inline(always)]
            || {
                let images = images.chunks_mut(self.image());
                for (planes, image) in planes.chunks(self.count().max(1)).zip(images) {
                    self.lay(planes, image);
                }
            },
        );
    }

    /// The opposite of [`Pixels::lay_all`].
    pub(in crate::ops) fn put_all<T: Float>(&self, arch: Arch, images: &[T], planes: &mut [T]) {
        arch.dispatch(
            #[inline(always)]
            || {
                let images = images.chunks(self.image());
                for (planes, image) in planes.chunks_mut(self.count().max(1)).zip(images) {
                    self.put(image, planes);
                }
            },
        );
    }
}

/// So many numbers, all zeros.
pub(super) fn zero<T: WithDType>(numbers: &mut Vec<T>, count: usize) {
    numbers.clear();
    numbers.resize(count, T::zero());
}

/// to\[j, i\] = from\[i, j\] for i below `rows` and j below `columns`; the rows of `from` are `pitch`
/// apart, those of `to` `to_pitch`.
#[inline(always)]
pub(super) fn transpose<T: Copy>(
    from: &[T],
    pitch: usize,
    rows: usize,
    to: &mut [T],
    to_pitch: usize,
    columns: usize,
) {
    // A square of the largest vector's numbers at a time: all its lines stay in the first cache.
    for column in (0..columns).step_by(LANES) {
        for row in (0..rows).step_by(LANES) {
            let (height, width) = (LANES.min(rows - row), LANES.min(columns - column));
            if height == LANES && width == LANES {
                let lines: [&[T; LANES]; LANES] = std::array::from_fn(|i| {
                    from[(row + i) * pitch + column..]
                        .first_chunk()
                        .unwrap_or_else(|| unreachable!("the block lies inside"))
                });
                for j in 0..LANES {
                    let to = &mut to[(column + j) * to_pitch + row..][..LANES];
                    for i in 0..LANES {
                        to[i] = lines[i][j];
                    }
                }
            } else {
                for j in 0..width {
                    let to = &mut to[(column + j) * to_pitch + row..][..height];
                    let from = from[row * pitch + column + j..].iter().step_by(pitch);
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}
