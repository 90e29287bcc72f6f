//! The loop that all attacks share.

use candle_core::{DType, Tensor};

use super::ball::{Ball, unit_noise};
use super::batches::Batch;
use super::goal::Goal;
use super::gradient::{gradient_of, zero_rows};
use super::pgd::Pgd;
use crate::error::Result;
use crate::interrupt;
use crate::models::Network;
use crate::rng::Rng;

/// An attack on one batch, for one or several pairs of ε and α.
pub(super) struct Descent<'a> {
    /// The network, in evaluation mode.
    pub network: &'a dyn Network,
    /// The attack, valid; its `alpha` is not read.
    pub pgd: &'a Pgd,
}

impl Descent<'_> {
    /// Runs every restart for every pair (ε, α), and hands each attempt's images to `found(pair,
    /// images)`. Gives the number of images whose first gradient of all was 0.
    ///
    /// Pairs that start at the same images share their first gradient: all without a random start,
    /// and with one the neighbours of equal ε.
    pub fn run(
        &self,
        batch: &Batch,
        pairs: &[(f64, f64)],
        mut found: impl FnMut(usize, Tensor) -> Result<()>,
    ) -> Result<usize> {
        let Pgd {
            norm,
            steps,
            bounds,
            random_start,
            restarts,
            seed,
            ..
        } = *self.pgd;
        let sign = if matches!(self.pgd.goal, Goal::Untargeted) {
            1.
        } else {
            -1.
        };
        let images = &batch.data.inputs;
        let mut zero = None;
        for restart in 0..restarts {
            let noise = if random_start {
                let name = format!("attack batch {} restart {restart}", batch.index);
                Some(unit_noise(norm, images, &mut Rng::new(seed).stream(name))?)
            } else {
                None
            };
            let mut known: Option<(f64, Tensor, Tensor)> = None;
            for (pair, &(eps, alpha)) in pairs.iter().enumerate() {
                let ball = Ball::new(norm, images, eps, bounds)?;
                let (start, first) = match (&known, &noise) {
                    (Some((_, start, first)), None) => (start.clone(), first.clone()),
                    (Some((same, start, first)), Some(_)) if *same == eps => {
                        (start.clone(), first.clone())
                    }
                    (_, noise) => {
                        let start = match noise {
                            Some(unit) => ball.start(unit)?,
                            None => images.clone(),
                        };
                        let first = self.gradient(&start, batch)?;
                        known = Some((eps, start.clone(), first.clone()));
                        (start, first)
                    }
                };
                if zero.is_none() {
                    zero = Some(zero_rows(&first)?);
                }
                let mut x = ball.step(&start, &first, sign * alpha)?;
                for _ in 1..steps {
                    x = ball.step(&x, &self.gradient(&x, batch)?, sign * alpha)?;
                }
                found(pair, x)?;
            }
        }
        Ok(zero.unwrap_or(0))
    }

    /// The loss of the attacked batch.
    pub fn loss(&self, images: &Tensor, batch: &Batch) -> Result<f64> {
        let data = batch.data.part(images.clone(), batch.data.labels.clone());
        let loss = self.pgd.loss.loss(self.network, &data)?.detach();
        Ok(loss.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// The gradient that a step follows; a run that the user stops ends here.
    fn gradient(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        interrupt::check()?;
        let data = batch.data.part(x.clone(), batch.data.labels.clone());
        gradient_of(self.network, self.pgd.loss.as_ref(), &data)
    }
}
