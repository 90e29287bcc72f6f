//! Looks for what makes a robust accuracy hard to believe.

use candle_core::{DType, Tensor};

use super::AutoAttack;
use crate::attacks::apgd::{Apgd, ApgdLoss};
use crate::attacks::attack::Attack as _;
use crate::attacks::evaluation::Stage;
use crate::attacks::goal::Norm;
use crate::attacks::warning::Warning;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::metrics::Answer;
use crate::models::Network;

/// The images that a network is asked about twice, and that are attacked without a limit.
const TRIED: usize = 100;
/// From so many pixels on, a line of them is taken for an image that has lost its shape.
const FLAT: usize = 100;
/// The share of images that Square may mislead beyond the others, as in AutoAttack's public code.
const BY_CHANCE: f64 = 0.002;

/// A network with its answers.
pub(super) struct Suspect<'a> {
    pub attack: &'a AutoAttack,
    pub network: &'a dyn Network,
    pub data: &'a Dataset,
    pub before: &'a [Answer],
    /// The images that nothing misled.
    pub open: Vec<usize>,
    pub classes: usize,
}

/// All warnings.
///
/// # Errors
/// The network refuses the images.
pub(super) fn warnings(
    suspect: &Suspect,
    stages: &[Stage],
    zero_gradients: usize,
) -> Result<Vec<Warning>> {
    let mut found = Vec::new();
    if zero_gradients > 0 {
        found.push(Warning::ZeroGradients {
            images: zero_gradients,
        });
    }
    let few = suspect.data.first(TRIED.min(suspect.data.len()))?.inputs;
    let logits = suspect
        .network
        .forward(&few)?
        .detach()
        .to_dtype(DType::F64)?;
    if are_probabilities(&logits)? {
        found.push(Warning::Probabilities);
    }
    let again = suspect
        .network
        .forward(&few)?
        .detach()
        .to_dtype(DType::F64)?;
    let difference = (&logits - again)?.abs()?.max_all()?.to_scalar::<f64>()?;
    if difference > 0. {
        found.push(Warning::Random { difference });
    }
    let first = suspect.before.first().map(|answer| answer.class);
    if let Some(class) = first
        && suspect.before.len() > 1
        && suspect.before.iter().all(|answer| answer.class == class)
    {
        found.push(Warning::OneAnswer { class });
    }
    if suspect.classes < 4 {
        found.push(Warning::FewClasses {
            classes: suspect.classes,
        });
    }
    if let [_, pixels] = *suspect.data.inputs.dims()
        && pixels >= FLAT
    {
        found.push(Warning::Flat { pixels });
    }
    let square = stages
        .iter()
        .find(|stage| stage.attack.starts_with("Square"));
    let by_chance = BY_CHANCE * suspect.data.len() as f64;
    if let Some(square) = square.filter(|square| square.misled as f64 > by_chance) {
        found.push(Warning::GradientsHide {
            images: square.misled,
        });
    }
    found.extend(suspect.without_limit()?);
    Ok(found)
}

/// Whether all rows lie in [0, 1] and sum to 1.
fn are_probabilities(logits: &Tensor) -> Result<bool> {
    let least = logits.min_all()?.to_scalar::<f64>()?;
    let sums = logits.sum(1)?.to_vec1::<f64>()?;
    Ok(least >= 0. && sums.iter().all(|sum| (sum - 1.).abs() < 1e-3))
}

impl Suspect<'_> {
    /// Attacks some of the images that are left in a ball that holds every image.
    fn without_limit(&self) -> Result<Option<Warning>> {
        let Some(bounds) = self.attack.bounds.filter(|_| !self.open.is_empty()) else {
            return Ok(None);
        };
        let tried = self.data.select(&self.open[..self.open.len().min(TRIED)])?;
        let pixels = tried.inputs.flatten_from(1)?.dim(1)? as f64;
        let eps = (bounds.max - bounds.min)
            * match self.attack.norm {
                Norm::LInf => 1.,
                Norm::L2 => pixels.sqrt(),
            };
        let losses = [ApgdLoss::CrossEntropy, ApgdLoss::Dlr];
        let mut left = tried.clone();
        for loss in losses
            .into_iter()
            .take(if self.classes < 3 { 1 } else { 2 })
        {
            let attack = Apgd {
                loss,
                norm: self.attack.norm,
                steps: self.attack.steps,
                restarts: 3,
                bounds: self.attack.bounds,
                seed: self.attack.seed,
                progress: self.attack.progress.clone(),
                ..Apgd::default()
            };
            let found = attack.attack(self.network, &left, eps)?;
            let rows = (0..left.len()).filter(|row| !found.success[*row]);
            let rows: Vec<usize> = rows.collect();
            if rows.is_empty() {
                return Ok(None);
            }
            left = left.select(&rows)?;
        }
        Ok(Some(Warning::AccuracyRemains {
            eps,
            accuracy: left.len() as f64 / tried.len() as f64,
        }))
    }
}
