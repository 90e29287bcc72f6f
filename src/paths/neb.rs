//! The nudged elastic band.

use candle_core::{DType, Tensor};

use super::band::{self, rows};
use super::dense::{Dense, Profile};
use super::ends::{Ends, check_range};
use super::energy::{Checked, Energy, EnergyValues};
use super::follow::Followers;
use super::info::{Evaluations, NebInfo, Outcome, Verdict};
use super::params::{NebParams, Spacing, Stop};
use crate::error::{Error, Result};
use crate::ops::row_norms;
use crate::progress::Bar;

/// Nudged elastic bands between the points of every pair, relaxed from the straight line on.
///
/// ```text
/// z_i ← z_i + step(F_i),  i = 1 … P,   F_i the nudged force;  the ends never move
/// ```
///
/// - **Shapes**: `starts` and `ends` (B, …) of one floating-point type on one device, row b of each
///   is pair b; gives B results.
/// - **Range**: any finite numbers, inside `bounds` if there are any.
/// - **Source**: *connectivity* paper, section 3; Jónsson, Mills & Jacobsen 1998.
///
/// [`band::forces`] computes F_i, and an [`Optimizer`](super::Optimizer) the step. All bands are
/// relaxed together: their pivots are one batch of the energy, and a band that is done leaves it.
/// With [`Stop::Connected`], a band that the straight line connects is not relaxed at all. Reaching
/// the limit of iterations is no error, and neither is an energy that is not a number:
/// [`NebInfo::outcome`] reports both. A progress bar appears if the relaxation takes more than a
/// second.
///
/// ```
/// use isopath::candle::{Device, Tensor};
/// use isopath::paths::{MullerBrown, NebParams, Verdict, neb};
///
/// // A walk that must stay below −20: the straight line does not, the band does.
/// let surface = MullerBrown { level: -20. };
/// let start = Tensor::new(&[[-0.558, 1.442]], &Device::Cpu)?;
/// let end = Tensor::new(&[[0.623, 0.028]], &Device::Cpu)?;
/// let band = &neb(&surface, &start, &end, &NebParams::default())?[0];
/// assert_eq!(band.verdict, Verdict::Nonlinear);
/// assert_eq!(band.path.dims(), [10, 2]);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`NebParams::validate`] refuses; ends of different shapes or types, not finite, identical,
/// or outside the bounds; with [`Stop::Connected`], an end whose margin is not positive (an input
/// that the network gives another class than the pair's); what the energy refuses.
pub fn neb(
    energy: &dyn Energy,
    starts: &Tensor,
    ends: &Tensor,
    params: &NebParams,
) -> Result<Vec<NebInfo>> {
    neb_shown(energy, starts, ends, params, &Bar::slow("bands"))
}

/// [`neb`], `bar` moving on with the iterations: hidden where the caller shows more.
pub(crate) fn neb_shown(
    energy: &dyn Energy,
    starts: &Tensor,
    ends: &Tensor,
    params: &NebParams,
    bar: &Bar,
) -> Result<Vec<NebInfo>> {
    params.validate()?;
    let ends = Ends::new(starts, ends, params.bounds)?;
    let batches = ends.bands().div_ceil(params.batch_size);
    bar.begin(batches * params.max_iterations, "iterations");
    let mut results = Vec::with_capacity(ends.bands());
    for first in (0..ends.bands()).step_by(params.batch_size) {
        let count = params.batch_size.min(ends.bands() - first);
        let bands: Vec<usize> = (first..first + count).collect();
        results.extend(relax_bands(
            energy,
            ends.straight(first, count, params.pivots)?,
            ends.shape(),
            &bands,
            params,
            bar,
        )?);
        bar.set(((first / params.batch_size + 1) * params.max_iterations) as f64);
    }
    Ok(results)
}

