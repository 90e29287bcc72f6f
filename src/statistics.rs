//! Statistics: means, quantiles, intervals and correlations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The mean and the standard deviation of some numbers.
///
/// ```text
/// x̄ = Σ_i x_i / n,   s = √(Σ_i (x_i − x̄)² / (n − 1))
/// ```
///
/// - **Shapes**: a list of n numbers; the result two numbers, (x̄, s).
/// - **Range**: s ≥ 0, and 0 for a single number; no numbers give (NaN, 0).
/// - **Source**: the definition.
pub fn mean_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.);
    }
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, (squares.sum::<f64>() / (n - 1.)).sqrt())
}

/// The median of some numbers: the middle one, or the mean of the two in the middle.
///
/// ```text
/// (x_(⌊(n − 1)/2⌋) + x_(⌊n/2⌋)) / 2,  x_(0) ≤ x_(1) ≤ … in ascending order
/// ```
///
/// - **Shapes**: a list of n numbers; the result a number, `None` for n = 0.
/// - **Range**: between the smallest and the largest number.
/// - **Source**: the definition.
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

/// The place of the largest number, the first of equals: a network's answer by its logits or its
/// probabilities. 0 for no numbers.
pub(crate) fn argmax(values: &[f64]) -> usize {
    let larger = |best: usize, (at, value): (usize, &f64)| {
        if *value > values[best] { at } else { best }
    };
    values.iter().enumerate().fold(0, larger)
}

/// Quantiles of some numbers at equal steps, from the smallest number to the largest.
///
/// ```text
/// q_s = x_(⌊(n − 1) s / m⌋),  s = 0, …, m
/// ```
///
/// x_(0) ≤ x_(1) ≤ … are the numbers in ascending order and m is `count`. No two are averaged:
/// NumPy's `quantile` with `method="lower"`.
///
/// - **Shapes**: a list of n numbers; the result `count` + 1 of them, none for n = 0.
/// - **Range**: ascending, from the smallest to the largest number.
/// - **Source**: the definition.
pub fn quantiles(values: &[f64], count: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = |step: usize| last * step / count.max(1);
    (0..=count)
        .filter_map(|step| values.get(place(step)).copied())
        .collect()
}

/// A proportion of cases, with Wilson's 95 % confidence interval.
///
/// ```text
/// (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n),   z = 1.96
/// ```
///
/// The interval is right at shares of 0 and 1 too, where the usual one has no width: 25 of 25 leave
/// 0.867 to 1.
///
/// - **Shapes**: numbers.
/// - **Range**: 0 ≤ low ≤ share ≤ high ≤ 1 where count ≤ of; of no cases the share is NaN and the
///   interval is from 0 to 1.
/// - **Source**: Wilson, *J. Am. Stat. Assoc.* 22, 209 (1927).
///
/// # Examples
///
/// ```
/// use isopath::statistics::Proportion;
///
/// let connected = Proportion::new(19, 25);
/// assert_eq!(connected.to_string(), "0.760 (0.566–0.885)");
/// assert_eq!(Proportion::new(25, 25).high, 1.);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Counts")]
pub struct Proportion {
    /// The number of cases that have the property.
    pub count: usize,
    /// The number of all cases.
    pub of: usize,
    /// count / of, in [0, 1]; NaN of no cases.
    pub share: f64,
    /// The lower end of the interval; 0 of no cases.
    pub low: f64,
    /// The upper end of the interval; 1 of no cases.
    pub high: f64,
}

/// What of a proportion is read again; the rest follows.
#[derive(Deserialize)]
struct Counts {
    count: usize,
    of: usize,
}

impl From<Counts> for Proportion {
    fn from(Counts { count, of }: Counts) -> Self {
        Self::new(count, of)
    }
}

impl Proportion {
    /// The share of `count` in `of` cases, `count` at most `of`.
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

/// The share and its interval: `0.760 (0.566–0.885)`.
impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            share, low, high, ..
        } = self;
        write!(f, "{share:.3} ({low:.3}–{high:.3})")
    }
}

/// The correlation φ of two yes-or-no verdicts on the same cases.
///
/// ```text
/// φ = (n₁₁ n₀₀ − n₁₀ n₀₁) / √(n₁. n₀. n.₁ n.₀)
/// ```
///
/// n₁₁ cases have yes from both verdicts, n₁₀ from the first alone, n₀₁ from the second alone and
/// n₀₀ from neither; a dot sums over both.
///
/// - **Shapes**: `table` is [[n₁₁, n₁₀], [n₀₁, n₀₀]]; the result a number.
/// - **Range**: in [−1, 1]: 1 if the verdicts always agree, 0 if they have nothing in common; NaN
///   where one of them is always the same.
/// - **Source**: Yule, *J. R. Stat. Soc.* 75, 579 (1912).
///
/// # Examples
///
/// ```
/// use isopath::statistics::phi;
///
/// assert_eq!(phi([[5, 0], [0, 5]]), 1.);
/// assert_eq!(phi([[2, 2], [2, 2]]), 0.);
/// ```
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
    fn the_first_of_equal_numbers_is_the_largest() {
        assert_eq!(argmax(&[1., 3., 3.]), 1);
        assert_eq!(argmax(&[]), 0);
    }

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
