//! A network's answers along straight segments between points.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::edge::{Edge, EdgeKind};
use crate::checks;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::{Along, Network, Representation, evaluation};
use crate::paths::network_energy::{BATCH_SIZE, margin};
use crate::progress::Bar;

/// Segments that are sampled together where nobody chooses.
pub(super) const TOGETHER: usize = 32;

/// Two points, the smaller number first, and their distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub ends: [usize; 2],
    pub length: f64,
}

/// A segment after its test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tested {
    pub edge: Edge,
    pub holds: bool,
}

/// A point of a segment: (1 − t) z_i + t z_j with t = place / parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub ends: [usize; 2],
    pub place: usize,
}

/// Samples segments between points of a representation.
pub(super) struct Sampler {
    pub network: Arc<dyn Network>,
    /// The number of the representation.
    pub index: usize,
    /// The points (N, …), in order in memory.
    pub points: Tensor,
    /// The network at points between.
    along: Box<dyn Along>,
    /// The number of equal parts of a segment.
    pub parts: usize,
}

impl Sampler {
    /// # Errors
    /// No such representation, no evaluation mode, or points that are not (N, …) of finite numbers.
    pub fn new(
        network: &dyn Network,
        representation: Representation,
        points: &Tensor,
        parts: usize,
    ) -> Result<Self> {
        let index = representation.index(network.stages())?;
        if points.rank() < 2 || points.elem_count() == 0 {
            let expected = "(N, …), N at least 1 and no dimension 0";
            return Err(Error::shape("regions", "points", expected, points.dims()));
        }
        if !points.dtype().is_float() {
            let got = points.dtype().as_str();
            return Err(Error::argument("dtype of points", "floating-point", got));
        }
        checks::finite("points", "numbers", points)?;
        let points = points.detach().contiguous()?;
        let network = evaluation(network)?;
        Ok(Self {
            along: network.along(index, &points)?,
            network,
            index,
            points,
            parts,
        })
    }

    /// N.
    pub fn count(&self) -> usize {
        self.points.dims().first().copied().unwrap_or(0)
    }

    /// The points (N, D).
    pub fn flat(&self) -> Result<Tensor> {
        Ok(self.points.flatten_from(1)?)
    }

    /// What `read` makes of the logits at each sample; in order. The samples go through the network
    /// in groups of a fixed size, which are made where they are needed and run in parallel.
    pub fn read<T: Send>(
        &self,
        samples: &[Sample],
        read: impl Fn(&Sample, &[f64]) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let group = |samples: &[Sample]| {
            interrupt::check()?;
            let place = |sample: &Sample| (sample.ends, sample.place as f64 / self.parts as f64);
            let places: Vec<_> = samples.iter().map(place).collect();
            let logits = self.along.logits(&places)?;
            if logits.rank() != 2 || logits.dim(0)? != samples.len() || logits.dim(1)? < 2 {
                let expected = format!("({}, classes), at least 2 classes", samples.len());
                return Err(Error::shape("regions", "logits", expected, logits.dims()));
            }
            let logits = logits.detach().to_dtype(DType::F64)?.to_vec2::<f64>()?;
            let both = samples.iter().zip(&logits);
            both.map(|(sample, logits)| {
                check_logits(logits)?;
                read(sample, logits)
            })
            .collect()
        };
        let groups: Vec<Result<Vec<T>>> = samples.par_chunks(BATCH_SIZE).map(group).collect();
        let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(groups.into_iter().flatten().collect())
    }

    /// The margin of class `class(point)` at each sample, `point` the first end of its segment.
    pub fn margins(
        &self,
        samples: &[Sample],
        class: impl Fn(usize) -> u32 + Sync,
    ) -> Result<Vec<f64>> {
        self.read(samples, |sample, logits| {
            Ok(margin(logits, class(sample.ends[0]) as usize))
        })
    }

    /// [`Sampler::test`] of many segments, some at a time.
    pub fn test_many(
        &self,
        (links, own): (&[Link], &[f64]),
        class: impl Fn(usize) -> u32 + Sync,
        bar: &Bar,
    ) -> Result<(Vec<Tested>, usize)> {
        let (mut tested, mut evaluations) = (Vec::with_capacity(links.len()), 0);
        for links in links.chunks(TOGETHER) {
            let (found, more) = self.test(links, own, &class)?;
            tested.extend(found);
            evaluations += more;
            bar.add(links.len() as f64);
        }
        Ok((tested, evaluations))
    }

