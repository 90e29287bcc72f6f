//! The units as one differentiable operation on the CPU.

use std::sync::{Arc, OnceLock};

use candle_core::{Device, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use super::unit::{ConvUnit, ConvUnits, UnitNorm};
use crate::ops::convolution::gather::{forward, input_gradient};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::weight_gradient::{bias_gradient, weight_gradient};
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{WithFloat, with_float};
use crate::ops::memory::memory;
use crate::ops::normalisation::kernels::{Gradient, Images, Moments, Then, normalise, statistics};
use crate::ops::operation::Operation;
use crate::ops::planes::{self, CHUNK, rectify};
use crate::ops::simd::{self, Float};

const OPERATION: Operation = Operation::ConvUnits;

pub(super) fn run(
    x: &Tensor,
    units: &[ConvUnit],
    shapes: Vec<Geometry>,
    eps: f64,
) -> crate::Result<ConvUnits> {
    let units = units
        .iter()
        .map(ConvUnit::in_memory)
        .collect::<Result<Vec<_>>>()?;
    let parameters: Vec<_> = units.iter().flat_map(ConvUnit::parameters).collect();
    let of_parameters = parameters.iter().any(|parameter| parameter.track_op());
    let kept = Arc::new(OnceLock::new());
    let keep = of_parameters || x.track_op();
    let measured = Arc::new(OnceLock::new());
    let op = Units {
        units: units.clone(),
        shapes,
        eps,
        keep,
        kept,
        measured: Arc::clone(&measured),
    };
    let output = if of_parameters {
        // The operation reads the units' own tensors: this one only links them to the graph.
        let flat = parameters
            .iter()
            .map(|parameter| parameter.flatten_all())
            .collect::<Result<Vec<_>>>()?;
        [x, &Tensor::cat(&flat, 0)?].apply(op)?
    } else {
        [x].apply(op)?
    };
    let statistics =
        measured
            .get()
            .into_iter()
            .flatten()
            .zip(&units)
            .map(|(moments, unit): (&Measured, _)| {
                Ok(match (&unit.norm, moments) {
                    (UnitNorm::Batch { gamma, .. }, Measured { moments, shape }) => {
                        Some(statistics(moments, shape, gamma.dtype())?)
                    }
                    _ => None,
                })
            });
    let statistics = statistics.collect::<Result<_>>()?;
    Ok(ConvUnits { output, statistics })
}

/// The statistics of a unit's convolution, none without a normalisation, and its shape.
struct Measured {
    moments: Vec<Moments>,
    shape: Shape,
}

/// What a unit's gradient needs of its forward pass: the convolution's result if it was normalised,
/// and its own, but for the last unit, whose result the graph holds.
struct Kept {
    convolved: Option<Tensor>,
    result: Option<Tensor>,
}

struct Units {
    units: Vec<ConvUnit>,
    shapes: Vec<Geometry>,
    eps: f64,
    keep: bool,
    kept: Arc<OnceLock<Vec<Kept>>>,
    measured: Arc<OnceLock<Vec<Measured>>>,
}

impl Kernel<1> for Units {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        self.run(x.numbers)
    }

    fn backward(&self, [x]: [&Tensor; 1], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([self.gradients(x, None, y, g)?.0])
    }
}

impl Kernel<2> for Units {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [x, _]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        self.run(x.numbers)
    }

    fn backward(
        &self,
        [x, flat]: [&Tensor; 2],
        y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let (of_x, of_flat) = self.gradients(x, Some(flat), y, g)?;
        Ok([of_x, of_flat])
    }
}

