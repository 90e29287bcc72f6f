//! The innermost loop of every convolution, on vectors of channels.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::panels::{Panel, Panels, VECTORS};
use super::pixels::Pixels;
use super::steps::Steps;
use crate::ops::planes::relu;
use crate::ops::simd::Float;

/// What becomes of a sum.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct After<'a, T> {
    /// What is added to each channel, as many numbers as a pixel has.
    pub bias: Option<&'a [T]>,
    /// What is added to each number, of the result's layout.
    pub residual: Option<&'a [T]>,
    pub relu: bool,
}

impl<'a, T: Float> After<'a, T> {
    pub const NOTHING: Self = Self {
        bias: None,
        residual: None,
        relu: false,
    };

    /// Bias and ReLU of an image that has its residual already.
    pub fn finish(&self, pixels: Pixels, image: &mut [T]) {
        for pixel in image[pixels.pitch()..].chunks_mut(pixels.pitch()) {
            let pixel = &mut pixel[..pixels.channels];
            if let Some(bias) = self.bias {
                pixel
                    .iter_mut()
                    .zip(bias)
                    .for_each(|(sum, bias)| *sum += *bias);
            }
            if self.relu {
                relu(pixel);
            }
        }
    }

    /// For the result from number `start` on.
    pub fn from(self, start: usize) -> Self {
        Self {
            residual: self.residual.map(|residual| &residual[start..]),
            ..self
        }
    }
}

/// Some tiles of a convolution.
///
/// ```text
/// result[pixel, o] = Σ_(tap, c) source[pixel at tap, c] · weight[tap, c, o]
/// ```
///
/// Every sum is taken in one order, by parts of the source, taps and channels, whatever the tile
/// and the vector: with one rounding a term, every processor that has it gives the same number.
pub(super) struct Product<'a, T> {
    pub steps: &'a Steps,
    pub tiles: Range<usize>,
    /// How often the steps are gone through, and how far sources and results are then apart.
    pub bundles: usize,
    pub source: &'a [T],
    pub source_bundle: usize,
    pub panels: &'a Panels<T>,
    pub result: &'a mut [T],
    pub result_bundle: usize,
    /// Where in the result of all tiles `result` begins.
    pub origin: usize,
    /// From one pixel of the result to the next.
    pub pitch: usize,
    pub after: After<'a, T>,
}

/// Pixels of a tile: with its vectors, those of a term's weights and one pixel's number it fills the
/// registers.
pub(super) struct Height;

impl WithSimd for Height {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::REGISTER_COUNT < 32 { FEW } else { MANY }
    }
}

const FEW: usize = 6;
const MANY: usize = 12;

/// Channels of a turn of the innermost loop: few turns, of which the processor foresees the last.
const CHANNELS: usize = 4;

impl<T: Float> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 {
            self.run::<S, FEW>(simd)
        } else {
            self.run::<S, MANY>(simd)
        }
    }
}

