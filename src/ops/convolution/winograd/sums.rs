//! The gradient of a weight by Winograd's transforms.

use std::ops::Range;
use std::sync::Mutex;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::plan::starts;
use super::read::{lines, read_tile};
use super::shape::{KERNEL, POINTS, READ, SIDE, TAPS};
use super::transforms::Factors;
use crate::ops::convolution::blocks::{Blocks, ROWS, outer};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::VECTORS;
use crate::ops::convolution::pixels::{LANES, Pixels};
use crate::ops::simd::Float;

/// Transformed numbers that stay in the second cache.
const CACHED: usize = 120_000;
/// Fewest tiles of a block: with fewer, the transform of their sums costs more than these.
const FEWEST_TILES: usize = 8;
/// Pixels of a tile of the output.
const PIXELS: usize = SIDE * SIDE;
/// Rows of sums that one thread computes: whole blocks on any processor.
const TOGETHER: usize = 24;

/// The sums of a gradient of a weight, tile by tile:
///
/// ```text
/// dL/dg = Gᵀ [Σ_tiles (Bᵀ d B) ⊙ (A dY Aᵀ)] G
/// ```
pub(in crate::ops::convolution) struct TileSums<T> {
    input: Pixels,
    output: Pixels,
    /// Channels of the output, filled up to whole vectors.
    width: usize,
    /// Most tiles of a block.
    block: usize,
    /// Where each tile begins in its image: of the input, and of the output.
    reads: Vec<[u32; POINTS]>,
    writes: Vec<[u32; PIXELS]>,
    /// Where each tile of a block begins among the transformed ones.
    pairs: Vec<[u32; 2]>,
    /// Memory of blocks that are done: new memory would be filled with zeros first.
    pool: Mutex<Vec<Scratch<T>>>,
}

struct Scratch<T> {
    /// Transformed tiles of the input and of the output, as (point, tile, channel).
    tiles: [Vec<T>; 2],
    /// Of a block, as (point, channel of the input, vectors of the output).
    products: Vec<T>,
}

impl<T: Float> TileSums<T> {
    /// Of a convolution that [`serves`](super::shape::serves), with so many channels of the output.
    pub fn new(shape: &Geometry, width: usize) -> Self {
        let [input, output] = Pixels::of(shape);
        let tiles = shape.output.map(|size| size.div_ceil(SIDE));
        let read = |axis, at| shape.input_of(axis, at, 0);
        let written = |axis: usize, at| (at < shape.output[axis]).then_some(at);
        let numbers = POINTS * (input.pitch() + output.pitch());
        let block = (CACHED / numbers).max(FEWEST_TILES);
        let begin = |tile| [input, output].map(|pixels| (tile * pixels.pitch()) as u32);
        Self {
            input,
            output,
            width,
            block,
            pairs: (0..block).map(begin).collect(),
            reads: starts::<READ, POINTS>(tiles, read, (input, shape.input[1])),
            writes: starts::<SIDE, PIXELS>(tiles, written, (output, shape.output[1])),
            pool: Mutex::default(),
        }
    }

    /// Adds those of some images to `out`, (channels of the input, taps, `width`).
    pub fn add(
        &self,
        (arch, parallel): (Arch, bool),
        images: usize,
        [x, dy]: [&[T]; 2],
        out: &mut [T],
    ) {
        let tiles = images * self.reads.len();
        let block = tiles.div_ceil(tiles.div_ceil(self.block).max(1));
        let used = self.pool.lock().ok().and_then(|mut pool| pool.pop());
        let mut scratch = used.unwrap_or_else(|| Scratch {
            tiles: [Vec::new(), Vec::new()],
            products: Vec::new(),
        });
        for first in (0..tiles).step_by(block.max(1)) {
            let transform = Transform {
                of: self,
                tiles: first..tiles.min(first + block),
                x,
                dy,
                transformed: &mut scratch.tiles,
            };
            let tiles = transform.tiles.len();
            arch.dispatch(transform);
            let transformed = &scratch.tiles;
            let add = |products: &mut Vec<T>, (first, out): (usize, &mut [T])| {
                arch.dispatch(Products {
                    of: self,
                    tiles,
                    transformed,
                    first,
                    out,
                    products,
                });
            };
            if parallel {
                out.par_chunks_mut(TOGETHER * TAPS * self.width)
                    .enumerate()
                    .map(|(at, out)| (at * TOGETHER, out))
                    .for_each_init(Vec::new, add);
            } else {
                add(&mut scratch.products, (0, out));
            }
        }
        if let Ok(mut pool) = self.pool.lock() {
            pool.push(scratch);
        }
    }
}

/// From one point's transformed numbers to the next one's: not a multiple of what the first cache
/// repeats its places after.
fn apart(tiles: usize, pixels: Pixels) -> usize {
    tiles * pixels.pitch() + LANES
}

