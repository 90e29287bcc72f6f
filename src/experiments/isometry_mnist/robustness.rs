//! Robust accuracy over the step size, for two attackers: figure 3.

use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, ArrayView2, aview1, s};
use serde::{Serialize, Serializer};

use super::networks::{Networks, Trained};
use super::settings::Settings;
use crate::attacks::{Attack as _, Fgsm, Pgd, RobustAccuracy};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::{CrossEntropy, Loss};
use crate::progress::Progress;

/// The robust accuracy of every network under both attacks of figure 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Robustness {
    /// The curves of FGSM, one full step, on [`Settings::test_images`] images: figure 3A.
    pub fgsm: Curves,
    /// The curves of PGD, [`Settings::steps`] steps in a ball of [`Settings::eps`], on
    /// [`Settings::pgd_images`] images: figure 3B.
    pub pgd: Curves,
}

/// The robust accuracy of every network under one attack.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    /// The name of the attack, `FGSM` or `PGD`.
    #[serde(skip)]
    pub attack: String,
    /// The networks' weights β of the isometric loss.
    #[serde(skip)]
    pub betas: Vec<f64>,
    /// The networks' seeds.
    #[serde(skip)]
    pub seeds: Vec<u64>,
    /// The number of attacked images.
    #[serde(skip)]
    pub images: usize,
    /// The step sizes α in pixel units.
    pub step_size: Vec<f64>,
    /// The accuracies, in [0, 1].
    pub accuracy: Accuracies,
    /// The wall time of the attacks in seconds.
    pub seconds: f64,
}

/// Accuracies (β, seed, step size) under an attacker that follows one loss or the other; nested
/// lists in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accuracies {
    /// The accuracies under an attacker that follows the cross-entropy alone.
    #[serde(serialize_with = "nested")]
    pub cross_entropy: Array3<f64>,
    /// The accuracies under an attacker that follows the loss that the network was trained on, over
    /// the attacked batch.
    #[serde(serialize_with = "nested")]
    pub training_loss: Array3<f64>,
}

/// ndarray's own form is a flat list and a shape.
fn nested<S: Serializer>(
    array: &Array3<f64>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let rows = |matrix: ArrayView2<f64>| -> Vec<Vec<f64>> {
        matrix.outer_iter().map(|row| row.to_vec()).collect()
    };
    serializer.collect_seq(array.outer_iter().map(rows))
}

/// The accuracies of [`Curves`] at one step size.
#[derive(Clone, Debug, PartialEq)]
pub struct StepAccuracy {
    /// The name of the attack, `FGSM` or `PGD`.
    pub attack: String,
    /// The networks' weights β of the isometric loss.
    pub betas: Vec<f64>,
    /// The networks' seeds.
    pub seeds: Vec<u64>,
    /// The step size α in pixel units.
    pub step_size: f64,
    /// The accuracies under an attacker that follows the cross-entropy, `[beta][seed]`.
    pub cross_entropy: Vec<Vec<f64>>,
    /// The accuracies under an attacker that follows the training loss, `[beta][seed]`.
    pub training_loss: Vec<Vec<f64>>,
}

impl Curves {
    /// The accuracies at the smallest step size of at least `alpha`, pixel units.
    ///
    /// # Errors
    /// No step is so long.
    pub fn at(&self, alpha: f64) -> Result<StepAccuracy> {
        let long = |(_, step): &(usize, &f64)| **step >= alpha;
        let steps = self.step_size.iter().enumerate().filter(long);
        let Some((index, step_size)) = steps.min_by(|(_, a), (_, b)| a.total_cmp(b)) else {
            let largest = self.step_size.iter().copied().fold(0., f64::max);
            let expected = format!("at most {largest}, the largest step size");
            return Err(Error::argument("alpha", expected, alpha));
        };
        let at = |runs: &Array3<f64>| {
            let column = |runs: ArrayView2<f64>| runs.column(index).to_vec();
            runs.outer_iter().map(column).collect()
        };
        Ok(StepAccuracy {
            attack: self.attack.clone(),
            betas: self.betas.clone(),
            seeds: self.seeds.clone(),
            step_size: *step_size,
            cross_entropy: at(&self.accuracy.cross_entropy),
            training_loss: at(&self.accuracy.training_loss),
        })
    }
}

