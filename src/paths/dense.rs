//! The dense check: samples of a path between its pivots.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::band::{self, rows};
use super::ends::Ends;
use super::energy::{Checked, Energy, EnergyValues};
use crate::checks::at_least_one;
use crate::error::Result;

/// A path sampled densely, both ends included; the three lists have one entry a sample.
///
/// ```text
/// p(t_k) = (1 − t) z_i + t z_{i+1}   of every segment, t = 0, 1/s, …;   E(p(t_k)), margin(p(t_k))
/// ```
///
/// - **Shapes**: S·s + 1 samples of S segments.
/// - **Range**: distances ≥ 0, ascending; energies and margins as the [`Energy`] gives them.
/// - **Source**: *connectivity*, section 3: every point of a path must have the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The length of the path from its start to the sample.
    pub distance: Vec<f64>,
    /// E of the sample.
    pub energy: Vec<f64>,
    /// The margin of the sample, positive where it is inside.
    pub margin: Vec<f64>,
}

impl Profile {
    /// Whether every sample of the path is inside, its margin positive: the dense check.
    pub fn is_connected(&self) -> bool {
        self.margin.iter().all(|margin| *margin > 0.)
    }

    /// The barrier: what a path costs beyond its ends.
    ///
    /// ```text
    /// max E(p(t)) − max(E(p(0)), E(p(1))),   over the samples t
    /// ```
    ///
    /// - **Shapes**: one number.
    /// - **Range**: ≥ 0, in the energy's unit; NaN if an energy is.
    /// - **Source**: *connectivity* paper, section 3: the maximum of its formula, less what no path
    ///   can avoid
    pub fn barrier(&self) -> f64 {
        let ends = [self.energy.first(), self.energy.last()]
            .into_iter()
            .flatten()
            .fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        if self.energy.iter().any(|e| e.is_nan()) {
            return f64::NAN;
        }
        self.energy.iter().fold(ends, |a, b| a.max(*b)) - ends
    }

    /// The smallest margin of the path; NaN if one is.
    pub fn margin(&self) -> f64 {
        if self.margin.iter().any(|margin| margin.is_nan()) {
            return f64::NAN;
        }
        self.margin.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The length of the polyline.
    pub fn length(&self) -> f64 {
        self.distance.last().copied().unwrap_or(0.)
    }
}

/// Energy and margin along the straight segment of every pair.
///
/// ```text
/// E((1 − t) z₁ + t z₂),   t = i/n,  i = 0 … n,   n = segments · samples_per_segment
/// ```
///
/// - **Shapes**: `starts` and `ends` (B, …); gives B profiles of n + 1 samples.
/// - **Range**: any finite numbers.
/// - **Source**: *connectivity* paper, section 3, "linear interpolation".
///
/// Whether the pair is [linearly connectable](crate::paths#the-verdicts) is
/// [`Profile::is_connected`].
///
/// ```
/// use isopath::candle::{Device, Tensor};
/// use isopath::paths::{MullerBrown, linear};
///
/// let start = Tensor::new(&[[-0.558, 1.442]], &Device::Cpu)?;
/// let end = Tensor::new(&[[0.623, 0.028]], &Device::Cpu)?;
/// let line = &linear(&MullerBrown { level: 0. }, &start, &end, 12, 10)?[0];
/// assert_eq!(line.energy.len(), 121);
/// assert!((line.barrier() - 120.8).abs() < 0.1);
/// // It rises above 0.
/// assert!(!line.is_connected());
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// Ends that do not fit ([`neb`](super::neb()) says which), a count of 0, or what the energy
/// refuses.
pub fn linear(
    energy: &dyn Energy,
    starts: &Tensor,
    ends: &Tensor,
    segments: usize,
    samples_per_segment: usize,
) -> Result<Vec<Profile>> {
    at_least_one("segments", segments)?;
    at_least_one("samples_per_segment", samples_per_segment)?;
    let ends = Ends::new(starts, ends, None)?;
    let mut profiles = Vec::with_capacity(ends.bands());
    for band in 0..ends.bands() {
        let line = ends.straight(band, 1, segments - 1)?;
        let dense = Dense {
            energy: Checked(energy),
            shape: ends.shape(),
            samples: samples_per_segment,
        };
        profiles.extend(dense.profiles(&line, &[band])?);
    }
    Ok(profiles)
}

/// Samples paths (B, N, D) whose points have the shape `shape`.
pub(super) struct Dense<'a> {
    pub energy: Checked<'a>,
    pub shape: &'a [usize],
    pub samples: usize,
}

