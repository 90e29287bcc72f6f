//! The gradients of one unit in training, in parts of the batch.

use std::ops::Range;

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::gradient::{Gradient, Wanted, finish, sum};
use super::layers::Layer;
use super::training::Training;
use crate::ops::convolution::pass::Pass;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::convolution::weight_gradient::{Sums, images_of_a_part};
use crate::ops::normalisation::pixels::{Affine, OfInput, Slope};
use crate::ops::planes::add;
use crate::ops::simd::Float;

/// Numbers of a weight that are added up together.
const TOGETHER: usize = 1 << 13;

/// The gradients in a unit's input and in its parameters.
type OfUnit<T> = (Option<Gradient<T>>, Vec<Vec<T>>);

/// The gradient of one unit.
pub(super) struct UnitGradient<'a, T> {
    pub of: &'a Training<'a>,
    pub arch: Arch,
    pub index: usize,
    pub layers: &'a [Layer<T>],
    /// In the unit's result.
    pub own: &'a Gradient<T>,
    pub wanted: Wanted,
}

impl<T: Float> UnitGradient<'_, T> {
    /// In the unit's input, added to what is there `before`, and in its parameters.
    pub fn run(&self, before: Option<Gradient<T>>) -> Result<OfUnit<T>> {
        let (index, of) = (self.index, self.of);
        let (unit, shape) = (&of.units[index], &of.shapes[index]);
        let (input, output) = (&self.layers[unit.input], &self.layers[index + 1]);
        let of_input = unit.input > 0 || self.wanted.x;
        let pass = of_input
            .then(|| of.pass::<T>(index, Direction::Backward))
            .transpose()?;
        let sums = self.wanted.parameters.then(|| Sums::new(shape, self.arch));
        let numbers = sums.as_ref().map_or(1, Sums::numbers).max(1);
        let count = of.images() * output.pixels.area;
        let (slope, of_norm) = match &output.convolved {
            Some((z, affine)) => {
                let (own, pitch) = (&self.own.sums, output.pixels.pitch());
                let (slope, of_norm) = Slope::new(own, &output.moments, of.eps, count, pitch);
                (Some((slope, &z[..], affine)), of_norm)
            }
            None => (None, Vec::new()),
        };
        let parts = UnitParts {
            of: self,
            input,
            output,
            pass,
            sums,
            slope,
            is_added: before.is_some(),
            is_complete: of_input && unit.input > 0 && of.is_first_reader(index, unit.input),
            per_part: images_of_a_part(of.images(), numbers),
        };

        let size = input.pixels.image();
        let before = before.map(|before| before.numbers);
        let mut target = before.or_else(|| of_input.then(|| of.workspace.take(of.images() * size)));
        let mut targets: Vec<_> = target
            .iter_mut()
            .flat_map(|target| target.chunks_mut(parts.per_part * size))
            .map(Some)
            .collect();
        let count = of.images().div_ceil(parts.per_part);
        targets.resize_with(count, || None);
        let mut weights = of.workspace.take(count * numbers);
        let channel_sums: Vec<_> = weights
            .par_chunks_mut(numbers)
            .zip(targets)
            .enumerate()
            .map_init(Scratch::default, |scratch, (part, (weights, target))| {
                weights.fill(T::zero());
                parts.run(part, weights, target, scratch)
            })
            .collect();
        let of_input = target.map(|numbers| Gradient {
            numbers,
            sums: sum(channel_sums.into_iter().flatten().collect()),
        });
        let Some(sums) = parts.sums else {
            of.workspace.give(weights);
            return Ok((of_input, Vec::new()));
        };
        let (total, rest) = weights.split_at_mut(numbers);
        total
            .par_chunks_mut(TOGETHER)
            .enumerate()
            .for_each(|(at, total)| {
                for part in rest.chunks(numbers) {
                    add(self.arch, total, &part[at * TOGETHER..][..total.len()]);
                }
            });
        let mut parameters = vec![sums.weight(total)];
        of.workspace.give(weights);
        if parts.slope.is_some() {
            let of_gamma = of_norm.iter().map(|sums| T::from_f64(sums.of_gamma));
            parameters.push(of_gamma.collect());
            let of_beta = of_norm.iter().map(|sums| T::from_f64(sums.of_beta));
            parameters.push(of_beta.collect());
        } else {
            let of_bias = self.own.sums.iter().take(output.pixels.channels);
            parameters.push(of_bias.map(|sums| T::from_f64(sums[0])).collect());
        }
        Ok((of_input, parameters))
    }
}

