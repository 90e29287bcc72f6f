//! The points of a graded cell.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::outcome::Outcome;
use crate::display::{self, Bundle, Show};
use crate::error::first_line;
use crate::figures::Table;

/// The points of a graded cell, test by test.
///
/// Shown as a table; its form `text/plain` is the number of points alone, which nbgrader reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    total: f64,
    tests: Vec<Test>,
}

/// What `todo!()` says, which stands where students are to write.
const TODO: &str = "not yet implemented";

/// A test that has run.
#[derive(Clone, Debug, PartialEq)]
struct Test {
    points: f64,
    what: String,
    /// Why it failed.
    failure: Option<String>,
}

impl Score {
    /// Makes the score of a cell that is worth `total` points, hidden tests included.
    pub fn new(total: f64) -> Self {
        Self {
            total,
            tests: vec![],
        }
    }

    /// Runs a test that is worth `points`; `what` says what it looks at. An error that it returns, or
    /// a panic, is its failure.
    pub fn test(&mut self, points: f64, what: impl Into<String>, test: impl FnOnce() -> Outcome) {
        let failure = match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ok(())) => None,
            Ok(Err(reason)) => Some(first_line(&reason)),
            Err(panic) => Some(match words(&*panic) {
                TODO => "not written yet: there is `todo!()` in the place of an answer".into(),
                words => format!("panicked: {words}"),
            }),
        };
        self.tests.push(Test {
            points,
            what: what.into(),
            failure,
        });
    }

    /// The points of the tests that passed, in [0, total].
    pub fn points(&self) -> f64 {
        let passed = self.tests.iter().filter(|test| test.failure.is_none());
        let points: f64 = passed.map(|test| test.points).sum();
        // Not `clamp`, which panics where the total is negative.
        points.min(self.total).max(0.)
    }

    /// The points of the cell.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The points of all tests that have run: less than [`Score::total`] where hidden tests are left
    /// out.
    pub fn tested(&self) -> f64 {
        self.tests.iter().map(|test| test.points).sum()
    }

    /// The tests as a table: what each looked at, its points, and why it failed.
    pub fn table(&self) -> Table {
        let mut table = Table::new(self.caption(), ["test", "points", "result"]);
        for test in &self.tests {
            let points = if test.failure.is_none() {
                test.points
            } else {
                0.
            };
            table.push([
                test.what.clone(),
                format!("{points} of {}", test.points),
                test.failure
                    .as_ref()
                    .map_or_else(|| "✓ passed".into(), |reason| format!("✗ {reason}")),
            ]);
        }
        table
    }

    fn caption(&self) -> String {
        let hidden = self.total - self.tested();
        let mut caption = format!("{} of {} points", self.points(), self.total);
        if hidden > 0. {
            caption.push_str(&format!(
                "; {hidden} more are given by tests that run when the notebook is graded"
            ));
        }
        caption
    }

    /// Shows the table as the value of a cell, and the points to nbgrader.
    pub fn evcxr_display(&self) {
        display::value(self);
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Shown as `text/html`; `text/plain` is the number of points.
impl Show for Score {
    fn bundle(&self) -> Bundle {
        // The class `table` is that of the pages on which nbgrader shows results.
        let html = self.table().html();
        let html = html.replacen("isopath-table", "isopath-table table table-condensed", 1);
        Bundle::new([
            ("text/html", html.as_str()),
            ("text/plain", &self.points().to_string()),
        ])
    }
}

/// Written as its table.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grading::{close, holds};

    #[test]
    fn each_test_costs_its_own_points() {
        let mut score = Score::new(5.);
        score.test(1., "right", || close(&1., &1., 0.));
        score.test(0.5, "wrong", || close(&1., &2., 0.));
        score.test(1., "an error", || {
            let error = candle_core::Error::Msg("shapes differ\nsecond line".into());
            Err(error.into())
        });
        score.test(0.5, "unfinished", || todo!());
        score.test(1., "a panic with words", || panic!("at {}", 3));
        assert_eq!(
            (score.points(), score.tested(), score.total()),
            (1., 4., 5.)
        );
        let text = score.to_string();
        for part in [
            "1 of 5 points; 1 more are given by tests that run when the notebook is graded",
            "expected 2, got 1",
            "shapes differ",
            "not written yet",
            "panicked: at 3",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("second line"));
        let bundle = score.bundle();
        assert_eq!(bundle.get("text/plain"), Some("1"));
        assert!(bundle.get("text/html").unwrap().contains("0 of 0.5"));
    }

    #[test]
    fn points_stay_between_nothing_and_the_total() {
        let mut score = Score::new(0.3);
        for _ in 0..3 {
            score.test(0.1, "a tenth", || holds(true, ""));
        }
        assert_eq!(score.points(), 0.3);
        assert_eq!(Score::new(-1.).points(), 0.);
    }
}
