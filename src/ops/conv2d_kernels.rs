//! Convolution, its two gradients and that of the bias, on slices.
//!
//! How the work is divided depends on the shapes alone, and every sum is taken in one order, so that the number of
//! threads changes no bit.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::conv2d_grid::{Geometry, Grid};
use super::conv2d_simd::{Dots, Product, Real, rows_per_block};

/// Numbers of one part of the work that stay in the second cache.
const CACHED: usize = 120_000;
/// Positions below which images are put side by side.
const POSITIONS: usize = 512;
/// Parts that occupy the threads of a small machine.
const PARTS: usize = 4;

/// y = x ∗ w + bias, or the larger of it and 0.
pub(super) fn forward<T: Real>(shape: Geometry, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool) -> Vec<T> {
    let area = shape.output_area();
    let mut y = vec![T::zero(); shape.images * shape.groups * shape.outputs * area];
    if y.is_empty() {
        return y;
    }
    let side_by_side = images_side_by_side(shape);
    let terms = shape.inputs * shape.taps();
    let splits = splits(shape, side_by_side, shape.outputs, 1, terms, |group, row, term| {
        weight[(group * shape.outputs + row) * terms + term]
    });
    let input_image = shape.groups * shape.inputs * shape.input_area();
    parts(&mut y, side_by_side, &splits, area).into_par_iter().for_each_init(Scratch::default, |scratch, part| {
        let x = &x[part.first_image * input_image..];
        let images = part.images.len();
        let mut y = part.images;
        for Piece { group, first, rows, left, .. } in &part.split.pieces {
            if shape.is_product() {
                let offsets = |channels: Range<usize>| channels.map(|channel| channel * area).collect::<Vec<_>>();
                Arch::new().dispatch(Product {
                    a: left,
                    b: &x[group * shape.inputs * area..],
                    b_offsets: &offsets(0..shape.inputs),
                    c: y[0],
                    c_offsets: &offsets(*first..first + rows),
                    length: area,
                    accumulate: false,
                    panel: &mut scratch.panel,
                });
                continue;
            }
            for out_rows in row_parts(shape, images, shape.inputs + rows) {
                let grid = Grid::new(shape, images, out_rows);
                zero(&mut scratch.input, shape.inputs * grid.input_channel);
                for (channel, laid) in scratch.input.chunks_mut(grid.input_channel).enumerate() {
                    grid.lay_input(x, group * shape.inputs + channel, laid);
                }
                scratch.output.resize(rows * grid.output_channel, T::zero());
                Arch::new().dispatch(Product {
                    a: left,
                    b: &scratch.input,
                    b_offsets: &grid.tap_offsets(shape.inputs),
                    c: &mut scratch.output,
                    c_offsets: &grid.output_offsets(*rows),
                    length: grid.length,
                    accumulate: false,
                    panel: &mut scratch.panel,
                });
                for (image, y) in y.iter_mut().enumerate() {
                    let channels = y[first * area..].chunks_mut(area).zip(scratch.output.chunks(grid.output_channel));
                    for (y, laid) in channels.take(*rows) {
                        for (from, to) in grid.output_rows(image) {
                            y[to].copy_from_slice(&laid[from]);
                        }
                    }
                }
            }
        }
        finish(y, area, bias.map(|bias| &bias[part.split.channels.clone()]), relu);
    });
    y
}

/// The bias of each channel, and the larger of the sum and 0.
fn finish<T: Real>(images: Vec<&mut [T]>, area: usize, bias: Option<&[T]>, relu: bool) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for image in images {
                if let Some(bias) = bias {
                    for (channel, &bias) in image.chunks_mut(area).zip(bias) {
                        channel.iter_mut().for_each(|y| *y += bias);
                    }
                }
                if relu {
                    // Not `max`: a NaN stays one.
                    image.iter_mut().for_each(|y| *y = if *y < T::zero() { T::zero() } else { *y });
                }
            }
        },
    );
}

