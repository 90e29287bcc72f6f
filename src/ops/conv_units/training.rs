//! The units in training, on slices: the statistics of the batch, and results.
//!
//! All images go through one unit after the other, since a normalisation needs all of them, but some
//! at a time: what is computed on the way from a convolution's result to the next lies in the cache
//! and is not stored. The parts of sums are split by the shapes alone and added in one order.

use std::ops::Range;

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::layers::{Layer, Layers};
use super::unit::{ConvUnit, UnitNorm};
use super::workspace::{Room, Workspace};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::pass::Pass;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::memory::memory;
use crate::ops::normalisation::pixels::{Affine, Normalise, Parts, PartsOf};
use crate::ops::operation::Operation;
use crate::ops::simd::{Float, arch};

const OPERATION: Operation = Operation::ConvUnits;
/// Numbers of a group of images that stay in the cache.
const CACHED: usize = 50_000;
/// Most parts of the batch.
const PARTS: usize = 16;

pub(super) struct Training<'a> {
    pub units: &'a [ConvUnit],
    pub shapes: &'a [Geometry],
    pub eps: f64,
    pub workspace: &'a Workspace,
}

impl Training<'_> {
    pub fn images(&self) -> usize {
        self.shapes[0].images
    }

    /// Images of a part of the batch.
    pub fn per_part(&self) -> usize {
        self.images().div_ceil(PARTS)
    }

    /// Images of a part that are taken at a time.
    pub fn group(&self, index: usize) -> usize {
        let [input, output] = Pixels::of(&self.shapes[index]);
        (CACHED / (input.image() + output.image())).clamp(1, self.per_part())
    }

    /// Whether no unit before `index` reads the result `number`.
    pub fn is_first_reader(&self, index: usize, number: usize) -> bool {
        let reads = |unit: &ConvUnit| unit.input == number || unit.residual == Some(number);
        !self.units[..index].iter().any(reads)
    }

    /// Group `number` of so many images.
    pub fn images_of(&self, number: usize, group: usize) -> Range<usize> {
        number * group..self.images().min((number + 1) * group)
    }

    pub fn pass<T: Float>(&self, index: usize, direction: Direction) -> Result<Pass<T>> {
        let (shape, weight) = (
            &self.shapes[index],
            memory(OPERATION, &self.units[index].weight),
        );
        let panels = Panels::new(shape, direction, weight.numbers::<T>()?)?;
        Pass::new(shape, direction, panels.into())
    }

    /// The last unit's result, and what the gradients need if they are to be kept.
    pub fn forward<T: Float>(&self, x: &[T], keep: bool) -> Result<(Vec<T>, Layers<T>)> {
        let arch = arch()?;
        let pixels = Pixels::of(&self.shapes[0])[0];
        let mut layers = vec![Layer {
            pixels,
            relu: false,
            convolved: None,
            moments: Vec::new(),
            result: Some(self.laid(arch, pixels, x, self.group(0))),
        }];
        for index in 0..self.units.len() {
            let layer = self.layer(arch, index, &layers)?;
            layers.push(layer);
            for (number, layer) in layers.iter_mut().enumerate().take(index + 1) {
                let later = &self.units[index + 1..];
                let read =
                    |later: &ConvUnit| later.input == number || later.residual == Some(number);
                if !keep && !later.iter().any(read) {
                    layer.forget(self.workspace);
                }
            }
        }
        let last = &layers[self.units.len()];
        let group = self.group(self.units.len() - 1);
        let mut y = vec![T::zero(); self.images() * last.pixels.count()];
        y.par_chunks_mut(group * last.pixels.count())
            .enumerate()
            .for_each_init(Vec::new, |scratch, (number, y)| {
                let images = self.images_of(number, group);
                let laid = last.read(arch, &images, scratch);
                last.pixels.put(arch, laid, y);
            });
        let layers = Layers {
            all: layers,
            workspace: self.workspace.clone(),
        };
        Ok((y, layers))
    }

    fn layer<T: Float>(&self, arch: Arch, index: usize, before: &[Layer<T>]) -> Result<Layer<T>> {
        let unit = &self.units[index];
        let pass = self.pass::<T>(index, Direction::Forward)?;
        let (pixels, group) = (pass.result, self.group(index));
        let bias = match &unit.norm {
            UnitNorm::Bias(bias) => {
                let bias = memory(OPERATION, bias);
                Some(pixels.padded(bias.numbers::<T>()?))
            }
            UnitNorm::Batch { .. } => None,
        };
        let mut numbers = self.workspace.take(self.images() * pixels.image());
        let parts: Vec<_> = numbers
            .par_chunks_mut(group * pixels.image())
            .enumerate()
            .map_init(Default::default, |(source, added), (number, result)| {
                let images = self.images_of(number, group);
                let source = before[unit.input].read(arch, &images, source);
                let residual = unit.residual.filter(|_| bias.is_some());
                let after = After {
                    bias: bias.as_deref(),
                    residual: residual.map(|at| before[at].read(arch, &images, added)),
                    relu: unit.relu && bias.is_some(),
                };
                pixels.zero_first(result);
                pass.run(images.len(), source, result, after);
                let result = &*result;
                bias.is_none()
                    .then(|| arch.dispatch(PartsOf { pixels, z: result }))
            })
            .collect();
        let UnitNorm::Batch { gamma, beta } = &unit.norm else {
            return Ok(Layer {
                pixels,
                relu: unit.relu,
                convolved: None,
                moments: Vec::new(),
                result: Some(numbers),
            });
        };
        let mut all = Parts::none(pixels.pitch());
        parts.iter().flatten().for_each(|part| all.join(part));
        let moments = all.moments(pixels.channels);
        let (gamma, beta) = (memory(OPERATION, gamma), memory(OPERATION, beta));
        let both = [gamma.numbers()?, beta.numbers()?];
        let affine = Affine::new(&moments, both, self.eps, pixels.pitch());
        let result = unit.residual.map(|at| {
            let mut result = self.workspace.take(numbers.len());
            result
                .par_chunks_mut(group * pixels.image())
                .zip(numbers.par_chunks(group * pixels.image()))
                .enumerate()
                .for_each_init(Vec::new, |scratch, (number, (y, z))| {
                    let images = self.images_of(number, group);
                    arch.dispatch(Normalise {
                        pixels,
                        affine: &affine,
                        z,
                        residual: Some(before[at].read(arch, &images, scratch)),
                        relu: unit.relu,
                        y,
                    });
                });
            result
        });
        Ok(Layer {
            pixels,
            relu: unit.relu,
            convolved: Some((numbers, affine)),
            moments,
            result,
        })
    }

    /// All images, their channels side by side.
    pub fn laid<T: Float>(
        &self,
        arch: Arch,
        pixels: Pixels,
        planes: &[T],
        group: usize,
    ) -> Room<T> {
        let images = planes.len() / pixels.count();
        let mut laid = self.workspace.take(images * pixels.image());
        laid.par_chunks_mut(group * pixels.image())
            .zip(planes.par_chunks(group * pixels.count()))
            .for_each(|(laid, planes)| {
                // Zeros after the channels, too.
                laid.fill(T::zero());
                pixels.lay(arch, planes, laid);
            });
        laid
    }
}
