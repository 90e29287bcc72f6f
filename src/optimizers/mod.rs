//! Optimisers: Adam, SGD and FIRE. They move the weights of networks in [training](crate::training)
//! and the pivots of bands in [paths](crate::paths).
//!
//! An [`Optimizer`] is the choice of a method and its parameters, a plain value. A [`State`]
//! applies it to some tensors and remembers earlier steps.
//!
//! The numbers do not depend on the number of threads.

mod adam;
mod fire;
mod sgd;
mod state;

use serde::{Deserialize, Serialize};

pub use adam::AdamParams;
pub use fire::FireParams;
pub use sgd::SgdParams;
pub use state::State;

use crate::error::Result;

/// An optimisation method with its parameters: one of three.
///
/// | method | step along the gradient g | for |
/// |---|---|---|
/// | [`Adam`](AdamParams) | each coordinate scaled by its own past: about the learning rate, however small g is | networks; bands whose forces differ much in size |
/// | [`Sgd`](SgdParams) | along g, with momentum | networks; plain gradient descent |
/// | [`Fire`](FireParams) | a mass that slides downhill and is stopped when it goes uphill | smooth energies without noise: bands on surfaces, all data in one batch |
///
/// The parameters alone are enough where an optimiser is asked for by `impl Into<Optimizer>`.
///
/// ```
/// use isopath::optimizers::{AdamParams, Optimizer};
///
/// let small = AdamParams { learning_rate: 1e-4, ..AdamParams::default() };
/// assert_eq!(Optimizer::from(small), Optimizer::Adam(small));
/// assert_eq!(Optimizer::default(), Optimizer::Adam(AdamParams::default()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015).
    Adam(AdamParams),
    /// Stochastic gradient descent with momentum; without noise, plain gradient descent.
    Sgd(SgdParams),
    /// The fast inertial relaxation engine (Bitzek et al. 2006).
    Fire(FireParams),
}

/// Adam with PyTorch's parameters.
impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(AdamParams::default())
    }
}

impl From<AdamParams> for Optimizer {
    fn from(params: AdamParams) -> Self {
        Self::Adam(params)
    }
}

impl From<SgdParams> for Optimizer {
    fn from(params: SgdParams) -> Self {
        Self::Sgd(params)
    }
}

impl From<FireParams> for Optimizer {
    fn from(params: FireParams) -> Self {
        Self::Fire(params)
    }
}

impl Optimizer {
    /// Adam with this learning rate, and PyTorch's other parameters.
    pub fn adam(learning_rate: f64) -> Self {
        Self::Adam(AdamParams {
            learning_rate,
            ..AdamParams::default()
        })
    }

    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// What [`AdamParams::validate`], [`SgdParams::validate`] or [`FireParams::validate`] refuses.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Adam(params) => params.validate(),
            Self::Sgd(params) => params.validate(),
            Self::Fire(params) => params.validate(),
        }
    }
}
