//! Scores of answers.
