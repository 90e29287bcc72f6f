//! The two inner loops under every convolution, over vectors of whatever width the processor has.
//!
//! Both read their large operand as rows that start at given offsets of one buffer. With the image laid out on a padded
//! grid, each tap of the kernel is such a row, so that no column matrix is ever stored.

use std::ops::Range;

use candle_core::WithDType;
use pulp::{Arch, Simd, WithSimd};

/// A number with its vectors.
pub(super) trait Real: WithDType {
    /// As many numbers as one register holds.
    type Vector<S: Simd>: Copy + Send + Sync;

    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [Self::Vector<S>];
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a·b + c, fused where the processor can.
    fn mul_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
    fn total<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;

    #[inline(always)]
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }
}

macro_rules! real {
    ($type:ty, $vector:ident, $slice:ident, $slice_mut:ident, $splat:ident, $add:ident, $mul_add:ident, $sum:ident) => {
        impl Real for $type {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn vectors<S: Simd>(numbers: &[Self]) -> &[S::$vector] {
                S::$slice(numbers).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [S::$vector] {
                S::$slice_mut(numbers).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn total<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
            }
        }
    };
}

real!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, mul_add_e_f32s, reduce_sum_f32s);
real!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, mul_add_e_f64s, reduce_sum_f64s);

/// Rows of the left factor that one pass of [`Product`] takes, on the widest registers there are.
pub(super) fn rows_per_block(arch: Arch) -> usize {
    struct Ask;
    impl WithSimd for Ask {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            if S::REGISTER_COUNT < 32 { 4 } else { 8 }
        }
    }
    arch.dispatch(Ask)
}

/// C\[c_offsets\[m\] + q\] = Σ_k A\[m, k\]·B\[b_offsets\[k\] + q\], or += with `accumulate`, for 0 ≤ q < `length`.
///
/// Reads and writes up to a vector's width past `length`. Rows of C may overlap with `accumulate`: each is finished
/// before the next begins.
pub(super) struct Product<'a, T> {
    /// A in blocks of [`rows_per_block`]: (blocks, k, rows), the last block filled up with zeros.
    pub a: &'a [T],
    pub b: &'a [T],
    pub b_offsets: &'a [usize],
    pub c: &'a mut [T],
    pub c_offsets: &'a [usize],
    pub length: usize,
    pub accumulate: bool,
    /// Scratch memory.
    pub panel: &'a mut Vec<T>,
}

/// Terms of a sum taken at a time, and tiles of C: a block of A stays in the first cache, the panel of B in the second.
const DEPTH: usize = 256;
const TILES: usize = 8;

