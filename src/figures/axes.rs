//! The range, the scale and the ticks of an axis, as one of plotters' coordinates.
//!
//! The ticks are our own: plotters' linear ones are compared with a fixed epsilon, so that a range
//! below 1e-16 has a single one, and are written with five decimals at most, so that they may read
//! the same; its logarithmic ones are powers of ten, so that less than a decade may have none.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::text::{TICK, largest, text_width};
use crate::error::{Error, Result};

/// The scale of an axis: how numbers are spread along it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AxisScale {
    /// Equal steps of the number are equally long.
    #[default]
    Linear,
    /// Equal factors of the number are equally long; every number must be positive.
    Log,
}

impl AxisScale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Log => 10f64.powf(place),
        }
    }

    /// Whether an edge of a spread has no place on a logarithmic axis, where it is cut.
    pub fn cuts(self, edge: f64) -> bool {
        self == Self::Log && (f64::MIN..=0.).contains(&edge)
    }

    /// How far the axis must reach for the edge of a spread around `mean`: to the edge, unless it
    /// is ≤ 0 on a logarithmic axis, where the spread is cut a decade below the mean.
    pub fn reach(self, mean: f64, edge: f64) -> f64 {
        if self.cuts(edge) { mean / 10. } else { edge }
    }
}

/// One mark on an axis.
#[derive(Clone, Debug)]
pub struct Tick {
    pub value: f64,
    /// Empty for a mark between labelled ones.
    pub label: String,
}

/// The range and the ticks of an axis.
#[derive(Clone, Debug)]
pub struct Axis {
    scale: AxisScale,
    /// Both ends; their logarithms on a logarithmic axis.
    low: f64,
    high: f64,
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis that spans `values`, and `at_least` too.
    ///
    /// # Errors
    /// No value, one that is not finite, or one ≤ 0 on a logarithmic axis.
    pub fn spanning(
        name: &'static str,
        scale: AxisScale,
        values: impl IntoIterator<Item = f64>,
        at_least: Option<(f64, f64)>,
    ) -> Result<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut whole = at_least.is_none();
        let at_least_values = at_least.into_iter().flat_map(|(low, high)| [low, high]);
        for value in values.into_iter().chain(at_least_values) {
            if !value.is_finite() {
                return Err(Error::argument(name, "finite numbers", value));
            }
            if scale == AxisScale::Log && value <= 0. {
                let expected = "numbers > 0 on a logarithmic axis";
                return Err(Error::argument(name, expected, value));
            }
            (low, high) = (low.min(value), high.max(value));
            whole &= value.fract() == 0.;
        }
        if low > high {
            return Err(Error::argument(name, "at least one number", "empty"));
        }
        let (mut from, mut to) = (scale.place(low), scale.place(high));
        // A single value still needs an axis around it; so do values that differ in their last bits
        // alone.
        if to - from <= 1e-9 * from.abs().max(to.abs()) || to == from {
            let pad = match scale {
                AxisScale::Log => 2f64.log10(),
                AxisScale::Linear if from == 0. => 1.,
                AxisScale::Linear => 0.1 * from.abs(),
            };
            (from, to) = (from - pad, to + pad);
        }
        if !(to - from).is_finite() {
            let expected = "numbers whose difference is finite";
            return Err(Error::argument(name, expected, format!("{low} to {high}")));
        }
        if at_least.is_none() && scale == AxisScale::Linear {
            // Room for markers at the edges.
            let pad = 0.03 * (to - from);
            (from, to) = (from - pad, to + pad);
        }
        let ticks = match scale {
            // Epochs and counts have nothing between them.
            AxisScale::Linear if whole && low < high => linear_ticks(from, to, 1.),
            AxisScale::Linear => linear_ticks(from, to, 0.),
            AxisScale::Log => log_ticks(from, to),
        };
        Ok(Self {
            scale,
            low: from,
            high: to,
            ticks,
        })
    }

    /// `count` places without ticks, each one unit wide.
    pub fn places(count: usize) -> Self {
        let (low, high) = (0., count as f64);
        Self {
            scale: AxisScale::Linear,
            low,
            high,
            ticks: Vec::new(),
        }
    }

    /// Takes the labels away, so that plotters draws no more than grid lines at the ticks, of which
    /// at most about `most` stay; returns the ticks.
    pub fn unlabelled(&mut self, most: usize) -> Vec<Tick> {
        let every = self.ticks.len().div_ceil(most).max(1);
        let ticks: Vec<Tick> = self.ticks.drain(..).step_by(every).collect();
        let label = String::new();
        let bare = ticks.iter().map(|tick| Tick {
            label: label.clone(),
            value: tick.value,
        });
        self.ticks = bare.collect();
        ticks
    }

    /// The same axis from its high to its low end.
    pub fn reversed(mut self) -> Self {
        (self.low, self.high) = (self.high, self.low);
        self
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end; 0 where a logarithmic axis has no
    /// place for it.
    pub fn share(&self, value: f64) -> f64 {
        ((self.scale.place(value) - self.low) / (self.high - self.low)).max(0.)
    }

    /// The value at a share of the way from the low to the high end.
    pub fn at(&self, share: f64) -> f64 {
        self.scale.value(self.low + share * (self.high - self.low))
    }

    /// The width of the widest tick label in pixels.
    pub fn label_width(&self) -> f64 {
        largest(self.ticks.iter().map(|t| text_width(&t.label, TICK.size)))
    }

    /// Takes the labels away that would meet another on an axis of `length` pixels, or reach more
    /// than `beyond` pixels over its ends; one stays.
    pub fn thin(&mut self, length: f64, beyond: f64) {
        let labelled = (0..self.ticks.len()).filter(|at| !self.ticks[*at].label.is_empty());
        let labelled: Vec<usize> = labelled.collect();
        let mut kept = self.apart(&labelled, length, beyond);
        // Where not all fit, powers of ten alone read better than with a few numbers between them.
        let is_power = |at: &usize| {
            let place = self.ticks[*at].value.log10();
            self.scale == AxisScale::Log && (place - place.round()).abs() < 1e-9
        };
        let powers: Vec<usize> = labelled.iter().copied().filter(is_power).collect();
        if kept.len() < labelled.len() && powers.len() > 1 {
            kept = self.apart(&powers, length, beyond);
        }
        kept.extend(labelled.get(labelled.len() / 2).filter(|_| kept.is_empty()));
        for at in labelled.into_iter().filter(|at| !kept.contains(at)) {
            self.ticks[at].label.clear();
        }
    }

    /// Those of some ticks whose labels do not meet the one before.
    fn apart(&self, ticks: &[usize], length: f64, beyond: f64) -> Vec<usize> {
        let (mut kept, mut taken) = (Vec::new(), -beyond);
        for at in ticks {
            let tick = &self.ticks[*at];
            let half = text_width(&tick.label, TICK.size) / 2.;
            let [left, right] = [-half, half].map(|side| length * self.share(tick.value) + side);
            if left >= taken && right <= length + beyond {
                kept.push(*at);
                taken = right + 6.;
            }
        }
        kept
    }
}