/// Nudged elastic bands from given paths instead of straight lines.
///
/// ```text
/// z_i ← z_i + step(F_i),  i = 1 … P,   from the given z_i
/// ```
///
/// Use it to continue with other parameters (first relax, then let the highest pivot climb), or to
/// begin with a guess.
///
/// - **Shapes**: `paths` (B, N, …), N ≥ 3 with both ends; `params.pivots` is not used; gives B
///   results.
/// - **Range**: any finite numbers, inside `bounds` if there are any.
/// - **Source**: as [`neb`].
///
/// # Errors
/// As [`neb()`].
pub fn relax(energy: &dyn Energy, paths: &Tensor, params: &NebParams) -> Result<Vec<NebInfo>> {
    params.validate()?;
    if paths.rank() < 3 || paths.dim(1)? < 3 {
        return Err(Error::shape(
            "relax",
            "paths",
            "(B, N, …), N at least 3",
            paths.dims(),
        ));
    }
    check_range("paths", paths, params.bounds)?;
    let last = paths.dim(1)? - 1;
    let ends = Ends::new(
        &paths.narrow(1, 0, 1)?.squeeze(1)?,
        &paths.narrow(1, last, 1)?.squeeze(1)?,
        params.bounds,
    )?;
    let paths = paths.detach().flatten_from(2)?.contiguous()?;
    let bands: Vec<usize> = (0..ends.bands()).collect();
    let mut results = Vec::with_capacity(bands.len());
    let batches = bands.len().div_ceil(params.batch_size);
    let bar = Bar::slow("bands").of(batches * params.max_iterations, "iterations");
    for bands in bands.chunks(params.batch_size) {
        let from = rows(&paths, bands)?;
        let relaxed = relax_bands(energy, from, ends.shape(), bands, params, &bar)?;
        // A band compares itself with the path it began with, which is no straight line here.
        let dense = Dense {
            energy: Checked(energy),
            shape: ends.shape(),
            samples: params.samples_per_segment,
        };
        let lines = dense.profiles(&ends.straight(bands[0], bands.len(), last - 1)?, bands)?;
        results.extend(relaxed.into_iter().zip(lines).map(|(mut info, line)| {
            info.evaluations.values += line.energy.len();
            info.compared_with(line)
        }));
    }
    Ok(results)
}

/// Relaxes the bands `paths` (B, N, D) of the pairs `bands`; the points of an energy have the shape
/// `shape`.
pub(super) fn relax_bands(
    energy: &dyn Energy,
    paths: Tensor,
    shape: &[usize],
    bands: &[usize],
    params: &NebParams,
    bar: &Bar,
) -> Result<Vec<NebInfo>> {
    let dense = Dense {
        energy: Checked(energy),
        shape,
        samples: params.samples_per_segment,
    };
    let paths = clipped(paths, params)?;
    let before = dense.profiles(&paths, bands)?;
    if params.stop == Stop::Connected {
        check_ends(&before, bands)?;
    }
    // On a thread of the pool, as `training::step`: an iteration is many short steps on all threads.
    rayon::scope(|_| {
        let mut run = Run::new(&dense, paths, bands, before, params)?;
        while !run.active.is_empty() {
            run.iterate()?;
            bar.add(1.);
        }
        Ok(run.results.into_iter().flatten().collect())
    })
}

/// Inside the bounds: a step may leave them, and a mean of two points by rounding.
fn clipped(paths: Tensor, params: &NebParams) -> Result<Tensor> {
    match params.bounds {
        Some(bounds) => Ok(paths.clamp(bounds.min, bounds.max)?),
        None => Ok(paths),
    }
}

/// First points, pivots and last points of paths (A, N, D).
fn parts(paths: &Tensor) -> Result<[Tensor; 3]> {
    let pivots = paths.dim(1)? - 2;
    let part = |first, count| paths.narrow(1, first, count)?.contiguous();
    Ok([part(0, 1)?, part(1, pivots)?, part(pivots + 1, 1)?])
}

/// An end that is outside can be joined to nothing; one that is not a number is found out by the
/// band.
fn check_ends(profiles: &[Profile], bands: &[usize]) -> Result<()> {
    for (profile, band) in profiles.iter().zip(bands) {
        for (name, margin) in [
            ("margin at the start", profile.margin.first()),
            ("margin at the end", profile.margin.last()),
        ] {
            if let Some(margin) = margin.filter(|margin| **margin <= 0.) {
                let expected = "a number > 0; choose ends that lie in the target class, as the \
                                network classifies them";
                return Err(Error::argument(
                    name,
                    expected,
                    format!("{margin} in pair {band}"),
                ));
            }
        }
    }
    Ok(())
}

