//! Exact verdicts on the *connectivity* paper's paths: no samples, every point of each path
//! ([`paths::exact`](crate::paths::exact())).
//!
//! [`certify`] takes the path that the experiment accepts for each pair, the line or the band, and
//! keeps what it finds as a file for each path, so that a search of hours can be interrupted. The
//! network's 25 pairs, or the edges of a class's spanning tree ([`Paths`]). [`exact_records`] reads the
//! files again, to show them beside the verdicts of the samples.

mod figures;
mod jobs;
mod procedure;
mod record;
mod records;
mod settings;

pub use procedure::certify;
pub use record::{Asked, ExactRecord, ExactVerdict, PathKind, Place, Sampled};
pub use records::{ExactRecords, exact_records};
pub use settings::{Paths, Settings};
