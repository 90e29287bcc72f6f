//! A convolution of 1×1 on all threads.

use std::ops::Range;

use rayon::prelude::*;

use super::part::{Part, STRIP};
use super::plan::Pointwise;
use crate::ops::simd::Float;

impl<T: Float> Pointwise<'_, T> {
    /// The result of so many images.
    pub fn run(&self, images: usize, x: &[T]) -> Vec<T> {
        let mut y = vec![T::zero(); images * self.result * self.result_area];
        if images > 0 {
            self.fill(images, x, &mut y);
        }
        y
    }

    fn fill(&self, images: usize, x: &[T], y: &mut [T]) {
        let (of_x, of_y) = (
            self.source * self.source_area,
            self.result * self.result_area,
        );
        let threads = rayon::current_num_threads();
        if images < threads {
            // Threads share the rows.
            let rows = self.result.div_ceil(threads.div_ceil(images));
            let rows = rows.next_multiple_of(self.rows);
            let images = y.par_chunks_mut(of_y).zip(x.par_chunks(of_x));
            images.for_each(|(y, x)| {
                let parts = y.par_chunks_mut(rows * self.result_area).enumerate();
                parts.for_each(|(part, y)| {
                    let first = part * rows;
                    self.part(x, first..self.result.min(first + rows), y, &mut Vec::new());
                });
            });
            return;
        }
        let together = (STRIP / self.area()).max(1).min(images / threads);
        y.par_chunks_mut(together * of_y)
            .zip(x.par_chunks(together * of_x))
            .for_each_init(Vec::new, |scratch, (y, x)| {
                self.part(x, 0..self.result, y, scratch);
            });
    }

    fn part(&self, x: &[T], rows: Range<usize>, y: &mut [T], scratch: &mut Vec<T>) {
        self.arch.dispatch(Part {
            pointwise: self,
            images: x.len() / (self.source * self.source_area),
            x,
            rows,
            y,
            scratch,
        });
    }
}
