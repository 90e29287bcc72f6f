//! The two inner loops of every convolution, with the widest vectors of the processor.
//!
//! Both read an image as rows that start at given offsets of one buffer, so that the matrix of all
//! patches is never stored: only the part that is used next is copied into rows without gaps.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::ops::simd::Float;

/// Positions of a result, image by image and row by row, and where each lies in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    images: usize,
    rows: usize,
    width: usize,
    /// From one image or row to the next in the buffer.
    image: usize,
    pitch: usize,
}

/// Positions that lie one after another in the buffer.
struct Piece {
    /// The first one's place in the buffer.
    from: usize,
    /// The first one's place among the positions.
    to: usize,
    count: usize,
}

impl Positions {
    pub fn new(images: usize, [rows, width]: [usize; 2], image: usize, pitch: usize) -> Self {
        // Rows without a gap between them are one.
        let (rows, width) = if pitch == width {
            (1, rows * width)
        } else {
            (rows, width)
        };
        Self {
            images,
            rows,
            width,
            image,
            pitch,
        }
    }

    pub fn count(&self) -> usize {
        self.images * self.per_image()
    }

    fn per_image(&self) -> usize {
        self.rows * self.width
    }

    #[inline(always)]
    fn place(&self, position: usize) -> usize {
        let (row, column) = (position / self.width, position % self.width);
        row / self.rows * self.image + row % self.rows * self.pitch + column
    }

    /// The positions from `start` on, `count` of them or fewer at the end, in pieces of at most
    /// `longest`.
    fn pieces(&self, start: usize, count: usize, longest: usize, pieces: &mut Vec<Piece>) {
        pieces.clear();
        let end = self.count().min(start + count);
        let mut at = start;
        while at < end {
            let count = (self.width - at % self.width).min(longest).min(end - at);
            pieces.push(Piece {
                from: self.place(at),
                to: at - start,
                count,
            });
            at += count;
        }
    }
}

/// Rows of the left factor that one pass of [`Product`] takes, and of the last pass if no more are
/// left: a tile of the result, a row's vectors and one number of the left factor fill the
/// registers.
const WIDE: [usize; 2] = [8, 4];
const NARROW: [usize; 2] = [4, 2];
/// Vectors of a row in a tile.
const VECTORS: usize = 3;

/// The left factor, `rows` of `terms` numbers each, in the order in which [`Product`] reads it.
pub(super) struct Left<T> {
    rows: usize,
    /// Blocks of (terms, rows of the block), filled up with zeros.
    blocks: Vec<T>,
}

impl<T: Float> Left<T> {
    /// `fill(first, rows, block)` writes the numbers of the rows from `first` on, so many of each
    /// term side by side.
    pub fn new(
        arch: Arch,
        rows: usize,
        terms: usize,
        fill: impl Fn(usize, usize, &mut [T]) + Sync,
    ) -> Self {
        let [most, few] = arch.dispatch(Blocks);
        let rest = rows % most;
        let rest = if rest == 0 || rest > few {
            rest.next_multiple_of(most)
        } else {
            few
        };
        let mut blocks = vec![T::zero(); (rows / most * most + rest) * terms];
        let at_once = BLOCKS.div_ceil(most * terms);
        blocks
            .par_chunks_mut(at_once * most * terms)
            .enumerate()
            .for_each(|(part, blocks)| {
                for (number, block) in blocks.chunks_mut(most * terms).enumerate() {
                    fill((part * at_once + number) * most, block.len() / terms, block);
                }
            });
        Self { rows, blocks }
    }
}

/// Numbers of a left factor that a thread should take at least, so that it lasts some ten
/// microseconds.
const BLOCKS: usize = 20_000;

struct Blocks;

impl WithSimd for Blocks {
    type Output = [usize; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [usize; 2] {
        if S::REGISTER_COUNT < 32 { NARROW } else { WIDE }
    }
}

/// Where a product goes: the rows of some buffers, one number a position.
pub(super) struct Target<'a, 'b, T> {
    pub images: &'a mut [&'b mut [T]],
    /// Positions in each buffer: those of an image, or more.
    pub positions: usize,
    /// The first row's first position, and from one row to the next.
    pub start: usize,
    pub row: usize,
}

/// C\[m, q\] = Σ_k A\[m, k\]·B\[b_offsets\[k\] + place of q\].
pub(super) struct Product<'a, 'b, T> {
    pub a: &'a Left<T>,
    pub b: &'a [T],
    pub b_offsets: &'a [usize],
    pub positions: Positions,
    pub c: Target<'a, 'b, T>,
    /// Scratch memory.
    pub panel: &'a mut Vec<T>,
}

