//! The settings of the experiment.

use std::fmt;

use candle_core::DType;

use crate::datasets::{Torus, TorusParams, torus};
use crate::device;
use crate::error::Result;
use crate::losses::IsometricLoss;
use crate::models::{Head, LocallyIsometric, LocallyIsometricParams, Model};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{AdamParams, StackParams};

/// The settings of the experiment: what the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The torus: 1,600 points, noise 0.001 (section 3.4), and the regions of each resolution. A
    /// run's own seed replaces its seed.
    pub torus: TorusParams,
    /// The sizes of each layer's hidden layers: four of 20 (section 2.2).
    pub hidden: Vec<usize>,
    /// How the layers read their classes: from a shared layer (section 3.4).
    pub head: Head,
    /// The weight of the isometric loss: 100 (section 3.4).
    pub beta: f64,
    /// The seeds, one torus and one stack with the gradient stopped for each; the paper shows one.
    pub seeds: Vec<u64>,
    /// The seeds that are also trained with the gradient let through.
    pub through_seeds: Vec<u64>,
    /// The number of epochs, each one step on all points: 10,000 (section 2.2).
    pub epochs: usize,
    /// The learning rate of Adam; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
    /// Whether a progress bar shows how far the sweep has come.
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick`: 384 points, one seed, 1,000 epochs at a learning rate of 3e-3. `default`: the
    /// paper's 1,600 points and 10,000 epochs, three seeds, one of them also with the gradient let
    /// through. `paper`: ten seeds, both ways.
    pub fn of(scale: Scale) -> Self {
        let (toroidal, poloidal) = scale.pick((24, 16), (40, 40), (40, 40));
        Self {
            torus: TorusParams {
                toroidal,
                poloidal,
                ..TorusParams::default()
            },
            hidden: vec![20; 4],
            head: Head::Shared,
            beta: 100.,
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            through_seeds: (0..scale.pick(1, 1, 10)).collect(),
            epochs: scale.pick(1_000, 10_000, 10_000),
            learning_rate: scale.pick(3e-3, 1e-3, 1e-3),
            progress: Progress::default(),
        }
    }

    /// Makes the torus of a seed, on the best device.
    ///
    /// # Errors
    /// As [`torus`].
    pub fn data(&self, seed: u64) -> Result<Torus> {
        let set = torus(&TorusParams {
            seed,
            ..self.torus.clone()
        })?;
        let device = device::best();
        let labels = set
            .labels
            .iter()
            .map(|labels| Ok(labels.to_device(&device)?))
            .collect::<Result<_>>()?;
        Ok(Torus {
            points: set.points.to_device(&device)?,
            labels,
            circles: set.circles.to_device(&device)?,
        })
    }

    /// The shape of a stack: a layer for each resolution.
    pub fn shape(&self, gradient: Gradient) -> LocallyIsometricParams {
        LocallyIsometricParams {
            inputs: 3,
            hidden: self.hidden.clone(),
            classes: self.torus.regions.clone(),
            head: self.head,
            stop_gradient: gradient == Gradient::Stopped,
        }
    }

    /// Builds the stack of a seed, before training.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn stack(&self, gradient: Gradient, seed: u64) -> Result<Model<LocallyIsometric>> {
        let params = self.shape(gradient);
        let build = move |vb| LocallyIsometric::new(&params, vb);
        Model::on(seed, DType::F32, &device::best(), build)
    }

    /// The training loss of every layer, L_CE + β·L_ISO with the partition by region.
    pub fn loss(&self) -> IsometricLoss {
        IsometricLoss::new(self.beta)
    }

    /// The parameters by which each stack is trained.
    pub fn training(&self) -> StackParams {
        let adam = AdamParams {
            learning_rate: self.learning_rate,
            ..AdamParams::default()
        };
        StackParams {
            epochs: self.epochs,
            adam,
            ..StackParams::default()
        }
    }
}

/// Whether the gradient of a layer's loss reaches the layers before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// The gradient stops between layers ([`LocallyIsometricParams::stop_gradient`]).
    Stopped,
    /// The gradient passes through all layers.
    Through,
}

/// Writes `stopped` or `through`.
impl fmt::Display for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Through => "through",
        })
    }
}
