//! The gradients of a convolution with respect to its weight and bias, on slices.
//!
//! Every sum is taken in one order, which depends on the shapes alone, so that the number of
//! threads changes no bit.

use std::ops::Range;

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::narrow::Narrow;
use super::outer::{Outer, Tap};
use super::panels::Lanes;
use super::pixels::{Pixels, zero};
use super::winograd::shape::serves;
use super::winograd::sums::TileSums;
use crate::ops::planes::add;
use crate::ops::simd::{Float, arch, transpose, vectorised};

/// Numbers of images that stay in the second cache.
const CACHED: usize = 262_144;
/// Numbers of all parts of a sum, and most parts.
const PARTS: [usize; 2] = [4_000_000, 16];

/// dL/dw of dL/dy.
pub(in crate::ops) fn weight_gradient<T: Float>(
    shape: Geometry,
    x: &[T],
    dy: &[T],
) -> Result<Vec<T>> {
    let arch = arch()?;
    let sums = Sums::new(&shape, arch);
    let numbers = sums.numbers();
    if numbers == 0 || dy.is_empty() || x.is_empty() {
        return Ok(vec![
            T::zero();
            shape.groups
                * shape.inputs
                * shape.outputs
                * shape.taps()
        ]);
    }
    let [input, output] = Pixels::of(&shape);
    let per_part = images_of_a_part(shape.images, numbers);
    let together = (CACHED / (input.image() + output.image())).clamp(1, per_part);
    let mut all = vec![T::zero(); shape.images.div_ceil(per_part) * numbers];
    let few = all.len() / numbers < rayon::current_num_threads();
    all.par_chunks_mut(numbers)
        .enumerate()
        .for_each_init(Vec::new, |scratch, (part, out)| {
            let end = shape.images.min((part + 1) * per_part);
            for first in (part * per_part..end).step_by(together) {
                let images = first..end.min(first + together);
                let (laid_x, laid_y) = lay(arch, [input, output], [x, dy], images.clone(), scratch);
                sums.add(laid_x, laid_y, images.len(), few, out);
            }
        });
    let (total, parts) = all.split_at_mut(numbers);
    for part in parts.chunks(numbers) {
        add(arch, total, part);
    }
    Ok(sums.weight(total))
}

/// Images whose sums of `numbers` numbers are a part: the parts are added up at the end, in order.
pub(in crate::ops) fn images_of_a_part(images: usize, numbers: usize) -> usize {
    images.div_ceil((PARTS[0] / numbers).clamp(2, PARTS[1]))
}

/// The images of both, their channels side by side.
fn lay<'a, T: Float>(
    arch: Arch,
    [input, output]: [Pixels; 2],
    [x, dy]: [&[T]; 2],
    images: Range<usize>,
    scratch: &'a mut Vec<T>,
) -> (&'a [T], &'a [T]) {
    let split = images.len() * input.image();
    // A group's last vector can be longer than what is left of the last pixel.
    let room = split + images.len() * output.image() + output.pitch();
    if scratch.len() != room {
        zero(scratch, room);
    }
    let (laid_x, laid_y) = scratch.split_at_mut(split);
    for (pixels, planes, laid) in [(input, x, &mut *laid_x), (output, dy, &mut *laid_y)] {
        let count = pixels.count();
        pixels.lay(
            arch,
            &planes[images.start * count..images.end * count],
            laid,
        );
    }
    (laid_x, laid_y)
}

/// How the gradient of a weight is summed.
pub(in crate::ops) struct Sums<T> {
    arch: Arch,
    narrow: Option<Narrow>,
    shape: Geometry,
    way: Way<T>,
    /// Channels of a group's output, filled up to whole vectors.
    width: usize,
}

enum Way<T> {
    /// Tap by tap: sums as (group, tap, input, width).
    Taps(Vec<Tap>),
    /// By Winograd's transforms: sums as (input, tap, width).
    Tiles(TileSums<T>),
}

