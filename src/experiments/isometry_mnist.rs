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

use candle_core::DType;
use ndarray::{Array1, Array3, s};
use serde::{Serialize, Serializer};

use crate::attacks::{Attack as _, Fgsm, Pgd};
use crate::checks::Bounds;
use crate::datasets::{Dataset, Split};
use crate::error::{Error, Result};
use crate::experiments::sweep::{Sweep, cases};
use crate::interrupt;
use crate::losses::{CrossEntropy, IsometricLoss, Loss};
use crate::metrics::accuracy;
use crate::models::{Activation, Mlp, Model, Representation};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{AdamParams, History, Status, TrainParams, train_heard};

pub use evidence::{Angle, Evidence, Strength, attack_strength, gradient_angles};
pub use stretch::{Stretch, stretch};

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
    /// The range that attacked pixels stay in; `None` leaves them unclipped.
    pub bounds: Option<Bounds>,
    /// Whether moving lines show how far the sweeps have come.
    pub progress: Progress,
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
            bounds: Some(Bounds::default()),
            progress: Progress::default(),
        }
    }

    /// The training loss L = L_CE + β·L_ISO with the partition by class.
    pub fn loss(&self, beta: f64) -> IsometricLoss {
        IsometricLoss {
            representation: self.representation,
            ..IsometricLoss::new(beta)
        }
    }
}

/// The weights of section 2.2.
const BETAS: [f64; 6] = [0., 0.001, 0.01, 0.1, 1., 10.];

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Decided its initial weights and the order of the images.
    pub seed: u64,
    /// The network.
    pub network: Model<Mlp>,
    /// What training reported.
    pub history: History,
    /// On the first [`Settings::test_images`], in [0, 1].
    pub test_accuracy: f64,
    /// L_ISO on the same images in batches of [`Settings::batch_size`], their mean; ≥ 0.
    pub isometric_loss: f64,
    /// Wall time of its training; networks are trained side by side.
    pub seconds: f64,
}

/// The networks by β and seed.
pub type Networks = Sweep<f64, Trained>;

/// Trains one network, on the device that holds the images; `hear` hears of it as a
/// [`TrainParams::observer`] does.
///
/// # Errors
/// β negative or not finite, or images that do not fit [`Settings::sizes`].
pub fn train_network(
    data: &Split,
    settings: &Settings,
    beta: f64,
    seed: u64,
    hear: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let begin = Instant::now();
    let sizes = settings.sizes.clone();
    let build = move |vb| Mlp::new(&sizes, Activation::Tanh, vb);
    let network = Model::on(seed, DType::F32, data.train.inputs.device(), build)?;
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
    let history = train_heard(&network, &data.train, &settings.loss(beta), &params, hear)?;
    let test = data.test.first(settings.test_images)?;
    let test_accuracy = accuracy(&network, &test)?;
    let isometric_loss = isometric_loss(&network, settings, &test)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Trained {
        beta,
        seed,
        network,
        history,
        test_accuracy,
        isometric_loss,
        seconds,
    })
}

/// The mean of L_ISO over full batches.
fn isometric_loss(network: &Model<Mlp>, settings: &Settings, data: &Dataset) -> Result<f64> {
    let size = settings.batch_size.min(data.len()).max(1);
    let batches = data.len() / size;
    let network = network.freeze()?;
    let mut sum = 0.;
    for batch in 0..batches {
        interrupt::check()?;
        let term = settings
            .loss(0.)
            .terms(&network, &data.range(batch * size, size)?)?
            .isometric;
        sum += term.map_or(Ok(0.), |term| term.to_dtype(DType::F64)?.to_scalar::<f64>())?;
    }
    Ok(sum / batches as f64)
}

/// Trains every network, side by side.
///
/// # Errors
/// No β, no seed, or an error of [`train_network`].
pub fn train_networks(data: &Split, settings: &Settings) -> Result<Networks> {
    let cases = cases(&settings.betas, &settings.seeds)?;
    let words = |trained: &Trained| format!("test accuracy {:.4}", trained.test_accuracy);
    Sweep::train(&cases, &settings.progress, words, |beta, seed, hear| {
        train_network(data, settings, *beta, seed, hear)
    })
}

