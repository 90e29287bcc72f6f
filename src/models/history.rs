//! The history of a training, epoch by epoch.

use serde::{Deserialize, Serialize};

/// The history of a training: one record for each epoch, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The records of the epochs that were finished.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// At most `count` of the epochs, logarithmically spaced, each with its number from 1: enough
    /// for a curve over a logarithmic axis.
    ///
    /// The first and the last epoch are among them. Fewer where factors round to the same epoch.
    pub fn sampled(&self, count: usize) -> Vec<(usize, Epoch)> {
        let (last, steps) = (
            self.epochs.len() as f64,
            count.saturating_sub(1).max(1) as f64,
        );
        let mut numbers: Vec<usize> = (0..count)
            .map(|step| last.powf(step as f64 / steps).round() as usize)
            .collect();
        numbers.dedup();
        numbers
            .into_iter()
            .filter_map(|number| Some((number, self.epochs.get(number.checked_sub(1)?)?.clone())))
            .collect()
    }
}

/// The report of one epoch of a training: means over its images.
///
/// Each is taken when the image's batch was trained on, before that batch's step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The loss that was minimised.
    pub loss: f64,
    /// The cross-entropy L_CE in nats, if the loss has it.
    pub cross_entropy: Option<f64>,
    /// The isometric loss L_ISO before its factor β, if the loss has it.
    pub isometric: Option<f64>,
    /// The share of right answers, in [0, 1], if the loss has logits.
    pub accuracy: Option<f64>,
    /// The time that the epoch took, in seconds.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_begin_with_the_first_epoch_and_end_with_the_last() {
        let epoch = |loss| Epoch {
            loss,
            cross_entropy: None,
            isometric: None,
            accuracy: None,
            seconds: 0.,
        };
        let history = |n: u32| History {
            epochs: (1..=n).map(|n| epoch(f64::from(n))).collect(),
        };
        let numbers = |n: u32, count| {
            history(n)
                .sampled(count)
                .into_iter()
                .map(|(number, _)| number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(10_000, 5), [1, 10, 100, 1_000, 10_000]);
        assert_eq!(numbers(3, 100), [1, 2, 3]);
        assert_eq!(numbers(1, 4), [1]);
        assert_eq!((numbers(0, 4), numbers(5, 0)), (vec![], vec![]));
        assert!(
            history(500)
                .sampled(40)
                .iter()
                .all(|(number, epoch)| *number as f64 == epoch.loss)
        );
    }
}