/// Terms of a sum taken at a time, and tiles of C: a block of A stays in the first cache, the panel
/// of B in the second.
const DEPTH: usize = 320;
const TILES: usize = 9;
/// Numbers of the largest vector, and so of the largest piece that is copied at a time.
const LANES: usize = 16;

impl<T: Float> WithSimd for Product<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 {
            self.run::<S, { NARROW[0] }, { NARROW[1] }>(simd);
        } else {
            self.run::<S, { WIDE[0] }, { WIDE[1] }>(simd);
        }
    }
}

/// Some vectors of C, and the terms of their sums that are taken now.
#[derive(Clone, Copy)]
struct Tile {
    first_term: usize,
    terms: usize,
    /// First position, and where the rows of B lie in the panel.
    start: usize,
    panel: usize,
}

impl<T: Float> Product<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const HALF: usize>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
        let (terms, total) = (self.b_offsets.len(), self.positions.count());
        let depth = terms.div_ceil(terms.div_ceil(DEPTH).max(1)).max(1);
        // To copy B joins vectors that lie in parts.
        let copied = !self.positions.width.is_multiple_of(lanes);
        let mut panel = std::mem::take(self.panel);
        let mut aligned = 0;
        if copied {
            panel.resize(TILES * VECTORS * lanes * depth + 5 * LANES, T::zero());
            aligned = panel.as_ptr().align_offset(64).min(LANES);
        }
        let panel_numbers = &mut panel[aligned..];
        let mut pieces = Vec::new();
        for start in (0..total).step_by(TILES * VECTORS * lanes) {
            let vectors = (total - start).min(TILES * VECTORS * lanes).div_ceil(lanes);
            for first_term in (0..terms).step_by(depth) {
                let tile = |number: usize| Tile {
                    first_term,
                    terms: depth.min(terms - first_term),
                    start: start + number * VECTORS * lanes,
                    panel: number * VECTORS * lanes * depth,
                };
                let tiles = vectors.div_ceil(VECTORS);
                for number in 0..if copied { tiles } else { 0 } {
                    let width = lanes * (vectors - number * VECTORS).min(VECTORS);
                    self.pack(tile(number), width, &mut pieces, panel_numbers);
                }
                let panel = copied.then_some(&*panel_numbers);
                for row in (0..self.a.rows).step_by(M) {
                    for number in 0..tiles {
                        let (tile, half) = (tile(number), self.a.rows - row <= HALF);
                        match (vectors - number * VECTORS, half) {
                            (1, false) => self.tile::<S, M, 1>(simd, tile, row, panel),
                            (2, false) => self.tile::<S, M, 2>(simd, tile, row, panel),
                            (_, false) => self.tile::<S, M, VECTORS>(simd, tile, row, panel),
                            (1, true) => self.tile::<S, HALF, 1>(simd, tile, row, panel),
                            (2, true) => self.tile::<S, HALF, 2>(simd, tile, row, panel),
                            (_, true) => self.tile::<S, HALF, VECTORS>(simd, tile, row, panel),
                        }
                    }
                }
            }
        }
        *self.panel = panel;
    }

    /// Copies a tile's `width` numbers of each row of B, one row after the other.
    #[inline(always)]
    fn pack(&self, tile: Tile, width: usize, pieces: &mut Vec<Piece>, panel: &mut [T]) {
        let panel = &mut panel[tile.panel..];
        match self.positions.width {
            0..=4 => self.pack_pieces::<4>(tile, width, pieces, panel),
            5..=8 => self.pack_pieces::<8>(tile, width, pieces, panel),
            _ => self.pack_pieces::<LANES>(tile, width, pieces, panel),
        }
    }

    /// Copies the tile in pieces of at most W. All W numbers are copied where there are so many,
    /// since that is one instruction; what is too much is overwritten by the next piece.
    #[inline(always)]
    fn pack_pieces<const W: usize>(
        &self,
        tile: Tile,
        width: usize,
        pieces: &mut Vec<Piece>,
        panel: &mut [T],
    ) {
        self.positions.pieces(tile.start, width, W, pieces);
        let offsets = &self.b_offsets[tile.first_term..][..tile.terms];
        for (offset, row) in offsets.iter().zip((0..).step_by(width)) {
            for piece in pieces.iter() {
                let (from, to) = (offset + piece.from, row + piece.to);
                match self.b.get(from..from + W) {
                    Some(numbers) => panel[to..to + W].copy_from_slice(numbers),
                    None => panel[to..to + piece.count]
                        .copy_from_slice(&self.b[from..from + piece.count]),
                }
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        tile: Tile,
        row: usize,
        panel: Option<&[T]>,
    ) {
        let lanes = T::lanes::<S>();
        let a =
            &self.a.blocks[row * self.b_offsets.len() + M * tile.first_term..][..M * tile.terms];
        let sums = match panel {
            Some(panel) => {
                let rows = &panel[tile.panel..][..N * lanes * tile.terms];
                multiply::<T, S, M, N>(
                    simd,
                    a,
                    T::vectors::<S>(rows).as_chunks::<N>().0.iter().copied(),
                )
            }
            None => {
                let places: [_; N] =
                    std::array::from_fn(|j| self.positions.place(tile.start + j * lanes));
                let offsets = &self.b_offsets[tile.first_term..][..tile.terms];
                let vectors = |offset| {
                    std::array::from_fn(|j| {
                        T::vectors::<S>(&self.b[offset + places[j]..][..lanes])[0]
                    })
                };
                multiply::<T, S, M, N>(simd, a, offsets.iter().map(vectors))
            }
        };
        let add = tile.first_term > 0;
        let per_image = self.c.positions;
        let (image, at) = (tile.start / per_image, tile.start % per_image);
        let start = self.c.start + row * self.c.row + at;
        if at + N * lanes <= per_image {
            // All indices known to the compiler, so that the sums stay in registers.
            let c = &mut self.c.images[image][start..];
            for (i, sums) in sums.iter().enumerate() {
                if row + i >= self.a.rows {
                    return;
                }
                let c = T::vectors_mut::<S>(&mut c[i * self.c.row..][..N * lanes]);
                for j in 0..N {
                    c[j] = if add {
                        T::plus(simd, c[j], sums[j])
                    } else {
                        sums[j]
                    };
                }
            }
            return;
        }
        // Through memory, of which a part's place need not be known to the compiler.
        let mut buffer = [T::zero(); WIDE[0] * VECTORS * LANES];
        if let Some(all) = T::vectors_mut::<S>(&mut buffer)
            .as_chunks_mut::<N>()
            .0
            .first_chunk_mut::<M>()
        {
            *all = sums;
        }
        let total = self.positions.count();
        for (i, numbers) in buffer
            .chunks_exact(N * lanes)
            .enumerate()
            .take(M.min(self.a.rows - row))
        {
            for (j, sum) in T::vectors::<S>(numbers).iter().enumerate() {
                let position = tile.start + j * lanes;
                let (image, at) = (position / per_image, position % per_image);
                if at + lanes > per_image || position >= total {
                    self.put_in_parts(&numbers[j * lanes..][..lanes], position, row + i, add);
                    continue;
                }
                let c = &mut self.c.images[image][self.c.start + (row + i) * self.c.row + at..]
                    [..lanes];
                let c = &mut T::vectors_mut::<S>(c)[0];
                *c = if add { T::plus(simd, *c, *sum) } else { *sum };
            }
        }
    }

    /// A vector that goes over the end of an image.
    fn put_in_parts(&mut self, mut numbers: &[T], mut position: usize, row: usize, add: bool) {
        let (per_image, total) = (self.c.positions, self.positions.count());
        while !numbers.is_empty() && position < total {
            let (image, at) = (position / per_image, position % per_image);
            let (now, later) = numbers.split_at((per_image - at).min(numbers.len()));
            let c = &mut self.c.images[image][self.c.start + row * self.c.row + at..][..now.len()];
            if add {
                c.iter_mut().zip(now).for_each(|(c, sum)| *c += *sum);
            } else {
                c.copy_from_slice(now);
            }
            position += now.len();
            numbers = later;
        }
    }
}

/// A tile of the product: M rows of A with N vectors of each row of B.
#[inline(always)]
fn multiply<T: Float, S: Simd, const M: usize, const N: usize>(
    simd: S,
    a: &[T],
    b: impl Iterator<Item = [T::Vector<S>; N]>,
) -> [[T::Vector<S>; N]; M] {
    let mut sums = [[T::splat(simd, T::zero()); N]; M];
    for (a, b) in a.as_chunks::<M>().0.iter().zip(b) {
        for i in 0..M {
            let a = T::splat(simd, a[i]);
            for j in 0..N {
                sums[i][j] = T::mul_add(simd, a, b[j], sums[i][j]);
            }
        }
    }
    sums
}

/// out\[k, o\] += Σ_q X\[x_offsets\[k\] + place of q\]·Y\[q, o\].
pub(super) struct Outer<'a, T> {
    pub x: &'a [T],
    pub x_offsets: &'a [usize],
    pub positions: Positions,
    /// Tiles of (positions, `tile` outputs), the last one filled up with zeros.
    pub y: &'a [T],
    pub tile: usize,
    /// (k, outputs of all tiles)
    pub out: &'a mut [T],
}

