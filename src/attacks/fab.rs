//! The fast adaptive boundary attack.

mod chase;
mod run;
mod stride;

use std::fmt;

use super::goal::{Goal, Norm};
use crate::checks::{Bounds, at_least_one};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The fast adaptive boundary attack (FAB): from plane to plane towards the nearest image that
/// misleads.
///
/// ```text
/// π      the plane where the linear f_s − f_t around x_k is 0
/// d_1    from x_k to its projection on π and the bounds,     d_2 the same from x
/// α      = min(‖d_1‖ / (‖d_1‖ + ‖d_2‖), alpha_max)
/// x_{k+1} = clip((1 − α)(x_k + η d_1) + α (x + η d_2))
/// where f is misled at x_{k+1}:  keep it if it is the nearest so far;  x_{k+1} ← x + β (x_{k+1} − x)
/// ```
///
/// t is the true label. Targeted, s goes through the `targets` wrong classes that are most likely at
/// x, one run for each; untargeted, s is the class whose plane is nearest to x_k. At the end of a run
/// the boundary between x and the nearest image is searched by `search_steps` secant steps. The
/// [projection](super::onto_plane) is exact. No step size and no radius is chosen: one run serves
/// every ε.
///
/// As an [`Attack`](super::Attack) an image is misled if the nearest image found lies within ε; an image farther
/// away does not count, and the image comes back unchanged. There a run ends as soon as it is within
/// ε. Several restarts begin on a random direction at half the distance found so far, or at half of
/// 0.3 (L∞) or 1 (L2) times the range of the pixels.
///
/// - **Shapes**: images (N, …), labels (N,) of u32; the attacked images have the images' shape.
/// - **Range**: every x_k inside the bounds; distances ≥ 0, in pixel units.
/// - **Source**: Croce & Hein 2020 (arXiv 1907.02044), algorithm 1; defaults and targets of
///   AutoAttack (arXiv 2003.01690), whose code leaves the final search out (`search_steps: 0`).
///
/// # Errors
/// [`Attack::attack`](super::Attack::attack) and
/// [`MinimalAttack::minimal`](super::MinimalAttack::minimal) refuse what [`Fab::validate`] and what every
/// attack refuses, and a network of one class.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 3], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 4), &device::best())?;
/// let data = Dataset::new(images.clone(), predictions(&network, &images)?)?;
/// let minimal = Fab::default().minimal(&network, &data)?;
/// assert_eq!(minimal.robust_accuracy(0.), 1.);
/// println!("{minimal}");
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fab {
    /// The norm of the distance. Default L∞.
    pub norm: Norm,
    /// The number of wrong classes to aim at, one after another, at least 1 (at most as many as
    /// there are); `None` takes the nearest plane at each step. Default 9.
    pub targets: Option<usize>,
    /// The number of steps of a run, at least 1. Default 100.
    pub steps: usize,
    /// The number of runs, at least 1: the first from the image, the others from a random start.
    /// Default 1.
    pub restarts: usize,
    /// The largest weight of the step from x itself, in [0, 1]. Default 0.1.
    pub alpha_max: f64,
    /// The factor η ≥ 1 of each step, which takes it a little behind the plane. Default 1.05.
    pub eta: f64,
    /// The factor β in (0, 1) of the way back from an image that misleads. Default 0.9.
    pub beta: f64,
    /// The number of secant steps at the end of a run. Default 3.
    pub search_steps: usize,
    /// The range of pixels; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images asked together, at least 1; changes the speed alone. Default 250.
    pub batch_size: usize,
    /// The seed of the random starts, which follow from it and the image alone. Default 0.
    pub seed: u64,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default
    /// shown.
    pub progress: Progress,
}

impl Default for Fab {
    fn default() -> Self {
        Self {
            norm: Norm::default(),
            targets: Some(9),
            steps: 100,
            restarts: 1,
            alpha_max: 0.1,
            eta: 1.05,
            beta: 0.9,
            search_steps: 3,
            bounds: Some(Bounds::default()),
            batch_size: 250,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl Fab {
    /// Checks every field.
    ///
    /// # Errors
    /// `targets`, `steps`, `restarts` or `batch_size` 0, `alpha_max` outside [0, 1], η below 1 or not
    /// finite, β outside (0, 1), or bounds that are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        at_least_one("targets", self.targets.unwrap_or(1))?;
        at_least_one("steps", self.steps)?;
        at_least_one("restarts", self.restarts)?;
        at_least_one("batch_size", self.batch_size)?;
        let numbers = [
            (
                "alpha_max",
                self.alpha_max,
                (0. ..=1.).contains(&self.alpha_max),
                "a number in [0, 1]",
            ),
            (
                "eta",
                self.eta,
                self.eta >= 1. && self.eta.is_finite(),
                "a finite number ≥ 1",
            ),
            (
                "beta",
                self.beta,
                self.beta > 0. && self.beta < 1.,
                "a number in (0, 1)",
            ),
        ];
        for (name, number, valid, expected) in numbers {
            if !valid {
                return Err(Error::argument(name, expected, number));
            }
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// Writes `FAB, 100 steps, 9 targets`, and the norm L2 and restarts if there are several.
impl fmt::Display for Fab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "step" } else { "steps" };
        write!(f, "FAB, {} {steps}", self.steps)?;
        match self.targets {
            None => {}
            Some(1) => f.write_str(", 1 target")?,
            Some(targets) => write!(f, ", {targets} targets")?,
        }
        f.write_str(&self.norm.words(&Goal::Untargeted))?;
        match self.restarts {
            1 => Ok(()),
            restarts => write!(f, ", {restarts} restarts"),
        }
    }
}
