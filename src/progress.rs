//! Progress bars of long procedures: label, share, count, time, rate and time left.
//!
//! ```text
//! β = 1:  45 %|████▌     | 90/200 [0:12<0:15, 7.4 epochs/s] loss 0.0123
//! ```
//!
//! In isopath's kernel the line is a display that changes in place, at most ten times a second; on
//! a terminal it moves on the standard error stream; in a file, or in another kernel, only its last
//! state is printed, once. A [`Bar`] that ends early, by an error or because the user stops the
//! cell, leaves its last state.
//!
//! ```
//! use isopath::progress::Bar;
//!
//! let bar = Bar::new("sum").of(1_000, "numbers");
//! let mut sum = 0;
//! for number in 0..1_000 {
//!     sum += number;
//!     bar.add(1.);
//! }
//! bar.note(format!("sum {sum}"));
//! ```

mod line;
mod output;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use line::Line;
use output::Output;

/// Between two states that are shown.
const EVERY: Duration = Duration::from_millis(100);
/// Between two looks at the clock while nothing else changes.
const TICK: Duration = Duration::from_secs(1);

/// How often something may happen at most.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    last: Option<Instant>,
}

impl Pace {
    pub fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether the time has come: always at first, and then once so much time has passed since it
    /// last had.
    pub fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}

/// Whether a long procedure shows its progress, and under which name: a setting of each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Shown as a progress bar with the procedure's own name.
    #[default]
    Shown,
    /// Shown as a progress bar with this name.
    Named(String),
    /// Shown as some steps of another bar ([`Bar::within`]).
    Within(Span),
    /// Not shown.
    Hidden,
}

/// Steps of a [`Bar`] that a procedure with a bar of its own moves.
#[derive(Clone)]
pub struct Span {
    state: Arc<Mutex<State>>,
    before: f64,
    note: String,
}

/// Two are equal if they are the same steps of one bar.
impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
            && (self.before, &self.note) == (other.before, &other.note)
    }
}

impl Eq for Span {}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steps from {} on, {:?}", self.before, self.note)
    }
}

impl Progress {
    /// The progress bar of a procedure with the default name `label`.
    pub fn bar(&self, label: &str) -> Bar {
        self.shown_by(|label| Bar::new(label), label)
    }

    /// The same line, shown only if the procedure takes more than a second.
    pub(crate) fn slow_bar(&self, label: &str) -> Bar {
        self.shown_by(|label| Bar::slow(label), label)
    }

    fn shown_by(&self, bar: fn(&str) -> Bar, label: &str) -> Bar {
        match self {
            Self::Shown => bar(label),
            Self::Named(label) => bar(label),
            Self::Within(span) => {
                let bar = Bar::hidden();
                bar.lock().within = Some(span.clone());
                bar
            }
            Self::Hidden => Bar::hidden(),
        }
    }
}

/// Shown under a name.
impl From<&str> for Progress {
    fn from(label: &str) -> Self {
        Self::Named(label.to_string())
    }
}

/// A progress bar.
///
/// Nothing is shown before the first change. Several threads may move one bar, and several bars may
/// move at once; on a terminal one of those moves, and the others appear when they end.
pub struct Bar {
    state: Arc<Mutex<State>>,
}

struct State {
    line: Line,
    /// When the count began.
    begun: Instant,
    /// How long it took, once all steps are done.
    took: Option<Duration>,
    pace: Pace,
    output: Output,
    stage: Stage,
    /// Nothing is shown before so much time has passed.
    patience: Duration,
    /// The steps of another bar that it moves.
    within: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has changed yet.
    Waiting,
    Moving,
    /// The last state is shown.
    Ended,
}

impl Bar {
    /// A bar with an unknown number of steps, until [`Bar::of`] or [`Bar::begin`] says how many.
    pub fn new(label: impl Into<String>) -> Self {
        Self::on(Output::of_process(), label)
    }

