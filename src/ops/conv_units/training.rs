//! The units in training, on slices: statistics of the batch, gradients in parameters.
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
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::pass::Pass;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::convolution::weight_gradient::{Sums, images_of_a_part};
use crate::ops::memory::memory;
use crate::ops::normalisation::pixels::{
    Affine, Gather, Normalise, OfInput, Parts, PartsOf, Slope,
};
use crate::ops::operation::Operation;
use crate::ops::planes::add;
use crate::ops::simd::{Float, arch};

const OPERATION: Operation = Operation::ConvUnits;
/// Numbers of a group of images that stay in the cache.
const CACHED: usize = 100_000;
/// Most parts of the batch.
const PARTS: usize = 16;

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub x: bool,
    pub parameters: bool,
}

pub(super) struct Training<'a> {
    pub units: &'a [ConvUnit],
    pub shapes: &'a [Geometry],
    pub eps: f64,
}

impl Training<'_> {
    fn images(&self) -> usize {
        self.shapes[0].images
    }

    /// Images of a part of the batch.
    fn per_part(&self) -> usize {
        self.images().div_ceil(PARTS)
    }

    /// Images of a part that are taken at a time.
    fn group(&self, index: usize) -> usize {
        let [input, output] = Pixels::of(&self.shapes[index]);
        (CACHED / (input.image() + output.image())).clamp(1, self.per_part())
    }

    fn pass<T: Float>(&self, index: usize, direction: Direction) -> Result<Pass<T>> {
        let (shape, weight) = (
            &self.shapes[index],
            memory(OPERATION, &self.units[index].weight),
        );
        let panels = Panels::new(shape, direction, weight.numbers::<T>()?)?;
        Pass::new(shape, direction, panels.into(), self.group(index))
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
            result: Some(laid(arch, pixels, x, self.group(0))),
        }];
        for index in 0..self.units.len() {
            let layer = self.layer(arch, index, &layers)?;
            layers.push(layer);
            for (number, layer) in layers.iter_mut().enumerate().take(index + 1) {
                let later = &self.units[index + 1..];
                let read =
                    |later: &ConvUnit| later.input == number || later.residual == Some(number);
                if !keep && !later.iter().any(read) {
                    layer.forget();
                }
            }
        }
        let last = &layers[self.units.len()];
        let group = self.group(self.units.len() - 1);
        let mut y = vec![T::zero(); self.images() * last.pixels.count()];
        y.par_chunks_mut(group * last.pixels.count())
            .enumerate()
            .for_each_init(Vec::new, |scratch, (number, y)| {
                let first = number * group;
                let images = first..first + y.len() / last.pixels.count();
                last.pixels
                    .put_all(arch, last.read(arch, &images, scratch), y);
            });
        Ok((y, Layers { all: layers }))
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
        let mut numbers = vec![T::zero(); self.images() * pixels.image()];
        let parts: Vec<_> = numbers
            .par_chunks_mut(group * pixels.image())
            .enumerate()
            .map_init(Default::default, |(source, added), (number, result)| {
                let first = number * group;
                let images = first..first + result.len() / pixels.image();
                let source = before[unit.input].read(arch, &images, source);
                let residual = unit.residual.filter(|_| bias.is_some());
                let after = After {
                    bias: bias.as_deref(),
                    residual: residual.map(|at| before[at].read(arch, &images, added)),
                    relu: unit.relu && bias.is_some(),
                };
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
            let mut result = vec![T::zero(); numbers.len()];
            result
                .par_chunks_mut(group * pixels.image())
                .zip(numbers.par_chunks(group * pixels.image()))
                .enumerate()
                .for_each_init(Vec::new, |scratch, (number, (result, convolved))| {
                    let first = number * group;
                    let images = first..first + result.len() / pixels.image();
                    let residual = before[at].read(arch, &images, scratch);
                    arch.dispatch(Normalise {
                        pixels,
                        affine: &affine,
                        z: convolved,
                        residual: Some(residual),
                        relu: unit.relu,
                        y: result,
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

    /// The gradients in x and in all parameters one after another, of that in the last result.
    pub fn backward<T: Float>(
        &self,
        layers: &Layers<T>,
        g: &[T],
        wanted: Wanted,
    ) -> Result<(Option<Vec<T>>, Vec<T>)> {
        let arch = arch()?;
        let layers = &layers.all[..];
        let last = self.units.len();
        let mut gradients: Vec<Option<Gradient<T>>> = (0..last).map(|_| None).collect();
        let mut of_last = Gradient {
            numbers: laid(arch, layers[last].pixels, g, self.group(last - 1)),
            sums: Vec::new(),
        };
        self.finish(arch, last, &layers[last], &mut of_last);
        gradients.push(Some(of_last));
        // The last unit's first; turned round at the end.
        let mut of_parameters: Vec<Vec<T>> = Vec::new();
        for (index, unit) in self.units.iter().enumerate().rev() {
            let Some(own) = gradients[index + 1].take() else {
                // Nobody reads this unit's result.
                let parameters = unit.parameters().map(|of| vec![T::zero(); of.elem_count()]);
                let parameters: Vec<_> = parameters.collect();
                of_parameters.extend(parameters.into_iter().rev());
                continue;
            };
            let before = gradients[unit.input].take();
            let task = UnitGradient {
                of: self,
                arch,
                index,
                layers,
                own: &own,
                wanted,
            };
            let (of_input, parameters) = task.run(before)?;
            gradients[unit.input] = of_input;
            of_parameters.extend(parameters.into_iter().rev());
            let residual = unit
                .residual
                .filter(|&number| number != unit.input && (number > 0 || wanted.x));
            if let Some(number) = residual {
                let mut sum = match gradients[number].take() {
                    Some(mut sum) => {
                        let chunk = self.per_part() * layers[number].pixels.image();
                        sum.numbers
                            .par_chunks_mut(chunk)
                            .zip(own.numbers.par_chunks(chunk))
                            .for_each(|(sum, own)| add(arch, sum, own));
                        sum
                    }
                    None => own,
                };
                if number > 0 && self.is_first_reader(index, number) {
                    self.finish(arch, number, &layers[number], &mut sum);
                }
                gradients[number] = Some(sum);
            }
        }
        let of_x = gradients[0].take().map(|gradient| {
            let (pixels, group) = (layers[0].pixels, self.group(0));
            let mut of_x = vec![T::zero(); self.images() * pixels.count()];
            of_x.par_chunks_mut(group * pixels.count())
                .zip(gradient.numbers.par_chunks(group * pixels.image()))
                .for_each(|(planes, laid)| pixels.put_all(arch, laid, planes));
            of_x
        });
        let of_parameters = of_parameters.into_iter().rev().flatten().collect();
        Ok((of_x, of_parameters))
    }

    /// Whether no unit before `index` reads the result `number`.
    fn is_first_reader(&self, index: usize, number: usize) -> bool {
        let reads = |unit: &ConvUnit| unit.input == number || unit.residual == Some(number);
        !self.units[..index].iter().any(reads)
    }

    /// Takes a gradient that is complete through the ReLU of its layer, and sums its channels.
    fn finish<T: Float>(
        &self,
        arch: Arch,
        number: usize,
        layer: &Layer<T>,
        gradient: &mut Gradient<T>,
    ) {
        let (pixels, group) = (layer.pixels, self.group(number - 1));
        let sums: Vec<_> = gradient
            .numbers
            .par_chunks_mut(group * pixels.image())
            .enumerate()
            .map_init(Vec::new, |scratch, (at, g)| {
                let images = at * group..at * group + g.len() / pixels.image();
                let y = layer.relu.then(|| layer.read(arch, &images, scratch));
                finish_group(arch, layer, &images, y, g)
            })
            .collect();
        gradient.sums = sum(sums);
    }
}

/// The gradient in a result, of which nothing is left where its ReLU gave 0 when all is added up.
struct Gradient<T> {
    numbers: Vec<T>,
    /// Of each channel, once it is complete.
    sums: Vec<[f64; 2]>,
}

/// The gradients in a unit's input and in its parameters.
type OfUnit<T> = (Option<Gradient<T>>, Vec<Vec<T>>);

/// The gradient of one unit.
struct UnitGradient<'a, T> {
    of: &'a Training<'a>,
    arch: Arch,
    index: usize,
    layers: &'a [Layer<T>],
    /// In the unit's result.
    own: &'a Gradient<T>,
    wanted: Wanted,
}

impl<T: Float> UnitGradient<'_, T> {
    /// In the unit's input, added to what is there `before`, and in its parameters.
    fn run(&self, before: Option<Gradient<T>>) -> Result<OfUnit<T>> {
        let (index, of) = (self.index, self.of);
        let (unit, shape) = (&of.units[index], &of.shapes[index]);
        let (input, output) = (&self.layers[unit.input], &self.layers[index + 1]);
        let of_input = unit.input > 0 || self.wanted.x;
        let is_complete = of_input && unit.input > 0 && of.is_first_reader(index, unit.input);
        let pass = of_input
            .then(|| of.pass::<T>(index, Direction::Backward))
            .transpose()?;
        let sums = self
            .wanted
            .parameters
            .then(|| Sums::new::<T>(shape, self.arch));
        let count = of.images() * output.pixels.area;
        let slope = output.convolved.as_ref().map(|(convolved, affine)| {
            let pitch = output.pixels.pitch();
            let (slope, of_norm) =
                Slope::new(&self.own.sums, &output.moments, of.eps, count, pitch);
            (slope, of_norm, convolved, affine)
        });

        let is_added = before.is_some();
        let mut target = before
            .map(|before| before.numbers)
            .or_else(|| of_input.then(|| vec![T::zero(); of.images() * input.pixels.image()]));
        let numbers = sums.as_ref().map_or(1, Sums::numbers).max(1);
        let per_part = images_of_a_part(of.images(), numbers);
        let mut weights = vec![T::zero(); of.images().div_ceil(per_part) * numbers];
        let mut targets: Vec<_> = target
            .iter_mut()
            .flat_map(|target| target.chunks_mut(per_part * input.pixels.image()))
            .map(Some)
            .collect();
        targets.resize_with(of.images().div_ceil(per_part), || None);
        let channel_sums: Vec<_> = weights
            .par_chunks_mut(numbers)
            .zip(targets)
            .enumerate()
            .map_init(
                Scratch::default,
                |scratch, (part, (weights, mut target))| {
                    let end = of.images().min((part + 1) * per_part);
                    let mut channel_sums = Vec::new();
                    for first in (part * per_part..end).step_by(of.group(index)) {
                        let images = first..end.min(first + of.group(index));
                        let own = &self.own.numbers[output.images(&images)];
                        // In what the convolution gave.
                        scratch
                            .of_convolved
                            .resize(own.len() + output.pixels.pitch(), T::zero());
                        let (dz, _) = scratch.of_convolved.split_at_mut(own.len());
                        match &slope {
                            Some((slope, _, convolved, affine)) => {
                                let z = &convolved[output.images(&images)];
                                self.arch.dispatch(OfInput {
                                    pixels: output.pixels,
                                    affine,
                                    slope,
                                    g: own,
                                    z,
                                    dz,
                                });
                            }
                            None => dz.copy_from_slice(own),
                        }
                        let source = input.read(self.arch, &images, &mut scratch.source);
                        if let Some(sums) = &sums {
                            sums.add(source, &scratch.of_convolved, images.len(), false, weights);
                        }
                        let (Some(pass), Some(target)) = (&pass, &mut target) else {
                            continue;
                        };
                        let at = (images.start - part * per_part) * input.pixels.image();
                        let target = &mut target[at..][..images.len() * input.pixels.image()];
                        let before = &mut scratch.before;
                        let same = unit.residual == Some(unit.input);
                        before.clear();
                        if is_added {
                            before.extend_from_slice(target);
                            if same {
                                add(self.arch, before, own);
                            }
                        } else if same {
                            before.extend_from_slice(own);
                        }
                        let after = After {
                            bias: None,
                            residual: Some(&before[..]).filter(|before| !before.is_empty()),
                            relu: false,
                        };
                        let dz = &scratch.of_convolved[..own.len()];
                        pass.run(images.len(), dz, target, after);
                        if is_complete {
                            let y = input.relu.then_some(source);
                            channel_sums.push(finish_group(self.arch, input, &images, y, target));
                        }
                    }
                    channel_sums
                },
            )
            .collect();
        let of_input = target.map(|numbers| Gradient {
            numbers,
            sums: sum(channel_sums.into_iter().flatten().collect()),
        });
        let Some(sums) = sums else {
            return Ok((of_input, Vec::new()));
        };
        let (total, rest) = weights.split_at_mut(numbers);
        rest.chunks(numbers)
            .for_each(|part| add(self.arch, total, part));
        let of_weight = sums.weight(total);
        let of_norm = match slope {
            Some((_, of_norm, ..)) => vec![
                of_norm
                    .iter()
                    .map(|sums| T::from_f64(sums.of_gamma))
                    .collect(),
                of_norm
                    .iter()
                    .map(|sums| T::from_f64(sums.of_beta))
                    .collect(),
            ],
            None => {
                let sums = self.own.sums.iter().take(output.pixels.channels);
                vec![sums.map(|sums| T::from_f64(sums[0])).collect()]
            }
        };
        Ok((of_input, [vec![of_weight], of_norm].concat()))
    }
}

struct Scratch<T> {
    source: Vec<T>,
    of_convolved: Vec<T>,
    before: Vec<T>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            of_convolved: Vec::new(),
            before: Vec::new(),
        }
    }
}

/// As [`Training::finish`], for some images; `y` is the layer's result if it has a ReLU.
fn finish_group<T: Float>(
    arch: Arch,
    layer: &Layer<T>,
    images: &Range<usize>,
    y: Option<&[T]>,
    g: &mut [T],
) -> Vec<[f64; 2]> {
    let z = layer
        .convolved
        .as_ref()
        .map(|(convolved, affine)| (&convolved[layer.images(images)], &affine.mean[..]));
    arch.dispatch(Gather {
        pixels: layer.pixels,
        result: y,
        centred: z,
        g,
    })
}

/// The sums of all parts, in their order.
fn sum(parts: Vec<Vec<[f64; 2]>>) -> Vec<[f64; 2]> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            total[0] += part[0];
            total[1] += part[1];
        }
    }
    total
}

/// All images, their channels side by side.
fn laid<T: Float>(arch: Arch, pixels: Pixels, planes: &[T], group: usize) -> Vec<T> {
    let mut numbers = vec![T::zero(); planes.len() / pixels.count() * pixels.image()];
    numbers
        .par_chunks_mut(group * pixels.image())
        .zip(planes.par_chunks(group * pixels.count()))
        .for_each(|(laid, planes)| {
            pixels.lay_all(arch, planes, laid);
        });
    numbers
}
