//! The list of an experiment's tasks, and its file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::experiment::{Experiment, Need};
use crate::error::{Error, Result};
use crate::io::{digest, files};
use crate::scale::Scale;

/// The version of the file's format.
const FORMAT: u32 = 1;
/// The version of this crate.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Digits of a digest that name it.
const SHORT: usize = 16;

/// The first line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub plan: u32,
    /// The version of this crate.
    pub version: String,
    /// The SHA-256 digest of all that decides the results: everything but estimates and jobs.
    pub digest: String,
    /// The name of the experiment.
    pub experiment: String,
    /// The scale: `quick`, `default` or `paper`.
    pub scale: String,
    /// What decides the numbers beside the tasks' settings.
    pub settings: String,
    /// The files that the tasks read.
    pub needs: Vec<Need>,
    /// The number of tasks.
    pub tasks: usize,
    /// The number of jobs that they are grouped into.
    pub jobs: usize,
}

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The number of the task, from 0.
    pub task: usize,
    /// The number of its job, from 0: the index in an array of jobs.
    pub job: usize,
    /// The stage; all tasks of earlier stages come first.
    pub stage: usize,
    /// The settings.
    pub settings: Value,
    /// The seed of what is drawn.
    pub seed: u64,
    /// The tasks whose outputs it reads.
    pub needs: Vec<usize>,
    /// The time that it takes on one core, an estimate in seconds.
    pub seconds: f64,
    /// The memory that its process takes, an estimate in megabytes.
    pub memory_mb: u64,
}

/// The tasks of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is the same for all tasks.
    pub header: Header,
    /// The tasks, stage by stage.
    pub tasks: Vec<Task>,
}

impl Plan {
    /// Lists the tasks of an experiment. With `minutes`, consecutive tasks of a stage are one job as
    /// long as their estimates stay within it; otherwise each task is a job.
    ///
    /// # Errors
    /// `minutes` not above 0, no part, a part that needs one of its own or a later stage, a file
    /// that cannot be read.
    pub fn new(experiment: &dyn Experiment, minutes: Option<f64>) -> Result<Self> {
        if let Some(minutes) = minutes
            && !(minutes > 0. && minutes.is_finite())
        {
            return Err(Error::argument("minutes", "above 0", minutes));
        }
        let parts = experiment.parts()?;
        let mut tasks: Vec<Task> = Vec::with_capacity(parts.len());
        // The job that is being filled, with its stage and its seconds.
        let (mut job, mut stage, mut filled) = (0, 0, 0.);
        for (task, part) in parts.into_iter().enumerate() {
            let early = |need: &usize| {
                tasks
                    .get(*need)
                    .is_some_and(|other| other.stage < part.stage)
            };
            if part.stage < stage || !part.needs.iter().all(early) {
                let expected = "stages in order, and needs of earlier stages alone";
                return Err(Error::argument("part", expected, part.settings));
            }
            let fits = minutes.is_some_and(|minutes| filled + part.seconds <= 60. * minutes);
            if task > 0 && (part.stage > stage || !fits) {
                job += 1;
                filled = 0.;
            }
            filled += part.seconds;
            stage = part.stage;
            tasks.push(Task {
                task,
                job,
                stage,
                settings: part.settings,
                seed: part.seed,
                needs: part.needs,
                seconds: part.seconds,
                memory_mb: part.memory_mb,
            });
        }
        if tasks.is_empty() {
            return Err(Error::argument("parts", "at least one", "none"));
        }
        let mut header = Header {
            plan: FORMAT,
            version: VERSION.into(),
            digest: String::new(),
            experiment: experiment.name().into(),
            scale: experiment.scale().to_string(),
            settings: experiment.settings(),
            needs: experiment.needs()?,
            tasks: tasks.len(),
            jobs: job + 1,
        };
        header.digest = digest_of(&header, &tasks)?;
        Ok(Self { header, tasks })
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// The file cannot be read, is no plan, is one of another version of this crate, or was changed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let mut lines = text.lines();
        let header: Value = parsed(path, 1, lines.next().unwrap_or_default())?;
        let format = header.get("plan").and_then(Value::as_u64);
        if format != Some(FORMAT.into()) {
            let got = format.map_or("no plan".into(), |format| {
                format!("a plan of format {format}")
            });
            let expected = format!("a plan of format {FORMAT}, as `isopath tasks` writes it");
            return Err(Error::file(path, expected, got));
        }
        let header: Header = serde_json::from_value(header)
            .map_err(|error| Error::file(path, "the first line of a plan", error))?;
        if header.version != VERSION {
            let expected = format!(
                "a plan of version {VERSION}, which this program is; make it anew, or use that \
                 version on every machine"
            );
            let got = format!(
                "a plan of isopath {} with digest {}",
                header.version, header.digest
            );
            return Err(Error::file(path, expected, got));
        }
        let tasks = lines
            .enumerate()
            .map(|(at, line)| parsed(path, at + 2, line))
            .collect::<Result<Vec<Task>>>()?;
        let found = digest_of(&header, &tasks)?;
        let in_order = tasks.iter().enumerate().all(|(at, task)| task.task == at);
        if found != header.digest || header.tasks != tasks.len() || !in_order {
            let got = format!("lines with digest {found}: cut off, or changed by hand");
            let expected = format!("{} tasks with digest {}", header.tasks, header.digest);
            return Err(Error::file(path, expected, got));
        }
        Ok(Self { header, tasks })
    }

