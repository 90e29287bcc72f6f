//! A classifier, from one of its representations on, as an energy.

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use rayon::prelude::*;

use super::energy::{Energy, EnergyValues};
use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::cross_entropies;
use crate::models::{Network, Representation, evaluation};

/// The energy of a classifier: the cross-entropy of the target class y at a point z of
/// representation l.
///
/// ```text
/// L(z) = −log softmax(f_{l:L}(z))_y          margin = logit_y − max over c ≠ y of logit_c
/// ```
///
/// - **Shapes**: points (P, …) of the shape of the representation; P energies, margins and
///   gradients.
/// - **Range**: L ≥ 0; a margin is positive exactly where the network answers y.
/// - **Source**: *connectivity* paper, section 3, the energy of its nudged elastic band.
///
/// ```
/// use isopath::paths::{Energy, NetworkEnergy};
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// let point = Tensor::new(&[[0.3f32, -0.2]], &Device::Cpu)?;
/// let class = predictions(&network, &point)?.to_vec1::<u32>()?[0];
/// let energy = NetworkEnergy::new(&network, Representation::Input, &[class])?;
/// // The first point, on the path of pair 0.
/// let (values, gradients) = energy.values_and_gradients(&point, &[0])?;
/// assert!(values.energy[0] > 0. && values.margin[0] > 0.);
/// assert_eq!(gradients.dims(), [1, 2]);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// Its methods refuse points that the network does not take, a pair without a class, a class that the
/// network does not have, and logits that are not (P, classes).
#[derive(Clone)]
pub struct NetworkEnergy {
    /// The network, in evaluation mode.
    pub network: Arc<dyn Network>,
    /// The number l of the representation, from 0 for the inputs to the number of stages.
    pub index: usize,
    /// The target class y of each pair.
    pub classes: Vec<u32>,
    /// The number of points that go through the network together, at least 1; such batches run in
    /// parallel. It does not depend on the number of threads, so the results do not either.
    pub batch_size: usize,
}

impl fmt::Debug for NetworkEnergy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkEnergy")
            .field("index", &self.index)
            .field("classes", &self.classes)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}

impl NetworkEnergy {
    /// The energy of `network`, as it is now, in the space of `representation`; `classes` has the
    /// target of each pair. In batches of 16 points.
    ///
    /// # Errors
    /// The network has no such representation, or no evaluation mode.
    pub fn new(
        network: &dyn Network,
        representation: Representation,
        classes: &[u32],
    ) -> Result<Self> {
        let index = representation.index(network.stages())?;
        let network = evaluation(network)?;
        Ok(Self {
            network,
            index,
            classes: classes.to_vec(),
            batch_size: 16,
        })
    }

    /// `work` on every batch of points and their targets, in parallel; results in order.
    fn batches<T: Send>(
        &self,
        points: &Tensor,
        bands: &[usize],
        work: impl Fn(&Tensor, &[u32]) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        at_least_one("batch_size", self.batch_size)?;
        if points.rank() < 2 || points.dim(0)? != bands.len() {
            let expected = format!("({}, …), one row for each entry of bands", bands.len());
            return Err(Error::shape(
                "network energy",
                "points",
                expected,
                points.dims(),
            ));
        }
        let targets = bands
            .iter()
            .map(|band| self.classes.get(*band).copied())
            .collect::<Option<Vec<u32>>>()
            .ok_or_else(|| Error::argument("classes", "one for each pair", self.classes.len()))?;
        let batches: Vec<&[u32]> = targets.chunks(self.batch_size).collect();
        batches
            .par_iter()
            .enumerate()
            .map(|(index, targets)| {
                interrupt::check()?;
                work(
                    &points.narrow(0, index * self.batch_size, targets.len())?,
                    targets,
                )
            })
            .collect::<Vec<Result<T>>>()
            .into_iter()
            .collect()
    }

    /// The cross-entropies, differentiable, and the values of one batch.
    fn forward(&self, points: &Tensor, targets: &[u32]) -> Result<(Tensor, EnergyValues)> {
        let logits = self.network.forward_from(self.index, points)?;
        let energy = cross_entropies(&logits, &Tensor::new(targets, points.device())?)?;
        let host = energy.detach().to_dtype(DType::F64)?.to_vec1()?;
        let rows = logits.detach().to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let margin = rows
            .iter()
            .zip(targets)
            .map(|(logits, target)| margin(logits, *target as usize))
            .collect();
        Ok((
            energy,
            EnergyValues {
                energy: host,
                margin,
            },
        ))
    }
}

/// `logits[target]` minus the largest other.
pub(super) fn margin(logits: &[f64], target: usize) -> f64 {
    let other = |(class, logit): (usize, &f64)| {
        if class == target {
            f64::NEG_INFINITY
        } else {
            *logit
        }
    };
    let largest = logits
        .iter()
        .enumerate()
        .map(other)
        .fold(f64::NEG_INFINITY, f64::max);
    logits.get(target).map_or(f64::NAN, |logit| logit - largest)
}

impl Energy for NetworkEnergy {
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        let parts = self.batches(points, bands, |points, targets| {
            Ok(self.forward(&points.detach(), targets)?.1)
        })?;
        Ok(joined(parts))
    }

    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        let parts = self.batches(points, bands, |points, targets| {
            let points = Var::from_tensor(points)?;
            let (energy, values) = self.forward(points.as_tensor(), targets)?;
            // No point's energy depends on another point, so the gradient of the sum holds every
            // one's own.
            let gradient = energy
                .sum_all()?
                .backward()?
                .remove(points.as_tensor())
                .ok_or_else(|| {
                    let expected =
                        "a network whose stages are differentiable from the first one used";
                    Error::argument("gradient", expected, "missing")
                })?;
            Ok((values, gradient.contiguous()?))
        })?;
        let (values, gradients): (Vec<EnergyValues>, Vec<Tensor>) = parts.into_iter().unzip();
        Ok((joined(values), Tensor::cat(&gradients, 0)?))
    }
}

fn joined(parts: Vec<EnergyValues>) -> EnergyValues {
    let mut all = EnergyValues::default();
    for part in parts {
        all.energy.extend(part.energy);
        all.margin.extend(part.margin);
    }
    all
}
