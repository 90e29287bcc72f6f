//! How far a plan has come.

use std::fmt;

use super::plan::Plan;
use super::record::Failure;
use super::store::Store;
use crate::error::Result;

/// How far a plan has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The number of tasks.
    pub tasks: usize,
    /// The number of tasks that are finished.
    pub done: usize,
    /// The tasks that run.
    pub running: Vec<Running>,
    /// The tasks whose last process ended with an error, with it.
    pub failed: Vec<Failure>,
    /// The tasks whose process is gone without a word: killed, or its machine is.
    pub stopped: Vec<usize>,
    /// The number of tasks that have not begun.
    pub waiting: usize,
    /// The time that the finished tasks took, in seconds.
    pub seconds_done: f64,
    /// The time that all others take on one core, in seconds: their estimates, times what the
    /// finished ones took over theirs.
    pub seconds_left: f64,
}

/// A task that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The number of the task.
    pub task: usize,
    /// The host and the number of the process, `host.123`.
    pub place: String,
}

/// Looks how far a plan has come.
///
/// # Errors
/// The folder cannot be read.
pub fn status(plan: &Plan, store: &Store) -> Result<Status> {
    let traces = store.traces()?;
    let mut found = Status {
        tasks: plan.tasks.len(),
        ..Status::default()
    };
    let (mut estimated, mut open) = (0., 0.);
    for task in &plan.tasks {
        let none = Default::default();
        let traces = traces.get(&task.task).unwrap_or(&none);
        if traces.result
            && let Ok(Some(record)) = store.record(task.task)
        {
            found.done += 1;
            found.seconds_done += record.seconds;
            estimated += task.seconds;
            continue;
        }
        open += task.seconds;
        let alive = |mark: &&String| store.is_running(task.task, mark);
        let failure = || traces.failure.then(|| store.failure(task.task)).flatten();
        if let Some(mark) = traces.marks.iter().find(alive) {
            let place = mark.split_once('.').map_or("", |(_, place)| place);
            found.running.push(Running {
                task: task.task,
                place: place.into(),
            });
        } else if let Some(failure) = failure() {
            found.failed.push(failure);
        } else if !traces.marks.is_empty() {
            found.stopped.push(task.task);
        } else {
            found.waiting += 1;
        }
    }
    let pace = match estimated > 0. {
        true => found.seconds_done / estimated,
        false => 1.,
    };
    found.seconds_left = open * pace;
    Ok(found)
}

/// How many failures are named.
const NAMED: usize = 5;

/// Writes a line for what is done, runs, failed and waits, and the time left.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks,
            done,
            running,
            failed,
            stopped,
            waiting,
            ..
        } = self;
        writeln!(
            f,
            "{done} of {tasks} tasks done, {} running, {} failed, {} stopped, {waiting} waiting",
            running.len(),
            failed.len(),
            stopped.len()
        )?;
        for Failure {
            task,
            error,
            machine,
            ..
        } in failed.iter().take(NAMED)
        {
            writeln!(f, "failed: task {task} on {}: {error}", machine.host)?;
        }
        if !stopped.is_empty() {
            let first: Vec<String> = stopped.iter().take(NAMED).map(usize::to_string).collect();
            let more = if stopped.len() > NAMED { ", …" } else { "" };
            writeln!(
                f,
                "stopped without a word (killed, out of memory or time, or its machine is gone): {}{more}",
                first.join(", ")
            )?;
        }
        let left = in_words(self.seconds_left);
        match running.len() {
            _ if done == tasks => {
                write!(
                    f,
                    "{} of computing; collect it",
                    in_words(self.seconds_done)
                )
            }
            0 => write!(f, "{left} of computing left"),
            some => write!(
                f,
                "{left} of computing left; {} with {some} at the same time",
                in_words(self.seconds_left / some as f64)
            ),
        }
    }
}

/// A time in words: `12 s`, `34 min`, `5.6 h`, `7.8 days`.
pub fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 120. => format!("{s:.0} s"),
        s if s < 7_200. => format!("{:.0} min", s / 60.),
        s if s < 172_800. => format!("{:.1} h", s / 3_600.),
        s => format!("{:.1} days", s / 86_400.),
    }
}
