//! The units of a network in evaluation mode.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use candle_core::{Result as CandleResult, Tensor};

use super::unit::{ConvUnit, UnitNorm};
use super::workspace::{Task, Workspace};
use crate::error::{Error, Result};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::pass::Pass;
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
    workspace: Workspace,
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
            workspace: Workspace::default(),
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
            workspace: self.workspace.clone(),
        }
    }

    pub(super) fn units(&self) -> &[ConvUnit] {
        &self.units
    }

    /// The memory of a task.
    pub(super) fn task<T: Float>(&self) -> Task<'_, T> {
        self.workspace.task()
    }

    /// So many equal numbers in the memory of each of the next tasks.
    #[cfg(test)]
    pub(super) fn fill_memory<T: Float>(&self, number: T, count: usize) {
        let mut tasks: Vec<_> = (0..40).map(|_| self.task()).collect();
        for task in &mut tasks {
            let mut rooms: Vec<_> = (0..10).map(|_| task.take(count)).collect();
            rooms.iter_mut().for_each(|room| room.fill(number));
            rooms.into_iter().for_each(|room| task.give(room));
        }
    }

    /// The convolution of a unit: that of the last call if images are as large, with its tables and
    /// memory.
    pub(super) fn pass<T: Float>(
        &self,
        index: usize,
        shape: &Geometry,
        direction: Direction,
    ) -> CandleResult<Arc<Pass<T>>> {
        let shape = &Geometry {
            images: 0,
            ..*shape
        };
        let last = &self.packed[index].of(direction).pass;
        if let Some((of, pass)) = &*lock(last)
            && of == shape
            && let Some(pass) = pass.downcast_ref()
        {
            return Ok(Arc::clone(pass));
        }
        // Not under the lock: panels are made on all threads, and one that waits for the others may
        // come here again.
        let panels = self.panels(index, shape, direction)?;
        let pass = Arc::new(Pass::new(shape, direction, panels)?);
        *lock(last) = Some((*shape, Box::new(Arc::clone(&pass))));
        Ok(pass)
    }

    /// The weight of a unit in the order of the kernels.
    fn panels<T: Float>(
        &self,
        index: usize,
        shape: &Geometry,
        direction: Direction,
    ) -> CandleResult<Arc<Panels<T>>> {
        // The order depends on the size of the images, too.
        let cell = &self.packed[index].of(direction).panels[usize::from(serves(shape))];
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

/// What is known of a unit, in each direction.
#[derive(Default)]
struct Packed {
    forward: OneWay,
    backward: OneWay,
}

impl Packed {
    fn of(&self, direction: Direction) -> &OneWay {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }
}

#[derive(Default)]
struct OneWay {
    /// The weight's `Arc<Panels<T>>`, plain and for Winograd's transforms.
    panels: [OnceLock<Box<dyn Any + Send + Sync>>; 2],
    pass: Mutex<LastPass>,
}

/// The sizes of the convolution that was asked for last, and its `Arc<Pass<T>>`.
type LastPass = Option<(Geometry, Box<dyn Any + Send + Sync>)>;

fn lock(last: &Mutex<LastPass>) -> MutexGuard<'_, LastPass> {
    // Replaced as a whole, so that it is whole after a panic.
    last.lock().unwrap_or_else(PoisonError::into_inner)
}
