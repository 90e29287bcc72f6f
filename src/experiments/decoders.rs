//! Decoders of the *connectivity* experiment's hidden spaces: what an image on a path in a hidden
//! space looks like.

use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::cifar10;
use super::connectivity_cifar10::Space;
use crate::datasets::{Dataset, Split};
use crate::device;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::Reconstruction;
use crate::models::resnet::Stem;
use crate::models::{Decoder, DecoderParams, Model, Network as _, ResNet};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{AdamParams, History, TrainParams, train};

/// What decides a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The network that is decoded.
    pub network: cifar10::Settings,
    /// The representation that is decoded; not the input.
    pub space: Space,
    /// The channels between, at least 1; 256 in the paper.
    pub filters: usize,
    /// How often every image is seen, at least 1.
    pub epochs: usize,
    /// Images a step, at least 1.
    pub batch_size: usize,
    /// Of Adam.
    pub learning_rate: f64,
    /// Decides the initial weights and the order of the images.
    pub seed: u64,
    /// A file that the run is written to after every epoch, and taken up from if it is there.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
    /// Whether a moving line shows how far the training has come.
    #[serde(skip)]
    pub progress: Progress,
}

impl Settings {
    /// The paper's epochs, batch size and learning rate (table 4), with as many filters as the
    /// network's stem has channels for `quick` and `default`, the paper's 256 for `paper`.
    ///
    /// # Errors
    /// The input space.
    pub fn of(scale: Scale, space: Space) -> Result<Self> {
        let (epochs, batch_size) = match space {
            Space::Input => return Err(not_decoded()),
            Space::FirstStage => (10, 32),
            Space::Last => (5, 128),
        };
        let network = cifar10::Settings::of(scale);
        let filters = scale.pick(network.width, network.width, 256);
        Ok(Self {
            network,
            space,
            filters,
            epochs,
            batch_size,
            learning_rate: 1e-3,
            seed: 0,
            checkpoint: None,
            progress: Progress::default(),
        })
    }

    /// The shape of the decoder: images of the network's inputs' size from the first stage, of
    /// 32×32 pixels from the pooled features.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn decoder(&self) -> Result<DecoderParams> {
        let (network, filters) = (self.network.network()?, self.filters);
        let channels = network.width * network.block.expansion();
        match self.space {
            Space::Input => Err(not_decoded()),
            Space::FirstStage => {
                let doublings = match network.stem {
                    Stem::Cifar => 0,
                    Stem::Imagenet => 2,
                };
                Ok(DecoderParams::FirstStage {
                    channels,
                    filters,
                    doublings,
                })
            }
            Space::Last => Ok(DecoderParams::Features {
                features: network.features(),
                filters,
            }),
        }
    }

    /// A name for files of this training, as `cifar10_resnet50_width16_seed0_decoder_last`.
    pub fn name(&self) -> String {
        format!("{}_decoder_{}", self.network.name(), self.space.name())
    }
}

fn not_decoded() -> Error {
    Error::argument(
        "space",
        "first_stage or last, which can be decoded",
        Space::Input.name(),
    )
}

/// A trained decoder.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The decoder.
    pub decoder: Model<Decoder>,
    /// One record an epoch.
    pub history: History,
    /// [`test_error`] on the test images.
    pub test_error: f64,
}

/// Trains a decoder of what `network` makes of the training images: mean squared error, Adam, no
/// augmentation.
///
/// With [`Settings::checkpoint`] the run is written to a file after every epoch, and one that was
/// interrupted goes on from there to the same result.
///
/// # Errors
/// A setting out of its range, a network of another shape than the settings', a checkpoint of another
/// run (another network's decoder, too), and what [`train`] refuses.
///
/// Source: *connectivity* paper, section 3, tables 2 to 4.
pub fn run(network: &Model<ResNet>, data: &Split, settings: &Settings) -> Result<Trained> {
    let decoder = fresh(settings)?;
    let params = TrainParams {
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        optimizer: AdamParams {
            learning_rate: settings.learning_rate,
            ..AdamParams::default()
        }
        .into(),
        seed: settings.seed,
        context: format!(
            "decoder of a network with weights {}",
            network.freeze()?.freeze()?.digest()?
        ),
        checkpoint: settings.checkpoint.clone(),
        progress: settings.progress.clone(),
        ..TrainParams::default()
    };
    let history = train(
        &decoder,
        &data.train,
        &reconstruction(network, settings)?,
        &params,
    )?;
    let test_error = test_error(network, &decoder, settings, &data.test)?;
    Ok(Trained {
        decoder,
        history,
        test_error,
    })
}

/// The trained decoder of `settings` with the weights of a file.
///
/// # Errors
/// A setting out of its range, a file that cannot be read, or weights that do not fit.
pub fn load(settings: &Settings, weights: &Path) -> Result<Model<Decoder>> {
    fresh(settings)?.load(weights)
}

fn fresh(settings: &Settings) -> Result<Model<Decoder>> {
    let params = settings.decoder()?;
    let build = move |vb| Decoder::new(params.clone(), vb);
    Model::on(settings.seed, DType::F32, &device::best(), build)
}

/// The loss of a decoder of `settings` behind `network`.
///
/// # Errors
/// A setting out of its range.
pub fn reconstruction(network: &Model<ResNet>, settings: &Settings) -> Result<Reconstruction> {
    let encoder = cifar10::on_images(network, &settings.network)?;
    Reconstruction::new(&encoder, settings.space.representation())
}

/// The mean squared error of `decoder` on images (N, 3, H, W): its mean over images, channels and
/// pixels in [0, 1].
///
/// # Errors
/// Images that the network does not take.
pub fn test_error(
    network: &Model<ResNet>,
    decoder: &Model<Decoder>,
    settings: &Settings,
    data: &Dataset,
) -> Result<f64> {
    let errors = errors(network, decoder, settings, &data.inputs)?;
    Ok(errors.iter().sum::<f64>() / errors.len() as f64)
}

/// The mean squared error of each image.
///
/// # Errors
/// Images that the network does not take, or none.
pub fn errors(
    network: &Model<ResNet>,
    decoder: &Model<Decoder>,
    settings: &Settings,
    images: &Tensor,
) -> Result<Vec<f64>> {
    const BATCH: usize = 100;
    let loss = reconstruction(network, settings)?;
    let decoder = decoder.frozen()?;
    let n = images.dims().first().copied().unwrap_or(0);
    let mut errors = Vec::with_capacity(n);
    for start in (0..n).step_by(BATCH) {
        interrupt::check()?;
        let batch = images.narrow(0, start, BATCH.min(n - start))?;
        let found = loss.errors(decoder.as_ref(), &batch)?;
        errors.extend(found.to_dtype(DType::F64)?.to_vec1::<f64>()?);
    }
    match errors.is_empty() {
        true => {
            let expected = "(N, 3, H, W), N at least 1";
            Err(Error::shape("decoder", "images", expected, images.dims()))
        }
        false => Ok(errors),
    }
}
