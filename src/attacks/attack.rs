//! The trait of all attacks.

use super::adversarial::Adversarial;
use super::curve::RobustAccuracy;
use super::fgsm::Fgsm;
use super::pgd::Pgd;
use super::run;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;

/// An adversarial attack: a small change of each image that is to mislead a network.
///
/// ```text
/// find x' with ‖x' − x‖ ≤ ε and argmax f(x') ≠ t
/// ```
///
/// f are the network's logits, x is an image and t its label; a [targeted](super::Goal::Targeted)
/// attack asks for argmax f(x') = the label to reach. The radius ε belongs to the call, so that one
/// attack serves many radii.
///
/// - **Shapes**: images (N, …) of floating-point numbers, labels (N,) of u32.
/// - **Range**: ε ≥ 0 in pixel units; images inside the attack's bounds, \[0, 1\] by default.
/// - **Source**: Szegedy et al. 2014 (arXiv 1312.6199), section 4.1; *isometry*, sections 2.2 and
///   3.3.
///
/// # Errors
/// Both methods refuse a radius that is negative or not finite, and images or labels that do not
/// fit.
pub trait Attack: Send + Sync {
    /// Changes each image of `data` by at most `eps` to mislead the network.
    ///
    /// ```text
    /// ‖x' − x‖ ≤ eps
    /// ```
    ///
    /// The network is asked in [evaluation mode](Network::frozen). Every iterate lies inside the
    /// attack's bounds, exactly. In the ball it lies up to rounding: half an ulp of x ± ε a pixel,
    /// in L2 also d/2 ulps of ‖δ‖₂ for d pixels.
    ///
    /// - **Shapes**: inputs (N, …) of floating-point numbers, as the network takes them; labels
    ///   (N,) of u32, the true ones.
    /// - **Range**: `eps` ≥ 0, in pixel units.
    /// - **Source**: *isometry*, sections 2.2 and 3.3.
    ///
    /// # Errors
    /// `eps` negative or not finite, a field of the attack out of its range, images or labels that
    /// do not fit (empty batch, shapes, types, pixels outside the bounds, labels out of range), a
    /// network without an evaluation mode, a gradient that is missing or not finite.
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial>;

    /// The robust accuracy under the attack, at each radius of `eps`.
    ///
    /// ```text
    /// accuracy(ε) = (1/N) Σ_i [argmax f(x'_i) = t_i]
    /// ```
    ///
    /// x'_i is what the attack makes of image i inside the ball of radius ε; with several restarts
    /// an image counts only if it keeps its label in each. A point equals its own call of
    /// [`Attack::attack`] (with several restarts, of an untargeted one).
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32, the true ones; one point for each radius.
    /// - **Range**: radii ≥ 0, in pixel units; accuracies in \[0, 1\].
    /// - **Source**: *isometry*, figure 3A.
    ///
    /// # Errors
    /// As [`Attack::attack`], or no `eps` at all.
    ///
    /// # Examples
    /// ```
    /// use isopath::prelude::*;
    ///
    /// let device = device::best();
    /// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
    /// let images = Tensor::full(0.5f32, (3, 4), &device)?;
    /// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device)?)?;
    /// let curve = Fgsm::default().curve(&network, &data, &[0., 0.01, 0.1])?;
    /// // A ball of radius 0 holds the image alone.
    /// assert_eq!(curve.accuracy[0], accuracy(&network, &data)?);
    /// # Ok::<(), isopath::Error>(())
    /// ```
    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy>;
}

impl Attack for Fgsm {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
        run::attack(
            &self.one_step()?,
            self.to_string(),
            network,
            data,
            (eps, eps),
        )
    }

    /// Takes one gradient a batch, since all radii share it.
    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        let pairs: Vec<(f64, f64)> = eps.iter().map(|eps| (*eps, *eps)).collect();
        run::curve(&self.one_step()?, self.to_string(), network, data, &pairs)
    }
}

impl Attack for Pgd {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
        self.validate()?;
        run::attack(self, self.to_string(), network, data, (eps, self.alpha))
    }

    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        self.validate()?;
        let pairs: Vec<(f64, f64)> = eps.iter().map(|eps| (*eps, self.alpha)).collect();
        run::curve(self, self.to_string(), network, data, &pairs)
    }
}

impl Pgd {
    /// The robust accuracy under this attack at one radius, with each of several step sizes.
    ///
    /// ```text
    /// accuracy(α) = (1/N) Σ_i [argmax f(x'_i) = t_i]
    /// ```
    ///
    /// Each of `alphas` takes the place of [`Pgd::alpha`]. They share start and first gradient; a
    /// point equals its own call of [`Attack::attack`].
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; one point for each step size.
    /// - **Range**: `eps` ≥ 0 and step sizes > 0, in pixel units; accuracies in \[0, 1\].
    /// - **Source**: *isometry*, section 2.2 and figure 3B.
    ///
    /// # Errors
    /// As [`Attack::attack`], a step size that is not positive and finite, or no `alphas` at all.
    pub fn curve_over_alpha(
        &self,
        network: &dyn Network,
        data: &Dataset,
        eps: f64,
        alphas: &[f64],
    ) -> Result<RobustAccuracy> {
        for alpha in alphas {
            Self {
                alpha: *alpha,
                ..self.clone()
            }
            .validate()?;
        }
        let pairs: Vec<(f64, f64)> = alphas.iter().map(|alpha| (eps, *alpha)).collect();
        run::curve(self, self.to_string(), network, data, &pairs)
    }
}
