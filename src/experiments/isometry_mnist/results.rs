//! The experiment in numbers, for other programs.

use serde::Serialize;

use super::gradients::Angles;
use super::networks::Networks;
use super::robustness::{Accuracies, Curves, Robustness};
use super::settings::Settings;
use super::strength::AttackStrength;
use super::stretch::{Stretch, Stretches};
use crate::scale::Scale;

/// Table 1 and figure 3 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The weights β.
    pub beta: Vec<f64>,
    /// `[beta][seed]`, without an attack.
    pub test_accuracy: Vec<Vec<f64>>,
    /// `[beta][seed]`: table 1's L_ISO.
    pub isometric_loss: Vec<Vec<f64>>,
    /// Figure 3A.
    pub fgsm: FgsmResults,
    /// Figure 3B.
    pub pgd: PgdResults,
    /// `[beta][seed]`: the explanation of section 3.2.
    pub lipschitz: Vec<Vec<Stretch>>,
    /// Wall time.
    pub seconds: Seconds,
}

/// Figure 3A in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FgsmResults {
    /// α, pixel units.
    pub step_size: Vec<f64>,
    /// By loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// Figure 3B in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PgdResults {
    /// The radius of the ball, pixel units.
    pub eps: f64,
    /// Steps of each attack.
    pub steps: usize,
    /// α, pixel units.
    pub step_size: Vec<f64>,
    /// By loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// Wall time in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// The sum over networks, which are trained side by side.
    pub training: f64,
    /// Figure 3A.
    pub fgsm: f64,
    /// Figure 3B.
    pub pgd: f64,
}

impl Results {
    /// Collects what [`train_networks`](super::train_networks), [`robustness`](super::robustness())
    /// and [`stretch`](super::stretch()) found.
    pub fn new(
        scale: Scale,
        settings: &Settings,
        networks: &Networks,
        robustness: &Robustness,
        lipschitz: &Stretches,
    ) -> Self {
        let Robustness { fgsm, pgd } = robustness;
        let Settings {
            seeds,
            betas,
            eps,
            steps,
            ..
        } = settings.clone();
        let seconds = Seconds {
            training: networks.runs.iter().map(|run| run.result.seconds).sum(),
            fgsm: fgsm.seconds,
            pgd: pgd.seconds,
        };
        let of_beta = |beta: &f64| lipschitz.at(beta).into_iter().cloned().collect();
        Self {
            scale: scale.to_string(),
            seeds,
            test_accuracy: networks.values(|trained| trained.test_accuracy),
            isometric_loss: networks.values(|trained| trained.isometric_loss),
            fgsm: FgsmResults {
                step_size: fgsm.step_size.clone(),
                accuracy: fgsm.accuracy.clone(),
            },
            pgd: PgdResults {
                eps,
                steps,
                step_size: pgd.step_size.clone(),
                accuracy: pgd.accuracy.clone(),
            },
            lipschitz: betas.iter().map(of_beta).collect(),
            beta: betas,
            seconds,
        }
    }
}

/// What the notebook shows beyond table 1 and figure 3: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Angles and lengths of the gradients.
    pub angles: Angles,
    /// Attacks of growing strength.
    pub strength: AttackStrength,
    /// FGSM and PGD without clipping.
    pub unclipped: [Curves; 2],
    /// FGSM where the logits were kept isometric.
    pub logits: Curves,
}
