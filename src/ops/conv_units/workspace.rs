//! Memory of a network's calls that the next ones take again.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ops::simd::Float;

/// The memory of results and gradients, once nobody reads them: that of a network's next call, without
/// being given to the system, taken from it and filled with zeros in between. That is a tenth of a
/// training step, and a twentieth of the answers to a few images.
///
/// Its clones are one and the same. It holds as much as the tasks that ran at once have used.
#[derive(Clone, Default)]
pub(crate) struct Workspace(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Workspace {
    /// The memory of a task that is done, for another one.
    pub(super) fn task<T: Float>(&self) -> Task<'_, T> {
        let mut tasks = self.lock();
        let own = |free: &Box<dyn Any + Send>| free.is::<Vec<Vec<T>>>();
        let found = tasks.iter().position(own).map(|at| tasks.swap_remove(at));
        drop(tasks);
        let free = found.and_then(|free| free.downcast().ok());
        Task {
            workspace: self,
            free: free.map(|free| *free).unwrap_or_default(),
        }
    }

    /// Memory for so many numbers, of any values.
    pub(super) fn take<T: Float>(&self, count: usize) -> Room<T> {
        self.task().take(count)
    }

    /// Keeps the memory of numbers that nobody reads any more.
    pub(super) fn give<T: Float>(&self, room: Room<T>) {
        self.task().give(room);
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
        write!(f, "Workspace({} tasks)", self.lock().len())
    }
}

/// The memory of one task, which no other one takes meanwhile.
pub(super) struct Task<'a, T: Float> {
    workspace: &'a Workspace,
    free: Vec<Vec<T>>,
}

impl<T: Float> Task<'_, T> {
    /// Memory for so many numbers, of any values.
    pub fn take(&mut self, count: usize) -> Room<T> {
        let sizes = self.free.iter().map(Vec::len).enumerate();
        let enough = sizes.clone().filter(|(_, size)| *size >= count);
        // The smallest that is large enough. If none is, a larger one takes a smaller one's place.
        let found = enough.min_by_key(|(_, size)| *size);
        let found = found.or_else(|| sizes.max_by_key(|(_, size)| *size));
        let mut numbers = match found {
            Some((at, _)) => self.free.swap_remove(at),
            None => Vec::new(),
        };
        if numbers.len() < count {
            // Not both at once.
            drop(std::mem::take(&mut numbers));
            numbers = vec![T::zero(); count];
        }
        Room { numbers, count }
    }

    /// Keeps the memory of numbers that nobody reads any more.
    pub fn give(&mut self, room: Room<T>) {
        if !room.numbers.is_empty() {
            self.free.push(room.numbers);
        }
    }
}

impl<T: Float> Drop for Task<'_, T> {
    fn drop(&mut self) {
        if !self.free.is_empty() {
            let free = std::mem::take(&mut self.free);
            self.workspace.lock().push(Box::new(free));
        }
    }
}

/// Numbers in memory that may be larger than they are.
#[derive(Clone)]
pub(super) struct Room<T> {
    numbers: Vec<T>,
    count: usize,
}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.numbers[..self.count]
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_again() {
        let workspace = Workspace::default();
        let (first, second) = (workspace.take::<f32>(30), workspace.take::<f32>(20));
        let [small, large] = [&second, &first].map(|room| room.as_ptr());
        workspace.give(first);
        workspace.clone().give(second);
        // The smallest that is large enough; another type has memory of its own.
        let other = workspace.take::<f64>(10);
        assert!(other.len() == 10 && other.iter().all(|number| *number == 0.));
        let again = workspace.take::<f32>(19);
        assert_eq!((again.as_ptr(), again.len()), (small, 19));
        let more = workspace.take::<f32>(25);
        assert_eq!((more.as_ptr(), more.len()), (large, 25));
        assert_eq!(format!("{workspace:?}"), "Workspace(0 tasks)");
        workspace.give(again);
        workspace.give(more);
        workspace.give(workspace.take::<f64>(0));
        assert_eq!(format!("{workspace:?}"), "Workspace(1 tasks)");
        // As large as it has been, not as the last ones were.
        assert_eq!(workspace.take::<f32>(30).as_ptr(), large);
        workspace.give(other);
        workspace.clear();
        assert_eq!(format!("{workspace:?}"), "Workspace(0 tasks)");
    }

    #[test]
    fn tasks_at_once_have_memory_of_their_own() {
        let workspace = Workspace::default();
        let [mut one, mut two] = [workspace.task::<f32>(), workspace.task()];
        let rooms = [one.take(5), two.take(5)];
        let places = rooms.each_ref().map(|room| room.as_ptr());
        let [first, second] = rooms;
        one.give(first);
        two.give(second);
        assert_eq!(one.take(4).as_ptr(), places[0]);
        assert_eq!(two.take(5).as_ptr(), places[1]);
        // One that none of its memory holds takes the place of what it has.
        two.give(Room {
            numbers: vec![0.; 3],
            count: 3,
        });
        assert_eq!(two.take(6).len(), 6);
        assert!(two.free.is_empty());
    }
}
