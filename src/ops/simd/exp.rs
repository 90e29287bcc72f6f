//! The exponential of many numbers at once.

/// eˣ for −87 ≤ x < 88 without a branch, so that the compiler can vectorise it. Within 2 units in
/// the last place.
///
/// The polynomial of Cephes (Moshier 1989, expf).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // 1.5·2²³ moves the rounded quotient n into the last bits.
    const SHIFT: f32 = 12_582_912.;
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    // ln 2 in two parts, the first with few bits, so that n times it is exact.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let power = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    (p * r * r + r + 1.) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_two_units_in_the_last_place() {
        let mut worst = 0f64;
        for i in 0..=1_750_000 {
            let x = -87. + i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let spacing =
                f64::from(f32::from_bits((exact as f32).to_bits() + 1)) - f64::from(exact as f32);
            worst = worst.max((f64::from(exp(x)) - exact).abs() / spacing);
        }
        assert!(worst < 2., "{worst}");
        assert_eq!(exp(0.), 1.);
        assert!(exp(f32::NAN).is_nan());
    }
}
