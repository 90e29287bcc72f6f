//! Where the answer changes along a segment.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::pairs::links_of;
use super::params::check_samples;
use super::sampler::{Sample, Sampler, TOGETHER};
use crate::error::Result;
use crate::models::{Network, Representation};
use crate::progress::Bar;
use crate::statistics::argmax;

/// The answers along a segment between two points, from [`crossings`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossings {
    /// The two points, in the order of the pair.
    pub ends: [usize; 2],
    /// The Euclidean distance of the points.
    pub length: f64,
    /// The answers from the first end to the second, each once until it changes; at least one.
    pub answers: Vec<u32>,
    /// Where the answer changes, one fewer than the answers: the share of the segment, in (0, 1),
    /// in the middle between the last sample with one answer and the first with the next.
    pub at: Vec<f64>,
}

impl Crossings {
    /// The number of changes.
    pub fn count(&self) -> usize {
        self.at.len()
    }
}

/// Where the network's answer changes along the straight segments between given pairs, of one class
/// or of two.
///
/// ```text
/// argmax_c logit_c((1 − t) z_i + t z_j),   t = 0, 1/s, …, 1
/// ```
///
/// A segment between points of two classes that meet once has one change. All samples are asked,
/// (s + 1) a pair.
///
/// - **Shapes**: `points` (N, …) in the space of `representation`; `pairs` of numbers below N; a
///   result for each pair.
/// - **Range**: any finite numbers; s = `samples` at least 2, the parts of a segment; up to s
///   changes.
/// - **Source**: ours, after *connectivity*, section 3, "linear interpolation".
///
/// ```
/// use isopath::paths::regions::crossings;
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 3], Activation::Tanh, vb))?;
/// let points = Rng::new(0).normal((50, 2), 0., 3., DType::F32, &Device::Cpu)?;
/// let pairs: Vec<[usize; 2]> = (1..50).map(|other| [0, other]).collect();
/// let found = crossings(&network, Representation::Input, &points, &pairs, 100)?;
/// // The classes of a linear map are convex: no line comes back to one.
/// assert!(found.iter().all(|line| line.count() < 3));
/// assert!(found.iter().any(|line| line.count() == 1));
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// No pairs, a number of no point, or what [`regions`](super::regions()) refuses, but that points
/// may have any answer.
pub fn crossings(
    network: &dyn Network,
    representation: Representation,
    points: &Tensor,
    pairs: &[[usize; 2]],
    samples: usize,
) -> Result<Vec<Crossings>> {
    check_samples(samples)?;
    let sampler = Sampler::new(network, representation, points, samples)?;
    let links = links_of(&sampler, pairs)?;
    let of_pair = |ends: &[usize; 2]| {
        let ends = *ends;
        (0..=samples).map(move |place| Sample { ends, place })
    };
    let bar = Bar::slow("segments").of(pairs.len(), "segments");
    let mut found = Vec::with_capacity(pairs.len());
    for (pairs, links) in pairs.chunks(TOGETHER).zip(links.chunks(TOGETHER)) {
        let all: Vec<Sample> = pairs.iter().flat_map(of_pair).collect();
        let answers = sampler.read(&all, |_, logits| Ok(argmax(logits) as u32))?;
        let along = answers.chunks(samples + 1);
        for ((ends, link), answers) in pairs.iter().zip(links).zip(along) {
            found.push(changes(*ends, link.length, answers));
        }
        bar.add(pairs.len() as f64);
    }
    Ok(found)
}

/// Where the answers at equally distant samples change.
fn changes(ends: [usize; 2], length: f64, answers: &[u32]) -> Crossings {
    let mut found = Crossings {
        ends,
        length,
        answers: answers.first().copied().into_iter().collect(),
        at: Vec::new(),
    };
    let parts = answers.len().saturating_sub(1) as f64;
    for (place, two) in answers.windows(2).enumerate() {
        if let [before, after] = two
            && before != after
        {
            found.answers.push(*after);
            found.at.push((place as f64 + 0.5) / parts);
        }
    }
    found
}
