//! The command line's verbs.

pub mod render;