impl Units {
    fn run<T: Float>(&self, x: &[T]) -> Result<(Vec<T>, Shape)> {
        let mut results: Vec<Option<Vec<T>>> = vec![None];
        let (mut kept, mut measured) = (Vec::new(), Vec::new());
        for (index, (unit, &shape)) in self.units.iter().zip(&self.shapes).enumerate() {
            let read = |number: usize| {
                if number == 0 {
                    Some(x)
                } else {
                    results[number].as_deref()
                }
            };
            let (Some(input), residual) = (read(unit.input), unit.residual.and_then(read)) else {
                bail!("conv_units: result {} is gone", unit.input)
            };
            let weight = memory(OPERATION, &unit.weight);
            let (mut convolved, mut moments) = (None, Vec::new());
            let result = match &unit.norm {
                UnitNorm::Bias(bias) => {
                    let bias = memory(OPERATION, bias);
                    let relu = unit.relu && residual.is_none();
                    let mut y =
                        forward(shape, input, weight.numbers()?, Some(bias.numbers()?), relu)?;
                    if let Some(residual) = residual {
                        add(&mut y, residual, unit.relu)?;
                    }
                    y
                }
                UnitNorm::Batch { gamma, beta } => {
                    let (gamma, beta) = (memory(OPERATION, gamma), memory(OPERATION, beta));
                    let z = forward(shape, input, weight.numbers()?, None, false)?;
                    let then = Then {
                        residual,
                        relu: unit.relu,
                    };
                    let images = images(&shape);
                    let (y, found) = normalise(
                        &z,
                        images,
                        [gamma.numbers()?, beta.numbers()?],
                        None,
                        self.eps,
                        then,
                    )?;
                    moments = found;
                    convolved = self.keep.then(|| tensor(z, &shape)).transpose()?;
                    y
                }
            };
            measured.push(Measured {
                moments,
                shape: result_shape(&shape),
            });
            results.push(Some(result));
            if self.keep {
                kept.push(Kept {
                    convolved,
                    result: None,
                });
            } else {
                self.forget(&mut results, index);
            }
        }
        let Some(Some(y)) = results.pop() else {
            bail!("conv_units: no units")
        };
        for ((kept, result), shape) in kept
            .iter_mut()
            .zip(results.into_iter().skip(1))
            .zip(&self.shapes)
        {
            kept.result = result.map(|result| tensor(result, shape)).transpose()?;
        }
        // Set once: an operation runs forward once.
        let _ = self.kept.set(kept);
        let _ = self.measured.set(measured);
        let shape = self
            .shapes
            .last()
            .map_or_else(|| Shape::from(0), result_shape);
        Ok((y, shape))
    }

    /// Frees the results that no unit after `index` reads.
    fn forget<T>(&self, results: &mut [Option<Vec<T>>], index: usize) {
        let later = &self.units[index + 1..];
        for (number, result) in results.iter_mut().enumerate().take(index + 1) {
            if !later
                .iter()
                .any(|unit| unit.input == number || unit.residual == Some(number))
            {
                *result = None;
            }
        }
    }

    /// The gradients in x and in the parameters, where they are needed.
    fn gradients(
        &self,
        x: &Tensor,
        flat: Option<&Tensor>,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let code = Gradients {
            of: self,
            x,
            of_parameters: flat.is_some_and(Tensor::track_op),
            y,
            gradient,
        };
        let (of_x, of_flat) = with_float(OPERATION, x.dtype(), code)?;
        Ok((of_x, flat.and(of_flat)))
    }
}

/// What the gradients need.
struct Gradients<'a> {
    of: &'a Units,
    x: &'a Tensor,
    of_parameters: bool,
    y: &'a Tensor,
    gradient: &'a Tensor,
}

