//! Convolution, and its gradient with respect to the input, on slices.
//!
//! Every sum is taken in one order, which depends on the shapes alone, so that the number of
//! threads changes no bit.

use std::ops::Range;

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::grid::{Geometry, Grid};
use super::products::{Left, Positions, Product, Target};
use super::tiling::{PARTS, POSITIONS, bands, transpose, zero};
use crate::ops::planes;
use crate::ops::simd::{Float, arch};

/// y = x ∗ w + bias, or the larger of it and 0.
pub(in crate::ops) fn forward<T: Float>(
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
pub(in crate::ops) fn input_gradient<T: Float>(
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

impl<T: Float> Gather<'_, T> {
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

    /// Computes some channels of some images, from grids of one layout with their left factors.
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
fn finish<T: Float>(
    arch: Arch,
    images: Vec<&mut [T]>,
    area: usize,
    bias: Option<&[T]>,
    relu: bool,
) {
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

/// Memory that a thread uses again.
struct Scratch<T> {
    source: Vec<T>,
    /// The positions and the number of images that `source` holds.
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

/// Some channels of the result, and the left factors that give them.
struct Split<T> {
    channels: Range<usize>,
    pieces: Vec<Piece<T>>,
}

/// Channels of one group: `rows` of the split's channels, from `first` on.
struct Piece<T> {
    group: usize,
    first: usize,
    rows: usize,
    /// The left factor of each grid.
    left: Vec<Left<T>>,
}

/// The part of the result that one task computes: one split's channels of some images.
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
