//! UMAP: neighbours in many dimensions as neighbours in the plane.

use candle_core::Tensor;
use ndarray::Array2;

use super::neighbors::{check_size, neighbors_shown, points};
use super::{components, curve, graph, layout};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::rng::Rng;

/// The parameters of UMAP. The defaults are the *isometry* paper's (figures 2 and 4).
#[derive(Clone, Debug, PartialEq)]
pub struct UmapParams {
    /// The number of neighbours of each point, itself included, as in umap-learn; at least 2 and
    /// below the number of points; 40 by default. Few neighbours show fine structure, many the
    /// overall one.
    pub n_neighbors: usize,
    /// The smallest distance of neighbours in the plane, in [0, 1]; 0.25 by default.
    pub min_dist: f64,
    /// The number of optimisation epochs, at least 1; 500 by default, umap-learn's choice up to
    /// 10,000 points.
    pub epochs: usize,
    /// The seed of the initial layout's noise and of the negative samples; 0 by default.
    pub seed: u64,
    /// Whether a progress bar shows the progress of the neighbour search and of the layout, if one
    /// of them takes more than a second; shown by default.
    pub progress: Progress,
}

impl Default for UmapParams {
    fn default() -> Self {
        Self {
            n_neighbors: 40,
            min_dist: 0.25,
            epochs: 500,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl UmapParams {
    /// Checks each field.
    ///
    /// # Errors
    /// `n_neighbors` below 2, `min_dist` outside [0, 1] or NaN, or no epoch.
    pub fn validate(&self) -> Result<()> {
        if self.n_neighbors < 2 {
            return Err(Error::argument(
                "n_neighbors",
                "at least 2",
                self.n_neighbors,
            ));
        }
        if !(0. ..=1.).contains(&self.min_dist) {
            return Err(Error::argument("min_dist", "in [0, 1]", self.min_dist));
        }
        if self.epochs == 0 {
            return Err(Error::argument("epochs", "at least 1", self.epochs));
        }
        Ok(())
    }
}

/// UMAP, a layout of points in the plane in which near points stay near.
///
/// ```text
/// v_ij = exp(−max(0, d_ij − ρ_i) / σ_i)            d_ij to the n_neighbors nearest, ρ_i the smallest > 0
/// w_ij = v_ij + v_ji − v_ij v_ji                   σ_i such that Σ_j v_ij = log₂ n_neighbors
/// q_ij = 1 / (1 + a ‖y_i − y_j‖^{2b})              a, b fitted to min_dist
/// y*   = argmin  −Σ w_ij log q_ij + (1 − w_ij) log(1 − q_ij),   by sampled gradient descent
/// ```
///
/// - **Shapes**: `x` (N, D), N above `n_neighbors`; gives (N, 2).
/// - **Range**: finite numbers; coordinates without a unit.
/// - **Source**: McInnes, Healy & Melville 2018; *isometry* paper, figures 2A and 4B.
///
/// Only who lies beside whom means something, not the distance between
/// far groups nor the size of a group. The same seed gives the same picture whatever the number of
/// threads.
///
/// As umap-learn has it, with three differences: the neighbours
/// are exact, the layout starts from the principal components (of each part that has no edge to the
/// rest) instead of a spectral one, and the points are moved by one thread. On rings and a torus
/// [`trustworthiness`](crate::metrics::trustworthiness) is within 0.001 of umap-learn's. 1,600
/// points take about two seconds; time grows with N²·D: MNIST's 60,000 images take an hour on two
/// cores, a tenth of them half a minute, and a progress bar says how far it is.
///
/// ```
/// use isopath::embedding::{UmapParams, umap};
/// use isopath::prelude::*;
///
/// let rings = datasets::entangled_rings(&RingsParams { points: 40, ..RingsParams::default() })?.dataset()?;
/// let params = UmapParams { n_neighbors: 10, epochs: 50, ..UmapParams::default() };
/// let layout = umap(&rings.inputs, &params)?;
/// assert_eq!(layout.dim(), (rings.len(), 2));
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`UmapParams::validate`] refuses; `n_neighbors` not below N; `x` no matrix, without rows or
/// columns, with a number that is not finite, or with so many points that it would take days
/// (N²·D above 10¹³) or 8 GB of memory.
pub fn umap(x: &Tensor, params: &UmapParams) -> Result<Array2<f64>> {
    params.validate()?;
    check_size(x, params.n_neighbors)?;
    let x = points(x)?;
    let n = x.dim(0)?;
    if params.n_neighbors >= n {
        let expected = format!("below {n}, the number of points");
        return Err(Error::argument("n_neighbors", expected, params.n_neighbors));
    }
    let bar = params.progress.slow_bar("UMAP, neighbours").of(n, "points");
    let neighbors = neighbors_shown(&x, params.n_neighbors - 1, &bar)?;
    bar.finish();
    let edges = graph::fuzzy_graph(&neighbors);
    let rng = Rng::new(params.seed).stream("umap");
    let mut places = components::start(&x, &edges, &mut rng.stream("start"))?;
    let curve = curve::fit(params.min_dist);
    let bar = params
        .progress
        .slow_bar("UMAP, layout")
        .of(params.epochs, "epochs");
    layout::optimise(
        &mut places,
        &edges,
        curve,
        params.epochs,
        &mut rng.stream("negative samples"),
        &bar,
    )?;
    Ok(Array2::from_shape_fn((n, 2), |(point, axis)| {
        f64::from(places[point][axis])
    }))
}
