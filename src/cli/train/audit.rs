//! Trains the networks of the audit.

use std::path::PathBuf;

use isopath::datasets::{self, Set};
use isopath::experiments::isometry_audit::{Method, Settings, save_pretrained, train_networks};
use isopath::progress::Progress;
use isopath::scale::Scale;

use super::LINE;
use crate::cli::{Failure, Result, command, data};

/// The settings of the trainings; those that are not given are the scale's.
#[derive(clap::Args)]
pub struct Audit {
    /// The scale: quick, default or paper
    #[arg(long, default_value_t = Scale::Default)]
    scale: Scale,
    /// The methods, by the names of their files, such as plain,isometric_beta_1 [default: all of
    /// the scale]
    #[arg(long, value_delimiter = ',')]
    methods: Vec<String>,
    /// The number of passes over the images, for every method
    #[arg(long)]
    epochs: Option<usize>,
    /// The seeds of the initial weights and the order of the images
    #[arg(long, value_delimiter = ',')]
    seeds: Vec<u64>,
    /// The folder to write the weights, their records and the checkpoints of the runs to
    #[arg(long, default_value = "target/train")]
    out: PathBuf,
}

/// Trains the networks, and writes those of each method to one file with a record beside it.
///
/// # Errors
/// No data, an unknown method, a setting out of its range, or a folder that cannot be written.
pub fn train(arguments: Audit) -> Result<()> {
    let out = arguments.out.clone();
    let settings = settings(arguments)?;
    data::bring(Set::Mnist)?;
    let images = datasets::load(Set::Mnist, &datasets::root())?;
    println!("train    the runs are kept in {}", out.display());
    let networks = train_networks(&images, &settings)?;
    println!("{}", networks.table());
    for file in save_pretrained(&networks, &images, &settings, &command::line(), &out)? {
        println!("train    weights in {}", file.display());
    }
    Ok(())
}

fn settings(arguments: Audit) -> Result<Settings> {
    let mut settings = Settings::of(arguments.scale);
    if !arguments.methods.is_empty() {
        let all = std::mem::take(&mut settings.methods);
        for name in &arguments.methods {
            let own = all.iter().find(|(method, _)| method.file_name() == *name);
            settings.methods.push(*own.ok_or_else(|| {
                let names: Vec<String> = all.iter().map(|(m, _)| Method::file_name(m)).collect();
                let names = names.join(", ");
                Failure(format!("method is {name:?}; expected one of {names}"))
            })?);
        }
    }
    if let Some(epochs) = arguments.epochs {
        settings.methods.iter_mut().for_each(|own| own.1 = epochs);
    }
    if !arguments.seeds.is_empty() {
        settings.seeds = arguments.seeds;
    }
    settings.runs = Some(arguments.out);
    settings.progress = Progress::from(LINE);
    Ok(settings)
}
