//! The sizes of a convolution.

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Geometry {
    pub images: usize,
    pub groups: usize,
    /// Channels of the input and of the output, of one group.
    pub inputs: usize,
    pub outputs: usize,
    /// Height and width of input, output and kernel.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    /// Of rows and of columns.
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: usize,
}

impl Geometry {
    pub fn input_area(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub fn output_area(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// In direction `axis`: what input position the tap `tap` of the output position `output` reads,
    /// none outside the image.
    pub(super) fn input_of(&self, axis: usize, output: usize, tap: usize) -> Option<usize> {
        (output * self.stride[axis] + tap * self.dilation)
            .checked_sub(self.padding[axis])
            .filter(|&input| input < self.input[axis])
    }

    /// In direction `axis`: what output position reads the input position `input` by its tap `tap`.
    pub(super) fn output_of(&self, axis: usize, input: usize, tap: usize) -> Option<usize> {
        let steps = (input + self.padding[axis]).checked_sub(tap * self.dilation)?;
        (steps.is_multiple_of(self.stride[axis]))
            .then_some(steps / self.stride[axis])
            .filter(|&output| output < self.output[axis])
    }
}
