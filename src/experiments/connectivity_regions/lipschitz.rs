//! A network on MNIST whose layers never stretch.

use super::settings::IsometricSettings;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::CrossEntropy;
use crate::models::{Activation, LipschitzMlp, Model};
use crate::training::{History, TrainParams, train};

/// The network before its training, with the layers of the isometric ones.
pub(super) fn lipschitz(settings: &IsometricSettings) -> Result<Model<LipschitzMlp>> {
    let sizes = settings.training.sizes.clone();
    Model::new(0, move |vb| LipschitzMlp::new(&sizes, Activation::Tanh, vb))
}

/// Trains it on the first [`IsometricSettings::lipschitz_images`] images, with as many epochs as the
/// isometric networks have.
///
/// # Errors
/// Fewer images.
pub fn train_lipschitz(
    data: &Dataset,
    settings: &IsometricSettings,
) -> Result<(Model<LipschitzMlp>, History)> {
    let network = lipschitz(settings)?;
    let params = TrainParams {
        epochs: settings.training.epochs,
        progress: settings.training.progress.clone(),
        ..TrainParams::default()
    };
    let digits = data.first(settings.lipschitz_images)?;
    let history = train(&network, &digits, &CrossEntropy, &params)?;
    Ok((network, history))
}
