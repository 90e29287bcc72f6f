//! The loss along a direction: the picture of a gradient that misleads.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::attacks::gradient;
use crate::checks::Bounds;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::figures::{Figure, LineChart, Series, drawn};
use crate::losses::{CrossEntropy, Loss, cross_entropy};
use crate::models::{Network, evaluation};
use crate::rng::Rng;

/// The mean cross-entropy of some images that all move along directions of their own.
///
/// ```text
/// L_CE(clip(x + t · sign(d))),  d = ∇ₓ L_CE,  ∇ₓ L, or random signs
/// ```
///
/// L is the loss that the network was trained on. Where gradients can be trusted, the curve along
/// ∇ₓ L_CE rises first and most.
///
/// - **Shapes**: a value for each distance and direction.
/// - **Range**: t ≥ 0 in pixel units; losses ≥ 0 in nats.
/// - **Source**: ours, as figure 4 of Tramèr et al. 2018 (arXiv 1705.07204) along one direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rays {
    /// The name of the network.
    pub network: String,
    /// The distances t, pixel units.
    pub distance: Vec<f64>,
    /// The names of the directions.
    pub directions: Vec<String>,
    /// The mean cross-entropy in nats, `[direction][distance]`.
    pub loss: Vec<Vec<f64>>,
    /// The number of images.
    pub images: usize,
}

/// The cross-entropy along the signs of the gradients of the cross-entropy and of `loss`, and along
/// random signs.
///
/// # Errors
/// No distance, or one that is negative; what [`gradient`] refuses.
pub fn rays(
    name: impl Into<String>,
    network: &dyn Network,
    loss: &Arc<dyn Loss>,
    data: &Dataset,
    distances: &[f64],
) -> Result<Rays> {
    let mut sorted = distances.iter();
    if distances.is_empty() || !sorted.all(|distance| distance.is_finite() && *distance >= 0.) {
        let expected = "at least one, each finite and ≥ 0";
        return Err(Error::argument(
            "distances",
            expected,
            format!("{distances:?}"),
        ));
    }
    let network = evaluation(network)?;
    let network = network.as_ref();
    let images = &data.inputs;
    let random = Rng::new(0).stream("directions").uniform(
        images.shape(),
        -1.,
        1.,
        images.dtype(),
        images.device(),
    )?;
    let directions = [
        ("along ∇ L_CE", gradient(network, &CrossEntropy, data)?),
        (
            "along ∇ L, the loss trained on",
            gradient(network, loss.as_ref(), data)?,
        ),
        ("random signs", random),
    ];
    let Bounds { min, max } = Bounds::default();
    let mut curves = Vec::new();
    for (_, direction) in &directions {
        let signs = direction.sign()?;
        let at = |distance: &f64| -> Result<f64> {
            let moved: Tensor = (images + (&signs * *distance)?)?.clamp(min, max)?;
            let loss = cross_entropy(&network.forward(&moved)?, &data.labels)?;
            Ok(loss.to_dtype(DType::F64)?.to_scalar()?)
        };
        curves.push(distances.iter().map(at).collect::<Result<Vec<_>>>()?);
    }
    Ok(Rays {
        network: name.into(),
        distance: distances.to_vec(),
        directions: directions
            .iter()
            .map(|(name, _)| name.to_string())
            .collect(),
        loss: curves,
        images: data.len(),
    })
}

drawn!(Rays);

impl Rays {
    /// Charts the losses over the distance.
    pub fn chart(&self) -> LineChart {
        let series = self.directions.iter().zip(&self.loss);
        LineChart {
            title: self.network.clone(),
            x_label: "distance t (pixel units)".into(),
            y_label: "mean cross-entropy (nats)".into(),
            series: series
                .map(|(name, loss)| Series::line(name, &self.distance, loss))
                .collect(),
            note: format!("Mean over {} images.", self.images),
            ..LineChart::default()
        }
    }

    /// Draws [`Rays::chart`] as a figure.
    ///
    /// # Errors
    /// A loss that is not finite.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}
