//! Tests that give points: what the graded cells of the course's notebooks are made of.
//!
//! A graded cell makes a [`Score`], lets it run tests, and ends with it. The tests are independent:
//! one that fails, returns an error or panics costs its own points. A failed test says what was
//! expected and what came.
//!
//! ```
//! use isopath::grading::{Score, close, holds};
//!
//! /// What a student has written.
//! fn mean(values: &[f64]) -> f64 {
//!     values.iter().sum::<f64>() / 2.
//! }
//!
//! let mut score = Score::new(3.);
//! score.test(1., "two values", || close(&mean(&[1., 3.]), &2., 1e-12));
//! score.test(1., "three values", || close(&mean(&[1., 2., 6.]), &3., 1e-12));
//! score.test(1., "it is not negative", || holds(mean(&[1.]) >= 0., "the mean of [1] is negative"));
//! assert_eq!(score.points(), 2.);
//! assert!(score.to_string().contains("expected 3, got 4.5"));
//! score // as the last line of a cell: a table
//! # ;
//! ```
//!
//! # For nbgrader
//!
//! nbgrader reads the first result of a graded cell: a number is the cell's points. So the form
//! `text/plain` of a score is its points and nothing else, and readers see the form `text/html`, a
//! table. A test between `// BEGIN HIDDEN TESTS` and `// END HIDDEN TESTS` is left out of what students
//! are given; [`Score::new`] counts its points all the same.

mod outcome;
mod score;
mod values;

pub use outcome::{Outcome, close, equal, holds};
pub use score::Score;
pub use values::Values;
