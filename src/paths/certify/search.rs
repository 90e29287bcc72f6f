//! Bisection: the parts of some segments, proved one after the other.

use std::time::Instant;

use rayon::prelude::*;

use super::activations::Range;
use super::bounds::{Bounds, Margin, Ranges};
use super::certificate::{Certificate, Witness};
use super::chain::Chain;
use super::params::CertifyParams;
use super::part::{Found, Part, Segment, State, judged};
use crate::error::Result;
use crate::interrupt;

/// Parts that go through the layers together.
const TOGETHER: usize = 64;
/// 2 to the power of it parts are tried first.
const FIRST_DEPTH: u32 = 2;

/// Parts into which a segment may be cut, in search of a point outside, once it cannot be proved any
/// more.
const DOUBTFUL: usize = 256;
/// What the first affine map makes of the points, row by row, and Σ_j |W_ij x_j|.
pub(super) struct FirstMap {
    pub images: Vec<f64>,
    pub sizes: Vec<f64>,
}

/// Segments of a network.
pub(super) struct Search<'a, M> {
    pub chain: &'a Chain,
    pub first: &'a FirstMap,
    pub params: &'a CertifyParams,
    /// The margin that the network itself computes at a point of a segment.
    pub margin: M,
}

impl<M: Fn(&Segment, f64) -> Result<f64> + Sync> Search<'_, M> {
    /// A certificate for each segment.
    pub fn run(&self, segments: &[Segment]) -> Result<Vec<Certificate>> {
        let begun = Instant::now();
        let depth = FIRST_DEPTH.min(self.params.max_depth);
        let first = (1usize << depth).min(self.params.max_parts);
        // A power of two, so that no end is rounded.
        let depth = first.ilog2();
        let count = 1usize << depth;
        let parts_of = |of: usize| {
            (0..count).map(move |part| Part {
                of,
                depth,
                start: part as f64 / count as f64,
                end: (part + 1) as f64 / count as f64,
                bound: f64::NEG_INFINITY,
            })
        };
        let mut open: Vec<Part> = (0..segments.len()).flat_map(parts_of).collect();
        let begin = |segment: &Segment| State {
            bound: f64::INFINITY,
            witness: None,
            stuck: false,
            doubtful: false,
            still: self.is_still(segment),
            parts: count,
            evaluations: 0,
            seen: Vec::new(),
        };
        let mut states: Vec<State> = segments.iter().map(begin).collect();
        while !open.is_empty() {
            let found = self.look(segments, &open)?;
            let mut suspects = Vec::new();
            let mut failed = Vec::new();
            for (part, found) in open.into_iter().zip(found) {
                let state = &mut states[part.of];
                state.evaluations += 1;
                // The bounds of a whole hold for its halves.
                let bound = found.bound.max(part.bound);
                if bound > 0. {
                    state.bound = state.bound.min(bound);
                    continue;
                }
                if let Some(t) = found.suspect.filter(|t| !state.seen.contains(t)) {
                    state.seen.push(t);
                    suspects.push((part.of, t));
                }
                failed.push(Part { bound, ..part });
            }
            self.examine(segments, &suspects, &mut states)?;
            open = self.halve(failed, &mut states);
        }
        let seconds = begun.elapsed().as_secs_f64() / segments.len().max(1) as f64;
        Ok(states
            .into_iter()
            .map(|state| state.certificate(seconds))
            .collect())
    }

    /// The halves of parts that are not proved, within the limits.
    fn halve(&self, failed: Vec<Part>, states: &mut [State]) -> Vec<Part> {
        let mut open = Vec::with_capacity(2 * failed.len());
        for part in failed {
            let state = &mut states[part.of];
            let most = match state.doubtful {
                true => DOUBTFUL.min(self.params.max_parts),
                false => self.params.max_parts,
            };
            let given_up = part.depth >= self.params.max_depth
                || state.parts >= most
                || state.witness.is_some()
                || state.still;
            if given_up {
                state.stuck = true;
                state.bound = state.bound.min(part.bound);
                continue;
            }
            state.parts += 1;
            let (middle, depth) = (part.middle(), part.depth + 1);
            open.push(Part {
                depth,
                end: middle,
                ..part
            });
            open.push(Part {
                depth,
                start: middle,
                ..part
            });
        }
        open
    }

    fn is_still(&self, segment: &Segment) -> bool {
        let units = self.chain.affine[0].outputs;
        let [a, b] = segment
            .ends
            .map(|end| &self.first.images[end * units..][..units]);
        a == b
    }

    /// What the bounds say of parts, in order.
    fn look(&self, segments: &[Segment], parts: &[Part]) -> Result<Vec<Found>> {
        let groups: Vec<Result<Vec<Found>>> = parts
            .par_chunks(TOGETHER)
            .map(|parts| {
                interrupt::check()?;
                let margins = self.margins_of(segments, parts)?;
                let pairs = parts.iter().zip(&margins);
                Ok(pairs.map(|(part, margins)| judged(part, margins)).collect())
            })
            .collect();
        let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(groups.into_iter().flatten().collect())
    }

    /// The margins of parts to all other classes, in order, as well as we know them.
    fn margins_of(&self, segments: &[Segment], parts: &[Part]) -> Result<Vec<Vec<Margin>>> {
        let bounds = self.bounds(segments, parts)?;
        let mut wanted = Vec::new();
        let mut margins = Vec::with_capacity(parts.len());
        for (row, part) in parts.iter().enumerate() {
            let class = segments[part.of].class;
            self.open_margins(&bounds, row, class, &mut wanted);
            margins.push(self.margins(&bounds, row, class));
        }
        let substituted = bounds.substituted(&wanted)?;
        for ((row, class, other), margin) in wanted.into_iter().zip(substituted) {
            let old = &mut margins[row][other - usize::from(other > class)];
            // Both hold; NaN wins nothing.
            if margin.least() > old.least() {
                *old = margin;
            }
        }
        Ok(margins)
    }

    /// The margins of a part to all other classes, in order.
    fn margins(&self, bounds: &Bounds, row: usize, class: usize) -> Vec<Margin> {
        let others = (0..self.chain.classes()).filter(|other| *other != class);
        others
            .map(|other| bounds.margin(row, class, other))
            .collect()
    }

    /// Adds the margins of a part that better bounds could prove, unless another one is hopeless.
    fn open_margins(
        &self,
        bounds: &Bounds,
        row: usize,
        class: usize,
        wanted: &mut Vec<(usize, usize, usize)>,
    ) {
        let before = wanted.len();
        let others = (0..self.chain.classes()).filter(|other| *other != class);
        for other in others {
            let margin = bounds.margin(row, class, other);
            if margin.least() > 0. {
                continue;
            }
            wanted.push((row, class, other));
            let hopeless = margin.middle.abs() <= margin.slope.abs() || margin.middle <= 0.;
            if hopeless || !margin.radius.is_finite() {
                wanted.truncate(before);
                return;
            }
        }
    }

    /// The bounds of all units on some parts.
    fn bounds(&self, segments: &[Segment], parts: &[Part]) -> Result<Bounds<'_>> {
        let map = &self.chain.affine[0];
        let units = map.outputs;
        let mut first = Ranges::with_capacity(parts.len() * units);
        for part in parts {
            let [a, b] = segments[part.of].ends.map(|end| end * units);
            let (t, half) = (part.middle(), (part.end - part.start) / 2.);
            for unit in 0..units {
                let of = |values: &[f64]| [values[a + unit], values[b + unit]];
                let ([a, b], [of_a, of_b]) = (of(&self.first.images), of(&self.first.sizes));
                let size = (1. - t) * of_a + t * of_b + half * (of_b - of_a).abs();
                first.push(Range {
                    middle: (1. - t) * a + t * b + map.bias[unit],
                    slope: half * (b - a),
                    radius: map.rounding(unit, size, self.chain.own),
                });
            }
        }
        Bounds::new(self.chain, first)
    }

    /// Looks at points of segments: which are outside the class?
    fn examine(
        &self,
        segments: &[Segment],
        suspects: &[(usize, f64)],
        states: &mut [State],
    ) -> Result<()> {
        for suspects in suspects.chunks(TOGETHER) {
            interrupt::check()?;
            let point = |(of, t): &(usize, f64)| Part {
                of: *of,
                depth: 0,
                start: *t,
                end: *t,
                bound: f64::NEG_INFINITY,
            };
            let points: Vec<Part> = suspects.iter().map(point).collect();
            let margins = self.margins_of(segments, &points)?;
            for ((of, t), margins) in suspects.iter().zip(margins) {
                let (segment, state) = (&segments[*of], &mut states[*of]);
                state.evaluations += 1;
                let inside = margins.iter().all(|margin| margin.least() > 0.);
                if inside || state.witness.is_some() {
                    continue;
                }
                // The network itself has the last word.
                let margin = (self.margin)(segment, *t)?;
                state.evaluations += 1;
                if margin <= 0. {
                    let certain = margins.iter().any(|margin| margin.most() <= 0.);
                    let t = *t;
                    state.witness = Some(Witness { t, margin, certain });
                }
                // No part with this point can be proved.
                state.doubtful = true;
            }
        }
        Ok(())
    }
}
