//! From a network and points to certificates.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::activations::Range;
use super::bounds::{Bounds, Ranges};
use super::certificate::Certificate;
use super::chain::Chain;
use super::params::CertifyParams;
use super::part::Segment;
use super::search::{FirstMap, Search};
use crate::checks::finite;
use crate::device;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::{Network, evaluation};
use crate::paths::exact::{check_class, numbers};
use crate::paths::network_energy::margin;

/// Segments that are worked on together in one thread.
const GROUP: usize = 16;
/// Points that go through the first affine map together.
const POINTS: usize = 128;

/// Whether a network keeps a class on a whole straight segment, as a proof: rounding included.
///
/// ```text
/// for all t ∈ [0, 1] and every way to compute f:   f_y(x) > max over c ≠ y of f_c(x)
/// |x_i − z_i(t)| ≤ γ₄ ((1 − t) |z₁,i| + t |z₂,i|),   z(t) = (1 − t) z₁ + t z₂
/// ```
///
/// [The module](super) says which computations of f are meant, and how they are bounded. The segment is
/// halved until each part is proved, or a point outside the class is found: one at which the network,
/// on this machine, computes a margin that is not positive.
///
/// - **Shapes**: `start` z₁ and `end` z₂ (1, …) of the parameters' representation.
/// - **Range**: finite numbers of the type of the network's weights, f32 or f64.
/// - **Source**: the lines through activations after Zhang and others 2018 (arXiv 1811.00866) and Singh
///   and others 2019 (POPL, DeepPoly); as functions of the one variable t, with the rounding of the
///   network, ours.
///
/// ```
/// use isopath::paths::{CertifyParams, certify};
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 16, 16, 3], Activation::Tanh, vb))?;
/// let start = Tensor::new(&[[-1f32, 0.5]], &Device::Cpu)?;
/// let end = Tensor::new(&[[-0.9f32, 0.6]], &Device::Cpu)?;
/// let class = predictions(&network, &start)?.to_vec1::<u32>()?[0];
/// let found = certify(&network, class, &start, &end, &CertifyParams::default())?;
/// assert!(found.is_proved() && found.bound > 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`CertifyParams::validate`] refuses; a network that is not made of affine maps with tanh or
/// ReLU between them, or whose layers are not what it computes; weights or points that are not finite
/// numbers of one type, f32 or f64; ends of other shapes; a class that the network does not have.
pub fn certify(
    network: &dyn Network,
    class: u32,
    start: &Tensor,
    end: &Tensor,
    params: &CertifyParams,
) -> Result<Certificate> {
    check_ends("certify", start, end)?;
    let points = Tensor::cat(&[start, end], 0)?;
    let mut found = certify_segments(network, &points, &[[0, 1]], &[class], params)?;
    let none = || Error::argument("segments", "one", "none");
    found.pop().ok_or_else(none)
}

/// [`certify`] for many segments between given points, in parallel.
///
/// ```text
/// certify(network, y_k, z_i, z_j) for each pair k = (i, j)
/// ```
///
/// What the first layer makes of a point is computed once for all segments of the point. For a network
/// 784-100-100-100-100-10 a segment takes less than a millisecond on two cores.
///
/// - **Shapes**: `points` (N, …) of the parameters' representation; `pairs` of numbers below N; `classes`
///   one for each pair; a certificate for each pair.
/// - **Range**: as [`certify`].
/// - **Source**: as [`certify`].
///
/// # Errors
/// As [`certify`]; no pairs, not as many classes, or a pair with a number of no point.
pub fn certify_segments(
    network: &dyn Network,
    points: &Tensor,
    pairs: &[[usize; 2]],
    classes: &[u32],
    params: &CertifyParams,
) -> Result<Vec<Certificate>> {
    params.validate()?;
    let index = params.representation.index(network.stages())?;
    let network = evaluation(network)?;
    let chain = Chain::new(network.as_ref(), index)?;
    let (used, segments) = segments(points, pairs, classes, chain.classes())?;
    if points.dtype() != chain.dtype {
        let expected = format!("{}, that of the weights", chain.dtype.as_str());
        let got = points.dtype().as_str();
        return Err(Error::argument("dtype of points", expected, got));
    }
    let points = device::rows(&points.detach(), &used)?;
    finite("points", "numbers", &points)?;
    let task = Task {
        points,
        network,
        index,
    };
    let first = task.first_map(&chain)?;
    let search = Search {
        chain: &chain,
        first: &first,
        params,
        margin: |segment: &Segment, t| task.margin(segment, t),
    };
    let bar = params.progress.slow_bar("certificates");
    let bar = bar.of(segments.len(), "segments");
    let groups: Vec<Result<Vec<Certificate>>> = segments
        .par_chunks(GROUP)
        .map(|segments| {
            let found = search.run(segments)?;
            bar.add(segments.len() as f64);
            Ok(found)
        })
        .collect();
    let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(groups.into_iter().flatten().collect())
}

/// # Errors
/// Not two points (1, …) of one shape.
pub(super) fn check_ends(operation: &'static str, start: &Tensor, end: &Tensor) -> Result<()> {
    if start.rank() < 2 || start.dims().first() != Some(&1) || start.elem_count() == 0 {
        let expected = "(1, …), one point (unsqueeze(0) adds the 1)";
        return Err(Error::shape(operation, "start", expected, start.dims()));
    }
    if start.dims() != end.dims() {
        let expected = format!("{:?}, that of start", start.dims());
        return Err(Error::shape(operation, "end", expected, end.dims()));
    }
    if start.dtype() != end.dtype() {
        let expected = format!("{}, that of start", start.dtype().as_str());
        return Err(Error::argument(
            "dtype of end",
            expected,
            end.dtype().as_str(),
        ));
    }
    Ok(())
}

