//! What an attacker wants, and how a perturbation is measured.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The norm that measures a perturbation δ, over all pixels of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// ‖δ‖∞ = max |δ_i|.
    #[default]
    LInf,
    /// ‖δ‖₂ = √(Σ δ_i²).
    L2,
}

/// What the attacker wants.
#[derive(Clone, Debug, Default)]
pub enum Goal {
    /// Any label but the true one: ascends the loss at the true labels.
    #[default]
    Untargeted,
    /// These labels, (N,) of `u32`: descends the loss at them.
    Targeted(Tensor),
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

/// # Errors
/// `eps` negative or not finite.
pub(super) fn validate_eps(eps: f64) -> Result<()> {
    match eps.is_finite() && eps >= 0. {
        true => Ok(()),
        false => Err(Error::argument("eps", "a finite number ≥ 0", eps)),
    }
}