impl WithFloat for Gradients<'_> {
    type Output = (Option<Tensor>, Option<Tensor>);

    fn run<T: Float>(self) -> Result<Self::Output> {
        let Self {
            of,
            x,
            of_parameters,
            y,
            gradient,
        } = self;
        let (Some(kept), Some(measured)) = (of.kept.get(), of.measured.get()) else {
            bail!("conv_units: gradients are asked for before the results")
        };
        let mut gradients: Vec<Option<Vec<T>>> = vec![None; of.units.len()];
        gradients.push(Some(memory(OPERATION, gradient).numbers::<T>()?.to_vec()));
        // The last unit's first; turned round at the end.
        let mut of_flat: Vec<Vec<T>> = Vec::new();
        for (index, (unit, &shape)) in of.units.iter().zip(&of.shapes).enumerate().rev() {
            let result = memory(OPERATION, kept[index].result.as_ref().unwrap_or(y));
            let mut g = match gradients[index + 1].take() {
                Some(g) => g,
                // Nobody reads this unit's result.
                None => vec![T::zero(); result.numbers::<T>()?.len()],
            };
            let relu = if unit.relu {
                Some(result.numbers::<T>()?)
            } else {
                None
            };
            let of_input = unit.input > 0 || x.track_op();
            let of_residual = unit.residual.filter(|&number| number > 0 || x.track_op());
            let mut of_norm: Vec<Vec<T>> = Vec::new();
            let needed = of_parameters || of_input;
            match (&unit.norm, &kept[index].convolved) {
                (UnitNorm::Batch { gamma, .. }, Some(convolved)) => {
                    if let (Some(relu), Some(_)) = (relu, of_residual) {
                        rectify(&mut g, relu)?;
                    }
                    let relu = relu.filter(|_| of_residual.is_none());
                    let convolved = memory(OPERATION, convolved);
                    let gamma: Vec<f64> = memory(OPERATION, gamma)
                        .numbers::<T>()?
                        .iter()
                        .map(|&gamma| gamma.into())
                        .collect();
                    let of_norm_input = Gradient {
                        x: convolved.numbers::<T>()?,
                        images: images(&shape),
                        gamma: &gamma,
                        statistics: &measured[index].moments,
                        eps: of.eps,
                        of_batch: true,
                        relu,
                        wanted: [of_parameters, needed],
                    };
                    if let Some(number) = of_residual {
                        accumulate(&mut gradients, number, Contribution::Borrowed(&g))?;
                    }
                    let sums = of_norm_input.run(&mut g)?;
                    if of_parameters {
                        of_norm = vec![
                            sums.iter().map(|sums| T::from_f64(sums.of_gamma)).collect(),
                            sums.iter().map(|sums| T::from_f64(sums.of_beta)).collect(),
                        ];
                    }
                }
                _ => {
                    if let Some(relu) = relu {
                        rectify(&mut g, relu)?;
                    }
                    if of_parameters {
                        let Images {
                            channels, plane, ..
                        } = images(&shape);
                        of_norm = vec![bias_gradient(channels, plane, &g)?];
                    }
                }
            }
            if of_parameters {
                let input = memory(
                    OPERATION,
                    match unit.input {
                        0 => x,
                        number => kept[number - 1].result.as_ref().unwrap_or(y),
                    },
                );
                of_flat.extend(of_norm.into_iter().rev());
                of_flat.push(weight_gradient(shape, input.numbers()?, &g)?);
            }
            if of_input {
                let of_input = input_gradient(
                    shape,
                    &g,
                    memory(OPERATION, &unit.weight).numbers()?,
                    None,
                    false,
                )?;
                accumulate(&mut gradients, unit.input, Contribution::Owned(of_input))?;
            }
            if let (Some(number), UnitNorm::Bias(_)) = (of_residual, &unit.norm) {
                accumulate(&mut gradients, number, Contribution::Owned(g))?;
            }
        }
        let of_x = gradients[0]
            .take()
            .map(|g| Tensor::from_vec(g, x.shape(), &Device::Cpu))
            .transpose()?;
        let of_flat = of_parameters.then(|| {
            let flat: Vec<T> = of_flat.into_iter().rev().flatten().collect();
            let count = flat.len();
            Tensor::from_vec(flat, count, &Device::Cpu)
        });
        Ok((of_x, of_flat.transpose()?))
    }
}

/// A gradient to be added to what a result has so far.
enum Contribution<'a, T> {
    Owned(Vec<T>),
    Borrowed(&'a [T]),
}

fn accumulate<T: Float>(
    gradients: &mut [Option<Vec<T>>],
    number: usize,
    gradient: Contribution<T>,
) -> Result<()> {
    match (&mut gradients[number], gradient) {
        (Some(sum), Contribution::Owned(gradient)) => add(sum, &gradient, false)?,
        (Some(sum), Contribution::Borrowed(gradient)) => add(sum, gradient, false)?,
        (none, Contribution::Owned(gradient)) => *none = Some(gradient),
        (none, Contribution::Borrowed(gradient)) => *none = Some(gradient.to_vec()),
    }
    Ok(())
}

/// y + residual, or the larger of it and 0.
fn add<T: Float>(y: &mut [T], residual: &[T], relu: bool) -> Result<()> {
    let arch = simd::arch()?;
    y.par_chunks_mut(CHUNK)
        .zip(residual.par_chunks(CHUNK))
        .for_each(|(y, residual)| {
            arch.dispatch(
                #[inline(always)]
                || {
                    y.iter_mut().zip(residual).for_each(|(y, &r)| *y += r);
                    if relu {
                        planes::relu(y);
                    }
                },
            );
        });
    Ok(())
}

fn images(shape: &Geometry) -> Images {
    Images {
        count: shape.images,
        channels: shape.groups * shape.outputs,
        plane: shape.output_area(),
    }
}

fn result_shape(shape: &Geometry) -> Shape {
    Shape::from((
        shape.images,
        shape.groups * shape.outputs,
        shape.output[0],
        shape.output[1],
    ))
}

fn tensor<T: WithDType>(numbers: Vec<T>, shape: &Geometry) -> Result<Tensor> {
    Tensor::from_vec(numbers, result_shape(shape), &Device::Cpu)
}
