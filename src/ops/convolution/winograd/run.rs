//! Images tile by tile, on one thread and on several.

use pulp::Arch;
use rayon::prelude::*;

use super::plan::Winograd;
use super::shape::SIDE;
use super::tiles::Tiles;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::product::After;
use crate::ops::simd::Float;

impl<T: Float> Winograd<T> {
    /// The result of so many images, on one thread.
    pub fn run(
        &self,
        (arch, panels): (Arch, &Panels<T>),
        images: usize,
        source: &[T],
        result: &mut [T],
        after: After<T>,
    ) {
        arch.dispatch(Tiles {
            of: self,
            tiles: 0..images * self.reads.len(),
            source,
            panels,
            result,
            origin: 0,
            after,
        });
    }

    /// The result of images whose rows of tiles threads share out.
    pub fn run_in_parallel(
        &self,
        (arch, panels): (Arch, &Panels<T>),
        source: &[T],
        result: &mut [T],
        after: After<T>,
    ) {
        let (pitch, image) = (self.result.pitch(), self.result.image());
        let [rows, columns] = self.tiles;
        let rows = rows.div_ceil(rayon::current_num_threads());
        let band = rows * SIDE * self.size[1] * pitch;
        result
            .par_chunks_mut(image)
            .zip(source.par_chunks(self.source.image()))
            .enumerate()
            .for_each(|(number, (result, source))| {
                let bands = result[pitch..].par_chunks_mut(band);
                bands.enumerate().for_each(|(at, result)| {
                    let origin = pitch + at * band;
                    arch.dispatch(Tiles {
                        of: self,
                        tiles: at * rows * columns..self.reads.len().min((at + 1) * rows * columns),
                        source,
                        panels,
                        result,
                        origin,
                        after: after.from(number * image + origin),
                    });
                });
            });
    }
}
