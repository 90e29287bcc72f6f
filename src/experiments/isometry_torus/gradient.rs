//! Which layers the loss of each layer reaches.

use candle_core::DType;
use serde::Serialize;

use super::settings::{Gradient, Settings};
use crate::error::Result;
use crate::losses::LossTerms;
use crate::training::stack_terms;

/// The norm of ∇L_k in the weights of layer l at `[k][l]`, before training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientNorms {
    /// With the gradient stopped between layers.
    #[serde(rename = "cut")]
    pub stopped: Vec<Vec<f64>>,
    /// With the gradient let through.
    pub through: Vec<Vec<f64>>,
}

/// How strongly each loss pulls at the weights of each layer, in fresh stacks of a seed.
///
/// # Errors
/// A setting out of its range.
pub fn gradient_norms(settings: &Settings, seed: u64) -> Result<GradientNorms> {
    Ok(GradientNorms {
        stopped: norms(settings, Gradient::Stopped, seed)?,
        through: norms(settings, Gradient::Through, seed)?,
    })
}

fn norms(settings: &Settings, gradient: Gradient, seed: u64) -> Result<Vec<Vec<f64>>> {
    let stack = settings.stack(gradient, seed)?;
    let terms = stack_terms(&stack, &settings.data(seed)?.levels()?, &settings.loss())?;
    let norms = |terms: &LossTerms| -> Result<Vec<f64>> {
        let gradients = terms.loss.backward()?;
        let mut squares = vec![0.; stack.len()];
        for (layer, square) in squares.iter_mut().enumerate() {
            let prefix = format!("lil.{layer}.");
            let weights = stack.parameters().named();
            for (_, var) in weights.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                if let Some(gradient) = gradients.get(var) {
                    let sum = gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?;
                    *square += sum.to_scalar::<f64>()?;
                }
            }
        }
        Ok(squares.into_iter().map(f64::sqrt).collect())
    };
    terms.iter().map(norms).collect()
}
