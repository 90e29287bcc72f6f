//! The angle between the gradients of both losses: does one mislead the attacker?

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::networks::{Networks, Trained};
use super::settings::Settings;
use crate::attacks::{gradient, gradient_cosine};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::CrossEntropy;
use crate::statistics::median;

/// A comparison of the gradients of both losses for one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Angle {
    /// The weight β of the isometric loss.
    pub beta: f64,
    /// The mean over images of cos ∠(∇ₓ L_CE, ∇ₓ L), in [−1, 1].
    pub cosine: f64,
    /// The median over images of ‖∇ₓ L_CE‖₂, per pixel unit; L_CE is the mean over a batch.
    pub cross_entropy: f64,
    /// The median over images of ‖β ∇ₓ L_ISO‖₂, per pixel unit; L_ISO is that of a batch.
    pub isometric: f64,
}

/// A comparison of the gradients of both losses, β by β.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Angles {
    /// The comparisons, one for the first network of each β.
    pub angles: Vec<Angle>,
}

/// Compares ∇ₓ L_CE with the two parts of ∇ₓ L (*isometry*, section 3.2) for the first network of
/// each β, in batches of [`Settings::batch_size`].
///
/// # Errors
/// As [`gradient`].
pub fn gradient_angles(networks: &Networks, data: &Dataset, settings: &Settings) -> Result<Angles> {
    let first = networks.first_seed();
    let angles = first.runs.iter();
    let angles = angles.map(|run| angle(&run.result, data, settings));
    Ok(Angles {
        angles: angles.collect::<Result<_>>()?,
    })
}

pub(super) fn angle(trained: &Trained, data: &Dataset, settings: &Settings) -> Result<Angle> {
    let loss = settings.loss(trained.beta);
    let network = trained.network.freeze()?;
    let (mut cosines, mut cross_entropy, mut isometric) = (Vec::new(), Vec::new(), Vec::new());
    for batch in data.batches(settings.batch_size)? {
        interrupt::check()?;
        let cosine = gradient_cosine(&network, &CrossEntropy, &loss, &batch)?;
        cosines.extend(cosine.per_sample.into_iter().flatten());
        let part = gradient(&network, &CrossEntropy, &batch)?;
        let whole = gradient(&network, &loss, &batch)?;
        isometric.extend(norms(&(whole - &part)?)?);
        cross_entropy.extend(norms(&part)?);
    }
    if cosines.is_empty() {
        return Err(Error::argument(
            "images",
            "at least one with a gradient",
            data.len(),
        ));
    }
    let median = |values: Vec<f64>| median(&values).unwrap_or(f64::NAN);
    Ok(Angle {
        beta: trained.beta,
        cosine: cosines.iter().sum::<f64>() / cosines.len() as f64,
        cross_entropy: median(cross_entropy),
        isometric: median(isometric),
    })
}

/// ‖row‖₂ of every row.
fn norms(gradient: &Tensor) -> Result<Vec<f64>> {
    Ok(gradient
        .flatten_from(1)?
        .to_dtype(DType::F64)?
        .sqr()?
        .sum(1)?
        .sqrt()?
        .to_vec1()?)
}