/// Bands under way.
struct Run<'a> {
    dense: &'a Dense<'a>,
    params: &'a NebParams,
    /// The pair of every band.
    bands: &'a [usize],
    before: Vec<Profile>,
    evaluations: Vec<Evaluations>,
    results: Vec<Option<NebInfo>>,
    iteration: usize,
    /// The end that was a band's highest point, and at which iteration it last was.
    highest_ends: Vec<Option<(usize, usize)>>,
    /// The bands that are not done, their paths (A, N, D), and of these the first points (A, 1, D), the
    /// pivots (A, P, D) and the last points.
    active: Vec<usize>,
    paths: Tensor,
    parts: [Tensor; 3],
    followers: Followers,
}

/// A band that is done: its place among the active ones, why, and its profile if that is known.
type Done = (usize, Outcome, Option<Profile>);

impl<'a> Run<'a> {
    fn new(
        dense: &'a Dense<'a>,
        paths: Tensor,
        bands: &'a [usize],
        before: Vec<Profile>,
        params: &'a NebParams,
    ) -> Result<Self> {
        let pivots = paths.dim(1)? - 2;
        let samples = Evaluations {
            gradients: 0,
            values: (pivots + 1) * dense.samples + 1,
        };
        let mut run = Self {
            dense,
            params,
            bands,
            evaluations: vec![samples; bands.len()],
            results: vec![None; bands.len()],
            highest_ends: vec![None; bands.len()],
            iteration: 0,
            active: (0..bands.len()).collect(),
            followers: Followers::none(params.optimizer),
            parts: parts(&paths)?,
            paths,
            before,
        };
        let mut done = Vec::new();
        for (band, profile) in run.before.iter().enumerate() {
            let ends = [profile.energy.first(), profile.energy.last()];
            if let Some(end) = ends.iter().flatten().position(|energy| !energy.is_finite()) {
                let point = end * (pivots + 1);
                done.push((
                    band,
                    Outcome::NotFinite {
                        iteration: 0,
                        point,
                    },
                    Some(profile.clone()),
                ));
            } else if params.stop == Stop::Connected && profile.is_connected() {
                done.push((band, Outcome::Connected, Some(profile.clone())));
            }
        }
        run.finish(done)?;
        run.followers = Followers::new(params.optimizer, &run.parts[1])?;
        Ok(run)
    }

    /// One evaluation of every pivot, the end of every band that is done, and one step of the
    /// others.
    fn iterate(&mut self) -> Result<()> {
        let pivots = self.paths.dim(1)? - 2;
        let bands = self.active_bands();
        let (values, gradients) = self.dense.values_and_gradients(&self.parts[1], &bands)?;
        for band in &self.active {
            self.evaluations[*band].gradients += pivots;
        }
        let all = self.with_ends(&values, pivots);
        let spring = match self.params.spacing {
            Spacing::Springs { constant } => Some(constant),
            Spacing::Redistribution => None,
        };
        let forces = band::forces(
            &self.paths,
            &all.energy,
            &gradients,
            spring,
            self.params.climbing,
        )?;
        let norms = row_norms(&forces)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;

        let done = self.judge(&all, &norms)?;
        let kept = self.finish(done)?;
        if self.active.is_empty() {
            return Ok(());
        }
        self.advance(&rows(&forces, &kept)?)
    }

    /// The bands that are done: `values` at all their points, the norms of the forces on their
    /// pivots.
    fn judge(&mut self, values: &EnergyValues, force_norms: &[Vec<f64>]) -> Result<Vec<Done>> {
        let points = self.paths.dim(1)?;
        let bands = self.active_bands();
        let checked = if self.params.stop == Stop::Connected && self.iteration > 0 {
            self.dense.sample(&self.paths, &bands, values, true)?
        } else {
            vec![(None, 0); bands.len()]
        };
        let mut done = Vec::new();
        for (at, (norms, (profile, evaluations))) in force_norms.iter().zip(checked).enumerate() {
            self.evaluations[self.active[at]].values += evaluations;
            let energies = &values.energy[at * points..(at + 1) * points];
            if let Some(end) = band::highest_end(energies) {
                self.highest_ends[self.active[at]] = Some((end, self.iteration));
            }
            // A force takes in its neighbours' energies, so energies are asked first.
            let energy = energies.iter().position(|energy| !energy.is_finite());
            let force = || {
                norms
                    .iter()
                    .position(|norm| !norm.is_finite())
                    .map(|pivot| pivot + 1)
            };
            if let Some(point) = energy.or_else(force) {
                done.push((
                    at,
                    Outcome::NotFinite {
                        iteration: self.iteration,
                        point,
                    },
                    None,
                ));
            } else if profile.is_some() {
                done.push((at, Outcome::Connected, profile));
            } else if matches!(self.params.stop, Stop::Force(least) if norms.iter().all(|norm| *norm < least))
            {
                done.push((at, Outcome::Converged, None));
            } else if self.iteration == self.params.max_iterations {
                done.push((at, self.at_limit(at), None));
            }
        }
        Ok(done)
    }

