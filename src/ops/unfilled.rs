//! Memory for results that several threads write, each its own piece: nobody makes it zero first.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Result, bail};

use super::operation::Operation;

/// Room for so many numbers, all of which come before it is read.
pub(super) struct Unfilled<T> {
    numbers: Vec<T>,
    count: usize,
    filled: AtomicUsize,
}

/// A piece of the room, which is filled from its beginning to its end.
pub(super) struct Piece<'a, T> {
    room: &'a mut [MaybeUninit<T>],
    filled: &'a AtomicUsize,
}

impl<T: Copy> Unfilled<T> {
    pub fn new(count: usize) -> Self {
        Self {
            numbers: Vec::with_capacity(count),
            count,
            filled: AtomicUsize::new(0),
        }
    }

    /// Pieces of `size` numbers one after another, the last perhaps shorter.
    pub fn pieces(&mut self, size: usize) -> Vec<Piece<'_, T>> {
        let room = &mut self.numbers.spare_capacity_mut()[..self.count];
        let filled = &self.filled;
        let pieces = room.chunks_mut(size);
        pieces.map(|room| Piece { room, filled }).collect()
    }

    /// The numbers.
    ///
    /// # Errors
    /// A piece is not full.
    pub fn filled(mut self, operation: Operation) -> Result<Vec<T>> {
        let filled = *self.filled.get_mut();
        if filled != self.count {
            bail!(
                "{operation}: {filled} of {} numbers were computed",
                self.count
            )
        }
        #[expect(unsafe_code)]
        // SAFETY: each of the first `count` numbers is in the room of one piece, which counts a number
        // when it has written it and has room for no other after it; and they have counted `count`.
        unsafe {
            self.numbers.set_len(self.count);
        }
        Ok(self.numbers)
    }
}

impl<T: Copy> Piece<'_, T> {
    /// Writes the next numbers, as many as there is room for.
    pub fn push(&mut self, numbers: &[T]) {
        let count = numbers.len().min(self.room.len());
        let (own, rest) = std::mem::take(&mut self.room).split_at_mut(count);
        own.write_copy_of_slice(&numbers[..count]);
        self.room = rest;
        self.filled.fetch_add(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn all_pieces_are_filled_or_it_is_refused() -> Result<()> {
        let fill = |left_out: usize| {
            let mut unfilled = Unfilled::new(10);
            let pieces = unfilled.pieces(4);
            pieces
                .into_par_iter()
                .enumerate()
                .for_each(|(at, mut piece)| {
                    piece.push(&[at; 3]);
                    piece.push(&vec![10 + at; 7 * usize::from(at != left_out)]);
                });
            unfilled.filled(Operation::ConvUnits)
        };
        assert_eq!(fill(9)?, [0, 0, 0, 10, 1, 1, 1, 11, 2, 2]);
        assert!(fill(2).is_ok());
        let error = fill(1).unwrap_err().to_string();
        assert!(error.contains("9 of 10 numbers"), "{error}");
        Ok(())
    }
}
