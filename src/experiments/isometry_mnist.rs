//! The *isometry* paper's experiment on MNIST: sections 2.2 and 3.3, table 1, figure 3.
//!
//! One network for each weight β of the isometric loss and each seed ([`train_networks`]); each
//! attacked by FGSM and PGD over the same step sizes, once along the cross-entropy and once along
//! the full training loss ([`attack_networks`]); and the Lipschitz constants that are to explain
//! the result ([`stretch`]).

mod evidence;
mod stretch;

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};
use ndarray::{Array1, Array3, s};
use serde::{Serialize, Serializer};

use crate::attacks::{Bounds, FgsmParams, PgdParams, fgsm_sweep, pgd_sweep};
use crate::datasets::Images;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{CrossEntropy, Lil, Loss, Representation};
use crate::metrics::accuracy;
use crate::models::{Activation, Mlp, Network as _, Parameters};
use crate::progress::Bar;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::training::{AdamParams, History, Progress, TrainParams, in_parallel, train};

pub use evidence::{Angle, Evidence, Strength, attack_strength, gradient_angles};
pub use stretch::{Stretch, stretch, values};

/// What the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The layers' sizes, the input's first: 784, four hidden layers of 100, 10 (section 2.2).
    pub sizes: Vec<usize>,
    /// The weights β ≥ 0 of the isometric loss: 0, 0.001, 0.01, 0.1, 1, 10 (section 2.2).
    pub betas: Vec<f64>,
    /// One network a seed; the paper trains one.
    pub seeds: Vec<u64>,
    /// 5 (section 2.2).
    pub epochs: usize,
    /// 100 (section 2.2), in training and under attack, since the isometric loss couples the
    /// samples of a batch.
    pub batch_size: usize,
    /// Of Adam; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
    /// What is kept isometric: the last hidden layer.
    pub representation: Representation,
    /// Test images for accuracies and FGSM, from the first on.
    pub test_images: usize,
    /// Test images for PGD, from the first on.
    pub pgd_images: usize,
    /// α > 0: 20 from 0.01 to 1, equal factors apart (section 2.2 gives the range), pixel units.
    pub step_sizes: Vec<f64>,
    /// The radius ε of PGD's L∞ ball: 0.5 (section 2.2), pixel units.
    pub eps: f64,
    /// PGD's steps: 10 (section 2.2).
    pub steps: usize,
}

impl Settings {
    /// `quick`: β = 0 and 1, one seed, one epoch, 1,000 test images. `default`: all of the paper,
    /// three seeds, PGD on 2,000 test images. `paper`: ten seeds, all test images.
    pub fn of(scale: Scale) -> Self {
        let betas: &[f64] = scale.pick(&[0., 1.], &BETAS, &BETAS);
        Self {
            sizes: vec![784, 100, 100, 100, 100, 10],
            betas: betas.to_vec(),
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            epochs: scale.pick(1, 5, 5),
            batch_size: 100,
            learning_rate: 1e-3,
            representation: Representation::LastHidden,
            test_images: scale.pick(1_000, 10_000, 10_000),
            pgd_images: scale.pick(1_000, 2_000, 10_000),
            step_sizes: (0..20)
                .map(|i| 10f64.powf(-2. + 2. * f64::from(i) / 19.))
                .collect(),
            eps: 0.5,
            steps: 10,
        }
    }

    /// The training loss L = L_CE + β·L_ISO with the partition by class.
    pub fn loss(&self, beta: f64) -> Lil {
        Lil {
            beta,
            representation: self.representation,
            ..Lil::default()
        }
    }

    /// The first `count` test images and their labels, all if there are fewer.
    ///
    /// # Errors
    /// The test images are none.
    pub fn test(&self, images: &Images, count: usize) -> Result<(Tensor, Tensor)> {
        let count = count.min(images.test_images.dim(0)?);
        Ok((
            images.test_images.narrow(0, 0, count)?,
            images.test_labels.narrow(0, 0, count)?,
        ))
    }
}

/// The weights of section 2.2.
const BETAS: [f64; 6] = [0., 0.001, 0.01, 0.1, 1., 10.];

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Of its initial weights and of the order of the images.
    pub seed: u64,
    /// Frozen.
    pub network: Mlp,
    /// Its weights by name, to be saved.
    pub parameters: Parameters,
    /// What training reported.
    pub history: History,
    /// On the first [`Settings::test_images`], in [0, 1].
    pub test_accuracy: f64,
    /// L_ISO on the same images in batches of [`Settings::batch_size`], their mean; ≥ 0.
    pub isometric_loss: f64,
    /// Wall time of its training; networks are trained side by side.
    pub seconds: f64,
}