/// A profile, or none where the check failed early, and the points that were evaluated for it.
type Sampled = (Option<Profile>, usize);

impl Dense<'_> {
    /// Energies and margins of some rows of every band: (B, R, D).
    pub fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        let (points, bands) = self.points(points, bands)?;
        self.energy.values(&points, &bands)
    }

    /// The same with gradients (B, R, D).
    pub fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        let (flat, bands) = self.points(points, bands)?;
        let (values, gradients) = self.energy.values_and_gradients(&flat, &bands)?;
        Ok((values, gradients.reshape(points.shape())?))
    }

    /// Rows as the energy takes them, and the pair of each.
    fn points(&self, points: &Tensor, bands: &[usize]) -> Result<(Tensor, Vec<usize>)> {
        let count = points.dim(1)?;
        let mut shape = vec![bands.len() * count];
        shape.extend(self.shape);
        let bands = bands
            .iter()
            .flat_map(|band| std::iter::repeat_n(*band, count))
            .collect();
        Ok((points.detach().contiguous()?.reshape(shape)?, bands))
    }

    /// The profile of every path, all of it.
    pub fn profiles(&self, paths: &Tensor, bands: &[usize]) -> Result<Vec<Profile>> {
        let pivots = self.values(paths, bands)?;
        Ok(self
            .sample(paths, bands, &pivots, false)?
            .into_iter()
            .filter_map(|(profile, _)| profile)
            .collect())
    }

    /// Samples between the pivots, whose own values are known; with `check`, a path is left
    /// at its first sample outside. All paths go through the energy together, one place of every
    /// segment at a time.
    pub fn sample(
        &self,
        paths: &Tensor,
        bands: &[usize],
        pivots: &EnergyValues,
        check: bool,
    ) -> Result<Vec<Sampled>> {
        let points = paths.dim(1)?;
        let mut sampled: Vec<EnergyValues> =
            vec![EnergyValues::nan((points - 1) * self.samples + 1); bands.len()];
        let mut evaluations = vec![0; bands.len()];
        for (band, values) in sampled.iter_mut().enumerate() {
            for point in 0..points {
                values.set(point * self.samples, pivots, band * points + point);
            }
        }
        let inside = |values: &EnergyValues| {
            values
                .margin
                .iter()
                .step_by(self.samples)
                .all(|margin| *margin > 0.)
        };
        let mut open: Vec<usize> = (0..bands.len())
            .filter(|band| !check || inside(&sampled[*band]))
            .collect();
        // The middle first, where a path is likeliest to leave.
        let mut places: Vec<usize> = (1..self.samples).collect();
        places.sort_by_key(|place| (2 * place).abs_diff(self.samples));
        for place in places {
            if open.is_empty() {
                break;
            }
            let open_bands: Vec<usize> = open.iter().map(|band| bands[*band]).collect();
            let samples = band::between(&rows(paths, &open)?, place as f64 / self.samples as f64)?;
            let values = self.values(&samples, &open_bands)?;
            let mut still_open = Vec::with_capacity(open.len());
            for (at, band) in open.into_iter().enumerate() {
                let own = at * (points - 1)..(at + 1) * (points - 1);
                evaluations[band] += points - 1;
                for (segment, row) in own.clone().enumerate() {
                    sampled[band].set(segment * self.samples + place, &values, row);
                }
                if !check || values.margin[own].iter().all(|margin| *margin > 0.) {
                    still_open.push(band);
                }
            }
            open = still_open;
        }
        let lengths = band::lengths(paths)?;
        let finish = |(band, values): (usize, EnergyValues)| {
            let profile = open
                .contains(&band)
                .then(|| values.profile(&lengths[band], self.samples));
            (profile, evaluations[band])
        };
        Ok(sampled.into_iter().enumerate().map(finish).collect())
    }
}

impl EnergyValues {
    fn nan(count: usize) -> Self {
        Self {
            energy: vec![f64::NAN; count],
            margin: vec![f64::NAN; count],
        }
    }

    fn set(&mut self, at: usize, from: &Self, row: usize) {
        self.energy[at] = from.energy[row];
        self.margin[at] = from.margin[row];
    }

    fn profile(self, lengths: &[f64], samples: usize) -> Profile {
        let mut distance = Vec::with_capacity(self.energy.len());
        let mut behind = 0.;
        for length in lengths {
            distance
                .extend((0..samples).map(|place| behind + length * place as f64 / samples as f64));
            behind += length;
        }
        distance.push(behind);
        Profile {
            distance,
            energy: self.energy,
            margin: self.margin,
        }
    }
}
