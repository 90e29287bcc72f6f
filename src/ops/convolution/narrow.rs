//! Convolutions of few channels, such as a network's first.
//!
//! Three channels are too short a loop, and as a result they fill a fifth of a vector. So what a row
//! of the kernel reads is put side by side, as the channels of one pixel: a kernel of 7×7 over 3
//! channels becomes one of 7×1 over 21.

use candle_core::WithDType;

use super::geometry::Geometry;
use super::pixels::Pixels;

/// Channels of an input that are few.
const FEW: usize = 4;

/// A convolution of few channels.
#[derive(Clone, Copy)]
pub(super) struct Narrow {
    shape: Geometry,
}

impl Narrow {
    /// Of a convolution, if it is one.
    pub fn of(shape: &Geometry) -> Option<Self> {
        let is_narrow = shape.groups == 1 && shape.inputs <= FEW && shape.kernel[1] > 1;
        is_narrow.then_some(Self { shape: *shape })
    }

    /// The convolution of what [`Narrow::spread`] gives.
    pub fn wide(&self) -> Geometry {
        let Geometry {
            inputs,
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = self.shape;
        Geometry {
            inputs: kernel[1] * inputs,
            input: [input[0], output[1]],
            kernel: [kernel[0], 1],
            stride: [stride[0], 1],
            padding: [padding[0], 0],
            ..self.shape
        }
    }

    /// Runs `run` with where the numbers of a pixel begin in the image that is spread, and where in
    /// the input, for each tap of a row inside the image.
    #[inline(always)]
    fn each(&self, mut run: impl FnMut(usize, usize)) {
        let Geometry {
            inputs,
            input: [height, width],
            output: [_, columns],
            kernel: [_, taps],
            ..
        } = self.shape;
        let [narrow, _] = Pixels::of(&self.shape);
        let [wide, _] = Pixels::of(&self.wide());
        let inside = |column: usize, tap: usize| {
            let at = self.shape.input_of(1, column, tap)?;
            Some([column * wide.pitch() + tap * inputs, at * narrow.pitch()])
        };
        let row: Vec<_> = (0..columns)
            .flat_map(|column| (0..taps).filter_map(move |tap| inside(column, tap)))
            .collect();
        for number in 0..height {
            let starts = [wide.start(number * columns), narrow.start(number * width)];
            for [spread, at] in &row {
                run(starts[0] + spread, starts[1] + at);
            }
        }
    }

    /// Puts side by side what a row of the kernel reads. Where it reads outside, `spread` has zeros.
    pub fn spread<T: Copy>(&self, image: &[T], spread: &mut [T]) {
        let inputs = self.shape.inputs;
        self.each(|to, from| spread[to..][..inputs].copy_from_slice(&image[from..][..inputs]));
    }

    /// The adjoint of [`Narrow::spread`]: adds every number of `spread` to that which it was read
    /// from.
    pub fn collect<T: WithDType>(&self, spread: &[T], image: &mut [T]) {
        let inputs = self.shape.inputs;
        self.each(|from, to| {
            let pairs = image[to..][..inputs].iter_mut().zip(&spread[from..]);
            pairs.for_each(|(sum, number)| *sum += *number);
        });
    }

    /// The weight (outputs, inputs, rows, columns) of the convolution as that of the wide one.
    pub fn widened<T: WithDType>(&self, weight: &[T]) -> Vec<T> {
        let mut wide = vec![T::zero(); weight.len()];
        self.each_weight(|to, from| wide[to] = weight[from]);
        wide
    }

    /// The opposite of [`Narrow::widened`].
    pub fn narrowed<T: WithDType>(&self, wide: &[T]) -> Vec<T> {
        let mut weight = vec![T::zero(); wide.len()];
        self.each_weight(|from, to| weight[to] = wide[from]);
        weight
    }

    /// Runs `run` with the places of each number in the wide weight and in the narrow one.
    fn each_weight(&self, mut run: impl FnMut(usize, usize)) {
        let Geometry {
            inputs,
            outputs,
            kernel: [rows, columns],
            ..
        } = self.shape;
        for output in 0..outputs {
            for input in 0..inputs {
                for row in 0..rows {
                    for column in 0..columns {
                        let channel = column * inputs + input;
                        run(
                            (output * columns * inputs + channel) * rows + row,
                            ((output * inputs + input) * rows + row) * columns + column,
                        );
                    }
                }
            }
        }
    }
}
