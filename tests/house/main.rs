//! The order of the house, and whether every formula can be found.
//!
//! `cargo test --test house -- --nocapture` also prints the largest files and how much of the
//! mathematics is documented.

mod formulas;
mod order;
mod signatures;

mod source;
mod vectors;