impl<T: Real> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // A tile of C, a row of B's and one number of A fill the registers.
        if S::REGISTER_COUNT < 32 { self.run::<S, 4>(simd) } else { self.run::<S, 8>(simd) }
    }
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
        let width = 3 * lanes;
        let terms = self.b_offsets.len();
        // To copy B pays if it is read more than twice.
        let copied = self.a.len() > 2 * M * terms;
        self.panel.resize(if copied { TILES * width * DEPTH.min(terms) } else { 0 }, T::zero());
        for start in (0..self.length).step_by(TILES * width) {
            let vectors = (self.length - start).min(TILES * width).div_ceil(lanes);
            for first in (0..terms).step_by(DEPTH) {
                for tile in 0..if copied { vectors.div_ceil(3) } else { 0 } {
                    match vectors - 3 * tile {
                        1 => self.pack::<S, 1>(first, start, tile),
                        2 => self.pack::<S, 2>(first, start, tile),
                        _ => self.pack::<S, 3>(first, start, tile),
                    }
                }
                for block in 0..self.c_offsets.len().div_ceil(M) {
                    for tile in 0..vectors.div_ceil(3) {
                        match vectors - 3 * tile {
                            1 => self.tile::<S, M, 1>(simd, first, start, tile, block),
                            2 => self.tile::<S, M, 2>(simd, first, start, tile, block),
                            _ => self.tile::<S, M, 3>(simd, first, start, tile, block),
                        }
                    }
                }
            }
        }
    }

    /// Copies a tile's N vectors of each row of B, one row after the other.
    #[inline(always)]
    fn pack<S: Simd, const N: usize>(&mut self, first: usize, start: usize, tile: usize) {
        let (offsets, panel) = tile_of(self.b_offsets, first, T::lanes::<S>(), tile);
        let at = start + 3 * tile * T::lanes::<S>();
        let (rows, _) = T::vectors_mut::<S>(&mut self.panel[panel]).as_chunks_mut::<N>();
        for (row, offset) in rows.iter_mut().zip(offsets) {
            *row = *vectors_at::<T, S, N>(self.b, offset + at);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        first: usize,
        start: usize,
        tile: usize,
        block: usize,
    ) {
        let (offsets, panel) = tile_of(self.b_offsets, first, T::lanes::<S>(), tile);
        let at = start + 3 * tile * T::lanes::<S>();
        let a = &self.a[M * (block * self.b_offsets.len() + first)..][..M * offsets.len()];
        let sums = if self.panel.is_empty() {
            multiply::<T, S, M, N>(simd, a, offsets.iter().map(|offset| vectors_at::<T, S, N>(self.b, offset + at)))
        } else {
            multiply::<T, S, M, N>(simd, a, T::vectors::<S>(&self.panel[panel]).as_chunks::<N>().0.iter())
        };
        let c_offsets = &self.c_offsets[block * M..];
        let add = self.accumulate || first > 0;
        // All indices known to the compiler, so that the sums stay in registers.
        for (i, sums) in sums.iter().enumerate() {
            let Some(offset) = c_offsets.get(i) else { return };
            let c = T::vectors_mut::<S>(&mut self.c[offset + at..][..N * T::lanes::<S>()]);
            for j in 0..N {
                c[j] = if add { T::plus(simd, c[j], sums[j]) } else { sums[j] };
            }
        }
    }
}
/// The rows of B that are taken at a time from `first` on, and where a tile's copy of them lies in the panel.
#[inline(always)]
fn tile_of(offsets: &[usize], first: usize, lanes: usize, tile: usize) -> (&[usize], Range<usize>) {
    let offsets = &offsets[first..offsets.len().min(first + DEPTH)];
    let size = 3 * lanes * offsets.len();
    (offsets, tile * size..(tile + 1) * size)
}

#[inline(always)]
fn vectors_at<T: Real, S: Simd, const N: usize>(numbers: &[T], at: usize) -> &[T::Vector<S>; N] {
    &T::vectors::<S>(&numbers[at..][..N * T::lanes::<S>()]).as_chunks::<N>().0[0]
}

/// A tile of the product: M rows of A with N vectors of each row of B.
#[inline(always)]
fn multiply<'a, T: Real, S: Simd, const M: usize, const N: usize>(
    simd: S,
    a: &[T],
    b: impl Iterator<Item = &'a [T::Vector<S>; N]>,
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

/// out\[k, o\] += Σ_q X\[x_offsets\[k\] + q\]·Y\[y_offsets\[o\] + q\], 0 ≤ q < `length`.
///
/// Reads up to a vector's width past `length`, where Y must hold zeros.
pub(super) struct Dots<'a, T> {
    pub x: &'a [T],
    pub x_offsets: &'a [usize],
    pub y: &'a [T],
    pub y_offsets: &'a [usize],
    /// (k, o)
    pub out: &'a mut [T],
    pub length: usize,
}

/// About as many positions at a time as keep the rows of one tile in the first cache.
const POSITIONS: usize = 1024;

impl<T: Real> WithSimd for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 { self.run::<S, 2, 4>(simd) } else { self.run::<S, 6, 4>(simd) }
    }
}

