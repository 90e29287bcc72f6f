//! Images through the units of a network in evaluation mode, and gradients back.
//!
//! Some images at a time go through the units, their channels side by side: what lies between the
//! units stays in the cache.

use std::sync::Arc;

use candle_core::{Result, bail};
use pulp::Arch;

use super::batch::Batch;
use super::plan::Segment;
use super::starts::{Between, Starts};
use super::unit::UnitNorm;
use super::workspace::{Room, Task};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::pass::Pass;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::memory::memory;
use crate::ops::operation::Operation;
use crate::ops::planes::{add, kept};
use crate::ops::simd::{Float, arch, vectorised};

const OPERATION: Operation = Operation::ConvUnits;

/// What the gradient needs of a task's images: for each segment that of its groups.
pub(super) type Kept = Vec<Vec<Signs>>;

/// Where the results of a segment's units are above 0, for those with a ReLU.
type Signs = Vec<Option<Vec<bool>>>;

/// The results of a segment's units, by their numbers from its beginning on, where they are needed.
type Results<T> = Vec<Option<Room<T>>>;

/// The images of a task.
#[derive(Clone, Copy)]
pub(super) enum Source<'a, T> {
    /// Images channel by channel.
    Planes(&'a [T]),
    /// Images between others, whose first results are known.
    Between(Between<'a, T>),
}

/// Some images of a task, before a segment.
struct Group<'a, T> {
    /// What the segment reads, with the channels side by side.
    laid: &'a [T],
    between: Option<Between<'a, T>>,
    images: usize,
}

/// The convolutions of all units in one direction.
pub(super) struct Passes<'a, T> {
    arch: Arch,
    of: &'a Batch,
    passes: Vec<Arc<Pass<T>>>,
    /// The biases, filled up with zeros.
    biases: Vec<Vec<T>>,
}

impl<'a, T: Float> Passes<'a, T> {
    pub fn new(of: &'a Batch, direction: Direction) -> Result<Self> {
        let pass = |(index, shape): (usize, &Geometry)| of.units.pass(index, shape, direction);
        let bias = |(index, norm): (usize, &UnitNorm)| match norm {
            UnitNorm::Bias(bias) => Ok(of
                .pixels(index + 1)
                .padded(memory(OPERATION, bias).numbers::<T>()?)),
            UnitNorm::Batch { .. } => bail!("conv_units: expected biases"),
        };
        let norms = of.units.units().iter().map(|unit| &unit.norm);
        Ok(Self {
            arch: arch()?,
            of,
            passes: of
                .shapes
                .iter()
                .enumerate()
                .map(pass)
                .collect::<Result<_>>()?,
            biases: norms.enumerate().map(bias).collect::<Result<_>>()?,
        })
    }

    /// The images of a task through all segments.
    pub fn forward(&self, source: Source<T>, y: &mut [T], task: &mut Task<T>) -> Kept {
        let first = self.of.pixels(0);
        let (images, mut laid) = match source {
            Source::Planes(x) => (x.len() / first.count(), task.lay(self.arch, first, x)),
            // Nobody reads the argument of all units.
            Source::Between(between) => (between.places.len(), task.take(0)),
        };
        let mut kept = Vec::new();
        for segment in &self.of.plan.segments {
            let pixels = [segment.units.start, segment.units.end].map(|at| self.of.pixels(at));
            let mut result = task.images(pixels[1], images);
            let groups = (0..images).step_by(segment.group);
            let groups = groups.zip(result.chunks_mut(segment.group * pixels[1].image()));
            let signs = groups
                .map(|(start, result)| {
                    let images = start..start + result.len() / pixels[1].image();
                    let numbers = images.start * pixels[0].image()..images.end * pixels[0].image();
                    let group = Group {
                        laid: laid.get(numbers).unwrap_or_default(),
                        between: match source {
                            Source::Planes(_) => None,
                            Source::Between(between) => Some(between.of(images.clone())),
                        },
                        images: images.len(),
                    };
                    self.forward_group(segment, group, result, task)
                })
                .collect();
            kept.push(signs);
            task.give(std::mem::replace(&mut laid, result));
        }
        self.of.last().put(self.arch, &laid, y);
        task.give(laid);
        kept
    }

    /// The affine results of the images `x` of a task, without ReLUs, a row for each image.
    pub fn begin(&self, x: &[T], starts: &Starts, rows: &mut [T], task: &mut Task<T>) {
        let first = self.of.pixels(0);
        let images = x.len() / first.count();
        let mut results = vec![Some(task.lay(self.arch, first, x))];
        for (index, unit) in self.of.units.units().iter().enumerate() {
            let pixels = self.of.pixels(index + 1);
            let own = starts.is_affine(index).then(|| {
                let mut own = task.images(pixels, images);
                let after = After {
                    bias: Some(&self.biases[index]),
                    residual: unit.residual.and_then(|number| results[number].as_deref()),
                    relu: false,
                };
                let input = results[unit.input].as_deref().unwrap_or_default();
                self.convolve(index, (images, input), &mut own, after);
                own
            });
            if let Some(own) = &own {
                starts.put(index, (own, pixels.image()), rows);
            }
            results.push(own);
        }
        results
            .into_iter()
            .flatten()
            .for_each(|free| task.give(free));
    }

