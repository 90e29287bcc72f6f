//! Paths between points of a class that do not leave it: the straight line, and nudged elastic
//! bands.
//!
//! # The problem
//!
//! Given two points z₁ and z₂ of a space and an energy L, the path of lowest highest energy,
//!
//! ```text
//! p* = argmin   max  L(p(t)),      p(0) = z₁,  p(1) = z₂
//!      p ∈ 𝒫   t ∈ [0, 1]
//! ```
//!
//! with 𝒫 all continuous paths from z₁ to z₂ (*connectivity* paper, section 3, its displayed formula).
//! For a network L(z) = −log softmax(f_{l:L}(z))_y: the cross-entropy of the target class y at a point
//! z of representation l, which the stages after l take to the logits. The highest point of p* is a
//! saddle of L, unless it is an end.
//!
//! | in the formula | here |
//! |---|---|
//! | z₁, z₂ | `starts` and `ends`, a row a pair |
//! | L, its gradient | an [`Energy`]: [`NetworkEnergy`], or a surface with known saddles ([`MullerBrown`], [`Leps`]) |
//! | p | [`NebInfo::path`]: straight segments between the pivots of a band |
//! | max L(p(t)) − max(L(z₁), L(z₂)) | [`Profile::barrier`] of [`NebInfo::after`] |
//! | argmin over 𝒫 | [`neb()`], [`auto_neb()`]: a descent from the straight line. It finds one path that no small change improves, which need not be the best of all |
//!
//! # The verdicts
//!
//! A pair of points that the network gives the class y is
//! - **linearly connectable** if the network gives y to every point of the straight segment
//!   between them ([`linear()`]; [`Verdict::Linear`]);
//! - **connected** by a path if the network gives y to every point of it: nonlinearly, where the
//!   segment does not do ([`Verdict::Nonlinear`]);
//! - without a path found otherwise ([`Verdict::NoneFound`]), which does not prove that there is
//!   none.
//!
//! "Every point" is judged at samples: `samples_per_segment` on each segment, never the pivots alone
//! ([`Profile::is_connected`]). A sample is inside where its *margin* is positive: the target's logit
//! minus the largest other one; for a surface, a level minus the energy. The verdicts are the rows of
//! the *connectivity* paper's table 1.
//!
//! What lies between two samples stays unseen. For a network with ReLU [`exact()`] looks at every
//! point of a segment, up to floating point: it finds the linear pieces of the network along it, and
//! the smallest margin of all lies at an end of one of them. For a fully connected network with tanh or
//! ReLU [`certify`](certify()) proves the verdict, rounding included.
//!
//! # The method
//!
//! A band is a chain of P pivots between two fixed ends. Each pivot is pulled down the gradient of
//! the energy *across* the band, and by springs *along* it, until the band lies in a valley; with a
//! *climbing image* the highest pivot goes up along the band, to the saddle. [`band`] has the formulas
//! of tangent and forces; an [`Optimizer`] follows the forces.
//!
//! ```
//! use isopath::candle::{Device, Tensor};
//! use isopath::paths::{FireParams, MullerBrown, NebParams, Spacing, Stop, neb};
//!
//! // From one minimum of the Müller–Brown surface to another.
//! let start = Tensor::new(&[[-0.558, 1.442]], &Device::Cpu)?;
//! let end = Tensor::new(&[[-0.050, 0.467]], &Device::Cpu)?;
//! let params = NebParams {
//!     spacing: Spacing::Springs { constant: 100. },
//!     climbing: true,
//!     optimizer: FireParams { time_step: 0.002, max_step: 0.2 }.into(),
//!     stop: Stop::Force(0.01),
//!     max_iterations: 1_000,
//!     ..NebParams::default()
//! };
//! let band = &neb(&MullerBrown::default(), &start, &end, &params)?[0];
//! // The saddle of Müller & Brown's table.
//! assert!((band.energies[band.highest()] + 40.665).abs() < 0.001, "{}", band.outcome);
//! # Ok::<(), isopath::Error>(())
//! ```
//!
//! # Many points
//!
//! Pairs say little about the shape of a class: [`regions`](regions()) asks whether many points of it
//! lie in one piece, joined by segments that need not run between any two of them.
//!
//! The numbers do not depend on the number of threads. On a CPU set `CANDLE_NUM_THREADS=1` as for
//! [attacks](crate::attacks): batches of points already keep every core busy.

mod auto_neb;
pub mod band;
pub mod certify;
mod dense;
mod ends;
mod energy;
mod exact;
mod follow;
mod info;
mod neb;
mod network_energy;
mod params;
pub mod regions;
mod surfaces;

pub use crate::optimizers::{AdamParams, FireParams, Optimizer, SgdParams};
pub use auto_neb::{AutoNebParams, Cycle, auto_neb};
pub use certify::{
    Certificate, CertifyParams, LipschitzCertifyParams, certify, certify_segments,
    lipschitz_certify,
};
pub use dense::{Profile, linear};
pub use energy::{Energy, EnergyValues};
pub(crate) use exact::exact_path_told;
pub use exact::{ExactInfo, ExactParams, Pieces, PiecewiseLinear, exact, exact_path, exact_pieces};
pub use info::{Evaluations, NebInfo, Outcome, Verdict};
pub(crate) use neb::neb_shown;
pub use neb::{neb, relax};
pub use network_energy::NetworkEnergy;
pub use params::{NebParams, Spacing, Stop};
pub use regions::{Regions, RegionsParams, regions};
pub use surfaces::{Leps, MullerBrown};