    /// Writes the plan, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut text = json!(self.header).to_string();
        for task in &self.tasks {
            // A `String` takes every line.
            let _ = write!(text, "\n{}", json!(task));
        }
        text.push('\n');
        files::write_whole(path.as_ref(), text.as_bytes())
    }

    /// The scale of the experiment.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn scale(&self) -> Result<Scale> {
        self.header.scale.parse()
    }

    /// The first digits of the digest, which name the plan.
    pub fn name(&self) -> &str {
        let digest = &self.header.digest;
        digest.get(..SHORT).unwrap_or(digest)
    }

    /// A task.
    ///
    /// # Errors
    /// There is none of that number.
    pub fn task(&self, index: usize) -> Result<&Task> {
        self.tasks.get(index).ok_or_else(|| {
            let expected = format!("from 0 to {}, the plan's tasks", self.tasks.len() - 1);
            Error::argument("task", expected, index)
        })
    }

    /// The tasks of a job.
    ///
    /// # Errors
    /// There is none of that number.
    pub fn job(&self, index: usize) -> Result<&[Task]> {
        let begin = self.tasks.partition_point(|task| task.job < index);
        let end = self.tasks.partition_point(|task| task.job <= index);
        match self.tasks.get(begin..end) {
            Some(tasks) if !tasks.is_empty() => Ok(tasks),
            _ => {
                let last = self.header.jobs.saturating_sub(1);
                let expected = format!("from 0 to {last}, the plan's jobs");
                Err(Error::argument("index", expected, index))
            }
        }
    }

    /// The number of stages.
    pub fn stages(&self) -> usize {
        self.tasks.last().map_or(0, |task| task.stage + 1)
    }

    /// How long the plan takes with `workers` jobs at the same time, by its estimates in seconds: jobs
    /// in order, each as soon as a worker is free, stage after stage, `startup` seconds for each job.
    pub fn seconds_with(&self, workers: usize, startup: f64) -> f64 {
        let mut end = 0.;
        for stage in self.tasks.chunk_by(|a, b| a.stage == b.stage) {
            // When each worker is free, in milliseconds; reversed, the earliest is at the top.
            let begin = (end * 1e3) as u64;
            let mut free: BinaryHeap<Reverse<u64>> = vec![Reverse(begin); workers.max(1)].into();
            let mut last = begin;
            for job in stage.chunk_by(|a, b| a.job == b.job) {
                let seconds: f64 = job.iter().map(|task| task.seconds).sum();
                let Reverse(at) = free.pop().unwrap_or(Reverse(begin));
                let done = at + ((startup + seconds) * 1e3) as u64;
                last = last.max(done);
                free.push(Reverse(done));
            }
            end = last as f64 / 1e3;
        }
        end
    }

    /// Checks that an experiment is the plan's.
    ///
    /// # Errors
    /// It is another, or has other settings in this build of the crate.
    pub fn check(&self, experiment: &dyn Experiment) -> Result<()> {
        let Header {
            experiment: name,
            scale,
            settings,
            digest,
            ..
        } = &self.header;
        let own = (experiment.name(), experiment.scale().to_string());
        if own != (name.as_str(), scale.clone()) || experiment.settings() != *settings {
            let expected = "one whose settings this build of the crate has; make the plan anew";
            let got =
                format!("that of another build, {name} at {scale} scale with digest {digest}");
            return Err(Error::argument("plan", expected, got));
        }
        Ok(())
    }
}

/// The digest of all that decides the results.
fn digest_of(header: &Header, tasks: &[Task]) -> Result<String> {
    let Header {
        version,
        experiment,
        scale,
        settings,
        needs,
        ..
    } = header;
    let mut text = json!([version, experiment, scale, settings, needs]).to_string();
    for task in tasks {
        let Task {
            task,
            stage,
            settings,
            seed,
            needs,
            ..
        } = task;
        // A `String` takes every line.
        let _ = write!(text, "\n[{task},{stage},{settings},{seed},{needs:?}]");
    }
    digest::of_bytes(text.as_bytes()).map_err(Error::io("plan"))
}

fn parsed<T: serde::de::DeserializeOwned>(path: &Path, number: usize, line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| {
        let expected = "a line of a plan, as `isopath tasks` writes it";
        Error::file(path, expected, format!("line {number} is none ({error})"))
    })
}
