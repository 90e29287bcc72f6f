//! A block of rows of the isometric loss: distances from a few points of a cell to all of it, and what follows from them.
//!
//! Two ways through a cell. *By feature*: the cell is transposed once and a vector holds one feature of many points, so a
//! feature costs two operations for the distance and two for the gradient. *By point*: a vector holds many features of
//! one point, and a distance ends in a sum across the vector; better for a few points with many features. Differences
//! are formed before they are weighted: Σ_j w_j (z_i − z_j) as z_i Σ w_j − Σ w_j z_j would cancel where points are near
//! each other, and there the weights are largest.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::ops::simd::Float;

/// Points whose distances to the cell are formed together: two times four, as four times two vectors and what is needed
/// beside them fit into the registers.
pub(super) const ROWS: usize = 8;
const FOUR: usize = 4;
/// Points of the cell at a time; with twenty features they fit into the first-level cache.
const TILE: usize = 256;
/// By feature the points of a cell are filled up to a multiple of this, two of the widest vectors.
const POINTS: usize = 32;
/// By point the features are filled up to a multiple of this, the widest vector.
const FEATURES: usize = 16;

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
        Self { values, start, length }
    }

    fn get(&self) -> &[T] {
        &self.values[self.start..self.start + self.length]
    }

    fn get_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.length]
    }
}

/// A matrix by rows, which may be longer than the matrix is wide: then zeros follow.
pub(super) struct Rows<'a, T: Clone> {
    values: Cow<'a, [T]>,
    pub(super) width: usize,
    stride: usize,
}

impl<'a, T: Float> Rows<'a, T> {
    pub(super) fn new(values: &'a [T], width: usize) -> Self {
        Self { values: Cow::Borrowed(values), width, stride: width }
    }

    /// Fills up the rows for a walk by point.
    fn pad(&mut self) {
        let stride = self.width.next_multiple_of(FEATURES);
        if stride > self.stride {
            let mut padded = vec![T::zero(); self.values.len() / self.width * stride];
            for (to, from) in padded.chunks_exact_mut(stride).zip(self.values.chunks_exact(self.width)) {
                to[..self.width].copy_from_slice(from);
            }
            (self.values, self.stride) = (Cow::Owned(padded), stride);
        }
    }

    #[inline(always)]
    fn row(&self, index: u32) -> &[T] {
        &self.values[index as usize * self.stride..][..self.stride]
    }
}

/// The points of one cell.
pub(super) struct Points<'a, T: Clone> {
    rows: &'a Rows<'a, T>,
    members: &'a [u32],
    /// By feature: tile after tile, each feature after feature.
    tiles: Option<Aligned<T>>,
}

/// Whether a cell of `n` points with `width` features is walked by feature: the cheaper way, in operations a pair.
fn by_feature(n: usize, width: usize) -> bool {
    /// The sum across a vector.
    const ACROSS: usize = 8 * FEATURES;
    width * n.next_multiple_of(POINTS) <= (width.next_multiple_of(FEATURES) + ACROSS) * n
}

/// Fills up the rows if some cell is walked by point.
pub(super) fn prepare<'a, T: Float>(rows: &mut Rows<'_, T>, mut cells: impl Iterator<Item = &'a [u32]>) {
    if rows.width > 0 && cells.any(|cell| !by_feature(cell.len(), rows.width)) {
        rows.pad();
    }
}

impl<'a, T: Float> Points<'a, T> {
    /// Rows that went through [`prepare`], and the members of one of its cells.
    pub(super) fn new(rows: &'a Rows<'a, T>, members: &'a [u32]) -> Self {
        let tiles = by_feature(members.len(), rows.width).then(|| {
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
        Self { rows, members, tiles }
    }

    /// The features of the cell's points from `start` on, `padded` numbers each.
    #[inline(always)]
    fn tile<'t>(&self, tiles: &'t Aligned<T>, start: usize, padded: usize) -> &'t [T] {
        &tiles.get()[start * self.rows.width..][..padded * self.rows.width]
    }

