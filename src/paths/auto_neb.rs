//! AutoNEB: a band that gets more pivots where it is coarse.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::dense::Profile;
use super::ends::Ends;
use super::energy::Energy;
use super::info::{NebInfo, Outcome};
use super::neb::{neb, relax_bands};
use super::params::{NebParams, check_optimizer};
use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::optimizers::Optimizer;
use crate::progress::Bar;

/// One cycle of AutoNEB ([`auto_neb`]): new pivots, then relaxation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// The number of pivots to insert, at most one per segment; 0 only relaxes further.
    pub insert: usize,
    /// The optimiser of this cycle, usually with smaller steps than the one before.
    pub optimizer: Optimizer,
    /// The largest number of iterations, at least 1.
    pub max_iterations: usize,
}

/// The parameters of AutoNEB: how [`auto_neb`] relaxes bands.
///
/// ```text
/// relax P pivots;  then in each cycle: insert pivots where the energy rises highest above the line
/// between two neighbours, and relax again
/// ```
///
/// - **Shapes**: a band has P + Σ inserted + 2 points at the end.
/// - **Range**: that of each field.
/// - **Source**: Kolsbjerg, Groves & Hammer 2016; Draxler and others 2018, algorithm 1. The defaults
///   are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoNebParams {
    /// The parameters of the first relaxation, with few pivots.
    pub neb: NebParams,
    /// The cycles that follow for bands that are not done.
    pub cycles: Vec<Cycle>,
}

/// 3 pivots for 20 iterations, then three cycles that insert 2, 3 and 4 pivots for 40, 60 and 80
/// iterations, the last with half the step: 200 iterations and 12 pivots in all. Ours, as the
/// defaults of [`NebParams`].
impl Default for AutoNebParams {
    fn default() -> Self {
        let cycle = |insert, learning_rate, max_iterations| Cycle {
            insert,
            optimizer: Optimizer::adam(learning_rate),
            max_iterations,
        };
        Self {
            neb: NebParams {
                pivots: 3,
                max_iterations: 20,
                ..NebParams::default()
            },
            cycles: vec![cycle(2, 0.01, 40), cycle(3, 0.01, 60), cycle(4, 0.005, 80)],
        }
    }
}

impl AutoNebParams {
    /// Checks every field.
    ///
    /// # Errors
    /// What [`NebParams::validate`] refuses, or a cycle without iterations, with a step size that
    /// is not positive, or with more new pivots than there are segments then.
    pub fn validate(&self) -> Result<()> {
        self.neb.validate()?;
        let mut segments = self.neb.pivots + 1;
        for cycle in &self.cycles {
            at_least_one("max_iterations", cycle.max_iterations)?;
            check_optimizer(&cycle.optimizer)?;
            if cycle.insert > segments {
                let expected = format!("at most {segments}, the number of segments");
                return Err(Error::argument("insert", expected, cycle.insert));
            }
            segments += cycle.insert;
        }
        Ok(())
    }
}

