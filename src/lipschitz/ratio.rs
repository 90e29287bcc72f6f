//! The largest ratio of distances after and before a map.

use candle_core::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::host_rows;
use crate::checks;
use crate::datasets::Dataset;
use crate::distances::slices::euclidean;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::Bar;

/// The pairs of points whose ratios are measured.
///
/// ```text
/// All: i < j;  Within: i < j and t_i = t_j;  Between: i < j and t_i ≠ t_j
/// ```
///
/// - **Shapes**: labels t (N,) of u32.
/// - **Range**: up to N·(N − 1)/2 pairs.
/// - **Source**: ours; `Within` are the pairs of a local isometry, *isometry*, definition 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// All pairs.
    All,
    /// Pairs inside a class: both points have the same label.
    Within,
    /// Pairs across two classes: the points have different labels.
    Between,
}

/// How much a map F stretches and shrinks the distances between given points: what [`ratio`] gives.
///
/// ```text
/// r_ij = d(F(x_i), F(x_j)) / d(x_i, x_j)
/// ```
///
/// - **Shapes**: numbers.
/// - **Range**: ratios are ≥ 0; all are 1 for an isometry.
/// - **Source**: *isometry*, definition 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The largest ratio: a lower bound of F's Lipschitz constant.
    pub largest: f64,
    /// The rows of the pair with the largest ratio; the first such pair if there are several.
    pub pair: (usize, usize),
    /// The smallest ratio.
    pub smallest: f64,
    /// The mean ratio over the pairs.
    pub mean: f64,
    /// The number of pairs that have a ratio.
    pub pairs: usize,
    /// The number of pairs of equal points, which have no ratio and are left out.
    pub duplicates: usize,
}

/// The ratios of one point to all later ones, summed up.
struct Part {
    largest: (f64, usize, usize),
    smallest: f64,
    sum: f64,
    pairs: usize,
    duplicates: usize,
}

/// The largest, the smallest and the mean ratio of distances after and before a map F.
///
/// ```text
/// r_ij = d(F(x_i), F(x_j)) / d(x_i, x_j),  i < j
/// ```
///
/// x are the data's inputs, `phi` their representations F(x), each flattened to a vector; the
/// data's labels matter only where `pairs` asks for them. The distances are Euclidean, in f64; the
/// time grows with N². Equal points have no ratio: they are left out and counted.
///
/// - **Shapes**: inputs (N, …) with N ≥ 2, labels (N,) of u32, `phi` (N, …); numbers come back.
/// - **Range**: ≥ 0; all ratios are 1 for an isometry.
/// - **Source**: *isometry*, definition 3: the largest ratio is the least K of these pairs.
///
/// # Errors
/// Fewer than two points; numbers that are not finite; not as many representations or labels as
/// points; labels that are not u32; no pair, such as between the points of one class; equal points
/// whose representations differ, which no map does.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let x = Tensor::new(&[[0f32, 0.], [3., 4.], [0., 1.]], &device)?;
/// let data = Dataset::new(x.clone(), Tensor::new(&[0u32, 0, 1], &device)?)?;
/// let ratio = lipschitz::ratio(&data, &(x * 2.)?, lipschitz::Pairs::All)?;
/// assert_eq!((ratio.largest, ratio.smallest, ratio.pairs), (2., 2., 3));
/// # Ok::<(), isopath::Error>(())
/// ```
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
                euclidean(&points[i], &points[j]),
                euclidean(&images[i], &images[j]),
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
