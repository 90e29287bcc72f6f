//! AutoAttack on a data set, from ball to ball.

use std::time::Instant;

use candle_core::{DType, Tensor};

use super::AutoAttack;
use super::suspicion::{Suspect, warnings};
use crate::attacks::adversarial::Adversarial;
use crate::attacks::apgd::{Apgd, ApgdLoss};
use crate::attacks::attack::Attack;
use crate::attacks::ball::distances;
use crate::attacks::batches::{Batched, answers, batches};
use crate::attacks::curve::RobustAccuracy;
use crate::attacks::evaluation::{RobustEvaluation, Stage};
use crate::attacks::fab::Fab;
use crate::attacks::goal::validate_eps;
use crate::attacks::square::Square;
use crate::checks::{self, at_least_one};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::{CrossEntropy, Loss as _};
use crate::metrics::Answer;
use crate::models::{Network, evaluation};

impl Attack for AutoAttack {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
        Ok(self.evaluate(network, data, eps)?.adversarial)
    }

    /// What is misled in a smaller ball is not attacked again in a larger one.
    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        let found = self.evaluate_at(network, data, eps)?;
        Ok(RobustAccuracy {
            attack: "AutoAttack".into(),
            eps: eps.to_vec(),
            step_size: eps.to_vec(),
            accuracy: found.iter().map(|found| found.robust_accuracy).collect(),
            zero_gradients: found
                .iter()
                .map(|found| found.adversarial.zero_gradients)
                .max()
                .unwrap_or(0),
            images: data.len(),
            seconds: found.iter().map(|found| found.seconds).sum(),
        })
    }
}

impl AutoAttack {
    /// The robust accuracy in the ball of radius `eps`, attack by attack, with what makes it hard to
    /// believe.
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32, the true ones.
    /// - **Range**: `eps` ≥ 0, in pixel units.
    /// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), section 5.
    ///
    /// # Errors
    /// As [`Attack::attack`], a field out of its range, or logits that are not finite.
    pub fn evaluate(
        &self,
        network: &dyn Network,
        data: &Dataset,
        eps: f64,
    ) -> Result<RobustEvaluation> {
        let mut all = self.evaluate_at(network, data, &[eps])?;
        Ok(all.remove(0))
    }

    /// The robust accuracies at several radii, in the order of `eps`.
    ///
    /// An image that is misled in a smaller ball is in the larger ones too and is not attacked again,
    /// so that no accuracy rises with ε.
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; one result for each radius.
    /// - **Range**: radii ≥ 0, in pixel units.
    /// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), section 5.
    ///
    /// # Errors
    /// As [`AutoAttack::evaluate`], or no radius.
    pub fn evaluate_at(
        &self,
        network: &dyn Network,
        data: &Dataset,
        eps: &[f64],
    ) -> Result<Vec<RobustEvaluation>> {
        self.validate()?;
        at_least_one("number of radii", eps.len())?;
        eps.iter().try_for_each(|eps| validate_eps(*eps))?;
        let network = evaluation(network)?;
        let mut run = Run::begin(self, network.as_ref(), data)?;
        let mut order: Vec<usize> = (0..eps.len()).collect();
        order.sort_by(|a, b| eps[*a].total_cmp(&eps[*b]));
        let mut found: Vec<(usize, RobustEvaluation)> = Vec::new();
        for at in order {
            found.push((at, run.to(eps[at])?));
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// The attacks, in their order.
    fn attacks(&self, classes: usize) -> Vec<Box<dyn Attack>> {
        let apgd = |loss| Apgd {
            loss,
            norm: self.norm,
            steps: self.steps,
            bounds: self.bounds,
            batch_size: self.batch_size,
            seed: self.seed,
            progress: self.progress.clone(),
            ..Apgd::default()
        };
        let mut attacks: Vec<Box<dyn Attack>> = vec![Box::new(apgd(ApgdLoss::CrossEntropy))];
        match classes {
            0..=2 => {}
            3 => attacks.push(Box::new(apgd(ApgdLoss::Dlr))),
            _ => attacks.push(Box::new(apgd(ApgdLoss::TargetedDlr {
                targets: self.targets,
            }))),
        }
        attacks.push(Box::new(Fab {
            norm: self.norm,
            targets: Some(self.targets),
            steps: self.steps,
            bounds: self.bounds,
            batch_size: self.batch_size,
            seed: self.seed,
            progress: self.progress.clone(),
            ..Fab::default()
        }));
        if self.queries > 0 {
            attacks.push(Box::new(Square {
                norm: self.norm,
                queries: self.queries,
                bounds: self.bounds,
                batch_size: self.batch_size,
                seed: self.seed,
                progress: self.progress.clone(),
                ..Square::default()
            }));
        }
        attacks
    }
}

/// All images on their way through growing balls.
struct Run<'a> {
    attack: &'a AutoAttack,
    /// In evaluation mode.
    network: &'a dyn Network,
    data: &'a Dataset,
    labels: Vec<u32>,
    before: Vec<Answer>,
    /// What misled each image, and the answer to it.
    misled: Vec<Option<(Tensor, Answer)>>,
    classes: usize,
}

impl<'a> Run<'a> {
    fn begin(attack: &'a AutoAttack, network: &'a dyn Network, data: &'a Dataset) -> Result<Self> {
        let batched = Batched::untargeted(attack.bounds, attack.batch_size);
        let mut before = Vec::with_capacity(data.len());
        let mut labels = Vec::with_capacity(data.len());
        for batch in batches(network, data, batched)? {
            before.extend(answers(network, &batch.data.inputs)?);
            labels.extend(batch.true_labels);
        }
        let logits = network.forward(&data.inputs.narrow(0, 0, 1)?)?;
        checks::finite("logits", "numbers", &logits)?;
        let wrong = before.iter().zip(&labels).enumerate();
        let misled = wrong.map(|(row, (answer, label))| match answer.class == *label {
            true => Ok(None),
            false => Ok(Some((data.inputs.narrow(0, row, 1)?.detach(), *answer))),
        });
        Ok(Self {
            misled: misled.collect::<Result<_>>()?,
            attack,
            network,
            data,
            labels,
            before,
            classes: logits.dim(1)?,
        })
    }