    /// Numbers that the sums of a block need.
    fn room(&self) -> usize {
        let width = self.rows.width;
        ROWS * if self.tiles.is_some() { width * FEATURES } else { width.next_multiple_of(FEATURES) }
    }
}

/// What a block needs on the side of `x` or of `z`.
struct Side<T> {
    /// Rows of [`TILE`]: first distances, then weights.
    tile: Aligned<T>,
    /// By feature, the block's own points: of every four, feature by feature.
    near: Vec<[T; FOUR]>,
    /// Σ_j w_j (z_i − z_j), in vectors that are not summed yet.
    sums: Aligned<T>,
}

impl<T: Float> Side<T> {
    fn new(cells: &[Points<'_, T>]) -> Self {
        let room = cells.iter().map(Points::room).max().unwrap_or(0);
        let width = cells.first().map_or(0, |points| points.rows.width);
        Self {
            tile: Aligned::zeros(ROWS * TILE),
            near: vec![[T::zero(); FOUR]; ROWS / FOUR * width],
            sums: Aligned::zeros(room),
        }
    }

    /// Begins a block with the points `block` of the cell.
    #[inline(always)]
    fn begin(&mut self, points: &Points<'_, T>, block: [u32; ROWS]) {
        self.sums.get_mut().fill(T::zero());
        if points.tiles.is_some() {
            let width = points.rows.width;
            for (row, &member) in block.iter().enumerate() {
                for (near, &value) in self.near[row / FOUR * width..].iter_mut().zip(&points.rows.row(member)[..width])
                {
                    near[row % FOUR] = value;
                }
            }
        }
    }

    /// The distances from four points of the block to those from `start` on.
    #[inline(always)]
    fn distances<S: Simd>(&mut self, simd: S, points: &Points<'_, T>, block: [u32; ROWS], four: usize, part: Part) {
        let out = &mut self.tile.get_mut()[four * FOUR * TILE..][..FOUR * TILE];
        let width = points.rows.width;
        match &points.tiles {
            Some(tiles) => {
                let near = &self.near[four * width..][..width];
                distances_by_feature(simd, points.tile(tiles, part.start, part.padded), part.padded, near, out);
            }
            None => {
                let others = &points.members[part.start..part.start + part.length];
                distances_by_point(simd, points.rows, chosen(block, four), others, out);
            }
        }
    }

    /// Adds the weighted differences of four points of the block to those from `start` on.
    #[inline(always)]
    fn add_differences<S: Simd>(
        &mut self,
        simd: S,
        points: &Points<'_, T>,
        block: [u32; ROWS],
        four: usize,
        part: Part,
    ) {
        let weights = &self.tile.get()[four * FOUR * TILE..][..FOUR * TILE];
        let width = points.rows.width;
        match &points.tiles {
            Some(tiles) => {
                let near = &self.near[four * width..][..width];
                let size = FOUR * width * T::lanes::<S>();
                let sums = T::vectors_mut::<S>(&mut self.sums.get_mut()[four * size..][..size]);
                let stride = part.padded / T::lanes::<S>();
                let tile = T::vectors::<S>(points.tile(tiles, part.start, part.padded));
                let even = width / 2 * 2;
                for feature in (0..even).step_by(2) {
                    add_by_feature::<S, T, 2>(simd, tile, stride, near, weights, sums, feature);
                }
                if even < width {
                    add_by_feature::<S, T, 1>(simd, tile, stride, near, weights, sums, even);
                }
            }
            None => {
                let stride = points.rows.stride;
                let others = &points.members[part.start..part.start + part.length];
                let sums = &mut self.sums.get_mut()[four * FOUR * stride..][..FOUR * stride];
                let own = chosen(block, four);
                let vectors = stride / T::lanes::<S>();
                let even = vectors / 2 * 2;
                for vector in (0..even).step_by(2) {
                    add_by_point::<S, T, 2>(simd, points.rows, own, others, weights, sums, vector);
                }
                if even < vectors {
                    add_by_point::<S, T, 1>(simd, points.rows, own, others, weights, sums, even);
                }
            }
        }
    }

    /// Writes the sums of the block's first points, as many as `gradient` has rows.
    #[inline(always)]
    fn finish<S: Simd>(&self, simd: S, points: &Points<'_, T>, gradient: &mut [T]) {
        let width = points.rows.width;
        if points.tiles.is_some() {
            let sums = T::vectors::<S>(self.sums.get());
            for (row, gradient) in gradient.chunks_exact_mut(width).enumerate() {
                for (feature, gradient) in gradient.iter_mut().enumerate() {
                    *gradient = T::sum_across(simd, sums[(row / FOUR * width + feature) * FOUR + row % FOUR]);
                }
            }
        } else {
            for (gradient, sums) in gradient.chunks_exact_mut(width).zip(self.sums.get().chunks(points.rows.stride)) {
                gradient.copy_from_slice(&sums[..width]);
            }
        }
    }
}

/// A tile's first point, its points, and these filled up for the vectors.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    length: usize,
    padded: usize,
}

