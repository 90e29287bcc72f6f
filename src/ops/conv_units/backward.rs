//! The gradients of the units in training, on slices: one unit after the other, the last one first.

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::gradient::{Gradient, Wanted, finish, sum};
use super::layers::{Layer, Layers};
use super::training::Training;
use super::unit_gradient::UnitGradient;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::planes::add;
use crate::ops::simd::{Float, arch};

impl Training<'_> {
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
            numbers: self.laid(arch, layers[last].pixels, g, self.group(last - 1)),
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
            let Some(number) = residual else {
                self.workspace.give(own.numbers);
                continue;
            };
            let mut sum = match gradients[number].take() {
                Some(mut sum) => {
                    let chunk = self.per_part() * layers[number].pixels.image();
                    sum.numbers
                        .par_chunks_mut(chunk)
                        .zip(own.numbers.par_chunks(chunk))
                        .for_each(|(sum, own)| add(arch, sum, own));
                    self.workspace.give(own.numbers);
                    sum
                }
                None => own,
            };
            if number > 0 && self.is_first_reader(index, number) {
                self.finish(arch, number, &layers[number], &mut sum);
            }
            gradients[number] = Some(sum);
        }
        let of_x = gradients[0].take().map(|gradient| {
            let planes = self.planes(arch, layers[0].pixels, &gradient.numbers);
            self.workspace.give(gradient.numbers);
            planes
        });
        of_parameters.reverse();
        Ok((of_x, of_parameters.concat()))
    }

    /// Images channel by channel.
    fn planes<T: Float>(&self, arch: Arch, pixels: Pixels, laid: &[T]) -> Vec<T> {
        let group = self.group(0);
        let mut planes = vec![T::zero(); self.images() * pixels.count()];
        planes
            .par_chunks_mut(group * pixels.count())
            .zip(laid.par_chunks(group * pixels.image()))
            .for_each(|(planes, laid)| pixels.put(arch, laid, planes));
        planes
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
                let images = self.images_of(at, group);
                let y = layer.relu.then(|| layer.read(arch, &images, scratch));
                finish(arch, layer, &images, y, g)
            })
            .collect();
        gradient.sums = sum(sums);
    }
}
