//! x·Wᵀ + b, and tanh of it: a layer in one operation.
//!
//! In plain candle operations tanh calls the C library once per number, and the gradient of a
//! matrix product is computed for both factors, even for frozen weights and for inputs that are
//! data. Here bias and tanh are one vectorised pass over the product, and a gradient is computed
//! only for the arguments that need one.

use candle_core::{Result, Shape, Tensor};
use candle_nn::Module;

use super::product::{self, Matrix, by_rows, product};
use crate::error::Error;
use crate::ops::activation::tanh::{add_bias_and_tanh, times_derivative};
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::simd::{self, Float, vectorised};

/// The linear layer of a network; differentiable in input, weight and bias.
///
/// ```text
/// y = x·Wᵀ + b
/// ```
///
/// On a CPU in f32 or f64 the fused operation, elsewhere [`linear_composite`].
///
/// - **Shapes**: `x` (N, inputs), `weight` W (outputs, inputs), `bias` b (outputs,), of one dtype;
///   the result is (N, outputs).
/// - **Range**: any number.
/// - **Source**: the definition, as PyTorch's `linear`.
///
/// # Errors
/// Shapes or dtypes that do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<Tensor> {
    check(x, weight, bias)?;
    if is_fused(x) {
        fused(x, weight, bias, Fused::Linear)
    } else {
        linear_composite(x, weight, bias)
    }
}