#[inline(always)]
fn chosen(block: [u32; ROWS], four: usize) -> [u32; FOUR] {
    let mut chosen = [0; FOUR];
    chosen.copy_from_slice(&block[four * FOUR..][..FOUR]);
    chosen
}

#[inline(always)]
fn distances_by_feature<S: Simd, T: Float>(simd: S, tile: &[T], padded: usize, near: &[[T; FOUR]], out: &mut [T]) {
    let stride = padded / T::lanes::<S>();
    let tile = T::vectors::<S>(tile);
    let out_stride = TILE / T::lanes::<S>();
    let out = T::vectors_mut::<S>(out);
    for vector in (0..stride).step_by(2) {
        let mut sums = [[T::splat(simd, T::zero()); 2]; FOUR];
        for (feature, near) in tile.chunks_exact(stride).zip(near) {
            let (a, b) = (feature[vector], feature[vector + 1]);
            for row in 0..FOUR {
                let point = T::splat(simd, near[row]);
                let (a, b) = (T::minus(simd, a, point), T::minus(simd, b, point));
                sums[row][0] = T::mul_add(simd, a, a, sums[row][0]);
                sums[row][1] = T::mul_add(simd, b, b, sums[row][1]);
            }
        }
        for row in 0..FOUR {
            out[row * out_stride + vector] = T::sqrt(simd, sums[row][0]);
            out[row * out_stride + vector + 1] = T::sqrt(simd, sums[row][1]);
        }
    }
}

#[inline(always)]
fn distances_by_point<S: Simd, T: Float>(simd: S, rows: &Rows<'_, T>, own: [u32; FOUR], others: &[u32], out: &mut [T]) {
    let mut near = [T::vectors::<S>(rows.row(own[0])); FOUR];
    for row in 1..FOUR {
        near[row] = T::vectors::<S>(rows.row(own[row]));
    }
    for (pair, others) in others.chunks(2).enumerate() {
        // An odd one is its own partner; the second result is overwritten with zeros later.
        let [a, b] = [others[0], others[others.len() - 1]].map(|other| T::vectors::<S>(rows.row(other)));
        let mut sums = [[T::splat(simd, T::zero()); 2]; FOUR];
        for (vector, (&a, &b)) in a.iter().zip(b).enumerate() {
            for row in 0..FOUR {
                let point = near[row][vector];
                let (a, b) = (T::minus(simd, a, point), T::minus(simd, b, point));
                sums[row][0] = T::mul_add(simd, a, a, sums[row][0]);
                sums[row][1] = T::mul_add(simd, b, b, sums[row][1]);
            }
        }
        for row in 0..FOUR {
            out[row * TILE + 2 * pair] = T::sum_across(simd, sums[row][0]).root();
            out[row * TILE + 2 * pair + 1] = T::sum_across(simd, sums[row][1]).root();
        }
    }
}

