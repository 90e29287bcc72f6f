//! Lines through activations: y = λ x + c ± e for all x of an interval.

use super::rounding::{Arithmetic, SOME, up};

/// More than the error of [`tanh`], in absolute terms.
///
/// exp: the Taylor polynomial of degree 13 on |r| ≤ 0.35 leaves out less than 5e-18, Horner's rule and
/// the reduced argument are wrong by less than 1e-15, relative to the result. The quotient (1 − E)/(1 + E)
/// doubles that at most, and rounds three times: together below 2.5e-15.
const TANH: f64 = 4e-15;

/// The error of the network's own tanh in units of u·|tanh x|: 8, four units in the last place.
/// [`linear_tanh`](crate::ops::linear_tanh()) keeps three.
pub(super) const TANH_ROUNDINGS: f64 = 8.;

/// The size of tanh'' is 2 |T| (1 − T²), T = tanh x; its largest value, at T = 1/√3, is below that.
const STEEPEST: f64 = 0.769_801;

/// Where the numbers of a unit lie on a part of a segment: middle + s·slope ± radius, s ∈ [−1, 1].
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub middle: f64,
    pub slope: f64,
    pub radius: f64,
}

impl Range {
    /// Both ends, from outside.
    #[inline(always)]
    fn ends(self) -> [f64; 2] {
        let reach = self.slope.abs() + self.radius;
        let allowance = SOME * (self.middle.abs() + reach);
        [
            self.middle - reach - allowance,
            self.middle + reach + allowance,
        ]
    }
}

/// λ, c and e of y = λ x + c ± e.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub slope: f64,
    pub offset: f64,
    pub error: f64,
}

impl Line {
    /// What it makes of `x`.
    #[inline(always)]
    pub fn of(self, x: Range) -> Range {
        let (middle, slope) = (self.slope * x.middle + self.offset, self.slope * x.slope);
        let rounding = SOME * (middle.abs() + self.offset.abs() + slope.abs());
        Range {
            middle,
            slope,
            radius: up(self.slope * x.radius + self.error) + rounding + f64::MIN_POSITIVE,
        }
    }
}

/// The line of max(x, 0), exact where x keeps its sign. `own` allows for the sums that its offset
/// will be a term of.
///
/// max(x, 0) − λ x is convex for λ ∈ [0, 1], 0 at x = 0, and largest at an end of the interval.
#[inline(always)]
pub(super) fn relu(x: Range, own: f64) -> Line {
    let [low, high] = x.ends();
    let chord = high / (high - low);
    let slope = if low >= 0. {
        1.
    } else if high <= 0. {
        0.
    } else {
        chord
    };
    let [at_low, at_high] = [-slope * low, (1. - slope) * high];
    let most = if at_low > at_high { at_low } else { at_high };
    let most = if most > 0. { most } else { 0. };
    let offset = most / 2.;
    Line {
        slope,
        offset,
        error: offset * (2. * SOME + own + 1.) + f64::MIN_POSITIVE + undefined(x),
    }
}

/// The line of tanh, with what `arithmetic` makes of it: the chord, and half the width of the band
/// that the second derivative allows on both sides of it.
#[inline(always)]
pub(super) fn tanh_line(x: Range, own: f64, arithmetic: Arithmetic) -> Line {
    let [low, high] = x.ends();
    let (at_low, at_high, width) = (tanh(low), tanh(high), high - low);
    let chord = (at_high - at_low) / width;
    let tangent = 1. - at_low * at_low;
    let slope = if width > 1e-6 { chord } else { tangent };
    let slope = if slope > 0. { slope } else { 0. };
    // Whatever the slope, the line is the chord up to its error at both ends.
    let astray = (at_low + slope * width - at_high).abs() + 4. * TANH;
    // Between tanh and its chord lies at most an eighth of the width squared times tanh''; and both
    // lie between the values at the ends.
    let bend = up(width * width / 8.);
    let rise = at_high - at_low + 2. * TANH;
    let within = |size: f64| if size < rise { size } else { rise };
    let above = within(bend * curvature(at_low, at_high));
    let below = within(bend * curvature(-at_high, -at_low));
    let start = at_low - slope * low;
    let offset = start + (above - below) / 2.;
    let largest = if at_high > -at_low { at_high } else { -at_low };
    let network = TANH_ROUNDINGS * arithmetic.unit * (largest + TANH) + arithmetic.tiny;
    let rounding = SOME * (slope * low.abs() + 3.) + own * offset.abs();
    Line {
        slope,
        offset,
        error: up((above + below) / 2. + astray + network + rounding) + undefined(x),
    }
}

