//! What an experiment says about its tasks.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::output::Output;
use crate::datasets::{self, Set};
use crate::error::{Error, Result};
use crate::io::digest;
use crate::models::pretrained;
use crate::scale::Scale;

/// An experiment with many independent parts.
pub trait Experiment: Debug + Sync {
    /// The name on the command line, and of the results' file.
    fn name(&self) -> &'static str;

    /// The scale that its settings are of.
    fn scale(&self) -> Scale;

    /// All that decides the numbers beside the parts' own settings, in words: another text is
    /// another plan.
    fn settings(&self) -> String;

    /// The files that it reads.
    ///
    /// # Errors
    /// One cannot be read, where its digest is not known.
    fn needs(&self) -> Result<Vec<Need>>;

    /// The parts, stage by stage.
    ///
    /// # Errors
    /// Settings out of their range.
    fn parts(&self) -> Result<Vec<Part>>;

    /// Loads what a part of these settings reads, so that it is there when the part is run.
    ///
    /// # Errors
    /// A file is missing or broken.
    fn prepare(&self, _settings: &Value) -> Result<()> {
        Ok(())
    }

    /// Runs a part: a pure function of its settings and of what the parts that it needs gave.
    ///
    /// # Errors
    /// What the experiment refuses.
    fn run(&self, settings: &Value, given: &Given<'_>) -> Result<Output>;

    /// The results of one machine, by the names of their files, from the outputs of all parts.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>>;
}

/// A part of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The stage; a part needs only parts of earlier stages.
    pub stage: usize,
    /// The settings, a JSON object without floats ([`Exact`](crate::io::exact::Exact) has their
    /// text).
    pub settings: Value,
    /// The seed of what is drawn.
    pub seed: u64,
    /// The parts whose outputs it reads, by their numbers from 0.
    pub needs: Vec<usize>,
    /// The time that it takes on one core, an estimate in seconds.
    pub seconds: f64,
    /// The memory that its process takes, an estimate in megabytes.
    pub memory_mb: u64,
}

impl Part {
    /// Makes a part of the first stage with seed 0 that needs no other, and whose estimates are
    /// `seconds` and `memory_mb`.
    ///
    /// # Errors
    /// The settings have no JSON form.
    pub fn new(settings: &impl Serialize, seconds: f64, memory_mb: u64) -> Result<Self> {
        let settings = serde_json::to_value(settings)
            .map_err(|error| Error::argument("settings", "ones with a JSON form", error))?;
        Ok(Self {
            stage: 0,
            settings,
            seed: 0,
            needs: Vec::new(),
            seconds,
            memory_mb,
        })
    }
}

/// Lists parts that need each other: `parts` are the stage and what is to be done, stage by stage;
/// `told` says what a part needs, its seed, and its estimates of seconds and megabytes.
///
/// # Errors
/// A part without a JSON form.
pub fn listed<P: Clone + Eq + Hash + Serialize>(
    parts: &[(usize, P)],
    told: impl Fn(P) -> (Vec<P>, u64, f64, u64),
) -> Result<Vec<Part>> {
    let places = parts.iter().enumerate().map(|(at, (_, part))| (part, at));
    let places: HashMap<&P, usize> = places.collect();
    let one = |(stage, part): &(usize, P)| {
        let (needs, seed, seconds, memory_mb) = told(part.clone());
        let needs = needs.iter().filter_map(|need| places.get(need).copied());
        Ok(Part {
            stage: *stage,
            seed,
            needs: needs.collect(),
            ..Part::new(part, seconds, memory_mb)?
        })
    };
    parts.iter().map(one).collect()
}

/// What lies in `place`, loaded if it is not there yet.
///
/// # Errors
/// An error of `load`.
pub(crate) fn loaded<T>(place: &OnceLock<T>, load: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(there) = place.get() {
        return Ok(there);
    }
    let value = load()?;
    Ok(place.get_or_init(|| value))
}

/// A file that an experiment reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The data set that the file belongs to, or `checkpoints`.
    pub of: String,
    /// The name of the file.
    pub file: String,
    /// The SHA-256 digest of the file, in hexadecimal digits.
    pub sha256: String,
}