/// Nudged elastic bands that begin with few pivots and get more where the path is worst (AutoNEB).
///
/// ```text
/// after each relaxation, for every segment from z_i to z_{i+1}:
/// r_i = max over t in (0, 1) of  E((1 − t) z_i + t z_{i+1}) − (1 − t) E(z_i) − t E(z_{i+1})
/// a new pivot in the middle of each of the segments with the largest r_i
/// ```
///
/// - **Shapes**: `starts` and `ends` (B, …) as [`neb`](super::neb()); gives B results, whose paths
///   may differ in length.
/// - **Range**: any finite numbers, inside `bounds` if there are any.
/// - **Source**: Kolsbjerg, Groves & Hammer 2016 (growth at the worst place); Draxler et al. 2018,
///   section 3.2 (the criterion, and cycles as a schedule).
///
/// A band that is done stays as it is. Iterations and evaluations count over all cycles;
/// [`NebInfo::before`] is the straight line of the first. Both sources insert as many pivots as a
/// threshold asks for; a cycle here says how many, so that the bands stay one batch.
///
/// ```
/// use isopath::candle::{Device, Tensor};
/// use isopath::paths::{AutoNebParams, MullerBrown, Verdict, auto_neb};
///
/// // So close to the pass, at −40.67, that three pivots cut the bend.
/// let surface = MullerBrown { level: -35. };
/// let start = Tensor::new(&[[-0.558, 1.442]], &Device::Cpu)?;
/// let end = Tensor::new(&[[0.623, 0.028]], &Device::Cpu)?;
/// let band = &auto_neb(&surface, &start, &end, &AutoNebParams::default())?[0];
/// assert_eq!(band.verdict, Verdict::Nonlinear);
/// assert!(band.path.dim(0)? > 3 + 2);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`AutoNebParams::validate`] refuses, and what [`neb`](super::neb()) does.
pub fn auto_neb(
    energy: &dyn Energy,
    starts: &Tensor,
    ends: &Tensor,
    params: &AutoNebParams,
) -> Result<Vec<NebInfo>> {
    params.validate()?;
    let mut results = neb(energy, starts, ends, &params.neb)?;
    let ends = Ends::new(starts, ends, params.neb.bounds)?;
    for cycle in &params.cycles {
        let open: Vec<usize> = (0..results.len())
            .filter(|band| results[*band].outcome.is_open())
            .collect();
        let params = NebParams {
            optimizer: cycle.optimizer,
            max_iterations: cycle.max_iterations,
            ..params.neb
        };
        let batches = open.len().div_ceil(params.batch_size);
        let bar = Bar::slow("longer bands").of(batches * params.max_iterations, "iterations");
        for bands in open.chunks(params.batch_size) {
            let grown = bands
                .iter()
                .map(|band| grow(&results[*band], cycle.insert, params.samples_per_segment));
            let paths = Tensor::stack(&grown.collect::<Result<Vec<_>>>()?, 0)?;
            let relaxed = relax_bands(energy, paths, ends.shape(), bands, &params, &bar)?;
            for (band, info) in bands.iter().zip(relaxed) {
                results[*band] = continued(&results[*band], info);
            }
        }
    }
    Ok(results)
}

/// `next` as the continuation of `first`.
fn continued(first: &NebInfo, mut next: NebInfo) -> NebInfo {
    if let Outcome::NotFinite { iteration, .. } = &mut next.outcome {
        *iteration += first.iterations;
    }
    next.iterations += first.iterations;
    next.evaluations.gradients += first.evaluations.gradients;
    next.evaluations.values += first.evaluations.values;
    next.compared_with(first.before.clone())
}

/// The path (N, D) with `count` more points, in the middles of its worst segments.
fn grow(info: &NebInfo, count: usize, samples: usize) -> Result<Tensor> {
    let path = info.path.flatten_from(1)?;
    let segments = path.dim(0)? - 1;
    let chosen = worst_segments(&info.after, samples, count);
    let mut points = Vec::with_capacity(segments + 1 + count);
    for segment in 0..segments {
        let (from, to) = (path.narrow(0, segment, 1)?, path.narrow(0, segment + 1, 1)?);
        points.push(from.clone());
        if chosen.contains(&segment) {
            points.push(((from + to)? * 0.5)?);
        }
    }
    points.push(path.narrow(0, segments, 1)?);
    Ok(Tensor::cat(&points, 0)?)
}

/// The `count` segments whose samples rise highest above the line between their ends' energies; of
/// equals the longest.
fn worst_segments(profile: &Profile, samples: usize, count: usize) -> Vec<usize> {
    let segments = (profile.energy.len() - 1) / samples;
    let rise = |segment: usize| {
        let (first, last) = (segment * samples, (segment + 1) * samples);
        let (from, to) = (profile.energy[first], profile.energy[last]);
        let above = |place: usize| {
            profile.energy[first + place] - from - (to - from) * place as f64 / samples as f64
        };
        let rise = (1..samples).map(above).fold(0., f64::max);
        (rise, profile.distance[last] - profile.distance[first])
    };
    let mut order: Vec<usize> = (0..segments).collect();
    order.sort_by(|a, b| {
        let ((rise_a, length_a), (rise_b, length_b)) = (rise(*a), rise(*b));
        rise_b
            .total_cmp(&rise_a)
            .then(length_b.total_cmp(&length_a))
    });
    order.truncate(count);
    order
}
