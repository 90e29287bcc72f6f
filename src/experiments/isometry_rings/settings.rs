//! The settings of the experiment.

use crate::datasets::{Dataset, RingsParams, entangled_rings};
use crate::error::Result;
use crate::losses::{IsometricLoss, Partition};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{Optimizer, TrainParams};

/// The settings of the experiment: what the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The rings, of which the paper gives no number; a run's own seed replaces theirs.
    pub rings: RingsParams,
    /// The sizes of the layers, the input's first: 3, four hidden layers of 20, 2 (section 2.2).
    pub sizes: Vec<usize>,
    /// The kinds of mapping: none, local and global isometry (section 2.1, figure 1A).
    pub mappings: Vec<Partition>,
    /// The weight β > 0 of local and global isometry; the paper gives none, 1 here.
    pub beta: f64,
    /// The seeds, one set of rings and one network for each; the paper shows one.
    pub seeds: Vec<u64>,
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
    /// `quick`: 300 points, one seed, 1,000 epochs. `default`: 1,000 points, three seeds, the
    /// paper's 10,000 epochs. `paper`: ten seeds.
    pub fn of(scale: Scale) -> Self {
        Self {
            rings: RingsParams {
                points: scale.pick(300, 1_000, 1_000),
                ..RingsParams::default()
            },
            sizes: vec![3, 20, 20, 20, 20, 2],
            mappings: vec![Partition::None, Partition::Local, Partition::Global],
            beta: 1.,
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            epochs: scale.pick(1_000, 10_000, 10_000),
            learning_rate: 1e-3,
            progress: Progress::default(),
        }
    }

    /// Makes the rings of a seed, a class each, on the best device.
    ///
    /// # Errors
    /// As [`entangled_rings`].
    pub fn data(&self, seed: u64) -> Result<Dataset> {
        let rings = entangled_rings(&RingsParams { seed, ..self.rings })?;
        rings.dataset()
    }

    /// The training loss of a kind of mapping. None is β = 0, as section 2.1 has it: the isometric
    /// term inside the rings is then reported, but not minimised.
    pub fn loss(&self, mapping: Partition) -> IsometricLoss {
        match mapping {
            Partition::None => IsometricLoss::new(0.),
            partition => IsometricLoss {
                partition,
                ..IsometricLoss::new(self.beta)
            },
        }
    }

    /// The parameters by which each network is trained.
    pub fn training(&self) -> TrainParams {
        TrainParams {
            epochs: self.epochs,
            batch_size: self.rings.points,
            optimizer: Optimizer::adam(self.learning_rate),
            ..TrainParams::default()
        }
    }
}
