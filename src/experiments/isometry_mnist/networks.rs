//! A network for each β and seed.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device};

use super::settings::Settings;
use crate::datasets::{Dataset, Split};
use crate::error::Result;
use crate::experiments::sweep::{Sweep, cases};
use crate::interrupt;
use crate::losses::Loss as _;
use crate::metrics::accuracy;
use crate::models::{Activation, ConvMlp, Model};
use crate::training::{History, Optimizer, Status, TrainParams, train_observed};

/// A trained network with its numbers on the test images.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weight β of the isometric loss.
    pub beta: f64,
    /// The seed of the initial weights and of the order of the images.
    pub seed: u64,
    /// The network with its weights.
    pub network: Model<ConvMlp>,
    /// The history of its training.
    pub history: History,
    /// The accuracy on the first [`Settings::test_images`], in [0, 1].
    pub test_accuracy: f64,
    /// The mean of L_ISO over the same images in batches of [`Settings::batch_size`]; ≥ 0.
    pub isometric_loss: f64,
    /// The wall time of its training in seconds; networks are trained side by side.
    pub seconds: f64,
}

/// The trained networks for every β and seed.
pub type Networks = Sweep<f64, Trained>;

/// Trains one network, on the device that holds the images and in the numbers of
/// [`Settings::dtype`]; `observer` is called as a training's
/// [observer](TrainParams::observer) is.
///
/// # Errors
/// β negative or not finite, or images that do not fit [`Settings::channels`] and
/// [`Settings::sizes`].
pub fn train_network(
    data: &Split,
    settings: &Settings,
    beta: f64,
    seed: u64,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    train_with(data, settings, beta, &params(settings, seed), observer)
}

/// The network before its training.
pub(super) fn untrained(settings: &Settings, seed: u64, device: &Device) -> Result<Model<ConvMlp>> {
    let Settings {
        channels,
        sizes,
        initialisation,
        ..
    } = settings.clone();
    let build =
        move |vb| ConvMlp::initialised(&channels, &sizes, Activation::Tanh, initialisation, vb);
    Model::on(seed, settings.dtype, device, build)
}

/// [`train_network`] from a checkpoint, if there is one there.
pub(super) fn train_resumably(
    data: &Split,
    settings: &Settings,
    beta: f64,
    seed: u64,
    checkpoint: &Path,
) -> Result<Trained> {
    let params = TrainParams {
        checkpoint: Some(checkpoint.to_path_buf()),
        ..params(settings, seed)
    };
    train_with(data, settings, beta, &params, &mut |_| ())
}

fn params(settings: &Settings, seed: u64) -> TrainParams {
    TrainParams {
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        optimizer: Optimizer::adam(settings.learning_rate),
        seed,
        ..TrainParams::default()
    }
}

fn train_with(
    data: &Split,
    settings: &Settings,
    beta: f64,
    params: &TrainParams,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let (begin, seed) = (Instant::now(), params.seed);
    let data = settings.converted(data)?;
    let network = untrained(settings, seed, data.train.inputs.device())?;
    let history = train_observed(
        &network,
        &data.train,
        &settings.loss(beta),
        params,
        observer,
    )?;
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
fn isometric_loss(network: &Model<ConvMlp>, settings: &Settings, data: &Dataset) -> Result<f64> {
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

/// Trains a network for every β and seed, side by side.
///
/// # Errors
/// No β, no seed, or an error of [`train_network`].
pub fn train_networks(data: &Split, settings: &Settings) -> Result<Networks> {
    let cases = cases(&settings.betas, &settings.seeds)?;
    // Once for all networks.
    let data = &settings.converted(data)?;
    let words = |beta: &f64, trained: &Trained| {
        format!("β = {beta}: test accuracy {:.4}", trained.test_accuracy)
    };
    Sweep::train(&cases, &settings.progress, words, |beta, seed, observer| {
        train_network(data, settings, *beta, seed, observer)
    })
}

/// Writes each network's weights to `folder` as `beta_0.1_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &Networks, folder: impl AsRef<Path>) -> Result<()> {
    let name = |beta: &f64, seed| format!("beta_{beta}_seed_{seed}");
    networks.save(folder.as_ref(), |trained| &trained.network, name)
}
