//! What happens when nothing does.

use std::time::{Duration, Instant};

use super::super::cell::Cell;
use super::super::cells::Stream;
use super::Kernel;
use super::output::{GATHER, RESULT};

/// After how long the user is told that a cell does not listen.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a cell whose time is over may take to stop before its process is ended.
const GRACE: Duration = Duration::from_secs(1);
/// No deadline.
const FAR: Duration = Duration::from_secs(3600);

impl Kernel {
    /// When there is something to do.
    pub fn deadline(&self) -> Instant {
        let text = self.text.as_ref().map(|text| text.since + GATHER);
        let value = self.late_value();
        let can_be_warned = |cell: &&Cell| !cell.warned && !self.is_starting();
        let warning = self
            .running
            .as_ref()
            .filter(can_be_warned)
            .and_then(|cell| cell.interrupted);
        let failed = self.failed.as_ref().map(|(_, at)| *at);
        let warning = warning.map(|at| at + PATIENCE);
        let deadlines = [text, value, warning, failed, self.time_is_over()];
        deadlines
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + FAR)
    }

    /// Does what is due.
    pub fn tick(&mut self) {
        let now = Instant::now();
        if self
            .text
            .as_ref()
            .is_some_and(|text| text.since + GATHER <= now)
        {
            self.flush_text();
        }
        if self.late_value().is_some_and(|at| at <= now) {
            self.flush_value();
        }
        // While the engine starts, a cell waits for it, and will not run once it was stopped.
        let is_starting = self.is_starting();
        let is_deaf = |at: Instant| !is_starting && at + PATIENCE <= now;
        if let Some(cell) = self
            .running
            .as_mut()
            .filter(|cell| !cell.warned && cell.interrupted.is_some_and(is_deaf))
        {
            cell.warned = true;
            self.print(
                Stream::Errors,
                "The cell has not stopped yet. Press stop again to end its process; all variables will be lost.\n",
            );
            self.flush_text();
        }
        if self.time_is_over().is_some_and(|at| at <= now) {
            self.end_overtime();
        }
        if let Some((failure, _)) = self.failed.take_if(|(_, at)| *at <= now) {
            self.fail(&failure);
        }
    }

    /// When a value is shown that no cell can end with. That of a running cell waits for its end, however long that
    /// takes, to be its result.
    fn late_value(&self) -> Option<Instant> {
        let (_, since) = self.value.as_ref().filter(|_| self.running.is_none())?;
        Some(*since + RESULT)
    }

    /// When the running cell has to be stopped, and then when its process has to be ended.
    fn time_is_over(&self) -> Option<Instant> {
        let limit = self.limits.time.filter(|_| !self.is_starting())?;
        let cell = self.running.as_ref().filter(|cell| !cell.killed)?;
        if !cell.overtime {
            return Some(cell.begun + limit);
        }
        cell.interrupted
            .map(|at| at + GRACE)
            .filter(|_| self.pair.is_some())
    }

    /// Stops the cell whose time is over; at the second call ends its process.
    fn end_overtime(&mut self) {
        let Some(cell) = &mut self.running else {
            return;
        };
        if !cell.overtime {
            cell.overtime = true;
            // Nobody is there to press stop again.
            cell.warned = true;
            if cell.interrupted.is_none() {
                self.interrupt();
            }
        } else if let Some((_, pair)) = &self.pair {
            cell.killed = true;
            pair.kill();
        }
    }
}
