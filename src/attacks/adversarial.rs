//! The result of an attack: the attacked images.

use std::fmt;

use crate::datasets::Dataset;
use crate::metrics::Answer;

/// The attacked images of one attack, and the network's answers to them.
///
/// ```text
/// ‖x'_i − x_i‖ ≤ ε
/// ```
///
/// x_i are the images before the attack, x'_i the attacked ones. The lists have one entry for each
/// image, in the order of the data.
///
/// - **Shapes**: images (N, …), labels (N,); lists of N entries.
/// - **Range**: ε and distances ≥ 0, in pixel units; x'_i inside the bounds of the attack.
/// - **Source**: *isometry*, sections 2.2 and 3.3.
#[derive(Clone, Debug)]
pub struct Adversarial {
    /// The name of the attack, with the number of its steps.
    pub attack: String,
    /// ε, the radius of the ball, pixel units.
    pub eps: f64,
    /// The attacked images, with their true labels.
    pub data: Dataset,
    /// The images before the attack, with their true labels.
    pub original: Dataset,
    /// The network's answer to each image before the attack.
    pub before: Vec<Answer>,
    /// The network's answer to each attacked image.
    pub after: Vec<Answer>,
    /// Whether the attack reached its goal at each image.
    ///
    /// Untargeted: the prediction is not the true label (also where it was not before the attack);
    /// targeted: it is the label to reach.
    pub success: Vec<bool>,
    /// The length ‖x'_i − x_i‖ of each change in the attack's norm, pixel units.
    pub distance: Vec<f64>,
    /// The loss that the attack follows, before the attack: the mean over batches, weighted by
    /// their size; at the labels to reach if targeted. The cross-entropy of AutoAttack, which follows
    /// several; of [`Square`](super::Square) and [`Fab`](super::Fab) the largest wrong logit minus the
    /// true one.
    pub loss_before: f64,
    /// The loss that the attack follows, at the attacked images; the mean as before the attack.
    pub loss_after: f64,
    /// The number of images whose gradient was exactly 0 at the first step.
    ///
    /// There the attack learns nothing, and an image that it does not change is no sign of
    /// robustness: in f32 the gradient of the cross-entropy is 0 where the margin of the logits
    /// exceeds 87 or so. [`LogitDifference`](crate::losses::LogitDifference) and
    /// [`RescaledLogitDifference`](crate::losses::RescaledLogitDifference) have a gradient there.
    pub zero_gradients: usize,
    /// The number of input gradients taken for each image: steps times restarts; where images rest once
    /// they are misled, the most for one of them; queries of an attack without gradients.
    pub gradient_evaluations: usize,
}

impl Adversarial {
    /// The share of images where the attack succeeded.
    ///
    /// ```text
    /// (1/N) Σ_i [success_i]
    /// ```
    ///
    /// For an untargeted attack, 1 minus this share is the robust accuracy.
    ///
    /// - **Shapes**: a number.
    /// - **Range**: \[0, 1\].
    /// - **Source**: the definition.
    pub fn success_rate(&self) -> f64 {
        let count = self.success.iter().filter(|success| **success).count();
        count as f64 / self.success.len() as f64
    }
}

/// Writes `FGSM, eps = 0.1: 82 of 100 images misled, the largest change 0.100`, and a warning where
/// gradients were 0.
impl fmt::Display for Adversarial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            attack,
            eps,
            success,
            distance,
            zero_gradients,
            ..
        } = self;
        let count = success.iter().filter(|success| **success).count();
        let largest = distance.iter().copied().fold(0., f64::max);
        write!(
            f,
            "{attack}, eps = {eps}: {count} of {} images misled, ",
            success.len()
        )?;
        write!(f, "the largest change {largest:.3}")?;
        match zero_gradients {
            0 => Ok(()),
            zero => write!(
                f,
                "; for {zero} images the gradient is exactly 0, so the attack has no direction: \
                 use the loss LogitDifference"
            ),
        }
    }
}