impl<T: Float> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) {
        for panel in self.panels.iter() {
            for bundle in 0..self.bundles {
                // A group's last vector can be longer than what is left of a pixel.
                let whole = panel.vectors * T::lanes::<S>() <= self.pitch - panel.result;
                match (panel.vectors == VECTORS, whole) {
                    (true, true) if self.steps.single && panel.first && panel.last => {
                        self.single::<S, M>(simd, &panel, bundle)
                    }
                    (true, true) => self.panel::<S, M, VECTORS, true>(simd, &panel, bundle),
                    (true, false) => self.panel::<S, M, VECTORS, false>(simd, &panel, bundle),
                    (false, true) => self.panel::<S, M, 1, true>(simd, &panel, bundle),
                    (false, false) => self.panel::<S, M, 1, false>(simd, &panel, bundle),
                }
            }
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const M: usize, const V: usize, const WHOLE: bool>(
        &mut self,
        simd: S,
        panel: &Panel<T>,
        bundle: usize,
    ) {
        let steps = self.steps;
        let results = steps.results.as_chunks::<M>().0;
        let source = &self.source[bundle * self.source_bundle..];
        let start = bundle * self.result_bundle + panel.result;
        let room = self.pitch - panel.result;
        for tile in self.tiles.clone() {
            let places = results[tile].map(|place| place as usize - self.origin + start);
            let range = steps.starts[tile] as usize..steps.starts[tile + 1] as usize;
            let sources = &steps.sources.as_chunks::<M>().0[range.clone()];
            let taps = &steps.taps[range];
            let reads = Reads { taps, sources };
            // Two calls: sums that begin as zeros or as what is in memory would begin in memory.
            let mut sums = if panel.first {
                add::<T, S, M, V>(
                    simd,
                    (source, reads),
                    panel,
                    [[T::splat(simd, T::zero()); V]; M],
                )
            } else {
                let mut sums = [[T::splat(simd, T::zero()); V]; M];
                for m in 0..M {
                    sums[m] = load::<T, S, V, WHOLE>(simd, &self.result[places[m]..]);
                }
                add::<T, S, M, V>(simd, (source, reads), panel, sums)
            };
            if panel.last {
                self.finish::<S, M, V, WHOLE>(simd, panel.result, &mut sums, places);
            }
            for m in 0..M {
                store::<T, S, V, WHOLE>(&sums[m], &mut self.result[places[m]..], room);
            }
        }
    }

    /// [`Product::panel`] of one tap, without the loop over taps: at few channels, that is a tenth.
    #[inline(always)]
    fn single<S: Simd, const M: usize>(&mut self, simd: S, panel: &Panel<T>, bundle: usize) {
        let steps = self.steps;
        let results = steps.results.as_chunks::<M>().0;
        let sources = steps.sources.as_chunks::<M>().0;
        let source = &self.source[bundle * self.source_bundle..];
        let start = bundle * self.result_bundle + panel.result;
        let room = self.pitch - panel.result;
        for tile in self.tiles.clone() {
            let places = results[tile].map(|place| place as usize - self.origin + start);
            let starts = sources[tile].map(|start| start as usize + panel.source);
            let mut sums = multiply::<T, S, M, VECTORS>(
                simd,
                (source, starts),
                panel.channels,
                panel.numbers,
                [[T::splat(simd, T::zero()); VECTORS]; M],
            );
            self.finish::<S, M, VECTORS, true>(simd, panel.result, &mut sums, places);
            for m in 0..M {
                store::<T, S, VECTORS, true>(&sums[m], &mut self.result[places[m]..], room);
            }
        }
    }

    #[inline(always)]
    fn finish<S: Simd, const M: usize, const V: usize, const WHOLE: bool>(
        &self,
        simd: S,
        channel: usize,
        sums: &mut [[T::Vector<S>; V]; M],
        places: [usize; M],
    ) {
        if let Some(bias) = self.after.bias {
            let bias = load::<T, S, V, WHOLE>(simd, &bias[channel..]);
            for sums in sums.iter_mut() {
                for v in 0..V {
                    sums[v] = T::plus(simd, sums[v], bias[v]);
                }
            }
        }
        if let Some(residual) = self.after.residual {
            for m in 0..M {
                let residual = load::<T, S, V, WHOLE>(simd, &residual[places[m]..]);
                for v in 0..V {
                    sums[m][v] = T::plus(simd, sums[m][v], residual[v]);
                }
            }
        }
        if self.after.relu {
            // Any other loop sends the sums through memory.
            #[expect(clippy::needless_range_loop)]
            for m in 0..M {
                for v in 0..V {
                    sums[m][v] = T::relu(simd, sums[m][v]);
                }
            }
        }
    }
}

/// The taps of a tile, with where each of its pixels reads.
#[derive(Clone, Copy)]
struct Reads<'a, const M: usize> {
    taps: &'a [u32],
    sources: &'a [[u32; M]],
}

