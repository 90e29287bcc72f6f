//! Paths between points of a class that do not leave it: the straight line, and nudged elastic
//! bands.
//!
//! A band is a chain of pivots between two fixed points. Each pivot is pulled down the gradient of
//! an energy *across* the band, and by springs *along* it, until the band lies in a valley
//! ([`neb()`](neb()), [`auto_neb()`](auto_neb())). All that a band knows is an [`Energy`]: a
//! network's tail from a stage on with a target class ([`NetworkEnergy`], the *connectivity*
//! paper's), or a surface in the plane with known saddles ([`MullerBrown`], [`Leps`]).
//!
//! A path is never judged by its pivots alone: the dense check asks for every one of
//! `samples_per_segment` samples of each segment. A pair's [`Verdict`] is that of the
//! *connectivity* paper's table 1.
//!
//! The numbers do not depend on the number of threads. On a CPU set `CANDLE_NUM_THREADS=1` as for
//! [attacks](crate::attacks): batches of points already keep every core busy.

mod auto_neb;
pub mod band;
mod dense;
mod ends;
mod energy;
mod info;
mod neb;
mod network_energy;
mod optimizer;
mod params;
mod surfaces;

pub use auto_neb::{AutoNebParams, Cycle, auto_neb};
pub use dense::{Profile, linear};
pub use energy::{Energy, Values};
pub use info::{Evaluations, NebInfo, Outcome, Verdict};
pub use neb::{neb, relax};
pub use network_energy::NetworkEnergy;
pub use params::{NebParams, Optimizer, Spacing, Stop};
pub use surfaces::{Leps, MullerBrown};
