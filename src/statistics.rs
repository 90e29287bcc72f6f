//! Statistics of a list of numbers, of a share and of two verdicts.

use std::fmt;

use serde::Serialize;

/// The mean and the standard deviation (divided by n − 1; 0 for a single value).
///
/// No value gives NaN.
pub fn mean_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.);
    }
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, (squares.sum::<f64>() / (n - 1.)).sqrt())
}

/// The middle value, the mean of both in the middle for an even number; `None` of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.),
    }
}

/// `count` + 1 of the values in ascending order, equally far apart in the list: the smallest, the
/// one after 1/`count` of the list, …, the largest. Nothing of no values.
pub fn quantiles(values: &[f64], count: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = |step: usize| last * step / count.max(1);
    (0..=count)
        .filter_map(|step| values.get(place(step)).copied())
        .collect()
}

/// A share and what is known of it: Wilson's 95 % interval,
///
/// (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n), z = 1.96.
///
/// Right at shares of 0 and 1 too, where the usual interval has no width: 25 of 25 leave 0.867 to
/// 1.
///
/// Source: Wilson, *J. Am. Stat. Assoc.* 22, 209 (1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// count / of, in [0, 1]; 0 of none is NaN.
    pub share: f64,
    /// The lower end of the interval; 0 of none.
    pub low: f64,
    /// The upper end; 1 of none.
    pub high: f64,
}

impl Proportion {
    /// The share of `count` in `of`.
    pub fn new(count: usize, of: usize) -> Self {
        const Z: f64 = 1.959_963_984_540_054;
        let (share, n) = (count as f64 / of as f64, of as f64);
        if of == 0 {
            return Self {
                count,
                of,
                share,
                low: 0.,
                high: 1.,
            };
        }
        let (centre, scale) = (share + Z * Z / (2. * n), 1. + Z * Z / n);
        let width = Z * (share * (1. - share) / n + Z * Z / (4. * n * n)).sqrt();
        // Where the interval ends at 0 or 1, rounding would leave a little.
        let low = if count == 0 {
            0.
        } else {
            (centre - width) / scale
        };
        let high = if count == of {
            1.
        } else {
            (centre + width) / scale
        };
        Self {
            count,
            of,
            share,
            low,
            high,
        }
    }
}

/// `0.760 (0.566–0.885)`: share and interval.
impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            share, low, high, ..
        } = self;
        write!(f, "{share:.3} ({low:.3}–{high:.3})")
    }
}

/// φ, the correlation of two yes-or-no verdicts on the same cases: 1 if they always agree, 0 if they
/// have nothing in common; NaN where one of them is always the same.
///
/// `table` counts the cases: [[both yes, only the first], [only the second, neither]].
///
/// Source: Yule, *J. R. Stat. Soc.* 75, 579 (1912).
pub fn phi(table: [[usize; 2]; 2]) -> f64 {
    let [[both, first], [second, neither]] = table.map(|row| row.map(|count| count as f64));
    let difference = both * neither - first * second;
    let rows = (both + first) * (second + neither);
    let columns = (both + second) * (first + neither);
    difference / (rows * columns).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_deviations() {
        let (mean, std) = mean_std(&[1., 2., 4.]);
        assert!((mean - 7. / 3.).abs() < 1e-15 && (std - (7f64 / 3.).sqrt()).abs() < 1e-15);
        assert_eq!(mean_std(&[3.]), (3., 0.));
        assert!(mean_std(&[]).0.is_nan());
    }

    #[test]
    fn the_median_of_even_and_odd_counts() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3., 1., 2.]), Some(2.));
        assert_eq!(median(&[4., 1., 2., 3.]), Some(2.5));
    }

    #[test]
    fn quantiles_begin_with_the_smallest_and_end_with_the_largest() {
        let values: Vec<f64> = (0..=40).rev().map(f64::from).collect();
        let halves = quantiles(&values, 2);
        assert_eq!(halves, [0., 20., 40.]);
        assert_eq!(quantiles(&[5.], 20), vec![5.; 21]);
        assert!(quantiles(&[], 20).is_empty());
    }
}
