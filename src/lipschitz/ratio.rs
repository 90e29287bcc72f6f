//! The largest ratio of distances after and before a map.

use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;

use super::{distance, host_rows};
use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::Bar;

/// Which pairs of points are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// All.
    All,
    /// Those whose points share a label.
    Within,
    /// Those whose points have different labels.
    Between,
}

/// d(F(x), F(y)) / d(x, y) over pairs of points, Euclidean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The largest: a lower bound of F's Lipschitz constant.
    pub largest: f64,
    /// The pair that has it, by rows; the first of equals.
    pub pair: (usize, usize),
    /// The smallest; the largest is 1 and the smallest is 1 for an isometry.
    pub smallest: f64,
    /// The mean over the pairs.
    pub mean: f64,
    /// How many pairs there are.
    pub pairs: usize,
    /// Pairs of equal points, which have no ratio and are left out.
    pub duplicates: usize,
}

/// What one row adds.
struct Part {
    largest: (f64, usize, usize),
    smallest: f64,
    sum: f64,
    pairs: usize,
    duplicates: usize,
}

/// The largest, smallest and mean d(F(x_i), F(x_j)) / d(x_i, x_j) over pairs i < j.
///
/// The data's inputs x (N, …) are points; `phi`: (N, …) the representations F(x); each flattened to a vector. The
/// distances are Euclidean, in f64; the time grows with N². Equal points are left out and counted.
///
/// # Errors
/// Fewer than two points; numbers that are not finite; not as many representations or labels as
/// points; no pair, such as between the points of one class; equal points whose representations
/// differ, which no map does.
///
/// *isometry* paper, definition 3.
pub fn ratio(data: &Dataset, phi: &Tensor, pairs: Pairs) -> Result<Ratio> {
    let points = host_rows("inputs", &data.inputs, 2)?;
    let n = points.len();
    if phi.dims().first() != Some(&n) {
        let expected = format!("({n}, …), a row for each input");
        return Err(Error::shape("ratio", "phi", expected, phi.dims()));
    }
    let images = host_rows("phi", phi, 2)?;
    let labels = checks::labels("ratio", &data.labels, n, None)?;
    let wanted = |i: usize, j: usize| match pairs {
        Pairs::All => true,
        Pairs::Within => labels[i] == labels[j],
        Pairs::Between => labels[i] != labels[j],
    };
    let bar = Bar::slow("ratios of distances").of(n, "points");
    let part = |i: usize| -> Result<Part> {
        interrupt::check()?;
        bar.add(1.);
        let mut part = Part {
            largest: (0., i, i),
            smallest: f64::INFINITY,
            sum: 0.,
            pairs: 0,
            duplicates: 0,
        };
        for j in (i + 1..n).filter(|&j| wanted(i, j)) {
            let (before, after) = (
                distance(&points[i], &points[j]),
                distance(&images[i], &images[j]),
            );
            if before == 0. {
                if after > 0. {
                    let expected = format!("equal for the equal points {i} and {j}");
                    return Err(Error::argument("phi", expected, format!("{after} apart")));
                }
                part.duplicates += 1;
                continue;
            }
            let ratio = after / before;
            if part.pairs == 0 || ratio > part.largest.0 {
                part.largest = (ratio, i, j);
            }
            part.smallest = part.smallest.min(ratio);
            part.sum += ratio;
            part.pairs += 1;
        }
        Ok(part)
    };
    // Added up in the order of the rows, so that the number of threads changes nothing.
    let parts = (0..n)
        .into_par_iter()
        .map(part)
        .collect::<Vec<Result<Part>>>();
    let mut whole = Part {
        largest: (0., 0, 0),
        smallest: f64::INFINITY,
        sum: 0.,
        pairs: 0,
        duplicates: 0,
    };
    for part in parts {
        let part = part?;
        if part.pairs > 0 && (whole.pairs == 0 || part.largest.0 > whole.largest.0) {
            whole.largest = part.largest;
        }
        whole.smallest = whole.smallest.min(part.smallest);
        whole.sum += part.sum;
        whole.pairs += part.pairs;
        whole.duplicates += part.duplicates;
    }
    if whole.pairs == 0 {
        let expected = match pairs {
            Pairs::All => "at least one of different points",
            Pairs::Within => "at least one of different points in one class",
            Pairs::Between => "at least one of points in two classes",
        };
        return Err(Error::argument("pairs", expected, "none"));
    }
    let (largest, i, j) = whole.largest;
    Ok(Ratio {
        largest,
        pair: (i, j),
        smallest: whole.smallest,
        mean: whole.sum / whole.pairs as f64,
        pairs: whole.pairs,
        duplicates: whole.duplicates,
    })
}