    /// A bar that is never shown.
    pub fn hidden() -> Self {
        Self::on(Output::Nowhere, "")
    }

    /// One that is shown only if what it counts takes more than a second: for procedures that are
    /// usually quick.
    pub(crate) fn slow(label: impl Into<String>) -> Self {
        let bar = Self::new(label);
        bar.lock().patience = TICK;
        bar
    }

    fn on(output: Output, label: impl Into<String>) -> Self {
        let (line, pace) = (Line::new(label.into()), Pace::new(EVERY));
        Self {
            state: Arc::new(Mutex::new(State {
                line,
                begun: Instant::now(),
                took: None,
                pace,
                output,
                stage: Stage::Waiting,
                patience: Duration::ZERO,
                within: None,
            })),
        }
    }

    /// Sets the number of steps, `total`; `unit` is the plural name of a step.
    pub fn of(self, total: usize, unit: &'static str) -> Self {
        self.lock().line.begin(Some(total as f64), unit);
        self
    }

    /// Starts again at 0 of `total` steps; `unit` is the plural name of a step.
    pub fn begin(&self, total: usize, unit: &'static str) {
        self.start(total as f64, unit);
    }

    /// As [`Bar::begin`], in bytes, shown as megabytes; the time moves on while nothing comes.
    pub(crate) fn begin_bytes(&self, total: u64) {
        self.start(total as f64, line::MEGABYTES);
        let state = Arc::downgrade(&self.state);
        let tick = move || {
            loop {
                thread::sleep(TICK);
                let Some(state) = state.upgrade() else { return };
                state.lock().unwrap_or_else(PoisonError::into_inner).show();
            }
        };
        // Without the thread, the time moves on with the bytes.
        let _ = thread::Builder::new().spawn(tick);
    }

    fn start(&self, total: f64, unit: &'static str) {
        self.change(|state| {
            // What took long so far is shown to its end.
            if state.stage == Stage::Moving && !state.is_patient() {
                state.patience = Duration::ZERO;
            }
            state.line.begin(Some(total), unit);
            state.begun = Instant::now();
        });
    }

    /// Moves the bar to so many steps; a part of a step counts, too.
    pub fn set(&self, position: f64) {
        self.change(|state| state.line.position = position);
    }

    /// Moves the bar on by so many steps.
    pub fn add(&self, steps: f64) {
        self.change(|state| state.line.position += steps);
    }

    /// Sets the text after the bar.
    pub fn note(&self, note: impl Into<String>) {
        self.change(|state| state.line.note = note.into());
    }

    /// Moves the bar and sets the text after it: [`Bar::set`] and [`Bar::note`] in one call.
    pub fn report(&self, position: f64, note: impl Into<String>) {
        self.change(|state| {
            state.line.position = position;
            state.line.note = note.into();
        });
    }

    /// Counts on from `before` of `total` steps, since the bar was made: what was done before is no
    /// part of the rate.
    pub(crate) fn resume(&self, before: f64, total: usize, unit: &'static str) {
        let line = &mut self.lock().line;
        line.begin(Some(total as f64), unit);
        (line.before, line.position) = (before, before);
    }

    /// A setting for a procedure that is some steps of this bar, from `before` on: it moves the bar
    /// while it counts the same unit, with `note` before its own.
    ///
    /// ```
    /// use isopath::progress::{Bar, Progress};
    ///
    /// let bar = Bar::new("all").of(20, "points");
    /// let second: Progress = bar.within(10, "second");
    /// assert_ne!(second, bar.within(0, "first"));
    /// ```
    pub fn within(&self, before: usize, note: impl Into<String>) -> Progress {
        Progress::Within(Span {
            state: Arc::clone(&self.state),
            before: before as f64,
            note: note.into(),
        })
    }

