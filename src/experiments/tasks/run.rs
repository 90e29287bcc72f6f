//! Runs a task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::experiment::{Experiment, Given};
use super::machine::{self, Machine};
use super::output::Output;
use super::plan::{Plan, Task, VERSION};
use super::record::Record;
use super::store::Store;
use crate::error::{Error, Result};

/// Runs the tasks of a plan in this process.
#[derive(Debug)]
pub struct Runner<'a> {
    plan: &'a Plan,
    experiment: &'a dyn Experiment,
    store: &'a Store,
    side_by_side: usize,
    /// Whether a task of this process has begun.
    begun: AtomicBool,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Ran {
    /// It was finished before.
    Before,
    /// It has run; its result is there.
    Now(Box<Record>),
}

impl<'a> Runner<'a> {
    /// Makes a runner, and checks that the experiment is the plan's and that the files that it reads
    /// are there and the right ones.
    ///
    /// # Errors
    /// They are not.
    pub fn new(plan: &'a Plan, experiment: &'a dyn Experiment, store: &'a Store) -> Result<Self> {
        plan.check(experiment)?;
        plan.header.needs.iter().try_for_each(|need| need.check())?;
        Ok(Self {
            plan,
            experiment,
            store,
            side_by_side: 1,
            begun: AtomicBool::new(false),
        })
    }

    /// Says how many tasks run at the same time, for the records.
    pub fn side_by_side(self, side_by_side: usize) -> Self {
        Self {
            side_by_side,
            ..self
        }
    }

    /// Runs a task, if it is not finished, and writes its result or why it failed.
    ///
    /// # Errors
    /// There is no such task; a task that it needs is not finished; the experiment refuses it; the
    /// result cannot be written.
    pub fn task(&self, index: usize) -> Result<Ran> {
        let task = self.plan.task(index)?;
        if matches!(self.store.whole(index), Ok(Some(_))) {
            return Ok(Ran::Before);
        }
        let _mark = self.store.mark(index)?;
        let ran = catch_unwind(AssertUnwindSafe(|| self.work(task)));
        match ran.unwrap_or_else(|panic| Err(of_panic(&*panic))) {
            Ok(record) => Ok(Ran::Now(Box::new(record))),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                // On a full disk the message is all that there is.
                let _ = self.store.write_failure(index, &error);
                Err(error)
            }
        }
    }

    fn work(&self, task: &Task) -> Result<Record> {
        let called = Instant::now();
        self.experiment.prepare(&task.settings)?;
        let startup_seconds = match self.begun.swap(true, Ordering::Relaxed) {
            false => machine::seconds_since_start(),
            true => called.elapsed().as_secs_f64(),
        };
        let (began, begin) = (machine::now(), Instant::now());
        let checkpoint = self.store.checkpoint(task.task);
        let given = Given {
            outputs: self.store,
            needs: &task.needs,
            checkpoint: &checkpoint,
        };
        let output: Output = self.experiment.run(&task.settings, &given)?;
        let mut record = Record {
            plan: self.plan.header.digest.clone(),
            task: task.task,
            version: VERSION.into(),
            settings: task.settings.clone(),
            seed: task.seed,
            machine: Machine::here(),
            began,
            startup_seconds,
            seconds: begin.elapsed().as_secs_f64(),
            peak_memory_mb: machine::peak_memory_mb(),
            side_by_side: self.side_by_side,
            bytes: 0,
            sha256: String::new(),
        };
        self.store.write(&mut record, &output)?;
        Ok(record)
    }
}

/// A panic is one task's, not that of all others.
fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "without a message".into());
    Error::argument("task", "a result", format!("a panic: {text}"))
}
