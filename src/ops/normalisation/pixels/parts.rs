//! The statistics of the channels, some images at a time.
//!
//! The numbers of one vector of channels are gone through pixel by pixel, so that its sums stay in
//! registers: what is summed was just computed and lies in the cache.

use pulp::{Simd, WithSimd};

use super::sums::{BLOCK, WAYS, total, wide};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::normalisation::kernels::Moments;
use crate::ops::simd::Float;

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
