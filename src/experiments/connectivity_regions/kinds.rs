//! Images of other kinds than the data set's.

use candle_core::{DType, Tensor};

use super::graphs::Vertices;
use super::settings::Settings;
use crate::attacks::{Attack as _, Goal, Pgd};
use crate::checks::positive;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;
use crate::rng::Rng;

/// Images that an attack makes the network take for another class, [`Settings::control_images`] of
/// those that it gets right; those that resist are left out.
///
/// Each pixel changes by at most [`Settings::eps`]; the class is the one half of the classes further
/// on, and the attack has 20 targeted steps of projected gradient descent, as in
/// [`attack_pairs`](crate::experiments::connectivity_cifar10::attack_pairs).
///
/// # Errors
/// No image, what the attack refuses, or no image that could be misled.
pub fn misled(
    network: &dyn Network,
    data: &Dataset,
    right: &Vertices,
    settings: &Settings,
) -> Result<Dataset> {
    let mut rows: Vec<usize> = right.values().flatten().copied().collect();
    rows.sort_unstable();
    rows.truncate(settings.control_images);
    let images = data.select(&rows)?;
    let classes = data.classes.len().max(1) as u32;
    let labels = images.labels.to_vec1::<u32>()?;
    let targets: Vec<u32> = labels
        .iter()
        .map(|label| (label + classes / 2) % classes)
        .collect();
    let attack = Pgd {
        goal: Goal::Targeted(Tensor::new(targets, images.inputs.device())?),
        alpha: settings.eps / 4.,
        steps: 20,
        progress: settings.progress.clone(),
        ..Pgd::default()
    };
    let attacked = attack.attack(network, &images, settings.eps)?;
    let reached = |at: &usize| attacked.success[*at];
    let rows: Vec<usize> = (0..images.len()).filter(reached).collect();
    if rows.is_empty() {
        let expected = "a larger one: no image could be misled within it";
        return Err(Error::argument("eps", expected, settings.eps));
    }
    attacked.data.select(&rows)
}

/// As many images of uniform noise in [0, 1] as [`Settings::control_images`], of the data's shape.
/// Their labels, which mean nothing, are those of the data's first images.
///
/// # Errors
/// No image, or fewer images in the data.
pub fn noise(data: &Dataset, settings: &Settings) -> Result<Dataset> {
    let first = data.range(0, settings.control_images)?;
    let mut rng = Rng::new(settings.seed).stream("noise images");
    let (shape, device) = (first.inputs.shape(), first.inputs.device());
    let inputs = rng.uniform(shape, 0., 1., DType::F32, device)?;
    Ok(first.part(inputs, first.labels.clone()))
}

/// The first [`Settings::control_images`] images, blurred by a Gaussian with a standard deviation of
/// [`Settings::blur`] pixels; pixels outside count as those of the edge.
///
/// # Errors
/// No image, fewer images in the data, or a standard deviation that is not positive.
pub fn blurred(data: &Dataset, settings: &Settings) -> Result<Dataset> {
    positive("blur", settings.blur)?;
    let first = data.range(0, settings.control_images)?;
    let reach = (3. * settings.blur).ceil() as usize;
    let weight = |at: usize| {
        let from_middle = at as f64 - reach as f64;
        (-0.5 * (from_middle / settings.blur).powi(2)).exp()
    };
    let weights: Vec<f64> = (0..=2 * reach).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    let mut images = first.inputs.clone();
    for dim in [2, 3] {
        let length = images.dim(dim)?;
        let wide = images.pad_with_same(dim, reach, reach)?;
        let mut blurred = images.zeros_like()?;
        for (at, weight) in weights.iter().enumerate() {
            blurred = (blurred + (wide.narrow(dim, at, length)? * (weight / sum))?)?;
        }
        images = blurred;
    }
    // Rounding may lead out of the range.
    Ok(first.part(images.clamp(0f32, 1f32)?, first.labels.clone()))
}
