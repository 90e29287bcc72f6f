//! The goal of an attack, and the norm of a perturbation.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::checks::not_negative;
use crate::error::Result;

/// The norm that measures a perturbation, over all pixels of one image.
///
/// ```text
/// ‖δ‖∞ = max_k |δ_k|,  ‖δ‖₂ = √Σ_k δ_k²
/// ```
///
/// - **Shapes**: δ, a perturbation of one image (…), gives a number.
/// - **Range**: ≥ 0, in pixel units.
/// - **Source**: the definition; the *isometry* paper attacks in L∞ (section 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The largest change of a pixel, ‖δ‖∞ = max_k |δ_k|.
    #[default]
    LInf,
    /// The Euclidean length of the change, ‖δ‖₂ = √Σ_k δ_k².
    L2,
}

/// The answer that an attacker wants from the network.
///
/// ```text
/// untargeted: argmax f(x') ≠ t,  t the true label
/// targeted:   argmax f(x') = t,  t the label to reach
/// ```
///
/// - **Shapes**: labels to reach (N,) of u32, one for each image.
/// - **Range**: labels below the number of classes.
/// - **Source**: Goodfellow et al. 2015 (arXiv 1412.6572) for untargeted attacks, as in *isometry*;
///   Szegedy et al. 2014 (arXiv 1312.6199) for targeted ones.
#[derive(Clone, Debug, Default)]
pub enum Goal {
    /// Any label but the true one: the attack ascends the loss at the true labels.
    #[default]
    Untargeted,
    /// The given labels, (N,) of u32: the attack descends the loss at them.
    Targeted(Tensor),
}

impl Norm {
    /// What the name of an attack says of its norm and goal: nothing of the usual ones.
    pub(super) fn words(self, goal: &Goal) -> String {
        let norm = match self {
            Self::LInf => "",
            Self::L2 => ", L2",
        };
        let goal = match goal {
            Goal::Untargeted => "",
            Goal::Targeted(_) => ", targeted",
        };
        format!("{norm}{goal}")
    }
}

impl Goal {
    /// Whether a prediction is what the attacker wants; `aim` is the true label, or the one to
    /// reach.
    pub(super) fn is_met(&self, prediction: u32, aim: u32) -> bool {
        match self {
            Self::Untargeted => prediction != aim,
            Self::Targeted(_) => prediction == aim,
        }
    }
}

/// Checks a radius.
///
/// # Errors
/// `eps` negative or not finite.
pub(super) fn validate_eps(eps: f64) -> Result<()> {
    not_negative("eps", eps)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::attacks::{Fgsm, Pgd};

    #[test]
    fn names_tell_what_is_unusual() {
        let aims = Tensor::zeros(1, DType::U32, &Device::Cpu).unwrap();
        let (norm, goal) = (Norm::L2, Goal::Targeted(aims));
        let pgd = Pgd {
            norm,
            goal,
            ..Pgd::default()
        };
        assert_eq!(pgd.to_string(), "PGD, 10 steps, L2, targeted");
        assert_eq!(Pgd::default().to_string(), "PGD, 10 steps");
        let fgsm = Fgsm {
            norm,
            ..Fgsm::default()
        };
        assert_eq!(fgsm.to_string(), "FGSM, L2");
        assert_eq!(Fgsm::default().to_string(), "FGSM");
    }
}