    /// Tests segments, all together, from coarse to fine: first their middles, then the middles of
    /// both halves, and so on. A segment that has left the class is not sampled further, and one of
    /// length 0 is not sampled at all. `own` has the margin of every point. Gives the number of
    /// samples, too.
    pub fn test(
        &self,
        links: &[Link],
        own: &[f64],
        class: impl Fn(usize) -> u32 + Sync,
    ) -> Result<(Vec<Tested>, usize)> {
        let edges = links.iter().map(|link| untested(link, own)).collect();
        self.refine(edges, 1, class)
    }

    /// As [`Sampler::test`], of segments that `edges` knows at `known` equal parts, 1 for their ends
    /// alone: a sample that is one of these is not taken again.
    pub fn refine(
        &self,
        mut edges: Vec<Edge>,
        known: usize,
        class: impl Fn(usize) -> u32 + Sync,
    ) -> Result<(Vec<Tested>, usize)> {
        let mut evaluations = 0;
        for mut level in levels(self.parts) {
            level.retain(|place| !(place * known).is_multiple_of(self.parts));
            let open = |edge: &Edge| edge.length > 0. && edge.margin > 0.;
            let of_level = |(at, edge): (usize, &Edge)| {
                let ends = edge.ends;
                let places = level.iter();
                places.map(move |&place| (at, Sample { ends, place }))
            };
            let open = edges.iter().enumerate().filter(|(_, edge)| open(edge));
            let (at, samples): (Vec<usize>, Vec<Sample>) = open.flat_map(of_level).unzip();
            evaluations += samples.len();
            let margins = self.margins(&samples, &class)?;
            for ((at, sample), margin) in at.into_iter().zip(samples).zip(margins) {
                if margin < edges[at].margin {
                    edges[at].margin = margin;
                    edges[at].at = sample.place as f64 / self.parts as f64;
                }
            }
        }
        let tested = |edge: Edge| Tested {
            edge,
            holds: edge.margin > 0.,
        };
        Ok((edges.into_iter().map(tested).collect(), evaluations))
    }
}

/// What is known of a segment by its ends.
fn untested(link: &Link, own: &[f64]) -> Edge {
    let [start, end] = link
        .ends
        .map(|end| own.get(end).copied().unwrap_or(f64::NAN));
    Edge {
        ends: link.ends,
        length: link.length,
        margin: start.min(end),
        at: if end < start { 1. } else { 0. },
        kind: EdgeKind::Segment,
    }
}

/// The places 1 … parts − 1 from coarse to fine: the middle, the middles of what is left, and so on.
fn levels(parts: usize) -> Vec<Vec<usize>> {
    let mut levels = Vec::new();
    let mut pieces = vec![(0, parts)];
    loop {
        let middle = |(from, to): &(usize, usize)| (to - from > 1).then_some((from + to) / 2);
        let level: Vec<usize> = pieces.iter().filter_map(middle).collect();
        if level.is_empty() {
            return levels;
        }
        let halves = |(from, to): (usize, usize)| match middle(&(from, to)) {
            Some(middle) => vec![(from, middle), (middle, to)],
            None => Vec::new(),
        };
        pieces = pieces.into_iter().flat_map(halves).collect();
        levels.push(level);
    }
}

/// # Errors
/// A logit that is NaN or infinite.
fn check_logits(logits: &[f64]) -> Result<()> {
    match logits.iter().find(|logit| !logit.is_finite()) {
        None => Ok(()),
        Some(logit) => {
            let expected = "a finite number; check the points and the weights for NaN";
            Err(Error::argument("logit", expected, logit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_from_coarse_to_fine_and_each_once() {
        assert_eq!(levels(2), [vec![1]]);
        assert_eq!(levels(4), [vec![2], vec![1, 3]]);
        assert_eq!(levels(5), [vec![2], vec![1, 3], vec![4]]);
        assert!(levels(1).is_empty());
        for parts in 2..70 {
            let mut places = levels(parts).concat();
            places.sort_unstable();
            assert_eq!(places, (1..parts).collect::<Vec<_>>());
        }
    }
}
