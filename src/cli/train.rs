//! `train`: trains a network whose weights the notebooks carry.

use std::path::PathBuf;

use isopath::datasets::{self, Set};
use isopath::experiments::cifar10::{self, Settings};
use isopath::{device, files, training};
use serde_json::json;

use super::{Failure, Result, data};

/// What can be said about a training.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data set: cifar10
    set: String,
    /// Depth of the network: 18, 34, 50, 101 or 152
    #[arg(long, default_value_t = Settings::default().depth)]
    depth: usize,
    /// Channels of its first convolution
    #[arg(long, default_value_t = Settings::default().width)]
    width: usize,
    /// How often every image is seen
    #[arg(long, default_value_t = Settings::default().epochs)]
    epochs: usize,
    /// Images a step
    #[arg(long, default_value_t = Settings::default().batch_size)]
    batch_size: usize,
    /// Highest learning rate of the cycle
    #[arg(long, default_value_t = Settings::default().learning_rate)]
    learning_rate: f64,
    /// Decides initial weights, order and crops
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Folder of the run and its result
    #[arg(long, default_value = "target/train")]
    out: PathBuf,
}

/// Trains, with a line of progress every two seconds, and writes weights and record to the folder.
///
/// # Errors
/// No data, a setting out of its range, or a folder that cannot be written.
pub fn train(arguments: Arguments) -> Result<()> {
    if arguments.set != "cifar10" {
        return Err(Failure(format!("data set is {:?}; expected cifar10", arguments.set)));
    }
    data::bring(Set::Cifar10)?;
    let Arguments { depth, width, epochs, batch_size, learning_rate, seed, out, .. } = arguments;
    let settings = Settings { depth, width, epochs, batch_size, learning_rate, seed, ..Settings::default() };
    let images = datasets::cifar10::load(&datasets::root())?;
    let name = format!("cifar10_resnet{depth}_width{width}_seed{seed}");
    let run = out.join(format!("{name}.run.safetensors"));
    println!("train    {settings:?}; the run is kept in {}", run.display());
    let mut printer = training::printer("train   ");
    let trained = cifar10::run(&images, &settings, &device::best(), Some(&run), &mut printer)?;
    let weights = out.join(format!("{name}.safetensors"));
    trained.parameters.save_as(&weights, isopath::candle::DType::F16)?;
    let seconds: f64 = trained.history.epochs.iter().map(|epoch| epoch.seconds).sum();
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let record = json!({
        "command": format!("cargo run -- {command}"),
        "settings": settings,
        "test_accuracy": trained.test_accuracy,
        "seconds": seconds,
        "history": trained.history,
    });
    let text = format!("{record:#}\n");
    files::write_whole(&weights.with_extension("json"), text.as_bytes())?;
    println!("train    test accuracy {:.4}; weights in {}", trained.test_accuracy, weights.display());
    Ok(())
}
