//! What tasks give, and what several give together.

use candle_core::Tensor;

use super::part::RegionsPart;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::connectivity_regions::graphs::{ClassGraph, Graphs};
use crate::experiments::connectivity_regions::isometric::LayerRegions;
use crate::experiments::connectivity_regions::lipschitz::lipschitz;
use crate::experiments::connectivity_regions::settings::IsometricSettings;
use crate::experiments::isometry_mnist::{Trained, restored};
use crate::experiments::tasks::{Output, set_weights, with_weights};
use crate::models::{LipschitzMlp, Model};
use crate::training::History;

/// The answers to all images.
pub(super) fn answers(
    from: &dyn Fn(RegionsPart) -> Result<Output>,
    images: &Dataset,
) -> Result<Tensor> {
    let output = from(RegionsPart::Answers)?;
    Ok(output
        .tensor("answers")?
        .to_device(images.inputs.device())?)
}

/// The graphs of all classes that have one.
pub(super) fn graphs_of(
    data: &Dataset,
    space: Space,
    outputs: impl Iterator<Item = Result<Output>>,
) -> Result<Graphs> {
    let graphs = outputs.map(|output| output?.read::<Option<ClassGraph>>());
    let classes: Vec<ClassGraph> = graphs
        .filter_map(Result::transpose)
        .collect::<Result<_>>()?;
    Ok(Graphs {
        data: data.clone(),
        space,
        classes,
    })
}

/// The layers of a network; some of their numbers may be none.
pub(super) fn layers_output(layers: &[LayerRegions]) -> Result<Output> {
    let mut output = Output::default();
    for own in layers {
        let numbers = [
            own.random,
            own.tests_per_edge,
            own.components_per_class,
            own.hops,
            own.distortion_near,
            own.distortion_far,
        ];
        output = output.with_numbers(format!("{:03}", own.layer), &numbers)?;
    }
    Ok(output)
}

/// The layers of an output.
pub(super) fn layers_of(output: &Output) -> Result<Vec<LayerRegions>> {
    let names = output.tensors.keys().enumerate();
    names
        .map(|(layer, name)| {
            let numbers = output.numbers(name)?;
            let [
                random,
                tests_per_edge,
                components_per_class,
                hops,
                distortion_near,
                distortion_far,
            ] = numbers[..]
            else {
                return Err(Error::argument("layer", "six numbers", numbers.len()));
            };
            Ok(LayerRegions {
                layer,
                random,
                tests_per_edge,
                components_per_class,
                hops,
                distortion_near,
                distortion_far,
            })
        })
        .collect()
}

/// The 1-Lipschitz network as an output.
pub(super) fn lipschitz_output(
    (network, history): &(Model<LipschitzMlp>, History),
) -> Result<Output> {
    with_weights(Output::of(history)?, network.parameters())
}

/// The 1-Lipschitz network of an output.
pub(super) fn lipschitz_of(
    output: &Output,
    settings: &IsometricSettings,
) -> Result<(Model<LipschitzMlp>, History)> {
    let network = lipschitz(settings)?;
    set_weights(network.parameters(), output)?;
    Ok((network, output.read()?))
}

/// The network of a regime, by its number, and a seed on MNIST.
pub(super) fn regime_of(
    output: &Output,
    settings: &IsometricSettings,
    (regime, seed): (usize, u64),
) -> Result<Trained> {
    let all = &settings.regimes;
    let regime = all.get(regime).ok_or_else(|| {
        let expected = format!("below {}, the number of regimes", all.len());
        Error::argument("regime", expected, regime)
    })?;
    restored(output, &settings.training, regime.beta, seed)
}
