//! The command `train`: trains the networks that the notebooks load.

mod audit;

use std::path::{Path, PathBuf};

use isopath::candle::DType;
use isopath::datasets::{self, Set, Split};
use isopath::experiments::cifar10::{self, InitialWeights, OptimizerKind, Phase};
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::decoders;
use isopath::io::{digest, files, results};
use isopath::models::{Parameters, pretrained};
use isopath::progress::Progress;
use isopath::scale::Scale;
use isopath::training::History;
use serde::Serialize;

use super::{Failure, Result, command, data};

/// The kinds of networks that can be trained from the command line.
#[derive(clap::Subcommand)]
pub enum What {
    /// Train a residual network on CIFAR-10; about six hours on two cores with the defaults
    Cifar10(Network),
    /// Train a decoder from the first stage or the pooled features of such a network to images; ten
    /// to forty minutes on two cores
    Decoder(Decoder),
    /// Train the networks of isometry_audit on MNIST: every method, three seeds; about 17
    /// minutes on two cores
    Audit(audit::Audit),
}

/// The settings of a network's training; those that are not given are the scale's.
#[derive(clap::Args)]
pub struct Network {
    /// The scale: quick, default, or paper (a full ResNet-50 on 224×224 pixels that begins with
    /// ImageNet's weights)
    #[arg(long, default_value_t = Scale::Default)]
    scale: Scale,
    /// The depth of the network: 18, 34, 50, 101 or 152
    #[arg(long)]
    depth: Option<usize>,
    /// The number of channels of the network's first convolution
    #[arg(long)]
    width: Option<usize>,
    /// The height and width of the network's inputs in pixels, 32 or more
    #[arg(long)]
    side: Option<usize>,
    /// The initial weights: random, imagenet, or a safetensors file with torchvision's names
    #[arg(long)]
    initial: Option<String>,
    /// The phases of the training, for example 30:0.2,10:0.05:mean. EPOCHS:RATE is a cycle with
    /// RATE as its largest learning rate. EPOCHS:RATE:mean keeps the learning rate constant and
    /// averages the weights
    #[arg(long, value_delimiter = ',', value_parser = phase)]
    phases: Vec<Phase>,
    /// The number of images in each training step
    #[arg(long)]
    batch_size: Option<usize>,
    /// The optimiser: sgd, or adam (without weight decay)
    #[arg(long)]
    optimizer: Option<String>,
    /// The seed of the initial weights, the order of the images and the crops
    #[arg(long)]
    seed: Option<u64>,
    /// Learn the first N training images with permuted labels, by heart, instead of all images
    #[arg(long, value_name = "N")]
    permuted: Option<usize>,
    /// The name of the files [default: that of the settings]
    #[arg(long)]
    name: Option<String>,
    /// The folder to write the weights, their record and the checkpoint of the run to
    #[arg(long, default_value = "target/train")]
    out: PathBuf,
}

/// The settings of a decoder's training; those that are not given are the scale's.
#[derive(clap::Args)]
pub struct Decoder {
    /// The space to decode: first_stage or last
    space: String,
    /// The file of the network's weights [default: those of the repository]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The scale: quick, default or paper
    #[arg(long, default_value_t = Scale::Default)]
    scale: Scale,
    /// The number of channels of the decoder's inner convolutions
    #[arg(long)]
    filters: Option<usize>,
    /// The number of passes over the images
    #[arg(long)]
    epochs: Option<usize>,
    /// The seed of the initial weights and the order of the images
    #[arg(long)]
    seed: Option<u64>,
    /// The folder to write the weights, their record and the checkpoint of the run to
    #[arg(long, default_value = "target/train")]
    out: PathBuf,
}

/// Trains, shows the progress on one line, and writes the weights and their record to the folder.
///
/// # Errors
/// No data, a setting out of its range, or a folder that cannot be written.
pub fn train(what: What) -> Result<()> {
    match what {
        What::Cifar10(arguments) => network(arguments),
        What::Decoder(arguments) => decoder(arguments),
        What::Audit(arguments) => audit::train(arguments),
    }
}

fn network(arguments: Network) -> Result<()> {
    let mut settings = settings(&arguments)?;
    let name = arguments.name.unwrap_or_else(|| settings.name());
    let (images, out) = (images()?, arguments.out);
    settings.checkpoint = Some(begin(&settings, &name, &out));
    let trained = cifar10::run(&images, &settings)?;
    let score = Score::TestAccuracy(trained.test_accuracy);
    end(
        trained.network.parameters(),
        &settings,
        trained.history,
        score,
        &out.join(format!("{name}.safetensors")),
    )
}