/// dL/dx of dL/dy; with a bias and ReLU a transposed convolution.
pub(super) fn input_gradient<T: Real>(
    shape: Geometry,
    dy: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Vec<T> {
    let (area, taps) = (shape.input_area(), shape.taps());
    let mut dx = vec![T::zero(); shape.images * shape.groups * shape.inputs * area];
    if dx.is_empty() || dy.is_empty() {
        return dx;
    }
    let side_by_side = images_side_by_side(shape);
    let columns = shape.inputs * taps;
    let splits = splits(shape, side_by_side, shape.inputs, taps, shape.outputs, |group, row, term| {
        weight[(group * shape.outputs + term) * columns + row]
    });
    let output_image = shape.groups * shape.outputs * shape.output_area();
    parts(&mut dx, side_by_side, &splits, area).into_par_iter().for_each_init(Scratch::default, |scratch, part| {
        let dy = &dy[part.first_image * output_image..];
        let images = part.images.len();
        let mut dx = part.images;
        for Piece { group, first, rows, left } in &part.split.pieces {
            if shape.is_product() {
                let offsets = |channels: Range<usize>| channels.map(|channel| channel * area).collect::<Vec<_>>();
                Arch::new().dispatch(Product {
                    a: left,
                    b: &dy[group * shape.outputs * area..],
                    b_offsets: &offsets(0..shape.outputs),
                    c: dx[0],
                    c_offsets: &offsets(*first..first + rows),
                    length: area,
                    accumulate: false,
                    panel: &mut scratch.panel,
                });
                continue;
            }
            let whole = Grid::new(shape, images, 0..shape.output[0]);
            let starts = whole.tap_offsets(*rows);
            zero(&mut scratch.input, rows * whole.input_channel);
            for out_rows in row_parts(shape, images, shape.outputs + rows) {
                let first_position = out_rows.start * whole.pitch;
                let grid = Grid::new(shape, images, out_rows);
                zero(&mut scratch.output, shape.outputs * grid.output_channel);
                for (channel, laid) in scratch.output.chunks_mut(grid.output_channel).enumerate() {
                    grid.lay_output(dy, group * shape.outputs + channel, laid);
                }
                Arch::new().dispatch(Product {
                    a: left,
                    b: &scratch.output,
                    b_offsets: &grid.output_offsets(shape.outputs),
                    c: &mut scratch.input,
                    c_offsets: &starts.iter().map(|start| start + first_position).collect::<Vec<_>>(),
                    length: grid.length,
                    accumulate: true,
                    panel: &mut scratch.panel,
                });
            }
            for (image, dx) in dx.iter_mut().enumerate() {
                let channels = dx[first * area..].chunks_mut(area).zip(scratch.input.chunks(whole.input_channel));
                for (dx, laid) in channels.take(*rows) {
                    whole.take_input(laid, image, dx);
                }
            }
        }
        finish(dx, area, bias.map(|bias| &bias[part.split.channels.clone()]), relu);
    });
    dx
}

/// dL/dw of dL/dy.
pub(super) fn weight_gradient<T: Real>(shape: Geometry, x: &[T], dy: &[T]) -> Vec<T> {
    let Geometry { groups, inputs, outputs, .. } = shape;
    let columns = inputs * shape.taps();
    // (columns, outputs) of every group, so that threads can share out the columns.
    let mut sums = vec![T::zero(); groups * columns * outputs];
    if sums.is_empty() || dy.is_empty() || x.is_empty() {
        return sums;
    }
    let (input_image, output_image) = (inputs * shape.input_area(), outputs * shape.output_area());
    if shape.is_product() {
        let area = shape.input_area();
        let offsets = |channels: usize| (0..channels).map(|channel| channel * area).collect::<Vec<_>>();
        let images =
            x.chunks_exact(groups * input_image).zip(dy.chunks_exact(groups * output_image)).collect::<Vec<_>>();
        let (x, y) = (
            Rows { group: input_image, offsets: &offsets(inputs) },
            Rows { group: output_image, offsets: &offsets(outputs) },
        );
        add_dots(&mut sums, &images, x, y, area);
    } else {
        let side_by_side = (4 * CACHED / (groups * (input_image + output_image))).clamp(1, shape.images);
        let mut scratch = Scratch::default();
        for first_image in (0..shape.images).step_by(side_by_side) {
            let images = side_by_side.min(shape.images - first_image);
            let x = &x[first_image * groups * input_image..];
            let dy = &dy[first_image * groups * output_image..];
            for out_rows in row_parts(shape, images, (inputs + outputs) * groups / 4) {
                let grid = Grid::new(shape, images, out_rows);
                zero(&mut scratch.input, groups * inputs * grid.input_channel);
                zero(&mut scratch.output, groups * outputs * grid.output_channel);
                let lay_input = || {
                    let channels = scratch.input.par_chunks_mut(grid.input_channel).enumerate();
                    channels.for_each(|(channel, laid)| grid.lay_input(x, channel, laid));
                };
                let lay_output = || {
                    let channels = scratch.output.par_chunks_mut(grid.output_channel).enumerate();
                    channels.for_each(|(channel, laid)| grid.lay_output(dy, channel, laid));
                };
                rayon::join(lay_input, lay_output);
                let x_rows = Rows { group: inputs * grid.input_channel, offsets: &grid.tap_offsets(inputs) };
                let y_rows = Rows { group: outputs * grid.output_channel, offsets: &grid.output_offsets(outputs) };
                add_dots(&mut sums, &[(&scratch.input, &scratch.output)], x_rows, y_rows, grid.length);
            }
        }
    }
    let mut gradient = vec![T::zero(); sums.len()];
    for (gradient, sums) in gradient.chunks_mut(columns * outputs).zip(sums.chunks(columns * outputs)) {
        for (output, gradient) in gradient.chunks_mut(columns).enumerate() {
            gradient.iter_mut().zip(sums.iter().skip(output).step_by(outputs)).for_each(|(to, from)| *to = *from);
        }
    }
    gradient
}

/// Rows of one group in memory, and from one group to the next.
#[derive(Clone, Copy)]
struct Rows<'a> {
    group: usize,
    offsets: &'a [usize],
}

