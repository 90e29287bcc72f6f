//! How well a representation keeps the shape of a set of points: its distances and its loop.

use std::cmp::Ordering;

use candle_core::{DType, Device, Tensor};
use serde::Serialize;

use crate::device;
use crate::distances::slices::euclidean;
use crate::error::{Error, Result};
use crate::interrupt;

/// Points whose loop is looked for: the cost grows with the cube of their number.
const LANDMARKS: usize = 64;

/// The Euclidean distance of every pair of points.
///
/// ```text
/// d_ij = ‖x_i − x_j‖₂,  i < j
/// ```
///
/// - **Shapes**: `points` (N, D); the result N(N − 1)/2 numbers in the order (0, 1), (0, 2), …, as
///   SciPy's `pdist` has them.
/// - **Range**: ≥ 0, computed in f64.
/// - **Source**: the definition.
///
/// # Errors
///
/// `points` is no matrix, or holds numbers that are not finite.
pub fn pair_distances(points: &Tensor) -> Result<Vec<f64>> {
    let rows = rows(points)?;
    let mut distances = Vec::with_capacity(rows.len() * rows.len().saturating_sub(1) / 2);
    for (index, a) in rows.iter().enumerate() {
        interrupt::check()?;
        distances.extend(rows[index + 1..].iter().map(|b| euclidean(a, b)));
    }
    Ok(distances)
}

/// The Euclidean distances of all pairs of points that lie in one cell, cell by cell.
///
/// ```text
/// { ‖x_i − x_j‖₂ : i < j, g_i = g_j = k }  for each cell k
/// ```
///
/// - **Shapes**: `points` (N, D), `cells` (N,) of u32; the result a list for each of the cells 0,
///   1, …, up to the largest, each in the order of [`pair_distances`]. A cell of fewer than two
///   points has an empty list.
/// - **Range**: ≥ 0, computed in f64.
/// - **Source**: the definition; *isometry*, figure 2B, shows them for the two rings.
///
/// # Errors
///
/// As [`pair_distances`] and [`members`].
pub fn distances_within(points: &Tensor, cells: &Tensor) -> Result<Vec<Vec<f64>>> {
    members(points, cells)?
        .iter()
        .map(|index| pair_distances(&device::select(points, index, 0)?))
        .collect()
}

/// The rows that lie in each cell of a partition.
///
/// - **Shapes**: `points` (N, …), `cells` (N,) of u32; the result one tensor (n_k,) of u32 for each
///   of the cells 0, 1, …, up to the largest.
/// - **Range**: indices from 0 to N − 1, ascending.
/// - **Source**: the definition.
///
/// # Errors
///
/// Cells that are not (N,) of u32, one for each row of `points`, or not below N.
pub fn members(points: &Tensor, cells: &Tensor) -> Result<Vec<Tensor>> {
    let n = points.dims().first().copied().unwrap_or(0);
    if cells.dims() != [n] || cells.dtype() != DType::U32 {
        let expected = format!("({n},) of U32, one for each point");
        return Err(Error::shape("members", "cells", expected, cells.dims()));
    }
    let cells = cells.to_vec1::<u32>()?;
    let count = match cells.iter().max() {
        Some(&most) if most as usize >= n => {
            return Err(Error::argument(
                "cells",
                format!("below {n}, the number of points"),
                most,
            ));
        }
        most => most.map_or(0, |most| most + 1),
    };
    let of = |cell: u32| {
        (0..)
            .zip(&cells)
            .filter_map(move |(row, own)| (*own == cell).then_some(row))
    };
    let tensor = |cell| device::indices(&of(cell).collect::<Vec<_>>(), points.device());
    (0..count).map(tensor).collect()
}

/// Pearson's correlation of two lists of numbers.
///
/// ```text
/// r = Σ_i (a_i − ā)(b_i − b̄) / √(Σ_i (a_i − ā)² · Σ_i (b_i − b̄)²)
/// ```
///
/// For the distances between points and between their representations it is 1 where all are kept up
/// to a common factor.
///
/// - **Shapes**: two lists of n ≥ 2 numbers; the result a number.
/// - **Range**: in [−1, 1]; NaN where either list does not vary.
/// - **Source**: the definition.
///
/// # Errors
///
/// Lists of different lengths, or of fewer than two numbers.
pub fn correlation(a: &[f64], b: &[f64]) -> Result<f64> {
    check_pairs("correlation", a, b, 2)?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |product: fn(f64, f64) -> f64| {
        a.iter()
            .zip(b)
            .map(|(a, b)| product(a - mean_a, b - mean_b))
            .sum::<f64>()
    };
    let (squares_a, squares_b) = (sum(|a, _| a * a), sum(|_, b| b * b));
    Ok((sum(|a, b| a * b) / (squares_a * squares_b).sqrt()).clamp(-1., 1.))
}