/// A coordinate of plotters: bold key points are the labelled ticks, light ones those between.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.share(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let light = hint.weight().allow_light_points();
        let ticks = self.ticks.iter().filter(|t| t.label.is_empty() == light);
        ticks.map(|tick| tick.value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.at(0.)..self.at(1.)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|tick| tick.value == *value);
        tick.map_or_else(String::new, |tick| tick.label.clone())
    }
}

/// Up to eight round numbers, at least `apart` apart: multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, apart: f64) -> Vec<Tick> {
    let rough = ((high - low) / 7.).max(apart);
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1., 2., 5., 10.].map(|m| m * power);
    let wide = |step: &f64| *step >= 0.999 * rough;
    let step = steps.into_iter().find(wide).unwrap_or(10. * power);
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first).clamp(0., 12.) as usize;
    let values = (0..=count).map(|index| (first + index as f64) * step);
    let values: Vec<f64> = values.collect();
    let labels = labels(&values, (step.log10() + 1e-9).floor() as i32);
    let ticks = values.into_iter().zip(labels);
    ticks.map(|(value, label)| Tick { value, label }).collect()
}

/// Powers of ten with a label, 2 to 9 between without; where fewer than three powers are seen,
/// labels at 2 and 5 too; where a single label is left, at all digits, then at round numbers. `low`
/// and `high` are logarithms.
fn log_ticks(low: f64, high: f64) -> Vec<Tick> {
    let inside = |exponent: f64| (low - 1e-9..=high + 1e-9).contains(&exponent);
    let powers = low.floor() as i32..=high.ceil() as i32;
    let seen = powers.clone().filter(|p| inside(f64::from(*p))).count();
    // Wide ranges keep a label every so many powers.
    let every = (seen as i32 / 8).max(1);
    let digits = if every > 1 { 1..2 } else { 1..10 };
    let places = powers.flat_map(|power| digits.clone().map(move |digit| (digit, power)));
    let places = places.map(|(digit, power)| (f64::from(digit) * 10f64.powi(power), digit, power));
    let places: Vec<_> = places.filter(|(value, ..)| inside(value.log10())).collect();
    let labels_at = [&[1][..], &[1, 2, 5], &[1, 2, 3, 4, 5, 6, 7, 8, 9]];
    // Between two powers alone, a place is hard to read.
    for labelled in &labels_at[usize::from(seen < 3)..] {
        let ticks = places.iter().map(|(value, digit, power)| {
            let with_label = labelled.contains(digit) && power % every == 0;
            let label = with_label.then(|| labels(&[*value], *power).concat());
            let (value, label) = (*value, label.unwrap_or_default());
            Tick { value, label }
        });
        let ticks: Vec<Tick> = ticks.collect();
        if ticks.iter().filter(|tick| !tick.label.is_empty()).count() > 1 {
            return ticks;
        }
    }
    linear_ticks(10f64.powf(low), 10f64.powf(high), 0.)
}

