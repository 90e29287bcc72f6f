//! What is known of one path, as a file keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::experiments::connectivity_cifar10::Space;
use crate::paths::ExactInfo;

/// The verdicts on one path: that of the samples, and the exact one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactRecord {
    /// The SHA-256 digest of the file of the network's weights.
    pub weights_sha256: String,
    /// The version of this crate.
    pub version: String,
    /// The command that computed it.
    pub command: String,
    /// What decides the path.
    pub settings: Asked,
    /// The place among the paths in this space, from 0: that of the pair in the experiment, or of the
    /// edge in the tree, the shortest first.
    pub number: usize,
    /// The number of the class that the path must not leave.
    pub class: u32,
    /// The name of the class.
    pub class_name: String,
    /// The space that the path runs through.
    pub space: Space,
    /// The numbers of both images, from 0 in the order of the test set.
    pub test_index: [usize; 2],
    /// What runs between the images.
    pub path: PathKind,
    /// The number of straight legs; 1 for a line, 0 without a path.
    pub legs: usize,
    /// What the samples say.
    pub sampled: Sampled,
    /// What all points say; none without a path.
    pub exact: Option<ExactVerdict>,
}

/// The settings that decide a path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "paths", rename_all = "snake_case")]
pub enum Asked {
    /// A pair of the experiment: fields of its
    /// [`Settings`](crate::experiments::connectivity_cifar10::Settings).
    Pairs {
        /// The seed by which pairs are chosen.
        seed: u64,
        /// The number of pivots of a band.
        pivots: usize,
        /// The number of samples on each segment.
        samples_per_segment: usize,
        /// The constant of the springs.
        spring_constant: f64,
        /// The step size of Adam in this space.
        step_size: f64,
        /// The largest number of iterations.
        max_iterations: usize,
    },
    /// An edge of a spanning tree: fields of [`RegionsParams`](crate::paths::RegionsParams).
    Tree {
        /// The number of parts of a segment.
        samples: usize,
        /// The number of nearest neighbours.
        neighbors: usize,
        /// The number of tests of a point.
        max_tests_per_point: usize,
    },
}

/// What runs between two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// The straight line, all of whose samples are inside.
    Line,
    /// The band; a sample of the line is outside.
    Band,
    /// No path was found.
    None,
}

/// The verdict of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Whether every sample is inside.
    pub inside: bool,
    /// The number of samples, both ends included.
    pub samples: usize,
    /// The smallest margin of a sample.
    pub smallest_margin: f64,
}

/// The exact verdict on a whole path: fields of [`ExactInfo`], over all legs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactVerdict {
    /// Whether the whole path is inside, up to floating point.
    pub inside: bool,
    /// The smallest margin.
    pub smallest_margin: f64,
    /// The place of the smallest margin.
    pub at: Place,
    /// The first breakpoint whose margin is not positive, if there is one.
    pub witness: Option<Place>,
    /// The number of linear pieces.
    pub pieces: usize,
    /// The number of changes of units for each stage of the network.
    pub crossings_by_stage: Vec<usize>,
    /// The largest residual of a leg.
    pub residual: f64,
    /// The multiplications and additions, over those of one evaluation.
    pub evaluations: f64,
    /// The time that it took.
    pub seconds: f64,
}

/// A point of a path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The share of the length of the path from its start to the point.
    pub t: f64,
    /// The leg that it lies on, from 0.
    pub leg: usize,
    /// The share of the leg from its start to the point.
    pub t_on_leg: f64,
}

impl ExactVerdict {
    /// Of the legs of a path, each with its length; none without legs.
    pub(super) fn of(legs: &[ExactInfo], lengths: &[f64]) -> Option<Self> {
        let before = |leg: usize| lengths.iter().take(leg).sum::<f64>();
        let length = before(lengths.len());
        let place = |leg: usize, t: f64| {
            let own = lengths.get(leg).copied().unwrap_or(0.);
            Place {
                // Images may be equal.
                t: if length > 0. {
                    (before(leg) + t * own) / length
                } else {
                    0.
                },
                leg,
                t_on_leg: t,
            }
        };
        let all = legs.iter().enumerate();
        let (leg, lowest) = all
            .clone()
            .min_by(|(_, a), (_, b)| a.smallest_margin.total_cmp(&b.smallest_margin))?;
        let mut crossings_by_stage = vec![0; lowest.crossings_by_stage.len()];
        for own in legs.iter().map(|leg| &leg.crossings_by_stage) {
            let both = crossings_by_stage.iter_mut().zip(own);
            both.for_each(|(sum, own)| *sum += own);
        }
        Some(Self {
            inside: legs.iter().all(|leg| leg.inside),
            smallest_margin: lowest.smallest_margin,
            at: place(leg, lowest.at),
            witness: all
                .clone()
                .find_map(|(leg, info)| info.witness.map(|t| place(leg, t))),
            pieces: legs.iter().map(|leg| leg.pieces).sum(),
            crossings_by_stage,
            residual: legs.iter().map(|leg| leg.residual).fold(0., f64::max),
            evaluations: legs.iter().map(|leg| leg.evaluations).sum(),
            seconds: legs.iter().map(|leg| leg.seconds).sum(),
        })
    }
}

impl Asked {
    /// In words, how `self` differs from `other`.
    pub(super) fn differences(&self, other: &Self) -> String {
        let [own, others] = [self, other].map(|asked| json!(asked));
        let fields = own.as_object().into_iter().flatten();
        let differing = fields.filter_map(|(name, value)| {
            let other = others.get(name).unwrap_or(&Value::Null);
            (value != other).then(|| format!("{name} {value}, not {other}"))
        });
        differing.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two legs, the second three times as long: its middle lies at 1/4 + 3/4 · 1/2 of the path.
    #[test]
    fn a_path_is_as_low_as_its_lowest_leg() {
        let leg = |smallest_margin: f64, at, witness| ExactInfo {
            inside: smallest_margin > 0.,
            smallest_margin,
            at,
            witness,
            pieces: 10,
            crossings_by_stage: vec![4, 5],
            residual: 1e-14,
            margins: Vec::new(),
            evaluations: 3.,
            seconds: 1.5,
        };
        let legs = [leg(2., 0.75, None), leg(-1., 0.5, Some(0.25))];
        let verdict = ExactVerdict::of(&legs, &[1., 3.]).unwrap();
        let place = |t, t_on_leg| Place {
            t,
            leg: 1,
            t_on_leg,
        };
        assert_eq!(
            verdict,
            ExactVerdict {
                inside: false,
                smallest_margin: -1.,
                at: place(0.625, 0.5),
                witness: Some(place(0.4375, 0.25)),
                pieces: 20,
                crossings_by_stage: vec![8, 10],
                residual: 1e-14,
                evaluations: 6.,
                seconds: 3.,
            }
        );
        let first = ExactVerdict::of(&legs[..1], &[1.]).unwrap();
        assert_eq!(
            (first.inside, first.at.t, first.witness),
            (true, 0.75, None)
        );
        // Two images that are one.
        assert_eq!(ExactVerdict::of(&legs[..1], &[0.]).unwrap().at.t, 0.);
        assert_eq!(ExactVerdict::of(&[], &[]), None);
    }
}
