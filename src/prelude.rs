//! What a notebook needs: `use isopath::prelude::*;`.
//!
//! ```
//! use isopath::prelude::*;
//!
//! let rings = datasets::entangled_rings(&RingsParams { points: 40, ..RingsParams::default() })?.dataset()?;
//! let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb))?;
//! train(&network, &rings, &IsometricLoss::new(1.), &TrainParams::default())?;
//! println!("accuracy {:.2}", accuracy(&network, &rings)?);
//! # Ok::<(), isopath::Error>(())
//! ```

pub use std::sync::Arc;

pub use candle_core::{self as candle, DType, Device, Module, ModuleT, Tensor};
pub use candle_nn::{self as nn, VarBuilder};

pub use crate::attacks::{
    self, AdversarialLoss, Apgd, Attack, AutoAttack, Fab, Fgsm, Fmn, Goal, MinimalAttack, Norm,
    Pgd, Square, Trades, autoattack,
};
pub use crate::checks::Bounds;
pub use crate::datasets::{self, Dataset, RingsParams, Split, TorusParams};
pub use crate::device;
pub use crate::display::display;
pub use crate::experiments::Sweep;
pub use crate::experiments::connectivity::{ConnectParams, choose_pairs, connect, connectivity};
pub use crate::figures;
pub use crate::io::results;
pub use crate::lipschitz;
pub use crate::losses::{
    CrossEntropy, IsometricLoss, JacobianPenalty, LabelSmoothing, LogitDifference, Loss, Partition,
    RescaledLogitDifference,
};
pub use crate::metrics::{accuracy, correctly_classified, predictions, probabilities};
pub use crate::models::{
    Activation, ConvMlp, Enlarged, LipschitzMlp, Mlp, Model, Network, Normalised, Representation,
    ResNet, ResNetParams, SpectralMlp, Weights, pretrained,
};
pub use crate::paths::{self, NebParams};
pub use crate::progress::Progress;
pub use crate::rng::Rng;
pub use crate::scale::Scale;
pub use crate::training::{
    self, AdamParams, LastBatch, Optimizer, Schedule, SgdParams, TrainParams, train,
};
