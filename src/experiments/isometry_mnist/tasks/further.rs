//! The settings of what the notebook shows beyond table 1 and figure 3.

use crate::experiments::isometry_mnist::settings::Settings;
use crate::models::Representation;
use crate::scale::Scale;

/// The settings of what the notebook shows beyond table 1 and figure 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Further {
    /// The number of test images for angles and ratios, from the first on.
    pub images: usize,
    /// The number of test images for attacks of growing strength.
    pub strength_images: usize,
    /// The radius of those attacks, pixel units.
    pub strength_eps: f64,
    /// The number of test images at which derivatives are taken.
    pub jacobians: usize,
    /// The settings of the attacks without clipping.
    pub unclipped: Settings,
    /// The settings of the networks whose logits are kept isometric.
    pub logits: Settings,
    /// The settings of the networks on CIFAR-10.
    pub elsewhere: Settings,
    /// The step size of PGD on them, pixel units.
    pub elsewhere_alpha: f64,
    /// The settings whose [versions](crate::experiments::isometry_mnist::authors_versions) are
    /// compared.
    pub versions: Settings,
    /// The smallest step of PGD on them, pixel units.
    pub versions_alpha: f64,
}

impl Further {
    /// The settings of PGD on CIFAR-10.
    pub fn elsewhere_pgd(&self) -> Settings {
        Settings {
            step_sizes: vec![self.elsewhere_alpha],
            ..self.elsewhere.clone()
        }
    }

    /// The settings at a scale.
    pub fn of(scale: Scale, settings: &Settings) -> Self {
        let mut logits = Settings {
            representation: Representation::Logits,
            seeds: vec![0],
            test_images: 1_000,
            ..settings.clone()
        };
        logits.betas.retain(|beta| *beta != 0.001);
        Self {
            images: 1_000,
            strength_images: scale.pick(200, 500, 2_000),
            strength_eps: 0.1,
            jacobians: scale.pick(50, 200, 1_000),
            unclipped: Settings {
                bounds: None,
                test_images: 1_000,
                pgd_images: scale.pick(200, 500, 2_000),
                ..settings.clone()
            },
            logits,
            elsewhere: Settings {
                progress: settings.progress.clone(),
                ..Settings::cifar10(scale)
            },
            elsewhere_alpha: 0.01,
            versions: Settings {
                pgd_images: 1_000,
                ..settings.clone()
            },
            versions_alpha: 0.02,
        }
    }
}