/// Bᵀ d B and A dY Aᵀ of some tiles.
struct Transform<'a, T> {
    of: &'a TileSums<T>,
    tiles: Range<usize>,
    x: &'a [T],
    dy: &'a [T],
    transformed: &'a mut [Vec<T>; 2],
}

impl<T: Float> WithSimd for Transform<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let factors = Factors::<T, S>::new(simd);
        let (of, tiles) = (self.of, self.tiles);
        let [input, output] = [of.input, of.output].map(|pixels| apart(tiles.len(), pixels));
        let [of_x, of_dy] = self.transformed;
        of_x.resize(POINTS * input, T::zero());
        of_dy.resize(POINTS * output, T::zero());
        for (at, tile) in tiles.enumerate() {
            let (image, tile) = (tile / of.reads.len(), tile % of.reads.len());
            let pitch = of.input.pitch();
            let to = &mut of_x[at * pitch..];
            let x = &self.x[image * of.input.image()..];
            read_tile(&factors, x, &of.reads[tile], (to, input), pitch);
            let to = &mut of_dy[at * of.output.pitch()..];
            let dy = &self.dy[image * of.output.image()..];
            spread_tile(&factors, dy, &of.writes[tile], (to, output), of.width);
        }
    }
}

/// A dY Aᵀ of so many channels of a tile, whose pixels begin at `starts` in its image: as (point,
/// channel), the points as far apart as said.
#[inline(always)]
fn spread_tile<T: Float, S: Simd>(
    factors: &Factors<T, S>,
    image: &[T],
    starts: &[u32; PIXELS],
    (to, apart): (&mut [T], usize),
    channels: usize,
) {
    let (vectors, apart) = (channels / T::lanes::<S>(), apart / T::lanes::<S>());
    let pixels = lines::<T, S, PIXELS>(image, starts, channels);
    let to = T::vectors_mut::<S>(to);
    for channel in 0..vectors {
        let columns = four!(x => factors.spread(four!(y => pixels[y * SIDE + x][channel])));
        for y in 0..READ {
            let row = factors.spread(four!(x => columns[x][y]));
            for (x, number) in row.into_iter().enumerate() {
                to[(y * READ + x) * apart + channel] = number;
            }
        }
    }
}

/// The products of transformed tiles, for some channels of the input.
struct Products<'a, T> {
    of: &'a TileSums<T>,
    tiles: usize,
    transformed: &'a [Vec<T>; 2],
    /// The first of the channels.
    first: usize,
    /// (channels, taps, width)
    out: &'a mut [T],
    /// Room for those of a block.
    products: &'a mut Vec<T>,
}

impl<T: Float> WithSimd for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = self.of.width;
        let rows = self.out.len() / (TAPS * width);
        let room = POINTS * ROWS * VECTORS * T::lanes::<S>();
        self.products.resize(room, T::zero());
        self.all_blocks(simd, rows, width);
    }
}

impl<T: Float> Blocks<T> for Products<'_, T> {
    #[inline(always)]
    fn block<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let [input, output] = [self.of.input, self.of.output];
        let [x_apart, dy_apart] = [input, output].map(|pixels| apart(self.tiles, pixels));
        let factors = Factors::<T, S>::new(simd);
        let products = T::vectors_mut::<S>(self.products).as_chunks_mut::<V>().0;
        for point in 0..POINTS {
            let x = &self.transformed[0][point * x_apart + self.first + row..];
            let dy = &self.transformed[1][point * dy_apart + column..];
            let pairs = &self.of.pairs[..self.tiles];
            let sums = outer::<T, S, M, V>(simd, pairs, x, dy);
            products[point * M..][..M].copy_from_slice(&sums);
        }
        let of_row = TAPS * self.of.width;
        let rows = self.out[row * of_row..].chunks_mut(of_row);
        for (m, out) in rows.take(M).enumerate() {
            for v in 0..V {
                let out = &mut out[column + v * T::lanes::<S>()..];
                let columns =
                    six!(x => factors.taps(six!(y => products[(y * READ + x) * M + m][v])));
                add_taps(&factors, columns, (out, self.of.width));
            }
        }
    }
}

/// Adds Gᵀ m G, of which Gᵀ m is given, to vectors as far apart as said.
#[inline(always)]
fn add_taps<T: Float, S: Simd>(
    factors: &Factors<T, S>,
    columns: [[T::Vector<S>; KERNEL]; READ],
    (out, apart): (&mut [T], usize),
) {
    let rows = three!(y => six!(x => columns[x][y]));
    for (y, row) in rows.into_iter().enumerate() {
        for (x, number) in factors.taps(row).into_iter().enumerate() {
            let at = (y * KERNEL + x) * apart;
            let out = &mut T::vectors_mut::<S>(&mut out[at..][..T::lanes::<S>()])[0];
            *out = T::plus(factors.simd, *out, number);
        }
    }
}
