//! How much a representation stretches near the decision boundary, and far from it.

use candle_core::{DType, Tensor};
use serde::Serialize;

use super::represent;
use crate::checks;
use crate::datasets::Dataset;
use crate::device;
use crate::distances::nearest::{distance, nearest};
use crate::error::{Error, Result};
use crate::models::{Network, Representation, evaluation};
use crate::progress::Bar;
use crate::statistics::{median, quantiles};

/// The ratios of distances after and before a map, of the points in one range of margins.
///
/// ```text
/// r_ij = d(F(x_i), F(x_j)) / d(x_i, x_j),   distortion = median |ln(r_ij / r̃)|,  r̃ the median of all
/// ```
///
/// - **Shapes**: numbers.
/// - **Range**: ratios ≥ 0; the distortion is ≥ 0, and 0 where F keeps all distances up to one
///   factor. NaN where there are no pairs.
/// - **Source**: ours; it tests what the *isometry* paper's authors say of networks that are
///   isometric everywhere but around decision boundaries (Scientific Reports 15, 2025, doi
///   10.1038/s41598-025-20619-0).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MarginGroup {
    /// The smallest and the largest margin of the group.
    pub margin: (f64, f64),
    /// The number of pairs.
    pub pairs: usize,
    /// The quartiles of the ratios, the median in the middle.
    pub ratio: [f64; 3],
    /// The median of |ln(r / r̃)|.
    pub distortion: f64,
}

/// The ratios of distances of neighbours after and before a map, grouped by how far the network is
/// from changing its answer.
///
/// ```text
/// r_ij = d(Φ(x_i), Φ(x_j)) / d(x_i, x_j),  x_j one of the k nearest of x_i's class
/// m_i  = f_{t_i}(x_i) − max over c ≠ t_i of f_c(x_i)
/// ```
///
/// The groups hold equally many pairs each, from the smallest margins m_i to the largest: see
/// [`by_margin`]. Margins are negative where the answer is wrong. Equal inputs have no ratio.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; one entry for each of `groups`.
/// - **Range**: as [`MarginGroup`].
/// - **Source**: ours; see [`MarginGroup`].
///
/// # Errors
/// No neighbours or groups, inputs or labels that do not fit, fewer than 2 classes, no two different
/// inputs in one class, numbers that are not finite, or a network without such a representation or
/// an evaluation mode.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let rings = datasets::entangled_rings(&RingsParams::default())?.dataset()?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb))?;
/// let groups = lipschitz::ratios_by_margin(&network, Representation::LastHidden, &rings, (5, 4))?;
/// println!("near the boundary {:.2}, far from it {:.2}", groups[0].ratio[1], groups[3].ratio[1]);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn ratios_by_margin(
    network: &dyn Network,
    representation: Representation,
    data: &Dataset,
    (neighbors, groups): (usize, usize),
) -> Result<Vec<MarginGroup>> {
    checks::at_least_one("neighbors", neighbors)?;
    checks::at_least_one("groups", groups)?;
    let network = evaluation(network)?;
    let inputs = data.inputs.detach();
    let margins = margins(&network.forward(&inputs)?.detach(), &data.labels)?;
    let labels = checks::labels("ratios_by_margin", &data.labels, margins.len(), None)?;
    let phi = represent(network.as_ref(), representation, &inputs)?.detach();
    let mut classes = labels.clone();
    classes.sort_unstable();
    classes.dedup();
    let mut ratios = Vec::new();
    for class in classes {
        let own: Vec<u32> = (0..labels.len() as u32)
            .filter(|row| labels[*row as usize] == class)
            .collect();
        let index = Tensor::new(own.as_slice(), inputs.device())?;
        let [x, z] = [&inputs, &phi].map(|points| device::select(points, &index, 0));
        let found = neighbor_ratios(&x?, &z?, neighbors)?.into_iter();
        ratios.extend(found.map(|(at, ratio)| (margins[own[at] as usize], ratio)));
    }
    match ratios.is_empty() {
        true => {
            let expected = "at least one of different inputs in one class";
            Err(Error::argument("pairs", expected, "none"))
        }
        false => by_margin(&ratios, groups),
    }
}