/// The gradient of one unit in parts of the batch.
struct UnitParts<'a, T> {
    of: &'a UnitGradient<'a, T>,
    input: &'a Layer<T>,
    output: &'a Layer<T>,
    /// From the gradient in the convolution's result to that in the input, if it is wanted.
    pass: Option<Pass<T>>,
    /// Of the weight, if it is wanted.
    sums: Option<Sums<T>>,
    /// The normalisation's, with what it normalises.
    slope: Option<(Slope<T>, &'a [T], &'a Affine<T>)>,
    /// Whether the gradient in the input is added to that of other units.
    is_added: bool,
    /// Whether it is then complete.
    is_complete: bool,
    /// Images of a part.
    per_part: usize,
}

impl<T: Float> UnitParts<'_, T> {
    /// Adds that of part `number` in the weight to `weights`, and puts that in the input into `target` if it
    /// is wanted; the sums of the input's channels.
    fn run(
        &self,
        number: usize,
        weights: &mut [T],
        mut target: Option<&mut [T]>,
        scratch: &mut Scratch<T>,
    ) -> Vec<Vec<[f64; 2]>> {
        let task = self.of;
        let (start, group) = (number * self.per_part, task.of.group(task.index));
        let end = task.of.images().min(start + self.per_part);
        let mut channel_sums = Vec::new();
        for first in (start..end).step_by(group) {
            let images = first..end.min(first + group);
            let own = &task.own.numbers[self.output.images(&images)];
            // Its last vector can be longer than what is left of the last pixel.
            let dz = &mut scratch.of_convolved;
            dz.resize(own.len() + self.output.pixels.pitch(), T::zero());
            self.through_normalisation(&images, own, &mut dz[..own.len()]);
            let source = self.input.read(task.arch, &images, &mut scratch.source);
            if let Some(sums) = &self.sums {
                sums.add(source, dz, images.len(), false, weights);
            }
            let (Some(pass), Some(target)) = (&self.pass, &mut target) else {
                continue;
            };
            let own_images = images.start - start..images.end - start;
            let target = &mut target[self.input.images(&own_images)];
            let unit = &task.of.units[task.index];
            let before = &mut scratch.before;
            before.clear();
            let same = (unit.residual == Some(unit.input)).then_some(own);
            let residual = if self.is_added {
                before.extend_from_slice(target);
                if let Some(own) = same {
                    add(task.arch, before, own);
                }
                Some(&before[..])
            } else {
                same
            };
            let after = After {
                residual,
                ..After::NOTHING
            };
            self.input.pixels.zero_first(target);
            pass.run(images.len(), &dz[..own.len()], target, after);
            if self.is_complete {
                let y = self.input.relu.then_some(source);
                channel_sums.push(finish(task.arch, self.input, &images, y, target));
            }
        }
        channel_sums
    }

    /// The gradient in what the convolution gave for some images, of `own` in the unit's result.
    fn through_normalisation(&self, images: &Range<usize>, own: &[T], dz: &mut [T]) {
        match &self.slope {
            Some((slope, z, affine)) => self.of.arch.dispatch(OfInput {
                pixels: self.output.pixels,
                affine,
                slope,
                g: own,
                z: &z[self.output.images(images)],
                dz,
            }),
            None => dz.copy_from_slice(own),
        }
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
