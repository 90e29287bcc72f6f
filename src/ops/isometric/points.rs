//! The points of a cell as the kernel reads them, and their gradients as it writes them.
//!
//! There are two loops over a cell. *By feature*: the cell is transposed once and a vector holds
//! one feature of many points, so a feature costs two operations for the distance and three for the
//! gradients. *By point*: a vector holds many features of one point, and a distance ends in a sum
//! across the vector; this is faster for a few points with many features.

use std::borrow::Cow;

use crate::ops::simd::Float;

/// Points of the cell at a time.
pub(super) const TILE: usize = 256;
/// Points whose distances to a tile the two walks form together.
pub(super) const FOUR: usize = 4;
/// By feature the points of a cell are filled up to a multiple of this, two of the widest vectors.
pub(super) const POINTS: usize = 32;
/// By point the features are filled up to a multiple of this, the widest vector.
pub(super) const FEATURES: usize = 16;

/// Numbers that begin at a multiple of 64 bytes, so that no vector lies across two cache lines.
pub(super) struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Float> Aligned<T> {
    pub(super) fn zeros(length: usize) -> Self {
        let spare = 64 / size_of::<T>();
        let values = vec![T::zero(); length + spare];
        let start = values.as_ptr().align_offset(64).min(spare);
        Self {
            values,
            start,
            length,
        }
    }

    #[inline(always)]
    pub(super) fn get(&self) -> &[T] {
        &self.values[self.start..self.start + self.length]
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.length]
    }
}

/// A matrix by rows, which may be longer than the matrix is wide: then zeros follow.
pub(super) struct Rows<'a, T: Clone> {
    values: Cow<'a, [T]>,
    pub(super) width: usize,
    pub(super) stride: usize,
}

impl<'a, T: Float> Rows<'a, T> {
    pub(super) fn new(values: &'a [T], width: usize) -> Self {
        Self {
            values: Cow::Borrowed(values),
            width,
            stride: width,
        }
    }

    /// Fills up the rows if one of the cells is walked by point.
    pub(super) fn prepare<'c>(&mut self, mut cells: impl Iterator<Item = &'c [u32]>) {
        if self.width > 0 && cells.any(|cell| !is_by_feature(cell.len(), self.width)) {
            self.pad();
        }
    }

    fn pad(&mut self) {
        let stride = self.width.next_multiple_of(FEATURES);
        if stride > self.stride {
            let mut padded = vec![T::zero(); self.values.len() / self.width * stride];
            for (to, from) in padded
                .chunks_exact_mut(stride)
                .zip(self.values.chunks_exact(self.width))
            {
                to[..self.width].copy_from_slice(from);
            }
            (self.values, self.stride) = (Cow::Owned(padded), stride);
        }
    }

    #[inline(always)]
    pub(super) fn row(&self, index: u32) -> &[T] {
        &self.values[index as usize * self.stride..][..self.stride]
    }
}

/// Whether a cell of `n` points with `width` features is walked by feature: the cheaper way, in
/// operations a pair.
fn is_by_feature(n: usize, width: usize) -> bool {
    /// The sum across a vector.
    const ACROSS: usize = 8 * FEATURES;
    width * n.next_multiple_of(POINTS) <= (width.next_multiple_of(FEATURES) + ACROSS) * n
}

/// The points of one cell.
pub(super) struct Points<'a, T: Clone> {
    pub(super) rows: &'a Rows<'a, T>,
    pub(super) members: &'a [u32],
    /// By feature: [`TILE`] after [`TILE`] of points, each feature after feature.
    tiles: Option<Aligned<T>>,
}

