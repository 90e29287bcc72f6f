//! The two inner loops under every convolution, over vectors of whatever width the processor has.
//!
//! Both read their large operand as rows that start at given offsets of one buffer. With the image laid out on a padded
//! grid, each tap of the kernel is such a row, so that no column matrix is ever stored.

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
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let width = 3 * lanes;
        let terms = self.b_offsets.len();
        let mut panel = std::mem::take(self.panel);
        panel.resize(TILES * width * DEPTH.min(terms), T::zero());
        for start in (0..self.length).step_by(TILES * width) {
            let vectors = (self.length - start).min(TILES * width).div_ceil(lanes);
            for first in (0..terms).step_by(DEPTH) {
                let offsets = &self.b_offsets[first..terms.min(first + DEPTH)];
                let tile_size = width * offsets.len();
                for (tile, panel) in panel.chunks_mut(tile_size).take(vectors.div_ceil(3)).enumerate() {
                    let at = start + tile * width;
                    match vectors - 3 * tile {
                        1 => pack::<T, S, 1>(self.b, offsets, at, panel),
                        2 => pack::<T, S, 2>(self.b, offsets, at, panel),
                        _ => pack::<T, S, 3>(self.b, offsets, at, panel),
                    }
                }
                let add = self.accumulate || first > 0;
                let blocks = self.a.chunks_exact(M * terms).zip(self.c_offsets.chunks(M));
                for (a, c_offsets) in blocks {
                    let a = &a[M * first..][..M * offsets.len()];
                    for (tile, b) in panel.chunks(tile_size).take(vectors.div_ceil(3)).enumerate() {
                        let at = start + tile * width;
                        match vectors - 3 * tile {
                            1 => multiply::<T, S, M, 1>(simd, a, b, self.c, c_offsets, at, add),
                            2 => multiply::<T, S, M, 2>(simd, a, b, self.c, c_offsets, at, add),
                            _ => multiply::<T, S, M, 3>(simd, a, b, self.c, c_offsets, at, add),
                        }
                    }
                }
            }
        }
        *self.panel = panel;
    }
}

/// The numbers of N vectors from `at` on of each row of B, one row after the other.
#[inline(always)]
fn pack<T: Real, S: Simd, const N: usize>(b: &[T], offsets: &[usize], at: usize, panel: &mut [T]) {
    let width = N * T::lanes::<S>();
    let (rows, _) = T::vectors_mut::<S>(panel).as_chunks_mut::<N>();
    for (row, offset) in rows.iter_mut().zip(offsets) {
        row.copy_from_slice(T::vectors::<S>(&b[offset + at..][..width]));
    }
}

#[inline(always)]
fn multiply<T: Real, S: Simd, const M: usize, const N: usize>(
    simd: S,
    a: &[T],
    b: &[T],
    c: &mut [T],
    c_offsets: &[usize],
    at: usize,
    add: bool,
) {
    let mut sums = [[T::splat(simd, T::zero()); N]; M];
    for (a, b) in a.as_chunks::<M>().0.iter().zip(T::vectors::<S>(b).as_chunks::<N>().0) {
        for i in 0..M {
            let a = T::splat(simd, a[i]);
            for j in 0..N {
                sums[i][j] = T::mul_add(simd, a, b[j], sums[i][j]);
            }
        }
    }
    let width = N * T::lanes::<S>();
    // All indices known to the compiler, so that the sums stay in registers.
    for (i, sums) in sums.iter().enumerate() {
        let Some(offset) = c_offsets.get(i) else { return };
        let c = T::vectors_mut::<S>(&mut c[offset + at..][..width]);
        for j in 0..N {
            c[j] = if add { T::plus(simd, c[j], sums[j]) } else { sums[j] };
        }
    }
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