/// Multiples of 10^`unit` with every digit down to that, so that none reads like another; very
/// large and very small ones with an exponent, where that is shorter.
fn labels(values: &[f64], unit: i32) -> Vec<String> {
    let decimals = (-unit).max(0) as usize;
    let fixed = values.iter().map(|value| format!("{value:.decimals$}"));
    let fixed: Vec<String> = fixed.collect();
    let scientific = values.iter().map(|value| {
        if *value == 0. {
            return "0".to_string();
        }
        let digits = ((value.abs().log10() + 1e-9).floor() as i32 - unit).max(0) as usize;
        format!("{value:.digits$e}")
    });
    let scientific: Vec<String> = scientific.collect();
    let longest = |labels: &[String]| labels.iter().map(String::len).max();
    let usual = unit >= -4 && values.iter().all(|value| value.abs() < 1e6);
    let short = usual || longest(&fixed) <= longest(&scientific);
    let chosen = if short { fixed } else { scientific };
    chosen.iter().map(|label| label.replace('-', "−")).collect()
}

/// The least and the largest of some numbers.
pub fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    values
        .into_iter()
        .fold(none, |(low, high), v| (low.min(v), high.max(v)))
}

/// A number in words: four significant digits, without trailing zeros.
pub fn number(value: f64) -> String {
    if value != 0. && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let decimals = if value == 0. {
        0
    } else {
        (3 - value.abs().log10().floor() as i32).max(0) as usize
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: AxisScale, values: &[f64], at_least: Option<(f64, f64)>) -> Axis {
        Axis::spanning("x", scale, values.iter().copied(), at_least).unwrap()
    }

    fn labels(axis: Axis) -> Vec<String> {
        let labels = axis.ticks.into_iter().map(|tick| tick.label);
        labels.filter(|label| !label.is_empty()).collect()
    }

    fn labels_of(low: f64, high: f64, scale: AxisScale) -> Vec<String> {
        labels(axis(scale, &[], Some((low, high))))
    }

    #[test]
    fn ticks_are_round_numbers() {
        use AxisScale::{Linear, Log};
        assert_eq!(
            labels_of(0., 1., Linear),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels_of(-30., 45., Linear), ["−20", "0", "20", "40"]);
        assert_eq!(labels_of(1., 5., Linear), ["1", "2", "3", "4", "5"]);
        // Two epochs, and two numbers that are not whole.
        assert_eq!(labels(axis(Linear, &[1., 2.], None)), ["1", "2"]);
        assert_eq!(labels(axis(Linear, &[1., 1.5], None))[1], "1.1");
        assert_eq!(
            labels_of(0., 8e-9, Linear),
            ["0", "2e−9", "4e−9", "6e−9", "8e−9"]
        );
        assert_eq!(labels_of(0., 1e8, Linear)[1], "2e7");
        assert_eq!(labels_of(0.01, 1., Log), ["0.01", "0.1", "1"]);
        assert_eq!(labels_of(1e-6, 1e-4, Log), ["1e−6", "1e−5", "0.0001"]);
        assert_eq!(labels_of(0.2, 0.9, Log), ["0.2", "0.5"]);
        assert_eq!(
            labels_of(0.03, 3., Log),
            ["0.05", "0.1", "0.2", "0.5", "1", "2"]
        );
        assert!(labels_of(1e-12, 1e12, Log).len() <= 10);
    }

    #[test]
    fn a_logarithmic_axis_of_less_than_a_decade_has_numbers() {
        let log = |values: &[f64]| labels(axis(AxisScale::Log, values, None));
        assert_eq!(log(&[0.62, 0.95]), ["0.7", "0.8", "0.9"]);
        assert_eq!(log(&[6., 7., 9.]), ["6", "7", "8", "9"]);
        assert_eq!(log(&[0.03]), ["0.02", "0.05"]);
        assert_eq!(
            log(&[0.62, 0.69]),
            [
                "0.62", "0.63", "0.64", "0.65", "0.66", "0.67", "0.68", "0.69"
            ]
        );
        assert_eq!(log(&[0.999]), ["0.5", "1"]);
        for low in (-40..40).map(|i| 10f64.powf(0.37 * f64::from(i))) {
            for factor in [1., 1. + 1e-7, 1.001, 1.1, 1.7, 3., 9., 30., 1e5, 1e20] {
                let labels = log(&[low, low * factor]);
                assert!(
                    (2..=13).contains(&labels.len()),
                    "{low} × {factor}: {labels:?}"
                );
                assert_distinct(&labels);
            }
        }
    }

    fn assert_distinct(labels: &[String]) {
        let mut distinct = labels.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), labels.len(), "{labels:?}");
    }

    #[test]
    fn no_two_ticks_read_the_same() {
        assert_eq!(
            labels(axis(AxisScale::Linear, &[12_345_000., 12_346_000.], None)),
            [
                "12345000", "12345200", "12345400", "12345600", "12345800", "12346000"
            ]
        );
        assert_eq!(
            labels(axis(AxisScale::Linear, &[1.000_000_01, 1.000_000_05], None))[..2],
            ["1.00000001", "1.00000002"]
        );
        for low in [
            -1e12,
            -3.7,
            0.,
            1e-12,
            0.3,
            1.,
            99_999.,
            12_345_678.,
            4.56e20,
        ] {
            for span in [1e-15, 4e-9, 3e-5, 0.2, 1., 7., 4e4, 1e9, 1e30] {
                let labels = labels(axis(AxisScale::Linear, &[low, low + span], None));
                assert!(labels.len() > 1, "{low} + {span}: {labels:?}");
                assert_distinct(&labels);
            }
        }
    }

    #[test]
    fn labels_that_would_meet_are_left_out() {
        let mut wide = axis(AxisScale::Linear, &[1.000_000_01, 1.000_000_05], None);
        wide.thin(150., 20.);
        let few = labels(wide);
        assert!((1..=2).contains(&few.len()), "{few:?}");
        let mut narrow = axis(AxisScale::Linear, &[1.000_000_01, 1.000_000_05], None);
        narrow.thin(30., 0.);
        assert_eq!(labels(narrow), ["1.00000003"]);
        // On a logarithmic axis, all or the powers of ten alone.
        let log = |length: f64| {
            let mut axis = axis(AxisScale::Log, &[0.011, 9.9], None);
            axis.thin(length, 20.);
            labels(axis)
        };
        assert_eq!(
            log(700.),
            ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]
        );
        assert_eq!(log(150.), ["0.1", "1"]);
    }

    #[test]
    fn every_range_has_an_axis_or_an_error() {
        for (low, high) in [
            (0., 0.),
            (3., 3.),
            (1e300, 1.1e300),
            (1., 1. + 1e-15),
            (-1e-300, 1e-300),
            (0., f64::MIN_POSITIVE),
        ] {
            let axis = axis(AxisScale::Linear, &[low, high], None);
            assert!(axis.low < axis.high && axis.ticks.len() <= 13, "{axis:?}");
            assert!(axis.share(low).is_finite());
        }
        assert!(Axis::spanning("x", AxisScale::Linear, [f64::MIN, f64::MAX], None).is_err());
        assert!(Axis::spanning("x", AxisScale::Linear, [f64::NAN], None).is_err());
        assert!(Axis::spanning("x", AxisScale::Linear, [], None).is_err());
        let error = Axis::spanning("x", AxisScale::Log, [0.], None)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "x is 0; expected numbers > 0 on a logarithmic axis");
    }

    #[test]
    fn numbers_in_words() {
        let words = [0., 1., 0.5, 0.12345, 12345.6, -0.1, 1e-9].map(number);
        assert_eq!(
            words,
            ["0", "1", "0.5", "0.1235", "12346", "-0.1", "1.000e-9"]
        );
    }
}