/// Attacks every network by FGSM and by PGD with every step size, along both losses. `test` holds
/// the test images, from the first on.
///
/// # Errors
/// As [`fgsm_curves`].
pub fn robustness(networks: &Networks, test: &Dataset, settings: &Settings) -> Result<Robustness> {
    Ok(Robustness {
        fgsm: fgsm_curves(networks, test, settings)?,
        pgd: pgd_curves(networks, test, settings)?,
    })
}

/// Attacks every network by FGSM with every step size, along both losses; at β = 0 they are the
/// same, and computed once. Figure 3A; `test` holds the test images, from the first on.
///
/// # Errors
/// As [`Attack::curve`](crate::attacks::Attack::curve); also not the same number of seeds for every
/// β.
pub fn fgsm_curves(networks: &Networks, test: &Dataset, settings: &Settings) -> Result<Curves> {
    let test = test.first(settings.test_images)?;
    curves("FGSM", networks, settings, |trained, loss| {
        let fgsm = Fgsm {
            loss,
            bounds: settings.bounds,
            batch_size: settings.batch_size,
            progress: Progress::Hidden,
            ..Fgsm::default()
        };
        fgsm.curve(&trained.network, &test, &settings.step_sizes)
    })
}

/// Attacks every network by PGD with every step size, as [`fgsm_curves`] does by FGSM. Figure 3B.
///
/// # Errors
/// As [`fgsm_curves`].
pub fn pgd_curves(networks: &Networks, test: &Dataset, settings: &Settings) -> Result<Curves> {
    let test = test.first(settings.pgd_images)?;
    curves("PGD", networks, settings, |trained, loss| {
        let pgd = Pgd {
            loss,
            bounds: settings.bounds,
            steps: settings.steps,
            batch_size: settings.batch_size,
            progress: Progress::Hidden,
            ..Pgd::default()
        };
        pgd.curve_over_alpha(&trained.network, &test, settings.eps, &settings.step_sizes)
    })
}

impl Curves {
    /// Accuracies that are to be filled in, (β, seed, step size).
    pub(super) fn zeros(attack: &str, settings: &Settings, shape: (usize, usize, usize)) -> Self {
        Self {
            attack: attack.into(),
            step_size: settings.step_sizes.clone(),
            accuracy: Accuracies {
                cross_entropy: Array3::zeros(shape),
                training_loss: Array3::zeros(shape),
            },
            ..Self::default()
        }
    }
}

/// The curves of every network, along both losses.
fn curves(
    attack: &str,
    networks: &Networks,
    settings: &Settings,
    curve: impl Fn(&Trained, Arc<dyn Loss>) -> Result<RobustAccuracy>,
) -> Result<Curves> {
    let begin = Instant::now();
    let betas = networks.parameters();
    let seeds = networks.seeds();
    let shape = (betas.len(), seeds.len(), settings.step_sizes.len());
    let mut curves = Curves::zeros(attack, settings, shape);
    let bar = settings.progress.bar(attack);
    let bar = bar.of(networks.runs.len(), "networks");
    for (index, beta) in betas.iter().enumerate() {
        let runs = networks.at(beta);
        if runs.len() != seeds.len() {
            let expected = format!("{}, one for each seed", seeds.len());
            return Err(Error::argument(
                "number of networks",
                expected,
                format!("{} at β = {beta}", runs.len()),
            ));
        }
        for (seed, trained) in runs.into_iter().enumerate() {
            let mut part = bar.part();
            let plain = curve(trained, Arc::new(CrossEntropy))?;
            part.set(0.5);
            let whole = match trained.beta == 0. {
                true => plain.clone(),
                false => curve(trained, Arc::new(settings.loss(trained.beta)))?,
            };
            let Accuracies {
                cross_entropy,
                training_loss,
            } = &mut curves.accuracy;
            for (all, own) in [(cross_entropy, &plain), (training_loss, &whole)] {
                let mut row = all.slice_mut(s![index, seed, ..]);
                row.assign(&aview1(&own.accuracy));
            }
            curves.images = plain.images;
            part.finish(format!("β = {}, seed {}", trained.beta, trained.seed));
        }
    }
    (curves.betas, curves.seeds) = (betas, seeds);
    curves.seconds = begin.elapsed().as_secs_f64();
    Ok(curves)
}
