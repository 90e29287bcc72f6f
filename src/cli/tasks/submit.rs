//! The command `submit`: a plan on this machine's cores, or on a cluster's.

use std::path::PathBuf;

use isopath::experiments::tasks::{Runner, run_here, status, workers};
use isopath::io::results;
use isopath::progress::Progress;

use super::slurm::{self, Limits};
use super::{Failure, Opened, Place, Result, collect_to};

/// Where to run a plan, and how.
#[derive(clap::Args)]
pub struct Submitted {
    #[command(flatten)]
    place: Place,
    /// What runs the jobs: slurm, or local for the cores of this machine
    #[arg(long)]
    engine: String,
    /// The folder of the results [default: target/results]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Show the scripts, and submit nothing (slurm)
    #[arg(long)]
    dry_run: bool,
    /// The cores of a job (slurm)
    #[arg(long, default_value_t = 1)]
    cpus: usize,
    /// The memory of a job in megabytes [default: one and a half times the plan's estimate] (slurm)
    #[arg(long, value_name = "MB")]
    memory: Option<u64>,
    /// The number of tasks at the same time [default: one a core, as far as the memory goes] (local)
    #[arg(long)]
    workers: Option<usize>,
    /// Options for sbatch, for example: -- --partition=long --account=abc
    #[arg(last = true)]
    options: Vec<String>,
}

/// Runs what is not finished, and collects the results.
///
/// # Errors
/// No such engine, an engine that is not there or refuses, or a task that failed.
pub fn submit(submitted: Submitted) -> Result<()> {
    let out = submitted.out.unwrap_or_else(results::folder);
    let out = std::path::absolute(&out).map_err(isopath::Error::io(&out))?;
    let opened = submitted.place.open()?;
    match submitted.engine.as_str() {
        "local" => {
            let workers = submitted.workers.unwrap_or_else(|| workers(&opened.plan));
            here(&opened, workers)?;
            collect_to(&opened, &out)
        }
        "slurm" => {
            let limits = Limits {
                cpus: submitted.cpus.max(1),
                memory_mb: submitted.memory,
                options: submitted.options,
            };
            slurm::submit(&opened, &out, &limits, submitted.dry_run)
        }
        other => Err(Failure(format!(
            "engine is {other:?}; expected slurm or local"
        ))),
    }
}

fn here(opened: &Opened, workers: usize) -> Result<()> {
    let Opened {
        plan,
        experiment,
        store,
        ..
    } = opened;
    let runner = Runner::new(plan, experiment.as_ref(), store)?.side_by_side(workers);
    let failed = run_here(plan, &runner, workers, &Progress::from("submit  "))?;
    for (task, error) in &failed {
        eprintln!("submit   task {task} failed: {error}");
    }
    println!(
        "submit   {}",
        status(plan, store)?
            .to_string()
            .replace('\n', "\nsubmit   ")
    );
    Ok(())
}
