//! TRADES: accuracy on the images, and the same answers around them.

use candle_core::{D, Tensor};
use serde::{Deserialize, Serialize};

use super::ball::Ball;
use super::goal::{Norm, validate_eps};
use super::gradient::gradient_of;
use super::pgd::Pgd;
use super::training_batch::{start_of, whole_batch};
use crate::checks::{Bounds, not_negative};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{Loss, LossTerms, cross_entropy};
use crate::models::{Network, evaluation};
use crate::ops::widened;

/// The cross-entropy at the images, and how far the answers around them may differ: TRADES.
///
/// ```text
/// L   = L_CE(f; x, t) + β · KL(f(x) ‖ f(x'))
/// KL  = (1/N) Σ_i Σ_c p_ic (log p_ic − log q_ic),  p = softmax(f(x)), q = softmax(f(x'))
/// x'  = argmax of KL over ‖x' − x‖ ≤ ε:
///       x'_0 = x + noise · N(0, 1),  x'_{k+1} = clip(project(x'_k + α · normalise(∇ KL)))
/// ```
///
/// Labels decide the first term alone. The gradient flows into both f(x) and f(x'), but not through
/// x'; the ascent asks the network in [evaluation mode](Network::frozen) and takes p as a constant.
/// It starts beside x, since KL has no gradient at x itself. The noise follows from `seed` and from
/// the batch: the same batch has the same noise, another batch has other.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0, in nats; ε ≥ 0 in pixel units, and with ε = 0 it is the cross-entropy.
/// - **Source**: Zhang et al. 2019 (arXiv 1901.08573), equation 5 and algorithm 1; β is their 1/λ.
///   Noise, mean and order of the two answers are those of their public code, which takes 40 steps
///   of 0.01 for ε = 0.3 and β = 1 on MNIST.
///
/// # Errors
/// [`Loss::loss`] refuses β, ε or the noise negative or not finite, α not positive, no steps,
/// bounds that are not finite with min < max, a network of one class, and images or labels that an
/// attack refuses.
///
/// # Examples
/// ```
/// use isopath::attacks::Trades;
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 4), &device::best())?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device::best())?)?;
/// let loss = Trades::new(6., 0.1);
/// let found = loss.terms(&network, &data)?;
/// assert!((found.loss - found.cross_entropy.unwrap())?.to_scalar::<f32>()? > 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trades {
    /// β ≥ 0, the weight of the divergence.
    pub beta: f64,
    /// ε ≥ 0, the radius of the ball, in pixel units.
    pub eps: f64,
    /// The length α > 0 of a step, in pixel units. Default ε/4.
    pub alpha: f64,
    /// The number of steps, at least 1. Default 10.
    pub steps: usize,
    /// The norm of the ball and of a step. Default L∞.
    pub norm: Norm,
    /// The range that pixels are clipped to; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The standard deviation ≥ 0 of the noise that the ascent begins with, in pixel units. Default
    /// 0.001.
    pub noise: f64,
    /// The seed of the noise. Default 0.
    pub seed: u64,
}