fn settings(arguments: &Network) -> Result<cifar10::Settings> {
    let of_scale = cifar10::Settings::of(arguments.scale);
    let optimizer = match arguments.optimizer.as_deref() {
        None => of_scale.optimizer,
        Some("sgd") => OptimizerKind::Sgd,
        Some("adam") => OptimizerKind::Adam,
        Some(other) => {
            return Err(Failure(format!(
                "optimizer is {other:?}; expected sgd or adam"
            )));
        }
    };
    let initial_weights = match arguments.initial.as_deref() {
        None => of_scale.initial_weights,
        Some("random") => InitialWeights::Random,
        Some("imagenet") => InitialWeights::Imagenet,
        Some(path) => InitialWeights::File(path.into()),
    };
    Ok(cifar10::Settings {
        depth: arguments.depth.unwrap_or(of_scale.depth),
        width: arguments.width.unwrap_or(of_scale.width),
        side: arguments.side.unwrap_or(of_scale.side),
        initial_weights,
        phases: if arguments.phases.is_empty() {
            of_scale.phases
        } else {
            arguments.phases.clone()
        },
        batch_size: arguments.batch_size.unwrap_or(of_scale.batch_size),
        optimizer,
        weight_decay: if optimizer == OptimizerKind::Adam {
            0.
        } else {
            of_scale.weight_decay
        },
        label_smoothing: of_scale.label_smoothing,
        permuted: arguments.permuted,
        seed: arguments.seed.unwrap_or(of_scale.seed),
        checkpoint: None,
        progress: Progress::from(LINE),
    })
}

/// A phase as it is written: `30:0.2` or `10:0.05:mean`.
fn phase(text: &str) -> std::result::Result<Phase, String> {
    let (numbers, phase): (_, fn(usize, f64) -> Phase) = match text.strip_suffix(":mean") {
        Some(numbers) => (numbers, Phase::averaged_weights),
        None => (text, Phase::one_cycle),
    };
    let parts = numbers
        .split_once(':')
        .and_then(|(epochs, rate)| Some((epochs.parse().ok()?, rate.parse().ok()?)));
    let (epochs, rate) = parts
        .ok_or("expected epochs:rate or epochs:rate:mean, for example 30:0.2 or 10:0.05:mean")?;
    Ok(phase(epochs, rate))
}

fn decoder(arguments: Decoder) -> Result<()> {
    let space = Space::ALL
        .into_iter()
        .find(|space| space.name() == arguments.space && *space != Space::Input);
    let space = space.ok_or_else(|| {
        Failure(format!(
            "space is {:?}; expected first_stage or last",
            arguments.space
        ))
    })?;
    let of_scale = decoders::Settings::of(arguments.scale, space)?;
    let mut settings = decoders::Settings {
        filters: arguments.filters.unwrap_or(of_scale.filters),
        epochs: arguments.epochs.unwrap_or(of_scale.epochs),
        seed: arguments.seed.unwrap_or(of_scale.seed),
        progress: Progress::from(LINE),
        ..of_scale
    };
    let checkpoint = || pretrained::checkpoint(&settings.network.name());
    let weights = arguments.weights.unwrap_or_else(checkpoint);
    let network = cifar10::load(&settings.network, &weights)?;
    let (images, name, out) = (images()?, settings.name(), arguments.out);
    settings.checkpoint = Some(begin(&settings, &name, &out));
    let trained = decoders::run(&network, &images, &settings)?;
    let score = Score::TestError(trained.test_error);
    end(
        trained.decoder.decoder.parameters(),
        &settings,
        trained.history,
        score,
        &out.join(format!("{name}.safetensors")),
    )
}

/// The name of the line that shows how far a training has come.
const LINE: &str = "train   ";

fn images() -> Result<Split> {
    data::bring(Set::Cifar10)?;
    Ok(datasets::load(Set::Cifar10, &datasets::root())?)
}

/// The file of the run.
fn begin(settings: &impl std::fmt::Debug, name: &str, out: &Path) -> PathBuf {
    let run = results::run_file(out, name);
    println!(
        "train    {settings:?}; the run is kept in {}",
        run.display()
    );
    run
}

/// What stands beside the weights.
#[derive(Serialize)]
struct Record<'a, S> {
    command: String,
    settings: &'a S,
    #[serde(flatten)]
    score: Score,
    /// The digest of the weights' file.
    sha256: String,
    seconds: f64,
    history: History,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Score {
    /// The share of the test images that get their class.
    TestAccuracy(f64),
    /// The mean squared error on the test images, pixels in [0, 1].
    TestError(f64),
}

/// Writes the weights and, beside them, their record.
fn end<S: Serialize>(
    parameters: &Parameters,
    settings: &S,
    history: History,
    score: Score,
    weights: &Path,
) -> Result<()> {
    parameters.save_as(weights, DType::F16)?;
    let record = Record {
        command: command::line(),
        settings,
        score,
        sha256: digest::of_file(weights)?,
        seconds: history.epochs.iter().map(|epoch| epoch.seconds).sum(),
        history,
    };
    let text = serde_json::to_string_pretty(&record).map_err(|error| Failure(error.to_string()))?;
    files::write_whole(
        &weights.with_extension("json"),
        format!("{text}\n").as_bytes(),
    )?;
    match record.score {
        Score::TestAccuracy(accuracy) => {
            println!(
                "train    test accuracy {accuracy:.4}; weights in {}",
                weights.display()
            )
        }
        Score::TestError(error) => println!(
            "train    test error {error:.5}; weights in {}",
            weights.display()
        ),
    }
    Ok(())
}
