//! The *connectivity* paper's experiment on CIFAR-10: section 4, table 1.
//!
//! Pairs of test images of one class that the network gives that class
//! ([`choose_pairs`](super::connectivity::choose_pairs)); a verdict on every pair in each space
//! ([`connect_in_spaces`]); the numbers ([`Results`], [`Evidence`]). Each space is one call of
//! [`connect_pairs`](super::connectivity::connect_pairs).

mod attacked;
mod figures;
mod results;
mod settings;
mod space;
mod tasks;
mod verdicts;

pub use attacked::{AttackedPairs, attack_pairs};
pub use results::{Evidence, Normalisation, PairResult, Results, Summaries};
pub use settings::Settings;
pub use space::Space;
pub use tasks::{ConnectivityCifar10, Found, collected};
pub use verdicts::{Agreements, Verdicts, connect_in_spaces};
