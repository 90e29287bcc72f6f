//! The numbers of the experiment on another data set: does figure 3 depend on the images?

use serde::Serialize;

use super::networks::Networks;
use super::robustness::{Curves, Robustness};
use super::settings::Settings;

/// The numbers of the experiment on one data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Elsewhere {
    /// The name of the data set.
    pub set: String,
    /// The number of training images.
    pub train_images: usize,
    /// The number of epochs.
    pub epochs: usize,
    /// The seeds of the networks.
    pub seeds: Vec<u64>,
    /// The weights β of the isometric loss.
    pub beta: Vec<f64>,
    /// The test accuracy without an attack, `[beta][seed]`.
    pub test_accuracy: Vec<Vec<f64>>,
    /// The isometric loss L_ISO on the same images, `[beta][seed]`.
    pub isometric_loss: Vec<Vec<f64>>,
    /// The radius ε of PGD's L∞ ball in pixel units.
    pub eps: f64,
    /// The accuracies under FGSM.
    pub fgsm: Curves,
    /// The accuracies under PGD.
    pub pgd: Curves,
}

impl Elsewhere {
    /// Collects what [`train_networks`](super::train_networks), [`fgsm_curves`](super::fgsm_curves)
    /// and [`pgd_curves`](super::pgd_curves) found on a data set.
    pub fn new(
        set: impl Into<String>,
        settings: &Settings,
        networks: &Networks,
        robustness: Robustness,
    ) -> Self {
        Self {
            set: set.into(),
            train_images: settings.train_images,
            epochs: settings.epochs,
            seeds: networks.seeds(),
            beta: networks.parameters(),
            test_accuracy: networks.values(|trained| trained.test_accuracy),
            isometric_loss: networks.values(|trained| trained.isometric_loss),
            eps: settings.eps,
            fgsm: robustness.fgsm,
            pgd: robustness.pgd,
        }
    }
}