impl<T: Float> Sums<T> {
    pub fn new(shape: &Geometry, arch: Arch) -> Self {
        let lanes = arch.dispatch(Lanes::<T>::new());
        let narrow = Narrow::of(shape);
        let shape = narrow.map_or(*shape, |narrow| narrow.wide());
        let width = shape.outputs.next_multiple_of(lanes);
        let way = if serves(&shape) {
            Way::Tiles(TileSums::new(&shape, width))
        } else {
            Way::Taps(Tap::all(&shape))
        };
        Self {
            arch,
            narrow,
            shape,
            way,
            width,
        }
    }

    /// Numbers of the sums.
    pub fn numbers(&self) -> usize {
        self.shape.groups * self.shape.taps() * self.shape.inputs * self.width
    }

    /// Adds those of some images; after `dy` come as many numbers as a pixel has.
    pub fn add(&self, x: &[T], dy: &[T], images: usize, parallel: bool, out: &mut [T]) {
        let [input, output] = Pixels::of(&self.shape);
        let mut spread;
        let x = match &self.narrow {
            Some(narrow) => {
                spread = vec![T::zero(); images * input.image()];
                let size = x.len() / images;
                for (x, spread) in x.chunks(size).zip(spread.chunks_mut(input.image())) {
                    narrow.spread(x, spread);
                }
                &spread[..]
            }
            None => x,
        };
        let taps = match &self.way {
            Way::Taps(taps) => taps,
            Way::Tiles(tiles) => {
                return tiles.add((self.arch, parallel), images, [x, dy], out);
            }
        };
        let run = |number: usize, out: &mut [T]| {
            let (group, tap) = (number / taps.len(), number % taps.len());
            for image in 0..images {
                self.arch.dispatch(Outer {
                    pairs: &taps[tap].pairs,
                    x: &x[image * input.image() + group * self.shape.inputs..],
                    dy: &dy[image * output.image() + group * self.shape.outputs..],
                    out,
                    width: self.width,
                });
            }
        };
        let size = self.shape.inputs * self.width;
        if parallel {
            out.par_chunks_mut(size)
                .enumerate()
                .for_each(|(number, out)| run(number, out));
        } else {
            out.chunks_mut(size)
                .enumerate()
                .for_each(|(number, out)| run(number, out));
        }
    }

    /// The sums in the order of a weight: (outputs, inputs, taps), outputs group by group.
    pub fn weight(&self, sums: &[T]) -> Vec<T> {
        let Geometry {
            groups,
            inputs,
            outputs,
            ..
        } = self.shape;
        let taps = self.shape.taps();
        let mut weight = vec![T::zero(); groups * outputs * inputs * taps];
        for (sums, weight) in sums
            .chunks(taps * inputs * self.width)
            .zip(weight.chunks_mut(outputs * inputs * taps))
        {
            let mut by_output = vec![T::zero(); outputs * taps * inputs];
            transpose(
                self.arch,
                (sums, self.width),
                (&mut by_output, taps * inputs),
                [taps * inputs, outputs],
            );
            if let Way::Tiles(_) = &self.way {
                weight.copy_from_slice(&by_output);
                continue;
            }
            weight
                .par_chunks_mut(inputs * taps)
                .zip(by_output.par_chunks(inputs * taps))
                .for_each(|(to, from)| {
                    transpose(self.arch, (from, inputs), (to, taps), [taps, inputs]);
                });
        }
        match &self.narrow {
            Some(narrow) => narrow.narrowed(&weight),
            None => weight,
        }
    }
}

/// The sum over images and positions of `dy` (images, channels, area): dL/dbias, (channels,).
pub(in crate::ops) fn bias_gradient<T: Float>(
    channels: usize,
    area: usize,
    dy: &[T],
) -> Result<Vec<T>> {
    let arch = arch()?;
    let mut sums = vec![T::zero(); channels];
    sums.par_iter_mut()
        .enumerate()
        .for_each(|(channel, total)| {
            for plane in dy.chunks(area.max(1)).skip(channel).step_by(channels) {
                vectorised!(arch, {
                    // As many sums as a vector has numbers: one would wait for itself.
                    let (rows, rest) = plane.as_chunks::<16>();
                    let mut parts = [T::zero(); 16];
                    for row in rows {
                        parts
                            .iter_mut()
                            .zip(row)
                            .for_each(|(part, value)| *part += *value);
                    }
                    parts.iter().chain(rest).for_each(|value| *total += *value);
                });
            }
        });
    Ok(sums)
}