impl<T: Real> Dots<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const K: usize, const O: usize>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let parts = self.length.div_ceil(POSITIONS + POSITIONS / 4).max(1);
        let step = self.length.div_ceil(parts).next_multiple_of(lanes);
        let outputs = self.y_offsets.len();
        for start in (0..self.length).step_by(step.max(1)) {
            let size = step.min((self.length - start).next_multiple_of(lanes));
            let blocks = self.x_offsets.chunks(K).zip(self.out.chunks_mut(K * outputs));
            for (x_offsets, out) in blocks {
                // A block's missing rows repeat the last one; their sums are dropped.
                let x: [_; K] = std::array::from_fn(|k| {
                    let offset = x_offsets[k.min(x_offsets.len() - 1)];
                    T::vectors::<S>(&self.x[offset + start..][..size])
                });
                for (block, y_offsets) in self.y_offsets.chunks(O).enumerate() {
                    let y: [_; O] = std::array::from_fn(|o| {
                        let offset = y_offsets[o.min(y_offsets.len() - 1)];
                        T::vectors::<S>(&self.y[offset + start..][..size])
                    });
                    let sums = dots::<T, S, K, O>(simd, &x, &y, size / lanes);
                    for (out, sums) in out.chunks_mut(outputs).zip(&sums) {
                        for (out, &sum) in out[block * O..].iter_mut().zip(sums).take(y_offsets.len()) {
                            *out += sum;
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn dots<T: Real, S: Simd, const K: usize, const O: usize>(
    simd: S,
    x: &[&[T::Vector<S>]; K],
    y: &[&[T::Vector<S>]; O],
    size: usize,
) -> [[T; O]; K] {
    let mut sums = [[T::splat(simd, T::zero()); O]; K];
    let x: [_; K] = std::array::from_fn(|k| &x[k][..size]);
    let y: [_; O] = std::array::from_fn(|o| &y[o][..size]);
    for q in 0..size {
        let y: [_; O] = std::array::from_fn(|o| y[o][q]);
        for k in 0..K {
            let x = x[k][q];
            for o in 0..O {
                sums[k][o] = T::mul_add(simd, x, y[o], sums[k][o]);
            }
        }
    }
    let mut totals = [[T::zero(); O]; K];
    for k in 0..K {
        for o in 0..O {
            totals[k][o] = T::total(simd, sums[k][o]);
        }
    }
    totals
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

    #[test]
    fn products_of_rows_in_place() {
        for arch in paths() {
            let block = rows_per_block(arch);
            for (rows, terms, length) in [(1, 1, 1), (3, 5, 17), (8, 300, 50), (17, 9, 31), (25, 257, 400)] {
                let b = numbers(length + terms + 16, 0);
                let a = numbers(rows * terms, 7);
                let mut blocks = vec![0.; rows.div_ceil(block) * block * terms];
                for (index, a) in a.iter().enumerate() {
                    let (row, term) = (index / terms, index % terms);
                    blocks[(row / block * terms + term) * block + row % block] = *a;
                }
                let b_offsets: Vec<usize> = (0..terms).collect();
                let pitch = length + 16;
                let c_offsets: Vec<usize> = (0..rows).map(|row| row * pitch).collect();
                for accumulate in [false, true] {
                    let mut c = vec![1.; rows * pitch];
                    arch.dispatch(Product {
                        a: &blocks,
                        b: &b,
                        b_offsets: &b_offsets,
                        c: &mut c,
                        c_offsets: &c_offsets,
                        length,
                        accumulate,
                        panel: &mut Vec::new(),
                    });
                    for (row, c) in c.chunks(pitch).enumerate() {
                        for (q, c) in c[..length].iter().enumerate() {
                            let sum: f64 = (0..terms).map(|term| a[row * terms + term] * b[term + q]).sum();
                            let expected = sum + f64::from(u8::from(accumulate));
                            assert!((c - expected).abs() < 1e-12, "{arch:?} {rows} {terms} {length}: {c} {expected}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn dots_of_rows_in_place() {
        for arch in paths() {
            for (rows, outputs, length) in [(1, 1, 1), (7, 5, 17), (13, 4, 3000)] {
                let x = numbers(length + rows + 16, 0);
                let pitch = length.next_multiple_of(16);
                let mut y = numbers(outputs * pitch, 9);
                y.chunks_mut(pitch).for_each(|row| row[length..].fill(0.));
                let mut out = vec![1.; rows * outputs];
                arch.dispatch(Dots {
                    x: &x,
                    x_offsets: &(0..rows).collect::<Vec<_>>(),
                    y: &y,
                    y_offsets: &(0..outputs).map(|output| output * pitch).collect::<Vec<_>>(),
                    out: &mut out,
                    length,
                });
                for (index, out) in out.iter().enumerate() {
                    let (row, output) = (index / outputs, index % outputs);
                    let expected: f64 = 1. + (0..length).map(|q| x[row + q] * y[output * pitch + q]).sum::<f64>();
                    assert!((out - expected).abs() < 1e-11, "{arch:?} {rows} {outputs} {length}: {out} {expected}");
                }
            }
        }
    }
}
