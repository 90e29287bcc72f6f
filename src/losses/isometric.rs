//! The isometric loss, by which a network keeps distances.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;

use crate::checks;
use crate::datasets::Dataset;
use crate::distances::{Distance, Euclidean};
use crate::error::{Error, Result};
use crate::losses::{Loss, LossTerms, cross_entropy};
use crate::models::{Network, Representation};
use crate::ops;

/// Which pairs of a batch keep their distance: the matrix G of the *isometry* paper, section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    /// The pairs inside a class: G_ij = 1 where t_i = t_j.
    #[default]
    Local,
    /// All pairs: G_ij = 1.
    Global,
    /// No pairs: G = 0.
    None,
}

/// `local`, `global` or `none`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Global => "global",
            Self::None => "none",
        })
    }
}

/// L = α·L_CE + β·L_ISO, L_ISO = (1/N²) ‖G ⊙ (D_M − D_Φ)‖²_F.
///
/// D_M are the distances of the inputs, each flattened to a vector, D_Φ those of their
/// representations, N the size of the batch, so the value depends on the batch as a whole.
/// Differentiable in the weights and in the inputs: the latter through Φ and through D_M, as
/// section 3.2 needs it. With β = 0 only the cross-entropy is computed.
///
/// *isometry* paper, sections 2 and 2.1.
#[derive(Clone, Debug)]
pub struct IsometricLoss {
    /// α, the weight of the cross-entropy; 1 by default.
    pub alpha: f64,
    /// β, the weight of the isometric term; 0.1 by default. The paper takes 0 to 10 on MNIST, 100
    /// on the torus.
    pub beta: f64,
    /// G; [`Partition::Local`] by default.
    pub partition: Partition,
    /// Φ; [`Representation::LastHidden`] by default.
    pub representation: Representation,
    /// d, for inputs and representations alike; [`Euclidean`] by default.
    pub distance: Arc<dyn Distance>,
}

impl Default for IsometricLoss {
    fn default() -> Self {
        Self {
            alpha: 1.,
            beta: 0.1,
            partition: Partition::default(),
            representation: Representation::default(),
            distance: Arc::new(Euclidean),
        }
    }
}

impl IsometricLoss {
    /// L = L_CE + β·L_ISO inside the classes, on the last hidden representation.
    pub fn new(beta: f64) -> Self {
        Self {
            beta,
            ..Self::default()
        }
    }

    /// Checks the weights of both terms.
    ///
    /// # Errors
    /// α or β negative, NaN or infinite.
    pub fn validate(&self) -> Result<()> {
        for (name, weight) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(weight.is_finite() && weight >= 0.) {
                return Err(Error::argument(name, "a finite number ≥ 0", weight));
            }
        }
        Ok(())
    }

    /// L_ISO of a batch, a scalar: `x` (N, …) inputs, `phi` (N, …) their representations, `labels`
    /// (N,) of u32.
    ///
    /// # Errors
    /// Shapes that do not fit, or an empty batch.
    pub fn isometric(&self, x: &Tensor, phi: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let cells = self.cells(labels, x.dims().first().copied().unwrap_or(0))?;
        ops::isometric(&rows(x)?, &rows(phi)?, &cells, self.distance.as_ref())
    }

    /// The cell of the partition that each of `n` points lies in: G_ij = 1 where two are equal.
    pub(crate) fn cells(&self, labels: &Tensor, n: usize) -> Result<Vec<u32>> {
        let labels = checks::labels("isometric loss", labels, n, None)?;
        Ok(match self.partition {
            Partition::Local => labels,
            Partition::Global => vec![0; n],
            Partition::None => (0..n as u32).collect(),
        })
    }

    /// L and its terms from a network's outputs: `x` (N, …) inputs, `phi` (N, …) their
    /// representations, `logits` (N, classes), `labels` (N,) of u32. With β = 0 the isometric term is
    /// given too, but not followed.
    ///
    /// # Errors
    /// α or β out of its range, shapes that do not fit, labels out of range, or an empty batch.
    pub fn terms_of(
        &self,
        x: &Tensor,
        phi: &Tensor,
        logits: &Tensor,
        labels: &Tensor,
    ) -> Result<LossTerms> {
        self.validate()?;
        let isometric = match self.beta > 0. {
            true => self.isometric(x, phi, labels)?,
            false => self.isometric(&x.detach(), &phi.detach(), labels)?,
        };
        self.sum(cross_entropy(logits, labels)?, Some(isometric), logits)
    }

    /// L of its terms; an isometric term with β = 0 is not followed.
    fn sum(
        &self,
        cross_entropy: Tensor,
        isometric: Option<Tensor>,
        logits: &Tensor,
    ) -> Result<LossTerms> {
        let mut loss = times(&cross_entropy, self.alpha)?;
        if let Some(isometric) = isometric.as_ref().filter(|_| self.beta > 0.) {
            loss = (loss + times(isometric, self.beta)?)?;
        }
        Ok(LossTerms {
            loss,
            logits: Some(logits.detach()),
            cross_entropy: Some(cross_entropy.detach()),
            isometric: isometric.map(|isometric| isometric.detach()),
        })
    }

    /// Φ and the logits of a batch of inputs.
    fn outputs(&self, network: &dyn Network, x: &Tensor) -> Result<[Tensor; 2]> {
        let mut all = network.representations(x)?;
        let phi = all[self.representation.index(network.stages())?].clone();
        let logits = all
            .pop()
            .ok_or_else(|| Error::argument("stages", "at least 1", 0))?;
        Ok([phi, logits])
    }
}

impl Loss for IsometricLoss {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.validate()?;
        let Dataset { inputs, labels, .. } = batch;
        let [phi, logits] = self.outputs(network, inputs)?;
        let isometric = match self.beta > 0. {
            true => Some(self.isometric(inputs, &phi, labels)?),
            false => None,
        };
        Ok(self
            .sum(cross_entropy(&logits, labels)?, isometric, &logits)?
            .loss)
    }

    /// With β = 0 the isometric term is given too, but not followed.
    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let [phi, logits] = self.outputs(network, &batch.inputs)?;
        self.terms_of(&batch.inputs, &phi, &logits, &batch.labels)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// Without an operation where the factor is 1.
fn times(t: &Tensor, factor: f64) -> Result<Tensor> {
    Ok(if factor == 1. {
        t.clone()
    } else {
        (t * factor)?
    })
}

/// A batch as a matrix, a row each.
fn rows(t: &Tensor) -> Result<Tensor> {
    Ok(if t.rank() > 2 {
        t.flatten_from(1)?
    } else {
        t.clone()
    })
}
