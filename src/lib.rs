//! See how a neural classifier carves up its input space.
//!
//! Two halves that meet: **paths** (are two inputs of a class joined by a path that the network
//! keeps in that class?) and **isometry** (networks trained to keep within-class distances, and
//! what that does to their robustness). The notebooks in `notebooks/` tell the story; this crate
//! holds everything they call.
//!
//! The modules form floors, and each floor imports only lower ones:
//!
//! | floor | modules | what they know |
//! |---|---|---|
//! | 4 | [`experiments`], [`figures`] | the papers' experiments as one call; figures and tables of results, which run no model |
//! | 3 | [`training`], [`attacks`], [`paths`], [`lipschitz`] | procedures that drive models |
//! | 2 | [`models`]; on them [`losses`], [`metrics`] | networks, what they are trained on, and scores of their answers |
//! | 1 | [`ops`], [`datasets`], [`distances`]; on them [`optimizers`], [`embedding`] | differentiable kernels, data, distances; steps along gradients, points in the plane |
//! | 0 | [`error`], [`io`], [`rng`], [`device`], [`scale`], [`checks`], [`statistics`], [`interrupt`], [`mod@display`], [`progress`] | errors, whole files, the one seeded generator, the device, the size of a run, the range of a pixel; the wish to stop, and what is shown while a cell runs |

pub mod checks;
pub mod device;
pub mod display;
pub mod error;
pub mod interrupt;
pub mod io;
pub mod progress;
pub mod rng;
pub mod scale;
pub mod statistics;

pub mod datasets;
pub mod distances;
pub mod embedding;
pub mod ops;
pub mod optimizers;

pub mod losses;
pub mod metrics;
pub mod models;

pub mod attacks;
pub mod lipschitz;
pub mod paths;
pub mod training;

pub mod experiments;
pub mod figures;

pub mod prelude;

/// The tensor library, for notebooks that need a tensor of their own.
pub use candle_core as candle;
pub use display::display;
pub use error::{Error, Result};
/// The arrays that results come in.
pub use ndarray;
