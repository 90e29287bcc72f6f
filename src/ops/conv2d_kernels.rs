//! Convolution, its two gradients and that of the bias, on slices.
//!
//! Every sum is taken in one order, which depends on the shapes alone, so that the number of
//! threads changes no bit.

use std::ops::Range;

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::conv2d_grid::{Geometry, Grid};
use super::conv2d_simd::{Left, Outer, Positions, Product, Real, Target, outer_tile};
use super::planes;
use super::simd::arch;

/// Numbers of one part of the work that stay in the second cache.
const CACHED: usize = 120_000;
/// Positions below which images are put side by side.
const POSITIONS: usize = 384;
/// Parts that occupy the threads of a small machine.
const PARTS: usize = 4;

/// y = x ∗ w + bias, or the larger of it and 0.
pub(super) fn forward<T: Real>(
    shape: Geometry,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Result<Vec<T>> {
    let Geometry {
        images,
        groups,
        inputs,
        outputs,
        output,
        kernel,
        ..
    } = shape;
    let terms = inputs * shape.taps();
    let weight = Weight {
        numbers: weight,
        width: kernel[1],
        group: outputs * terms,
        row: terms,
        channel: shape.taps(),
    };
    let gather = Gather {
        images,
        groups,
        rows: outputs,
        size: output,
        source: x,
        weight,
        grids: &[shape.forward()],
    };
    gather.run(bias, relu)
}

/// dL/dx of dL/dy; with a bias and ReLU a transposed convolution.
pub(super) fn input_gradient<T: Real>(
    shape: Geometry,
    dy: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Result<Vec<T>> {
    let Geometry {
        images,
        groups,
        inputs,
        outputs,
        input,
        kernel,
        ..
    } = shape;
    let terms = inputs * shape.taps();
    let weight = Weight {
        numbers: weight,
        width: kernel[1],
        group: outputs * terms,
        row: shape.taps(),
        channel: terms,
    };
    let gather = Gather {
        images,
        groups,
        rows: inputs,
        size: input,
        source: dy,
        weight,
        grids: &shape.backward(),
    };
    gather.run(bias, relu)
}

/// The numbers of a weight, and from one to the next group, channel of the result and channel of
/// the source.
struct Weight<'a, T> {
    numbers: &'a [T],
    width: usize,
    group: usize,
    row: usize,
    channel: usize,
}

/// Every number of a result is a sum over taps and channels of a source.
struct Gather<'a, T> {
    images: usize,
    groups: usize,
    /// Channels of the result, of one group.
    rows: usize,
    /// Height and width of the result.
    size: [usize; 2],
    source: &'a [T],
    weight: Weight<'a, T>,
    grids: &'a [Grid],
}

