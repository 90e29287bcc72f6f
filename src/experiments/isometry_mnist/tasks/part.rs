//! The kinds of parts.

use serde::{Deserialize, Serialize};

use crate::experiments::isometry_mnist::settings::Settings;
use crate::io::exact::Exact;

/// A part of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub(super) enum IsometryPart {
    Train {
        beta: Exact,
        seed: u64,
    },
    TrainLogits {
        beta: Exact,
        seed: u64,
    },
    Fgsm {
        beta: Exact,
        seed: u64,
    },
    Pgd {
        beta: Exact,
        seed: u64,
    },
    Stretch {
        beta: Exact,
        seed: u64,
    },
    Angle {
        beta: Exact,
    },
    Strength {
        beta: Exact,
    },
    UnclippedFgsm {
        beta: Exact,
    },
    UnclippedPgd {
        beta: Exact,
    },
    LogitsFgsm {
        beta: Exact,
        seed: u64,
    },
    /// A network on the photographs of CIFAR-10.
    TrainElsewhere {
        beta: Exact,
        seed: u64,
    },
    FgsmElsewhere {
        beta: Exact,
        seed: u64,
    },
    PgdElsewhere {
        beta: Exact,
        seed: u64,
    },
    /// One of what the authors ran, with both its networks.
    Version {
        number: usize,
    },
}

/// The memory of a training's process in megabytes.
pub(super) const TRAIN_MB: u64 = 500;
/// The memory of a comparison in double precision.
pub(super) const VERSION_MB: u64 = 1_300;
/// The memory of any other process in megabytes.
pub(super) const ATTACK_MB: u64 = 300;

/// The memory of a process with photographs in megabytes.
pub(super) const PHOTOS_MB: u64 = 1_500;

/// Estimates of time on one core of 2.6 GHz with AVX-512, in seconds.
pub(super) struct Cost<'a>(pub &'a Settings);

impl<'a> Cost<'a> {
    /// Of a training: the isometric loss doubles it.
    pub fn train(&self, beta: f64) -> f64 {
        let epoch = if beta == 0. { 1. } else { 1.3 };
        1. + epoch * self.0.epochs as f64
    }

    /// Of two trainings and PGD with one step size, in double precision the longest.
    pub fn version(settings: &'a Settings) -> f64 {
        let steps = settings.steps * settings.pgd_images;
        2. * (Self(settings).train(0.) + Self(settings).train(1.)) + gradients(steps, 1.)
    }

    /// Of a training with convolutions.
    pub fn train_convolutions(&self) -> f64 {
        let images = self.0.epochs * self.0.train_images;
        5. + self.convolutions() * images as f64
    }

    /// Of an attack with convolutions on `images` images, `steps` steps along both losses.
    pub fn attack_convolutions(&self, images: usize, steps: usize, beta: f64) -> f64 {
        let losses = if beta == 0. { 1. } else { 2. };
        2. + losses * self.convolutions() * (images * steps) as f64
    }

    /// Of a gradient of one image: 10 ms through 128 and 256 channels.
    fn convolutions(&self) -> f64 {
        let width = self.0.channels.get(1).copied().unwrap_or(1) as f64 / 128.;
        0.01 * width * width
    }

    /// Of FGSM along both losses.
    pub fn fgsm(settings: &Settings, beta: f64) -> f64 {
        gradients(settings.test_images * settings.step_sizes.len(), beta)
    }

    /// Of PGD along both losses.
    pub fn pgd(settings: &Settings, beta: f64) -> f64 {
        let steps = settings.steps * settings.step_sizes.len();
        gradients(settings.pgd_images * steps, beta)
    }

    /// Of attacks of growing strength: 2 · (10 + 40 + 5 · 40) steps.
    pub fn strength(images: usize, beta: f64) -> f64 {
        gradients(images * 500, beta)
    }
}

/// Of that many gradients of one image along both losses, which are one at β = 0.
fn gradients(count: usize, beta: f64) -> f64 {
    let each = if beta == 0. { 1e-5 } else { 2e-5 };
    0.5 + each * count as f64
}
