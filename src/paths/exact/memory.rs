//! Memory that is used again.

use std::sync::Arc;

use crate::ops::Pixels;

/// Pieces that are kept for later.
const KEPT: usize = 6;

/// Freed memory, a little of it: a new piece of megabytes would be filled with zeros first.
#[derive(Default)]
pub(super) struct Memory {
    free: Vec<Vec<f64>>,
}

impl Memory {
    /// Room for so many points, of any numbers but for the zeros that [`Pixels`] asks for.
    pub fn take(&mut self, pixels: Pixels, points: usize) -> Vec<f64> {
        let size = points * pixels.image();
        let fitting = self.free.iter().enumerate();
        let best = fitting
            .filter(|(_, free)| free.capacity() >= size && free.capacity() <= 4 * size)
            .min_by_key(|(_, free)| free.capacity())
            .map(|(at, _)| at);
        let Some(at) = best else {
            return vec![0.; size];
        };
        let mut numbers = self.free.swap_remove(at);
        numbers.resize(size, 0.);
        if pixels.pitch() > pixels.channels {
            numbers.fill(0.);
        } else {
            for image in numbers.chunks_mut(pixels.image()) {
                image[..pixels.pitch()].fill(0.);
            }
        }
        numbers
    }

    /// Takes memory back.
    pub fn give(&mut self, numbers: Vec<f64>) {
        if self.free.len() == KEPT {
            self.free.remove(0);
        }
        self.free.push(numbers);
    }

    /// Takes memory back, if nobody else reads it.
    pub fn give_shared(&mut self, numbers: Arc<Vec<f64>>) {
        if let Ok(numbers) = Arc::try_unwrap(numbers) {
            self.give(numbers);
        }
    }

    /// Takes memory back, if there is any.
    pub fn extend(&mut self, numbers: Option<Vec<f64>>) {
        if let Some(numbers) = numbers {
            self.give(numbers);
        }
    }
}
