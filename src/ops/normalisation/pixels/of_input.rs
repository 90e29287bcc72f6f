//! The gradient of a normalisation in what it normalises.

use pulp::{Simd, WithSimd};

use super::normalise::{Affine, padded};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::normalisation::kernels::{Moments, Sums};
use crate::ops::simd::Float;

/// What makes the gradient in z of that in y: (g − offset − (z − mean) · slope) · scale.
pub(in crate::ops) struct Slope<T> {
    offset: Vec<T>,
    slope: Vec<T>,
}

impl<T: Float> Slope<T> {
    /// Of the sums of [`Gather`] over `count` numbers a channel; and the gradients in gamma and beta.
    pub fn new(
        sums: &[[f64; 2]],
        moments: &[Moments],
        eps: f64,
        count: usize,
        pitch: usize,
    ) -> (Self, Vec<Sums>) {
        let count = count as f64;
        let offset = sums.iter().map(|[of_beta, _]| T::from_f64(of_beta / count));
        let slope = sums.iter().zip(moments).map(|([_, of_centred], moments)| {
            T::from_f64(of_centred / (count * (moments.variance + eps)))
        });
        let of_norm = sums
            .iter()
            .zip(moments)
            .map(|([of_beta, of_centred], moments)| Sums {
                of_gamma: of_centred / (moments.variance + eps).sqrt(),
                of_beta: *of_beta,
            });
        let slopes = Self {
            offset: padded(offset.take(moments.len()), pitch),
            slope: padded(slope, pitch),
        };
        (slopes, of_norm.collect())
    }
}

/// The gradient in z of that in y.
pub(in crate::ops) struct OfInput<'a, T> {
    pub pixels: Pixels,
    pub affine: &'a Affine<T>,
    pub slope: &'a Slope<T>,
    pub g: &'a [T],
    pub z: &'a [T],
    pub dz: &'a mut [T],
}

impl<T: Float> WithSimd for OfInput<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            pixels,
            affine,
            slope,
            g,
            z,
            dz,
        } = self;
        let size = pixels.pitch();
        let [mean, scale, offset, slope] =
            [&affine.mean, &affine.scale, &slope.offset, &slope.slope]
                .map(|of| T::vectors::<S>(of));
        let vectors = mean.len();
        let (scale, offset, slope) = (&scale[..vectors], &offset[..vectors], &slope[..vectors]);
        let rows = g.chunks_exact(size).zip(z.chunks_exact(size));
        for (dz, (g, z)) in dz.chunks_exact_mut(size).zip(rows) {
            let dz = &mut T::vectors_mut::<S>(dz)[..vectors];
            let g = &T::vectors::<S>(g)[..vectors];
            let z = &T::vectors::<S>(z)[..vectors];
            for v in 0..vectors {
                let centred = T::minus(simd, z[v], mean[v]);
                let along = T::plus(simd, offset[v], T::times(simd, centred, slope[v]));
                dz[v] = T::times(simd, T::minus(simd, g[v], along), scale[v]);
            }
        }
        pixels.zero_first(dz);
    }
}
