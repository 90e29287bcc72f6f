//! The units of a network in evaluation mode as one operation.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::batch::Batch;
use super::frozen::FrozenUnits;
use super::passes::{Kept, Passes, Source};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::steps::Direction;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

const OPERATION: Operation = Operation::ConvUnits;

/// Whether there is something to compute.
pub(super) fn is_some(shapes: &[Geometry]) -> bool {
    let some = |shape: &Geometry| shape.images * shape.input_area() * shape.output_area() > 0;
    shapes.iter().all(some)
}

/// The result of the last unit.
pub(super) fn run(x: &Tensor, units: FrozenUnits, shapes: Vec<Geometry>) -> Result<Tensor> {
    [x].apply(Evaluation {
        of: Batch::new(units, shapes, x.track_op()),
        kept: Arc::default(),
    })
}

struct Evaluation {
    of: Batch,
    /// What the gradient needs, with an entry for each task.
    kept: Arc<OnceLock<Vec<Kept>>>,
}

impl Kernel<1> for Evaluation {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let passes = Passes::<T>::new(&self.of, Direction::Forward)?;
        let (first, task) = (self.of.pixels(0), self.of.plan.task);
        let mut y = vec![T::zero(); self.of.images() * self.of.last().count()];
        let kept: Vec<_> = y
            .par_chunks_mut(task * self.of.last().count())
            .zip(x.numbers.par_chunks(task * first.count()))
            .map_init(
                || self.of.units.task(),
                |task, (y, x)| passes.forward(Source::Planes(x), y, task),
            )
            .collect();
        if self.of.keep {
            // Set once: an operation runs forward once.
            let _ = self.kept.set(kept);
        }
        Ok((y, self.of.result()))
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let gradient = Gradient {
            of: &self.of,
            kept: &self.kept,
            shape: x.shape().clone(),
        };
        Ok([Some([g].apply_detached(gradient)?)])
    }
}

/// dL/dx of dL/dy.
struct Gradient<'a> {
    of: &'a Batch,
    kept: &'a OnceLock<Vec<Kept>>,
    shape: Shape,
}

impl Kernel<1> for Gradient<'_> {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [g]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let Some(kept) = self.kept.get() else {
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