/// `K` features of four points.
#[inline(always)]
fn add_by_feature<S: Simd, T: Float, const K: usize>(
    simd: S,
    tile: &[T::Vector<S>],
    stride: usize,
    near: &[[T; FOUR]],
    weights: &[T],
    sums: &mut [T::Vector<S>],
    feature: usize,
) {
    let mut features = [&tile[..0]; K];
    let mut weight_rows = [&tile[..0]; FOUR];
    let mut points = [[T::splat(simd, T::zero()); FOUR]; K];
    let mut totals = points;
    for row in 0..FOUR {
        weight_rows[row] = &T::vectors::<S>(&weights[row * TILE..][..TILE])[..stride];
    }
    for k in 0..K {
        features[k] = &tile[(feature + k) * stride..][..stride];
        for row in 0..FOUR {
            points[k][row] = T::splat(simd, near[feature + k][row]);
            totals[k][row] = sums[(feature + k) * FOUR + row];
        }
    }
    for vector in 0..stride {
        for k in 0..K {
            let other = features[k][vector];
            for row in 0..FOUR {
                let difference = T::minus(simd, points[k][row], other);
                totals[k][row] = T::mul_add(simd, weight_rows[row][vector], difference, totals[k][row]);
            }
        }
    }
    for (k, totals) in totals.iter().enumerate() {
        sums[(feature + k) * FOUR..][..FOUR].copy_from_slice(totals);
    }
}

/// `K` vectors of features of four points.
#[inline(always)]
fn add_by_point<S: Simd, T: Float, const K: usize>(
    simd: S,
    rows: &Rows<'_, T>,
    own: [u32; FOUR],
    others: &[u32],
    weights: &[T],
    sums: &mut [T],
    vector: usize,
) {
    let mut points = [[T::splat(simd, T::zero()); FOUR]; K];
    let mut totals = points;
    for row in 0..FOUR {
        for k in 0..K {
            points[k][row] = T::vectors::<S>(rows.row(own[row]))[vector + k];
            totals[k][row] = T::vectors::<S>(&sums[row * rows.stride..][..rows.stride])[vector + k];
        }
    }
    for (j, &other) in others.iter().enumerate() {
        let other = &T::vectors::<S>(rows.row(other))[vector..vector + K];
        for row in 0..FOUR {
            let weight = T::splat(simd, weights[row * TILE + j]);
            for k in 0..K {
                let difference = T::minus(simd, points[k][row], other[k]);
                totals[k][row] = T::mul_add(simd, weight, difference, totals[k][row]);
            }
        }
    }
    for (row, sums) in sums.chunks_exact_mut(rows.stride).enumerate() {
        let sums = &mut T::vectors_mut::<S>(sums)[vector..vector + K];
        sums.iter_mut().zip(&totals).for_each(|(sum, totals)| *sum = totals[row]);
    }
}

/// Where D_M comes from.
pub(super) enum Target<'a, T: Clone> {
    /// From the inputs; a cell each.
    Points(Vec<Points<'a, T>>),
    /// The matrix, rows of this many numbers.
    Matrix(&'a [T], usize),
    /// A square for each cell, one after the other; where each begins.
    Pairs(&'a [T], Vec<usize>),
}

/// Memory of one thread.
pub(super) struct Scratch<T> {
    x: Side<T>,
    z: Side<T>,
}

impl<T: Float> Scratch<T> {
    pub(super) fn new(target: &Target<'_, T>, z: &[Points<'_, T>]) -> Self {
        let x = if let Target::Points(cells) = target { cells.as_slice() } else { &[] };
        Self { x: Side::new(x), z: Side::new(z) }
    }
}

/// At most [`ROWS`] points of a cell, from `first` on.
pub(super) struct Block<'b, 'a, T: Clone> {
    pub(super) target: &'b Target<'a, T>,
    pub(super) z: &'b [Points<'a, T>],
    pub(super) cell: usize,
    pub(super) first: usize,
    pub(super) count: usize,
    /// 4/N².
    pub(super) factor: T,
    pub(super) scratch: &'b mut Scratch<T>,
    /// The rows of the gradients; empty where none is asked for.
    pub(super) gradient_x: &'b mut [T],
    pub(super) gradient_z: &'b mut [T],
}

