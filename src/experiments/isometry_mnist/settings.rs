//! The settings of the experiment.

use candle_core::DType;

use crate::checks::Bounds;
use crate::datasets::{Dataset, Split};
use crate::error::Result;
use crate::losses::{IsometricLoss, Partition};
use crate::models::{Initialisation, Representation};
use crate::progress::Progress;
use crate::scale::Scale;

/// The settings of the experiment: what the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The channels of convolutions before the layers, those of the images first, as [`ConvMlp`](crate::models::ConvMlp)
    /// has them: none in the paper.
    pub channels: Vec<usize>,
    /// The sizes of the layers, the input's first: 784, four hidden layers of 100, 10 (section
    /// 2.2).
    pub sizes: Vec<usize>,
    /// The weights β ≥ 0 of the isometric loss: 0, 0.001, 0.01, 0.1, 1, 10 (section 2.2).
    pub betas: Vec<f64>,
    /// The seeds, one network for each; the paper trains one.
    pub seeds: Vec<u64>,
    /// The number of training images, from the first on: all 60,000.
    pub train_images: usize,
    /// The number of epochs: 5 (section 2.2).
    pub epochs: usize,
    /// The batch size: 100 (section 2.2), in training and under attack, since the isometric loss
    /// couples the samples of a batch.
    pub batch_size: usize,
    /// The learning rate of Adam; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
    /// The pairs whose distances are kept: those within a class.
    pub partition: Partition,
    /// The representation that is kept isometric: the last hidden layer.
    pub representation: Representation,
    /// K, [`IsometricLoss::scale`]: 1, as the paper's formula has it. The authors' code took 1 and
    /// 10, which the fields below complete.
    pub scale: f64,
    /// [`IsometricLoss::normalised`]: no; so in one version of the authors' code.
    pub normalised: bool,
    /// [`IsometricLoss::squared`]: no; so in the same version.
    pub squared: bool,
    /// The initial weights: PyTorch's; the authors' code has orthogonal ones since 2023.
    pub initialisation: Initialisation,
    /// The type of the numbers of networks and images: f32; the authors' code has f64.
    pub dtype: DType,
    /// The number of test images for accuracies and FGSM, from the first on.
    pub test_images: usize,
    /// The number of test images for PGD, from the first on.
    pub pgd_images: usize,
    /// The step sizes α > 0: 20 from 0.01 to 1, equal factors apart (section 2.2 gives the range),
    /// pixel units.
    pub step_sizes: Vec<f64>,
    /// The radius ε of PGD's L∞ ball: 0.5 (section 2.2), pixel units.
    pub eps: f64,
    /// The number of steps of PGD: 10 (section 2.2).
    pub steps: usize,
    /// The range that attacked pixels stay in; `None` leaves them unclipped.
    pub bounds: Option<Bounds>,
    /// Whether progress bars show how far the sweeps have come.
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick`: β = 0 and 1, one seed, one epoch, 1,000 test images. `default`: all of the paper,
    /// three seeds, PGD on 2,000 test images. `paper`: ten seeds, all test images.
    pub fn of(scale: Scale) -> Self {
        let betas: &[f64] = scale.pick(&[0., 1.], &BETAS, &BETAS);
        Self {
            channels: Vec::new(),
            sizes: vec![784, 100, 100, 100, 100, 10],
            betas: betas.to_vec(),
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            train_images: 60_000,
            epochs: scale.pick(1, 5, 5),
            batch_size: 100,
            learning_rate: 1e-3,
            partition: Partition::Local,
            representation: Representation::LastHidden,
            scale: 1.,
            normalised: false,
            squared: false,
            initialisation: Initialisation::Uniform,
            dtype: DType::F32,
            test_images: scale.pick(1_000, 10_000, 10_000),
            pgd_images: scale.pick(1_000, 2_000, 10_000),
            step_sizes: step_sizes(20),
            eps: 0.5,
            steps: 10,
            bounds: Some(Bounds::default()),
            progress: Progress::default(),
        }
    }

    /// The settings for Fashion-MNIST, as the public code of the paper's authors has them
    /// (KBeshkov/HIsometricNets, 2024-01-18), but in f32: five hidden layers, orthogonal weights
    /// between them, ten epochs, ten step sizes.
    ///
    /// `quick`: one epoch. `default`: one seed, β = 0 and the code's 10. `paper`: every β, ten
    /// seeds, all test images.
    pub fn fashion_mnist(scale: Scale) -> Self {
        Self {
            betas: scale.pick(vec![0., 10.], vec![0., 10.], BETAS.to_vec()),
            seeds: (0..scale.pick(1, 1, 10)).collect(),
            epochs: scale.pick(1, 10, 10),
            initialisation: Initialisation::Orthogonal,
            step_sizes: step_sizes(10),
            ..Self::of(scale).with_hidden_layers(5)
        }
    }

    /// The settings for CIFAR-10, as the public code of the paper's authors has them
    /// (KBeshkov/HIsometricNets, 2024-02-15), but in f32: two convolutions of 128 and 256 channels,
    /// four layers of 1,000, orthogonal weights between them, ten epochs, ten step sizes. The code
    /// attacks by FGSM alone; the radius of PGD's ball is the usual 8/255.
    ///
    /// `quick`: a small network, 500 images, one epoch. `default`: a quarter of the channels and of
    /// the units, 6,000 images, four epochs, one seed, β = 0, 0.1 and 1 (the code has 0.1).
    /// `paper`: all of it, with every β and ten seeds.
    pub fn cifar10(scale: Scale) -> Self {
        let (width, hidden) = scale.pick((8, 50), (32, 250), (128, 1_000));
        let channels = vec![3, width, 2 * width];
        // Each convolution halves height and width.
        let flat = 2 * width * (32 / 4) * (32 / 4);
        Self {
            channels,
            sizes: vec![flat, hidden, hidden, hidden, hidden, 10],
            betas: scale.pick(vec![0., 0.1], vec![0., 0.1, 1.], BETAS.to_vec()),
            seeds: (0..scale.pick(1, 1, 10)).collect(),
            train_images: scale.pick(500, 6_000, 50_000),
            epochs: scale.pick(1, 4, 10),
            initialisation: Initialisation::Orthogonal,
            test_images: scale.pick(200, 500, 10_000),
            pgd_images: scale.pick(100, 300, 10_000),
            step_sizes: step_sizes(10),
            eps: 8. / 255.,
            ..Self::of(scale)
        }
    }

    /// The training loss L = L_CE + β·L_ISO.
    pub fn loss(&self, beta: f64) -> IsometricLoss {
        IsometricLoss {
            partition: self.partition,
            representation: self.representation,
            scale: self.scale,
            normalised: self.normalised,
            squared: self.squared,
            ..IsometricLoss::new(beta)
        }
    }

    /// The same with so many hidden layers, each of the size of the first: the paper names four, its
    /// authors' code has five, an input layer and four.
    pub fn with_hidden_layers(self, count: usize) -> Self {
        let size = |place: Option<&usize>| place.copied().unwrap_or(0);
        let hidden = vec![size(self.sizes.get(1)); count];
        let (first, last) = (size(self.sizes.first()), size(self.sizes.last()));
        Self {
            sizes: [vec![first], hidden, vec![last]].concat(),
            ..self
        }
    }

    /// The first [`Settings::train_images`] and all test images in the numbers of
    /// [`Settings::dtype`], in which its networks are trained and attacked.
    ///
    /// # Errors
    /// No image, or the device is out of memory.
    pub fn converted(&self, data: &Split) -> Result<Split> {
        let part = |part: &Dataset| -> Result<Dataset> {
            Ok(part.part(part.inputs.to_dtype(self.dtype)?, part.labels.clone()))
        };
        Ok(Split {
            train: part(&data.train.first(self.train_images)?)?,
            test: part(&data.test)?,
        })
    }
}

/// The weights of section 2.2.
const BETAS: [f64; 6] = [0., 0.001, 0.01, 0.1, 1., 10.];

/// So many step sizes from 0.01 to 1, equal factors apart.
fn step_sizes(count: u32) -> Vec<f64> {
    let last = f64::from(count.saturating_sub(1).max(1));
    (0..count)
        .map(|i| 10f64.powf(-2. + 2. * f64::from(i) / last))
        .collect()
}
