//! Images with their channels side by side, in memory that is used again.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pulp::Arch;

use crate::ops::convolution::pixels::Pixels;
use crate::ops::simd::Float;

/// The memory of the calls of a frozen network, which the next ones take again: a band or a graph asks
/// for a few images at a time, and filling new memory with zeros is a twentieth of its time.
///
/// Its clones are one and the same. It holds as much as the tasks that ran at once have used.
#[derive(Clone, Default)]
pub(super) struct Pools(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Pools {
    /// The memory of a task that is done, for another one.
    pub fn pool<T: Float>(&self) -> Pool<'_, T> {
        let mut pools = self.lock();
        let own = |pool: &Box<dyn Any + Send>| pool.is::<Vec<Vec<T>>>();
        let found = pools.iter().position(own).map(|at| pools.swap_remove(at));
        drop(pools);
        let free = found.and_then(|pool| pool.downcast().ok());
        Pool {
            pools: self,
            free: free.map(|free| *free).unwrap_or_default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<dyn Any + Send>>> {
        // A panic elsewhere leaves whole vectors.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pools({} tasks)", self.lock().len())
    }
}

/// The memory of one task.
pub(super) struct Pool<'a, T: Float> {
    pools: &'a Pools,
    free: Vec<Vec<T>>,
}

impl<T: Float> Pool<'_, T> {
    /// Memory for so many images, of any numbers but for the zeros at each one's beginning.
    pub fn take(&mut self, pixels: Pixels, images: usize) -> Images<T> {
        let mut images = self.room(images * pixels.image());
        pixels.zero_first(&mut images);
        images
    }

    /// Memory for so many numbers.
    pub fn room(&mut self, count: usize) -> Images<T> {
        let rooms = self.free.iter().map(Vec::len).enumerate();
        let enough = rooms.clone().filter(|(_, room)| *room >= count);
        // The smallest that is large enough. If none is, a larger one takes a smaller one's place.
        let found = enough.min_by_key(|(_, room)| *room);
        let found = found.or_else(|| rooms.max_by_key(|(_, room)| *room));
        let mut numbers = match found {
            Some((at, _)) => self.free.swap_remove(at),
            None => Vec::new(),
        };
        if numbers.len() < count {
            drop(std::mem::take(&mut numbers));
            numbers = vec![T::zero(); count];
        }
        Images { numbers, count }
    }

    /// Images channel by channel as images with their channels side by side.
    pub fn lay(&mut self, arch: Arch, pixels: Pixels, planes: &[T]) -> Images<T> {
        let mut laid = self.take(pixels, planes.len() / pixels.count());
        pixels.lay_all(arch, planes, &mut laid);
        laid
    }

    /// Keeps the memory of images that nobody reads any more.
    pub fn give(&mut self, images: Images<T>) {
        self.free.push(images.numbers);
    }
}

impl<T: Float> Drop for Pool<'_, T> {
    fn drop(&mut self) {
        let free = std::mem::take(&mut self.free);
        self.pools.lock().push(Box::new(free));
    }
}

/// Images in memory that may be larger than they are.
#[derive(Clone)]
pub(super) struct Images<T> {
    numbers: Vec<T>,
    count: usize,
}

impl<T> Deref for Images<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.numbers[..self.count]
    }
}

impl<T> DerefMut for Images<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[..self.count]
    }
}
