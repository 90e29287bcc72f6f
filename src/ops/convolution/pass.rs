//! One direction of a convolution, on images with their channels side by side.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, bail};
use pulp::Arch;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::narrow::Narrow;
use super::panels::Panels;
use super::pixels::Pixels;
use super::product::{After, Height, Product};
use super::steps::{Direction, Steps};
use super::winograd::plan::Winograd;
use super::winograd::shape::serves;
use crate::ops::simd::{Float, arch};

/// Pixels of a result below which images are taken together.
const FEW_PIXELS: usize = 64;
/// Images that are taken together: a whole tile of any processor.
const TOGETHER: usize = 12;

/// Images of a task where so many threads share out so many: equal tasks for every thread, of whole
/// tiles where images are small.
pub(in crate::ops) fn images_of_a_task(images: usize, threads: usize) -> usize {
    let own = images.div_ceil(threads);
    own.div_ceil(own.div_ceil(TOGETHER))
}

/// A convolution from input to output, or its gradient from output to input, with its weight.
pub(in crate::ops) struct Pass<T> {
    arch: Arch,
    /// The convolution that is computed instead of one of few channels, which it is.
    narrow: Option<Narrow>,
    /// What computes it where that is fewer multiplications.
    winograd: Option<Winograd<T>>,
    shape: Geometry,
    direction: Direction,
    pub source: Pixels,
    pub result: Pixels,
    panels: Arc<Panels<T>>,
    /// For 1, 2, … images whose pixels share tiles, made when first needed.
    steps: [OnceLock<Steps>; TOGETHER],
}

impl<T: Float> Pass<T> {
    /// # Errors
    /// Images too large to be numbered.
    pub fn new(shape: &Geometry, direction: Direction, panels: Arc<Panels<T>>) -> Result<Self> {
        let narrow = Narrow::of(shape);
        let [input, output] = Pixels::of(shape);
        let (source, result) = match direction {
            Direction::Forward => (input, output),
            Direction::Backward => (output, input),
        };
        let shape = narrow.map_or(*shape, |narrow| narrow.wide());
        let winograd = serves(&shape).then(|| Winograd::new(&shape, direction));
        for pixels in Pixels::of(&shape) {
            if u32::try_from(TOGETHER * pixels.image()).is_err() {
                bail!(
                    "a convolution of images with {} numbers each; expected fewer than {}",
                    pixels.image(),
                    u32::MAX as usize / TOGETHER
                )
            }
        }
        Ok(Self {
            arch: arch()?,
            narrow,
            winograd,
            shape,
            direction,
            source,
            result,
            panels,
            steps: std::array::from_fn(|_| OnceLock::new()),
        })
    }

    fn steps(&self, images: usize) -> &Steps {
        self.steps[images - 1].get_or_init(|| {
            Steps::new(
                &self.shape,
                self.direction,
                self.computed(),
                images,
                self.arch.dispatch(Height),
            )
        })
    }

    /// Source and result of the convolution that is computed.
    fn computed(&self) -> (Pixels, Pixels) {
        let [input, output] = Pixels::of(&self.shape);
        match self.direction {
            Direction::Forward => (input, output),
            Direction::Backward => (output, input),
        }
    }

    /// Images of so many at a time whose pixels share tiles.
    pub fn together(&self, images: usize) -> usize {
        if self.narrow.is_some() || self.result.area > FEW_PIXELS {
            1
        } else {
            images.clamp(1, TOGETHER)
        }
    }

    /// The result of so many images, on one thread.
    pub fn run(&self, images: usize, source: &[T], result: &mut [T], after: After<T>) {
        if let Some(narrow) = &self.narrow {
            return self.run_narrow(narrow, source, result, after);
        }
        if let Some(winograd) = &self.winograd {
            return winograd.run((self.arch, &self.panels), images, source, result, after);
        }
        let together = self.together(images);
        let at = images / together * together;
        let (first, rest) = result.split_at_mut(at * self.result.image());
        let rest_after = after.from(at * self.result.image());
        let runs = [
            (together, 0..at, first, after),
            (images - at, at..images, rest, rest_after),
        ];
        for (together, images, result, after) in runs {
            if images.is_empty() {
                continue;
            }
            let source = &source[images.start * self.source.image()..];
            self.bundles(together, images.len() / together, source, result, after);
        }
    }

    /// All tiles of so many times `together` images, of the convolution that is computed.
    fn bundles(
        &self,
        together: usize,
        bundles: usize,
        source: &[T],
        result: &mut [T],
        after: After<T>,
    ) {
        let (steps, (from, to)) = (self.steps(together), self.computed());
        self.arch.dispatch(Product {
            steps,
            tiles: 0..steps.tiles(),
            bundles,
            source,
            source_bundle: together * from.image(),
            panels: &self.panels,
            result,
            result_bundle: together * to.image(),
            origin: 0,
            pitch: to.pitch(),
            after,
        });
    }

    /// The result of images of few channels, one at a time.
    fn run_narrow(&self, narrow: &Narrow, source: &[T], result: &mut [T], after: After<T>) {
        let (from, to) = self.computed();
        let mut spread = vec![T::zero(); from.image().max(to.image())];
        let size = self.result.image();
        let images = source
            .chunks(self.source.image())
            .zip(result.chunks_mut(size));
        for (number, (source, result)) in images.enumerate() {
            let after = after.from(number * size);
            match self.direction {
                Direction::Forward => {
                    narrow.spread(source, &mut spread);
                    self.bundles(1, 1, &spread, result, after);
                }
                Direction::Backward => {
                    self.bundles(1, 1, source, &mut spread, After::NOTHING);
                    match after.residual {
                        Some(residual) => result.copy_from_slice(&residual[..size]),
                        None => result.fill(T::zero()),
                    }
                    narrow.collect(&spread, result);
                    after.finish(self.result, result);
                }
            }
        }
    }

    /// The result of so many images, whose tiles threads share out if they are few.
    pub fn run_in_parallel(&self, images: usize, source: &[T], result: &mut [T], after: After<T>) {
        if let Some(winograd) = &self.winograd {
            return winograd.run_in_parallel((self.arch, &self.panels), source, result, after);
        }
        // Whether tiles write pixels that follow one another.
        let in_order = self.direction == Direction::Forward || self.shape.stride == [1; 2];
        if !in_order || self.narrow.is_some() {
            return self.run(images, source, result, after);
        }
        let (steps, pitch) = (self.steps(1), self.result.pitch());
        let tiles = steps.tiles().div_ceil(4 * rayon::current_num_threads());
        let image = self.result.image();
        result
            .par_chunks_mut(image)
            .zip(source.par_chunks(self.source.image()))
            .enumerate()
            .for_each(|(number, (result, source))| {
                let bands = result[pitch..].par_chunks_mut(tiles * steps.height * pitch);
                bands.enumerate().for_each(|(band, result)| {
                    let origin = pitch + band * tiles * steps.height * pitch;
                    self.arch.dispatch(Product {
                        steps,
                        tiles: band * tiles..steps.tiles().min((band + 1) * tiles),
                        bundles: 1,
                        source,
                        source_bundle: 0,
                        panels: &self.panels,
                        result,
                        result_bundle: 0,
                        origin,
                        pitch,
                        after: after.from(number * image + origin),
                    });
                });
            });
    }
}
