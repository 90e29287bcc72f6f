//! Adversarial training: a loss at attacked images.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;

use super::descent::Descent;
use super::goal::{Goal, validate_eps};
use super::pgd::Pgd;
use super::training_batch::{start_of, whole_batch};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::{CrossEntropy, Loss, LossTerms};
use crate::models::{Network, evaluation};

/// A loss at attacked images: adversarial training.
///
/// ```text
/// L_adv(f; x, t) = L(f; x', t),  x' = what the attack finds for f with ‖x' − x‖ ≤ ε
/// ```
///
/// L is [`AdversarialLoss::loss`], which the training descends; the attacker follows the loss of
/// [`AdversarialLoss::attack`]. They need not be one. Adversarial training **with** the isometric
/// term is `loss: IsometricLoss` and an attack along the cross-entropy, as [`AdversarialLoss::new`]
/// makes it: the images are those that mislead the network, and L_CE + β·L_ISO at them is what is
/// learnt, D_M being the distances of the attacked images. An attacker that followed the isometric
/// term too would find weaker images.
///
/// The attack is asked of the network in [evaluation mode](Network::frozen), and x' counts as a
/// constant: no gradient flows through the attack. The whole batch is attacked at once, so
/// [`Pgd::batch_size`] and [`Pgd::progress`] are not read. Random starts follow from [`Pgd::seed`]
/// and from the batch: the same batch has the same start, another batch has another. The terms of
/// the loss, such as the accuracy in a history of training, are those at the attacked images.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: that of L; ε ≥ 0 in pixel units, and with ε = 0 it is L itself.
/// - **Source**: Madry et al. 2018 (arXiv 1706.06083), equation 2.1; they take 40 steps of 0.01 for
///   ε = 0.3 on MNIST, from a random start.
///
/// # Errors
/// [`Loss::loss`] refuses ε negative or not finite, what [`Pgd::validate`] refuses, a targeted
/// attack, several restarts, a network of one class, images or labels that an attack refuses, and
/// what L refuses.
///
/// # Examples
/// ```
/// use isopath::attacks::AdversarialLoss;
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 4), &device::best())?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device::best())?)?;
/// let adversarial = AdversarialLoss::new(0.1);
/// let [before, after] = [CrossEntropy.loss(&network, &data)?, adversarial.loss(&network, &data)?];
/// assert!(after.to_scalar::<f32>()? > before.to_scalar::<f32>()?);
/// // With the isometric term, at the images that mislead the network.
/// let isometric = AdversarialLoss { loss: Arc::new(IsometricLoss::new(1.)), ..adversarial };
/// # isometric.loss(&network, &data)?;
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct AdversarialLoss {
    /// L, the loss at the attacked images. Default the cross-entropy.
    pub loss: Arc<dyn Loss>,
    /// The attack, with the loss that the attacker follows. Default ten steps of ε/4 along the
    /// cross-entropy, from a random start.
    pub attack: Pgd,
    /// ε ≥ 0, the radius of the ball, in pixel units.
    pub eps: f64,
}

impl AdversarialLoss {
    /// The cross-entropy at images attacked by ten steps of ε/4 from a random start.
    pub fn new(eps: f64) -> Self {
        let usual = Pgd::default();
        Self {
            loss: Arc::new(CrossEntropy),
            attack: Pgd {
                // Without a radius no step is taken; α must be a step all the same.
                alpha: if eps > 0. { eps / 4. } else { usual.alpha },
                random_start: true,
                ..usual
            },
            eps,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// ε negative or not finite, what [`Pgd::validate`] refuses, a targeted attack, or several
    /// restarts.
    pub fn validate(&self) -> Result<()> {
        validate_eps(self.eps)?;
        self.attack.validate()?;
        if self.attack.restarts != 1 {
            let expected = "1 in training";
            return Err(Error::argument("restarts", expected, self.attack.restarts));
        }
        match self.attack.goal {
            Goal::Untargeted => Ok(()),
            Goal::Targeted(_) => Err(Error::argument("goal", "untargeted", "targeted")),
        }
    }

    /// The images that the loss is taken at: x' for each x of the batch.
    ///
    /// ```text
    /// ‖x' − x‖ ≤ ε
    /// ```
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; the result (N, …).
    /// - **Range**: within ε of x and inside the bounds of the attack.
    /// - **Source**: Madry et al. 2018 (arXiv 1706.06083), section 2.1.
    ///
    /// # Errors
    /// As [`Loss::loss`].
    pub fn attacked(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.validate()?;
        let network = evaluation(network)?;
        let pgd = Pgd {
            seed: start_of(self.attack.seed, batch)?.bits(),
            ..self.attack.clone()
        };
        let batch = whole_batch(network.as_ref(), batch, &pgd)?;
        if self.eps == 0. {
            return Ok(batch.data.inputs);
        }
        let descent = Descent {
            network: network.as_ref(),
            pgd: &pgd,
        };
        let mut found = batch.data.inputs.clone();
        descent.run(&batch, &[(self.eps, pgd.alpha)], |_, images| {
            found = images;
            Ok(())
        })?;
        Ok(found)
    }

    fn at_attacked(&self, network: &dyn Network, batch: &Dataset) -> Result<Dataset> {
        let attacked = self.attacked(network, batch)?;
        Ok(batch.part(attacked, batch.labels.clone()))
    }
}

impl Loss for AdversarialLoss {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.loss.loss(network, &self.at_attacked(network, batch)?)
    }

    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        self.loss.terms(network, &self.at_attacked(network, batch)?)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

impl fmt::Debug for AdversarialLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdversarialLoss")
            .field("loss", &self.loss.describe())
            .field("attack", &self.attack)
            .field("eps", &self.eps)
            .finish()
    }
}
