//! The gradient in a result through its ReLU, with the sums that a normalisation needs.

use pulp::{Simd, WithSimd};

use super::sums::{BLOCK, WAYS, total, wide};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::simd::Float;

/// Takes out of `g`, the gradient in a result, what is not above 0 in that, if given; Σ g and
/// Σ g · (z − mean) of the channels, with z and mean if given.
pub(in crate::ops) struct Gather<'a, T> {
    pub pixels: Pixels,
    pub result: Option<&'a [T]>,
    pub centred: Option<(&'a [T], &'a [T])>,
    pub g: &'a mut [T],
}

impl<T: Float> WithSimd for Gather<'_, T> {
    type Output = Vec<[f64; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f64; 2]> {
        match (self.result, self.centred) {
            (Some(y), Some(centred)) => self.run::<S, true, true>(simd, y, centred),
            (Some(y), None) => self.run::<S, true, false>(simd, y, (&[], &[])),
            (None, Some(centred)) => self.run::<S, false, true>(simd, &[], centred),
            (None, None) => self.run::<S, false, false>(simd, &[], (&[], &[])),
        }
    }
}

impl<T: Float> Gather<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const RESULT: bool, const CENTRED: bool>(
        self,
        simd: S,
        result: &[T],
        (z, mean): (&[T], &[T]),
    ) -> Vec<[f64; 2]> {
        let (pixels, g) = (self.pixels, self.g);
        let (size, lanes) = (pixels.pitch(), T::lanes::<S>());
        let vectors = size / lanes;
        let zero = T::splat(simd, T::zero());
        let mut all = vec![[0.; 2]; size];
        // Way by way, and in each the vectors of channels.
        let mut sums = vec![zero; WAYS * vectors];
        let mut products = vec![zero; WAYS * vectors];
        let zeros = vec![zero; vectors];
        let images = g.len() / pixels.image();
        for image in 0..images {
            for first in (0..pixels.area).step_by(BLOCK) {
                let count = BLOCK.min(pixels.area - first);
                let whole = count / WAYS * WAYS;
                sums.fill(zero);
                products.fill(zero);
                let start = image * pixels.image() + pixels.start(first);
                for pixel in 0..count {
                    let range = start + pixel * size..start + (pixel + 1) * size;
                    let way = if pixel < whole { pixel % WAYS } else { 0 };
                    let sums = &mut sums[way * vectors..][..vectors];
                    let products = &mut products[way * vectors..][..vectors];
                    let g = &mut T::vectors_mut::<S>(&mut g[range.clone()])[..vectors];
                    let y = match RESULT {
                        true => &T::vectors::<S>(&result[range.clone()])[..vectors],
                        false => &zeros[..vectors],
                    };
                    let (z, mean) = match CENTRED {
                        true => (
                            &T::vectors::<S>(&z[range])[..vectors],
                            &T::vectors::<S>(mean)[..vectors],
                        ),
                        false => (&zeros[..vectors], &zeros[..vectors]),
                    };
                    for v in 0..vectors {
                        let mut own = g[v];
                        if RESULT {
                            // Plus 0 as in `planes::kept`.
                            own = T::plus(simd, T::where_positive(simd, y[v], own), zero);
                            g[v] = own;
                        }
                        sums[v] = T::plus(simd, sums[v], own);
                        if CENTRED {
                            let centred = T::minus(simd, z[v], mean[v]);
                            products[v] = T::mul_add(simd, own, centred, products[v]);
                        }
                    }
                }
                for v in 0..vectors {
                    // No closures: they would not be compiled for the processor's vectors.
                    let (mut of_sums, mut of_products) = ([zero; WAYS], [zero; WAYS]);
                    for way in 0..WAYS {
                        of_sums[way] = sums[way * vectors + v];
                        of_products[way] = products[way * vectors + v];
                    }
                    let sum = wide::<T, S>(total::<T, S>(simd, of_sums));
                    let product = wide::<T, S>(total::<T, S>(simd, of_products));
                    for lane in 0..lanes {
                        let all = &mut all[v * lanes + lane];
                        all[0] += sum[lane];
                        all[1] += product[lane];
                    }
                }
            }
        }
        all
    }
}
