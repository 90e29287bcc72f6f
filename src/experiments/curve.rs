//! Losses during training, as a notebook draws them.

use serde::Serialize;

use crate::training::History;

/// What both terms of the loss were, at epochs equal factors apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// The epochs, from 1.
    pub epoch: Vec<f64>,
    /// L_CE, ≥ 0.
    pub cross_entropy: Vec<f64>,
    /// L_ISO before its factor β, ≥ 0.
    pub isometric: Vec<f64>,
}

impl Curve {
    /// At most `count` points of a history; see [`History::sampled`]. A term that the loss has not
    /// is NaN.
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