impl<'a, T: Float> Points<'a, T> {
    /// Rows that went through [`Rows::prepare`], and the members of one of its cells.
    pub(super) fn new(rows: &'a Rows<'a, T>, members: &'a [u32]) -> Self {
        let tiles = is_by_feature(members.len(), rows.width).then(|| {
            let mut tiles = Aligned::zeros(members.len().next_multiple_of(POINTS) * rows.width);
            let mut rest = tiles.get_mut();
            for members in members.chunks(TILE) {
                let padded = members.len().next_multiple_of(POINTS);
                let (tile, tail) = std::mem::take(&mut rest).split_at_mut(padded * rows.width);
                for (point, &member) in members.iter().enumerate() {
                    for (feature, &value) in rows.row(member)[..rows.width].iter().enumerate() {
                        tile[feature * padded + point] = value;
                    }
                }
                rest = tail;
            }
            tiles
        });
        Self {
            rows,
            members,
            tiles,
        }
    }

    pub(super) fn is_by_feature(&self) -> bool {
        self.tiles.is_some()
    }

    /// By feature, the tile in which `part` lies.
    #[inline(always)]
    pub(super) fn tile(&self, part: Part) -> Option<&[T]> {
        self.tiles
            .as_ref()
            .map(|tiles| part.of_tiles(tiles.get(), self.rows.width))
    }

    /// Numbers that a gradient needs, in the order of the points by feature or by point.
    pub(super) fn gradient_len(&self) -> usize {
        let n = self.members.len();
        if self.is_by_feature() {
            n.next_multiple_of(POINTS) * self.rows.width
        } else {
            n * self.rows.stride
        }
    }

    /// Writes the sum of `gradients`, rows of the cell's points from the `first` on, which is a
    /// multiple of [`TILE`].
    pub(super) fn sum_rows<'g>(
        &self,
        gradients: impl Iterator<Item = &'g [T]>,
        first: usize,
        rows: &mut [T],
    ) where
        T: 'g,
    {
        let (width, stride) = (self.rows.width, self.rows.stride);
        let part = Part::new(first, self.members.len());
        let parts = gradients.map(|gradient| {
            if self.is_by_feature() {
                part.of_tiles(gradient, width)
            } else {
                &gradient[first * stride..][..part.length * stride]
            }
        });
        let mut sums = Vec::new();
        for part in parts {
            if sums.is_empty() {
                sums.extend_from_slice(part);
            } else {
                sums.iter_mut()
                    .zip(part)
                    .for_each(|(sum, &value)| *sum += value);
            }
        }
        if self.is_by_feature() {
            for (feature, sums) in sums.chunks_exact(part.stride).enumerate() {
                for (row, &sum) in rows.chunks_exact_mut(width).zip(sums) {
                    row[feature] = sum;
                }
            }
        } else {
            for (row, sums) in rows.chunks_exact_mut(width).zip(sums.chunks_exact(stride)) {
                row.copy_from_slice(&sums[..width]);
            }
        }
    }
}

/// Some points of a tile.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// The first of them, in the cell.
    pub(super) start: usize,
    pub(super) length: usize,
    /// Filled up for the vectors.
    pub(super) padded: usize,
    /// The tile's first point, in the cell.
    tile: usize,
    /// The tile's points, filled up.
    pub(super) stride: usize,
}

impl Part {
    /// From `start` to the end of its tile, in a cell of `n` points.
    #[inline(always)]
    pub(super) fn new(start: usize, n: usize) -> Self {
        let tile = start / TILE * TILE;
        let in_tile = TILE.min(n - tile);
        let (length, stride) = (in_tile - (start - tile), in_tile.next_multiple_of(POINTS));
        Self {
            start,
            length,
            padded: length.next_multiple_of(POINTS),
            tile,
            stride,
        }
    }

    /// Where in the tile it begins.
    #[inline(always)]
    pub(super) fn offset(&self) -> usize {
        self.start - self.tile
    }

    #[inline(always)]
    fn of_tiles<'t, T>(&self, tiles: &'t [T], width: usize) -> &'t [T] {
        &tiles[self.tile * width..][..self.stride * width]
    }

    #[inline(always)]
    pub(super) fn of_tiles_mut<'t, T>(&self, tiles: &'t mut [T], width: usize) -> &'t mut [T] {
        &mut tiles[self.tile * width..][..self.stride * width]
    }
}
