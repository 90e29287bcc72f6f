//! Convolutions of 3×3 by Winograd's minimal filtering F(4×4, 3×3): 36 multiplications for 16 pixels
//! of the result where the sum of nine taps needs 144.
//!
//! ```text
//! Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//! ```
//!
//! d are 6×6 pixels of the source, g the 3×3 taps, Y 4×4 pixels of the result; each of the 36 products
//! is one of matrices, (tiles, channels) times (channels, channels of the result).
//!
//! The points of the interpolation are 0, ±3/4, ±3/2 and ∞, all of whose powers are numbers of the
//! machine: the root mean square of the rounding is then 2.2 times that of nine taps, where the usual
//! points 0, ±1, ±2, ∞ make it 4 to 5 times (normal weights, 16 to 128 channels).
//!
//! - **Source**: Winograd 1980; Lavin and Gray 2016 (arXiv 1509.09308), section 4; the choice of
//!   points after Barabasz and others 2020 (arXiv 1803.10986).

mod tiles;
mod transforms;
mod weights;

use std::sync::Mutex;

use pulp::Arch;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::panels::{Panels, VECTORS};
use super::pixels::{LANES, Pixels};
use super::product::After;
use super::steps::Direction;
use crate::ops::simd::Float;
use tiles::Tiles;
pub(super) use weights::transformed;

/// Rows and columns of a tile of the result, and of what it reads.
const SIDE: usize = 4;
const READ: usize = 6;
/// Products of a tile.
pub(super) const POINTS: usize = READ * READ;
/// Tiles of a block are a multiple of this: whole products on any processor.
const HEIGHT: usize = 12;
/// Channels up to which so few tiles stay in the first cache.
const FEW_CHANNELS: usize = 64;
/// Weights above which reading 36 of them in place of nine costs more than is gained.
const MOST_WEIGHTS: usize = 1 << 16;
/// Channels below which the transforms cost more than is gained.
const FEWEST_CHANNELS: usize = 16;

/// Whether a convolution and its gradient are computed so: by its shape alone, so that neither the
/// number of images nor that of threads changes a bit.
pub(in crate::ops) fn serves(shape: &Geometry) -> bool {
    let Geometry {
        groups,
        inputs,
        outputs,
        input,
        output,
        kernel,
        stride,
        padding,
        dilation,
        ..
    } = *shape;
    // A tile at the edge computes what nobody needs.
    let fills = |[height, width]: [usize; 2]| {
        let computed = height.next_multiple_of(SIDE) * width.next_multiple_of(SIDE);
        2 * computed <= 3 * height * width
    };
    kernel == [3, 3]
        && stride == [1, 1]
        && dilation == 1
        && groups == 1
        && padding.iter().all(|padding| *padding < 3)
        && inputs.min(outputs) >= FEWEST_CHANNELS
        && inputs * outputs <= MOST_WEIGHTS
        && fills(input)
        && fills(output)
}

/// One direction of a convolution, tile by tile.
pub(super) struct Winograd<T> {
    source: Pixels,
    result: Pixels,
    /// Height and width of the result.
    size: [usize; 2],
    /// Rows and columns of tiles of an image.
    tiles: [usize; 2],
    /// Tiles at a time.
    block: usize,
    /// Where each tile reads in its image.
    reads: Vec<[u32; POINTS]>,
    /// Memory of blocks that are done: new memory would be filled with zeros first.
    pool: Mutex<Vec<Scratch<T>>>,
}

/// Transformed pixels and products of a block of tiles.
struct Scratch<T> {
    read: Vec<T>,
    products: Vec<T>,
}

impl<T: Float> Winograd<T> {
    /// Of a convolution that [`serves`].
    pub fn new(shape: &Geometry, direction: Direction) -> Self {
        let [input, output] = Pixels::of(shape);
        // The gradient is a convolution with the taps turned round.
        let (source, result, from, size, padding) = match direction {
            Direction::Forward => (input, output, shape.input, shape.output, shape.padding),
            Direction::Backward => {
                let padding = shape.padding.map(|padding| 2 - padding);
                (output, input, shape.output, shape.input, padding)
            }
        };
        let tiles = size.map(|size| size.div_ceil(SIDE));
        let inside = |axis: usize, tile: usize, at: usize| {
            let at = (SIDE * tile + at).checked_sub(padding[axis])?;
            (at < from[axis]).then_some(at)
        };
        let reads = (0..tiles[0] * tiles[1])
            .map(|tile| {
                std::array::from_fn(|at| {
                    let row = inside(0, tile / tiles[1], at / READ);
                    let column = inside(1, tile % tiles[1], at % READ);
                    // Outside are the zeros before the image.
                    let pixel = row.zip(column).map(|(row, column)| row * from[1] + column);
                    pixel.map_or(0, |pixel| source.start(pixel)) as u32
                })
            })
            .collect();
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
    fn stride(&self) -> usize {
        POINTS * self.source.pitch() + LANES
    }

    /// Room for a block, with vectors of so many numbers.
    fn scratch(&self, lanes: usize) -> Scratch<T> {
        let used = self.pool.lock().ok().and_then(|mut pool| pool.pop());
        used.unwrap_or_else(|| Scratch {
            read: vec![T::zero(); self.block * self.stride()],
            products: vec![T::zero(); self.block * POINTS * VECTORS * lanes],
        })
    }

    fn give_back(&self, scratch: Scratch<T>) {
        if let Ok(mut pool) = self.pool.lock() {
            pool.push(scratch);
        }
    }

    /// The result of so many images, on one thread.
    pub fn run(
        &self,
        (arch, panels): (Arch, &Panels<T>),
        images: usize,
        source: &[T],
        result: &mut [T],
        after: After<T>,
    ) {
        arch.dispatch(Tiles {
            of: self,
            tiles: 0..images * self.reads.len(),
            source,
            panels,
            result,
            origin: 0,
            after,
        });
    }

    /// The result of images whose rows of tiles threads share out.
    pub fn run_in_parallel(
        &self,
        (arch, panels): (Arch, &Panels<T>),
        source: &[T],
        result: &mut [T],
        after: After<T>,
    ) {
        let (pitch, image) = (self.result.pitch(), self.result.image());
        let [rows, columns] = self.tiles;
        let rows = rows.div_ceil(rayon::current_num_threads());
        let band = rows * SIDE * self.size[1] * pitch;
        result
            .par_chunks_mut(image)
            .zip(source.par_chunks(self.source.image()))
            .enumerate()
            .for_each(|(number, (result, source))| {
                let bands = result[pitch..].par_chunks_mut(band);
                bands.enumerate().for_each(|(at, result)| {
                    let origin = pitch + at * band;
                    arch.dispatch(Tiles {
                        of: self,
                        tiles: at * rows * columns..self.reads.len().min((at + 1) * rows * columns),
                        source,
                        panels,
                        result,
                        origin,
                        after: after.from(number * image + origin),
                    });
                });
            });
    }
}
