//! The units of a network in evaluation mode.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use candle_core::{Result as CandleResult, Tensor};

use super::unit::{ConvUnit, UnitNorm};
use crate::error::{Error, Result};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::steps::Direction;
use crate::ops::convolution::winograd::shape::serves;
use crate::ops::memory::memory;
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

/// The units of a network in evaluation mode: with biases, and with weights that get no gradient.
///
/// ```text
/// forward(x) = conv_units(x, units)
/// ```
///
/// The weights are put into the order that the kernels read when they are first used, and stay so:
/// what asks a network again and again, such as a band or an attack, does not order them each time.
///
/// - **Shapes**: `x` (N, C, H, W); the result (N, O, H', W'), as [`conv_units`](super::conv_units) gives it.
/// - **Range**: any number.
/// - **Source**: as [`conv_units`](super::conv_units).
#[derive(Clone)]
pub struct FrozenUnits {
    units: Vec<ConvUnit>,
    packed: Vec<Arc<Packed>>,
}

impl FrozenUnits {
    /// Takes the units as they are.
    ///
    /// # Errors
    /// No units, one that normalises with its batch, or one whose weight or bias is part of a graph.
    pub fn new(units: &[ConvUnit]) -> Result<Self> {
        if units.is_empty() {
            return Err(Error::argument("units", "at least one", "none"));
        }
        for (index, unit) in units.iter().enumerate() {
            if !is_fixed(unit) {
                let got = match unit.norm {
                    UnitNorm::Batch { .. } => "a batch normalisation",
                    UnitNorm::Bias(_) => "a variable",
                };
                let expected = "biases and weights without a gradient, as freeze() gives them";
                return Err(Error::argument(
                    "units",
                    expected,
                    format!("{got} in unit {index}"),
                ));
            }
        }
        let units: Vec<_> = units
            .iter()
            .map(ConvUnit::in_memory)
            .collect::<CandleResult<_>>()?;
        Ok(Self {
            packed: units.iter().map(|_| Arc::default()).collect(),
            units,
        })
    }

    /// These units and then those of `next`, as one operation.
    pub fn then(&self, next: &Self) -> Self {
        let before = self.units.len();
        let later = next.units.iter().map(|unit| unit.behind(before));
        Self {
            units: self.units.iter().cloned().chain(later).collect(),
            packed: self.packed.iter().chain(&next.packed).cloned().collect(),
        }
    }

    pub(super) fn units(&self) -> &[ConvUnit] {
        &self.units
    }

    /// The weight of a unit in the order of the kernels.
    pub(super) fn panels<T: Float>(
        &self,
        index: usize,
        shape: &Geometry,
        direction: Direction,
    ) -> CandleResult<Arc<Panels<T>>> {
        let cells = match direction {
            Direction::Forward => &self.packed[index].forward,
            Direction::Backward => &self.packed[index].backward,
        };
        // The order depends on the size of the images, too.
        let cell = &cells[usize::from(serves(shape))];
        if let Some(panels) = cell.get().and_then(|panels| panels.downcast_ref()) {
            return Ok(Arc::clone(panels));
        }
        let weight = memory(Operation::ConvUnits, &self.units[index].weight);
        let panels = Arc::new(Panels::new(shape, direction, weight.numbers::<T>()?)?);
        // Another thread may have been faster; both have the same numbers.
        let _ = cell.set(Box::new(Arc::clone(&panels)));
        Ok(panels)
    }
}

/// Whether the unit needs no statistics and gets no gradient.
pub(super) fn is_fixed(unit: &ConvUnit) -> bool {
    matches!(unit.norm, UnitNorm::Bias(_)) && !unit.parameters().any(Tensor::track_op)
}

impl fmt::Debug for FrozenUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrozenUnits").field(&self.units).finish()
    }
}

/// A weight's `Arc<Panels<T>>` in each direction, plain and for Winograd's transforms.
#[derive(Default)]
struct Packed {
    forward: [OnceLock<Box<dyn Any + Send + Sync>>; 2],
    backward: [OnceLock<Box<dyn Any + Send + Sync>>; 2],
}
