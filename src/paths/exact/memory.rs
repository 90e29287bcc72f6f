//! Memory that is used again.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::ops::Pixels;

/// The rows of some points, in a piece of memory that may be longer.
#[derive(Default)]
pub(super) struct Buffer {
    numbers: Vec<f64>,
    start: usize,
    used: usize,
    /// What it was made for; none for one that came from elsewhere.
    pixels: Option<Pixels>,
}

impl Deref for Buffer {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.numbers[self.start..][..self.used]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.numbers[self.start..][..self.used]
    }
}

impl From<Vec<f64>> for Buffer {
    fn from(numbers: Vec<f64>) -> Self {
        Self {
            start: 0,
            used: numbers.len(),
            numbers,
            pixels: None,
        }
    }
}

/// Numbers of a line of the cache. Vectors that begin with a line lie in one.
const LINE: usize = 8;

impl Buffer {
    /// Zeros, the first at the beginning of a line.
    fn zeros(count: usize, used: usize, pixels: Pixels) -> Self {
        let numbers = vec![0.; count + LINE];
        let start = numbers.as_ptr().align_offset(8 * LINE);
        Self {
            start: if start < LINE { start } else { 0 },
            numbers,
            used,
            pixels: Some(pixels),
        }
    }

    /// Numbers that there is room for.
    fn room(&self) -> usize {
        self.numbers.len() - self.start
    }
}

/// Freed memory: a new piece of megabytes would be filled with zeros first. There is never more of one
/// shape than was in use at once.
pub(super) struct Memory {
    free: Vec<Buffer>,
    /// The largest number of points.
    chunk: usize,
}

impl Memory {
    /// For so many points at most.
    pub fn new(chunk: usize) -> Self {
        Self {
            free: Vec::new(),
            chunk,
        }
    }

    /// Room for so many points, of any numbers but for the zeros that [`Pixels`] asks for: nobody
    /// writes anything else to their places.
    pub fn take(&mut self, pixels: Pixels, points: usize) -> Buffer {
        let used = points * pixels.image();
        let fits = |free: &Buffer| free.pixels == Some(pixels) && free.room() >= used;
        // The last one that was freed may still be in the cache.
        match self.free.iter().rposition(fits) {
            Some(at) => Buffer {
                used,
                ..self.free.remove(at)
            },
            // Each piece for one shape fits the next time.
            None => Buffer::zeros(self.chunk.max(points) * pixels.image(), used, pixels),
        }
    }

    /// Takes memory back.
    pub fn give(&mut self, buffer: Buffer) {
        if buffer.pixels.is_some() {
            self.free.push(buffer);
        }
    }

    /// Takes memory back, if nobody else reads it.
    pub fn give_shared(&mut self, buffer: Arc<Buffer>) {
        if let Some(buffer) = Arc::into_inner(buffer) {
            self.give(buffer);
        }
    }
}
