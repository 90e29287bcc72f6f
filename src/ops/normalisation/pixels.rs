//! Batch normalisation of images whose channels lie side by side, some images at a time.
//!
//! The numbers of one vector of channels are gone through pixel by pixel, so that what belongs to
//! the channels stays in registers.

use pulp::{Simd, WithSimd};

use crate::ops::convolution::pixels::{LANES, Pixels};
use crate::ops::normalisation::kernels::{Moments, Sums};
use crate::ops::simd::Float;

/// Pixels that stay in the nearest caches while their channels are gone through; few enough for
/// their sum, taken [`WAYS`] at a time, to lose nothing in f32.
const BLOCK: usize = 128;

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
pub(in crate::ops) fn padded<T: Float>(numbers: impl Iterator<Item = T>, pitch: usize) -> Vec<T> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.resize(pitch, T::zero());
    numbers
}

/// Sums that are taken side by side and added up at the end of a block: one alone would wait for each
/// addition.
const WAYS: usize = 4;

/// Blocks of pixels of whole images, and in each the vectors of channels.
#[derive(Clone, Copy)]
struct Blocks {
    pixels: Pixels,
    images: usize,
}

/// The vectors of one place in some pixels.
#[derive(Clone, Copy)]
struct Block {
    /// Their first channel.
    channel: usize,
    /// Where the first pixel's vector begins.
    start: usize,
    pitch: usize,
    count: usize,
}

impl Block {
    #[inline(always)]
    fn starts(self) -> impl Iterator<Item = usize> {
        (self.start..).step_by(self.pitch).take(self.count)
    }

    /// Runs `run` with the sum that a vector belongs to and the vector's start.
    #[inline(always)]
    fn each_way(self, mut run: impl FnMut(usize, usize)) {
        let whole = self.count / WAYS * WAYS;
        for first in (0..whole).step_by(WAYS) {
            for way in 0..WAYS {
                run(way, self.start + (first + way) * self.pitch);
            }
        }
        for left in whole..self.count {
            run(0, self.start + left * self.pitch);
        }
    }
}

/// The sum of all.
#[inline(always)]
fn total<T: Float, S: Simd>(simd: S, sums: [T::Vector<S>; WAYS]) -> T::Vector<S> {
    let pairs = [
        T::plus(simd, sums[0], sums[1]),
        T::plus(simd, sums[2], sums[3]),
    ];
    T::plus(simd, pairs[0], pairs[1])
}

impl Blocks {
    fn new(pixels: Pixels, numbers: usize) -> Self {
        Self {
            pixels,
            images: numbers / pixels.image(),
        }
    }

    #[inline(always)]
    fn each(self, lanes: usize, mut run: impl FnMut(Block)) {
        let pitch = self.pixels.pitch();
        for image in 0..self.images {
            for first in (0..self.pixels.area).step_by(BLOCK) {
                let count = BLOCK.min(self.pixels.area - first);
                let start = image * self.pixels.image() + self.pixels.start(first);
                for channel in (0..pitch).step_by(lanes) {
                    run(Block {
                        channel,
                        start: start + channel,
                        pitch,
                        count,
                    });
                }
            }
        }
    }
}

/// The vector that begins at `start`.
#[inline(always)]
fn at<T: Float, S: Simd>(numbers: &[T], start: usize) -> T::Vector<S> {
    T::vectors::<S>(&numbers[start..][..T::lanes::<S>()])[0]
}

#[inline(always)]
fn at_mut<T: Float, S: Simd>(numbers: &mut [T], start: usize) -> &mut T::Vector<S> {
    &mut T::vectors_mut::<S>(&mut numbers[start..][..T::lanes::<S>()])[0]
}

/// A vector's numbers in f64, zeros after them.
#[inline(always)]
fn wide<T: Float, S: Simd>(vector: T::Vector<S>) -> [f64; LANES] {
    let mut numbers = [T::zero(); LANES];
    *at_mut::<T, S>(&mut numbers, 0) = vector;
    numbers.map(Into::into)
}

/// How many numbers the channels have, their means, and the sums of squares around these.
#[derive(Clone)]
pub(in crate::ops) struct Parts {
    count: f64,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Parts {
    pub fn none(pitch: usize) -> Self {
        Self {
            count: 0.,
            means: vec![0.; pitch],
            squares: vec![0.; pitch],
        }
    }

    /// Adds a part's numbers, as in Chan, Golub & LeVeque 1983.
    pub fn join(&mut self, other: &Self) {
        let weight = self.weight(other.count);
        for channel in 0..self.means.len() {
            self.join_channel(
                weight,
                channel,
                other.means[channel],
                other.squares[channel],
            );
        }
        self.count += other.count;
    }

    /// The share of `count` more numbers in the new mean, and what it is times those before.
    #[inline(always)]
    fn weight(&self, count: f64) -> [f64; 2] {
        let share = count / (self.count + count);
        [share, self.count * share]
    }

    #[inline(always)]
    fn join_channel(&mut self, [share, both]: [f64; 2], channel: usize, mean: f64, squares: f64) {
        let apart = mean - self.means[channel];
        self.means[channel] += apart * share;
        self.squares[channel] += squares + apart * apart * both;
    }

    pub fn moments(&self, channels: usize) -> Vec<Moments> {
        let pairs = self.means.iter().zip(&self.squares).take(channels);
        pairs
            .map(|(&mean, squares)| Moments {
                mean,
                variance: squares / self.count,
            })
            .collect()
    }
}

/// The parts of means and variances that the images `z` are.
pub(in crate::ops) struct PartsOf<'a, T> {
    pub pixels: Pixels,
    pub z: &'a [T],
}

