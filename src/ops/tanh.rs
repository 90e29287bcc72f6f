//! tanh, several numbers at a time.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor};

use crate::ops::contiguous;

/// tanh(x), elementwise, differentiable.
///
/// f32 on the CPU goes to a rational approximation (within 5e-7 of tanh x, relative) that the compiler turns into vector
/// instructions; candle calls the C library for every number, which takes a fifth of a small network's training step.
/// All else goes to [`tanh_composite`].
///
/// # Errors
/// A tensor operation failed.
pub fn tanh(x: &Tensor) -> crate::Result<Tensor> {
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        Ok(x.contiguous()?.apply_op1(Tanh)?)
    } else {
        tanh_composite(x)
    }
}

/// [`tanh`] as candle does it, on every device.
///
/// # Errors
/// As [`tanh`].
pub fn tanh_composite(x: &Tensor) -> crate::Result<Tensor> {
    Ok(x.tanh()?)
}

struct Tanh;

impl CustomOp1 for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::F32(x) = x else { candle_core::bail!("tanh: x is not f32") };
        let y = contiguous(x, layout)?.iter().map(|&x| rational(x)).collect();
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op2_no_bwd(&y.detach(), &Slope)?))
    }
}

/// grad · (1 − y²).
struct Slope;

impl CustomOp2 for Slope {
    fn name(&self) -> &'static str {
        "tanh-slope"
    }

    fn cpu_fwd(&self, grad: &CpuStorage, lg: &Layout, y: &CpuStorage, ly: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(grad), CpuStorage::F32(y)) = (grad, y) else {
            candle_core::bail!("tanh: the gradient is not f32")
        };
        let pairs = contiguous(grad, lg)?.iter().zip(contiguous(y, ly)?);
        Ok((CpuStorage::F32(pairs.map(|(grad, y)| grad * (1. - y * y)).collect()), ly.shape().clone()))
    }
}

/// tanh(x) ≈ x p(x²)/q(x²), with the coefficients that Eigen and XLA use; beyond ±7.9 it is ±1 to f32's precision.
#[inline]
fn rational(x: f32) -> f32 {
    const P: [f32; 7] =
        [-2.760_768_5e-16, 2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3];
    const Q: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    // Not clamp(), which lets NaN pass only by a branch.
    let x = if x > 7.905_311 { 7.905_311 } else { x };
    let x = if x < -7.905_311 { -7.905_311 } else { x };
    let square = x * x;
    let horner = |coefficients: &[f32]| coefficients.iter().fold(0., |sum, c| sum * square + c);
    x * horner(&P) / horner(&Q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximation_stays_within_its_bound() {
        let mut worst = 0f64;
        for step in -400_000..=400_000i32 {
            let x = step as f32 * 5e-5;
            let (got, exact) = (f64::from(rational(x)), f64::from(x).tanh());
            worst = worst.max((got - exact).abs() / exact.abs().max(f64::MIN_POSITIVE));
            assert!(got.abs() <= 1.);
        }
        assert!(worst < 5e-7, "{worst}");
        for (x, y) in [(0., 0.), (1e-30, 1e-30), (f32::INFINITY, 1.), (f32::NEG_INFINITY, -1.), (1e30, 1.)] {
            assert!((rational(x) - y).abs() <= 2e-7 * y.abs(), "{x}");
        }
        assert!(rational(f32::NAN).is_nan());
    }
}
