//! The smallest adversarial images of several networks, side by side.

use candle_core::Tensor;

use super::audit::Audits;
use super::method::Method;
use super::networks::Networks;
use crate::error::{Error, Result};
use crate::figures::{ImageGrid, Mark, Pixels};
use crate::metrics::predictions;

/// Shows the first images, and below each the nearest one in L2 that misleads each network: its answer
/// and the distance.
///
/// # Errors
/// No such method, or fewer attacked images than `count`.
pub fn smallest_images(
    networks: &Networks,
    audits: &Audits,
    methods: &[Method],
    count: usize,
) -> Result<ImageGrid> {
    let Some(first) = audits.runs.first() else {
        return Err(Error::argument("audits", "at least one network", "none"));
    };
    let original = first.result.l2_norm.original.first(count)?;
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
        let seed = first.seed;
        let found = &audits.get(method, seed)?.l2_norm;
        let images: Tensor = found.data.first(count)?.inputs;
        let answers =
            predictions(&networks.get(method, seed)?.network, &images)?.to_vec1::<u32>()?;
        let captions = (0..count).map(|at| {
            let distance = found.distance[at].map_or("none".into(), |far| format!("{far:.2}"));
            let caption = format!("{}, {distance}", original.class_name(answers[at]));
            (caption, Mark::of(answers[at] == labels[at]))
        });
        let captions: Vec<(String, Mark)> = captions.collect();
        grid.push(method.to_string(), &images, Pixels::Intensity, &captions)?;
    }
    Ok(grid)
}
