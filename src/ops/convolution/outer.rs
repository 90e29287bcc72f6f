//! The sums of products that make the gradient of a weight, on vectors of channels.

use pulp::{Simd, WithSimd};

use super::blocks::{Blocks, outer};
use super::geometry::Geometry;
use super::pixels::Pixels;
use crate::ops::simd::Float;

/// Where the pixels of a tap lie: in the input, and in the output that reads them.
pub(super) struct Tap {
    pub pairs: Vec<[u32; 2]>,
}

impl Tap {
    /// All taps of a kernel, row by row.
    pub fn all(shape: &Geometry) -> Vec<Self> {
        let [input, output] = Pixels::of(shape);
        let tap = |y: usize, x: usize| {
            let rows =
                (0..shape.output[0]).filter_map(|row| Some((row, shape.input_of(0, row, y)?)));
            let pairs = rows.flat_map(|(to, from)| {
                (0..shape.output[1]).filter_map(move |column| {
                    let from = from * shape.input[1] + shape.input_of(1, column, x)?;
                    let to = to * shape.output[1] + column;
                    Some([input.start(from) as u32, output.start(to) as u32])
                })
            });
            Self {
                pairs: pairs.collect(),
            }
        };
        (0..shape.taps())
            .map(|index| tap(index / shape.kernel[1], index % shape.kernel[1]))
            .collect()
    }
}

/// For one tap, and some channels of the input:
///
/// ```text
/// out[c, o] += Σ_pairs x[from + c] · dy[to + o]
/// ```
pub(super) struct Outer<'a, T> {
    pub pairs: &'a [[u32; 2]],
    /// From the first of the channels of the input, and of the output, on.
    pub x: &'a [T],
    pub dy: &'a [T],
    /// (channels of the input, `width`)
    pub out: &'a mut [T],
    /// Channels of the output, filled up to whole vectors.
    pub width: usize,
}

impl<T: Float> WithSimd for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (rows, width) = (self.out.len() / self.width, self.width);
        self.all_blocks(simd, rows, width);
    }
}

impl<T: Float> Blocks<T> for Outer<'_, T> {
    #[inline(always)]
    fn block<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let width = V * T::lanes::<S>();
        let sums = outer::<T, S, M, V>(simd, self.pairs, &self.x[row..], &self.dy[column..]);
        for (m, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(row + m) * self.width + column..][..width];
            for (out, sum) in T::vectors_mut::<S>(out).iter_mut().zip(sums) {
                *out = T::plus(simd, *out, *sum);
            }
        }
    }
}
