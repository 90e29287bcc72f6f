//! The innermost loop of a convolution of 1×1, on vectors of pixels.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::plan::{FEW, MANY, Pointwise};
use crate::ops::convolution::steps::Direction;
use crate::ops::simd::Float;

/// Pixels that a part should have at least, and those that lie ready for the rows at a time.
pub(super) const STRIP: usize = 192;

/// Some rows of the result of some images.
pub(super) struct Part<'a, T> {
    pub pointwise: &'a Pointwise<'a, T>,
    pub images: usize,
    pub x: &'a [T],
    pub rows: Range<usize>,
    pub y: &'a mut [T],
    pub scratch: &'a mut Vec<T>,
}

/// Pixels of one vector: of which image, from which one on, and how many.
#[derive(Clone, Copy)]
struct Vector {
    image: usize,
    first: usize,
    count: usize,
}

impl<T: Float> WithSimd for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 {
            self.run::<S, { FEW[0] }, { FEW[1] }>(simd)
        } else {
            self.run::<S, { MANY[0] }, { MANY[1] }>(simd)
        }
    }
}

impl<T: Float> Part<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const V: usize>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
        let (area, source) = (self.pointwise.area(), self.pointwise.source);
        let each = area.div_ceil(lanes);
        let strip = STRIP / (V * lanes) * V;
        let size = source * strip * lanes;
        if self.scratch.len() != size {
            self.scratch.clear();
            self.scratch.resize(size, T::zero());
        }
        for start in (0..self.images * each).step_by(strip) {
            let count = strip.min(self.images * each - start);
            let vector = |number: usize| {
                let (image, first) = (number / each, number % each * lanes);
                Vector {
                    image,
                    first,
                    count: lanes.min(area - first),
                }
            };
            for at in 0..count {
                self.lay::<S, V>(at, vector(start + at));
            }
            for tile in 0..count.div_ceil(V) {
                let vectors = V.min(count - tile * V);
                let at = std::array::from_fn(|v| vector(start + tile * V + v.min(vectors - 1)));
                for first in self.rows.clone().step_by(M) {
                    let sums = self.sums::<S, M, V>(simd, tile, first);
                    let rows = M.min(self.rows.end - first);
                    self.put::<S, M, V>(&sums, first..first + rows, &at, vectors);
                }
            }
        }
    }

    /// Lays vector `at` of the strip ready, of all channels: (tile, channel, vector of the tile).
    #[inline(always)]
    fn lay<S: Simd, const V: usize>(&mut self, at: usize, vector: Vector) {
        let pointwise = self.pointwise;
        let lanes = T::lanes::<S>();
        let (source, area) = (pointwise.source, pointwise.source_area);
        let start = (at / V * source * V + at % V) * lanes;
        let to = self.scratch[start..].chunks_mut(V * lanes);
        let planes = self.x[vector.image * source * area..][..source * area].chunks(area);
        let range = vector.first..vector.first + vector.count;
        match &pointwise.places {
            Some(places) if pointwise.direction == Direction::Forward => {
                let places = &places[range];
                for (plane, to) in planes.zip(to) {
                    for (to, place) in to.iter_mut().zip(places) {
                        *to = plane[*place as usize];
                    }
                }
            }
            _ if vector.count == lanes => {
                for (plane, to) in planes.zip(to) {
                    let from = T::vectors::<S>(&plane[vector.first..][..lanes]);
                    T::vectors_mut::<S>(&mut to[..lanes])[0] = from[0];
                }
            }
            _ => {
                for (plane, to) in planes.zip(to) {
                    to[..vector.count].copy_from_slice(&plane[range.clone()]);
                }
            }
        }
    }

    /// The results of a tile, of M rows from `first` on.
    #[inline(always)]
    fn sums<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        tile: usize,
        first: usize,
    ) -> [[T::Vector<S>; V]; M] {
        let pointwise = self.pointwise;
        let (source, width) = (pointwise.source, V * T::lanes::<S>());
        let pixels = &self.scratch[tile * source * width..][..source * width];
        let pixels = T::vectors::<S>(pixels).as_chunks::<V>().0;
        let weight = pointwise.weight[first * source..].as_chunks::<M>().0;
        let mut sums = [[T::splat(simd, T::zero()); V]; M];
        for (pixels, weight) in pixels.iter().zip(weight) {
            for m in 0..M {
                let number = T::splat(simd, weight[m]);
                for v in 0..V {
                    sums[m][v] = T::mul_add(simd, number, pixels[v], sums[m][v]);
                }
            }
        }
        if let Some(bias) = pointwise.bias {
            // Any other loop sends the sums through memory.
            #[expect(clippy::needless_range_loop)]
            for m in 0..M {
                let bias = bias.get(first + m).copied().unwrap_or(T::zero());
                let bias = T::splat(simd, bias);
                for v in 0..V {
                    sums[m][v] = T::plus(simd, sums[m][v], bias);
                }
            }
        }
        if pointwise.relu {
            #[expect(clippy::needless_range_loop)]
            for m in 0..M {
                for v in 0..V {
                    sums[m][v] = T::relu(simd, sums[m][v]);
                }
            }
        }
        sums
    }

    /// Writes the results of a tile into their rows.
    #[inline(always)]
    fn put<S: Simd, const M: usize, const V: usize>(
        &mut self,
        sums: &[[T::Vector<S>; V]; M],
        rows: Range<usize>,
        at: &[Vector; V],
        vectors: usize,
    ) {
        let (lanes, area) = (T::lanes::<S>(), self.pointwise.result_area);
        let plane = |vector: &Vector, row: usize| {
            (vector.image * self.rows.len() + row - self.rows.start) * area
        };
        let whole = vectors == V && rows.len() == M && at.iter().all(|v| v.count == lanes);
        if whole && !self.pointwise.has_gaps() {
            // Indices that the compiler knows: others would send the sums through memory.
            for v in 0..V {
                let start = plane(&at[v], rows.start) + at[v].first;
                #[expect(clippy::needless_range_loop)]
                for m in 0..M {
                    let to = &mut self.y[start + m * area..][..lanes];
                    T::vectors_mut::<S>(to)[0] = sums[m][v];
                }
            }
            return;
        }
        let mut numbers = [T::zero(); 16 * MANY[0] * MANY[1]];
        for (m, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = &mut numbers[(m * V + v) * lanes..][..lanes];
                T::vectors_mut::<S>(to)[0] = *sum;
            }
        }
        for (m, row) in rows.enumerate() {
            for (v, vector) in at[..vectors].iter().enumerate() {
                let numbers = &numbers[(m * V + v) * lanes..][..vector.count];
                let range = vector.first..vector.first + vector.count;
                let start = plane(vector, row);
                let to = &mut self.y[start..][..area];
                match &self.pointwise.places {
                    Some(places) if self.pointwise.has_gaps() => {
                        for (number, place) in numbers.iter().zip(&places[range]) {
                            to[*place as usize] = *number;
                        }
                    }
                    _ => to[range].copy_from_slice(numbers),
                }
            }
        }
    }
}