/// Kruskal's stress: how much distances have changed, relative to the distances before.
///
/// ```text
/// S = √(Σ_k (d_k − δ_k)² / Σ_k d_k²)
/// ```
///
/// d are the distances `before` and δ those `after`. Kruskal divides by Σ δ_k²; here the divisor is
/// Σ d_k², so that a collapse counts as 1.
///
/// - **Shapes**: two lists of n ≥ 1 numbers; the result a number.
/// - **Range**: ≥ 0; 0 for an isometry, 1 where all points fall into one, |1 − s| where all
///   distances grow by the factor s.
/// - **Source**: Kruskal 1964, with the other denominator.
///
/// # Errors
///
/// Lists of different lengths, no distances, or only zeros before.
pub fn stress(before: &[f64], after: &[f64]) -> Result<f64> {
    check_pairs("stress", before, after, 1)?;
    let size = before.iter().map(|d| d * d).sum::<f64>();
    if size == 0. {
        return Err(Error::argument(
            "largest distance before",
            "a number > 0",
            0,
        ));
    }
    let difference = before
        .iter()
        .zip(after)
        .map(|(d, after)| (d - after).powi(2))
        .sum::<f64>();
    Ok((difference / size).sqrt())
}

fn check_pairs(operation: &'static str, a: &[f64], b: &[f64], least: usize) -> Result<()> {
    if a.len() < least || a.len() != b.len() {
        let expected = format!("({},) as the first list, and at least {least}", a.len());
        return Err(Error::shape(operation, "second list", expected, &[b.len()]));
    }
    Ok(())
}

/// The largest loop in a set of points: the longest bar of its first persistent homology.
///
/// ```text
/// [birth, death): the distances at which the loop is closed and not yet filled by triangles
/// ```
///
/// - **Shapes**: two numbers, birth and death.
/// - **Range**: 0 ≤ birth ≤ death, in the unit of the points; both 0 where no loop closes.
/// - **Source**: Edelsbrunner, Letscher & Zomorodian 2002, for persistence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Loop {
    /// The distance at which neighbours join to a closed loop: about the largest gap along it.
    pub birth: f64,
    /// The distance at which triangles fill it: √3 times the radius of a circle.
    pub death: f64,
}

impl Loop {
    /// How clearly the points form a loop.
    ///
    /// ```text
    /// 1 − birth / death
    /// ```
    ///
    /// - **Shapes**: a number.
    /// - **Range**: in [0, 1): near 1 for a loop without a gap, 0 where there is none.
    /// - **Source**: ours.
    pub fn prominence(&self) -> f64 {
        if self.death > 0. {
            1. - self.birth / self.death
        } else {
            0.
        }
    }

    /// Whether the points still form a loop: its death is at least twice its birth.
    ///
    /// A circle that misses more than a seventh counts as broken.
    pub fn kept(&self) -> bool {
        self.prominence() >= 0.5
    }
}

/// The loop in a set of points that persists longest, if they form one.
///
/// ```text
/// (birth, death) = the bar of H₁(Vietoris–Rips(points); ℤ/2) with the largest death − birth
/// ```
///
/// More than 64 points are thinned to 64 landmarks, each the farthest from those before, the first
/// point first. Unlike the largest gap between neighbours, it also sees a loop whose strands have
/// come together, and it needs no order of the points.
///
/// - **Shapes**: `points` (N, D), N ≥ 3.
/// - **Range**: see [`Loop`]; birth and death 0 where no loop ever closes.
/// - **Source**: Edelsbrunner, Letscher & Zomorodian 2002; the numbers are those of `ripser` with
///   `n_perm=64`.
///
/// # Errors
///
/// `points` is no matrix of at least three rows, or holds numbers that are not finite.
///
/// # Examples
///
/// ```
/// use isopath::{candle::{Device, Tensor}, metrics::most_prominent_loop};
///
/// let angles = (0..12).map(|step| f64::from(step) * std::f64::consts::TAU / 12.);
/// let circle: Vec<f64> = angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect();
/// let circle = Tensor::from_vec(circle, (12, 2), &Device::Cpu)?;
/// assert!(most_prominent_loop(&circle)?.kept());
/// assert!(!most_prominent_loop(&circle.narrow(0, 0, 8)?)?.kept());
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn most_prominent_loop(points: &Tensor) -> Result<Loop> {
    interrupt::check()?;
    let rows = rows(points)?;
    if rows.len() < 3 {
        return Err(Error::shape(
            "most_prominent_loop",
            "points",
            "(N, D) with N at least 3",
            points.dims(),
        ));
    }
    let landmarks = landmarks(&rows, LANDMARKS);
    let (edges, index) = edges(&landmarks);
    // A triangle appears with its longest edge; its boundary is the rank of each of its edges.
    let n = landmarks.len();
    let mut triangles: Vec<[usize; 3]> = Vec::with_capacity(n * (n - 1) * (n - 2) / 6);
    for c in 2..n {
        for b in 1..c {
            for a in 0..b {
                let mut boundary = [index[a * n + b], index[a * n + c], index[b * n + c]];
                boundary.sort_unstable();
                triangles.push(boundary);
            }
        }
    }
    triangles.sort_unstable_by_key(|boundary| [boundary[2], boundary[1], boundary[0]]);
    let bars = reduce(edges.len(), triangles).into_iter();
    let bars = bars.map(|(edge, longest)| Loop {
        birth: edges[edge],
        death: edges[longest],
    });
    let length = |bar: &Loop| bar.death - bar.birth;
    let longest = bars.reduce(|best, bar| {
        if length(&bar) > length(&best) {
            bar
        } else {
            best
        }
    });
    Ok(longest.unwrap_or(Loop {
        birth: 0.,
        death: 0.,
    }))
}