/// Trains one network, on the device that holds the images; `progress` as in [`train`].
///
/// # Errors
/// β negative or not finite, or images that do not fit [`Settings::sizes`].
pub fn train_network(
    images: &Images,
    settings: &Settings,
    beta: f64,
    seed: u64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let begin = Instant::now();
    let parameters = Parameters::new();
    let rng = Rng::new(seed);
    let builder = parameters.builder(&rng, DType::F32, images.train_images.device());
    let network = Mlp::new(&settings.sizes, Activation::Tanh, builder)?;
    let params = TrainParams {
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        optimizer: AdamParams {
            learning_rate: settings.learning_rate,
            ..AdamParams::default()
        }
        .into(),
        seed,
        ..TrainParams::default()
    };
    let (x, labels) = (&images.train_images, &images.train_labels);
    let history = train(
        &network,
        &parameters,
        &settings.loss(beta),
        x,
        labels,
        &params,
        progress,
    )?;
    let network = network.freeze()?;
    let (x, labels) = settings.test(images, settings.test_images)?;
    let test_accuracy = accuracy(&network, &x, &labels, settings.batch_size)?;
    let isometric_loss = isometric_loss(&network, settings, &x, &labels)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Trained {
        beta,
        seed,
        network,
        parameters,
        history,
        test_accuracy,
        isometric_loss,
        seconds,
    })
}

/// The mean of L_ISO over full batches.
fn isometric_loss(network: &Mlp, settings: &Settings, x: &Tensor, labels: &Tensor) -> Result<f64> {
    let size = settings.batch_size.min(x.dim(0)?).max(1);
    let batches = x.dim(0)? / size;
    let mut sum = 0.;
    for batch in 0..batches {
        interrupt::check()?;
        let (x, labels) = (
            x.narrow(0, batch * size, size)?,
            labels.narrow(0, batch * size, size)?,
        );
        let term = settings.loss(0.).terms(network, &x, &labels)?.isometric;
        sum += term.map_or(Ok(0.), |term| term.to_dtype(DType::F64)?.to_scalar::<f64>())?;
    }
    Ok(sum / batches as f64)
}

/// Trains every network, `[beta][seed]`, side by side; `bar` counts them.
///
/// # Errors
/// No β, no seed, or an error of [`train_network`].
pub fn train_networks(
    images: &Images,
    settings: &Settings,
    bar: &Bar,
) -> Result<Vec<Vec<Trained>>> {
    if settings.betas.is_empty() || settings.seeds.is_empty() {
        let got = format!("{} and {}", settings.betas.len(), settings.seeds.len());
        return Err(Error::argument("betas and seeds", "at least one each", got));
    }
    let pairs: Vec<(f64, u64)> = settings
        .betas
        .iter()
        .flat_map(|beta| settings.seeds.iter().map(|seed| (*beta, *seed)))
        .collect();
    bar.begin(pairs.len(), "networks");
    let trained = in_parallel(&pairs, |(beta, seed)| {
        let mut part = bar.part();
        let trained = train_network(images, settings, *beta, *seed, &mut |progress| {
            part.set(progress.share())
        })?;
        part.finish(format!(
            "β = {beta}, seed {seed}: test accuracy {:.4}",
            trained.test_accuracy
        ));
        Ok(trained)
    })?;
    Ok(trained
        .chunks(settings.seeds.len())
        .map(<[Trained]>::to_vec)
        .collect())
}

/// The network of a β and a seed.
///
/// # Errors
/// There is none.
pub fn pick(networks: &[Vec<Trained>], beta: f64, seed: u64) -> Result<Trained> {
    let found = networks
        .iter()
        .flatten()
        .find(|trained| trained.beta == beta && trained.seed == seed);
    let got = || format!("β = {beta}, seed {seed}");
    found
        .cloned()
        .ok_or_else(|| Error::argument("network", "a β and a seed that were trained", got()))
}

