//! All that the tasks find, put together.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::outputs::{all, attack};
use super::part::{ConnectivityPart, Pairing};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::experiments::connectivity::{Pairs, choose_misclassified_pairs, choose_pairs};
use crate::experiments::connectivity_cifar10::attacked::AttackedPairs;
use crate::experiments::connectivity_cifar10::settings::Settings;
use crate::experiments::connectivity_cifar10::space::Space;
use crate::experiments::connectivity_cifar10::verdicts::Verdicts;
use crate::experiments::decoders::Decoders;
use crate::experiments::tasks::{Finished, Output};
use crate::models::{Model, ResNet};

/// All that the tasks of the experiment find.
#[derive(Clone, Debug)]
pub struct Found {
    /// Both networks, where tasks have trained them.
    pub networks: Option<[Model<ResNet>; 2]>,
    /// The decoders, where tasks have trained them.
    pub decoders: Option<Decoders>,
    /// The answers of both networks to the test images, (N,).
    pub answers: [Tensor; 2],
    /// The test accuracy of both networks.
    pub test_accuracy: [f64; 2],
    /// Table 1.
    pub verdicts: Verdicts,
    /// The pairs that no line connects in the pixels, with smaller steps.
    pub small_steps: Verdicts,
    /// The pairs of a misclassified image and a right one.
    pub misclassified: Verdicts,
    /// The pairs of attacked images.
    pub attack: AttackedPairs,
    /// Their verdicts.
    pub misled: Verdicts,
    /// The pairs that both networks get right, in the first one and in the second.
    pub shared: [Verdicts; 2],
    /// The mean squared error of each decoded space.
    pub reconstruction: BTreeMap<Space, f64>,
}

/// Where the outputs of other parts come from.
pub(super) type Outputs<'a> = dyn Fn(ConnectivityPart) -> Result<Output> + 'a;

/// The answers of a network.
fn answers(network: u64, test: &Dataset, outputs: &Outputs<'_>) -> Result<Tensor> {
    let output = outputs(ConnectivityPart::Answers { network })?;
    Ok(output.tensor("answers")?.to_device(test.inputs.device())?)
}

/// The pairs of a set.
///
/// # Errors
/// Fewer pairs than the settings ask for, or an output that is not there.
pub(super) fn pairs_of(
    set: Pairing,
    settings: &Settings,
    test: &Dataset,
    outputs: &Outputs<'_>,
) -> Result<Pairs> {
    let (count, seed) = (settings.pairs, settings.seed);
    let answers = |network| answers(network, test, outputs);
    match set {
        Pairing::All => choose_pairs(test, &[&answers(0)?], count, seed),
        Pairing::SmallSteps => {
            let pairs = choose_pairs(test, &[&answers(0)?], count, seed)?;
            let groups = Pairing::All.parts(settings, Space::Input);
            let found = all(groups.map(outputs), Space::Input, &test.classes)?;
            Ok(pairs.with(found.not_linear()))
        }
        Pairing::Misclassified => {
            choose_misclassified_pairs(test, &answers(0)?, settings.other_pairs, seed)
        }
        Pairing::Misled => Ok(attack(&outputs(ConnectivityPart::Attack)?, test)?.pairs),
        Pairing::SharedFirst | Pairing::SharedSecond => {
            choose_pairs(test, &[&answers(0)?, &answers(1)?], count, seed)
        }
    }
}

/// All that the tasks have found but networks and decoders.
///
/// # Errors
/// An output is not there, or is none of this experiment.
pub(super) fn found(
    settings: &Settings,
    decoded: &[Space],
    test: &Dataset,
    finished: &Finished<'_>,
) -> Result<Found> {
    let outputs = |part: ConnectivityPart| finished.output(&part);
    let verdicts = |set: Pairing| -> Result<Verdicts> {
        let pairs = pairs_of(set, settings, test, &outputs)?;
        let in_space = |space: &Space| {
            let groups = set.parts(settings, *space).map(outputs);
            Ok((*space, all(groups, *space, &pairs.data.classes)?))
        };
        let spaces = set.settings(settings).spaces;
        Ok(Verdicts {
            spaces: spaces.iter().map(in_space).collect::<Result<_>>()?,
            pairs,
        })
    };
    let accuracy = |network| outputs(ConnectivityPart::Answers { network })?.read::<f64>();
    let error = |space: &Space| {
        let part = ConnectivityPart::Reconstruction { space: *space };
        Ok((*space, outputs(part)?.read::<f64>()?))
    };
    Ok(Found {
        networks: None,
        decoders: None,
        answers: [answers(0, test, &outputs)?, answers(1, test, &outputs)?],
        test_accuracy: [accuracy(0)?, accuracy(1)?],
        verdicts: verdicts(Pairing::All)?,
        small_steps: verdicts(Pairing::SmallSteps)?,
        misclassified: verdicts(Pairing::Misclassified)?,
        attack: attack(&outputs(ConnectivityPart::Attack)?, test)?,
        misled: verdicts(Pairing::Misled)?,
        shared: [
            verdicts(Pairing::SharedFirst)?,
            verdicts(Pairing::SharedSecond)?,
        ],
        reconstruction: decoded.iter().map(error).collect::<Result<_>>()?,
    })
}
