//! What is known of a convolution before its images.

use std::sync::Mutex;

use super::shape::{KERNEL, POINTS, READ, SIDE};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::VECTORS;
use crate::ops::convolution::pixels::{LANES, Pixels};
use crate::ops::convolution::steps::Direction;
use crate::ops::simd::Float;

/// Tiles of a block are a multiple of this: whole products on any processor.
const HEIGHT: usize = 12;
/// Channels up to which so few tiles stay in the first cache.
const FEW_CHANNELS: usize = 64;

/// One direction of a convolution, tile by tile.
pub(in crate::ops::convolution) struct Winograd<T> {
    pub(super) source: Pixels,
    pub(super) result: Pixels,
    /// Height and width of the result.
    pub(super) size: [usize; 2],
    /// Rows and columns of tiles of an image.
    pub(super) tiles: [usize; 2],
    /// Tiles at a time.
    pub(super) block: usize,
    /// Where each tile reads in its image.
    pub(super) reads: Vec<[u32; POINTS]>,
    /// Memory of blocks that are done: new memory would be filled with zeros first.
    pool: Mutex<Vec<Scratch<T>>>,
}

/// Transformed pixels and products of a block of tiles.
pub(super) struct Scratch<T> {
    pub read: Vec<T>,
    pub products: Vec<T>,
}

impl<T: Float> Winograd<T> {
    /// Of a convolution that [`serves`](super::shape::serves).
    pub fn new(shape: &Geometry, direction: Direction) -> Self {
        let [input, output] = Pixels::of(shape);
        // The gradient is a convolution with the taps turned round.
        let (source, result, width, size) = match direction {
            Direction::Forward => (input, output, shape.input[1], shape.output),
            Direction::Backward => (output, input, shape.output[1], shape.input),
        };
        let tiles = size.map(|size| size.div_ceil(SIDE));
        let inside = |axis, at: usize| match direction {
            Direction::Forward => shape.input_of(axis, at, 0),
            Direction::Backward => shape.output_of(axis, at, KERNEL - 1),
        };
        let reads = starts::<READ, POINTS>(tiles, inside, (source, width));
        let block = if source.channels > FEW_CHANNELS {
            2 * HEIGHT
        } else {
            HEIGHT
        };
        Self {
            source,
            result,
            size,
            tiles,
            block,
            reads,
            pool: Mutex::default(),
        }
    }

    /// From one tile's transformed numbers to the next one's: not a multiple of what the first cache
    /// repeats its places after.
    pub(super) fn stride(&self) -> usize {
        POINTS * self.source.pitch() + LANES
    }

    /// Room for a block, with vectors of so many numbers.
    pub(super) fn scratch(&self, lanes: usize) -> Scratch<T> {
        let used = self.pool.lock().ok().and_then(|mut pool| pool.pop());
        used.unwrap_or_else(|| Scratch {
            read: vec![T::zero(); self.block * self.stride()],
            products: vec![T::zero(); self.block * POINTS * VECTORS * lanes],
        })
    }

    pub(super) fn give_back(&self, scratch: Scratch<T>) {
        if let Ok(mut pool) = self.pool.lock() {
            pool.push(scratch);
        }
    }
}

/// Where N×N pixels of each tile begin in images of this width, from the tile's first pixel on:
/// `inside` knows which position of an axis that is, none outside, where the zeros before the image
/// are read.
pub(super) fn starts<const N: usize, const PIXELS: usize>(
    tiles: [usize; 2],
    inside: impl Fn(usize, usize) -> Option<usize>,
    (pixels, width): (Pixels, usize),
) -> Vec<[u32; PIXELS]> {
    let of_tile = |tile: usize| {
        std::array::from_fn(|at| {
            let row = inside(0, SIDE * (tile / tiles[1]) + at / N);
            let column = inside(1, SIDE * (tile % tiles[1]) + at % N);
            let pixel = row.zip(column).map(|(row, column)| row * width + column);
            pixel.map_or(0, |pixel| pixels.start(pixel)) as u32
        })
    };
    (0..tiles[0] * tiles[1]).map(of_tile).collect()
}
