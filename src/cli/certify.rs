//! The command `certify`: exact verdicts on the paths of the connectivity notebook.

use std::path::PathBuf;

use isopath::candle::Device;
use isopath::datasets::{self, Set};
use isopath::experiments::certify::{ExactRecord, ExactRecords, Paths, Settings, certify};
use isopath::experiments::cifar10;
use isopath::experiments::connectivity_cifar10::Space;
use isopath::io::digest;
use isopath::models::pretrained;

use super::{Failure, Result, command, data};

/// Which paths, of which network.
#[derive(clap::Args)]
pub struct Arguments {
    /// The space that the paths run through: input, first_stage or all
    #[arg(long, default_value = "all")]
    space: String,
    /// The number of pairs, or of edges of a tree, in each space; 0 computes nothing, for --merge
    /// [default: 25 pairs, all edges]
    #[arg(long)]
    pairs: Option<usize>,
    /// The edges of the spanning tree of a class instead of pairs, for example cat: the shortest first
    #[arg(long, value_name = "CLASS")]
    tree: Option<String>,
    /// The file of the network's weights [default: those of the repository]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The folder of the records, one file for each path
    #[arg(long, default_value = "target/certify")]
    out: PathBuf,
    /// A file for all records of the folder together, written again after each path; those that are in
    /// it already are taken over first
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
}

/// Certifies, shows the progress on one line and a line for each path, and ends with a table.
///
/// # Errors
/// No data, an unknown space or class, records of another network, or a folder that cannot be written.
pub fn run(arguments: Arguments) -> Result<()> {
    let training = cifar10::Settings::default();
    let weights = arguments
        .weights
        .unwrap_or_else(|| pretrained::checkpoint(&training.name()));
    let of_pairs = Settings::default();
    let count = arguments.pairs.unwrap_or(match arguments.tree {
        None => of_pairs.count,
        Some(_) => usize::MAX,
    });
    let settings = Settings {
        paths: arguments.tree.map_or(Paths::Pairs, Paths::Tree),
        count,
        spaces: spaces(&arguments.space)?,
        weights_sha256: digest::of_file(&weights)?,
        folder: arguments.out,
        command: command::line(),
        ..of_pairs
    };
    let merge = |records: &ExactRecords| match &arguments.merge {
        Some(file) => records.write(file),
        None => Ok(()),
    };
    if let Some(file) = arguments.merge.as_ref().filter(|file| file.exists()) {
        ExactRecords::read(file)?.write_to_folder(&settings.folder)?;
    }
    if count > 0 {
        data::bring(Set::Cifar10)?;
        // On the CPU, where the notebook finds its paths too; the pieces are found on a GPU if there is one.
        let images = datasets::load(Set::Cifar10, &datasets::root())?.test;
        let images = images.to_device(&Device::Cpu)?;
        let network = cifar10::build(&training, &Device::Cpu)?.load(&weights)?;
        println!(
            "certify  the records are kept in {}",
            settings.folder.display()
        );
        let mut merged = Ok(());
        certify(&network, &images, &settings, &mut |record: &ExactRecord| {
            println!("certify  {record}");
            if arguments.merge.is_some() && merged.is_ok() {
                merged = ExactRecords::read(&settings.folder).and_then(|all| merge(&all));
            }
        })?;
        merged?;
    }
    let all = ExactRecords::read(&settings.folder)?;
    merge(&all)?;
    print!("{}", all.table());
    Ok(())
}

/// The first stage before the pixels: its lines have fewer pieces.
fn spaces(name: &str) -> Result<Vec<Space>> {
    match name {
        "all" => Ok(Settings::default().spaces),
        "input" => Ok(vec![Space::Input]),
        "first_stage" => Ok(vec![Space::FirstStage]),
        other => Err(Failure(format!(
            "space is {other:?}; expected input, first_stage or all"
        ))),
    }
}
