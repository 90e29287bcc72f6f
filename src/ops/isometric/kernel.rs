//! A block of rows of the isometric loss: the distances from a few points of a cell to all points
//! after them, and their gradients.
//!
//! A pair is visited once and adds to the gradients of both points. Differences are taken before
//! they are weighted: in Σ_j w_j (z_i − z_j) = z_i Σ w_j − Σ w_j z_j the right side would lose
//! digits where points are near each other, and there the weights are largest.

use pulp::{Simd, WithSimd};

use super::by_feature::{self, Vectors};
use super::by_point;
use super::points::{Aligned, FEATURES, FOUR, POINTS, Part, Points, TILE};
use crate::ops::simd::Float;

/// Points whose distances to the cell are formed together: two times four, as four times two
/// vectors and what is needed beside them fit into the registers.
pub(super) const ROWS: usize = 8;

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
        let width = cells.first().map_or(0, |points| points.rows.width);
        let room = |points: &Points<'_, T>| {
            if points.is_by_feature() {
                width * FEATURES
            } else {
                points.rows.stride
            }
        };
        Self {
            tile: Aligned::zeros(ROWS * TILE),
            near: vec![[T::zero(); FOUR]; ROWS / FOUR * width],
            sums: Aligned::zeros(ROWS * cells.iter().map(room).max().unwrap_or(0)),
        }
    }

    /// Begins a block with the points `block` of the cell.
    #[inline(always)]
    fn begin(&mut self, points: &Points<'_, T>, block: [u32; ROWS]) {
        self.sums.get_mut().fill(T::zero());
        if points.is_by_feature() {
            let width = points.rows.width;
            for (row, &member) in block.iter().enumerate() {
                for (near, &value) in self.near[row / FOUR * width..]
                    .iter_mut()
                    .zip(&points.rows.row(member)[..width])
                {
                    near[row % FOUR] = value;
                }
            }
        }
    }

    /// The distances from four points of the block to those of `part`.
    #[inline(always)]
    fn distances<S: Simd>(
        &mut self,
        simd: S,
        points: &Points<'_, T>,
        block: [u32; ROWS],
        four: usize,
        part: Part,
    ) {
        let out = &mut self.tile.get_mut()[four * FOUR * TILE..][..FOUR * TILE];
        let width = points.rows.width;
        match points.tile(part) {
            Some(tile) => {
                by_feature::distances(
                    simd,
                    &vectors::<S, T>(tile, part),
                    &self.near[four * width..][..width],
                    out,
                );
            }
            None => {
                let others = &points.members[part.start..][..part.length];
                by_point::distances(simd, points.rows, chosen(block, four), others, out);
            }
        }
    }

    /// Adds the weighted differences of four points of the block and those of `part`, to both.
    #[inline(always)]
    fn add_differences<S: Simd>(
        &mut self,
        simd: S,
        points: &Points<'_, T>,
        block: [u32; ROWS],
        four: usize,
        part: Part,
        gradient: &mut [T],
    ) {
        let weights = &self.tile.get()[four * FOUR * TILE..][..FOUR * TILE];
        let (width, stride) = (points.rows.width, points.rows.stride);
        match points.tile(part) {
            Some(tile) => {
                let near = &self.near[four * width..][..width];
                let size = FOUR * width * T::lanes::<S>();
                let sums = T::vectors_mut::<S>(&mut self.sums.get_mut()[four * size..][..size]);
                let gradient = T::vectors_mut::<S>(part.of_tiles_mut(gradient, width));
                by_feature::add_differences(
                    simd,
                    &vectors::<S, T>(tile, part),
                    near,
                    weights,
                    sums,
                    gradient,
                );
            }
            None => {
                let others = &points.members[part.start..][..part.length];
                let sums = &mut self.sums.get_mut()[four * FOUR * stride..][..FOUR * stride];
                let gradient = &mut gradient[part.start * stride..][..part.length * stride];
                by_point::add_differences(
                    simd,
                    points.rows,
                    chosen(block, four),
                    others,
                    weights,
                    sums,
                    gradient,
                );
            }
        }
    }

    /// Adds the sums of the block's `count` points from `first` on to `gradient`.
    #[inline(always)]
    fn finish<S: Simd>(
        &self,
        simd: S,
        points: &Points<'_, T>,
        first: usize,
        count: usize,
        gradient: &mut [T],
    ) {
        let (width, stride) = (points.rows.width, points.rows.stride);
        if points.is_by_feature() {
            let part = Part::new(first, points.members.len());
            let tile = part.of_tiles_mut(gradient, width);
            let sums = T::vectors::<S>(self.sums.get());
            for row in 0..count {
                for feature in 0..width {
                    let sum = T::sum_across(
                        simd,
                        sums[(row / FOUR * width + feature) * FOUR + row % FOUR],
                    );
                    let gradient = &mut tile[feature * part.stride + part.offset() + row];
                    *gradient -= sum;
                }
            }
        } else {
            let gradient = &mut gradient[first * stride..][..count * stride];
            for (gradient, &sum) in gradient.iter_mut().zip(self.sums.get()) {
                *gradient -= sum;
            }
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, T: Float>(tile: &[T], part: Part) -> Vectors<'_, T::Vector<S>> {
    let (stride, first) = (
        part.stride / T::lanes::<S>(),
        part.offset() / T::lanes::<S>(),
    );
    Vectors {
        tile: T::vectors::<S>(tile),
        stride,
        first,
    }
}

#[inline(always)]
fn chosen(block: [u32; ROWS], four: usize) -> [u32; FOUR] {
    let mut chosen = [0; FOUR];
    chosen.copy_from_slice(&block[four * FOUR..][..FOUR]);
    chosen
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

impl<'a, T: Float> Target<'a, T> {
    pub(super) fn points(&self) -> &[Points<'a, T>] {
        if let Self::Points(cells) = self {
            cells
        } else {
            &[]
        }
    }

    /// Σ_i D_M,ii² over the members of a cell: 0 for a metric, but a matrix may hold anything
    /// there.
    pub(super) fn diagonal(&self, cell: usize, members: &[u32]) -> f64 {
        let square = |number: T| number.to_f64() * number.to_f64();
        match self {
            Self::Points(_) => 0.,
            Self::Matrix(matrix, width) => members
                .iter()
                .map(|&i| square(matrix[i as usize * (width + 1)]))
                .sum(),
            Self::Pairs(pairs, starts) => {
                let n = members.len();
                (0..n)
                    .map(|i| square(pairs[starts[cell] + i * (n + 1)]))
                    .sum()
            }
        }
    }
}

/// Memory of one thread.
pub(super) struct Scratch<T> {
    x: Side<T>,
    z: Side<T>,
}

impl<T: Float> Scratch<T> {
    pub(super) fn new(target: &Target<'_, T>, z: &[Points<'_, T>]) -> Self {
        Self {
            x: Side::new(target.points()),
            z: Side::new(z),
        }
    }
}

/// At most [`ROWS`] points of a cell, from `first` on.
pub(super) struct Block<'b, 'a, T: Clone> {
    pub(super) target: &'b Target<'a, T>,
    pub(super) z: &'b [Points<'a, T>],
    pub(super) cell: usize,
    pub(super) first: usize,
    /// 4/N².
    pub(super) factor: T,
    pub(super) scratch: &'b mut Scratch<T>,
    /// The gradients of the cell in x and in z, which are added to; empty where none is asked for.
    pub(super) gradients: [&'b mut [T]; 2],
}

impl<T: Float> WithSimd for Block<'_, '_, T> {
    /// Σ_ij (d(x_i, x_j) − d(z_i, z_j))² over the block's points i and all j after i.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self {
            target,
            z,
            cell,
            first,
            factor,
            scratch,
            gradients: [gradient_x, gradient_z],
        } = self;
        let z = &z[cell];
        let x = target.points().get(cell);
        let members = z.members;
        let n = members.len();
        let count = ROWS.min(n - first);
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
        let by_feature = z.is_by_feature() || x.is_some_and(Points::is_by_feature);
        let mut start = if by_feature {
            first / POINTS * POINTS
        } else {
            first
        };
        let mut total = 0.;
        while start < n {
            let part = Part::new(start, n);
            for four in 0..fours {
                scratch.z.distances(simd, z, block, four, part);
                if let Some(x) = x {
                    scratch.x.distances(simd, x, block, four, part);
                }
            }
            let others = &members[start..][..part.length];
            for row in 0..fours * FOUR {
                let dx = &mut scratch.x.tile.get_mut()[row * TILE..][..part.padded];
                match target {
                    Target::Points(_) => {}
                    Target::Matrix(matrix, width) => {
                        gather(&matrix[block[row] as usize * width..][..*width], others, dx)
                    }
                    Target::Pairs(pairs, starts) => {
                        let row = first + row.min(count - 1);
                        dx[..part.length].copy_from_slice(
                            &pairs[starts[cell] + row * n + start..][..part.length],
                        );
                    }
                }
                let dz = &mut scratch.z.tile.get_mut()[row * TILE..][..part.padded];
                // Only pairs of a point and one after it; none of a point that fills up the block.
                let done = if row < count {
                    (first + row + 1).saturating_sub(start).min(part.length)
                } else {
                    part.length
                };
                for distances in [&mut *dx, &mut *dz] {
                    distances[..done].fill(T::zero());
                    distances[part.length..].fill(T::zero());
                }
                total += weights(simd, factor, need, dx, dz).to_f64();
            }
            for four in 0..fours {
                if need[1] {
                    scratch
                        .z
                        .add_differences(simd, z, block, four, part, gradient_z);
                }
                if let (Some(x), true) = (x, need[0]) {
                    scratch
                        .x
                        .add_differences(simd, x, block, four, part, gradient_x);
                }
            }
            start += part.length;
        }
        if need[1] {
            scratch.z.finish(simd, z, first, count, gradient_z);
        }
        if let (Some(x), true) = (x, need[0]) {
            scratch.x.finish(simd, x, first, count, gradient_x);
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

/// Replaces distances by the weights of the differences in the gradients; returns Σ_j (d(x_i, x_j)
/// − d(z_i, z_j))².
///
/// ∂L/∂x_j = Σ_i w_ij (x_i − x_j) with w_ij = −(4/N²) (d(x_i, x_j) − d(z_i, z_j)) / d(x_i, x_j), as
/// pairs (i, j) and (j, i) both count; for z the sign changes. Where a distance is 0, so is the
/// weight.
#[inline(always)]
fn weights<S: Simd, T: Float>(
    simd: S,
    factor: T,
    need: [bool; 2],
    dx: &mut [T],
    dz: &mut [T],
) -> T {
    let [need_x, need_z] = need;
    let (plus, minus) = (T::splat(simd, factor), T::splat(simd, T::zero() - factor));
    let mut sum = T::splat(simd, T::zero());
    for (dx, dz) in T::vectors_mut::<S>(dx)
        .iter_mut()
        .zip(T::vectors_mut::<S>(dz))
    {
        let difference = T::minus(simd, *dx, *dz);
        sum = T::mul_add(simd, difference, difference, sum);
        if need_x {
            *dx = T::zero_where_zero(
                simd,
                *dx,
                T::over(simd, T::times(simd, minus, difference), *dx),
            );
        }
        if need_z {
            *dz = T::zero_where_zero(
                simd,
                *dz,
                T::over(simd, T::times(simd, plus, difference), *dz),
            );
        }
    }
    T::sum_across(simd, sum)
}
