//! Tiles of a convolution by Winograd's transforms: read, multiplied, written.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::plan::Winograd;
use super::read::read_tile;
use super::shape::{POINTS, READ, SIDE};
use super::transforms::Factors;
use crate::ops::convolution::panels::{Panel, Panels, VECTORS};
use crate::ops::convolution::product::{After, multiply};
use crate::ops::simd::Float;

/// Some tiles, of all images one after another.
pub(super) struct Tiles<'a, T> {
    pub of: &'a Winograd<T>,
    pub tiles: Range<usize>,
    pub source: &'a [T],
    pub panels: &'a Panels<T>,
    pub result: &'a mut [T],
    /// Where in the result of all images `result` begins.
    pub origin: usize,
    pub after: After<'a, T>,
}

impl<T: Float> WithSimd for Tiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Tiles of a product, and of one for what is left over: it has as many sums as the processor needs
        // to be busy.
        if S::REGISTER_COUNT < 32 {
            self.run::<S, 6, 4>(simd)
        } else {
            self.run::<S, 12, 4>(simd)
        }
    }
}

impl<T: Float> Tiles<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const FEW: usize>(mut self, simd: S) {
        let factors = Factors::new(simd);
        let mut scratch = self.of.scratch(T::lanes::<S>());
        let (read, products) = (&mut scratch.read[..], &mut scratch.products[..]);
        let tiles = self.tiles.clone();
        for first in tiles.clone().step_by(self.of.block) {
            let tiles = first..tiles.end.min(first + self.of.block);
            for (tile, read) in tiles.clone().zip(read.chunks_mut(self.of.stride())) {
                let (image, tile) = (tile / self.of.reads.len(), tile % self.of.reads.len());
                let source = &self.source[image * self.of.source.image()..];
                let pitch = self.of.source.pitch();
                read_tile(&factors, source, &self.of.reads[tile], (read, pitch), pitch);
            }
            for panel in self.panels.iter() {
                if panel.vectors == VECTORS {
                    self.multiply::<S, M, FEW, VECTORS>(simd, &panel, read, products, &tiles);
                    self.write::<S, VECTORS>(simd, &factors, panel.result, products, &tiles);
                } else {
                    self.multiply::<S, M, FEW, 1>(simd, &panel, read, products, &tiles);
                    self.write::<S, 1>(simd, &factors, panel.result, products, &tiles);
                }
            }
        }
        self.of.give_back(scratch);
    }

    /// The products of all tiles with a panel, as (tile, point, channel of the result).
    #[inline(always)]
    fn multiply<S: Simd, const M: usize, const FEW: usize, const V: usize>(
        &self,
        simd: S,
        panel: &Panel<T>,
        read: &[T],
        products: &mut [T],
        tiles: &Range<usize>,
    ) {
        let width = V * T::lanes::<S>();
        for point in 0..POINTS {
            let weights =
                &panel.numbers[point * panel.channels * width..][..panel.channels * width];
            let mut tile = 0;
            // There is room for a few more than there are.
            while tile < tiles.len() {
                let left = tiles.len() - tile;
                if left.next_multiple_of(FEW) < left.next_multiple_of(M) {
                    self.multiply_some::<S, FEW, V>(simd, (point, tile), weights, read, products);
                    tile += FEW;
                } else {
                    self.multiply_some::<S, M, V>(simd, (point, tile), weights, read, products);
                    tile += M;
                }
            }
        }
    }

    #[inline(always)]
    fn multiply_some<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        (point, tile): (usize, usize),
        weights: &[T],
        read: &[T],
        products: &mut [T],
    ) {
        let (stride, pitch) = (self.of.stride(), self.of.source.pitch());
        let starts: [usize; M] = std::array::from_fn(|at| (tile + at) * stride + point * pitch);
        let width = V * T::lanes::<S>();
        let sums = multiply::<T, S, M, V>(
            simd,
            (read, starts),
            weights.len() / width,
            weights,
            [[T::splat(simd, T::zero()); V]; M],
        );
        let products = T::vectors_mut::<S>(products).as_chunks_mut::<V>().0;
        for m in 0..M {
            products[(tile + m) * POINTS + point] = sums[m];
        }
    }

    /// Aᵀ m A of every tile, and what becomes of it.
    #[inline(always)]
    fn write<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        factors: &Factors<T, S>,
        channel: usize,
        products: &[T],
        tiles: &Range<usize>,
    ) {
        let Winograd {
            result,
            size: [height, width],
            tiles: [_, tiles_of_a_row],
            ..
        } = *self.of;
        let mut bias = [factors.zero(); V];
        if let Some(numbers) = self.after.bias {
            bias.copy_from_slice(&T::vectors::<S>(&numbers[channel..])[..V]);
        }
        let products = T::vectors::<S>(products).as_chunks::<V>().0;
        for (tile, products) in tiles.clone().zip(products.as_chunks::<POINTS>().0) {
            let (image, tile) = (tile / self.of.reads.len(), tile % self.of.reads.len());
            let top = SIDE * (tile / tiles_of_a_row);
            let left = SIDE * (tile % tiles_of_a_row);
            for v in 0..V {
                let columns = six!(x => factors.write(six!(y => products[y * READ + x][v])));
                let rows = four!(y => six!(x => columns[x][y]));
                for (y, row) in rows.into_iter().take(height - top).enumerate() {
                    let row = factors.write(row);
                    let pixel = (top + y) * width + left;
                    let start = image * result.image() + result.start(pixel) - self.origin;
                    let start = start + channel + v * T::lanes::<S>();
                    for (x, &sum) in row.iter().take(width - left).enumerate() {
                        let at = start + x * result.pitch();
                        let mut number = sum;
                        if self.after.bias.is_some() {
                            number = T::plus(simd, number, bias[v]);
                        }
                        if let Some(residual) = self.after.residual {
                            number = T::plus(simd, number, T::vectors::<S>(&residual[at..])[0]);
                        }
                        if self.after.relu {
                            number = T::relu(simd, number);
                        }
                        T::vectors_mut::<S>(&mut self.result[at..])[0] = number;
                    }
                }
            }
        }
    }
}
