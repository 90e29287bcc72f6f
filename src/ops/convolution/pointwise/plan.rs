//! What a convolution of 1×1 computes, and its weight in the order in which the loop reads it.

use candle_core::Result;
use pulp::{Arch, Simd, WithSimd};

use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::steps::Direction;
use crate::ops::simd::{Float, arch};

/// Rows and vectors of a tile, which with a term's pixels and one weight fill the registers where there are
/// few, and where there are many.
pub(super) const FEW: [usize; 2] = [6, 2];
pub(super) const MANY: [usize; 2] = [8, 3];
/// Fewer pixels leave a vector mostly empty.
const FEWEST: usize = 16;

/// A convolution of 1×1, or its input gradient.
pub(in crate::ops::convolution) struct Pointwise<'a, T> {
    pub arch: Arch,
    pub direction: Direction,
    /// Channels.
    pub source: usize,
    pub result: usize,
    /// Pixels of a plane.
    pub source_area: usize,
    pub result_area: usize,
    /// Where in the larger plane each pixel of the smaller one lies, if there is a larger one.
    pub places: Option<Vec<u32>>,
    /// Rows of a tile.
    pub rows: usize,
    /// (rows of a tile, channel of the source, row)
    pub weight: Vec<T>,
    pub bias: Option<&'a [T]>,
    pub relu: bool,
}

/// Rows of a tile.
struct Rows;

impl WithSimd for Rows {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::REGISTER_COUNT < 32 {
            FEW[0]
        } else {
            MANY[0]
        }
    }
}

impl<'a, T: Float> Pointwise<'a, T> {
    /// Of a weight (outputs, inputs), then a bias for each channel of the result and a ReLU, if the
    /// convolution is one; but none with a bias where the result has gaps.
    ///
    /// # Errors
    /// `ISOPATH_SIMD` asks for vectors that the processor does not have.
    pub fn of(
        shape: &Geometry,
        direction: Direction,
        weight: &[T],
        (bias, relu): (Option<&'a [T]>, bool),
    ) -> Result<Option<Self>> {
        let is_one = shape.taps() == 1 && shape.groups == 1 && shape.padding == [0; 2];
        let leaves_out = shape.input != shape.output;
        let bias_in_gaps = leaves_out && direction == Direction::Backward && bias.is_some();
        if !is_one || bias_in_gaps || shape.output_area() < FEWEST {
            return Ok(None);
        }
        let arch = arch()?;
        let rows = arch.dispatch(Rows);
        let Geometry {
            inputs, outputs, ..
        } = *shape;
        let areas = [shape.input_area(), shape.output_area()];
        let ((source, result), [source_area, result_area]) = match direction {
            Direction::Forward => ((inputs, outputs), areas),
            Direction::Backward => ((outputs, inputs), [areas[1], areas[0]]),
        };
        let number = |row: usize, channel: usize| match direction {
            Direction::Forward => weight[row * inputs + channel],
            Direction::Backward => weight[channel * inputs + row],
        };
        let mut packed = vec![T::zero(); result.next_multiple_of(rows) * source];
        for (tile, packed) in packed.chunks_mut(rows * source).enumerate() {
            for (channel, packed) in packed.chunks_mut(rows).enumerate() {
                for (row, packed) in (tile * rows..result).zip(packed) {
                    *packed = number(row, channel);
                }
            }
        }
        Ok(Some(Self {
            arch,
            direction,
            source,
            result,
            source_area,
            result_area,
            places: leaves_out.then(|| places(shape)),
            rows,
            weight: packed,
            bias,
            relu,
        }))
    }

    /// Whether pixels of the result are left out, by a stride or at its end: they have no sum.
    pub fn has_gaps(&self) -> bool {
        self.places.is_some() && self.direction == Direction::Backward
    }

    /// Pixels of an image that have a sum.
    pub fn area(&self) -> usize {
        self.source_area.min(self.result_area)
    }
}

/// Where in the input each pixel of the output is read.
fn places(shape: &Geometry) -> Vec<u32> {
    let [height, width] = shape.output;
    let place = |row: usize, column: usize| {
        (row * shape.stride[0] * shape.input[1] + column * shape.stride[1]) as u32
    };
    (0..height)
        .flat_map(|row| (0..width).map(move |column| place(row, column)))
        .collect()
}
