//! See how a neural classifier carves up its input space.
//!
//! Train a network on two linked rings, keep the distances inside each ring, and attack it:
//!
//! ```
//! use isopath::prelude::*;
//!
//! let points = RingsParams { points: 100, ..RingsParams::default() };
//! let rings = datasets::entangled_rings(&points)?.dataset()?;
//! let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 20, 20, 2], Activation::Tanh, vb))?;
//! let params = TrainParams { epochs: 200, batch_size: 100, ..TrainParams::default() };
//! train(&network, &rings, &IsometricLoss::new(1.), &params)?;
//! println!("accuracy {:.3}", accuracy(&network, &rings)?);
//! let attack = Fgsm { bounds: None, ..Fgsm::default() };
//! attack.curve(&network, &rings, &[0.01, 0.03, 0.1])? // a cell's last line draws itself
//! # ; Ok::<(), isopath::Error>(())
//! ```
//!
//! Two halves meet here. **Isometry**: networks trained to keep within-class distances, and what that
//! does to their robustness. **Paths**: are two inputs of a class joined by a path that the network
//! keeps in that class? The notebooks in `notebooks/` tell the story; this crate holds everything they
//! call. [`formulas`] says where each formula of the two papers is.
//!
//! | to do this | begin here |
//! |---|---|
//! | get data, or bring your own | [`datasets`] |
//! | build a network, load weights | [`Model`](models::Model), [`models`] |
//! | train | [`train`](training::train()), [`losses`] |
//! | attack | [`Fgsm`](attacks::Fgsm), [`Pgd`](attacks::Pgd) |
//! | ask whether a network is robust | [`autoattack`](attacks::autoattack()), [`Fmn`](attacks::Fmn) |
//! | connect two inputs | [`connect`](experiments::connectivity::connect()), [`neb`](paths::neb()) |
//! | ask whether a class is one piece | [`regions`](paths::regions()) |
//! | look at every point of a line, not at samples | [`exact`](paths::exact()) |
//! | measure | [`metrics`], [`lipschitz`] |
//! | draw | [`figures`] |
//! | find a formula | [`formulas`] |
//!
//! The modules form floors, and each floor imports only lower ones:
//!
//! | floor | modules | what they know |
//! |---|---|---|
//! | 4 | [`experiments`], [`figures`]; on them [`grading`] | the papers' experiments as one call; figures and tables of results, which run no model; the course's tests and their points |
//! | 3 | [`training`], [`attacks`], [`paths`], [`lipschitz`] | procedures that drive models |
//! | 2 | [`models`]; on them [`losses`], [`metrics`] | networks, what they are trained on, and scores of their answers |
//! | 1 | [`ops`], [`datasets`], [`distances`]; on them [`optimizers`], [`embedding`] | differentiable kernels, data, distances; steps along gradients, points in the plane |
//! | 0 | [`error`], [`io`], [`rng`], [`device`], [`scale`], [`checks`], [`statistics`], [`interrupt`], [`mod@display`], [`progress`] | errors, whole files, the one seeded generator, the device, the size of a run, the range of a pixel; the wish to stop, and what is shown while a cell runs |

#![warn(missing_debug_implementations)]

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
pub mod grading;

pub mod prelude;

#[doc = include_str!("formulas.md")]
pub mod formulas {}

/// The tensor library, for notebooks that need a tensor of their own.
pub use candle_core as candle;
pub use display::display;
pub use error::{Error, Result};
/// The arrays that results come in.
pub use ndarray;
