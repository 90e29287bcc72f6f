//! What training reports while it runs.

use std::fmt;

use crate::models::Epoch;

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

/// As [`printer`] for many short epochs: the first, then every `every`-th, and the last. 0 counts as 1.
pub fn printer_every(label: impl fmt::Display, every: usize) -> impl FnMut(&Progress) {
    let mut print = printer(label);
    move |progress| {
        let Progress { epoch, epochs, .. } = *progress;
        if epoch == 1 || epoch == epochs || epoch.is_multiple_of(every.max(1)) {
            print(progress);
        }
    }
}
