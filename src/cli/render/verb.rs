//! The command `render`: its arguments, and what it sets up before the notebooks run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use isopath::datasets::Set;
use isopath::scale::Scale;

use super::super::data;
use super::super::environment::Environment;
use super::super::project::Project;
use super::super::setup::{self, KERNEL_NAME};
use super::super::{Failure, Result};
use super::{Options, check, default_cell_timeout, render};

/// The arguments of `isopath render`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The notebooks to run, by name (isometry_mnist) or path [default: all]
    notebooks: Vec<PathBuf>,
    /// How much to compute: quick (a few minutes, to check that everything works), default (made
    /// for a laptop) or paper (the papers' sizes, which need CUDA)
    #[arg(long, default_value = "default")]
    scale: Scale,
    /// How many notebooks to run at the same time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// The longest time that one cell may take [default: 600 at quick scale, 1800 at default,
    /// 86400 at paper]
    #[arg(long, value_name = "SECONDS")]
    cell_timeout: Option<u64>,
    /// The folder with the notebooks [default: notebooks]
    #[arg(long = "notebooks", value_name = "FOLDER")]
    notebooks_dir: Option<PathBuf>,
    /// The folder to write the pages to [default: target/site]
    #[arg(long = "site", value_name = "FOLDER")]
    site_dir: Option<PathBuf>,
}

/// Sets up what is missing, downloads the data that the notebooks name, and renders.
///
/// # Errors
/// A wrong argument, a failed set-up, or a broken notebook.
pub fn run(project: &Project, arguments: Arguments) -> Result<()> {
    let scale = arguments.scale;
    let mut options = Options {
        notebooks: arguments.notebooks,
        scale,
        jobs: arguments.jobs,
        python: Environment::locate(project).python(),
        kernel: KERNEL_NAME.to_owned(),
        notebooks_dir: arguments
            .notebooks_dir
            .unwrap_or_else(|| project.notebooks()),
        site_dir: arguments
            .site_dir
            .unwrap_or_else(|| project.target.join("site")),
        cell_timeout: arguments
            .cell_timeout
            .map_or_else(|| default_cell_timeout(scale), Duration::from_secs),
    };
    let notebooks = check(&options)?;
    let mut sets = BTreeSet::new();
    for notebook in &notebooks {
        sets.extend(notebook.data()?);
    }
    // Data come over the network while the processors compile.
    let environment = thread::scope(|scope| {
        let bring = |set: String| data::bring(set.parse::<Set>()?);
        let data = scope.spawn(move || sets.into_iter().try_for_each(bring));
        let environment = setup::setup(project);
        let data = data.join().unwrap_or_else(|_| {
            let what = "the data could not be downloaded; run the command again";
            Err(Failure(what.into()))
        });
        environment.and_then(|environment| data.map(|()| environment))
    })?;
    options.python = environment.python();
    match render(&options)?.failures.len() {
        0 => Ok(()),
        1 => Err(Failure("1 notebook failed".into())),
        failed => Err(Failure(format!("{failed} notebooks failed"))),
    }
}