impl<T: Float> WithSimd for PartsOf<'_, T> {
    type Output = Parts;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Parts {
        let (z, lanes) = (self.z, T::lanes::<S>());
        let pitch = self.pixels.pitch();
        let mut parts = Parts::none(pitch);
        Blocks::new(self.pixels, z.len()).each(
            lanes,
            #[inline(always)]
            |block| {
                let zeros = [T::splat(simd, T::zero()); WAYS];
                let mut sums = zeros;
                block.each_way(
                    #[inline(always)]
                    |way, start| sums[way] = T::plus(simd, sums[way], at::<T, S>(z, start)),
                );
                let count = block.count as f64;
                let count_in_all = T::splat(simd, T::from_f64(count));
                let rounded = T::over(simd, total::<T, S>(simd, sums), count_in_all);
                let (mut rests, mut squares) = (zeros, zeros);
                block.each_way(
                    #[inline(always)]
                    |way, start| {
                        let apart = T::minus(simd, at::<T, S>(z, start), rounded);
                        rests[way] = T::plus(simd, rests[way], apart);
                        squares[way] = T::mul_add(simd, apart, apart, squares[way]);
                    },
                );
                let rest = total::<T, S>(simd, rests);
                let squares = total::<T, S>(simd, squares);
                let weight = parts.weight(count);
                let [rounded, rest, squares] = [rounded, rest, squares].map(wide::<T, S>);
                for lane in 0..lanes {
                    // What rounding left out of the mean.
                    let rest = rest[lane] / count;
                    let squares = squares[lane] - rest * rest * count;
                    parts.join_channel(weight, block.channel + lane, rounded[lane] + rest, squares);
                }
                if block.channel + lanes == pitch {
                    parts.count += count;
                }
            },
        );
        parts
    }
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
        let Self {
            affine,
            z,
            residual,
            relu,
            y,
            ..
        } = self;
        zero_first(self.pixels, y);
        Blocks::new(self.pixels, z.len()).each(
            T::lanes::<S>(),
            #[inline(always)]
            |block| {
                let mean = at::<T, S>(&affine.mean, block.channel);
                let scale = at::<T, S>(&affine.scale, block.channel);
                let shift = at::<T, S>(&affine.shift, block.channel);
                for start in block.starts() {
                    let centred = T::minus(simd, at::<T, S>(z, start), mean);
                    let mut normal = T::mul_add(simd, centred, scale, shift);
                    if let Some(residual) = residual {
                        normal = T::plus(simd, normal, at::<T, S>(residual, start));
                    }
                    if relu {
                        normal = T::relu(simd, normal);
                    }
                    *at_mut::<T, S>(y, start) = normal;
                }
            },
        );
    }
}

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
        let (lanes, g) = (T::lanes::<S>(), self.g);
        let mut all = vec![[0.; 2]; self.pixels.pitch()];
        Blocks::new(self.pixels, g.len()).each(
            lanes,
            #[inline(always)]
            |block| {
                if let Some(y) = self.result {
                    for start in block.starts() {
                        let g = at_mut::<T, S>(g, start);
                        *g = T::where_positive(simd, at::<T, S>(y, start), *g);
                    }
                }
                let zeros = [T::splat(simd, T::zero()); WAYS];
                let (mut sums, mut products) = (zeros, zeros);
                if let Some((z, mean)) = self.centred {
                    let mean = at::<T, S>(mean, block.channel);
                    block.each_way(
                        #[inline(always)]
                        |way, start| {
                            let g = at::<T, S>(g, start);
                            let centred = T::minus(simd, at::<T, S>(z, start), mean);
                            sums[way] = T::plus(simd, sums[way], g);
                            products[way] = T::mul_add(simd, g, centred, products[way]);
                        },
                    );
                } else {
                    block.each_way(
                        #[inline(always)]
                        |way, start| sums[way] = T::plus(simd, sums[way], at::<T, S>(g, start)),
                    );
                }
                let sum = total::<T, S>(simd, sums);
                let product = total::<T, S>(simd, products);
                let [sum, product] = [sum, product].map(wide::<T, S>);
                for lane in 0..lanes {
                    let all = &mut all[block.channel + lane];
                    all[0] += sum[lane];
                    all[1] += product[lane];
                }
            },
        );
        all
    }
}

/// Makes the pixels of zeros before the images.
#[inline(always)]
fn zero_first<T: Float>(pixels: Pixels, images: &mut [T]) {
    for image in images.chunks_mut(pixels.image()) {
        image[..pixels.pitch()].fill(T::zero());
    }
}

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
            affine,
            slope,
            g,
            z,
            dz,
            ..
        } = self;
        zero_first(self.pixels, dz);
        Blocks::new(self.pixels, g.len()).each(
            T::lanes::<S>(),
            #[inline(always)]
            |block| {
                let offset = at::<T, S>(&slope.offset, block.channel);
                let slope = at::<T, S>(&slope.slope, block.channel);
                let mean = at::<T, S>(&affine.mean, block.channel);
                let scale = at::<T, S>(&affine.scale, block.channel);
                for start in block.starts() {
                    let centred = T::minus(simd, at::<T, S>(z, start), mean);
                    let along = T::plus(simd, offset, T::times(simd, centred, slope));
                    let rest = T::minus(simd, at::<T, S>(g, start), along);
                    *at_mut::<T, S>(dz, start) = T::times(simd, rest, scale);
                }
            },
        );
    }
}
