//! The gradients of a convolution with respect to its weight and bias, on slices.
//!
//! Every sum is taken in one order, which depends on the shapes alone, so that the number of
//! threads changes no bit.

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::grid::Geometry;
use super::products::{Outer, Positions, outer_tile};
use super::tiling::{CACHED, PARTS, bands, transpose, zero};
use crate::ops::simd::{Float, arch};

/// dL/dw of dL/dy.
pub(in crate::ops) fn weight_gradient<T: Float>(
    shape: Geometry,
    x: &[T],
    dy: &[T],
) -> Result<Vec<T>> {
    let Geometry {
        groups,
        inputs,
        outputs,
        input,
        output,
        ..
    } = shape;
    let columns = inputs * shape.taps();
    let mut gradient = vec![T::zero(); groups * columns * outputs];
    if gradient.is_empty() || dy.is_empty() || x.is_empty() {
        return Ok(gradient);
    }
    if shape.taps() == 1
        && input == output
        && inputs < outputs
        && shape.forward().in_place().is_some()
    {
        // Of a product of matrices the smaller factor is transposed.
        let sums = outer_sums(
            Geometry {
                inputs: outputs,
                outputs: inputs,
                ..shape
            },
            dy,
            x,
        )?;
        let width = sums.len() / (groups * outputs);
        let rows = gradient.chunks_mut(inputs).zip(sums.chunks(width));
        rows.for_each(|(gradient, sums)| gradient.copy_from_slice(&sums[..inputs]));
        return Ok(gradient);
    }
    let sums = outer_sums(shape, x, dy)?;
    let width = sums.len() / (groups * columns);
    for (gradient, sums) in gradient
        .chunks_mut(columns * outputs)
        .zip(sums.chunks(columns * width))
    {
        gradient
            .par_chunks_mut(16 * columns)
            .enumerate()
            .for_each(|(block, gradient)| {
                transpose(&sums[16 * block..], width, columns, gradient, columns);
            });
    }
    Ok(gradient)
}

/// dL/dw as (groups, inputs and taps, outputs and as many more as fill whole tiles).
fn outer_sums<T: Float>(shape: Geometry, x: &[T], dy: &[T]) -> Result<Vec<T>> {
    let arch = arch()?;
    let Geometry {
        images,
        groups,
        inputs,
        outputs,
        output,
        ..
    } = shape;
    let columns = inputs * shape.taps();
    let tile = outer_tile(outputs);
    let tiles = outputs.div_ceil(tile);
    let mut sums = vec![T::zero(); groups * columns * tiles * tile];
    let grid = shape.forward();
    let in_place = grid.in_place();
    let (input_image, output_image) = (x.len() / images, dy.len() / images);
    let side_by_side = (4 * CACHED / (input_image + output_image)).clamp(1, images);
    let whole = input_image + output_image <= 4 * CACHED;
    let bands = bands(
        output,
        if whole {
            0
        } else {
            (inputs + outputs) * groups / 4
        },
    );
    let (mut laid_x, mut laid_y) = (Vec::new(), Vec::new());
    for first_image in (0..images).step_by(side_by_side) {
        let images = side_by_side.min(images - first_image);
        let x = &x[first_image * input_image..][..images * input_image];
        let dy = &dy[first_image * output_image..][..images * output_image];
        for band in &bands {
            let dense;
            let laid = match &in_place {
                Some(laid) => laid,
                None => {
                    dense = grid.laid(band.len());
                    &dense
                }
            };
            if in_place.is_none() {
                zero(&mut laid_x, images * groups * laid.image);
            }
            let lay_x = || {
                let channels = laid_x
                    .par_chunks_mut(laid.channel)
                    .zip(x.par_chunks(shape.input_area()));
                channels.for_each(|(planes, image)| {
                    arch.dispatch(
                        #[inline(always)]
                        || grid.lay(image, band.clone(), planes),
                    );
                });
            };
            let per_image = band.len() * output[1];
            laid_y.resize(groups * tiles * images * per_image * tile, T::zero());
            let lay_y = || {
                // (group, tile, image) of (position, output).
                let parts = laid_y.par_chunks_mut(per_image * tile).enumerate();
                parts.for_each(|(number, to)| {
                    let (image, channels) = (number % images, number / images);
                    let (group, first) = (channels / tiles, channels % tiles * tile);
                    let count = tile.min(outputs - first);
                    let from =
                        image * output_image + (group * outputs + first) * shape.output_area();
                    let from = &dy[from + band.start * output[1]..];
                    transpose(from, shape.output_area(), count, to, tile);
                });
            };
            rayon::join(lay_x, lay_y);
            let (source, image) = match &in_place {
                Some(laid) => (&x[band.start * laid.pitch..], laid.image),
                None => (&laid_x[..], groups * laid.image),
            };
            let rows = Rows {
                source,
                groups,
                group: inputs * laid.channel,
                offsets: &laid.offsets(inputs),
                positions: Positions::new(images, [band.len(), output[1]], image, laid.pitch),
            };
            rows.add(arch, &laid_y, tile, &mut sums);
        }
    }
    Ok(sums)
}

/// The rows of every group's X, a tap of a channel each.
struct Rows<'a, T> {
    source: &'a [T],
    groups: usize,
    /// From one group to the next.
    group: usize,
    offsets: &'a [usize],
    positions: Positions,
}

impl<T: Float> Rows<'_, T> {
    /// Adds the products of all rows with all rows of Y; threads share out the rows.
    fn add(&self, arch: Arch, y: &[T], tile: usize, sums: &mut [T]) {
        let (columns, groups) = (self.offsets.len(), self.groups);
        // So many rows at a time that threads are occupied; a multiple of a tile's.
        let rows = columns.div_ceil(4 * PARTS).next_multiple_of(8);
        let (width, y_group) = (sums.len() / groups / columns, y.len() / groups);
        let by_group = sums
            .par_chunks_mut(columns * width)
            .zip(y.par_chunks(y_group))
            .enumerate();
        by_group.for_each(|(group, (sums, y))| {
            let x = &self.source[group * self.group..];
            sums.par_chunks_mut(rows * width)
                .zip(self.offsets.par_chunks(rows))
                .for_each(|(out, x_offsets)| {
                    arch.dispatch(Outer {
                        x,
                        x_offsets,
                        positions: self.positions,
                        y,
                        tile,
                        out,
                    });
                });
        });
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
                arch.dispatch(
                    #[inline(always)]
                    || {
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
                    },
                );
            }
        });
    Ok(sums)
}
