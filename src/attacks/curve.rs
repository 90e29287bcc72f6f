//! Robust accuracy over many step sizes or radii in one call.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::adversarial::Adversarial;
use crate::error::{Error, Result};

/// The accuracy of a network under an attack, at each of several radii or step sizes.
///
/// ```text
/// accuracy(ε, α) = (1/N) Σ_i [argmax f(x'_i) = t_i]
/// ```
///
/// x'_i is image i after the attack in the ball of radius ε with steps of α, t_i its true label.
/// [`Attack::curve`](super::Attack::curve) and
/// [`Pgd::curve_over_alpha`](super::Pgd::curve_over_alpha) give it.
///
/// - **Shapes**: the lists `eps`, `step_size` and `accuracy` have one entry for each point.
/// - **Range**: ε and α ≥ 0 in pixel units; accuracies in \[0, 1\].
/// - **Source**: *isometry*, figure 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustAccuracy {
    /// The name of the attack, with the number of its steps.
    pub attack: String,
    /// The radius ε of the ball at each point, pixel units.
    pub eps: Vec<f64>,
    /// The step size α at each point, pixel units; equals ε for FGSM and
    /// for attacks that have no step size to choose.
    pub step_size: Vec<f64>,
    /// The share of images that keep their true label in every restart, in \[0, 1\].
    pub accuracy: Vec<f64>,
    /// The number of images whose gradient was exactly 0 at the first step, so that the attack had
    /// no direction; see [`Adversarial::zero_gradients`](super::Adversarial::zero_gradients).
    pub zero_gradients: usize,
    /// The number of attacked images.
    pub images: usize,
    /// The time that the whole curve took, seconds of wall time.
    pub seconds: f64,
}

impl RobustAccuracy {
    /// The curve of an untargeted attack without a step size of its own, by one `attack` at each of
    /// `eps`.
    pub(super) fn one_by_one(
        eps: &[f64],
        mut attack: impl FnMut(f64) -> Result<Adversarial>,
    ) -> Result<Self> {
        let begin = Instant::now();
        let mut all = Vec::new();
        for eps in eps {
            all.push(attack(*eps)?);
        }
        let Some(first) = all.first() else {
            let expected = "at least one";
            return Err(Error::argument("radii or step sizes", expected, "none"));
        };
        Ok(Self {
            attack: first.attack.clone(),
            eps: eps.to_vec(),
            step_size: eps.to_vec(),
            accuracy: all.iter().map(|found| 1. - found.success_rate()).collect(),
            zero_gradients: all
                .iter()
                .map(|found| found.zero_gradients)
                .max()
                .unwrap_or(0),
            images: first.success.len(),
            seconds: begin.elapsed().as_secs_f64(),
        })
    }
}