/// Outputs of a tile of Y: as few tiles as three of the largest vectors make, equally wide.
pub(super) fn outer_tile(outputs: usize) -> usize {
    let vectors = outputs.div_ceil(LANES);
    vectors.div_ceil(vectors.div_ceil(VECTORS)) * LANES
}

/// Positions at a time: their X and Y stay in the second cache.
const POSITIONS: usize = 512;

impl<T: Float> WithSimd for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 {
            self.run::<S, 4>(simd)
        } else {
            self.run::<S, 8>(simd)
        }
    }
}

impl<T: Float> Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let (count, tile) = (self.positions.count(), self.tile);
        let width = self.out.len() / self.x_offsets.len();
        let mut pieces = Vec::new();
        for start in (0..count).step_by(POSITIONS) {
            self.positions
                .pieces(start, POSITIONS, POSITIONS, &mut pieces);
            for (x_offsets, out) in self.x_offsets.chunks(M).zip(self.out.chunks_mut(M * width)) {
                // A block's missing rows repeat the last one; their sums are dropped.
                let offsets: [_; M] =
                    std::array::from_fn(|k| x_offsets[k.min(x_offsets.len() - 1)]);
                for (number, y) in self.y.chunks(count * tile).enumerate() {
                    for first in (0..tile).step_by(VECTORS * lanes) {
                        let part = Part {
                            x: self.x,
                            offsets,
                            pieces: &pieces,
                            y: &y[start * tile..],
                            tile,
                            first,
                        };
                        let out = (&mut *out, number * tile + first, width);
                        match (tile - first) / lanes {
                            1 => part.add::<S, 1>(simd, out),
                            2 => part.add::<S, 2>(simd, out),
                            _ => part.add::<S, VECTORS>(simd, out),
                        }
                    }
                }
            }
        }
    }
}

