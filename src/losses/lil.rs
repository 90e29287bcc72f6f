//! The loss of locally isometric layers.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;

use crate::distances::{Euclidean, Metric};
use crate::error::{Error, Result};
use crate::losses::{Loss, Terms, cross_entropy, labels_of};
use crate::models::Network;
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

/// Which output of the network is Φ, the representation that is kept isometric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Representation {
    /// The output of the last hidden stage, which a linear layer classifies.
    #[default]
    LastHidden,
    /// The output of the last stage.
    Logits,
    /// The output of the stage of this index, from 0.
    Stage(usize),
}

impl Representation {
    /// The index of the stage whose output it is, in a network of `stages`.
    ///
    /// # Errors
    /// The network has no such stage.
    pub fn stage(self, stages: usize) -> Result<usize> {
        let stage = match self {
            Self::LastHidden => stages.checked_sub(2),
            Self::Logits => stages.checked_sub(1),
            Self::Stage(index) => Some(index).filter(|&index| index < stages),
        };
        let expected = || format!("an output of a network of {stages} stages");
        stage.ok_or_else(|| Error::argument("representation", expected(), format!("{self:?}")))
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
pub struct Lil {
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
    pub metric: Arc<dyn Metric>,
}

impl Default for Lil {
    fn default() -> Self {
        Self {
            alpha: 1.,
            beta: 0.1,
            partition: Partition::default(),
            representation: Representation::default(),
            metric: Arc::new(Euclidean),
        }
    }
}

impl Lil {
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
        let cells = self.cells(labels, labels.elem_count())?;
        ops::isometric(&rows(x)?, &rows(phi)?, &cells, self.metric.as_ref())
    }

    /// The cell of the partition that each of `n` points lies in: G_ij = 1 where two are equal.
    pub(crate) fn cells(&self, labels: &Tensor, n: usize) -> Result<Vec<u32>> {
        let labels = labels_of(labels, n)?;
        Ok(match self.partition {
            Partition::Local => labels,
            Partition::Global => vec![0; n],
            Partition::None => (0..n as u32).collect(),
        })
    }

    /// L and its parts from a network's outputs: `x` (N, …) inputs, `phi` (N, …) their
    /// representations, `logits` (N, classes), `labels` (N,) of u32. With β = 0 the isometric term
    /// is given too, but not followed.
    ///
    /// # Errors
    /// α or β out of its range, shapes that do not fit, labels out of range, or an empty batch.
    pub fn terms_of(
        &self,
        x: &Tensor,
        phi: &Tensor,
        logits: &Tensor,
        labels: &Tensor,
    ) -> Result<Terms> {
        self.combine(x, phi, logits, labels, false)
    }

    fn combine(
        &self,
        x: &Tensor,
        phi: &Tensor,
        logits: &Tensor,
        labels: &Tensor,
        followed_only: bool,
    ) -> Result<Terms> {
        self.validate()?;
        let cross_entropy = cross_entropy(logits, labels)?;
        let mut loss = times(&cross_entropy, self.alpha)?;
        let isometric = if self.beta > 0. {
            let isometric = self.isometric(x, phi, labels)?;
            loss = (loss + times(&isometric, self.beta)?)?;
            Some(isometric.detach())
        } else if followed_only {
            None
        } else {
            Some(self.isometric(&x.detach(), &phi.detach(), labels)?)
        };
        Ok(Terms {
            loss,
            logits: Some(logits.detach()),
            cross_entropy: Some(cross_entropy.detach()),
            isometric,
        })
    }

    fn evaluate(
        &self,
        network: &dyn Network,
        x: &Tensor,
        labels: &Tensor,
        followed_only: bool,
    ) -> Result<Terms> {
        self.validate()?;
        let outputs = network.representations(x)?;
        let phi = &outputs[self.representation.stage(outputs.len())?];
        let Some(logits) = outputs.last() else {
            return Err(Error::argument("stages", "at least 1", 0));
        };
        self.combine(x, phi, logits, labels, followed_only)
    }
}

impl Loss for Lil {
    fn loss(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Tensor> {
        Ok(self.evaluate(network, x, labels, true)?.loss)
    }

    /// With β = 0 the isometric term is given too, but not followed.
    fn terms(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Terms> {
        self.evaluate(network, x, labels, false)
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