impl<T: Real> Gather<'_, T> {
    fn run(&self, bias: Option<&[T]>, relu: bool) -> Result<Vec<T>> {
        let arch = arch()?;
        let area = self.size[0] * self.size[1];
        let mut result = vec![T::zero(); self.images * self.groups * self.rows * area];
        if result.is_empty() {
            return Ok(result);
        }
        let side_by_side = images_side_by_side(self.images, area);
        let splits = self.splits(arch, self.images.div_ceil(side_by_side));
        let parts = parts(&mut result, side_by_side, &splits, area);
        parts
            .into_par_iter()
            .for_each_init(Scratch::default, |scratch, mut part| {
                for piece in &part.split.pieces {
                    let mut left = &piece.left[..];
                    for grids in self.grids.chunk_by(|a, b| a.size() == b.size()) {
                        let own;
                        (own, left) = left.split_at(grids.len());
                        self.piece(
                            arch,
                            (grids, own),
                            piece,
                            (part.first_image, &mut part.images),
                            scratch,
                        );
                    }
                }
                finish(
                    arch,
                    part.images,
                    area,
                    bias.map(|bias| &bias[part.split.channels.clone()]),
                    relu,
                );
            });
        Ok(result)
    }

    /// What grids of one layout, with their left factors, give of some images' channels.
    fn piece(
        &self,
        arch: Arch,
        (grids, left): (&[Grid], &[Left<T>]),
        piece: &Piece<T>,
        (first_image, result): (usize, &mut [&mut [T]]),
        scratch: &mut Scratch<T>,
    ) {
        let grid = &grids[0];
        let (images, [_, width], area) = (result.len(), grid.size(), self.size[0] * self.size[1]);
        let (in_place, direct) = (grid.in_place(), grid.is_whole_result());
        let source_image = self.source.len() / self.images;
        let source_channel = source_image / (self.groups * grid.channels);
        let whole = images > 1 || (in_place.is_some() && direct);
        let results = if direct { 0 } else { piece.rows * grids.len() };
        let bands = bands(grid.size(), if whole { 0 } else { grid.channels + results });
        for band in &bands {
            let layout = |grid: &Grid| grid.in_place().unwrap_or_else(|| grid.laid(band.len()));
            let laid = layout(grid);
            let first_channel = piece.group * grid.channels * source_channel;
            let source = if in_place.is_some() {
                &self.source[first_image * source_image + first_channel + band.start * laid.pitch..]
            } else {
                // Zeros between the numbers stay zeros from one part to the next, if they are at
                // the same places.
                let key = (bands.len() == 1).then_some((grid.size(), images));
                if key.is_none() || scratch.key != key {
                    zero(&mut scratch.source, images * laid.image);
                    scratch.key = key;
                }
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for (image, planes) in scratch.source.chunks_mut(laid.image).enumerate() {
                            let from = &self.source
                                [(first_image + image) * source_image + first_channel..];
                            let channels = from
                                .chunks(source_channel.max(1))
                                .zip(planes.chunks_mut(laid.channel));
                            channels
                                .for_each(|(from, planes)| grid.lay(from, band.clone(), planes));
                        }
                    },
                );
                &scratch.source[..]
            };
            let positions = Positions::new(images, [band.len(), width], laid.image, laid.pitch);
            let count = band.len() * width;
            let panel = &mut scratch.panel;
            let mut product = |grid: &Grid, left: &Left<T>, c: Target<T>| {
                let b_offsets = &layout(grid).offsets(grid.channels);
                arch.dispatch(Product {
                    a: left,
                    b: source,
                    b_offsets,
                    positions,
                    c,
                    panel,
                });
            };
            if direct && (images == 1 || count.is_multiple_of(16)) {
                let (start, row) = (piece.first * area + band.start * width, area);
                product(
                    grid,
                    &left[0],
                    Target {
                        images: result,
                        positions: count,
                        start,
                        row,
                    },
                );
                continue;
            }
            if direct {
                // Vectors go over the ends of images: all images side by side first.
                let row = (images * count).next_multiple_of(16);
                scratch.result.resize(piece.rows * row, T::zero());
                let images = &mut [&mut scratch.result[..]];
                product(
                    grid,
                    &left[0],
                    Target {
                        images,
                        positions: row,
                        start: 0,
                        row,
                    },
                );
                for (image, to) in result.iter_mut().enumerate() {
                    let rows = scratch
                        .result
                        .chunks(row)
                        .zip(to[piece.first * area..].chunks_mut(area));
                    rows.for_each(|(from, to)| to.copy_from_slice(&from[image * count..][..count]));
                }
                continue;
            }
            let size = images * piece.rows * count;
            scratch.result.resize(grids.len() * size, T::zero());
            for ((grid, left), dense) in grids.iter().zip(left).zip(scratch.result.chunks_mut(size))
            {
                let mut dense: Vec<_> = dense.chunks_mut(piece.rows * count).collect();
                product(
                    grid,
                    left,
                    Target {
                        images: &mut dense,
                        positions: count,
                        start: 0,
                        row: count,
                    },
                );
            }
            arch.dispatch(
                #[inline(always)]
                || {
                    for (image, to) in result.iter_mut().enumerate() {
                        for (row, to) in to[piece.first * area..]
                            .chunks_mut(area)
                            .take(piece.rows)
                            .enumerate()
                        {
                            let start = (image * piece.rows + row) * count;
                            let results = scratch
                                .result
                                .chunks(size)
                                .map(|dense| &dense[start..][..count]);
                            Grid::put(
                                grids,
                                &results.collect::<Vec<_>>(),
                                band.clone(),
                                self.size[1],
                                to,
                            );
                        }
                    }
                },
            );
        }
    }

    /// Shares out the channels of the result, so that with `blocks` blocks of images there are
    /// enough parts.
    fn splits(&self, arch: Arch, blocks: usize) -> Vec<Split<T>> {
        let wanted = rayon::current_num_threads().div_ceil(blocks.max(1));
        let rows = self.rows;
        if self.groups == 1 {
            let step = rows.div_ceil(wanted).next_multiple_of(8);
            let ranges = (0..rows)
                .step_by(step)
                .map(|start| start..rows.min(start + step));
            ranges
                .map(|channels| Split {
                    pieces: vec![self.left(arch, 0, 0, &channels)],
                    channels,
                })
                .collect()
        } else {
            let step = self.groups.div_ceil(wanted);
            let ranges = (0..self.groups)
                .step_by(step)
                .map(|start| start..self.groups.min(start + step));
            let piece = |group: usize, first: usize| {
                self.left(arch, group, (group - first) * rows, &(0..rows))
            };
            ranges
                .map(|groups| Split {
                    channels: groups.start * rows..groups.end * rows,
                    pieces: groups
                        .clone()
                        .map(|group| piece(group, groups.start))
                        .collect(),
                })
                .collect()
        }
    }

    /// The left factors of a group's channels, one a grid.
    fn left(&self, arch: Arch, group: usize, first: usize, channels: &Range<usize>) -> Piece<T> {
        let Weight {
            numbers,
            width,
            row,
            channel,
            ..
        } = self.weight;
        let numbers = &numbers[group * self.weight.group..];
        let left = self.grids.iter().map(|grid| {
            let taps: Vec<_> = grid
                .kernel_taps()
                .iter()
                .map(|[y, x]| y * width + x)
                .collect();
            let in_order = taps.len() == channel
                && taps.iter().enumerate().all(|(number, tap)| number == *tap);
            Left::new(
                arch,
                channels.len(),
                grid.channels * taps.len(),
                |first_row, block_rows, block| {
                    let rows = channels.start + first_row
                        ..channels.end.min(channels.start + first_row + block_rows);
                    if in_order {
                        transpose(
                            &numbers[rows.start * row..],
                            row,
                            rows.len(),
                            block,
                            block_rows,
                        );
                        return;
                    }
                    for (c, block) in block.chunks_mut(taps.len() * block_rows).enumerate() {
                        for (r, from) in rows
                            .clone()
                            .map(|r| &numbers[r * row + c * channel..])
                            .enumerate()
                        {
                            let to = block[r..].iter_mut().step_by(block_rows);
                            taps.iter().zip(to).for_each(|(tap, to)| *to = from[*tap]);
                        }
                    }
                },
            )
        });
        Piece {
            group,
            first,
            rows: channels.len(),
            left: left.collect(),
        }
    }
}

