//! The command line of isopath: sets up, runs and renders the notebooks.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use isopath::scale::Scale;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Executes notebooks and writes their web pages.
    Render {
        /// Names in the folder of notebooks, or paths; all notebooks if none is given.
        notebooks: Vec<PathBuf>,
        /// quick, default or paper.
        #[arg(long, default_value = "default")]
        scale: Scale,
        /// How many notebooks run at once.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// How many seconds one cell may take [default: 600, 1800 or 86400, by scale].
        #[arg(long, value_name = "SECONDS")]
        cell_timeout: Option<u64>,
        /// The folder of notebooks.
        #[arg(long = "notebooks", value_name = "FOLDER", default_value = "notebooks")]
        notebooks_dir: PathBuf,
        /// The folder for the pages.
        #[arg(long = "site", value_name = "FOLDER", default_value = "target/site")]
        site_dir: PathBuf,
    },
}

fn main() -> ExitCode {
    let Verb::Render { notebooks, scale, jobs, cell_timeout, notebooks_dir, site_dir } = Arguments::parse().verb;
    let python = std::env::var_os("ISOPATH_PYTHON").map_or_else(|| PathBuf::from(".venv/bin/python"), PathBuf::from);
    let options = cli::render::Options {
        notebooks,
        scale,
        jobs,
        python,
        kernel: "isopath".into(),
        notebooks_dir,
        site_dir,
        cell_timeout: cell_timeout.map_or_else(|| cli::render::default_cell_timeout(scale), Duration::from_secs),
    };
    match cli::render::check(&options).and_then(|()| cli::render::render(&options)) {
        Ok(report) if report.failures.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