impl Trades {
    /// The loss with ten steps of ε/4 in L∞, pixels in \[0, 1\].
    pub fn new(beta: f64, eps: f64) -> Self {
        Self {
            beta,
            eps,
            alpha: if eps > 0. { eps / 4. } else { 0.01 },
            steps: 10,
            norm: Norm::LInf,
            bounds: Some(Bounds::default()),
            noise: 0.001,
            seed: 0,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// β, ε or the noise negative or not finite, α not positive and finite, no steps, or bounds that
    /// are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        not_negative("beta", self.beta)?;
        not_negative("noise", self.noise)?;
        validate_eps(self.eps)?;
        self.steps_as_pgd().validate()
    }

    /// What it has in common with an attack.
    fn steps_as_pgd(&self) -> Pgd {
        Pgd {
            norm: self.norm,
            alpha: self.alpha,
            steps: self.steps,
            bounds: self.bounds,
            ..Pgd::default()
        }
    }

    /// The images x' around those of the batch.
    ///
    /// ```text
    /// x' = argmax KL(f(x) ‖ f(x')),  ‖x' − x‖ ≤ ε
    /// ```
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; the result (N, …).
    /// - **Range**: within ε of x and inside the bounds.
    /// - **Source**: Zhang et al. 2019 (arXiv 1901.08573), algorithm 1.
    ///
    /// # Errors
    /// As [`Loss::loss`].
    pub fn attacked(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        let x = &batch.inputs;
        let mut rng = start_of(self.seed, batch)?;
        let noise = rng.normal(x.shape(), 0., 1., x.dtype(), x.device())?;
        self.attacked_from(network, batch, &(x + (noise * self.noise)?)?)
    }

    /// The images x' that the ascent finds from a given start x'_0, in place of the noise.
    ///
    /// ```text
    /// x'_{k+1} = clip(project(x'_k + α · normalise(∇ KL)))
    /// ```
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32, `start` (N, …); the result (N, …).
    /// - **Range**: within ε of x and inside the bounds; `start` may lie outside.
    /// - **Source**: Zhang et al. 2019 (arXiv 1901.08573), algorithm 1.
    ///
    /// # Errors
    /// As [`Loss::loss`], or a start of another shape.
    pub fn attacked_from(
        &self,
        network: &dyn Network,
        batch: &Dataset,
        start: &Tensor,
    ) -> Result<Tensor> {
        self.validate()?;
        let network = evaluation(network)?;
        let batch = whole_batch(network.as_ref(), batch, &self.steps_as_pgd())?;
        let x = &batch.data.inputs;
        if start.dims() != x.dims() {
            let expected = format!("{:?}, that of the inputs", x.dims());
            return Err(Error::shape("Trades", "start", expected, start.dims()));
        }
        if self.eps == 0. {
            return Ok(x.clone());
        }
        let ball = Ball::new(self.norm, x, self.eps, self.bounds)?;
        let answers = Answers::new(&network.forward(x)?.detach())?;
        let mut attacked = start.detach().contiguous()?;
        for _ in 0..self.steps {
            interrupt::check()?;
            let data = batch.data.part(attacked, batch.data.labels.clone());
            let gradient = gradient_of(network.as_ref(), &answers, &data)?;
            attacked = ball.step(&data.inputs, &gradient, self.alpha)?;
        }
        Ok(attacked)
    }

    /// The loss and its terms at given images x'; the logits are those of x.
    ///
    /// ```text
    /// L = L_CE(f; x, t) + β · KL(f(x) ‖ f(x'))
    /// ```
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32, `attacked` (N, …); every term is a scalar ().
    /// - **Range**: ≥ 0, in nats.
    /// - **Source**: Zhang et al. 2019 (arXiv 1901.08573), equation 5.
    ///
    /// # Errors
    /// β negative or not finite, or shapes that do not fit.
    pub fn terms_at(
        &self,
        network: &dyn Network,
        batch: &Dataset,
        attacked: &Tensor,
    ) -> Result<LossTerms> {
        not_negative("beta", self.beta)?;
        let logits = network.forward(&batch.inputs)?;
        let cross_entropy = cross_entropy(&logits, &batch.labels)?;
        let mut loss = cross_entropy.clone();
        if self.beta > 0. {
            let divergence = Answers::new(&logits)?.divergence(&network.forward(attacked)?)?;
            loss = (loss + (divergence * self.beta)?)?;
        }
        Ok(LossTerms {
            loss,
            logits: Some(logits.detach()),
            cross_entropy: Some(cross_entropy.detach()),
            isometric: None,
        })
    }
}

impl Loss for Trades {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        Ok(self.terms(network, batch)?.loss)
    }

    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let attacked = self.attacked(network, batch)?;
        self.terms_at(network, batch, &attacked)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// The answers p to some inputs, from which those to others diverge.
struct Answers {
    probabilities: Tensor,
    logarithms: Tensor,
}

impl Answers {
    fn new(logits: &Tensor) -> Result<Self> {
        let logarithms = log_softmax(logits)?;
        Ok(Self {
            probabilities: logarithms.exp()?,
            logarithms,
        })
    }

    /// KL(p ‖ q), the mean over the inputs, of the logits of q.
    fn divergence(&self, logits: &Tensor) -> Result<Tensor> {
        let difference = (&self.logarithms - log_softmax(logits)?)?;
        let sums = (&self.probabilities * difference)?.sum(D::Minus1)?;
        Ok(sums.mean_all()?.to_dtype(logits.dtype())?)
    }
}

/// What the ascent follows: the divergence from fixed answers, of the network's answers to a batch.
impl Loss for Answers {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.divergence(&network.forward(&batch.inputs)?)
    }
}

/// log softmax of each row, in f32 at least.
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let logits = widened("logits", logits)?;
    // The shift keeps exp() in range; its gradient cancels, hence the detach.
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let sums = shifted.exp()?.sum_keepdim(D::Minus1)?;
    Ok(shifted.broadcast_sub(&sums.log()?)?)
}