/// [`Need::of`] a checkpoint.
const CHECKPOINTS: &str = "checkpoints";

impl Need {
    /// The files of a data set.
    pub fn set(set: Set) -> impl Iterator<Item = Self> {
        set.files().iter().map(move |file| Self {
            of: set.name().into(),
            file: file.name.into(),
            sha256: file.sha256.into(),
        })
    }

    /// The checkpoint of that name in the repository.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn checkpoint(name: &str) -> Result<Self> {
        let path = pretrained::checkpoint(name);
        Ok(Self {
            of: CHECKPOINTS.into(),
            file: name.into(),
            sha256: digest::of_file(&path)?,
        })
    }

    /// Where the file lies.
    pub fn path(&self) -> PathBuf {
        match self.of.as_str() {
            CHECKPOINTS => pretrained::checkpoint(&self.file),
            set => datasets::root().join(set).join(&self.file),
        }
    }

    /// Checks that the file is there, and the right one.
    ///
    /// # Errors
    /// It is not: says which file to put where.
    pub fn check(&self) -> Result<()> {
        let (path, Self { of, sha256, .. }) = (self.path(), self);
        let expected = match of.as_str() {
            CHECKPOINTS => format!("the repository's file with SHA-256 {sha256}"),
            set => format!(
                "the file with SHA-256 {sha256}: `isopath data {set}` downloads it; without a \
                 network, copy it there from a machine that has it"
            ),
        };
        if !path.exists() {
            return Err(Error::file(path, expected, "missing"));
        }
        let found = digest::of_file(&path)?;
        match found == *sha256 {
            true => Ok(()),
            false => Err(Error::file(path, expected, format!("SHA-256 {found}"))),
        }
    }
}

/// Where finished tasks' outputs can be read.
pub trait Outputs: Debug + Sync {
    /// The output of a task.
    ///
    /// # Errors
    /// It is not there, or not whole.
    fn output(&self, task: usize) -> Result<Output>;
}

/// What a running task is given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub(super) outputs: &'a dyn Outputs,
    /// The tasks that it needs.
    pub(super) needs: &'a [usize],
    pub(super) checkpoint: &'a Path,
}

impl Given<'_> {
    /// The number of tasks that it needs.
    pub fn len(&self) -> usize {
        self.needs.len()
    }

    /// Whether it needs none.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }

    /// The output of the task that stands at place `at` of [`Part::needs`].
    ///
    /// # Errors
    /// There is none, or it is not finished.
    pub fn output(&self, at: usize) -> Result<Output> {
        match self.needs.get(at) {
            Some(task) => self.outputs.output(*task),
            None => {
                let expected = format!("below {}, the number of tasks needed", self.len());
                Err(Error::argument("place", expected, at))
            }
        }
    }

    /// A file for the task's own checkpoint: one that was stopped finds it again.
    pub fn checkpoint(&self) -> &Path {
        self.checkpoint
    }
}

/// The outputs of all tasks of a plan, by their settings.
#[derive(Debug)]
pub struct Finished<'a> {
    outputs: &'a dyn Outputs,
    /// The number of the task with those settings.
    places: HashMap<String, usize>,
}

impl<'a> Finished<'a> {
    pub(super) fn new<'s>(
        outputs: &'a dyn Outputs,
        settings: impl Iterator<Item = &'s Value>,
    ) -> Self {
        let places = settings
            .enumerate()
            .map(|(at, settings)| (settings.to_string(), at));
        Self {
            outputs,
            places: places.collect(),
        }
    }

    /// The output of the part with some settings.
    ///
    /// # Errors
    /// There is no such part, or its output is not whole.
    pub fn output(&self, settings: &impl Serialize) -> Result<Output> {
        let text = serde_json::to_string(settings)
            .map_err(|error| Error::argument("settings", "ones with a JSON form", error))?;
        match self.places.get(&text) {
            Some(task) => self.outputs.output(*task),
            None => Err(Error::argument(
                "settings",
                "those of a task of the plan",
                text,
            )),
        }
    }
}
