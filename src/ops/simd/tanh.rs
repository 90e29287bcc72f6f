//! tanh of many numbers at once.

use super::exp::exp;

/// tanh(x) without a branch, so that the compiler can vectorise it. Within 3 units in the last
/// place.
///
/// Polynomials of Cephes (Moshier 1989, tanhf and expf): |x| < 0.625: x + x³·P(x²); else 1 −
/// 2/(exp(2|x|) + 1).
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
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
}