    /// A step that moves the bar by parts, beside other steps.
    pub fn part(&self) -> Part<'_> {
        self.part_of(1)
    }

    /// Several steps that move the bar together, by parts.
    pub fn part_of(&self, steps: usize) -> Part<'_> {
        Part {
            bar: self,
            steps: steps as f64,
            share: 0.,
        }
    }

    /// Makes room on a terminal for something that is printed; the bar goes on below.
    pub fn make_room(&self) {
        self.lock().output.hide();
    }

    /// Ends the bar, as dropping it does: for a variable of a notebook, which would live on.
    pub fn finish(self) {}

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.change(change);
        if let Some(span) = &state.within {
            let mut other = span.state.lock().unwrap_or_else(PoisonError::into_inner);
            if other.line.unit() == state.line.unit() {
                other.change(|other| {
                    other.line.position = span.before + state.line.position;
                    other.line.note = match state.line.note.as_str() {
                        "" => span.note.clone(),
                        note => format!("{}, {note}", span.note),
                    };
                });
            }
        }
    }

    /// A panic of a thread that moves the bar leaves a line that can still be shown.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.took = match self.line.is_complete() {
            true => self.took.or(Some(self.begun.elapsed())),
            false => None,
        };
        self.stage = Stage::Moving;
        self.show();
    }

    /// Whether it is too early to show anything.
    fn is_patient(&self) -> bool {
        !self.patience.is_zero()
            && self.took.unwrap_or_else(|| self.begun.elapsed()) < self.patience
    }

    fn text(&self) -> String {
        self.line
            .text(self.took.unwrap_or_else(|| self.begun.elapsed()))
    }

    fn show(&mut self) {
        // The end is shown at once, since a variable of a notebook may live on.
        if self.is_patient() {
            return;
        }
        if self.stage == Stage::Moving
            && self.output.moves()
            && (self.line.is_complete() || self.pace.is_due())
        {
            self.output.show(&self.text());
        }
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bar").field(&self.lock().text()).finish()
    }
}

/// The last state stays.
impl Drop for Bar {
    fn drop(&mut self) {
        let mut state = self.lock();
        if state.stage == Stage::Moving && !state.is_patient() {
            let text = state.text();
            state.output.finish(&text);
        }
        state.stage = Stage::Ended;
    }
}

/// A step of a [`Bar`] that is under way, or several together.
#[derive(Debug)]
pub struct Part<'a> {
    bar: &'a Bar,
    steps: f64,
    share: f64,
}

impl Part<'_> {
    /// Says which share of the step is done, in [0, 1].
    pub fn set(&mut self, share: f64) {
        self.bar.add(self.steps * (share - self.share));
        self.share = share;
    }

    /// Says that the step is done; `note` is what the bar says of it.
    pub fn finish(self, note: impl Into<String>) {
        let left = self.steps * (1. - self.share);
        self.bar.change(|state| {
            state.line.position += left;
            state.line.note = note.into();
        });
    }
}

