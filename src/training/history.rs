//! What training reports, while it runs and afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One record an epoch, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs done.
    pub epochs: Vec<Epoch>,
}

/// Means over the images of an epoch, each taken when its batch was trained on, before that batch's step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The loss that was followed.
    pub loss: f64,
    /// L_CE, if the loss has it.
    pub cross_entropy: Option<f64>,
    /// L_ISO, before its factor β, if the loss has it.
    pub isometric: Option<f64>,
    /// The share of right answers, in [0, 1], if the loss looks at answers.
    pub accuracy: Option<f64>,
    /// How long the epoch took.
    pub seconds: f64,
}

/// Where training stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The epochs asked for.
    pub epochs: usize,
    /// The batches of this epoch that are done.
    pub batch: usize,
    /// The batches of an epoch.
    pub batches: usize,
    /// The means since the epoch began.
    pub means: Epoch,
    /// Images trained on in a second, since the run began.
    pub images_per_second: f64,
    /// How long the rest will take at that rate.
    pub seconds_left: f64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}/{}", self.epoch, self.epochs)?;
        if self.batch < self.batches {
            write!(f, " ({} %)", 100 * self.batch / self.batches)?;
        }
        write!(f, ": loss {:.4}", self.means.loss)?;
        for (name, value) in [
            ("cross-entropy", self.means.cross_entropy),
            ("isometric", self.means.isometric),
            ("accuracy", self.means.accuracy),
        ] {
            if let Some(value) = value {
                write!(f, ", {name} {value:.4}")?;
            }
        }
        write!(f, "; {:.0} images/s, {:.0} s left", self.images_per_second, self.seconds_left)
    }
}

/// A callback that prints each report as one whole line, `label` in front.
pub fn printer(label: impl fmt::Display) -> impl FnMut(&Progress) {
    move |progress| println!("{label}: {progress}")
}