    /// Why an active band is not done at its last iteration. An image that climbs to an end may pass
    /// it and come back, so that the end is the highest point most of the time, but not always.
    fn at_limit(&self, at: usize) -> Outcome {
        match self.highest_ends[self.active[at]] {
            Some((point, last)) if self.params.climbing && 2 * last >= self.iteration => {
                Outcome::HighestAtEnd { point }
            }
            _ => Outcome::IterationLimit,
        }
    }

    /// One step along the forces (A, P, D).
    fn advance(&mut self, forces: &Tensor) -> Result<()> {
        let redistributes = self.params.spacing == Spacing::Redistribution;
        let is_elsewhere = redistributes || self.params.bounds.is_some();
        let pivots = is_elsewhere.then_some(&self.parts[1]);
        let moved = self.followers.step(pivots, forces)?;
        self.parts[1] = clipped(moved, self.params)?;
        self.paths = Tensor::cat(&self.parts, 1)?;
        if redistributes {
            self.paths = clipped(band::redistribute(&self.paths)?, self.params)?;
            self.parts = parts(&self.paths)?;
        }
        self.iteration += 1;
        Ok(())
    }

    fn active_bands(&self) -> Vec<usize> {
        self.active.iter().map(|band| self.bands[*band]).collect()
    }

    /// The pivots' values with those of the ends around them, band by band.
    fn with_ends(&self, pivots: &EnergyValues, count: usize) -> EnergyValues {
        let mut all = EnergyValues::default();
        for (at, band) in self.active.iter().enumerate() {
            let (profile, own) = (&self.before[*band], at * count..(at + 1) * count);
            for (all, ends, pivots) in [
                (&mut all.energy, &profile.energy, &pivots.energy),
                (&mut all.margin, &profile.margin, &pivots.margin),
            ] {
                all.extend(ends.first());
                all.extend(&pivots[own.clone()]);
                all.extend(ends.last());
            }
        }
        all
    }

    /// Takes the bands that are done out of the batch; the places of those that stay.
    fn finish(&mut self, mut done: Vec<Done>) -> Result<Vec<usize>> {
        let without: Vec<usize> = done
            .iter()
            .filter(|(.., profile)| profile.is_none())
            .map(|(at, ..)| *at)
            .collect();
        if !without.is_empty() {
            let bands: Vec<usize> = without
                .iter()
                .map(|at| self.bands[self.active[*at]])
                .collect();
            let mut profiles = self
                .dense
                .profiles(&rows(&self.paths, &without)?, &bands)?
                .into_iter();
            for (at, _, profile) in done.iter_mut().filter(|(.., profile)| profile.is_none()) {
                *profile = profiles.next();
                let samples = profile.as_ref().map_or(0, |profile| profile.energy.len());
                self.evaluations[self.active[*at]].values += samples;
            }
        }
        for (at, outcome, profile) in done {
            let band = self.active[at];
            let before = self.before[band].clone();
            let after = profile.unwrap_or_else(|| before.clone());
            let path = self.paths.get(at)?;
            let mut shape = vec![path.dim(0)?];
            shape.extend(self.dense.shape);
            self.results[band] = Some(NebInfo {
                // A copy, or the whole batch would live as long as one path.
                path: path.reshape(shape)?.copy()?,
                energies: after
                    .energy
                    .iter()
                    .step_by(self.dense.samples)
                    .copied()
                    .collect(),
                verdict: Verdict::of(&before, &after),
                outcome,
                iterations: self.iteration,
                evaluations: self.evaluations[band],
                before,
                after,
            });
        }
        let kept: Vec<usize> = (0..self.active.len())
            .filter(|at| self.results[self.active[*at]].is_none())
            .collect();
        if kept.len() < self.active.len() {
            self.paths = rows(&self.paths, &kept)?;
            for part in &mut self.parts {
                *part = rows(part, &kept)?;
            }
            self.followers.keep(&kept)?;
            self.active = kept.iter().map(|at| self.active[*at]).collect();
        }
        Ok(kept)
    }
}