/// What a network says to images `x` (N, 784) with `labels` (N,) of u32: the label of the largest
/// logit with its softmax, as `7 · 98 %`, and whether it is the true one.
///
/// # Errors
/// Shapes that do not fit.
pub fn answers(network: &Mlp, x: &Tensor, labels: &Tensor) -> Result<Vec<(String, bool)>> {
    let labels = labels.to_vec1::<u32>()?;
    if x.dims().first() != Some(&labels.len()) {
        return Err(Error::shape(
            "answers",
            "x",
            format!("({}, 784)", labels.len()),
            x.dims(),
        ));
    }
    let probabilities = candle_nn::ops::softmax(&network.forward(x)?, 1)?;
    let best = probabilities.argmax(1)?.to_vec1::<u32>()?;
    let share = probabilities
        .max(1)?
        .to_dtype(DType::F64)?
        .to_vec1::<f64>()?;
    let answers = best.into_iter().zip(share).zip(labels);
    Ok(answers
        .map(|((label, share), truth)| (format!("{label} · {:.0} %", 100. * share), label == truth))
        .collect())
}

/// Writes each network's weights to `folder` as `beta_0.1_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &[Vec<Trained>], folder: &Path) -> Result<()> {
    networks.iter().flatten().try_for_each(|trained| {
        trained.parameters.save(folder.join(format!(
            "beta_{}_seed_{}.safetensors",
            trained.beta, trained.seed
        )))
    })
}

/// Accuracies (β, seed, step size) under an attacker that follows one loss or the other; nested
/// lists in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accuracies {
    /// The cross-entropy alone.
    #[serde(serialize_with = "nested")]
    pub cross_entropy: Array3<f64>,
    /// The loss that the network was trained on, over the attacked batch.
    #[serde(serialize_with = "nested")]
    pub training_loss: Array3<f64>,
}

/// ndarray's own form is a flat list and a shape.
fn nested<S: Serializer>(
    array: &Array3<f64>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let lists = array.outer_iter().map(|matrix| {
        matrix
            .outer_iter()
            .map(|row| row.to_vec())
            .collect::<Vec<_>>()
    });
    serializer.collect_seq(lists)
}

/// Robust accuracy of every network (figure 3).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    /// The step sizes α, pixel units.
    pub step_size: Vec<f64>,
    /// The accuracies, in [0, 1].
    pub accuracy: Accuracies,
    /// What the attacks took, wall time.
    pub seconds: f64,
}

impl Accuracies {
    /// The accuracies at one step size, `[beta][seed]`: along the cross-entropy, and along the
    /// training loss.
    ///
    /// # Errors
    /// No such step.
    pub fn at(&self, step: usize) -> Result<[Vec<Vec<f64>>; 2]> {
        let steps = self.cross_entropy.dim().2.min(self.training_loss.dim().2);
        if step >= steps {
            return Err(Error::argument(
                "step",
                format!("below {steps}, the number of step sizes"),
                step,
            ));
        }
        let at = |runs: &Array3<f64>| {
            runs.outer_iter()
                .map(|runs| runs.column(step).to_vec())
                .collect()
        };
        Ok([at(&self.cross_entropy), at(&self.training_loss)])
    }
}

/// An attack of figure 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// One full step, on [`Settings::test_images`] images: figure 3A.
    Fgsm,
    /// [`Settings::steps`] steps in a ball of [`Settings::eps`], on [`Settings::pgd_images`]
    /// images: figure 3B.
    Pgd,
}