/// Adds the products of all taps of a tile.
#[inline(always)]
fn add<T: Float, S: Simd, const M: usize, const V: usize>(
    simd: S,
    (source, Reads { taps, sources }): (&[T], Reads<M>),
    panel: &Panel<T>,
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M] {
    let weights = panel.channels * V * T::lanes::<S>();
    for (&tap, sources) in taps.iter().zip(sources) {
        let weights = &panel.numbers[tap as usize * weights..][..weights];
        let starts = sources.map(|start| start as usize + panel.source);
        sums = multiply::<T, S, M, V>(simd, (source, starts), panel.channels, weights, sums);
    }
    sums
}

/// Adds the products of the `channels` numbers at each start with a tap's weights.
#[inline(always)]
pub(super) fn multiply<T: Float, S: Simd, const M: usize, const V: usize>(
    simd: S,
    (source, starts): (&[T], [usize; M]),
    channels: usize,
    weights: &[T],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M] {
    // Of lengths that the compiler knows to be equal: a check in the loop would send the sums
    // through memory.
    let mut pixels = [&source[..0]; M];
    for m in 0..M {
        pixels[m] = &source[starts[m]..][..channels];
    }
    let weights = &T::vectors::<S>(weights).as_chunks::<V>().0[..channels];
    let (some_weights, rest) = weights.as_chunks::<CHANNELS>();
    let mut some = [&pixels[0].as_chunks::<CHANNELS>().0[..0]; M];
    for m in 0..M {
        some[m] = &pixels[m].as_chunks::<CHANNELS>().0[..some_weights.len()];
    }
    for at in 0..some_weights.len() {
        for channel in 0..CHANNELS {
            let weights = some_weights[at][channel];
            for m in 0..M {
                let number = T::splat(simd, some[m][at][channel]);
                for v in 0..V {
                    sums[m][v] = T::mul_add(simd, number, weights[v], sums[m][v]);
                }
            }
        }
    }
    for (channel, weights) in (channels - rest.len()..channels).zip(rest) {
        for m in 0..M {
            let number = T::splat(simd, pixels[m][channel]);
            for v in 0..V {
                sums[m][v] = T::mul_add(simd, number, weights[v], sums[m][v]);
            }
        }
    }
    sums
}

/// The first vectors of `numbers`, zeros after their end.
#[inline(always)]
fn load<T: Float, S: Simd, const V: usize, const WHOLE: bool>(
    simd: S,
    numbers: &[T],
) -> [T::Vector<S>; V] {
    let mut vectors = [T::splat(simd, T::zero()); V];
    let whole = V * T::lanes::<S>();
    if WHOLE {
        let numbers = T::vectors::<S>(&numbers[..whole]);
        vectors.copy_from_slice(&numbers[..V]);
    } else if let Some(numbers) = numbers.get(..whole) {
        vectors.copy_from_slice(T::vectors::<S>(numbers));
    } else {
        let mut padded = [T::zero(); 16 * VECTORS];
        padded[..numbers.len()].copy_from_slice(numbers);
        vectors.copy_from_slice(T::vectors::<S>(&padded[..whole]));
    }
    vectors
}

/// Writes the vectors, but no more than `room` numbers.
#[inline(always)]
fn store<T: Float, S: Simd, const V: usize, const WHOLE: bool>(
    vectors: &[T::Vector<S>; V],
    numbers: &mut [T],
    room: usize,
) {
    let whole = V * T::lanes::<S>();
    if WHOLE {
        let numbers = T::vectors_mut::<S>(&mut numbers[..whole]);
        numbers[..V].copy_from_slice(vectors);
    } else if room >= whole {
        T::vectors_mut::<S>(&mut numbers[..whole]).copy_from_slice(vectors);
    } else {
        let mut padded = [T::zero(); 16 * VECTORS];
        T::vectors_mut::<S>(&mut padded[..whole]).copy_from_slice(vectors);
        numbers[..room].copy_from_slice(&padded[..room]);
    }
}