/// Adds the products of all rows of the first with all rows of the second of each pair, in the order of the pairs.
fn add_dots<T: Real>(sums: &mut [T], pairs: &[(&[T], &[T])], x_rows: Rows, y_rows: Rows, length: usize) {
    let outputs = y_rows.offsets.len();
    // So many rows at a time that threads are occupied; a multiple of a tile's.
    let rows = x_rows.offsets.len().div_ceil(4 * PARTS).next_multiple_of(12);
    for (group, sums) in sums.chunks_mut(x_rows.offsets.len() * outputs).enumerate() {
        sums.par_chunks_mut(rows * outputs).zip(x_rows.offsets.par_chunks(rows)).for_each(|(out, x_offsets)| {
            for (x, y) in pairs {
                let (x, y) = (&x[group * x_rows.group..], &y[group * y_rows.group..]);
                Arch::new().dispatch(Dots { x, x_offsets, y, y_offsets: y_rows.offsets, out, length });
            }
        });
    }
}

/// The sum over images and positions of `dy` (images, channels, area): dL/dbias, (channels,).
pub(super) fn bias_gradient<T: Real>(channels: usize, area: usize, dy: &[T]) -> Vec<T> {
    let mut sums = vec![T::zero(); channels];
    sums.par_iter_mut().enumerate().for_each(|(channel, total)| {
        for plane in dy.chunks(area.max(1)).skip(channel).step_by(channels) {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    // As many sums as a vector has numbers: one would wait for itself.
                    let (rows, rest) = plane.as_chunks::<16>();
                    let mut parts = [T::zero(); 16];
                    for row in rows {
                        parts.iter_mut().zip(row).for_each(|(part, value)| *part += *value);
                    }
                    parts.iter().chain(rest).for_each(|value| *total += *value);
                },
            );
        }
    });
    sums
}

/// Memory that a thread uses again.
struct Scratch<T> {
    input: Vec<T>,
    output: Vec<T>,
    panel: Vec<T>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self { input: Vec::new(), output: Vec::new(), panel: Vec::new() }
    }
}