impl<T: Float> WithSimd for Block<'_, '_, T> {
    /// Σ_j (d(x_i, x_j) − d(z_i, z_j))² over the block's points i.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { target, z, cell, first, count, factor, scratch, gradient_x, gradient_z } = self;
        let z = &z[cell];
        let members = z.members;
        let n = members.len();
        let x = if let Target::Points(cells) = target { Some(&cells[cell]) } else { None };
        // A last block that is not full repeats its last point.
        let mut block = [0; ROWS];
        for (row, member) in block.iter_mut().enumerate() {
            *member = members[first + row.min(count - 1)];
        }
        let fours = count.div_ceil(FOUR);
        let need = [!gradient_x.is_empty(), !gradient_z.is_empty()];
        scratch.z.begin(z, block);
        if let Some(x) = x {
            scratch.x.begin(x, block);
        }
        let mut total = 0.;
        for start in (0..n).step_by(TILE) {
            let length = TILE.min(n - start);
            let part = Part { start, length, padded: length.next_multiple_of(POINTS) };
            for four in 0..fours {
                scratch.z.distances(simd, z, block, four, part);
                if let Some(x) = x {
                    scratch.x.distances(simd, x, block, four, part);
                }
            }
            for row in 0..fours * FOUR {
                let dx = &mut scratch.x.tile.get_mut()[row * TILE..][..part.padded];
                let others = &members[start..start + length];
                match target {
                    Target::Points(_) => {}
                    Target::Matrix(matrix, width) => {
                        gather(&matrix[block[row] as usize * width..][..*width], others, dx)
                    }
                    Target::Pairs(pairs, starts) => {
                        let row = first + row.min(count - 1);
                        dx[..length].copy_from_slice(&pairs[starts[cell] + row * n + start..][..length]);
                    }
                }
                let dz = &mut scratch.z.tile.get_mut()[row * TILE..][..part.padded];
                dx[length..].fill(T::zero());
                dz[length..].fill(T::zero());
                let sum = weights(simd, factor, need, dx, dz);
                if row < count {
                    total += sum.to_f64();
                }
            }
            for four in 0..fours {
                if need[1] {
                    scratch.z.add_differences(simd, z, block, four, part);
                }
                if let (Some(x), true) = (x, need[0]) {
                    scratch.x.add_differences(simd, x, block, four, part);
                }
            }
        }
        if need[1] {
            scratch.z.finish(simd, z, gradient_z);
        }
        if let (Some(x), true) = (x, need[0]) {
            scratch.x.finish(simd, x, gradient_x);
        }
        total
    }
}

/// The numbers of a matrix's row at `columns`, which ascend.
#[inline(always)]
fn gather<T: Copy>(row: &[T], columns: &[u32], out: &mut [T]) {
    let (first, last) = (columns[0] as usize, columns[columns.len() - 1] as usize);
    if last - first + 1 == columns.len() {
        out[..columns.len()].copy_from_slice(&row[first..=last]);
    } else {
        for (out, &column) in out.iter_mut().zip(columns) {
            *out = row[column as usize];
        }
    }
}

/// Replaces distances by the weights of the differences in the gradients; returns Σ_j (d(x_i, x_j) − d(z_i, z_j))².
///
/// ∂L/∂x_i = (4/N²) Σ_j (d(x_i, x_j) − d(z_i, z_j)) (x_i − x_j)/d(x_i, x_j), as pairs (i, j) and (j, i) both count; for z
/// the sign changes. Where a distance is 0, so is the weight.
#[inline(always)]
fn weights<S: Simd, T: Float>(simd: S, factor: T, need: [bool; 2], dx: &mut [T], dz: &mut [T]) -> T {
    let [need_x, need_z] = need;
    let (plus, minus) = (T::splat(simd, factor), T::splat(simd, T::zero() - factor));
    let mut sum = T::splat(simd, T::zero());
    for (dx, dz) in T::vectors_mut::<S>(dx).iter_mut().zip(T::vectors_mut::<S>(dz)) {
        let difference = T::minus(simd, *dx, *dz);
        sum = T::mul_add(simd, difference, difference, sum);
        if need_x {
            *dx = T::zero_where_zero(simd, *dx, T::over(simd, T::times(simd, plus, difference), *dx));
        }
        if need_z {
            *dz = T::zero_where_zero(simd, *dz, T::over(simd, T::times(simd, minus, difference), *dz));
        }
    }
    T::sum_across(simd, sum)
}
