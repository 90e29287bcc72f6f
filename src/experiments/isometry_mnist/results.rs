//! The numbers of the experiment, for other programs.

use serde::Serialize;

use super::elsewhere::Elsewhere;
use super::gradients::Angles;
use super::networks::Networks;
use super::robustness::{Accuracies, Curves, Robustness};
use super::settings::Settings;
use super::strength::AttackStrength;
use super::stretch::{Stretch, Stretches};
use super::versions::Versions;
use crate::scale::Scale;

/// The numbers of table 1 and figure 3 of the *isometry* paper: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The seeds of the networks.
    pub seeds: Vec<u64>,
    /// The weights β of the isometric loss.
    pub beta: Vec<f64>,
    /// The test accuracy without an attack, `[beta][seed]`.
    pub test_accuracy: Vec<Vec<f64>>,
    /// The isometric loss L_ISO of table 1, `[beta][seed]`.
    pub isometric_loss: Vec<Vec<f64>>,
    /// The accuracies under FGSM: figure 3A.
    pub fgsm: FgsmResults,
    /// The accuracies under PGD: figure 3B.
    pub pgd: PgdResults,
    /// The explanation of section 3.2 in numbers, `[beta][seed]`.
    pub lipschitz: Vec<Vec<Stretch>>,
    /// The wall time of each part.
    pub seconds: Seconds,
}

/// The accuracies under FGSM in numbers: figure 3A.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FgsmResults {
    /// The step sizes α in pixel units.
    pub step_size: Vec<f64>,
    /// The accuracies by loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// The accuracies under PGD in numbers: figure 3B.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PgdResults {
    /// The radius ε of the ball in pixel units.
    pub eps: f64,
    /// The number of steps of each attack.
    pub steps: usize,
    /// The step sizes α in pixel units.
    pub step_size: Vec<f64>,
    /// The accuracies by loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// The wall time of the parts of the experiment, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// The time of training: the sum over networks, which are trained side by side.
    pub training: f64,
    /// The time of figure 3A.
    pub fgsm: f64,
    /// The time of figure 3B.
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

/// The numbers of what the notebook shows beyond table 1 and figure 3: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The angles and lengths of the gradients.
    pub angles: Angles,
    /// The accuracies under attacks of growing strength.
    pub strength: AttackStrength,
    /// The curves of FGSM and PGD without clipping.
    pub unclipped: [Curves; 2],
    /// The curves of FGSM for networks whose logits were kept isometric.
    pub logits: Curves,
    /// The versions of the experiment that the authors' code has.
    pub versions: Versions,
    /// The experiment on another data set; none among the results of a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
}
