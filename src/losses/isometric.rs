//! The isometric loss, which trains a network to keep distances.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Tensor};

use crate::checks;
use crate::datasets::Dataset;
use crate::distances::slices::euclidean;
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
/// L_ISO = (1/N²) ‖G ⊙ (D_M − K·D_Φ)‖²_F
///       = (1/N²) Σ_ij G_ij (d(x_i, x_j) − K·d(Φ(x_i), Φ(x_j)))²,  K = 1 by default
/// ```
///
/// D_M holds the distances d between the inputs of a batch, each flattened to a vector, D_Φ those
/// between their representations Φ; the [`Partition`] G chooses the pairs. N is the size of the
/// batch: the loss couples its samples, and another batch gives another value. Differentiable in
/// the weights and in the inputs, in these through Φ and through D_M. With β = 0 [`Loss::loss`]
/// computes the cross-entropy alone, and [`Loss::terms`] cuts the gradient of L_ISO.
///
/// **What the paper's authors computed.** Their public code (KBeshkov/HIsometricNets) compares the
/// distances in three ways, and nothing says which made figure 3. All have the mean over N² pairs
/// and the cells of the labels; D_M is that of the images before an attack.
///
/// | version | L_ISO | here |
/// |---|---|---|
/// | 2022-09-16, β = 100 | ((1/N²) ‖G ⊙ (D_M / max(G ⊙ D_M) − D_Φ / (0.1 · max(G ⊙ D_Φ)))‖²_F)² | `scale: 10.`, `normalised: true`, `squared: true` |
/// | 2022-11-08 | (1/N²) ‖G ⊙ (D_M − D_Φ)‖²_F | the default |
/// | 2022-11-09, β = 0.1 | (1/N²) ‖G ⊙ (D_M − 10 · D_Φ)‖²_F | `scale: 10.` |
///
/// So K = 10 asks for a map a tenth as long. The first version cannot reach 0: the largest D_Φ counts
/// as 10, the largest D_M as 1.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0. L_CE is in nats, L_ISO in the square of the distance's unit; L_ISO is 0 where
///   Φ keeps every distance inside a cell.
/// - **Source**: *isometry*, section 2, first displayed equation, with the weights of section 2.1.
///   The paper's L_CSE is our L_CE.
///
/// # Errors
/// [`Loss::loss`] refuses α or β negative or not finite, K not positive and finite, a representation
/// that the network does not have or whose dtype is not the inputs', with another scale or
/// normalisation than the default a distance other than the Euclidean, and what [`cross_entropy`]
/// refuses.
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
#[derive(Clone)]
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
    /// K > 0, the factor of the distances of representations; 1 by default. An isometry up to the
    /// factor 1/K has L_ISO = 0.
    pub scale: f64,
    /// Whether D_M and D_Φ are each divided by their largest entry inside the cells of the batch,
    /// through which gradients flow; false by default. Then L_ISO does not change with the size of
    /// either.
    pub normalised: bool,
    /// Whether L_ISO is squared once more, the mean as a whole; false by default.
    pub squared: bool,
}

/// Says nothing of scale and normalisation where they are the default ones, so that checkpoints of
/// earlier versions can go on.
impl fmt::Debug for IsometricLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("IsometricLoss");
        text.field("alpha", &self.alpha)
            .field("beta", &self.beta)
            .field("partition", &self.partition)
            .field("representation", &self.representation)
            .field("distance", &self.distance);
        if self.scale != 1. {
            text.field("scale", &self.scale);
        }
        for (name, value) in [("normalised", self.normalised), ("squared", self.squared)] {
            if value {
                text.field(name, &value);
            }
        }
        text.finish()
    }
}

impl Default for IsometricLoss {
    fn default() -> Self {
        Self {
            alpha: 1.,
            beta: 0.1,
            partition: Partition::default(),
            representation: Representation::default(),
            distance: Arc::new(Euclidean),
            scale: 1.,
            normalised: false,
            squared: false,
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

    /// Checks the weights α and β, the scale K and whether the distance can be scaled.
    ///
    /// # Errors
    /// α or β negative, NaN or infinite; K not positive and finite; with K ≠ 1 or normalised, a
    /// distance other than the Euclidean.
    pub fn validate(&self) -> Result<()> {
        checks::not_negative("alpha", self.alpha)?;
        checks::not_negative("beta", self.beta)?;
        self.check_distance()
    }

    fn check_distance(&self) -> Result<()> {
        checks::positive("scale", self.scale)?;
        let is_plain = self.scale == 1. && !self.normalised;
        if is_plain || (self.distance.as_ref() as &dyn Any).is::<Euclidean>() {
            return Ok(());
        }
        let expected = "Euclidean with another scale than 1, and where it is normalised";
        let got = format!("{:?}", self.distance);
        Err(Error::argument("distance", expected, got))
    }

    /// Whether L_ISO is that of the paper: distances as they are, K = 1.
    pub(crate) fn is_plain(&self) -> bool {
        self.scale == 1. && !self.normalised && !self.squared
    }

    /// The isometric term L_ISO of a batch, without its weight β; differentiable in `x` and `phi`.
    ///
    /// ```text
    /// L_ISO = (1/N²) Σ_ij G_ij (d(x_i, x_j) − K·d(Φ_i, Φ_j))²
    /// ```
    ///
    /// The cells of G follow from `labels` by [`IsometricLoss::partition`]; then
    /// [`ops::isometric`], of points that are scaled where distances are.
    ///
    /// - **Shapes**: `x` (N, …) inputs, `phi` (N, …) their representations Φ, each flattened to a
    ///   vector, `labels` (N,) of u32; the result is a scalar ().
    /// - **Range**: ≥ 0, in the square of the distance's unit.
    /// - **Source**: *isometry*, section 2, first displayed equation, second term.
    ///
    /// # Errors
    /// Shapes or dtypes that do not fit, labels that are not u32, an empty batch, or a scale that
    /// [`IsometricLoss::validate`] refuses.
    pub fn isometric(&self, x: &Tensor, phi: &Tensor, labels: &Tensor) -> Result<Tensor> {
        self.check_distance()?;
        let cells = self.cells(labels, x.dims().first().copied().unwrap_or(0))?;
        let (mut x, mut phi) = (rows(x)?, rows(phi)?);
        if self.normalised {
            (x, phi) = (by_largest(&x, &cells)?, by_largest(&phi, &cells)?);
        }
        let phi = times(&phi, self.scale)?;
        let term = ops::isometric(&x, &phi, &cells, self.distance.as_ref())?;
        Ok(if self.squared { term.sqr()? } else { term })
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

/// Points divided by the largest of their Euclidean distances inside a cell, so that this is 1;
/// differentiable, through the distance too. Points without such a distance stay.
fn by_largest(points: &Tensor, cells: &[u32]) -> Result<Tensor> {
    let numbers = points.detach().to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let mut largest = (0., 0, 0);
    for (i, (a, cell)) in numbers.iter().zip(cells).enumerate() {
        for (j, (b, other)) in numbers.iter().zip(cells).enumerate().take(i) {
            if cell != other {
                continue;
            }
            let distance = euclidean(a, b);
            if distance > largest.0 {
                largest = (distance, i, j);
            }
        }
    }
    let (distance, i, j) = largest;
    if distance == 0. {
        return Ok(points.clone());
    }
    let point = |at: usize| points.narrow(0, at, 1);
    Ok(points.broadcast_div(&Euclidean.distance(&point(i)?, &point(j)?)?)?)
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
