//! tanh of the rows of a layer's output, and its derivative.

use candle_core::{Result, Shape, Tensor};
use pulp::Arch;

use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::{self, Float, vectorised};

/// Makes every row of `y` tanh(y + bias).
pub(in crate::ops) fn add_bias_and_tanh<T: Float>(arch: Arch, y: &mut [T], bias: &[T]) {
    // Sixteen short rows at a time fill whole vectors.
    let rows = bias.repeat(if bias.len() < 256 { 16 } else { 1 });
    vectorised!(arch, {
        for block in y.chunks_mut(rows.len().max(1)) {
            for (y, &bias) in block.iter_mut().zip(&rows) {
                *y = (*y + bias).hyperbolic_tangent();
            }
        }
    });
}

/// The gradient in the argument of y = tanh(·), gradient · (1 − y²), in one pass.
pub(in crate::ops) fn times_derivative(y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    [y, gradient].apply_detached(TimesDerivative)
}

struct TimesDerivative;

impl Kernel<2> for TimesDerivative {
    fn operation(&self) -> Operation {
        Operation::LinearTanh
    }

    fn forward<T: Float>(&self, [y, g]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let product = vectorised!(simd::arch()?, {
            let pairs = y.numbers.iter().zip(g.numbers);
            pairs.map(|(&y, &g)| g * (T::one() - y * y)).collect()
        });
        Ok((product, y.layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_any_length_equal_single_numbers() {
        for length in [1, 2, 3, 15, 16, 17, 255, 256, 257] {
            let bias: Vec<f32> = (0..length).map(|i| i as f32 * 0.01).collect();
            let mut y: Vec<f32> = (0..2 * length).map(|i| (i as f32).sin()).collect();
            let expected: Vec<f32> = y
                .iter()
                .enumerate()
                .map(|(i, y)| (y + bias[i % length]).hyperbolic_tangent())
                .collect();
            add_bias_and_tanh(Arch::new(), &mut y, &bias);
            for (got, expected) in y.iter().zip(&expected) {
                // Wider vectors may fuse a product and a sum.
                assert!((got - expected).abs() <= 3e-7, "{got} {expected}");
            }
        }
    }
}
