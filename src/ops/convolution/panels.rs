//! The weight of a convolution in the order in which the kernel reads it.

use std::marker::PhantomData;

use candle_core::Result;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::geometry::Geometry;
use super::narrow::Narrow;
use super::steps::Direction;
use super::winograd::shape::{POINTS, serves};
use super::winograd::weights::transformed;
use crate::ops::simd::{Float, arch};

/// Vectors of a panel.
pub(super) const VECTORS: usize = 2;
/// Terms of a sum that a panel has at a time: its part of the weight stays in the second cache.
const TERMS: usize = 2048;

/// Numbers of a vector.
pub(super) struct Lanes<T>(PhantomData<T>);

impl<T> Lanes<T> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Float> WithSimd for Lanes<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        T::lanes::<S>()
    }
}

/// The weight in panels: some channels of the result each, a term of their sums after the other.
pub(in crate::ops) struct Panels<T> {
    /// Numbers of a vector.
    lanes: usize,
    pub groups: usize,
    /// Channels of source and result, of one group.
    pub source: usize,
    pub result: usize,
    taps: usize,
    /// Channels of the source of one part.
    pub part: usize,
    numbers: Vec<T>,
}

/// One panel's weights for some channels of the source.
pub(super) struct Panel<'a, T> {
    /// The first channel of the source, and how many.
    pub source: usize,
    pub channels: usize,
    /// The first channel of the result.
    pub result: usize,
    pub vectors: usize,
    /// Whether no other part of the source came before, and whether none comes after.
    pub first: bool,
    pub last: bool,
    /// (tap, channel of the source, channel of the result)
    pub numbers: &'a [T],
}

impl<T: Float> Panels<T> {
    /// Of a weight (outputs, inputs, taps), outputs group by group.
    ///
    /// # Errors
    /// `ISOPATH_SIMD` asks for vectors that the processor does not have.
    pub fn new(shape: &Geometry, direction: Direction, weight: &[T]) -> Result<Self> {
        if let Some(narrow) = Narrow::of(shape) {
            return Self::new(&narrow.wide(), direction, &narrow.widened(weight));
        }
        let source = match direction {
            Direction::Forward => shape.inputs,
            Direction::Backward => shape.outputs,
        };
        if serves(shape) {
            let weight = transformed(weight, direction)?;
            return Self::packed(shape, direction, (POINTS, source), &weight);
        }
        let taps = shape.taps();
        let parts = (source * taps).div_ceil(TERMS).min(source);
        Self::packed(shape, direction, (taps, source.div_ceil(parts)), weight)
    }

    /// Of a weight (outputs, inputs, taps), some channels of the source a part.
    fn packed(
        shape: &Geometry,
        direction: Direction,
        (taps, part): (usize, usize),
        weight: &[T],
    ) -> Result<Self> {
        let lanes = arch()?.dispatch(Lanes::<T>::new());
        let Geometry {
            groups,
            inputs,
            outputs,
            ..
        } = *shape;
        let (source, result) = match direction {
            Direction::Forward => (inputs, outputs),
            Direction::Backward => (outputs, inputs),
        };
        let mut panels = Self {
            lanes,
            groups,
            source,
            result,
            taps,
            part,
            numbers: Vec::new(),
        };
        let width = result.next_multiple_of(lanes);
        let mut numbers = vec![T::zero(); groups * source * taps * width];
        let mut rest = &mut numbers[..];
        let mut pieces = Vec::new();
        for (group, first, vectors) in panels.columns() {
            let width = vectors * lanes;
            for start in (0..source).step_by(panels.part) {
                let channels = panels.part.min(source - start);
                let own;
                (own, rest) = rest.split_at_mut(taps * channels * width);
                pieces.push((group, first, width, start, channels, own));
            }
        }
        pieces
            .into_par_iter()
            .for_each(|(group, first, width, start, channels, own)| {
                let count = width.min(result - first);
                let weight = &weight[group * inputs * outputs * taps..];
                for (tap, own) in own.chunks_mut(channels * width).enumerate() {
                    for (channel, own) in own.chunks_mut(width).enumerate() {
                        let (from, step) = match direction {
                            Direction::Forward => {
                                ((first * inputs + start + channel) * taps, inputs * taps)
                            }
                            Direction::Backward => {
                                (((start + channel) * inputs + first) * taps, taps)
                            }
                        };
                        let from = weight[from + tap..].iter().step_by(step).take(count);
                        own.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
            });
        panels.numbers = numbers;
        Ok(panels)
    }

    /// Group, first channel in it and vectors of each panel.
    fn columns(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<T> {
        let (lanes, result) = (self.lanes, self.result);
        let vectors = result.div_ceil(lanes);
        (0..self.groups).flat_map(move |group| {
            (0..vectors)
                .step_by(VECTORS)
                .map(move |first| (group, first * lanes, VECTORS.min(vectors - first)))
        })
    }

    /// The panels, of each all parts of the source.
    pub(super) fn iter(&self) -> impl Iterator<Item = Panel<'_, T>> {
        let mut rest = &self.numbers[..];
        let parts = (0..self.source).step_by(self.part);
        self.columns()
            .flat_map(move |column| parts.clone().map(move |start| (column, start)))
            .map(move |((group, first, vectors), start)| {
                let channels = self.part.min(self.source - start);
                let own;
                (own, rest) = rest.split_at(self.taps * channels * vectors * self.lanes);
                Panel {
                    source: group * self.source + start,
                    channels,
                    result: group * self.result + first,
                    vectors,
                    first: start == 0,
                    last: start + channels == self.source,
                    numbers: own,
                }
            })
    }
}
