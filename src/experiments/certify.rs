//! Exact verdicts on the *connectivity* paper's paths: no samples, every point of each path
//! ([`paths::exact`](crate::paths::exact())).
//!
//! [`certify`] takes the path that the experiment accepts for each of its pairs, the line or the band,
//! or the edges of the spanning tree of a class ([`Paths`]). It keeps what it finds in a file for each
//! path, so that a search of hours can be interrupted. [`exact_records`] reads the files again, to show
//! them beside the verdicts of the samples.

mod figures;
mod jobs;
mod procedure;
mod record;
mod records;
mod settings;
mod tasks;

pub use procedure::certify;
pub use record::{Asked, ExactRecord, ExactVerdict, PathKind, Place, Sampled};
pub use records::{ExactRecords, exact_records};
pub use settings::{Paths, Settings};
pub use tasks::Certify;
