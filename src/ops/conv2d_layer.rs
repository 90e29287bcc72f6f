//! Convolutions as differentiable operations of candle.

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};

use super::contiguous;
use super::conv2d_grid::Geometry;
use super::conv2d_kernels::{bias_gradient, forward, input_gradient, weight_gradient};
use super::conv2d_simd::Real;
use super::planes::rectify;

/// A convolution, or a transposed one, which is the input gradient of `shape`; then bias and ReLU.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub shape: Geometry,
    pub transposed: bool,
    pub relu: bool,
}

/// A tensor in memory.
type Argument<'a> = (&'a CpuStorage, &'a Layout);

impl Layer {
    pub fn apply(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (x, weight) = (x.contiguous()?, weight.contiguous()?);
        match bias {
            Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, self),
            None => x.apply_op2(&weight, self),
        }
    }

    fn name(&self) -> &'static str {
        if self.transposed {
            "conv_transpose2d"
        } else {
            "conv2d"
        }
    }

    fn run(
        &self,
        x: Argument,
        weight: Argument,
        bias: Option<Argument>,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match x.0.dtype() {
            DType::F32 => self.run_as::<f32>(x, weight, bias)?,
            DType::F64 => self.run_as::<f64>(x, weight, bias)?,
            other => bail!("{}: expected f32 or f64, got {other:?}", self.name()),
        };
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

    fn run_as<T: Real>(
        &self,
        x: Argument,
        weight: Argument,
        bias: Option<Argument>,
    ) -> Result<CpuStorage> {
        let run = if self.transposed {
            input_gradient
        } else {
            forward
        };
        let bias = bias.map(numbers::<T>).transpose()?;
        Ok(T::to_cpu_storage_owned(run(
            self.shape,
            numbers(x)?,
            numbers(weight)?,
            bias,
            self.relu,
        )?))
    }

    fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut dy = gradient.contiguous()?.detach();
        if self.relu {
            dy = dy.apply_op2_no_bwd(&y.detach(), &WherePositive)?;
        }
        let of_x = || {
            let reverse = Self {
                transposed: !self.transposed,
                relu: false,
                ..*self
            };
            dy.apply_op2_no_bwd(&weight.detach(), &reverse)
        };
        let of_weight = || {
            let x = x.detach();
            let (input, output) = if self.transposed {
                (&dy, &x)
            } else {
                (&x, &dy)
            };
            input.apply_op2_no_bwd(output, &WeightGradient(self.shape))
        };
        Ok((
            x.track_op().then(of_x).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias.filter(|bias| bias.track_op())
                .map(|_| dy.apply_op1_no_bwd(&BiasGradient))
                .transpose()?,
        ))
    }
}

impl CustomOp2 for Layer {
    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weight, _) = self.gradients(x, weight, None, y, gradient)?;
        Ok((of_x, of_weight))
    }
}

impl CustomOp3 for Layer {
    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(
            (x, x_layout),
            (weight, weight_layout),
            Some((bias, bias_layout)),
        )
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, weight, Some(bias), y, gradient)
    }
}

fn numbers<'a, T: Real>((storage, layout): Argument<'a>) -> Result<&'a [T]> {
    contiguous(storage.as_slice()?, layout)
}

/// Of a convolution's input and the gradient of its output.
struct WeightGradient(Geometry);

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d_weight_gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        dy: &CpuStorage,
        yl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Real>(shape: Geometry, x: Argument, dy: Argument) -> Result<CpuStorage> {
            Ok(T::to_cpu_storage_owned(weight_gradient::<T>(
                shape,
                numbers(x)?,
                numbers(dy)?,
            )?))
        }
        let run = if x.dtype() == DType::F32 {
            run::<f32>
        } else {
            run::<f64>
        };
        let Geometry {
            groups,
            inputs,
            outputs,
            kernel: [height, width],
            ..
        } = self.0;
        Ok((
            run(self.0, (x, xl), (dy, yl))?,
            Shape::from((groups * outputs, inputs, height, width)),
        ))
    }
}

/// The sum over all but the channels.
struct BiasGradient;

impl CustomOp1 for BiasGradient {
    fn name(&self) -> &'static str {
        "conv2d_bias_gradient"
    }

    fn cpu_fwd(&self, dy: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn run<T: Real>(channels: usize, area: usize, dy: Argument) -> Result<CpuStorage> {
            Ok(T::to_cpu_storage_owned(bias_gradient::<T>(
                channels,
                area,
                numbers(dy)?,
            )?))
        }
        let run = if dy.dtype() == DType::F32 {
            run::<f32>
        } else {
            run::<f64>
        };
        let (_, channels, height, width) = layout.shape().dims4()?;
        Ok((
            run(channels, height * width, (dy, layout))?,
            Shape::from(channels),
        ))
    }
}

/// The first argument where the second is above 0, else 0.
struct WherePositive;

impl CustomOp2 for WherePositive {
    fn name(&self) -> &'static str {
        "where_positive"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Real>(a: Argument, b: Argument) -> Result<CpuStorage> {
            let mut kept = numbers::<T>(a)?.to_vec();
            rectify(&mut kept, numbers(b)?)?;
            Ok(T::to_cpu_storage_owned(kept))
        }
        let run = if a.dtype() == DType::F32 {
            run::<f32>
        } else {
            run::<f64>
        };
        Ok((run((a, al), (b, bl))?, al.shape().clone()))
    }
}
