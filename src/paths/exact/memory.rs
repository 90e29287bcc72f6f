//! Memory that is used again.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::ops::Pixels;

/// The rows of some points, in a piece of memory that may be longer.
#[derive(Default)]
pub(super) struct Buffer {
    numbers: Vec<f64>,
    used: usize,
}

impl Deref for Buffer {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.numbers[..self.used]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.numbers[..self.used]
    }
}

impl From<Vec<f64>> for Buffer {
    fn from(numbers: Vec<f64>) -> Self {
        let used = numbers.len();
        Self { numbers, used }
    }
}

/// Freed memory: a new piece of megabytes would be filled with zeros first. There is never more of one
/// size than was in use at once.
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

    /// Room for so many points, of any numbers but for the zeros that [`Pixels`] asks for.
    pub fn take(&mut self, pixels: Pixels, points: usize) -> Buffer {
        // All pieces for one shape have one size, so that each fits the next time.
        let size = self.chunk.max(points) * pixels.image();
        let used = points * pixels.image();
        // The last one that was freed may still be in the cache.
        let fitting = self
            .free
            .iter()
            .rposition(|free| free.numbers.len() == size);
        let Some(at) = fitting else {
            let numbers = vec![0.; size];
            return Buffer { numbers, used };
        };
        let mut buffer = self.free.remove(at);
        buffer.used = used;
        if pixels.pitch() > pixels.channels {
            buffer.fill(0.);
        } else {
            for image in buffer.chunks_mut(pixels.image()) {
                image[..pixels.pitch()].fill(0.);
            }
        }
        buffer
    }

    /// Takes memory back.
    pub fn give(&mut self, buffer: Buffer) {
        self.free.push(buffer);
    }

    /// Takes memory back, if nobody else reads it.
    pub fn give_shared(&mut self, buffer: Arc<Buffer>) {
        if let Some(buffer) = Arc::into_inner(buffer) {
            self.give(buffer);
        }
    }
}