/// The function [`linear`] in plain candle operations, for every device.
///
/// # Errors
/// As [`linear`].
pub fn linear_composite(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<Tensor> {
    check(x, weight, bias)?;
    Ok(wide(x, weight, bias)?.to_dtype(x.dtype())?)
}

/// The linear layer of a network with its tanh; differentiable in input, weight and bias.
///
/// ```text
/// y = tanh(x·Wᵀ + b)
/// ```
///
/// On a CPU in f32 or f64 the fused operation, elsewhere [`linear_tanh_composite`]; in f32 its tanh
/// is within 3 units in the last place of the exact value.
///
/// - **Shapes**: `x` (N, inputs), `weight` W (outputs, inputs), `bias` b (outputs,), of one dtype;
///   the result is (N, outputs).
/// - **Range**: \[−1, 1\].
/// - **Source**: the definition; one operation for both is ours.
///
/// # Errors
/// Shapes or dtypes that do not fit.
pub fn linear_tanh(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<Tensor> {
    check(x, weight, bias)?;
    if is_fused(x) {
        fused(x, weight, bias, Fused::LinearTanh)
    } else {
        linear_tanh_composite(x, weight, bias)
    }
}

/// The function [`linear_tanh`] in plain candle operations, for every device.
///
/// # Errors
/// As [`linear_tanh`].
pub fn linear_tanh_composite(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<Tensor> {
    check(x, weight, bias)?;
    Ok(wide(x, weight, bias)?.tanh()?.to_dtype(x.dtype())?)
}

fn fused(x: &Tensor, weight: &Tensor, bias: &Tensor, op: Fused) -> crate::Result<Tensor> {
    Ok([x, weight, bias].apply(op)?)
}

/// The layer x·Wᵀ + b, not rounded to the dtype of `x` yet.
fn wide(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<Tensor> {
    let (weight, bias) = (widened("weight", weight)?, widened("bias", bias)?);
    Ok(candle_nn::Linear::new(weight, Some(bias)).forward(&widened("x", x)?)?)
}

fn check(x: &Tensor, weight: &Tensor, bias: &Tensor) -> crate::Result<()> {
    let &[outputs, inputs] = weight.dims() else {
        return Err(Error::shape(
            "linear",
            "weight",
            "(outputs, inputs)",
            weight.dims(),
        ));
    };
    if x.rank() != 2 || x.dims()[1] != inputs {
        return Err(Error::shape(
            "linear",
            "x",
            format!("(N, {inputs})"),
            x.dims(),
        ));
    }
    if bias.dims() != [outputs] {
        return Err(Error::shape(
            "linear",
            "bias",
            format!("({outputs},)"),
            bias.dims(),
        ));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Fused {
    Linear,
    LinearTanh,
}

impl Kernel<3> for Fused {
    fn operation(&self) -> Operation {
        match self {
            Self::Linear => Operation::Linear,
            Self::LinearTanh => Operation::LinearTanh,
        }
    }

    fn forward<T: Float>(
        &self,
        [x, weight, bias]: [Argument<'_, T>; 3],
    ) -> Result<(Vec<T>, Shape)> {
        let (rows, _) = x.layout.shape().dims2()?;
        let (outputs, _) = weight.layout.shape().dims2()?;
        let (arch, bias) = (simd::arch()?, bias.numbers);
        let activate = |y: &mut [T]| match self {
            Self::Linear => add_bias(y, bias),
            Self::LinearTanh => add_bias_and_tanh(arch, y, bias),
        };
        let y = by_rows(Matrix::new(x), Matrix::new(weight).transposed()?, &activate)?;
        Ok((y, Shape::from((rows, outputs))))
    }

    fn backward(
        &self,
        [x, weight, bias]: [&Tensor; 3],
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let delta = match self {
            Self::Linear => gradient.clone(),
            Self::LinearTanh => times_derivative(y, gradient)?,
        };
        let across = delta.t()?;
        let (of_x, of_weight) = match (x.track_op(), weight.track_op()) {
            (true, true) => {
                let (of_x, of_weight) = product::both(&delta, weight, &across, x)?;
                (Some(of_x), Some(of_weight))
            }
            (true, false) => (Some(product(&delta, weight)?), None),
            (false, true) => (None, Some(product(&across, x)?)),
            (false, false) => (None, None),
        };
        let of_bias = bias.track_op().then(|| [&delta].apply_detached(SumOfRows));
        Ok([of_x, of_weight, of_bias.transpose()?])
    }
}

/// Adds the bias to every row of `y`.
fn add_bias<T: Float>(y: &mut [T], bias: &[T]) {
    for row in y.chunks_mut(bias.len().max(1)) {
        row.iter_mut().zip(bias).for_each(|(y, bias)| *y += *bias);
    }
}

/// The sum Σ_i x_i of a matrix's rows; candle's sum over rows uses no vectors.
struct SumOfRows;

impl SumOfRows {
    fn run<T: Float>(x: &[T], columns: usize) -> Result<Vec<T>> {
        let mut sums = vec![T::zero(); columns];
        let mut some = sums.clone();
        vectorised!(simd::arch()?, {
            // Many rows lose less if some at a time are summed up.
            for rows in x.chunks(64 * columns.max(1)) {
                some.fill(T::zero());
                for row in rows.chunks_exact(columns) {
                    some.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
                }
                sums.iter_mut()
                    .zip(&some)
                    .for_each(|(sum, &some)| *sum += some);
            }
        });
        Ok(sums)
    }
}

impl Kernel<1> for SumOfRows {
    fn operation(&self) -> Operation {
        Operation::Linear
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (_, columns) = x.layout.shape().dims2()?;
        Ok((Self::run(x.numbers, columns)?, Shape::from(columns)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::rng::Rng;

    fn random(shape: &[usize], name: &str, dtype: DType) -> Var {
        Var::from_tensor(
            &Rng::new(5)
                .stream(name)
                .normal(shape, 0., 1., dtype, &Device::Cpu)
                .unwrap(),
        )
        .unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
        if a.elem_count() == 0 {
            return 0.;
        }
        let difference = (a - b)
            .unwrap()
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap();
        difference
            .to_dtype(DType::F64)
            .unwrap()
            .to_scalar()
            .unwrap()
    }

    /// 100 terms of size one, each rounded to 6e-8, in another order: 1e-5 is generous; f64 as many
    /// digits further.
    fn tolerance(dtype: DType) -> f64 {
        if dtype == DType::F32 { 2e-5 } else { 1e-13 }
    }

    #[test]
    fn fused_equals_composite_in_value_and_every_gradient() {
        for dtype in [DType::F32, DType::F64] {
            for rows in [0, 1, 2, 3, 15, 16, 17, 100, 200] {
                // The last two's products are halved, the last one's gradient is left to gemm's
                // threads.
                for (inputs, outputs) in [
                    (1, 1),
                    (3, 2),
                    (17, 15),
                    (20, 20),
                    (100, 33),
                    (100, 70),
                    (784, 110),
                ] {
                    let x = random(&[rows, inputs], "x", dtype);
                    let weight = random(&[outputs, inputs], "weight", dtype);
                    let bias = random(&[outputs], "bias", dtype);
                    type Op = fn(&Tensor, &Tensor, &Tensor) -> crate::Result<Tensor>;
                    let ops: [(Op, Op); 2] = [
                        (linear, linear_composite),
                        (linear_tanh, linear_tanh_composite),
                    ];
                    for (fused, composite) in ops {
                        let fused = fused(&x, &weight, &bias).unwrap();
                        let composite = composite(&x, &weight, &bias).unwrap();
                        assert!(largest_difference(&fused, &composite) < tolerance(dtype));
                        if rows == 0 {
                            continue;
                        }
                        // A different weight for every output, so that no transposition hides.
                        let along = random(&[rows, outputs], "along", dtype);
                        let gradients = |y: &Tensor| {
                            (y * along.as_tensor())
                                .unwrap()
                                .sum_all()
                                .unwrap()
                                .backward()
                                .unwrap()
                        };
                        let (a, b) = (gradients(&fused), gradients(&composite));
                        for var in [&x, &weight, &bias] {
                            let (a, b) = (a.get(var).unwrap(), b.get(var).unwrap());
                            let scale = 1. + largest_difference(b, &b.zeros_like().unwrap());
                            assert!(
                                largest_difference(a, b) / scale < tolerance(dtype),
                                "{rows} {inputs} {outputs}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn pytorch_values() {
        // torch 2.15.0: x = torch.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True) w =
        // torch.tensor([[1.0, 0.5], [-0.3, 2.0], [0.1, 0.2]], requires_grad=True) b =
        // torch.tensor([0.1, -0.2, 0.3], requires_grad=True) y =
        // torch.tanh(torch.nn.functional.linear(x, w, b)); (y * torch.tensor([[1., 2., 3.], [4.,
        // 5., 6.]])).sum().backward() print(y, x.grad, w.grad, b.grad)
        let tensor = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
        };
        let x = Var::from_tensor(&tensor(&[0.5, -1.0, 2.0, 0.25], &[2, 2])).unwrap();
        let weight = Var::from_tensor(&tensor(&[1.0, 0.5, -0.3, 2.0, 0.1, 0.2], &[3, 2])).unwrap();
        let bias = Var::from_tensor(&tensor(&[0.1, -0.2, 0.3], &[3])).unwrap();
        let y = linear_tanh(&x, &weight, &bias).unwrap();
        let along = tensor(&[1., 2., 3., 4., 5., 6.], &[2, 3]);
        let gradients = (&y * along).unwrap().sum_all().unwrap().backward().unwrap();
        for (got, expected) in [
            (&y, TORCH_Y),
            (gradients.get(&x).unwrap(), TORCH_X),
            (gradients.get(&weight).unwrap(), TORCH_WEIGHT),
            (gradients.get(&bias).unwrap(), TORCH_BIAS),
        ] {
            let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(expected) {
                // Six printed digits after the point, and float rounding.
                assert!(
                    (got - expected).abs() < 2e-6 * (1. + expected.abs()),
                    "{got} {expected}"
                );
            }
        }
    }

    const TORCH_Y: &[f32] = &[
        0.099668, -0.9819734, 0.148885, 0.9769125, -0.2913126, 0.5005202,
    ];
    const TORCH_X: &[f32] = &[1.261979, 1.224646, -0.7404499, 10.14203];
    const TORCH_WEIGHT: &[f32] = &[
        0.8601689, -0.9444243, 9.187098, 1.072465, 10.4605, -1.809281,
    ];
    const TORCH_BIAS: &[f32] = &[1.172634, 4.647141, 7.430377];

    #[test]
    fn frozen_arguments_get_no_gradient() {
        let x = random(&[4, 3], "x", DType::F32);
        let weight = random(&[2, 3], "weight", DType::F32).as_tensor().detach();
        let bias = random(&[2], "bias", DType::F32).as_tensor().detach();
        let gradients = linear_tanh(&x, &weight, &bias)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        assert!(gradients.get(&x).is_some());
        assert!(gradients.get(&weight).is_none() && gradients.get(&bias).is_none());
    }

    #[test]
    fn views_are_read_at_their_offset() {
        let wide = random(&[6, 8], "wide", DType::F32);
        let x = wide.narrow(0, 2, 3).unwrap().narrow(1, 1, 5).unwrap();
        let weight = random(&[5, 4], "weight", DType::F32).t().unwrap();
        let bias = random(&[9], "bias", DType::F32).narrow(0, 3, 4).unwrap();
        let fused = linear_tanh(&x, &weight, &bias).unwrap();
        let composite = linear_tanh_composite(&x, &weight, &bias).unwrap();
        assert!(largest_difference(&fused, &composite) < tolerance(DType::F32));
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let of = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = linear_tanh(&of(&[2, 4]), &of(&[5, 3]), &of(&[5]))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "linear: x has shape [2, 4]; expected (N, 3)");
        assert!(linear_tanh(&of(&[2, 3]), &of(&[5, 3]), &of(&[3])).is_err());
        assert!(linear_tanh(&of(&[2, 3]), &of(&[5]), &of(&[3])).is_err());
        let wide = of(&[2, 3]).to_dtype(DType::F64).unwrap();
        assert!(linear(&wide, &of(&[5, 3]), &of(&[5])).is_err());
    }
}