fn zero<T: Real>(numbers: &mut Vec<T>, count: usize) {
    numbers.clear();
    numbers.resize(count, T::zero());
}

/// So many images that a product has enough columns, yet enough parts remain for the threads.
fn images_side_by_side(shape: Geometry) -> usize {
    if shape.is_product() {
        return 1;
    }
    POSITIONS.div_ceil(shape.output_area().max(1)).min(shape.images / PARTS).max(1)
}

/// The output's rows in parts that stay in the second cache, `channels` channels each.
fn row_parts(shape: Geometry, images: usize, channels: usize) -> impl Iterator<Item = Range<usize>> {
    let [height, width] = shape.output;
    let rows = if images > 1 { height } else { (CACHED / channels.max(1)).max(POSITIONS) / width.max(1) };
    let rows = height.div_ceil(height.div_ceil(rows.max(1)));
    (0..height).step_by(rows).map(move |start| start..height.min(start + rows))
}

/// Some channels of the result, and the left factors that give them.
struct Split<T> {
    channels: Range<usize>,
    pieces: Vec<Piece<T>>,
}

/// `rows` channels of one group, which are `first..` of the split's.
struct Piece<T> {
    group: usize,
    first: usize,
    rows: usize,
    left: Vec<T>,
}

/// Shares out `rows` channels a group, each of them `height` rows of `terms` numbers of the left factor,
/// `number(group, row, term)`.
fn splits<T: Real>(
    shape: Geometry,
    side_by_side: usize,
    rows: usize,
    height: usize,
    terms: usize,
    number: impl Fn(usize, usize, usize) -> T + Sync,
) -> Vec<Split<T>> {
    let blocks = shape.images.div_ceil(side_by_side);
    let wanted = PARTS.div_ceil(blocks.max(1));
    let block_rows = rows_per_block(Arch::new());
    let piece = |group: usize, first: usize, channels: Range<usize>| {
        let count = channels.len() * height;
        let mut left = vec![T::zero(); count.div_ceil(block_rows) * block_rows * terms];
        left.par_chunks_mut(block_rows * terms).enumerate().for_each(|(block, left)| {
            for (term, left) in left.chunks_mut(block_rows).enumerate() {
                for (row, left) in (block * block_rows..count).zip(left) {
                    *left = number(group, channels.start * height + row, term);
                }
            }
        });
        Piece { group, first, rows: channels.len(), left }
    };
    if shape.groups == 1 {
        let step = rows.div_ceil(wanted).next_multiple_of(block_rows).max(1);
        let ranges = (0..rows).step_by(step).map(|start| start..rows.min(start + step));
        ranges.map(|channels| Split { pieces: vec![piece(0, 0, channels.clone())], channels }).collect()
    } else {
        let step = shape.groups.div_ceil(wanted).max(1);
        let ranges = (0..shape.groups).step_by(step).map(|start| start..shape.groups.min(start + step));
        ranges
            .map(|groups| Split {
                channels: groups.start * rows..groups.end * rows,
                pieces: groups.clone().map(|group| piece(group, (group - groups.start) * rows, 0..rows)).collect(),
            })
            .collect()
    }
}

/// One split's channels of some images.
struct Part<'a, T> {
    first_image: usize,
    split: &'a Split<T>,
    images: Vec<&'a mut [T]>,
}

fn parts<'a, T>(numbers: &'a mut [T], side_by_side: usize, splits: &'a [Split<T>], area: usize) -> Vec<Part<'a, T>> {
    let channels = splits.last().map_or(0, |split| split.channels.end);
    let mut parts = Vec::new();
    for (block, numbers) in numbers.chunks_mut(side_by_side * channels * area).enumerate() {
        let mut block_parts: Vec<_> =
            splits.iter().map(|split| Part { first_image: block * side_by_side, split, images: Vec::new() }).collect();
        for mut image in numbers.chunks_mut(channels * area) {
            for part in &mut block_parts {
                let own;
                (own, image) = image.split_at_mut(part.split.channels.len() * area);
                part.images.push(own);
            }
        }
        parts.append(&mut block_parts);
    }
    parts
}
