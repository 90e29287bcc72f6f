//! Decoders of the *connectivity* experiment's hidden spaces, which show a point of a hidden space
//! as an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::cifar10;
use super::connectivity_cifar10::Space;
use crate::datasets::{Dataset, Split};
use crate::device;
use crate::error::{Error, Result};
use crate::figures::{ImageGrid, Mark, Pixels};
use crate::interrupt;
use crate::io::results;
use crate::losses::Reconstruction;
use crate::models::resnet::Stem;
use crate::models::{Decoder, DecoderParams, Model, Network as _, ResNet, pretrained};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{History, Optimizer, TrainParams, train};

/// The settings of a training of a decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The settings of the network that is decoded.
    pub network: cifar10::Settings,
    /// The space whose points are decoded; not the input.
    pub space: Space,
    /// The number of channels between, at least 1; 256 in the paper.
    pub filters: usize,
    /// The number of passes over the images, at least 1.
    pub epochs: usize,
    /// The number of images in a step, at least 1.
    pub batch_size: usize,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// The seed of the initial weights and of the order of the images.
    pub seed: u64,
    /// A file that the run is written to after every epoch, and continues from if the file exists.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
    /// Whether a progress bar shows how far the training has come.
    #[serde(skip)]
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale: the paper's epochs, batch size and learning rate (table 4), with as
    /// many filters as the network's stem has channels for `quick` and `default`, the paper's 256
    /// for `paper`.
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

    /// The shape of the decoder: from the first stage to images as large as the network's inputs,
    /// or from the pooled features to images of 32×32 pixels.
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

/// A decoder of a hidden space of a network, behind that network.
#[derive(Clone, Debug)]
pub struct SpaceDecoder {
    /// The space whose points are decoded.
    pub space: Space,
    /// The decoder with its weights.
    pub decoder: Model<Decoder>,
    /// The decoder's loss, which holds the network.
    pub reconstruction: Reconstruction,
}

/// A trained decoder with its history and its test error.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The decoder behind its network.
    pub decoder: SpaceDecoder,
    /// The history of its training.
    pub history: History,
    /// The error of the decoder on the test images ([`SpaceDecoder::test_error`]).
    pub test_error: f64,
}

/// Trains a decoder to reconstruct the training images from their representations in `network`:
/// mean squared error, Adam, no augmentation.
///
/// With [`Settings::checkpoint`] the run is written to a file after every epoch. An interrupted run
/// continues from there to the same result.
///
/// # Errors
/// A setting out of its range, a network of another shape than the settings', a checkpoint of
/// another run (another network's decoder, too), and what [`train`] refuses.
///
/// Source: *connectivity* paper, section 3, tables 2 to 4.
pub fn run(network: &Model<ResNet>, data: &Split, settings: &Settings) -> Result<Trained> {
    let decoder = SpaceDecoder::fresh(network, settings)?;
    let params = TrainParams {
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        optimizer: Optimizer::adam(settings.learning_rate),
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
        &decoder.decoder,
        &data.train,
        &decoder.reconstruction,
        &params,
    )?;
    let test_error = decoder.test_error(&data.test)?;
    Ok(Trained {
        decoder,
        history,
        test_error,
    })
}

