//! A batch of images for the units of a network in evaluation mode.

use candle_core::Shape;

use super::frozen::FrozenUnits;
use super::plan::Plan;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::pixels::Pixels;

/// The units with the sizes of a batch.
pub(super) struct Batch {
    pub units: FrozenUnits,
    pub shapes: Vec<Geometry>,
    pub plan: Plan,
    /// Whether there will be gradients.
    pub keep: bool,
}

impl Batch {
    /// There is a unit.
    pub fn new(units: FrozenUnits, shapes: Vec<Geometry>, keep: bool) -> Self {
        Self {
            plan: Plan::new(units.units(), &shapes, rayon::current_num_threads()),
            units,
            shapes,
            keep,
        }
    }

    pub fn images(&self) -> usize {
        self.shapes[0].images
    }

    /// The sizes of a result: 0 is the argument of all units.
    pub fn pixels(&self, number: usize) -> Pixels {
        match number {
            0 => Pixels::of(&self.shapes[0])[0],
            _ => Pixels::of(&self.shapes[number - 1])[1],
        }
    }

    pub fn last(&self) -> Pixels {
        self.pixels(self.shapes.len())
    }

    /// (N, O, H', W') of the last unit's result.
    pub fn result(&self) -> Shape {
        let [height, width] = self.shapes[self.shapes.len() - 1].output;
        Shape::from((self.images(), self.last().channels, height, width))
    }
}
