//! The losses during a training, as a notebook draws them.

use serde::Serialize;

use crate::training::History;

/// The terms of a loss during a training, at logarithmically spaced epochs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// The numbers of the epochs, from 1.
    pub epoch: Vec<f64>,
    /// The cross-entropy L_CE ≥ 0 in nats.
    pub cross_entropy: Vec<f64>,
    /// The isometric loss L_ISO ≥ 0, before its factor β.
    pub isometric: Vec<f64>,
}

impl Curve {
    /// Takes at most `count` points of a history; see [`History::sampled`]. A term that the loss
    /// does not have is NaN.
    pub fn of(history: &History, count: usize) -> Self {
        let mut curve = Self::default();
        for (number, epoch) in history.sampled(count) {
            curve.epoch.push(number as f64);
            curve
                .cross_entropy
                .push(epoch.cross_entropy.unwrap_or(f64::NAN));
            curve.isometric.push(epoch.isometric.unwrap_or(f64::NAN));
        }
        curve
    }
}
