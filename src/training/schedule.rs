//! Schedules: the learning rate over a training.

use crate::error::{Error, Result};

/// The learning rate over a run, as a factor of the optimiser's own.
///
/// ```text
/// constant   1
/// one cycle  b + (a − b)/2 · (1 + cos(π s)):  from a = start to b = 1 up to the step warm_up · steps − 1,
///            then from a = 1 to b = end up to the last;  s is the share of the way
/// ```
///
/// - **Shapes**: a number for each step.
/// - **Range**: in \[0, 1\].
/// - **Source**: Smith & Topin 2018; PyTorch's `OneCycleLR` with `cycle_momentum=False`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// The factor is always 1.
    #[default]
    Constant,
    /// The factor rises from `start` to 1 during the share `warm_up` of the steps, then falls to
    /// `end` at the last step, both along half a cosine.
    OneCycle {
        /// The share of the steps at which the factor is 1, in (0, 1); PyTorch's is 0.3.
        warm_up: f64,
        /// The first factor, in \[0, 1\]; PyTorch's is 1/25.
        start: f64,
        /// The last factor, in \[0, 1\]; PyTorch's is 1/25 · 1e-4.
        end: f64,
    },
}

impl Schedule {
    /// PyTorch's one cycle.
    pub const ONE_CYCLE: Self = Self::OneCycle {
        warm_up: 0.3,
        start: 1. / 25.,
        end: 1. / 25e4,
    };

    /// The factor of step `step`, from 0, of `steps`.
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let Self::OneCycle {
            warm_up,
            start,
            end,
        } = *self
        else {
            return 1.;
        };
        // As PyTorch counts: the highest rate is that of step warm_up · steps − 1.
        let top = (warm_up * steps as f64 - 1.).max(0.);
        let last = steps as f64 - 1.;
        let cosine = |from: f64, to: f64, share: f64| {
            to + (from - to) / 2. * (1. + (std::f64::consts::PI * share.clamp(0., 1.)).cos())
        };
        let step = step as f64;
        if step < top {
            cosine(start, 1., step / top)
        } else if last > top {
            cosine(1., end, (step - top) / (last - top))
        } else {
            1.
        }
    }

    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// `warm_up` outside (0, 1), `start` or `end` outside \[0, 1\].
    pub fn validate(&self) -> Result<()> {
        let Self::OneCycle {
            warm_up,
            start,
            end,
        } = *self
        else {
            return Ok(());
        };
        if !(warm_up > 0. && warm_up < 1.) {
            return Err(Error::argument("warm_up", "a number in (0, 1)", warm_up));
        }
        for (name, value) in [("start", start), ("end", end)] {
            if !(0. ..=1.).contains(&value) {
                return Err(Error::argument(name, "a number in [0, 1]", value));
            }
        }
        Ok(())
    }
}
