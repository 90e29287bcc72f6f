//! The units of a network in evaluation mode at points between given ones.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::batch::Batch;
use super::frozen::FrozenUnits;
use super::passes::{Passes, Source};
use super::starts::{Between, Starts};
use crate::ops::bands::Place;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::pixels::Pixels;
use crate::ops::convolution::steps::Direction;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

/// Numbers that may be kept however many times more they are than the points.
const FEW: usize = 1 << 25;

/// Units whose first results are known at some points.
#[derive(Debug)]
pub(crate) struct Begun {
    units: FrozenUnits,
    shapes: Vec<Geometry>,
    starts: Starts,
    /// (N, numbers of a row).
    rows: Tensor,
}

impl Begun {
    /// None if nothing would be saved, or more than twice the memory of the points `x` needed.
    pub(super) fn new(
        x: &Tensor,
        units: &FrozenUnits,
        shapes: Vec<Geometry>,
    ) -> Result<Option<Self>> {
        let result = |index: usize| Pixels::of(&shapes[index])[1];
        let Some(starts) = Starts::of(units.units(), result) else {
            return Ok(None);
        };
        if starts.width * shapes[0].images > FEW.max(2 * x.elem_count()) {
            return Ok(None);
        }
        let batch = Batch::new(units.clone(), shapes.clone(), false);
        let starting = Starting {
            starts: &starts,
            batch,
        };
        Ok(Some(Self {
            rows: [x].apply_detached(starting)?,
            units: units.clone(),
            starts,
            shapes,
        }))
    }

    /// The number of points.
    pub fn count(&self) -> usize {
        self.shapes.first().map_or(0, |shape| shape.images)
    }

    /// The last unit's result (P, O, H', W') at points between the given ones, without a gradient.
    pub fn between(&self, places: &[Place]) -> Result<Tensor> {
        let mut shapes = self.shapes.clone();
        shapes
            .iter_mut()
            .for_each(|shape| shape.images = places.len());
        [&self.rows].apply_detached(Along {
            batch: Batch::new(self.units.clone(), shapes, false),
            starts: &self.starts,
            places,
        })
    }
}

/// The first results of some points.
struct Starting<'a> {
    batch: Batch,
    starts: &'a Starts,
}

impl Kernel<1> for Starting<'_> {
    fn operation(&self) -> Operation {
        Operation::ConvUnits
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (batch, width) = (&self.batch, self.starts.width);
        let passes = Passes::<T>::new(batch, Direction::Forward)?;
        let mut rows = vec![T::zero(); batch.images() * width];
        rows.par_chunks_mut(batch.plan.task * width)
            .zip(
                x.numbers
                    .par_chunks(batch.plan.task * batch.pixels(0).count()),
            )
            .for_each_init(
                || batch.units.task(),
                |task, (rows, x)| passes.begin(x, self.starts, rows, task),
            );
        Ok((rows, Shape::from((batch.images(), width))))
    }
}

/// The last result at points between.
struct Along<'a> {
    batch: Batch,
    starts: &'a Starts,
    places: &'a [Place],
}

impl Kernel<1> for Along<'_> {
    fn operation(&self) -> Operation {
        Operation::ConvUnits
    }

    fn forward<T: Float>(&self, [rows]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let batch = &self.batch;
        let passes = Passes::<T>::new(batch, Direction::Forward)?;
        let mut y = vec![T::zero(); self.places.len() * batch.last().count()];
        y.par_chunks_mut(batch.plan.task * batch.last().count())
            .zip(self.places.par_chunks(batch.plan.task))
            .for_each_init(
                || batch.units.task(),
                |task, (y, places)| {
                    let between = Between {
                        starts: self.starts,
                        rows: rows.numbers,
                        places,
                    };
                    passes.forward(Source::Between(between), y, task);
                },
            );
        Ok((y, batch.result()))
    }
}