/// Writes each network's weights to `folder` as `beta_0.1_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &Networks, folder: &Path) -> Result<()> {
    let name = |beta: &f64, seed| format!("beta_{beta}_seed_{seed}");
    networks.save(folder, |trained| &trained.network, name)
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
/// computed once. `test` holds the test images, from the first on.
///
/// # Errors
/// As [`Attack::attack`](crate::attacks::Attack::attack); also not the same number of seeds for every
/// β.
pub fn attack_networks(
    networks: &Networks,
    test: &Dataset,
    settings: &Settings,
    attack: Attack,
) -> Result<Curves> {
    let begin = Instant::now();
    let betas = networks.parameters();
    let seeds = betas.first().map_or(0, |beta| networks.at(beta).len());
    let shape = (betas.len(), seeds, settings.step_sizes.len());
    let mut accuracy = Accuracies {
        cross_entropy: Array3::zeros(shape),
        training_loss: Array3::zeros(shape),
    };
    let label = match attack {
        Attack::Fgsm => "FGSM",
        Attack::Pgd => "PGD",
    };
    let bar = settings
        .progress
        .bar(label)
        .of(networks.runs.len(), "networks");
    for (index, beta) in betas.iter().enumerate() {
        let runs = networks.at(beta);
        if runs.len() != seeds {
            let expected = format!("{seeds} seeds for every β");
            return Err(Error::argument("networks", expected, runs.len()));
        }
        for (seed, trained) in runs.into_iter().enumerate() {
            let mut part = bar.part();
            let first = curve(trained, CrossEntropy, test, settings, attack)?;
            part.set(0.5);
            let second = match trained.beta == 0. {
                true => first.clone(),
                false => curve(trained, settings.loss(trained.beta), test, settings, attack)?,
            };
            accuracy
                .cross_entropy
                .slice_mut(s![index, seed, ..])
                .assign(&first);
            accuracy
                .training_loss
                .slice_mut(s![index, seed, ..])
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
    loss: impl Loss + 'static,
    test: &Dataset,
    settings: &Settings,
    attack: Attack,
) -> Result<Array1<f64>> {
    let Settings {
        step_sizes,
        eps,
        steps,
        batch_size,
        bounds,
        ..
    } = settings.clone();
    let (network, progress) = (&trained.network, Progress::Hidden);
    let curve = match attack {
        Attack::Fgsm => {
            let fgsm = Fgsm {
                bounds,
                batch_size,
                progress,
                ..Fgsm::along(loss)
            };
            fgsm.curve(network, &test.first(settings.test_images)?, &step_sizes)?
        }
        Attack::Pgd => {
            let pgd = Pgd {
                bounds,
                steps,
                batch_size,
                progress,
                ..Pgd::along(loss)
            };
            let test = test.first(settings.pgd_images)?;
            pgd.curve_over_alpha(network, &test, eps, &step_sizes)?
        }
    };
    Ok(curve.accuracy.into())
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
    /// Collects what [`train_networks`], [`attack_networks`] (FGSM, then PGD) and [`stretch`] found.
    pub fn new(
        scale: Scale,
        settings: &Settings,
        networks: &Networks,
        [fgsm, pgd]: [&Curves; 2],
        lipschitz: &Sweep<f64, Stretch>,
    ) -> Self {
        let Settings {
            seeds,
            betas,
            eps,
            steps,
            ..
        } = settings.clone();
        let seconds = Seconds {
            training: networks.runs.iter().map(|run| run.result.seconds).sum(),
            fgsm: fgsm.seconds,
            pgd: pgd.seconds,
        };
        let of_beta = |beta: &f64| lipschitz.at(beta).into_iter().cloned().collect();
        Self {
            scale: scale.to_string(),
            seeds,
            test_accuracy: networks.values(|trained| trained.test_accuracy),
            isometric_loss: networks.values(|trained| trained.isometric_loss),
            fgsm: FgsmResults {
                step_size: fgsm.step_size.clone(),
                accuracy: fgsm.accuracy.clone(),
            },
            pgd: PgdResults {
                eps,
                steps,
                step_size: pgd.step_size.clone(),
                accuracy: pgd.accuracy.clone(),
            },
            lipschitz: betas.iter().map(of_beta).collect(),
            beta: betas,
            seconds,
        }
    }
}
