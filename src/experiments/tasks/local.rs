//! Runs a plan on the cores of this machine.

use super::plan::{Plan, Task};
use super::run::{Ran, Runner};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::training::in_parallel;

/// How many tasks of a plan this machine runs at the same time: one a core, fewer where the memory
/// that is free does not hold as many.
pub fn workers(plan: &Plan) -> usize {
    let cores = rayon::current_num_threads();
    let largest = plan.tasks.iter().map(|task| task.memory_mb).max();
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    match (free, largest) {
        (Some(kilobytes), Some(most)) if most > 0 => {
            let fit = (kilobytes / 1024 / most).max(1);
            cores.min(fit.try_into().unwrap_or(cores))
        }
        _ => cores,
    }
}

/// Runs the tasks of a plan that are not finished, stage by stage, `workers` at the same time, and
/// gives what failed. The number of workers does not change the results.
///
/// # Errors
/// The user asks to stop, or a thread cannot be made.
pub fn run_here(
    plan: &Plan,
    runner: &Runner<'_>,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<(usize, Error)>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers.max(1))
        .build()
        .map_err(|error| Error::argument("workers", "a thread for each", error))?;
    let bar = progress.bar("tasks").of(plan.tasks.len(), "tasks");
    let mut failed = Vec::new();
    for stage in plan.tasks.chunk_by(|a, b| a.stage == b.stage) {
        let run = |task: &Task| {
            let ran = runner.task(task.task);
            bar.add(1.);
            match ran {
                Err(Error::Interrupted) => Err(Error::Interrupted),
                Err(error) => Ok(Some((task.task, error))),
                Ok(Ran::Before | Ran::Now(_)) => Ok(None),
            }
        };
        let ended = pool.install(|| in_parallel(stage, run))?;
        failed.extend(ended.into_iter().flatten());
    }
    Ok(failed)
}
