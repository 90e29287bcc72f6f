//! The units of a network in evaluation mode as one operation.
//!
//! Some images at a time go through the units, their channels side by side: what lies between the
//! units stays in the cache.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use super::frozen::FrozenUnits;
use super::plan::{Plan, Segment};
use super::unit::UnitNorm;
use super::workspace::{Room, Task};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::pass::Pass;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::memory::memory;
use crate::ops::operation::Operation;
use crate::ops::planes::{add, kept};
use crate::ops::simd::{Float, arch, vectorised};

const OPERATION: Operation = Operation::ConvUnits;

/// Whether there is something to compute.
pub(super) fn is_some(shapes: &[Geometry]) -> bool {
    let some = |shape: &Geometry| shape.images * shape.input_area() * shape.output_area() > 0;
    shapes.iter().all(some)
}

/// The result of the last unit.
pub(super) fn run(x: &Tensor, units: FrozenUnits, shapes: Vec<Geometry>) -> Result<Tensor> {
    [x].apply(Evaluation {
        plan: Plan::new(units.units(), &shapes, rayon::current_num_threads()),
        keep: x.track_op(),
        units,
        shapes,
        kept: Arc::default(),
    })
}

struct Evaluation {
    units: FrozenUnits,
    shapes: Vec<Geometry>,
    plan: Plan,
    keep: bool,
    /// What the gradient needs, with an entry for each task.
    kept: Arc<OnceLock<Vec<Kept>>>,
}

/// What the gradient needs of a task's images: for each segment that of its groups.
type Kept = Vec<Vec<Signs>>;

/// Where the results of a segment's units are above 0, for those with a ReLU.
type Signs = Vec<Option<Vec<bool>>>;

/// The results of a segment's units, by their numbers from its beginning on, where they are needed.
type Results<T> = Vec<Option<Room<T>>>;

impl Evaluation {
    /// The sizes of a result: 0 is the argument of all units.
    fn pixels(&self, number: usize) -> Pixels {
        match number {
            0 => Pixels::of(&self.shapes[0])[0],
            _ => Pixels::of(&self.shapes[number - 1])[1],
        }
    }

    fn last(&self) -> Pixels {
        self.pixels(self.shapes.len())
    }
}

impl Kernel<1> for Evaluation {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let passes = Passes::<T>::new(self, Direction::Forward)?;
        let (first, last) = (self.pixels(0), self.last());
        let (images, [height, width]) = match self.shapes.last() {
            Some(shape) => (shape.images, shape.output),
            None => bail!("conv_units: no units"),
        };
        let mut y = vec![T::zero(); images * last.count()];
        let kept: Vec<_> = y
            .par_chunks_mut(self.plan.task * last.count())
            .zip(x.numbers.par_chunks(self.plan.task * first.count()))
            .map_init(
                || self.units.task(),
                |task, (y, x)| passes.forward(x, y, task),
            )
            .collect();
        if self.keep {
            // Set once: an operation runs forward once.
            let _ = self.kept.set(kept);
        }
        Ok((y, Shape::from((images, last.channels, height, width))))
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let gradient = Gradient {
            of: self,
            shape: x.shape().clone(),
        };
        Ok([Some([g].apply_detached(gradient)?)])
    }
}

/// dL/dx of dL/dy.
struct Gradient<'a> {
    of: &'a Evaluation,
    shape: Shape,
}

impl Kernel<1> for Gradient<'_> {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [g]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let Some(kept) = self.of.kept.get() else {
            bail!("conv_units: gradients are asked for before the results")
        };
        let passes = Passes::<T>::new(self.of, Direction::Backward)?;
        let (first, last) = (self.of.pixels(0), self.of.last());
        let mut of_x = vec![T::zero(); self.shape.elem_count()];
        of_x.par_chunks_mut(self.of.plan.task * first.count())
            .zip(g.numbers.par_chunks(self.of.plan.task * last.count()))
            .zip(kept)
            .for_each_init(
                || self.of.units.task(),
                |task, ((of_x, g), kept)| passes.backward(g, kept, of_x, task),
            );
        Ok((of_x, self.shape.clone()))
    }
}

/// The convolutions of all units in one direction.
struct Passes<'a, T> {
    arch: Arch,
    of: &'a Evaluation,
    passes: Vec<Arc<Pass<T>>>,
    /// The biases, filled up with zeros.
    biases: Vec<Vec<T>>,
}

impl<'a, T: Float> Passes<'a, T> {
    fn new(of: &'a Evaluation, direction: Direction) -> Result<Self> {
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

    /// The images `x` of a task through all segments.
    fn forward(&self, x: &[T], y: &mut [T], task: &mut Task<T>) -> Kept {
        let first = self.of.pixels(0);
        let images = x.len() / first.count();
        let mut kept = Vec::new();
        let mut source = task.lay(self.arch, first, x);
        for segment in &self.of.plan.segments {
            let pixels = [segment.units.start, segment.units.end].map(|at| self.of.pixels(at));
            let mut result = task.images(pixels[1], images);
            let groups = source
                .chunks(segment.group * pixels[0].image())
                .zip(result.chunks_mut(segment.group * pixels[1].image()));
            let signs = groups
                .map(|(source, result)| self.forward_group(segment, source, result, task))
                .collect();
            kept.push(signs);
            task.give(std::mem::replace(&mut source, result));
        }
        self.of.last().put(self.arch, &source, y);
        task.give(source);
        kept
    }

    /// A group of images through one segment.
    fn forward_group(
        &self,
        segment: &Segment,
        source: &[T],
        result: &mut [T],
        task: &mut Task<T>,
    ) -> Signs {
        let start = segment.units.start;
        let images = source.len() / self.of.pixels(start).image();
        // The first is `source`.
        let mut results: Results<T> = vec![None];
        let mut signs = Signs::new();
        for index in segment.units.clone() {
            let unit = &self.of.units.units()[index];
            let read = |number: usize| match number - start {
                0 => Some(source),
                // Kept until its last reader, which `forget` sees to.
                number => results[number].as_deref(),
            };
            let after = After {
                bias: Some(&self.biases[index]),
                residual: unit.residual.and_then(read),
                relu: unit.relu,
            };
            let input = read(unit.input).unwrap_or_default();
            let is_needed = self.of.keep && unit.relu;
            if index + 1 == segment.units.end {
                self.convolve(index, (images, input), result, after);
                signs.push(is_needed.then(|| positive(self.arch, result)));
            } else {
                let mut own = task.images(self.of.pixels(index + 1), images);
                self.convolve(index, (images, input), &mut own, after);
                signs.push(is_needed.then(|| positive(self.arch, &own)));
                results.push(Some(own));
            }
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
    fn backward(&self, g: &[T], kept: &Kept, of_x: &mut [T], task: &mut Task<T>) {
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
