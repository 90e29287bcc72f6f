//! tanh for many numbers at once, and its derivative.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};
use pulp::Arch;

use super::exp::exp;
use super::{contiguous, simd};

/// y = y + bias for every row of `y`.
pub(super) fn add_bias<T: WithDType>(y: &mut [T], bias: &[T]) {
    for row in y.chunks_mut(bias.len().max(1)) {
        row.iter_mut().zip(bias).for_each(|(y, bias)| *y += *bias);
    }
}

/// y = tanh(y + bias) for every row of `y`.
pub(super) fn add_bias_and_tanh(arch: Arch, y: &mut [f32], bias: &[f32]) {
    // Sixteen short rows at a time fill whole vectors.
    let rows = bias.repeat(if bias.len() < 256 { 16 } else { 1 });
    arch.dispatch(|| {
        for block in y.chunks_mut(rows.len().max(1)) {
            for (y, bias) in block.iter_mut().zip(&rows) {
                *y = tanh(*y + bias);
            }
        }
    });
}

/// tanh(x) without a branch, so that the compiler can vectorise it. Within 3 units in the last
/// place.
///
/// Polynomials of Cephes (Moshier 1989, tanhf and expf): |x| < 0.625: x + x³·P(x²); else 1 −
/// 2/(exp(2|x|) + 1).
#[inline(always)]
fn tanh(x: f32) -> f32 {
    // tanh(9.02) rounds to 1 in f32. `min` would turn NaN into a number; a comparison keeps it.
    let magnitude = x.abs();
    let clamped = if magnitude > 9.02 { 9.02 } else { magnitude };

    let z = x * x;
    let p = -5.704_988_7e-3_f32;
    let p = p * z + 2.063_908_8e-2;
    let p = p * z - 5.373_971_5e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let small = x + x * z * p;

    let large = (1. - 2. / (exp(2. * clamped) + 1.)).copysign(x);
    if magnitude < 0.625 { small } else { large }
}

/// gradient · (1 − y²), y = tanh(·), in one pass.
pub(super) fn times_derivative(y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    y.contiguous()?
        .detach()
        .apply_op2(&gradient.contiguous()?.detach(), TimesDerivative)
}

struct TimesDerivative;

impl CustomOp2 for TimesDerivative {
    fn name(&self) -> &'static str {
        "times_tanh_derivative"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        yl: &Layout,
        g: &CpuStorage,
        gl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let product = match (y, g) {
            (CpuStorage::F32(y), CpuStorage::F32(g)) => {
                let (y, g) = (contiguous(y, yl)?, contiguous(g, gl)?);
                CpuStorage::F32(
                    simd::arch()?
                        .dispatch(|| y.iter().zip(g).map(|(y, g)| g * (1. - y * y)).collect()),
                )
            }
            (CpuStorage::F64(y), CpuStorage::F64(g)) => {
                let (y, g) = (contiguous(y, yl)?, contiguous(g, gl)?);
                CpuStorage::F64(y.iter().zip(g).map(|(y, g)| g * (1. - y * y)).collect())
            }
            _ => bail!(
                "times_tanh_derivative: expected two of f32 or two of f64, got {:?} and {:?}",
                y.dtype(),
                g.dtype()
            ),
        };
        Ok((product, yl.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(got: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let spacing =
            f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(got) - exact).abs() / spacing
    }

    #[test]
    fn within_three_units_in_the_last_place() {
        let mut worst = 0f64;
        // Every exponent, and the places where the formula changes.
        let numbers = (0..2_000_000).map(|i| f32::from_bits(0x3080_0000 + i * 64));
        for x in numbers
            .chain([0.624_999_94, 0.625, 0.625_000_06, 9.01, 9.02, 9.03])
            .filter(|x| *x < 30.)
        {
            for x in [x, -x] {
                let got = tanh(x);
                worst = worst.max(ulps(got, f64::from(x).tanh()));
                assert!(got.abs() <= 1. && got == -tanh(-x), "{x}");
            }
        }
        assert!(worst < 3., "{worst}");
    }

    #[test]
    fn special_numbers() {
        assert_eq!(tanh(0.), 0.);
        assert_eq!(tanh(f32::INFINITY), 1.);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.);
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(tanh(1e-30), 1e-30);
    }

    #[test]
    fn vectors_of_any_length_equal_single_numbers() {
        for length in [1, 2, 3, 15, 16, 17, 255, 256, 257] {
            let bias: Vec<f32> = (0..length).map(|i| i as f32 * 0.01).collect();
            let mut y: Vec<f32> = (0..2 * length).map(|i| (i as f32).sin()).collect();
            let expected: Vec<f32> = y
                .iter()
                .enumerate()
                .map(|(i, y)| tanh(y + bias[i % length]))
                .collect();
            add_bias_and_tanh(Arch::new(), &mut y, &bias);
            for (got, expected) in y.iter().zip(&expected) {
                // Wider vectors may fuse a product and a sum.
                assert!((got - expected).abs() <= 3e-7, "{got} {expected}");
            }
        }
    }
}
