//! The smallest adversarial images of several networks, side by side.

use super::audit::Audits;
use super::method::Method;
use super::networks::Networks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::figures::{ImageGrid, Mark, Pixels};
use crate::metrics::predictions;

/// Shows the first images, and below each the nearest one in L2 that misleads each network: its answer
/// and the distance. As many as [`AuditParams::kept_images`](super::AuditParams::kept_images).
///
/// `data` are the images that were attacked.
///
/// # Errors
/// No network, no such method, or fewer images than were kept.
pub fn smallest_images(
    networks: &Networks,
    audits: &Audits,
    data: &Dataset,
    methods: &[Method],
) -> Result<ImageGrid> {
    let Some(first) = audits.runs.first() else {
        return Err(Error::argument("audits", "at least one network", "none"));
    };
    let (seed, count) = (first.seed, first.result.l2_norm.images.dim(0)?);
    let original = data.range(0, count)?;
    let mut grid = ImageGrid {
        title: "The smallest changes that mislead (L2)".into(),
        note: "Each network's answer, and the length of the change in pixel units.".into(),
        ..ImageGrid::default()
    };
    let labels = original.labels.to_vec1::<u32>()?;
    let truth: Vec<(String, Mark)> = labels
        .iter()
        .map(|label| (original.class_name(*label), Mark::None))
        .collect();
    grid.push("image", &original.inputs, Pixels::Intensity, &truth)?;
    for method in methods {
        let found = &audits.get(method, seed)?.l2_norm;
        let network = &networks.get(method, seed)?.network;
        let answers = predictions(network, &found.images)?.to_vec1::<u32>()?;
        let captions = answers.iter().zip(&labels).zip(&found.distance);
        let captions = captions.map(|((answer, label), distance)| {
            let distance = distance.map_or("none".into(), |far| format!("{far:.2}"));
            let caption = format!("{}, {distance}", original.class_name(*answer));
            (caption, Mark::of(answer == label))
        });
        let captions: Vec<(String, Mark)> = captions.collect();
        grid.push(
            method.to_string(),
            &found.images,
            Pixels::Intensity,
            &captions,
        )?;
    }
    Ok(grid)
}