/// The pairs (edge that closes a loop, longest edge of the triangle that fills it), from the
/// triangles' boundaries in the order of their appearance, each ascending: the standard reduction
/// over ℤ/2 (Edelsbrunner, Letscher, Zomorodian 2002).
fn reduce(edges: usize, triangles: Vec<[usize; 3]>) -> Vec<(usize, usize)> {
    let mut reduced: Vec<Vec<usize>> = vec![Vec::new(); edges];
    let mut pairs = Vec::new();
    for boundary in triangles {
        let mut column = boundary.to_vec();
        while let Some(&youngest) = column.last() {
            if reduced[youngest].is_empty() {
                pairs.push((youngest, boundary[2]));
                reduced[youngest] = column;
                break;
            }
            column = symmetric_difference(&column, &reduced[youngest]);
        }
    }
    pairs
}

/// The numbers in one of two ascending lists and not in the other, ascending.
fn symmetric_difference(a: &[usize], b: &[usize]) -> Vec<usize> {
    let (mut i, mut j) = (0, 0);
    let mut result = Vec::with_capacity(a.len() + b.len());
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            Ordering::Less => result.push(a[i]),
            Ordering::Greater => result.push(b[j]),
            Ordering::Equal => (),
        }
        (i, j) = (i + usize::from(a[i] <= b[j]), j + usize::from(b[j] <= a[i]));
    }
    result.extend(a[i..].iter().chain(&b[j..]));
    result
}

/// The lengths of all edges in ascending order, and the rank of each edge (a, b), a < b, at a·n +
/// b.
fn edges(points: &[&[f64]]) -> (Vec<f64>, Vec<usize>) {
    let n = points.len();
    let mut edges: Vec<(f64, usize)> = (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .map(|(a, b)| (euclidean(points[a], points[b]), a * n + b))
        .collect();
    edges.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut index = vec![0; n * n];
    for (rank, (_, edge)) in edges.iter().enumerate() {
        index[*edge] = rank;
    }
    (edges.into_iter().map(|(length, _)| length).collect(), index)
}

/// Each the farthest from those before, the first of equals.
fn landmarks(points: &[Vec<f64>], count: usize) -> Vec<&[f64]> {
    let mut chosen: Vec<&[f64]> = Vec::with_capacity(count);
    let mut nearest = vec![f64::INFINITY; points.len()];
    let mut next = 0;
    while chosen.len() < count.min(points.len()) {
        chosen.push(&points[next]);
        for (nearest, point) in nearest.iter_mut().zip(points) {
            *nearest = nearest.min(euclidean(&points[next], point));
        }
        let farthest = (0..points.len()).reduce(|best, point| {
            match nearest[point].total_cmp(&nearest[best]) {
                Ordering::Greater => point,
                _ => best,
            }
        });
        next = farthest.unwrap_or(0);
    }
    chosen
}

fn rows(points: &Tensor) -> Result<Vec<Vec<f64>>> {
    if points.rank() != 2 {
        return Err(Error::shape("distances", "points", "(N, D)", points.dims()));
    }
    let rows = points
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .to_vec2::<f64>()?;
    match rows.iter().flatten().find(|value| !value.is_finite()) {
        Some(value) => Err(Error::argument("coordinate", "a finite number", value)),
        None => Ok(rows),
    }
}
