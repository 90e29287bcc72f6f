//! The collected results of a plan, in one file that can be taken elsewhere.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::collect::Provenance;
use super::experiment::{Experiment, Finished, Outputs};
use super::output::Output;
use super::plan::Plan;
use super::record::Record;
use crate::error::{Error, Result};
use crate::io::results;

/// The collected results of a plan.
#[derive(Debug)]
pub struct Collected {
    /// Where they come from.
    pub provenance: Provenance,
    plan: Plan,
    path: PathBuf,
    /// Where in the file each task's record begins.
    places: Vec<u64>,
}

impl Collected {
    /// Finds the results of an experiment in `target/results`, by the digest of its plan; none if
    /// they were never collected there.
    ///
    /// # Errors
    /// The file is there, and is not whole.
    pub fn find(experiment: &dyn Experiment) -> Result<Option<Self>> {
        Self::find_in(&results::folder(), experiment)
    }

    /// [`Collected::find`] in the folder that [`collect`](super::collect()) has written to.
    ///
    /// # Errors
    /// As [`Collected::find`].
    pub fn find_in(folder: &Path, experiment: &dyn Experiment) -> Result<Option<Self>> {
        let plans = folder.join("plans");
        if !plans.exists() {
            return Ok(None);
        }
        let plan = Plan::new(experiment, None)?;
        let path = plans.join(format!("{}.tasks", plan.name()));
        match path.exists() {
            true => Self::open(path, plan).map(Some),
            false => Ok(None),
        }
    }

    fn open(path: PathBuf, plan: Plan) -> Result<Self> {
        let mut file = BufReader::new(File::open(&path).map_err(Error::io(&path))?);
        let mut line = String::new();
        let mut place = file.read_line(&mut line).map_err(Error::io(&path))? as u64;
        let provenance: Provenance = serde_json::from_str(&line).map_err(|error| {
            Error::file(&path, "results as `isopath collect` writes them", error)
        })?;
        let mut places = Vec::with_capacity(plan.tasks.len());
        let end = file.get_ref().metadata().map_err(Error::io(&path))?.len();
        while let Some((record, length)) = Record::next(&path, &mut file)? {
            if record.plan != plan.header.digest || record.task != places.len() {
                let got = format!("task {} of the plan {}", record.task, record.plan);
                let expected = format!("the tasks of the plan {}", plan.header.digest);
                return Err(Error::file(&path, expected, got));
            }
            places.push(place);
            let bytes = record.bytes as i64;
            file.seek_relative(bytes).map_err(Error::io(&path))?;
            place += length as u64 + record.bytes as u64;
        }
        if places.len() != plan.tasks.len() || place != end {
            let got = format!("{} tasks in {end} bytes", places.len());
            let expected = format!("{} tasks in {place} bytes; collect again", plan.tasks.len());
            return Err(Error::file(&path, expected, got));
        }
        Ok(Self {
            provenance,
            plan,
            path,
            places,
        })
    }

    /// The outputs of all tasks.
    pub fn finished(&self) -> Finished<'_> {
        Finished::new(self, self.plan.tasks.iter().map(|task| &task.settings))
    }
}

/// The results of a plan, where they were collected, for a notebook that would compute them
/// otherwise.
///
/// # Examples
///
/// ```
/// use isopath::experiments::tasks::FromPlan;
///
/// let nothing: FromPlan<Vec<f64>> = FromPlan::of(None, |_| Ok(vec![]))?;
/// assert_eq!(nothing.or(|found| found, || Ok(vec![1.5]))?, [1.5]);
/// println!("{nothing}");
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FromPlan<T> {
    /// What was found, and where it comes from.
    pub found: Option<(Provenance, T)>,
}

impl<T> FromPlan<T> {
    /// Takes collected results, if there are some, put together by `found`.
    ///
    /// # Errors
    /// An error of `found`.
    pub fn of(
        collected: Option<Collected>,
        found: impl FnOnce(&Finished<'_>) -> Result<T>,
    ) -> Result<Self> {
        let found = match collected {
            Some(collected) => Some((collected.provenance.clone(), found(&collected.finished())?)),
            None => None,
        };
        Ok(Self { found })
    }

    /// The results, if there are some.
    pub fn get(&self) -> Option<&T> {
        self.found.as_ref().map(|(_, found)| found)
    }

    /// A part of the results, or what `compute` gives where there are none.
    ///
    /// # Errors
    /// An error of `compute`.
    pub fn or<R: Clone>(
        &self,
        part: impl FnOnce(&T) -> &R,
        compute: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        match &self.found {
            Some((_, found)) => Ok(part(found).clone()),
            None => compute(),
        }
    }
}

/// Writes where the numbers come from.
impl<T> fmt::Display for FromPlan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some((provenance, _)) => write!(f, "the numbers come from {provenance}"),
            None => write!(f, "the numbers are computed here"),
        }
    }
}

impl Outputs for Collected {
    fn output(&self, task: usize) -> Result<Output> {
        let path = &self.path;
        let place = self.places.get(task).copied().unwrap_or(u64::MAX);
        let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        file.seek(SeekFrom::Start(place)).map_err(Error::io(path))?;
        match Record::next(path, &mut file)? {
            Some((record, _)) => Output::from_bytes(path, &record.payload(path, &mut file)?),
            None => Err(Error::file(path, format!("task {task}"), "no such task")),
        }
    }
}

/// Writes where the results come from.
impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.provenance, f)
    }
}