/// The bias of each channel, and the larger of the sum and 0.
fn finish<T: Real>(arch: Arch, images: Vec<&mut [T]>, area: usize, bias: Option<&[T]>, relu: bool) {
    arch.dispatch(
        #[inline(always)]
        || {
            for image in images {
                if let Some(bias) = bias {
                    for (channel, &bias) in image.chunks_mut(area).zip(bias) {
                        channel.iter_mut().for_each(|y| *y += bias);
                    }
                }
                if relu {
                    planes::relu(image);
                }
            }
        },
    );
}

/// dL/dw of dL/dy.
pub(super) fn weight_gradient<T: Real>(shape: Geometry, x: &[T], dy: &[T]) -> Result<Vec<T>> {
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
fn outer_sums<T: Real>(shape: Geometry, x: &[T], dy: &[T]) -> Result<Vec<T>> {
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

/// to\[j, i\] = from\[i, j\] for `rows` rows i of `from`, `pitch` apart, and as many j as `to` has
/// rows, `to_pitch` apart.
fn transpose<T: Copy>(from: &[T], pitch: usize, rows: usize, to: &mut [T], to_pitch: usize) {
    // Some at a time, so that what is written stays in the first cache.
    for (block, to) in to.chunks_mut(16 * to_pitch).enumerate() {
        for row in 0..rows {
            let from = &from[row * pitch + 16 * block..];
            to[row..]
                .iter_mut()
                .step_by(to_pitch)
                .zip(from)
                .for_each(|(to, from)| *to = *from);
        }
    }
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

impl<T: Real> Rows<'_, T> {
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
pub(super) fn bias_gradient<T: Real>(channels: usize, area: usize, dy: &[T]) -> Result<Vec<T>> {
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

/// Memory that a thread uses again.
struct Scratch<T> {
    source: Vec<T>,
    /// What is laid there: positions, images.
    key: Option<([usize; 2], usize)>,
    result: Vec<T>,
    panel: Vec<T>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            key: None,
            result: Vec::new(),
            panel: Vec::new(),
        }
    }
}

fn zero<T: Real>(numbers: &mut Vec<T>, count: usize) {
    numbers.clear();
    numbers.resize(count, T::zero());
}

/// So many images that a product has enough columns, yet enough parts remain for the threads.
fn images_side_by_side(images: usize, area: usize) -> usize {
    let blocks = images.div_ceil(POSITIONS.div_ceil(area));
    let blocks = if blocks > 1 {
        blocks.next_multiple_of(PARTS).min(images)
    } else {
        1
    };
    images.div_ceil(blocks)
}

/// The rows of a result in bands that stay in the second cache, `channels` channels each.
fn bands([height, width]: [usize; 2], channels: usize) -> Vec<Range<usize>> {
    let rows = CACHED
        .checked_div(channels)
        .map_or(height, |count| count.max(POSITIONS) / width);
    let rows = height.div_ceil(height.div_ceil(rows.max(1)));
    // Of whole vectors.
    let rows = (rows..rows + 16)
        .find(|rows| (rows * width).is_multiple_of(16))
        .unwrap_or(rows)
        .min(height);
    (0..height)
        .step_by(rows)
        .map(|start| start..height.min(start + rows))
        .collect()
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
    /// For each grid.
    left: Vec<Left<T>>,
}

/// One split's channels of some images.
struct Part<'a, T> {
    first_image: usize,
    split: &'a Split<T>,
    images: Vec<&'a mut [T]>,
}

fn parts<'a, T>(
    numbers: &'a mut [T],
    side_by_side: usize,
    splits: &'a [Split<T>],
    area: usize,
) -> Vec<Part<'a, T>> {
    let channels = splits.last().map_or(0, |split| split.channels.end);
    let mut parts = Vec::new();
    for (block, numbers) in numbers
        .chunks_mut(side_by_side * channels * area)
        .enumerate()
    {
        let mut block_parts: Vec<_> = splits
            .iter()
            .map(|split| Part {
                first_image: block * side_by_side,
                split,
                images: Vec::new(),
            })
            .collect();
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