impl SpaceDecoder {
    /// Builds the decoder of `settings` with weights drawn from their seed.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn fresh(network: &Model<ResNet>, settings: &Settings) -> Result<Self> {
        let params = settings.decoder()?;
        let build = move |vb| Decoder::new(params.clone(), vb);
        let encoder = cifar10::on_images(network, &settings.network)?;
        let representation = settings.space.representation();
        Ok(Self {
            space: settings.space,
            decoder: Model::on(settings.seed, DType::F32, &device::best(), build)?,
            reconstruction: Reconstruction::new(&encoder, representation)?,
        })
    }

    /// Builds the decoder of `settings` with the weights of a file.
    ///
    /// # Errors
    /// A setting out of its range, a file that cannot be read, or weights that do not fit.
    pub fn load(network: &Model<ResNet>, settings: &Settings, weights: &Path) -> Result<Self> {
        let fresh = Self::fresh(network, settings)?;
        Ok(Self {
            decoder: fresh.decoder.load(weights)?,
            ..fresh
        })
    }

    /// Builds the decoder of `settings` with some weights.
    ///
    /// # Errors
    /// A setting out of its range, or weights that do not fit.
    pub(crate) fn with_weights(
        network: &Model<ResNet>,
        settings: &Settings,
        weights: BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let fresh = Self::fresh(network, settings)?;
        let path = Path::new("the weights of a task");
        fresh.decoder.parameters().set(weights, path)?;
        Ok(fresh)
    }

    /// Builds the decoder of `settings` with the trained weights that the repository holds for it.
    ///
    /// # Errors
    /// The repository has none for these settings.
    pub fn pretrained(network: &Model<ResNet>, settings: &Settings) -> Result<Self> {
        Self::load(network, settings, &pretrained::checkpoint(&settings.name()))
    }

    /// Reconstructs images (N, 3, H, W) from their representations.
    ///
    /// # Errors
    /// Images that the network does not take.
    pub fn decoded(&self, images: &Tensor) -> Result<Tensor> {
        self.reconstruction
            .decoded(self.decoder.frozen()?.as_ref(), images)
    }

    /// The mean squared error of the decoder on a data set.
    ///
    /// ```text
    /// (1/NCHW) Σ (x̂ − x)²
    /// ```
    ///
    /// - **Shapes**: images (N, 3, H, W); the result a number.
    /// - **Range**: in [0, 1] for pixels in [0, 1].
    /// - **Source**: *connectivity*, appendix A, table 4.
    ///
    /// # Errors
    ///
    /// Images that the network does not take.
    pub fn test_error(&self, data: &Dataset) -> Result<f64> {
        let errors = self.errors(&data.inputs)?;
        Ok(errors.iter().sum::<f64>() / errors.len() as f64)
    }

    /// The mean squared error of each of some images.
    ///
    /// # Errors
    /// Images that the network does not take, or none.
    pub fn errors(&self, images: &Tensor) -> Result<Vec<f64>> {
        const BATCH: usize = 100;
        let decoder = self.decoder.frozen()?;
        let n = images.dims().first().copied().unwrap_or(0);
        let mut errors = Vec::with_capacity(n);
        for start in (0..n).step_by(BATCH) {
            interrupt::check()?;
            let batch = images.narrow(0, start, BATCH.min(n - start))?;
            let found = self.reconstruction.errors(decoder.as_ref(), &batch)?;
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
}

/// The decoders of both hidden spaces of a network.
#[derive(Clone, Debug)]
pub struct Decoders {
    /// The decoder of the first stage.
    pub first_stage: SpaceDecoder,
    /// The decoder of the pooled features.
    pub last: SpaceDecoder,
}

impl Decoders {
    /// Builds both decoders at a scale, with the weights that the repository holds for them.
    ///
    /// # Errors
    /// The repository has none at that scale.
    pub fn pretrained(network: &Model<ResNet>, scale: Scale) -> Result<Self> {
        let of = |space| SpaceDecoder::pretrained(network, &Settings::of(scale, space)?);
        Ok(Self {
            first_stage: of(Space::FirstStage)?,
            last: of(Space::Last)?,
        })
    }

    /// Trains both decoders at a scale ([`run`]). Each run has a checkpoint in
    /// `target/results/connectivity_cifar10`, from which an interrupted one continues.
    ///
    /// # Errors
    /// As [`run`].
    pub fn train(network: &Model<ResNet>, data: &Split, scale: Scale) -> Result<Self> {
        let of = |space: Space| -> Result<SpaceDecoder> {
            let settings = Settings::of(scale, space)?;
            let folder = results::folder().join("connectivity_cifar10");
            let settings = Settings {
                checkpoint: Some(results::run_file(folder, &settings.name())),
                progress: format!("decoder, {}", space.title()).as_str().into(),
                ..settings
            };
            Ok(run(network, data, &settings)?.decoder)
        };
        Ok(Self {
            first_stage: of(Space::FirstStage)?,
            last: of(Space::Last)?,
        })
    }

    /// The test errors of both decoders ([`SpaceDecoder::test_error`]), by space.
    ///
    /// # Errors
    /// Images that the network does not take.
    pub fn test_errors(&self, data: &Dataset) -> Result<BTreeMap<Space, f64>> {
        let of = |decoder: &SpaceDecoder| Ok((decoder.space, decoder.test_error(data)?));
        [&self.first_stage, &self.last]
            .into_iter()
            .map(of)
            .collect()
    }

    /// Shows images and their reconstructions by both decoders, with the error of each.
    ///
    /// # Errors
    /// Images that the network does not take.
    pub fn grid(&self, data: &Dataset) -> Result<ImageGrid> {
        let mut grid = data.grid(data.len())?;
        grid.title = "Test images and what the decoders make of their representations".into();
        grid.note = "Numbers: the mean squared error of a pixel's channel.".into();
        grid.row_labels = vec!["image".into()];
        for decoder in [&self.first_stage, &self.last] {
            let decoded = decoder.decoded(&data.inputs)?;
            let errors = decoder.errors(&data.inputs)?;
            let caption = |error: &f64| (format!("{error:.4}"), Mark::None);
            let captions: Vec<_> = errors.iter().map(caption).collect();
            grid.push(
                decoder.space.title(),
                &decoded,
                Pixels::Intensity,
                &captions,
            )?;
        }
        Ok(grid)
    }
}
