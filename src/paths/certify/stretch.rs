//! Proofs by a bound of how fast a margin may change.

use std::time::Instant;

use candle_core::{D, Tensor};

use super::certificate::{Certificate, Verdict, Witness};
use super::chain::Chain;
use super::deviation::deviation;
use super::params::LipschitzCertifyParams;
use super::procedure::check_ends;
use crate::checks::finite;
use crate::distances::slices::euclidean;
use crate::error::{Error, Result};
use crate::lipschitz::margin_constant;
use crate::models::{Network, evaluation};
use crate::paths::energy::Energy;
use crate::paths::exact;
use crate::paths::exact::numbers;
use crate::paths::network_energy::NetworkEnergy;

/// Whether a network keeps a class on a whole straight segment, proved by samples and by a bound K of how
/// fast its margin may change.
///
/// ```text
/// proved between neighbouring samples if   (m + m' − K ℓ)/2 − 2ρ > 0
/// ```
///
/// m and m' are the margins that the network computes there, ℓ is their distance. In real arithmetic the
/// margins are at least m − ρ and m' − ρ, so that between them none is below (m + m' − K ℓ)/2 − ρ; and the
/// computed one is at most ρ below that. A part that fails is halved. Where K is small, as for a
/// [`LipschitzMlp`](crate::models::LipschitzMlp), few samples do; [`certify`](super::certify()), which looks
/// into the network, needs no K.
///
/// What is proved holds for the same computations as in [the module](super) where ρ is computed from the
/// layers. With an allowance of your own, or a constant, it holds if they do.
///
/// - **Shapes**: `start` and `end` (1, …) of the parameters' representation.
/// - **Range**: finite floating-point numbers.
/// - **Source**: Tsuzuku, Sato & Sugiyama 2018 (arXiv 1802.04034), for a ball; Piyavskii 1972, for the
///   samples of a segment; the rounding ours.
///
/// ```
/// use isopath::models::LipschitzMlp;
/// use isopath::paths::{LipschitzCertifyParams, lipschitz_certify};
/// use isopath::prelude::*;
///
/// let build = |vb| LipschitzMlp::new(&[2, 16, 16, 3], Activation::Relu, vb);
/// let network = Model::new(0, build)?;
/// let start = Tensor::new(&[[-1f32, 0.5]], &Device::Cpu)?;
/// let end = Tensor::new(&[[-0.99f32, 0.51]], &Device::Cpu)?;
/// let class = predictions(&network, &start)?.to_vec1::<u32>()?[0];
/// let params = LipschitzCertifyParams::default();
/// assert!(lipschitz_certify(&network, class, &start, &end, &params)?.is_proved());
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`LipschitzCertifyParams::validate`] refuses; ends of other shapes, or not finite; a class that
/// the network does not have; a network whose weights or layers are not known, unless `constant` or
/// `rounding` is given; margins that differ by more than the constant allows.
pub fn lipschitz_certify(
    network: &dyn Network,
    class: u32,
    start: &Tensor,
    end: &Tensor,
    params: &LipschitzCertifyParams,
) -> Result<Certificate> {
    params.validate()?;
    check_ends("lipschitz_certify", start, end)?;
    let begun = Instant::now();
    let energy = NetworkEnergy::new(network, params.representation, &[class])?;
    let frozen = evaluation(network)?;
    let sampler = Sampler::new(energy, start, end)?;
    sampler.check_class(class)?;
    let constant = match params.constant {
        Some(constant) => constant,
        None => margin_constant(frozen.as_ref(), params.representation, class)?,
    };
    let rounding = match params.rounding {
        Some(rounding) => rounding,
        None => {
            let chain = Chain::new(frozen.as_ref(), sampler.energy.index)?;
            deviation(&chain, &sampler.ends, class as usize)?
        }
    };
    let mut proof = Proof {
        sampler,
        steep: constant,
        rounding,
        params,
        evaluations: 0,
    };
    let mut found = proof.run()?;
    found.seconds = begun.elapsed().as_secs_f64();
    Ok(found)
}

/// The network along the segment.
struct Sampler {
    energy: NetworkEnergy,
    ends: [Vec<f64>; 2],
    like: Tensor,
    length: f64,
}

impl Sampler {
    fn new(energy: NetworkEnergy, start: &Tensor, end: &Tensor) -> Result<Self> {
        finite("start", "numbers", start)?;
        finite("end", "numbers", end)?;
        let ends = [numbers(start)?, numbers(end)?];
        let terms = ends[0].len() + 8;
        let length = euclidean(&ends[0], &ends[1]) * (1. + 4. * terms as f64 * f64::EPSILON);
        Ok(Self {
            energy,
            ends,
            like: start.detach(),
            length,
        })
    }

    /// # Errors
    /// A class that the network does not have.
    fn check_class(&self, class: u32) -> Result<()> {
        let logits = self
            .energy
            .network
            .forward_from(self.energy.index, &self.like)?;
        exact::check_class(class, logits.dim(D::Minus1)?)
    }

