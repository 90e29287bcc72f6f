//! The isometric loss, which trains a network to keep distances.

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

/// The partition of a batch into cells: the isometric loss keeps the distances inside each cell.
///
/// ```text
/// G_ij = 1 where x_i and x_j lie in one cell, else 0
/// ```
///
/// The matrix G and the partition say the same. The code keeps a number for each point, its cell:
/// G_ij = 1 where cells_i = cells_j. A point alone in its cell adds nothing to the loss.
///
/// - **Shapes**: `cells` (N,) of u32 for a batch of N points, in place of G (N, N).
/// - **Range**: G_ij is 0 or 1.
/// - **Source**: *isometry*, section 2, second displayed equation; [`Partition::Global`] and
///   [`Partition::None`] stand for the other two mappings of section 2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    /// Each class is a cell: G_ij = 1 where the labels t_i = t_j. Gives a local isometry.
    #[default]
    Local,
    /// The whole batch is one cell: G_ij = 1 for all pairs. Gives a global isometry.
    Global,
    /// Each point is a cell of its own: no pair keeps its distance, and L_ISO = 0.
    None,
}

/// Writes the partition's name: `local`, `global` or `none`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Global => "global",
            Self::None => "none",
        })
    }
}

/// The loss of isometric networks: cross-entropy, and how much a representation changes distances.
///
/// ```text
/// L     = α·L_CE + β·L_ISO
/// L_CE  = −(1/N) Σ_i log softmax(f(x_i))_{t_i}
/// L_ISO = (1/N²) ‖G ⊙ (D_M − D_Φ)‖²_F
///       = (1/N²) Σ_ij G_ij (d(x_i, x_j) − d(Φ(x_i), Φ(x_j)))²
/// ```
///
/// D_M holds the distances d between the inputs of a batch, each flattened to a vector, D_Φ those
/// between their representations Φ; the [`Partition`] G chooses the pairs. N is the size of the
/// batch: the loss couples its samples, and another batch gives another value. Differentiable in
/// the weights and in the inputs, in these through Φ and through D_M. With β = 0 [`Loss::loss`]
/// computes the cross-entropy alone, and [`Loss::terms`] cuts the gradient of L_ISO.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0. L_CE is in nats, L_ISO in the square of the distance's unit; L_ISO is 0 where
///   Φ keeps every distance inside a cell.
/// - **Source**: *isometry*, section 2, first displayed equation, with the weights of section 2.1.
///   The paper's L_CSE is our L_CE.
///
/// # Errors
/// [`Loss::loss`] refuses α or β negative or not finite, a representation that the network does not
/// have or whose dtype is not the inputs', and what [`cross_entropy`] refuses.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let x = Tensor::new(&[[0f32, 0.], [3., 4.], [1., 1.]], &device)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &device)?;
/// // Φ doubles every distance. The one pair inside a class is 5 apart, then 10.
/// let l_iso = IsometricLoss::new(1.).isometric(&x, &(&x * 2.)?, &labels)?.to_scalar::<f32>()?;
/// assert!((l_iso - 2. * 5f32.powi(2) / 9.).abs() < 1e-5);
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 2], Activation::Tanh, vb))?;
/// let data = Dataset::new(x, labels)?;
/// // The input itself keeps every distance: the cross-entropy remains.
/// let loss = IsometricLoss { representation: Representation::Input, ..IsometricLoss::new(1.) };
/// let [l, l_ce] = [loss.loss(&network, &data)?, CrossEntropy.loss(&network, &data)?];
/// assert!((l - l_ce)?.abs()?.to_scalar::<f32>()? < 1e-5);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct IsometricLoss {
    /// α, the weight of the cross-entropy; 1 by default.
    pub alpha: f64,
    /// β, the weight of the isometric term; 0.1 by default. The *isometry* paper takes 0 to 10 on
    /// MNIST, 100 on the torus.
    pub beta: f64,
    /// G, the pairs whose distances are compared; [`Partition::Local`] by default.
    pub partition: Partition,
    /// Φ, the representation that is to keep distances; [`Representation::LastHidden`] by default.
    pub representation: Representation,
    /// d, the distance of inputs and of representations alike; [`Euclidean`] by default.
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
    /// The loss L_CE + β·L_ISO with all other defaults: inside each class, on the last hidden
    /// layer.
    pub fn new(beta: f64) -> Self {
        Self {
            beta,
            ..Self::default()
        }
    }

    /// Checks that the weights α and β are finite and not negative.
    ///
    /// # Errors
    /// α or β negative, NaN or infinite.
    pub fn validate(&self) -> Result<()> {
        checks::not_negative("alpha", self.alpha)?;
        checks::not_negative("beta", self.beta)
    }

    /// The isometric term L_ISO of a batch, without its weight β; differentiable in `x` and `phi`.
    ///
    /// ```text
    /// L_ISO = (1/N²) Σ_ij G_ij (d(x_i, x_j) − d(Φ_i, Φ_j))²
    /// ```
    ///
    /// The cells of G follow from `labels` by [`IsometricLoss::partition`]; then
    /// [`ops::isometric`].
    ///
    /// - **Shapes**: `x` (N, …) inputs, `phi` (N, …) their representations Φ, each flattened to a
    ///   vector, `labels` (N,) of u32; the result is a scalar ().
    /// - **Range**: ≥ 0, in the square of the distance's unit.
    /// - **Source**: *isometry*, section 2, first displayed equation, second term.
    ///
    /// # Errors
    /// Shapes or dtypes that do not fit, labels that are not u32, or an empty batch.
    pub fn isometric(&self, x: &Tensor, phi: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let cells = self.cells(labels, x.dims().first().copied().unwrap_or(0))?;
        ops::isometric(&rows(x)?, &rows(phi)?, &cells, self.distance.as_ref())
    }

    /// The cell of the partition that each of `n` points lies in: G_ij = 1 where two cells are
    /// equal.
    pub(crate) fn cells(&self, labels: &Tensor, n: usize) -> Result<Vec<u32>> {
        let labels = checks::labels("isometric loss", labels, n, None)?;
        Ok(match self.partition {
            Partition::Local => labels,
            Partition::Global => vec![0; n],
            Partition::None => (0..n as u32).collect(),
        })
    }

    /// The loss and its terms from what a network has answered already.
    ///
    /// ```text
    /// L = α·L_CE + β·L_ISO
    /// ```
    ///
    /// With β = 0 the isometric term is given too, but no gradient flows through it.
    ///
    /// - **Shapes**: `x` (N, …) inputs, `phi` (N, …) their representations Φ, `logits` (N, C),
    ///   `labels` (N,) of u32, each below C; every term is a scalar ().
    /// - **Range**: ≥ 0.
    /// - **Source**: *isometry*, section 2.1, the weighted loss.
    ///
    /// # Errors
    /// α or β negative or not finite, shapes or dtypes that do not fit, labels that are not u32 or
    /// out of range, or an empty batch.
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

    /// L from its terms; no gradient flows through an isometric term with β = 0.
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

    /// Gives the isometric term also with β = 0; then no gradient flows through it.
    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let [phi, logits] = self.outputs(network, &batch.inputs)?;
        self.terms_of(&batch.inputs, &phi, &logits, &batch.labels)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// `t` times `factor`, without an operation where the factor is 1.
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
