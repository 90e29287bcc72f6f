//! What a task gives.

use crate::device;
use crate::error::{Error, Result};
use crate::experiments::isometry_audit::audit::Others;
use crate::experiments::isometry_audit::method::Method;
use crate::experiments::isometry_audit::near_and_far::Measured;
use crate::experiments::isometry_audit::networks::{Trained, untrained};
use crate::experiments::isometry_audit::outcomes::SmallestChanges;
use crate::experiments::isometry_audit::settings::Settings;
use crate::experiments::tasks::{Output, set_weights, with_weights};
use crate::lipschitz::MarginGroup;

/// A network as the output of a task.
pub(super) fn network_output(trained: &Trained) -> Result<Output> {
    let output = Output::of(&(&trained.history, trained.test_accuracy, trained.seconds))?;
    with_weights(output, trained.network.parameters())
}

/// The network of an output.
pub(super) fn network(
    output: &Output,
    settings: &Settings,
    method: Method,
    seed: u64,
) -> Result<Trained> {
    let (history, test_accuracy, seconds) = output.read()?;
    let network = untrained(settings, seed, &device::best())?;
    set_weights(network.parameters(), output)?;
    Ok(Trained {
        method,
        seed,
        network,
        history,
        test_accuracy,
        seconds,
    })
}

const NORMS: [&str; 2] = ["linf", "l2"];

/// What the audit finds beside AutoAttack.
pub(super) fn others_output(found: Others) -> Result<Output> {
    let mut output = Output::of(&(found.accuracy, found.paper_attack))?;
    for (norm, smallest) in NORMS.iter().zip(found.smallest) {
        let far = smallest.distance.iter();
        let far: Vec<f64> = far.map(|far| far.unwrap_or(f64::INFINITY)).collect();
        output = output
            .with_numbers(format!("distance.{norm}"), &far)?
            .with(format!("images.{norm}"), smallest.images);
    }
    Ok(output)
}

pub(super) fn others(output: &Output) -> Result<Others> {
    let smallest = |norm: &str| -> Result<SmallestChanges> {
        let far = output.numbers(&format!("distance.{norm}"))?.into_iter();
        Ok(SmallestChanges {
            distance: far.map(|far| far.is_finite().then_some(far)).collect(),
            images: output
                .tensor(&format!("images.{norm}"))?
                .to_device(&device::best())?,
        })
    };
    let (accuracy, paper_attack) = output.read()?;
    Ok(Others {
        accuracy,
        paper_attack,
        smallest: [smallest(NORMS[0])?, smallest(NORMS[1])?],
    })
}

const RATIOS: &str = "groups";

/// A network's groups; a number of theirs may be NaN.
pub(super) fn measured_output((name, groups): &Measured) -> Result<Output> {
    let numbers = groups.iter().flat_map(|group| {
        let ((from, to), [low, middle, high]) = (group.margin, group.ratio);
        let pairs = group.pairs as f64;
        [from, to, pairs, low, middle, high, group.distortion]
    });
    Output::of(name)?.with_numbers(RATIOS, &numbers.collect::<Vec<_>>())
}

pub(super) fn measured(output: &Output) -> Result<Measured> {
    let numbers = output.numbers(RATIOS)?;
    let (groups, rest) = numbers.as_chunks();
    if !rest.is_empty() {
        let got = numbers.len();
        return Err(Error::argument("numbers of groups", "7 for each", got));
    }
    let group = |[from, to, pairs, low, middle, high, distortion]: &[f64; 7]| MarginGroup {
        margin: (*from, *to),
        pairs: *pairs as usize,
        ratio: [*low, *middle, *high],
        distortion: *distortion,
    };
    Ok((output.read()?, groups.iter().map(group).collect()))
}
