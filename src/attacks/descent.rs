//! The one loop behind every attack.

use candle_core::{DType, Tensor};

use super::ball::{Ball, unit_noise};
use super::batches::Batch;
use super::gradient::gradient;
use super::params::{Goal, PgdParams};
use crate::error::Result;
use crate::interrupt;
use crate::losses::Loss;
use crate::models::Network;
use crate::rng::Rng;

/// An attack on one batch, for one or several pairs of ε and α.
pub(super) struct Descent<'a> {
    pub network: &'a dyn Network,
    pub loss: &'a dyn Loss,
    /// Valid; its `alpha` is not read.
    pub params: &'a PgdParams,
}

impl Descent<'_> {
    /// Runs every restart for every pair (ε, α), and hands each attempt's images to
    /// `found(pair, images)`.
    ///
    /// Pairs that start at the same images share their first gradient: all without a random start,
    /// and with one the neighbours of equal ε.
    pub fn run(
        &self,
        batch: &Batch,
        pairs: &[(f64, f64)],
        mut found: impl FnMut(usize, Tensor) -> Result<()>,
    ) -> Result<()> {
        let PgdParams {
            norm,
            steps,
            bounds,
            random_start,
            restarts,
            seed,
            ..
        } = *self.params;
        let sign = if matches!(self.params.goal, Goal::Untargeted) {
            1.
        } else {
            -1.
        };
        for restart in 0..restarts {
            let noise = if random_start {
                let mut rng = Rng::new(seed)
                    .stream(format!("attack batch {} restart {restart}", batch.index));
                Some(unit_noise(norm, &batch.images, &mut rng)?)
            } else {
                None
            };
            let mut known: Option<(f64, Tensor, Tensor)> = None;
            for (pair, &(eps, alpha)) in pairs.iter().enumerate() {
                let ball = Ball::new(norm, &batch.images, eps, bounds)?;
                let (start, first) = match (&known, &noise) {
                    (Some((_, start, first)), None) => (start.clone(), first.clone()),
                    (Some((same, start, first)), Some(_)) if *same == eps => {
                        (start.clone(), first.clone())
                    }
                    (_, noise) => {
                        let start = noise
                            .as_ref()
                            .map_or(Ok(batch.images.clone()), |unit| ball.start(unit))?;
                        let first = self.gradient(&start, batch)?;
                        known = Some((eps, start.clone(), first.clone()));
                        (start, first)
                    }
                };
                let mut x = ball.step(&start, &first, sign * alpha)?;
                for _ in 1..steps {
                    x = ball.step(&x, &self.gradient(&x, batch)?, sign * alpha)?;
                }
                found(pair, x)?;
            }
        }
        Ok(())
    }

    /// The loss of the attacked batch.
    pub fn loss(&self, images: &Tensor, batch: &Batch) -> Result<f64> {
        let loss = self.loss.loss(self.network, images, &batch.aim)?.detach();
        Ok(loss.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// What a step follows; here a run that the user stops ends.
    fn gradient(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        interrupt::check()?;
        gradient(self.network, self.loss, x, &batch.aim)
    }
}
