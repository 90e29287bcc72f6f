//! What every attack can do.

use super::adversarial::Adversarial;
use super::curve::RobustAccuracy;
use super::fgsm::Fgsm;
use super::pgd::Pgd;
use super::run;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;

/// An adversarial attack.
pub trait Attack: Send + Sync {
    /// Changes each image of `data` by at most `eps` to mislead the network, which is asked in
    /// [evaluation mode](Network::frozen).
    ///
    /// # Shapes
    /// Inputs (N, …) of floating-point numbers, as the network takes them; labels (N,) of u32, the
    /// true ones.
    ///
    /// # Range
    /// `eps` ≥ 0 in pixel units. Images must lie inside the attack's bounds; so does every iterate,
    /// exactly. In the ball it is to the rounding of its arithmetic: half an ulp of x ± ε a pixel, in
    /// L2 also d/2 ulps of ‖δ‖₂ for d pixels.
    ///
    /// # Errors
    /// `eps` negative or not finite, a field of the attack out of its range, images or labels that do
    /// not fit (empty batch, shapes, types, pixels outside the bounds, labels out of range), a
    /// gradient that is missing or not finite.
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial>;

    /// The accuracy under the attack in each ball of `eps`. Each point equals its own call of
    /// [`Attack::attack`].
    ///
    /// # Errors
    /// As [`Attack::attack`], or no `eps` at all.
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
    /// The accuracy under this attack in a ball of `eps` with each step size of `alphas` in place of
    /// [`Pgd::alpha`] (*isometry* paper, figure 3B).
    ///
    /// The step sizes share start and first gradient; each point equals its own call of
    /// [`Attack::attack`].
    ///
    /// # Errors
    /// As [`Attack::attack`], or no `alphas` at all.
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