#[cfg(test)]
impl Bar {
    /// One that keeps what is printed of it.
    pub(crate) fn in_memory(label: &str) -> (Self, crate::display::Written) {
        let (screen, written) = crate::display::Screen::in_memory(false);
        (Self::on(Output::on(screen), label), written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::Screen;

    /// Its time depends on the machine; the rest does not.
    fn without_time(line: &str) -> String {
        match (line.find(" ["), line.find("] ")) {
            (Some(from), Some(to)) => format!("{}{}", &line[..from], &line[to + 1..]),
            (Some(from), None) => line[..from].to_owned(),
            _ => line.to_owned(),
        }
    }

    #[test]
    fn a_file_gets_the_last_state_alone() {
        let (screen, out) = Screen::in_memory(false);
        let bar = Bar::on(Output::on(screen.clone()), "a").of(4, "steps");
        let mut part = bar.part();
        part.set(0.5);
        part.finish("first");
        bar.add(1.);
        assert_eq!(out.text(), "");
        drop(bar);
        assert_eq!(
            without_time(out.text().trim_end()),
            "a:  50 %|█████     | 2/4 first"
        );
        // One that never moved says nothing.
        drop(Bar::on(Output::on(screen), "b").of(4, "steps"));
        assert_eq!(out.lines().len(), 1);
    }

    #[test]
    fn a_procedure_moves_the_steps_of_another_bar_that_are_its_own() {
        let (all, out) = Bar::in_memory("all");
        let all = all.of(20, "edges");
        let bar = all.within(10, "second").bar("own");
        bar.begin(7, "points");
        bar.add(7.);
        assert_eq!(all.lock().line.position, 0.);
        bar.begin(10, "edges");
        bar.report(4., "two left");
        drop(bar);
        drop(all);
        assert_eq!(
            without_time(out.text().trim_end()),
            "all:  70 %|███████   | 14/20 second, two left"
        );
        assert_eq!(out.lines().len(), 1);
    }

    #[test]
    fn what_took_long_is_shown_to_its_end() {
        let (bar, out) = Bar::in_memory("a");
        bar.lock().patience = Duration::from_millis(20);
        bar.begin(2, "points");
        thread::sleep(Duration::from_millis(30));
        bar.set(2.);
        bar.begin(3, "edges");
        bar.set(3.);
        drop(bar);
        assert!(out.text().contains("3/3"), "{}", out.text());
    }

    #[test]
    fn a_kernel_gets_one_display_that_changes_at_most_ten_times_a_second() {
        let (screen, out) = Screen::in_memory(true);
        let [a, b] =
            ["a", "b"].map(|label| Bar::on(Output::on(screen.clone()), label).of(1_000, "steps"));
        for _ in 0..1_000 {
            a.add(1.);
            b.add(1.);
        }
        let before_the_end = out.lines().len();
        a.finish();
        b.finish();
        let messages: Vec<serde_json::Value> = out
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line.split_once("DISPLAY ").unwrap().1).unwrap())
            .collect();
        // The end was shown before the bars were dropped.
        assert_eq!(before_the_end, messages.len());
        let of = |label: &str| -> Vec<&serde_json::Value> {
            let own = |m: &&serde_json::Value| {
                m["data"]["text/plain"].as_str().unwrap().starts_with(label)
            };
            messages.iter().filter(own).collect()
        };
        for label in ["a", "b"] {
            let own = of(label);
            assert_eq!(own[0]["kind"], "display");
            assert!(
                own[1..]
                    .iter()
                    .all(|m| m["kind"] == "update" && m["id"] == own[0]["id"])
            );
            let last = own.last().unwrap()["data"]["text/plain"].as_str().unwrap();
            assert_eq!(
                without_time(last),
                format!("{label}: 100 %|██████████| 1000/1000")
            );
            // 2,000 changes of two bars are quicker than that many pauses.
            assert!((2..500).contains(&own.len()), "{}", own.len());
        }
        assert_ne!(of("a")[0]["id"], of("b")[0]["id"]);
    }

    #[test]
    fn threads_move_one_bar() {
        let (screen, out) = Screen::in_memory(false);
        let bar = Bar::on(Output::on(screen), "a");
        bar.begin(8, "steps");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut part = bar.part();
                    (1..=10).for_each(|tenth| part.set(f64::from(tenth) / 10.));
                });
            }
        });
        drop(bar);
        assert_eq!(
            without_time(out.text().trim_end()),
            "a: 100 %|██████████| 8/8"
        );
    }

    #[test]
    fn a_hidden_bar_and_a_pace() {
        let bar = Bar::hidden().of(2, "steps");
        bar.report(1., "half");
        bar.make_room();
        assert_eq!(
            without_time(&format!("{bar:?}")),
            "Bar(\" 50 %|█████     | 1/2 half\")"
        );
        let mut pace = Pace::new(Duration::from_secs(3_600));
        assert!(pace.is_due() && !pace.is_due());
    }
}
