//! The parameters of a band.

use serde::{Deserialize, Serialize};

use crate::checks::{Bounds, at_least_one, positive};
use crate::error::{Error, Result};
use crate::optimizers::Optimizer;

/// What keeps the pivots of a band apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Springs between neighbours.
    ///
    /// ```text
    /// k (‖z_{i+1} − z_i‖ − ‖z_i − z_{i−1}‖) τ_i
    /// ```
    ///
    /// - **Shapes**: a force for each pivot.
    /// - **Range**: k > 0, in energy over squared length.
    /// - **Source**: Henkelman & Jónsson 2000, equation 12
    Springs {
        /// k.
        constant: f64,
    },
    /// After each step the pivots are [redistributed](super::band::redistribute): springs of
    /// infinite k.
    Redistribution,
}

/// The condition that ends the relaxation of a band.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The dense check passes: every sample of the path, pivots and between pivots, has a positive
    /// margin.
    Connected,
    /// The largest ‖F_i‖₂ of its pivots is below this number > 0.
    Force(f64),
}

/// The parameters of a nudged elastic band: how [`neb`](super::neb()) relaxes it.
///
/// ```text
/// F_i = −∇E(z_i) + (∇E(z_i) · τ_i) τ_i + k (‖z_{i+1} − z_i‖ − ‖z_i − z_{i−1}‖) τ_i
/// F_i = −∇E(z_i) + 2 (∇E(z_i) · τ_i) τ_i                        the climbing image
/// ```
///
/// - **Shapes**: a band of P pivots and two ends, each a point of any shape.
/// - **Range**: that of each field.
/// - **Source**: Jónsson, Mills & Jacobsen 1998; the climbing image: Henkelman, Uberuaga & Jónsson
///   2000.
///
/// ```
/// use isopath::paths::{FireParams, NebParams, Spacing, Stop};
///
/// // To find a saddle on a smooth surface; the defaults look for any path that stays inside.
/// let saddle = NebParams {
///     spacing: Spacing::Springs { constant: 100. },
///     climbing: true,
///     optimizer: FireParams::default().into(),
///     stop: Stop::Force(0.01),
///     ..NebParams::default()
/// };
/// saddle.validate()?;
/// let refused = NebParams { pivots: 0, ..saddle };
/// assert_eq!(refused.validate().unwrap_err().to_string(), "pivots is 0; expected at least 1");
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// The *connectivity* paper gives no hyper-parameter of its band beyond "N pivot points" and "a
/// very small number of iterations"; the defaults are ours, for images in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NebParams {
    /// The number P of points between the ends, at least 1. Default 8.
    pub pivots: usize,
    /// What keeps the pivots apart. Default springs with k = 1.
    pub spacing: Spacing,
    /// Whether the highest pivot climbs to the saddle, F = −∇E + 2 (∇E · τ) τ; needs springs, and
    /// ends below the saddle. Default false: a band only has to get below a level, not to find the
    /// saddle.
    pub climbing: bool,
    /// The optimiser that follows the forces. Default Adam with η = 0.01.
    pub optimizer: Optimizer,
    /// The condition that ends the relaxation. Default [`Stop::Connected`].
    pub stop: Stop,
    /// The largest number of iterations, at least 1. Default 200.
    pub max_iterations: usize,
    /// The number of samples of the dense check on each of the P + 1 segments, the segment's first
    /// end included; at least 1. Default 10.
    pub samples_per_segment: usize,
    /// The range that every coordinate stays in; `None` leaves them free. The ends are not clipped:
    /// they must be inside. Default `None`, since only pixels have bounds.
    pub bounds: Option<Bounds>,
    /// The number of bands that are relaxed together, at least 1. It bounds the memory; no band
    /// depends on the others. Default 32.
    pub batch_size: usize,
}

impl Default for NebParams {
    fn default() -> Self {
        Self {
            pivots: 8,
            spacing: Spacing::Springs { constant: 1. },
            climbing: false,
            optimizer: Optimizer::adam(0.01),
            stop: Stop::Connected,
            max_iterations: 200,
            samples_per_segment: 10,
            bounds: None,
            batch_size: 32,
        }
    }
}

impl NebParams {
    /// Checks every field.
    ///
    /// # Errors
    /// A count of 0; k, a step size or the force to stop at not positive and finite; the momentum
    /// outside [0, 1); bounds that are not finite with min < max; climbing without springs.
    pub fn validate(&self) -> Result<()> {
        let counts = [
            ("pivots", self.pivots),
            ("max_iterations", self.max_iterations),
            ("samples_per_segment", self.samples_per_segment),
            ("batch_size", self.batch_size),
        ];
        for (name, count) in counts {
            at_least_one(name, count)?;
        }
        match self.spacing {
            Spacing::Springs { constant } => positive("spring constant", constant)?,
            Spacing::Redistribution if self.climbing => {
                return Err(Error::argument(
                    "climbing",
                    "false with redistribution, which moves every pivot",
                    true,
                ));
            }
            Spacing::Redistribution => {}
        }
        check_optimizer(&self.optimizer)?;
        if let Stop::Force(force) = self.stop {
            positive("force", force)?;
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// What a band can follow: an optimiser that moves, and by the energy's gradient alone.
pub(super) fn check_optimizer(optimizer: &Optimizer) -> Result<()> {
    optimizer.validate()?;
    match optimizer {
        Optimizer::Adam(params) => positive("learning_rate", params.learning_rate),
        Optimizer::Sgd(params) if params.weight_decay > 0. => {
            let expected =
                "0, since it would pull a path to the origin (SgdParams::plain has none)";
            Err(Error::argument(
                "weight_decay",
                expected,
                params.weight_decay,
            ))
        }
        Optimizer::Sgd(params) => positive("learning_rate", params.learning_rate),
        Optimizer::Fire(_) => Ok(()),
    }
}