/// Groups ratios of distances by a margin: quantiles of equally many pairs.
///
/// ```text
/// group s: all pairs with q_s ≤ m ≤ q_{s+1},  q the quantiles of the margins
/// ```
///
/// A pair whose margin is a quantile belongs to the groups on both sides of it.
///
/// - **Shapes**: `ratios` (margin, ratio), one for each pair; one entry for each of `groups`.
/// - **Range**: ratios > 0; those that are 0 count in the quartiles and make a distortion of ∞.
/// - **Source**: ours; quantiles as [`quantiles`] takes them.
///
/// # Errors
/// No groups.
pub fn by_margin(ratios: &[(f64, f64)], groups: usize) -> Result<Vec<MarginGroup>> {
    checks::at_least_one("groups", groups)?;
    let margins: Vec<f64> = ratios.iter().map(|(margin, _)| *margin).collect();
    let logs: Vec<f64> = ratios.iter().map(|(_, ratio)| ratio.ln()).collect();
    let middle = median(&logs).unwrap_or(f64::NAN);
    let ends = quantiles(&margins, groups);
    let group = |ends: &[f64]| {
        let inside = |margin: f64| (ends[0]..=ends[1]).contains(&margin);
        let own: Vec<f64> = (0..ratios.len())
            .filter(|at| inside(margins[*at]))
            .map(|at| ratios[at].1)
            .collect();
        let apart: Vec<f64> = own
            .iter()
            .map(|ratio| (ratio.ln() - middle).abs())
            .collect();
        let quartile = |place: usize| quantiles(&own, 4).get(place).copied();
        MarginGroup {
            margin: (ends[0], ends[1]),
            pairs: own.len(),
            ratio: [quartile(1), median(&own), quartile(3)].map(|q| q.unwrap_or(f64::NAN)),
            distortion: median(&apart).unwrap_or(f64::NAN),
        }
    };
    Ok(ends.windows(2).map(group).collect())
}

/// For each point and each of its nearest neighbours among the inputs, the ratio of their distance
/// after the map to that before it, with the row of the point; equal inputs have none.
pub(crate) fn neighbor_ratios(
    inputs: &Tensor,
    phi: &Tensor,
    neighbors: usize,
) -> Result<Vec<(usize, f64)>> {
    let (inputs, phi) = (inputs.flatten_from(1)?, phi.flatten_from(1)?);
    let rows: Vec<usize> = (0..inputs.dim(0)?).collect();
    let near = nearest(&inputs, &rows, |_| neighbors, |i, j| i == j, &Bar::hidden())?;
    let mut ratios = Vec::new();
    for (at, found) in near.iter().enumerate() {
        for neighbor in found.iter().filter(|neighbor| neighbor.distance > 0.) {
            let after = distance(&phi, at, neighbor.index)?;
            ratios.push((at, after / neighbor.distance));
        }
    }
    Ok(ratios)
}

/// The logit of the true label minus the largest other one, of each row.
fn margins(logits: &Tensor, labels: &Tensor) -> Result<Vec<f64>> {
    let (n, classes) = match *logits.dims() {
        [n, classes] if n > 0 && classes > 1 => (n, classes),
        _ => {
            let (expected, got) = ("(N, classes), at least 2 classes", logits.dims());
            return Err(Error::shape("ratios_by_margin", "logits", expected, got));
        }
    };
    checks::finite("logits", "numbers", logits)?;
    let labels = checks::labels("ratios_by_margin", labels, n, Some(classes))?;
    let rows = logits.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let margin = |(row, label): (&Vec<f64>, &u32)| {
        let others = (0..classes).filter(|class| *class != *label as usize);
        let largest = others.map(|class| row[class]).fold(f64::MIN, f64::max);
        row[*label as usize] - largest
    };
    Ok(rows.iter().zip(&labels).map(margin).collect())
}