/// Attacks every network with every step size, along both losses; at β = 0 they are the same, and
/// computed once.
///
/// `bounds`: the range of a pixel; `None` leaves the attacked pixels unclipped. `bar` counts the
/// networks.
///
/// # Errors
/// As [`fgsm_sweep`] and [`pgd_sweep`]; also not the same number of seeds for every β.
pub fn attack_networks(
    networks: &[Vec<Trained>],
    images: &Images,
    settings: &Settings,
    attack: Attack,
    bounds: Option<Bounds>,
    bar: &Bar,
) -> Result<Curves> {
    let begin = Instant::now();
    let shape = (
        networks.len(),
        networks.first().map_or(0, Vec::len),
        settings.step_sizes.len(),
    );
    let mut accuracy = Accuracies {
        cross_entropy: Array3::zeros(shape),
        training_loss: Array3::zeros(shape),
    };
    bar.begin(networks.iter().flatten().count(), "networks");
    for (beta, runs) in networks.iter().enumerate() {
        if runs.len() != shape.1 {
            return Err(Error::argument(
                "networks",
                format!("{} seeds for every β", shape.1),
                runs.len(),
            ));
        }
        for (seed, trained) in runs.iter().enumerate() {
            let mut part = bar.part();
            let along = |loss: &dyn Loss| curve(trained, loss, images, settings, attack, bounds);
            let first = along(&CrossEntropy)?;
            part.set(0.5);
            let second = if trained.beta == 0. {
                first.clone()
            } else {
                along(&settings.loss(trained.beta))?
            };
            accuracy
                .cross_entropy
                .slice_mut(s![beta, seed, ..])
                .assign(&first);
            accuracy
                .training_loss
                .slice_mut(s![beta, seed, ..])
                .assign(&second);
            part.finish(format!("β = {}, seed {}", trained.beta, trained.seed));
        }
    }
    Ok(Curves {
        step_size: settings.step_sizes.clone(),
        accuracy,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// The accuracies of one network at every step size.
fn curve(
    trained: &Trained,
    loss: &dyn Loss,
    images: &Images,
    settings: &Settings,
    attack: Attack,
    bounds: Option<Bounds>,
) -> Result<Array1<f64>> {
    let Settings {
        step_sizes,
        eps,
        steps,
        batch_size,
        ..
    } = settings;
    let network = &trained.network;
    let sweep = match attack {
        Attack::Fgsm => {
            let (x, labels) = settings.test(images, settings.test_images)?;
            let params = FgsmParams {
                bounds,
                batch_size: *batch_size,
                ..FgsmParams::default()
            };
            fgsm_sweep(network, loss, &x, &labels, step_sizes, &params)?
        }
        Attack::Pgd => {
            let (x, labels) = settings.test(images, settings.pgd_images)?;
            let params = PgdParams {
                bounds,
                steps: *steps,
                batch_size: *batch_size,
                ..PgdParams::default()
            };
            pgd_sweep(network, loss, &x, &labels, *eps, step_sizes, &params)?
        }
    };
    Ok(sweep.accuracy.into())
}

/// Table 1 and figure 3 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The weights β.
    pub beta: Vec<f64>,
    /// `[beta][seed]`, without an attack.
    pub test_accuracy: Vec<Vec<f64>>,
    /// `[beta][seed]`: table 1's L_ISO.
    pub isometric_loss: Vec<Vec<f64>>,
    /// Figure 3A.
    pub fgsm: FgsmResults,
    /// Figure 3B.
    pub pgd: PgdResults,
    /// `[beta][seed]`: the explanation of section 3.2.
    pub lipschitz: Vec<Vec<Stretch>>,
    /// Wall time.
    pub seconds: Seconds,
}

/// Figure 3A in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FgsmResults {
    /// α, pixel units.
    pub step_size: Vec<f64>,
    /// By loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// Figure 3B in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PgdResults {
    /// The radius of the ball, pixel units.
    pub eps: f64,
    /// Steps of each attack.
    pub steps: usize,
    /// α, pixel units.
    pub step_size: Vec<f64>,
    /// By loss, (β, seed, step size).
    pub accuracy: Accuracies,
}

/// Wall time in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// The sum over networks, which are trained side by side.
    pub training: f64,
    /// Figure 3A.
    pub fgsm: f64,
    /// Figure 3B.
    pub pgd: f64,
}

impl Results {
    /// Collects what [`train_networks`], [`attack_networks`] and [`stretch`] found.
    pub fn new(
        scale: Scale,
        settings: &Settings,
        networks: &[Vec<Trained>],
        fgsm: &Curves,
        pgd: &Curves,
        lipschitz: &[Vec<Stretch>],
    ) -> Self {
        let Curves {
            step_size,
            accuracy,
            ..
        } = fgsm.clone();
        let fgsm_results = FgsmResults {
            step_size,
            accuracy,
        };
        let Curves {
            step_size,
            accuracy,
            ..
        } = pgd.clone();
        let pgd_results = PgdResults {
            eps: settings.eps,
            steps: settings.steps,
            step_size,
            accuracy,
        };
        let seconds = Seconds {
            training: networks
                .iter()
                .flatten()
                .map(|trained| trained.seconds)
                .sum(),
            fgsm: fgsm.seconds,
            pgd: pgd.seconds,
        };
        Self {
            scale: scale.to_string(),
            seeds: settings.seeds.clone(),
            beta: settings.betas.clone(),
            test_accuracy: networks
                .iter()
                .map(|runs| runs.iter().map(|t| t.test_accuracy).collect())
                .collect(),
            isometric_loss: networks
                .iter()
                .map(|runs| runs.iter().map(|t| t.isometric_loss).collect())
                .collect(),
            fgsm: fgsm_results,
            pgd: pgd_results,
            lipschitz: lipschitz.to_vec(),
            seconds,
        }
    }
}