    /// A group of images through one segment.
    fn forward_group(
        &self,
        segment: &Segment,
        group: Group<T>,
        result: &mut [T],
        task: &mut Task<T>,
    ) -> Signs {
        let start = segment.units.start;
        // The first is `group.laid`.
        let mut results: Results<T> = vec![None];
        let mut signs = Signs::new();
        for index in segment.units.clone() {
            let unit = &self.of.units.units()[index];
            let mut own = match index + 1 < segment.units.end {
                true => Some(task.images(self.of.pixels(index + 1), group.images)),
                false => None,
            };
            let to = own.as_deref_mut().unwrap_or(result);
            match group.between {
                Some(between) if between.starts.is_affine(index) => {
                    between.fill(self.arch, index, unit.relu, to);
                }
                _ => {
                    let read = |number: usize| match number - start {
                        0 => Some(group.laid),
                        // Kept until its last reader, which `forget` sees to.
                        number => results[number].as_deref(),
                    };
                    let after = After {
                        bias: Some(&self.biases[index]),
                        residual: unit.residual.and_then(read),
                        relu: unit.relu,
                    };
                    let input = read(unit.input).unwrap_or_default();
                    self.convolve(index, (group.images, input), to, after);
                }
            }
            let is_needed = self.of.keep && unit.relu;
            signs.push(is_needed.then(|| positive(self.arch, to)));
            results.push(own);
            self.forget(&mut results, start, index, task);
        }
        signs
    }

    /// Frees the results that no unit after `index` reads.
    fn forget(&self, results: &mut Results<T>, start: usize, index: usize, task: &mut Task<T>) {
        let units = self.of.units.units();
        for (number, result) in (start..=index).zip(results) {
            let read = units[index + 1..]
                .iter()
                .any(|unit| unit.input == number || unit.residual == Some(number));
            if !read {
                result.take().into_iter().for_each(|free| task.give(free));
            }
        }
    }

    /// The gradient `g` of a task through all segments.
    pub fn backward(&self, g: &[T], kept: &Kept, of_x: &mut [T], task: &mut Task<T>) {
        let last = self.of.last();
        let images = g.len() / last.count();
        let mut gradient = task.lay(self.arch, last, g);
        for (segment, signs) in self.of.plan.segments.iter().zip(kept).rev() {
            let pixels = [segment.units.start, segment.units.end].map(|at| self.of.pixels(at));
            let mut of_source = task.images(pixels[0], images);
            let size = segment.group * pixels[1].image();
            gradient
                .chunks(size)
                .zip(of_source.chunks_mut(segment.group * pixels[0].image()))
                .zip(signs)
                .for_each(|((g, of_source), signs)| {
                    self.backward_group(segment, g, signs, of_source, task)
                });
            task.give(std::mem::replace(&mut gradient, of_source));
        }
        self.of.pixels(0).put(self.arch, &gradient, of_x);
        task.give(gradient);
    }

    /// The gradient of a group of images through one segment.
    fn backward_group(
        &self,
        segment: &Segment,
        g: &[T],
        signs: &Signs,
        of_source: &mut [T],
        task: &mut Task<T>,
    ) {
        let start = segment.units.start;
        let images = g.len() / self.of.pixels(segment.units.end).image();
        let mut gradients: Results<T> = vec![None; segment.units.len()];
        let mut own = task.take(g.len());
        own.copy_from_slice(g);
        gradients.push(Some(own));
        for index in segment.units.clone().rev() {
            let unit = &self.of.units.units()[index];
            // Nobody may have read this unit's result.
            let Some(mut g) = gradients[index + 1 - start].take() else {
                continue;
            };
            if let Some(signs) = &signs[index - start] {
                rectify(self.arch, &mut g, signs);
            }
            let input = unit.input - start;
            let before = gradients[input].take();
            let after = After {
                bias: None,
                residual: before.as_deref(),
                relu: false,
            };
            let mut of_input = task.images(self.of.pixels(unit.input), images);
            self.convolve(index, (images, &g), &mut of_input, after);
            before.into_iter().for_each(|free| task.give(free));
            gradients[input] = Some(of_input);
            match unit.residual.map(|number| &mut gradients[number - start]) {
                Some(Some(sum)) => {
                    add(self.arch, sum, &g);
                    task.give(g);
                }
                Some(none) => *none = Some(g),
                None => task.give(g),
            }
        }
        if let Some(gradient) = gradients[0].take() {
            of_source.copy_from_slice(&gradient);
            task.give(gradient);
        }
    }

    fn convolve(
        &self,
        index: usize,
        (images, source): (usize, &[T]),
        result: &mut [T],
        after: After<T>,
    ) {
        let pass = &self.passes[index];
        if self.of.plan.shared {
            pass.run_in_parallel(images, source, result, after);
        } else {
            pass.run(images, source, result, after);
        }
    }
}

/// Where numbers are above 0.
fn positive<T: Float>(arch: Arch, numbers: &[T]) -> Vec<bool> {
    let mut signs = vec![false; numbers.len()];
    vectorised!(arch, {
        let pairs = signs.iter_mut().zip(numbers);
        pairs.for_each(|(sign, number)| *sign = *number > T::zero());
    });
    signs
}

/// The gradient of ReLUs, 0 where their results are not above 0.
fn rectify<T: Float>(arch: Arch, g: &mut [T], signs: &[bool]) {
    vectorised!(arch, {
        let pairs = g.iter_mut().zip(signs);
        pairs.for_each(|(g, sign)| *g = kept(*sign, *g));
    });
}
