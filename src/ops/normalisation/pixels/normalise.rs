//! The normalisation of images, pixel by pixel in the order of memory.

use pulp::{Simd, WithSimd};

use crate::ops::convolution::pixels::Pixels;
use crate::ops::normalisation::kernels::Moments;
use crate::ops::simd::Float;

/// What normalises each channel: (z − mean) · scale + shift; zeros after the channels.
pub(in crate::ops) struct Affine<T> {
    pub mean: Vec<T>,
    pub scale: Vec<T>,
    pub shift: Vec<T>,
}

impl<T: Float> Affine<T> {
    /// Of `pitch` channels, filled up with zeros.
    pub fn new(moments: &[Moments], [gamma, beta]: [&[T]; 2], eps: f64, pitch: usize) -> Self {
        let scale = gamma
            .iter()
            .zip(moments)
            .map(|(&gamma, moments)| T::from_f64(gamma.into() / (moments.variance + eps).sqrt()));
        Self {
            mean: padded(
                moments.iter().map(|moments| T::from_f64(moments.mean)),
                pitch,
            ),
            scale: padded(scale, pitch),
            shift: padded(beta.iter().copied(), pitch),
        }
    }
}

/// The numbers and then zeros.
pub(super) fn padded<T: Float>(numbers: impl Iterator<Item = T>, pitch: usize) -> Vec<T> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.resize(pitch, T::zero());
    numbers
}

/// y = (z − mean) · scale + shift + residual, or the larger of it and 0.
pub(in crate::ops) struct Normalise<'a, T> {
    pub pixels: Pixels,
    pub affine: &'a Affine<T>,
    pub z: &'a [T],
    pub residual: Option<&'a [T]>,
    pub relu: bool,
    pub y: &'a mut [T],
}

impl<T: Float> WithSimd for Normalise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.residual, self.relu) {
            (Some(residual), true) => self.run::<S, true, true>(simd, residual),
            (Some(residual), false) => self.run::<S, true, false>(simd, residual),
            (None, true) => self.run::<S, false, true>(simd, &[]),
            (None, false) => self.run::<S, false, false>(simd, &[]),
        }
    }
}

impl<T: Float> Normalise<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const RESIDUAL: bool, const RELU: bool>(self, simd: S, residual: &[T]) {
        let Self {
            pixels, affine, z, ..
        } = self;
        let [mean, scale, shift] =
            [&affine.mean, &affine.scale, &affine.shift].map(|of| T::vectors::<S>(of));
        let vectors = mean.len();
        let (scale, shift) = (&scale[..vectors], &shift[..vectors]);
        let size = pixels.pitch();
        for (number, (y, z)) in self
            .y
            .chunks_exact_mut(size)
            .zip(z.chunks_exact(size))
            .enumerate()
        {
            let y = &mut T::vectors_mut::<S>(y)[..vectors];
            let z = &T::vectors::<S>(z)[..vectors];
            let residual = match RESIDUAL {
                true => &T::vectors::<S>(&residual[number * size..][..size])[..vectors],
                false => z,
            };
            for v in 0..vectors {
                let centred = T::minus(simd, z[v], mean[v]);
                let mut normal = T::mul_add(simd, centred, scale[v], shift[v]);
                if RESIDUAL {
                    normal = T::plus(simd, normal, residual[v]);
                }
                y[v] = if RELU { T::relu(simd, normal) } else { normal };
            }
        }
        pixels.zero_first(self.y);
    }
}
