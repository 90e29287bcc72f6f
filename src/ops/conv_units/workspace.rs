//! Memory of a training step that the next one takes again.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ops::simd::Float;

/// The memory of the results and gradients of units in training, once nobody reads them: that of a
/// network's next step, without being given to the system, taken from it and filled with zeros in
/// between, which is a tenth of a step.
///
/// Its clones are one and the same. It holds as much as a step has used at once.
#[derive(Clone, Default)]
pub(crate) struct Workspace(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Workspace {
    /// So many numbers, of any values.
    pub(super) fn take<T: Float>(&self, count: usize) -> Vec<T> {
        let mut kept = self.lock();
        let room = |kept: &Box<dyn Any + Send>| {
            let room = kept.downcast_ref::<Vec<T>>().map(Vec::capacity);
            room.filter(|room| *room >= count)
        };
        let rooms = kept.iter().enumerate();
        let smallest = rooms.filter_map(|(at, kept)| Some((room(kept)?, at))).min();
        let found = smallest.map(|(_, at)| kept.swap_remove(at));
        drop(kept);
        let mut numbers: Vec<T> = found
            .and_then(|kept| kept.downcast().ok())
            .map(|kept| *kept)
            .unwrap_or_default();
        numbers.resize(count, T::zero());
        numbers
    }

    /// Keeps the memory of numbers that nobody reads any more.
    pub(super) fn give<T: Float>(&self, numbers: Vec<T>) {
        if numbers.capacity() > 0 {
            self.lock().push(Box::new(numbers));
        }
    }

    /// Gives all memory back to the system.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<dyn Any + Send>>> {
        // A panic elsewhere leaves whole vectors.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workspace({} vectors)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_again() {
        let workspace = Workspace::default();
        let (first, second) = (workspace.take::<f32>(30), workspace.take::<f32>(20));
        let [small, large] = [&second, &first].map(|numbers| numbers.as_ptr());
        workspace.give(first);
        workspace.clone().give(second);
        // The smallest that is large enough; another type has memory of its own.
        assert!(workspace.take::<f64>(10).iter().all(|number| *number == 0.));
        let again = workspace.take::<f32>(19);
        assert_eq!((again.as_ptr(), again.len()), (small, 19));
        let again = workspace.take::<f32>(25);
        assert_eq!((again.as_ptr(), again.len()), (large, 25));
        workspace.give(again);
        workspace.give(Vec::<f32>::new());
        assert_eq!(format!("{workspace:?}"), "Workspace(1 vectors)");
        workspace.clear();
        assert_eq!(format!("{workspace:?}"), "Workspace(0 vectors)");
    }
}
