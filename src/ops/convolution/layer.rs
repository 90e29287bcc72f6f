//! Convolutions as differentiable operations of candle.

use candle_core::{Result, Shape, Tensor};

use super::gather::{forward, input_gradient};
use super::geometry::Geometry;
use super::weight_gradient::{bias_gradient, weight_gradient};
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::planes::rectify;
use crate::ops::simd::Float;

/// A convolution, or a transposed one, which is the input gradient of `shape`; then bias and ReLU.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub shape: Geometry,
    pub transposed: bool,
    pub relu: bool,
}

impl Layer {
    pub fn apply(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        match bias {
            Some(bias) => [x, weight, bias].apply(self),
            None => [x, weight].apply(self),
        }
    }

    fn operation(&self) -> Operation {
        match (self.transposed, self.relu) {
            (true, _) => Operation::ConvTranspose2d,
            (false, true) => Operation::Conv2dRelu,
            (false, false) => Operation::Conv2d,
        }
    }

    fn run<T: Float>(
        &self,
        x: Argument<T>,
        weight: Argument<T>,
        bias: Option<Argument<T>>,
    ) -> Result<(Vec<T>, Shape)> {
        let run = if self.transposed {
            input_gradient
        } else {
            forward
        };
        let bias = bias.map(|bias| bias.numbers);
        let y = run(self.shape, x.numbers, weight.numbers, bias, self.relu)?;
        let Geometry {
            images,
            groups,
            inputs,
            outputs,
            input,
            output,
            ..
        } = self.shape;
        let (channels, [height, width]) = if self.transposed {
            (inputs, input)
        } else {
            (outputs, output)
        };
        Ok((y, Shape::from((images, groups * channels, height, width))))
    }

    fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dy = if self.relu {
            [gradient, y].apply_detached(WherePositive)?
        } else {
            gradient.clone()
        };
        let of_x = || {
            let reverse = Self {
                transposed: !self.transposed,
                relu: false,
                ..*self
            };
            [&dy, weight].apply_detached(reverse)
        };
        let of_weight = || {
            let pair = if self.transposed { [&dy, x] } else { [x, &dy] };
            pair.apply_detached(WeightGradient(self.shape))
        };
        Ok([
            x.track_op().then(of_x).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias.filter(|bias| bias.track_op())
                .map(|_| [&dy].apply_detached(BiasGradient))
                .transpose()?,
        ])
    }
}

impl Kernel<2> for Layer {
    fn operation(&self) -> Operation {
        Self::operation(self)
    }

    fn forward<T: Float>(&self, [x, weight]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        self.run(x, weight, None)
    }

    fn backward(
        &self,
        [x, weight]: [&Tensor; 2],
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let [of_x, of_weight, _] = self.gradients(x, weight, None, y, gradient)?;
        Ok([of_x, of_weight])
    }
}

impl Kernel<3> for Layer {
    fn operation(&self) -> Operation {
        Self::operation(self)
    }

    fn forward<T: Float>(
        &self,
        [x, weight, bias]: [Argument<'_, T>; 3],
    ) -> Result<(Vec<T>, Shape)> {
        self.run(x, weight, Some(bias))
    }

    fn backward(
        &self,
        [x, weight, bias]: [&Tensor; 3],
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        self.gradients(x, weight, Some(bias), y, gradient)
    }
}

/// The gradient in the weight, of a convolution's input and the gradient in its output.
struct WeightGradient(Geometry);

impl Kernel<2> for WeightGradient {
    fn operation(&self) -> Operation {
        Operation::Conv2d
    }

    fn forward<T: Float>(&self, [x, dy]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let Geometry {
            groups,
            inputs,
            outputs,
            kernel: [height, width],
            ..
        } = self.0;
        let shape = Shape::from((groups * outputs, inputs, height, width));
        Ok((weight_gradient(self.0, x.numbers, dy.numbers)?, shape))
    }
}

/// The sum over all but the channels.
struct BiasGradient;

impl Kernel<1> for BiasGradient {
    fn operation(&self) -> Operation {
        Operation::Conv2d
    }

    fn forward<T: Float>(&self, [dy]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (_, channels, height, width) = dy.layout.shape().dims4()?;
        let sums = bias_gradient(channels, height * width, dy.numbers)?;
        Ok((sums, Shape::from(channels)))
    }
}

/// The first argument where the second is above 0, else 0.
struct WherePositive;

impl Kernel<2> for WherePositive {
    fn operation(&self) -> Operation {
        Operation::Conv2dRelu
    }

    fn forward<T: Float>(&self, [a, b]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let mut kept = a.numbers.to_vec();
        rectify(&mut kept, b.numbers)?;
        Ok((kept, a.layout.shape().clone()))
    }
}
