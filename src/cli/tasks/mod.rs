//! The commands `tasks`, `task`, `collect`, `status` and `submit`: an experiment as an array of
//! tasks.

mod index;
mod slurm;
mod submit;

use std::path::{Path, PathBuf};

use isopath::Error;
use isopath::experiments::tasks::{
    Experiment, NAMES, Plan, Ran, Runner, Store, collect, experiment, in_words, missing, status,
};
use isopath::io::results;
use isopath::scale::Scale;

use super::{Failure, Result};

pub use submit::{Submitted, submit};

/// What to plan.
#[derive(clap::Args)]
pub struct Planned {
    /// The experiment: isometry_rings, isometry_mnist, isometry_torus, isometry_audit,
    /// connectivity_cifar10, connectivity_regions, certify, or trial, which is made up to try a
    /// cluster
    experiment: String,
    /// The scale: quick, default or paper
    #[arg(long, default_value_t = Scale::Default)]
    scale: Scale,
    /// Group tasks so that a job takes about so many minutes [default: a job for each task]
    #[arg(long)]
    minutes: Option<f64>,
    /// The file of the plan [default: target/tasks/EXPERIMENT_SCALE.jsonl]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Where a plan and its results are.
#[derive(clap::Args)]
pub struct Place {
    /// The file of the plan
    plan: PathBuf,
    /// The folder of the tasks' results, which all machines see [default: PLAN without its ending, and
    /// .results]
    #[arg(long)]
    results: Option<PathBuf>,
}

/// Which job to run.
#[derive(clap::Args)]
pub struct Job {
    #[command(flatten)]
    place: Place,
    /// The index of the job, from 0 [default: the index that Slurm, AWS Batch, Kubernetes, PBS or Grid
    /// Engine gives]
    index: Option<usize>,
    /// A number that is added to the index, for arrays that cannot be as long as the plan
    #[arg(long, default_value_t = 0)]
    first: usize,
}

/// Where the results go.
#[derive(clap::Args)]
pub struct Collecting {
    #[command(flatten)]
    place: Place,
    /// The folder of the results [default: target/results]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A plan with its experiment and its folder.
struct Opened {
    /// The absolute path of the plan.
    file: PathBuf,
    plan: Plan,
    experiment: Box<dyn Experiment>,
    store: Store,
}

impl Place {
    fn open(&self) -> Result<Opened> {
        let file = std::path::absolute(&self.plan).map_err(Error::io(&self.plan))?;
        let plan = Plan::read(&file)?;
        let experiment = experiment(&plan.header.experiment, plan.scale()?)?;
        plan.check(experiment.as_ref())?;
        let folder = match &self.results {
            Some(folder) => std::path::absolute(folder).map_err(Error::io(folder))?,
            None => file.with_extension("results"),
        };
        let store = Store::open(folder, &plan)?;
        Ok(Opened {
            file,
            plan,
            experiment,
            store,
        })
    }
}

/// The time from the start of a job to its work in seconds, an estimate.
const STARTUP: f64 = 1.;

/// Writes a plan, and says what is in it.
///
/// # Errors
/// No such experiment, or a file that cannot be read or written.
pub fn tasks(planned: Planned) -> Result<()> {
    let name = &planned.experiment;
    if !NAMES.contains(&name.as_str()) {
        let names = NAMES.join(", ");
        return Err(Failure(format!(
            "experiment is {name:?}; expected one of {names}"
        )));
    }
    let experiment = experiment(name, planned.scale)?;
    let plan = Plan::new(experiment.as_ref(), planned.minutes)?;
    let file = planned
        .out
        .unwrap_or_else(|| format!("target/tasks/{name}_{}.jsonl", planned.scale).into());
    plan.write(&file)?;
    for stage in plan.tasks.chunk_by(|a, b| a.stage == b.stage) {
        let [Some(first), Some(last)] = [stage.first(), stage.last()] else {
            continue;
        };
        let seconds = || stage.iter().map(|task| task.seconds);
        println!(
            "tasks    stage {}: {} tasks as jobs {} to {}, about {} on one core, the longest {}, {} MB",
            first.stage,
            stage.len(),
            first.job,
            last.job,
            in_words(seconds().sum()),
            in_words(seconds().fold(0., f64::max)),
            stage.iter().map(|task| task.memory_mb).max().unwrap_or(0),
        );
    }
    let times = [1, 10, 100, 1_000].map(|cores| {
        let seconds = plan.seconds_with(cores, STARTUP);
        format!("{} with {cores}", in_words(seconds))
    });
    println!("tasks    by these estimates {} cores", times.join(", "));
    println!("tasks    plan {} in {}", plan.name(), file.display());
    Ok(())
}

/// Runs a job of a plan: those of its tasks that are not finished.
///
/// # Errors
/// No such job, or a task that failed.
pub fn task(job: Job) -> Result<()> {
    let opened = job.place.open()?;
    let Opened { plan, store, .. } = &opened;
    let index = match job.index {
        Some(index) => index,
        None => index::of_engine(&|name| std::env::var(name).ok())?,
    };
    let tasks = plan.job(index.saturating_add(job.first))?;
    let runner = Runner::new(plan, opened.experiment.as_ref(), store)?;
    let mut failed = Vec::new();
    for task in tasks {
        match runner.task(task.task) {
            Ok(Ran::Before) => println!("task     {} was finished before", task.task),
            Ok(Ran::Now(record)) => println!(
                "task     {} took {:.2} s, {:.2} s to begin, {} MB: {}",
                task.task,
                record.seconds,
                record.startup_seconds,
                record.peak_memory_mb,
                task.settings
            ),
            Err(error) => {
                eprintln!("task     {} failed: {error}", task.task);
                failed.push(task.task);
            }
        }
    }
    match failed.len() {
        0 => Ok(()),
        some => Err(Failure(format!("{some} of {} tasks failed", tasks.len()))),
    }
}

/// How many missing tasks are named.
const NAMED: usize = 20;

/// Writes the results of a plan, or says what is missing.
///
/// # Errors
/// A task has no whole result, or a file cannot be written.
pub fn collect_results(collecting: Collecting) -> Result<()> {
    let out = collecting.out.unwrap_or_else(results::folder);
    let opened = collecting.place.open()?;
    collect_to(&opened, &out)
}

fn collect_to(opened: &Opened, out: &Path) -> Result<()> {
    let Opened {
        plan,
        experiment,
        store,
        ..
    } = opened;
    let missing = missing(plan, store)?;
    for missing in missing.iter().take(NAMED) {
        println!("collect  task {}: {}", missing.task, missing.reason);
    }
    if missing.len() > NAMED {
        println!("collect  and {} more", missing.len() - NAMED);
    }
    if !missing.is_empty() {
        let (some, all) = (missing.len(), plan.tasks.len());
        return Err(Failure(format!(
            "{some} of {all} tasks have no result; `isopath submit` runs them"
        )));
    }
    let (files, provenance) = collect(plan, experiment.as_ref(), store, out)?;
    for file in files {
        println!("collect  {}", file.display());
    }
    println!("collect  {provenance}");
    Ok(())
}

/// Says how far a plan has come.
///
/// # Errors
/// The plan or its folder cannot be read.
pub fn show_status(place: Place) -> Result<()> {
    let opened = place.open()?;
    println!("{}", status(&opened.plan, &opened.store)?);
    Ok(())
}
