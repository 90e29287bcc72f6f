//! The networks of the audit that the repository holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::DType;
use serde::{Deserialize, Serialize};

use super::method::Method;
use super::networks::{Networks, Trained, untrained};
use super::settings::Settings;
use crate::datasets::{Dataset, Split};
use crate::error::{Error, Result};
use crate::experiments::sweep::{Run, cases};
use crate::io::digest::{numbers, of_file, of_numbers};
use crate::io::{files, safetensors};
use crate::metrics::accuracy;
use crate::models::{History, Mlp, Model, Weights, pretrained};

/// What the names of the files begin with.
const PREFIX: &str = "isometry_audit";

/// What stands beside the weights of a method.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    command: String,
    settings: Recorded,
    /// The digest of the weights' file.
    sha256: String,
    networks: Vec<RecordedNetwork>,
}

/// What decides the numbers of a method's networks.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Recorded {
    method: String,
    epochs: usize,
    sizes: Vec<usize>,
    batch_size: usize,
    learning_rate: f64,
    schedule: String,
    attack_steps: usize,
    train_images: usize,
    /// The digest of all training labels and the first 100 images.
    data: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordedNetwork {
    seed: u64,
    /// The share of the test images that get their class, before the weights were rounded.
    test_accuracy: f64,
    seconds: f64,
    history: History,
}

impl Recorded {
    fn of(settings: &Settings, method: &Method, train: &Dataset) -> Result<Self> {
        let mut shown = numbers(&train.labels)?;
        shown.extend(numbers(&train.first(train.len().min(100))?.inputs)?);
        Ok(Self {
            method: method.to_string(),
            epochs: settings.epochs(method)?,
            sizes: settings.sizes.clone(),
            batch_size: settings.batch_size,
            learning_rate: settings.learning_rate,
            schedule: format!("{:?}", settings.schedule),
            attack_steps: settings.attack_steps,
            train_images: train.len(),
            data: of_numbers(shown),
        })
    }
}

/// Writes the networks of each method to `isometry_audit_<method>.safetensors` in `folder`, in half
/// precision, and beside it a record of their training; gives the files of weights.
///
/// The tensors are named `seed_0.layers.0.weight` and so on. `command` is the command line that
/// trained them.
///
/// # Errors
/// A method that is not among those of the settings, or a folder that cannot be written.
pub fn save_pretrained(
    networks: &Networks,
    data: &Split,
    settings: &Settings,
    command: &str,
    folder: impl AsRef<Path>,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for method in networks.parameters() {
        let (own, path) = (networks.at(&method), file_in(folder.as_ref(), &method));
        let mut tensors = BTreeMap::new();
        for trained in &own {
            for (name, var) in trained.network.parameters().named() {
                let half = var.as_detached_tensor().to_dtype(DType::F16)?;
                tensors.insert(format!("{}{name}", prefix(trained.seed)), half);
            }
        }
        safetensors::write(&path, &tensors, None)?;
        let network = |trained: &&Trained| RecordedNetwork {
            seed: trained.seed,
            test_accuracy: trained.test_accuracy,
            seconds: trained.seconds,
            history: trained.history.clone(),
        };
        let record = Record {
            command: command.into(),
            settings: Recorded::of(settings, &method, &data.train)?,
            sha256: of_file(&path)?,
            networks: own.iter().map(network).collect(),
        };
        let beside = path.with_extension("json");
        let text = serde_json::to_string_pretty(&record)
            .map_err(|error| Error::file(&beside, "a record with a JSON form", error))?;
        files::write_whole(&beside, format!("{text}\n").as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Loads the networks that the repository holds, which `cargo run -- train audit` trained; the
/// accuracies are measured anew.
///
/// The weights were rounded to half precision, eleven bits a number.
///
/// # Errors
/// Settings, training images or a digest that are not those of the record: [`train_networks`]
/// trains networks for any settings.
///
/// [`train_networks`]: super::train_networks
pub fn load_pretrained(data: &Split, settings: &Settings) -> Result<Networks> {
    load_pretrained_from(carried_in(), data, settings)
}

/// The repository's folder.
pub(super) fn carried_in() -> PathBuf {
    let mut folder = pretrained::checkpoint(PREFIX);
    folder.pop();
    folder
}

/// The name of the file of a method's weights, without its ending.
pub(super) fn carried_name(method: &Method) -> String {
    format!("{PREFIX}_{}", method.file_name())
}

/// Loads the networks that [`save_pretrained`] wrote to a folder.
///
/// # Errors
/// As [`load_pretrained`].
pub fn load_pretrained_from(
    folder: impl AsRef<Path>,
    data: &Split,
    settings: &Settings,
) -> Result<Networks> {
    let methods: Vec<Method> = settings.methods.iter().map(|(method, _)| *method).collect();
    cases(&methods, &settings.seeds)?;
    let mut runs = Vec::new();
    for method in methods {
        let path = file_in(folder.as_ref(), &method);
        let record = record(&path)?;
        let expected = Recorded::of(settings, &method, &data.train)?;
        if record.settings != expected {
            let (expected, got) = (format!("{expected:?}"), format!("{:?}", record.settings));
            return Err(Error::file(path.with_extension("json"), expected, got));
        }
        let weights = Weights::read(&path)?;
        for seed in &settings.seeds {
            let mut own = record.networks.iter();
            let own = own.find(|network| network.seed == *seed).ok_or_else(|| {
                Error::file(path.with_extension("json"), format!("seed {seed}"), "none")
            })?;
            let network = network(&weights, data, settings, *seed)?;
            let test = data.test.first(settings.test_images)?;
            let result = Trained {
                method,
                seed: *seed,
                test_accuracy: accuracy(&network, &test)?,
                network,
                history: own.history.clone(),
                seconds: own.seconds,
            };
            runs.push(Run {
                parameter: method,
                seed: *seed,
                result,
            });
        }
    }
    Ok(Networks { runs })
}

/// The record beside a file of weights.
///
/// # Errors
/// It cannot be read, or is that of another file.
fn record(weights: &Path) -> Result<Record> {
    let path = weights.with_extension("json");
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let record: Record = serde_json::from_str(&text)
        .map_err(|error| Error::file(&path, "the record of a training", error))?;
    let found = of_file(weights)?;
    match found == record.sha256 {
        true => Ok(record),
        false => {
            let expected = format!("the SHA-256 of its record, {}", record.sha256);
            Err(Error::file(weights, expected, found))
        }
    }
}

fn network(weights: &Weights, data: &Split, settings: &Settings, seed: u64) -> Result<Model<Mlp>> {
    let prefix = prefix(seed);
    let mut own = weights.clone();
    own.tensors.retain(|name, _| name.starts_with(&prefix));
    let device = data.train.inputs.device();
    untrained(settings, seed, device)?.with_weights(&own.without_prefix(&prefix))
}

fn file_in(folder: &Path, method: &Method) -> PathBuf {
    folder.join(format!("{}.safetensors", carried_name(method)))
}

fn prefix(seed: u64) -> String {
    format!("seed_{seed}.")
}
