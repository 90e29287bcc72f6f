//! The units in training as one differentiable operation on the CPU.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use candle_core::{Device, Result, Shape, Tensor, bail};

use super::gradient::Wanted;
use super::layers::Layers;
use super::training::Training;
use super::unit::{ConvUnit, ConvUnits, UnitNorm};
use super::workspace::Workspace;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{WithFloat, with_float};
use crate::ops::memory::memory;
use crate::ops::normalisation::kernels::{Moments, statistics};
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

const OPERATION: Operation = Operation::ConvUnits;

/// The last unit's result, with the statistics.
pub(super) fn run(
    (x, units, eps): (&Tensor, &[ConvUnit], f64),
    shapes: Vec<Geometry>,
    workspace: &Workspace,
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
        workspace: workspace.clone(),
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

struct Units {
    units: Vec<ConvUnit>,
    shapes: Vec<Geometry>,
    eps: f64,
    workspace: Workspace,
    keep: bool,
    /// The results of all units as [`Layers`].
    kept: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
    measured: Arc<OnceLock<Vec<Measured>>>,
}

impl Kernel<1> for Units {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        self.run(x.numbers)
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([self.gradients(x, None, g)?.0])
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
        _: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let (of_x, of_flat) = self.gradients(x, Some(flat), g)?;
        Ok([of_x, of_flat])
    }
}

impl Units {
    fn training(&self) -> Training<'_> {
        Training {
            units: &self.units,
            shapes: &self.shapes,
            eps: self.eps,
            workspace: &self.workspace,
        }
    }

    fn run<T: Float>(&self, x: &[T]) -> Result<(Vec<T>, Shape)> {
        let (y, layers) = self.training().forward(x, self.keep)?;
        let shape = |shape: &Geometry| {
            let [height, width] = shape.output;
            Shape::from((shape.images, shape.groups * shape.outputs, height, width))
        };
        let measured = layers.moments().zip(&self.shapes);
        // Set once: an operation runs forward once.
        let _ = self.measured.set(
            measured
                .map(|(moments, of)| Measured {
                    moments: moments.to_vec(),
                    shape: shape(of),
                })
                .collect(),
        );
        if self.keep {
            let _ = self.kept.set(Box::new(layers));
        }
        Ok((y, self.shapes.last().map_or_else(|| Shape::from(0), shape)))
    }

    /// The gradients in x and in the parameters, where they are needed.
    fn gradients(
        &self,
        x: &Tensor,
        flat: Option<&Tensor>,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let code = Gradients {
            of: self,
            x,
            of_parameters: flat.is_some_and(Tensor::track_op),
            gradient,
        };
        with_float(OPERATION, x.dtype(), code)
    }
}

/// What the gradients need.
struct Gradients<'a> {
    of: &'a Units,
    x: &'a Tensor,
    of_parameters: bool,
    gradient: &'a Tensor,
}

impl WithFloat for Gradients<'_> {
    type Output = (Option<Tensor>, Option<Tensor>);

    fn run<T: Float>(self) -> Result<Self::Output> {
        let layers = self.of.kept.get();
        let Some(layers) = layers.and_then(|layers| layers.downcast_ref::<Layers<T>>()) else {
            bail!("conv_units: gradients are asked for before the results")
        };
        let gradient = memory(OPERATION, self.gradient);
        let wanted = Wanted {
            x: self.x.track_op(),
            parameters: self.of_parameters,
        };
        let (of_x, of_parameters) =
            self.of
                .training()
                .backward(layers, gradient.numbers::<T>()?, wanted)?;
        let of_x = of_x.map(|numbers| Tensor::from_vec(numbers, self.x.shape(), &Device::Cpu));
        let of_parameters = self.of_parameters.then(|| {
            let count = of_parameters.len();
            Tensor::from_vec(of_parameters, count, &Device::Cpu)
        });
        Ok((of_x.transpose()?, of_parameters.transpose()?))
    }
}
