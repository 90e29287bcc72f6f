//! Puts the results of all tasks together.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::experiment::{Experiment, Finished};
use super::machine::Machine;
use super::plan::Plan;
use super::status::in_words;
use super::store::{Store, Traces};
use crate::error::{Error, Result};
use crate::io::{files, results};

/// A task without a whole result, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The number of the task.
    pub task: usize,
    /// The reason, in words.
    pub reason: String,
}

/// Where results come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The digest of the plan.
    pub plan: String,
    /// The name of the experiment.
    pub experiment: String,
    /// The scale.
    pub scale: String,
    /// The version of this crate.
    pub version: String,
    /// The number of tasks.
    pub tasks: usize,
    /// The time that all tasks took together, in seconds.
    pub seconds: f64,
    /// The time of the longest task, in seconds.
    pub longest_seconds: f64,
    /// The largest memory of a process, in megabytes.
    pub peak_memory_mb: u64,
    /// The machines, each with the number of its tasks.
    pub machines: Vec<(Machine, usize)>,
}

/// The tasks of a plan that have no whole result, each with the reason.
///
/// # Errors
/// The folder cannot be read.
pub fn missing(plan: &Plan, store: &Store) -> Result<Vec<Missing>> {
    Ok(look(plan, store)?.0)
}

fn look(plan: &Plan, store: &Store) -> Result<(Vec<Missing>, Provenance)> {
    let traces = store.traces()?;
    let none = Traces::default();
    let of = |task: usize| traces.get(&task).unwrap_or(&none);
    let look = |task: usize| match of(task).result {
        true => store
            .whole(task)
            .map(|found| found.map(|(record, _)| record)),
        false => Ok(None),
    };
    let looks: Vec<_> = (0..plan.tasks.len()).into_par_iter().map(look).collect();
    let mut missing = Vec::new();
    let mut provenance = Provenance {
        plan: plan.header.digest.clone(),
        experiment: plan.header.experiment.clone(),
        scale: plan.header.scale.clone(),
        version: plan.header.version.clone(),
        tasks: plan.tasks.len(),
        seconds: 0.,
        longest_seconds: 0.,
        peak_memory_mb: 0,
        machines: Vec::new(),
    };
    let mut machines: BTreeMap<Machine, usize> = BTreeMap::new();
    for (task, look) in looks.into_iter().enumerate() {
        let reason = match look {
            Ok(Some(record)) => {
                provenance.seconds += record.seconds;
                provenance.longest_seconds = provenance.longest_seconds.max(record.seconds);
                provenance.peak_memory_mb = provenance.peak_memory_mb.max(record.peak_memory_mb);
                *machines.entry(record.machine).or_default() += 1;
                continue;
            }
            Ok(None) => why(store, task, of(task)),
            Err(error) => error.to_string(),
        };
        missing.push(Missing { task, reason });
    }
    provenance.machines = machines.into_iter().collect();
    Ok((missing, provenance))
}

/// Why a task has no result.
fn why(store: &Store, task: usize, traces: &Traces) -> String {
    let running = traces
        .marks
        .iter()
        .find(|mark| store.is_running(task, mark));
    match (running, store.failure(task)) {
        (Some(mark), _) => format!("runs as {}", mark.trim_start_matches("running.")),
        (None, Some(failure)) => format!("failed on {}: {}", failure.machine.host, failure.error),
        (None, None) if !traces.marks.is_empty() => {
            "stopped without a word: killed, out of memory or time, or its machine is gone".into()
        }
        (None, None) => "has not begun".into(),
    }
}

/// Writes the results of an experiment to `folder`, `NAME.json` as one machine does, from the
/// results of all tasks; and beside them in `plans` what [`Collected`](super::Collected) reads.
/// Gives the files and where the numbers come from.
///
/// Equal to one machine's bit for bit, but for times: these are sums over tasks.
///
/// # Errors
/// A task has no whole result ([`missing`] says which and why), or a file cannot be written.
pub fn collect(
    plan: &Plan,
    experiment: &dyn Experiment,
    store: &Store,
    folder: &Path,
) -> Result<(Vec<PathBuf>, Provenance)> {
    plan.check(experiment)?;
    let (missing, provenance) = look(plan, store)?;
    if let Some(first) = missing.first() {
        let got = format!(
            "{} of them; task {} {}",
            plan.tasks.len() - missing.len(),
            first.task,
            first.reason
        );
        let expected = format!("those of all {} tasks", plan.tasks.len());
        return Err(Error::argument("results", expected, got));
    }
    let settings = plan.tasks.iter().map(|task| &task.settings);
    let mut written = Vec::new();
    for (name, value) in experiment.results(&Finished::new(store, settings))? {
        written.push(results::write_in(folder, &name, &value)?);
    }
    let plans = folder.join("plans");
    let text = format!("{:#}\n", json!(provenance));
    let archive = plans.join(format!("{}.tasks", plan.name()));
    files::write_whole_by(&archive, &mut |file| {
        writeln!(file, "{}", json!(provenance))?;
        for task in 0..plan.tasks.len() {
            io::copy(&mut File::open(store.result(task))?, file)?;
        }
        Ok(())
    })?;
    let record = plans.join(format!("{}.json", plan.name()));
    files::write_whole(&record, text.as_bytes())?;
    written.extend([archive, record]);
    Ok((written, provenance))
}

/// Writes where results come from in a sentence.
impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plan,
            experiment,
            scale,
            version,
            tasks,
            ..
        } = self;
        let hosts: std::collections::BTreeSet<&str> = self
            .machines
            .iter()
            .map(|(machine, _)| machine.host.as_str())
            .collect();
        let kinds: std::collections::BTreeSet<&str> = self
            .machines
            .iter()
            .map(|(machine, _)| machine.instructions.as_str())
            .collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        write!(
            f,
            "plan {} ({experiment}, {scale} scale, isopath {version}): {tasks} tasks, {} of \
             computing on {} {} with {}",
            plan.get(..16).unwrap_or(plan),
            in_words(self.seconds),
            hosts.len(),
            if hosts.len() == 1 {
                "machine"
            } else {
                "machines"
            },
            kinds.join(" and ")
        )?;
        match kinds.len() {
            0 | 1 => Ok(()),
            _ => write!(f, ", whose last digits may differ"),
        }
    }
}
