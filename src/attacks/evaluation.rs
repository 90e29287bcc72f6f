//! The result of AutoAttack.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::adversarial::Adversarial;
use super::goal::Norm;
use super::warning::Warning;

/// The robust accuracy of a network at one radius, how it came about, and what makes it hard to
/// believe.
///
/// ```text
/// robust accuracy = right before − Σ_stages misled,  over the number of images
/// ```
///
/// - **Shapes**: numbers, and a list of stages.
/// - **Range**: accuracies in \[0, 1\].
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), table 2.
#[derive(Clone, Debug, Serialize)]
pub struct RobustEvaluation {
    /// The norm of the ball.
    pub norm: Norm,
    /// ε, the radius of the ball, pixel units.
    pub eps: f64,
    /// The number of images.
    pub images: usize,
    /// The accuracy before any attack.
    pub accuracy: f64,
    /// The share of images that kept their true label under every attack.
    pub robust_accuracy: f64,
    /// The attacks, in their order; none where no image was left to attack.
    pub stages: Vec<Stage>,
    /// What makes the robust accuracy hard to believe; none for a network that hides nothing.
    pub warnings: Vec<Warning>,
    /// The time that it took, seconds of wall time.
    pub seconds: f64,
    /// The images that mislead the network, and those that nothing misled as they were.
    #[serde(skip)]
    pub adversarial: Adversarial,
}

/// One attack of several, on the images that the ones before had left.
///
/// - **Shapes**: numbers.
/// - **Range**: counts, and seconds of wall time.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), section 5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The name of the attack.
    pub attack: String,
    /// The number of images that it attacked.
    pub attacked: usize,
    /// The number of images that it misled.
    pub misled: usize,
    /// The most gradients, or queries, that it took for one image.
    pub evaluations: usize,
    /// The time that it took, seconds of wall time.
    pub seconds: f64,
}

/// Writes `L∞, eps = 0.1: accuracy 0.975, robust accuracy 0.312`, a line for each attack, and the
/// warnings.
impl fmt::Display for RobustEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let norm = match self.norm {
            Norm::LInf => "L∞",
            Norm::L2 => "L2",
        };
        writeln!(
            f,
            "{norm}, eps = {}: accuracy {:.4}, robust accuracy {:.4} over {} images",
            self.eps, self.accuracy, self.robust_accuracy, self.images
        )?;
        for stage in &self.stages {
            writeln!(
                f,
                "  {}: misled {} of {} in {:.1} s",
                stage.attack, stage.misled, stage.attacked, stage.seconds
            )?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        Ok(())
    }
}
