//! A network for each method and seed.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use super::method::Method;
use super::settings::Settings;
use crate::datasets::Split;
use crate::error::{Error, Result};
use crate::experiments::sweep::{Sweep, cases};
use crate::io::results::run_file;
use crate::metrics::accuracy;
use crate::models::{Activation, LipschitzMlp, Mlp, Model, Network, SpectralMlp};
use crate::training::{History, Optimizer, Status, TrainParams, train_observed};

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// How it was trained.
    pub method: Method,
    /// The seed of the initial weights and of the order of the images.
    pub seed: u64,
    /// The network with its weights. Layers that were rescaled in training have their rescaled
    /// weights here: the answers are the same.
    pub network: Model<Mlp>,
    /// The history of its training; of a method that attacks each batch, accuracies at attacked
    /// images.
    pub history: History,
    /// The accuracy on the first [`Settings::test_images`], in [0, 1].
    pub test_accuracy: f64,
    /// The wall time of its epochs in seconds, however busy the processors were.
    pub seconds: f64,
}

/// The trained networks for every method and seed.
pub type Networks = Sweep<Method, Trained>;

/// Trains one network, on the device that holds the images; `observer` is called as a training's
/// [observer](TrainParams::observer) is. With [`Settings::runs`] an interrupted training continues
/// from there to the same network.
///
/// # Errors
/// A method that is not among those of the settings, a parameter of it out of its range, images that
/// do not fit [`Settings::sizes`], or a run of other settings in [`Settings::runs`].
pub fn train_network(
    data: &Split,
    settings: &Settings,
    method: &Method,
    seed: u64,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let of_run = |folder| run_file(folder, &method.run_name(seed));
    let checkpoint = settings.runs.as_deref().map(of_run);
    train_from(data, settings, (method, seed), checkpoint, observer)
}

/// [`train_network`] from a checkpoint, if there is one there.
pub(super) fn train_resumably(
    data: &Split,
    settings: &Settings,
    method: &Method,
    seed: u64,
    checkpoint: &Path,
) -> Result<Trained> {
    let checkpoint = Some(checkpoint.to_path_buf());
    train_from(data, settings, (method, seed), checkpoint, &mut |_| ())
}

fn train_from(
    data: &Split,
    settings: &Settings,
    (method, seed): (&Method, u64),
    checkpoint: Option<PathBuf>,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let training = Training {
        data,
        settings,
        method,
        epochs: settings.epochs(method)?,
        seed,
        checkpoint,
    };
    let (sizes, tanh) = (settings.sizes.clone(), Activation::Tanh);
    let (network, history) = match *method {
        Method::Spectral { constant } => training.run(
            move |vb| SpectralMlp::new(&sizes, tanh, constant, vb),
            observer,
        )?,
        Method::AlmostOrthogonal => {
            training.run(move |vb| LipschitzMlp::new(&sizes, tanh, vb), observer)?
        }
        _ => training.run(move |vb| Mlp::new(&sizes, tanh, vb), observer)?,
    };
    let seconds = history.epochs.iter().map(|epoch| epoch.seconds).sum();
    let test_accuracy = accuracy(&network, &data.test.first(settings.test_images)?)?;
    Ok(Trained {
        method: *method,
        seed,
        network,
        history,
        test_accuracy,
        seconds,
    })
}

/// The network of the weights that its layers have, before its training.
pub(super) fn untrained(settings: &Settings, seed: u64, device: &Device) -> Result<Model<Mlp>> {
    let sizes = settings.sizes.clone();
    let build = move |vb| Mlp::new(&sizes, Activation::Tanh, vb);
    Model::on(seed, DType::F32, device, build)
}

struct Training<'a> {
    data: &'a Split,
    settings: &'a Settings,
    method: &'a Method,
    epochs: usize,
    seed: u64,
    checkpoint: Option<PathBuf>,
}

impl Training<'_> {
    /// Trains the network that `build` makes.
    fn run<N: Network + 'static>(
        &self,
        build: impl Fn(VarBuilder<'static>) -> Result<N> + Send + Sync + 'static,
        observer: &mut dyn FnMut(&Status),
    ) -> Result<(Model<Mlp>, History)> {
        let Self { data, settings, .. } = self;
        let device = data.train.inputs.device();
        let model = Model::on(self.seed, DType::F32, device, build)?;
        let params = TrainParams {
            epochs: self.epochs,
            batch_size: settings.batch_size,
            optimizer: Optimizer::adam(settings.learning_rate),
            schedule: settings.schedule,
            seed: self.seed,
            context: self.method.to_string(),
            checkpoint: self.checkpoint.clone(),
            ..TrainParams::default()
        };
        let loss = self.method.loss(settings.attack_steps);
        let history = train_observed(&model, &data.train, loss.as_ref(), &params, observer)?;
        Ok((self.plain(&model)?, history))
    }

    /// The network with the weights that its layers have, and none that they are made of.
    fn plain<N: Network + 'static>(&self, model: &Model<N>) -> Result<Model<Mlp>> {
        let device = self.data.train.inputs.device();
        let plain = untrained(self.settings, self.seed, device)?;
        let (frozen, trained) = (model.freeze()?, model.parameters().named());
        for (name, var) in plain.parameters().named() {
            let layer = name
                .strip_prefix("layers.")
                .and_then(|name| name.strip_suffix(".weight"));
            let own = match layer.and_then(|layer| layer.parse().ok()) {
                Some(layer) => frozen.weight(layer)?,
                None => trained.get(&name).map(|var| var.as_detached_tensor()),
            };
            let own = own.ok_or_else(|| Error::argument("weight", name, "none"))?;
            var.set(&own)?;
        }
        Ok(plain)
    }
}

/// Trains a network of every method and seed, side by side.
///
/// # Errors
/// No method, no seed, or an error of [`train_network`].
pub fn train_networks(data: &Split, settings: &Settings) -> Result<Networks> {
    let methods: Vec<Method> = settings.methods.iter().map(|(method, _)| *method).collect();
    let cases = cases(&methods, &settings.seeds)?;
    let words = |method: &Method, trained: &Trained| {
        format!("{method}: test accuracy {:.4}", trained.test_accuracy)
    };
    Sweep::train(
        &cases,
        &settings.progress,
        words,
        |method, seed, observer| train_network(data, settings, method, seed, observer),
    )
}

/// Writes each network's weights to `folder` as `isometric_beta_1_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &Networks, folder: impl AsRef<Path>) -> Result<()> {
    networks.save(
        folder.as_ref(),
        |trained| &trained.network,
        Method::run_name,
    )
}