    /// The margins at some t.
    fn margins(&self, times: &[f64]) -> Result<Vec<f64>> {
        let mut points = Vec::with_capacity(times.len() * self.ends[0].len());
        for t in times {
            let pairs = self.ends[0].iter().zip(&self.ends[1]);
            points.extend(pairs.map(|(a, b)| (1. - t) * a + t * b));
        }
        let mut dims = self.like.dims().to_vec();
        dims[0] = times.len();
        let points = Tensor::from_vec(points, dims, self.like.device())?;
        let points = points.to_dtype(self.like.dtype())?;
        let margins = self.energy.values(&points, &vec![0; times.len()])?.margin;
        match margins.iter().find(|margin| !margin.is_finite()) {
            None => Ok(margins),
            Some(margin) => Err(Error::argument("margin", "a finite number", margin)),
        }
    }
}

/// A part between two samples, each t and margin.
#[derive(Clone, Copy)]
struct Part {
    depth: u32,
    ends: [[f64; 2]; 2],
}

struct Proof<'a> {
    sampler: Sampler,
    steep: f64,
    rounding: f64,
    params: &'a LipschitzCertifyParams,
    evaluations: usize,
}

impl Proof<'_> {
    fn run(&mut self) -> Result<Certificate> {
        let count = self.params.parts;
        let times: Vec<f64> = (0..=count).map(|at| at as f64 / count as f64).collect();
        let bar = self.params.progress.slow_bar("certificate");
        let mut witness = None;
        let samples = self.sample(&times, &mut witness)?;
        let mut open: Vec<Part> = samples
            .windows(2)
            .map(|pair| Part {
                depth: 0,
                ends: [pair[0], pair[1]],
            })
            .collect();
        let (mut bound, mut parts, mut stuck) = (f64::INFINITY, count, false);
        while !open.is_empty() {
            let mut failed = Vec::new();
            for part in open {
                let least = self.least(&part)?;
                let halve = part.depth < self.params.max_depth
                    && parts < self.params.max_parts
                    && witness.is_none();
                if least <= 0. && halve {
                    parts += 1;
                    failed.push(part);
                    continue;
                }
                bound = bound.min(least);
                stuck |= least <= 0.;
            }
            let middle = |part: &Part| (part.ends[0][0] + part.ends[1][0]) / 2.;
            let times: Vec<f64> = failed.iter().map(middle).collect();
            let samples = self.sample(&times, &mut witness)?;
            bar.add(times.len() as f64);
            let halves = |(part, sample): (Part, [f64; 2])| {
                let depth = part.depth + 1;
                let [start, end] = part.ends;
                [[start, sample], [sample, end]].map(|ends| Part { depth, ends })
            };
            open = failed.into_iter().zip(samples).flat_map(halves).collect();
        }
        let verdict = match witness {
            Some(_) => Verdict::Refuted,
            None if stuck => Verdict::Undecided,
            None => Verdict::Proved,
        };
        Ok(Certificate {
            verdict,
            witness,
            bound,
            parts,
            evaluations: self.evaluations,
            seconds: 0.,
        })
    }

    /// Samples with their margins; the lowest that is not positive is a witness.
    fn sample(&mut self, times: &[f64], witness: &mut Option<Witness>) -> Result<Vec<[f64; 2]>> {
        let margins = match times.is_empty() {
            true => Vec::new(),
            false => self.sampler.margins(times)?,
        };
        self.evaluations += times.len();
        for (t, margin) in times.iter().copied().zip(margins.iter().copied()) {
            if margin <= witness.map_or(0., |witness| witness.margin) {
                // Another computation differs by ρ twice: from the real one and back.
                let certain = margin + 2. * self.rounding <= 0.;
                *witness = Some(Witness { t, margin, certain });
            }
        }
        Ok(times
            .iter()
            .copied()
            .zip(margins)
            .map(|(t, m)| [t, m])
            .collect())
    }

    /// A lower bound of the computed margins on a part.
    ///
    /// # Errors
    /// The margins differ by more than the constant allows.
    fn least(&self, part: &Part) -> Result<f64> {
        let [[start, a], [end, b]] = part.ends;
        // More than f64 rounds in these few operations.
        let some = 16. * f64::EPSILON;
        let reach = self.steep * self.sampler.length * (end - start) * (1. + some);
        let size = a.abs() + b.abs() + reach + self.rounding;
        if (a - b).abs() > reach + 2. * self.rounding + some * size {
            let steps = (end - start) * self.sampler.length;
            let expected = format!("at least {:.6}", (a - b).abs() / steps);
            let got = format!("{:.6}, by the margins at t = {start} and {end}", self.steep);
            return Err(Error::argument("constant", expected, got));
        }
        Ok((a + b - reach) / 2. - 2. * self.rounding - some * size)
    }
}