/// The largest −tanh'' on the part of an interval where x > 0; tanh is `low` to `high` on it.
#[inline(always)]
fn curvature(low: f64, high: f64) -> f64 {
    let (low, high) = (
        if low > 0. { low } else { 0. },
        if high > 0. { high } else { 0. },
    );
    let bend = |t: f64| 2. * t * (1. - t * t) + 4. * TANH;
    let (a, b) = (bend(low), bend(high));
    let larger = if a > b { a } else { b };
    let inside = low < 0.577_4 && high > 0.577_3;
    let size = if inside { STEEPEST } else { larger };
    if high > 0. { size } else { 4. * TANH }
}

/// NaN where a number of `x` is not finite, so that nothing is concluded from it; 0 elsewhere.
#[inline(always)]
fn undefined(x: Range) -> f64 {
    0. * (x.middle + x.slope + x.radius)
}

/// tanh x up to [`TANH`], without a branch: (1 − E)/(1 + E), E = exp(−2 |x|).
#[inline(always)]
fn tanh(x: f64) -> f64 {
    // tanh 20 is 1 up to 1e-17.
    let twice = 2. * x.abs();
    let power = exp(if twice > 40. { -40. } else { -twice });
    ((1. - power) / (1. + power)).copysign(x)
}

/// 1/k of the terms of eˣ, from the last on. A list: around a loop over a range the compiler makes no vectors.
const RECIPROCALS: [f64; 13] = {
    let mut all = [0.; 13];
    let mut at = 0;
    while at < 13 {
        all[at] = 1. / (13 - at) as f64;
        at += 1;
    }
    all
};

/// eˣ of −40 ≤ x ≤ 0.
#[inline(always)]
fn exp(x: f64) -> f64 {
    // 1.5·2⁵² moves the rounded quotient n into the last bits.
    const SHIFT: f64 = 6_755_399_441_055_744.;
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    // ln 2 in two parts, the first with few bits, so that n times it is exact.
    let r = x - n * 6.931_471_803_691_238e-1 - n * 1.908_214_929_270_587_7e-10;
    let mut sum = 1.;
    for reciprocal in RECIPROCALS {
        sum = 1. + sum * r * reciprocal;
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    sum * power
}

#[cfg(test)]
mod tests {
    use super::*;

    type Function = fn(f64) -> f64;

    #[test]
    fn tanh_keeps_its_error() {
        let mut worst = 0f64;
        for i in -2_500_000..=2_500_000 {
            let x = f64::from(i) * 1e-5;
            worst = worst.max((tanh(x) - x.tanh()).abs());
        }
        for exponent in 0..300 {
            let x = 0.9f64.powi(exponent);
            worst = worst.max((tanh(x) - x.tanh()).abs());
        }
        assert!(worst < TANH / 4., "{worst}");
        assert!(tanh(f64::NAN).is_nan());
        assert_eq!(tanh(f64::INFINITY), 1.);
    }

    /// On intervals of every width and place: values at dense points; where a narrow interval is far
    /// enough from 0, the band is little wider than they need.
    #[test]
    fn lines_hold_the_activations() {
        let arithmetic = Arithmetic {
            unit: 0.,
            tiny: 0.,
            safe: f64::MAX,
        };
        for middle in [-30., -3., -1., -0.3, 0., 1e-9, 0.01, 0.66, 2., 9., 700.] {
            for width in [0., 1e-12, 1e-7, 1e-3, 0.1, 0.5, 2., 8., 60.] {
                for radius in [0., 1e-9, 0.2] {
                    let slope = width / 2.;
                    let x = Range {
                        middle,
                        slope,
                        radius,
                    };
                    let lines: [(Line, Function); 2] = [
                        (relu(x, 0.), |x| x.max(0.)),
                        (tanh_line(x, 0., arithmetic), f64::tanh),
                    ];
                    for (line, of) in lines {
                        let (mut most, mut least) = (f64::MIN, f64::MAX);
                        for i in -200..=200 {
                            let x = middle + (slope + radius) * f64::from(i) / 200.;
                            let apart = of(x) - (line.slope * x + line.offset);
                            (most, least) = (most.max(apart), least.min(apart));
                        }
                        let room = line.error + 1e-13 * (1. + middle.abs());
                        assert!(most <= room && least >= -room, "{x:?}: {least} to {most}");
                        assert!(line.slope >= 0. && line.slope <= 1. + 1e-9);
                        if slope + radius < f64::min(0.3, middle.abs() / 2.) {
                            let enough = (most - least) * 1.1 + 1e-12 * (1. + middle.abs());
                            assert!(line.error <= enough, "{x:?}: {line:?}, {most} {least}");
                        }
                    }
                }
            }
        }
        let lost = Range {
            middle: f64::INFINITY,
            slope: 0.,
            radius: 0.,
        };
        assert!(relu(lost, 0.).error.is_nan() && tanh_line(lost, 0., arithmetic).error.is_nan());
    }
}