/// Some rows of X with some vectors of a tile of Y.
struct Part<'a, T, const M: usize> {
    x: &'a [T],
    offsets: [usize; M],
    pieces: &'a [Piece],
    y: &'a [T],
    tile: usize,
    first: usize,
}

impl<T: Float, const M: usize> Part<'_, T, M> {
    /// To rows of `width` numbers, from number `at` on.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(self, simd: S, (out, at, width): (&mut [T], usize, usize)) {
        let lanes = T::lanes::<S>();
        let mut sums = [[T::splat(simd, T::zero()); N]; M];
        for piece in self.pieces {
            let x: [_; M] =
                std::array::from_fn(|k| &self.x[self.offsets[k] + piece.from..][..piece.count]);
            let y = &self.y[piece.to * self.tile..][..piece.count * self.tile];
            for q in 0..piece.count {
                let y = T::vectors::<S>(&y[q * self.tile + self.first..][..N * lanes]);
                for k in 0..M {
                    let x = T::splat(simd, x[k][q]);
                    for j in 0..N {
                        sums[k][j] = T::mul_add(simd, x, y[j], sums[k][j]);
                    }
                }
            }
        }
        for (k, sums) in sums.iter().enumerate() {
            let Some(out) = out.get_mut(k * width + at..k * width + at + N * lanes) else {
                return;
            };
            let out = T::vectors_mut::<S>(out);
            for j in 0..N {
                out[j] = T::plus(simd, out[j], sums[j]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path that this processor can take.
    fn paths() -> Vec<Arch> {
        #[allow(unused_mut)]
        let mut paths = vec![Arch::Scalar, Arch::new()];
        #[cfg(target_arch = "x86_64")]
        paths.extend(pulp::x86::V3::try_new().map(Arch::V3));
        paths
    }

    fn numbers(count: usize, start: usize) -> Vec<f64> {
        (start..start + count).map(|n| (n as f64).sin()).collect()
    }

    /// (images, rows, columns) with gaps after rows and images, and without.
    const POSITIONS: [[usize; 3]; 8] = [
        [1, 1, 1],
        [1, 1, 17],
        [3, 7, 7],
        [5, 4, 4],
        [2, 8, 8],
        [2, 5, 16],
        [1, 9, 50],
        [7, 1, 16],
    ];

    /// The positions in a buffer, where each lies in it, and the buffer's size.
    fn positions([images, rows, width]: [usize; 3], gap: usize) -> (Positions, Vec<usize>, usize) {
        let (pitch, image) = (width + gap, rows * (width + gap) + gap);
        let rows_of = |n: usize| {
            (0..rows).flat_map(move |y| (0..width).map(move |x| n * image + y * pitch + x))
        };
        let places = (0..images).flat_map(rows_of).collect();
        (
            Positions::new(images, [rows, width], image, pitch),
            places,
            images * image,
        )
    }

    #[test]
    fn positions_lie_where_they_are_said_to() {
        for (shape, gap) in POSITIONS
            .into_iter()
            .flat_map(|shape| [(shape, 0), (shape, 3)])
        {
            let (positions, places, _) = positions(shape, gap);
            assert_eq!(
                (0..positions.count())
                    .map(|q| positions.place(q))
                    .collect::<Vec<_>>(),
                places
            );
            let mut pieces = Vec::new();
            for (start, longest) in [(0, 16), (places.len() / 2, 5)] {
                positions.pieces(start, 48, longest, &mut pieces);
                let found: Vec<_> = pieces
                    .iter()
                    .flat_map(|piece| piece.from..piece.from + piece.count)
                    .collect();
                assert_eq!(found, places[start..places.len().min(start + 48)]);
            }
        }
    }

    #[test]
    fn products_of_rows_in_place() {
        for (arch, shape, gap) in paths()
            .into_iter()
            .flat_map(|arch| POSITIONS.map(|shape| (arch, shape, shape[2] % 3)))
        {
            let (positions, places, size) = positions(shape, gap);
            let [images, rows, width] = shape;
            for (outputs, terms) in [(1, 1), (3, 5), (4, 330), (8, 3), (13, 700), (25, 17)] {
                let (a, b) = (numbers(outputs * terms, 7), numbers(size + terms, 0));
                let left = Left::new(arch, outputs, terms, |first, rows, block| {
                    for (index, number) in block.iter_mut().enumerate() {
                        let (term, row) = (index / rows, first + index % rows);
                        *number = a.get(row * terms + term).copied().unwrap_or(f64::NAN);
                    }
                });
                // One number before each image's rows, and one after each row.
                let row = rows * width + 1;
                let mut c = vec![9.; images * (1 + outputs * row)];
                let mut by_image: Vec<_> = c.chunks_mut(1 + outputs * row).collect();
                arch.dispatch(Product {
                    a: &left,
                    b: &b,
                    b_offsets: &(0..terms).collect::<Vec<_>>(),
                    positions,
                    c: Target {
                        images: &mut by_image,
                        positions: rows * width,
                        start: 1,
                        row,
                    },
                    panel: &mut Vec::new(),
                });
                for (image, c) in by_image.iter().enumerate() {
                    assert_eq!(c[0], 9.);
                    for (output, c) in c[1..].chunks(row).enumerate() {
                        assert_eq!(c[row - 1], 9.);
                        for (place, c) in places[image * (row - 1)..].iter().zip(&c[..row - 1]) {
                            let sum: f64 = (0..terms)
                                .map(|term| a[output * terms + term] * b[term + place])
                                .sum();
                            assert!(
                                (c - sum).abs() < 1e-11,
                                "{arch:?} {shape:?} {outputs} {terms}: {c} {sum}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn outer_products_of_rows_in_place() {
        for (arch, shape, gap) in paths()
            .into_iter()
            .flat_map(|arch| POSITIONS.map(|shape| (arch, shape, shape[2] % 3)))
        {
            let (positions, places, size) = positions(shape, gap);
            for (rows, outputs) in [(1, 1), (7, 5), (13, 16), (9, 70), (8, 130)] {
                let tile = outer_tile(outputs);
                let width = outputs.next_multiple_of(tile);
                let x = numbers(size + rows, 0);
                let y = numbers(width * places.len(), 5);
                let mut out = vec![1.; rows * width];
                let x_offsets: Vec<_> = (0..rows).collect();
                arch.dispatch(Outer {
                    x: &x,
                    x_offsets: &x_offsets,
                    positions,
                    y: &y,
                    tile,
                    out: &mut out,
                });
                for (index, out) in out.iter().enumerate() {
                    let (row, output) = (index / width, index % width);
                    let y = &y[output / tile * tile * places.len() + output % tile..];
                    let terms = places
                        .iter()
                        .zip(y.iter().step_by(tile))
                        .map(|(place, y)| x[row + place] * y);
                    let expected: f64 = 1. + terms.sum::<f64>();
                    assert!(
                        (out - expected).abs() < 1e-11,
                        "{arch:?} {shape:?} {rows} {outputs}: {out} {expected}"
                    );
                }
            }
        }
    }
}
