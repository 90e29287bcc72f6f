//! What a task gives, and what several give together.

use ndarray::{Array3, aview1, s};

use crate::device;
use crate::error::{Error, Result};
use crate::experiments::isometry_mnist::networks::{Networks, Trained, untrained};
use crate::experiments::isometry_mnist::robustness::{Accuracies, Curves};
use crate::experiments::isometry_mnist::settings::Settings;
use crate::experiments::isometry_mnist::strength::{AttackStrength, Strength};
use crate::experiments::sweep::{Run, Sweep};
use crate::experiments::tasks::{Output, set_weights, with_weights};

/// The network of a task alone.
pub(super) fn alone(trained: Trained) -> Networks {
    Sweep {
        runs: vec![Run {
            parameter: trained.beta,
            seed: trained.seed,
            result: trained,
        }],
    }
}

/// A network as the output of a task.
pub(crate) fn output_of(trained: &Trained) -> Result<Output> {
    let output = Output::of(&trained.history)?.with_numbers(
        "scores",
        &[
            trained.test_accuracy,
            trained.isometric_loss,
            trained.seconds,
        ],
    )?;
    with_weights(output, trained.network.parameters())
}

/// The network of an output.
pub(crate) fn trained(
    output: &Output,
    settings: &Settings,
    beta: f64,
    seed: u64,
) -> Result<Trained> {
    let scores = output.numbers("scores")?;
    let [test_accuracy, isometric_loss, seconds] = scores[..] else {
        return Err(Error::argument("scores", "three numbers", scores.len()));
    };
    let network = untrained(settings, seed, &device::best())?;
    set_weights(network.parameters(), output)?;
    Ok(Trained {
        beta,
        seed,
        network,
        history: output.read()?,
        test_accuracy,
        isometric_loss,
        seconds,
    })
}

/// The curves of one network.
pub(super) fn curves_output(curves: &Curves) -> Result<Output> {
    let row = |all: &Array3<f64>| all.iter().copied().collect::<Vec<f64>>();
    Output::of(&(curves.images, curves.seconds))?
        .with_numbers("cross_entropy", &row(&curves.accuracy.cross_entropy))?
        .with_numbers("training_loss", &row(&curves.accuracy.training_loss))
}

/// The curves of several networks.
pub(super) fn joined(
    attack: &str,
    settings: &Settings,
    runs: &[(f64, u64)],
    output: &dyn Fn(f64, u64) -> Result<Output>,
) -> Result<Curves> {
    let mut betas: Vec<f64> = runs.iter().map(|(beta, _)| *beta).collect();
    betas.dedup();
    let seeds: Vec<u64> = runs.iter().map(|(_, seed)| *seed).collect();
    let seeds = seeds[..runs.len() / betas.len().max(1)].to_vec();
    let shape = (betas.len(), seeds.len(), settings.step_sizes.len());
    let mut curves = Curves::zeros(attack, settings, shape);
    for (at, (beta, seed)) in runs.iter().enumerate() {
        let output = output(*beta, *seed)?;
        let (images, seconds) = output.read::<(usize, f64)>()?;
        curves.images = images;
        curves.seconds += seconds;
        let Accuracies {
            cross_entropy,
            training_loss,
        } = &mut curves.accuracy;
        for (all, name) in [
            (cross_entropy, "cross_entropy"),
            (training_loss, "training_loss"),
        ] {
            let own = output.numbers(name)?;
            if own.len() != shape.2 {
                return Err(Error::argument(
                    "accuracies",
                    format!("{}", shape.2),
                    own.len(),
                ));
            }
            let mut row = all.slice_mut(s![at / seeds.len(), at % seeds.len(), ..]);
            row.assign(&aview1(&own));
        }
    }
    (curves.betas, curves.seeds) = (betas, seeds);
    Ok(curves)
}

/// The attacks on one network.
pub(super) fn strength_output(found: &AttackStrength) -> Result<Output> {
    Output::of(&(found.eps, &found.betas, found.images, &found.attacks))
}

/// The attacks on several networks, those on each in an output of its own.
pub(super) fn strength(outputs: impl Iterator<Item = Result<Output>>) -> Result<AttackStrength> {
    let mut all: Option<AttackStrength> = None;
    for output in outputs {
        let (eps, betas, images, attacks) =
            output?.read::<(f64, Vec<f64>, usize, Vec<Strength>)>()?;
        match &mut all {
            None => {
                all = Some(AttackStrength {
                    eps,
                    betas,
                    images,
                    attacks,
                });
            }
            Some(all) => {
                all.betas.extend(betas);
                for (own, other) in all.attacks.iter_mut().zip(attacks) {
                    own.accuracy.extend(other.accuracy);
                }
            }
        }
    }
    all.ok_or_else(|| Error::argument("networks", "at least one", "none"))
}