    fn open(&self) -> Vec<usize> {
        (0..self.misled.len())
            .filter(|row| self.misled[*row].is_none())
            .collect()
    }

    fn to(&mut self, eps: f64) -> Result<RobustEvaluation> {
        let begin = Instant::now();
        let (mut stages, mut zero_gradients) = (Vec::new(), 0);
        for attack in self.attack.attacks(self.classes) {
            let open = self.open();
            if open.is_empty() || eps == 0. {
                break;
            }
            let begin = Instant::now();
            let found = attack.attack(self.network, &self.data.select(&open)?, eps)?;
            if stages.is_empty() {
                zero_gradients = found.zero_gradients;
            }
            for (at, row) in open.iter().enumerate().filter(|(at, _)| found.success[*at]) {
                let image = found.data.inputs.narrow(0, at, 1)?;
                self.misled[*row] = Some((image, found.after[at]));
            }
            stages.push(Stage {
                attacked: open.len(),
                misled: found.success.iter().filter(|success| **success).count(),
                evaluations: found.gradient_evaluations,
                seconds: begin.elapsed().as_secs_f64(),
                attack: found.attack,
            });
        }
        let suspect = Suspect {
            attack: self.attack,
            network: self.network,
            data: self.data,
            before: &self.before,
            open: self.open(),
            classes: self.classes,
        };
        let warnings = warnings(&suspect, &stages, zero_gradients)?;
        let images = self.data.len() as f64;
        let right = self.before.iter().zip(&self.labels);
        let right = right
            .filter(|(answer, label)| answer.class == **label)
            .count();
        Ok(RobustEvaluation {
            norm: self.attack.norm,
            eps,
            images: self.data.len(),
            accuracy: right as f64 / images,
            robust_accuracy: self.open().len() as f64 / images,
            adversarial: self.adversarial(eps, &stages, zero_gradients)?,
            stages,
            warnings,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    fn adversarial(
        &self,
        eps: f64,
        stages: &[Stage],
        zero_gradients: usize,
    ) -> Result<Adversarial> {
        let rows = self
            .misled
            .iter()
            .enumerate()
            .map(|(row, misled)| match misled {
                Some((image, _)) => Ok(image.clone()),
                None => Ok(self.data.inputs.narrow(0, row, 1)?),
            });
        let images = Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)?;
        let data = self.data.part(images, self.data.labels.clone());
        let answers = self.misled.iter().zip(&self.before);
        Ok(Adversarial {
            attack: "AutoAttack".into(),
            eps,
            distance: distances(self.attack.norm, &data.inputs, &self.data.inputs)?,
            loss_before: self.loss(self.data)?,
            loss_after: self.loss(&data)?,
            data,
            original: self.data.clone(),
            before: self.before.clone(),
            after: answers
                .map(|(misled, before)| misled.as_ref().map_or(*before, |(_, answer)| *answer))
                .collect(),
            success: self.misled.iter().map(Option::is_some).collect(),
            zero_gradients,
            gradient_evaluations: stages.iter().map(|stage| stage.evaluations).sum(),
        })
    }

    /// The mean cross-entropy.
    fn loss(&self, data: &Dataset) -> Result<f64> {
        let mut sum = 0.;
        for batch in data.batches(self.attack.batch_size)? {
            let loss = CrossEntropy
                .loss(self.network, &batch)?
                .to_dtype(DType::F64)?;
            sum += loss.to_scalar::<f64>()? * batch.len() as f64;
        }
        Ok(sum / data.len() as f64)
    }
}
