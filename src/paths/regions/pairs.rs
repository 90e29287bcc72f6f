//! Segments between given pairs of points, however they are joined.

use candle_core::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::params::check_samples;
use super::sampler::{Link, Sample, Sampler, Tested};
use crate::distances::nearest::distance;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};
use crate::paths::network_energy::margin;
use crate::progress::Bar;
use crate::statistics::{Proportion, argmax};

/// A segment, and whether the network keeps it in the class of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its ends, its length and its smallest margin.
    pub edge: Edge,
    /// Whether every sample has the class.
    pub holds: bool,
}

/// Segments between given pairs, from [`segments`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// One for each pair, in their order.
    pub segments: Vec<Segment>,
    /// The number of points given to the network.
    pub evaluations: usize,
}

/// Some segments of similar length, from [`Segments::by_length`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LengthGroup {
    /// The length of the shortest of them.
    pub shortest: f64,
    /// The length of the longest of them.
    pub longest: f64,
    /// The share of them that hold.
    pub share: Proportion,
}

impl Segments {
    /// The share of the segments that hold.
    pub fn share(&self) -> Proportion {
        share(self.segments.iter())
    }

    /// The same by length: the segments in `groups` groups of as nearly equally many as can be,
    /// from the shortest to the longest. Groups without a segment are left out.
    pub fn by_length(&self, groups: usize) -> Vec<LengthGroup> {
        let mut sorted: Vec<&Segment> = self.segments.iter().collect();
        sorted.sort_by(|a, b| a.edge.length.total_cmp(&b.edge.length));
        let border = |group: usize| sorted.len() * group / groups.max(1);
        let of = |group: usize| {
            let own = sorted.get(border(group)..border(group + 1))?;
            Some(LengthGroup {
                shortest: own.first()?.edge.length,
                longest: own.last()?.edge.length,
                share: share(own.iter().copied()),
            })
        };
        (0..groups).filter_map(of).collect()
    }
}

fn share<'a>(segments: impl Iterator<Item = &'a Segment> + Clone) -> Proportion {
    Proportion::new(
        segments.clone().filter(|segment| segment.holds).count(),
        segments.count(),
    )
}

/// Whether the network keeps the straight segments between given pairs in the class of their ends.
///
/// ```text
/// margin_y((1 − t) z_i + t z_j) > 0   at   t = 0, 1/s, …, 1,   y = the answer at z_i and at z_j
/// ```
///
/// The segments are tested from coarse to fine, and one that has left the class is not sampled
/// further.
///
/// - **Shapes**: `points` (N, …) in the space of `representation`; `pairs` of numbers below N; a
///   segment for each pair, the smaller number first.
/// - **Range**: any finite numbers; s = `samples` at least 2, the parts of a segment.
/// - **Source**: *connectivity*, section 3, "linear interpolation".
///
/// # Errors
/// No pairs, a number of no point, a pair whose ends have different answers or whose answer is a
/// tie, or what [`regions`](super::regions()) refuses.
pub fn segments(
    network: &dyn Network,
    representation: Representation,
    points: &Tensor,
    pairs: &[[usize; 2]],
    samples: usize,
) -> Result<Segments> {
    let bar = Bar::slow("segments").of(pairs.len(), "segments");
    segments_shown(network, representation, points, pairs, (samples, &bar))
}

/// [`segments`], on a bar that counts segments.
pub(crate) fn segments_shown(
    network: &dyn Network,
    representation: Representation,
    points: &Tensor,
    pairs: &[[usize; 2]],
    (samples, bar): (usize, &Bar),
) -> Result<Segments> {
    check_samples(samples)?;
    let sampler = Sampler::new(network, representation, points, samples)?;
    let links = links_of(&sampler, pairs)?;
    let mut used: Vec<usize> = pairs.concat();
    used.sort_unstable();
    used.dedup();
    let itself = |point: &usize| Sample {
        ends: [*point; 2],
        place: 0,
    };
    let itselves: Vec<Sample> = used.iter().map(itself).collect();
    let answers = sampler.read(&itselves, |_, logits| {
        let class = argmax(logits) as u32;
        Ok((class, margin(logits, class as usize)))
    })?;
    let (mut classes, mut margins) = (vec![0; sampler.count()], vec![0.; sampler.count()]);
    for (point, (class, margin)) in used.iter().zip(answers) {
        (classes[*point], margins[*point]) = (class, margin);
    }
    check_classes(&links, &classes, &margins)?;
    let (tested, evaluations) =
        sampler.test_many((&links, &margins), |point| classes[point], bar)?;
    let segment = |tested: &Tested| Segment {
        edge: tested.edge,
        holds: tested.holds,
    };
    Ok(Segments {
        segments: tested.iter().map(segment).collect(),
        evaluations: used.len() + evaluations,
    })
}

/// The pairs with their distances.
///
/// # Errors
/// No pairs, or a number of no point.
pub(super) fn links_of(sampler: &Sampler, pairs: &[[usize; 2]]) -> Result<Vec<Link>> {
    if pairs.is_empty() {
        return Err(Error::argument("pairs", "at least one", "none"));
    }
    let n = sampler.count();
    if let Some(point) = pairs.iter().flatten().find(|point| **point >= n) {
        let expected = format!("below {n}, the number of points");
        return Err(Error::argument("point of a pair", expected, point));
    }
    let points = sampler.flat()?;
    let link = |&[one, other]: &[usize; 2]| {
        Ok(Link {
            ends: [one.min(other), one.max(other)],
            length: distance(&points, one, other)?,
        })
    };
    let links: Vec<Result<Link>> = pairs.par_iter().map(link).collect();
    links.into_iter().collect()
}

fn check_classes(links: &[Link], classes: &[u32], margins: &[f64]) -> Result<()> {
    for [i, j] in links.iter().map(|link| link.ends) {
        if classes[i] != classes[j] {
            let got = format!("{} and {} at points {i} and {j}", classes[i], classes[j]);
            let expected = "the same at both ends of a pair; for two classes there is crossings";
            return Err(Error::argument("the network's answer", expected, got));
        }
        if let Some(point) = [i, j].into_iter().find(|point| margins[*point] <= 0.) {
            let got = format!("a tie at point {point}");
            return Err(Error::argument("the network's answer", "one class", got));
        }
    }
    Ok(())
}