/// The numbers of the points that are ends of pairs, ascending, and the segments between these.
///
/// # Errors
/// No pairs or not as many classes, a number of no point, or a class that the network does not have.
fn segments(
    points: &Tensor,
    pairs: &[[usize; 2]],
    classes: &[u32],
    all: usize,
) -> Result<(Vec<u32>, Vec<Segment>)> {
    if points.rank() < 2 || points.elem_count() == 0 {
        let expected = "(N, …), N at least 1 and no dimension 0";
        return Err(Error::shape("certify", "points", expected, points.dims()));
    }
    if pairs.is_empty() || pairs.len() != classes.len() {
        let got = format!("{} and {}", pairs.len(), classes.len());
        let expected = "as many of both, at least one";
        return Err(Error::argument(
            "number of pairs and of classes",
            expected,
            got,
        ));
    }
    let n = points.dims()[0];
    if let Some(point) = pairs.iter().flatten().find(|point| **point >= n) {
        let expected = format!("below {n}, the number of points");
        return Err(Error::argument("point of a pair", expected, point));
    }
    if all < 2 {
        return Err(Error::argument("number of classes", "at least 2", all));
    }
    let mut used: Vec<usize> = pairs.concat();
    used.sort_unstable();
    used.dedup();
    let segment = |(ends, class): (&[usize; 2], &u32)| {
        check_class(*class, all)?;
        Ok(Segment {
            ends: ends.map(|end| used.partition_point(|point| *point < end)),
            class: *class as usize,
        })
    };
    let segments = pairs
        .iter()
        .zip(classes)
        .map(segment)
        .collect::<Result<_>>()?;
    Ok((used.iter().map(|point| *point as u32).collect(), segments))
}

/// Points and the network that they are given to.
struct Task {
    points: Tensor,
    network: Arc<dyn Network>,
    index: usize,
}

impl Task {
    /// The first affine map of all points, once each is found to have the logits that the bounds allow.
    fn first_map(&self, chain: &Chain) -> Result<FirstMap> {
        let n = self.points.dims()[0];
        let starts: Vec<usize> = (0..n).step_by(POINTS).collect();
        let parts: Vec<Result<[Vec<f64>; 2]>> = starts
            .into_par_iter()
            .map(|start| {
                interrupt::check()?;
                let count = POINTS.min(n - start);
                let points = self.points.narrow(0, start, count)?.contiguous()?;
                let [values, sizes] = chain.points(&numbers(&points)?, count)?;
                let map = &chain.affine[0];
                let (images, sizes) = (map.map(&values)?, map.map_sizes(&sizes)?);
                let logits = self.network.forward_from(self.index, &points)?;
                agree(chain, &images, &sizes, &logits)?;
                Ok([images, sizes])
            })
            .collect();
        let mut first = FirstMap {
            images: Vec::with_capacity(n * chain.affine[0].outputs),
            sizes: Vec::with_capacity(n * chain.affine[0].outputs),
        };
        for part in parts {
            let [images, sizes] = part?;
            first.images.extend(images);
            first.sizes.extend(sizes);
        }
        Ok(first)
    }

    /// The margin that the network computes at a point of a segment, rounded to its type.
    fn margin(&self, segment: &Segment, t: f64) -> Result<f64> {
        let end = |at: usize| -> Result<Tensor> {
            let point = self.points.narrow(0, segment.ends[at], 1)?;
            Ok(point.to_dtype(DType::F64)?)
        };
        let point = ((end(0)? * (1. - t))? + (end(1)? * t)?)?;
        let point = point.to_dtype(self.points.dtype())?;
        let logits = numbers(&self.network.forward_from(self.index, &point)?)?;
        Ok(margin(&logits, segment.class))
    }
}

/// # Errors
/// Logits of the network that are not within the bounds of points.
fn agree(chain: &Chain, images: &[f64], sizes: &[f64], logits: &Tensor) -> Result<()> {
    let map = &chain.affine[0];
    let mut first = Ranges::with_capacity(images.len());
    for (at, (image, size)) in images.iter().zip(sizes).enumerate() {
        let unit = at % map.outputs;
        first.push(Range {
            middle: image + map.bias[unit],
            slope: 0.,
            radius: map.rounding(unit, *size, chain.own),
        });
    }
    let (bounds, classes) = (Bounds::new(chain, first)?, chain.classes());
    let rows = images.len() / map.outputs;
    if logits.dims() != [rows, classes] {
        let expected = format!("({rows}, {classes}), as its layers give");
        return Err(Error::shape("certify", "logits", expected, logits.dims()));
    }
    for (at, logit) in numbers(logits)?.into_iter().enumerate() {
        if !logit.is_finite() {
            return Err(Error::argument("logit", "a finite number", logit));
        }
        let range = bounds.logit(at / classes, at % classes);
        if (logit - range.middle).abs() > range.radius {
            let expected = "what the stages compute, in evaluation mode (Network::layers)";
            let got = format!(
                "others: a logit of {logit:.6} should be {:.6}",
                range.middle
            );
            return Err(Error::argument("layers", expected, got));
        }
    }
    Ok(())
}
