//! Connections as outputs of tasks, every number of them.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::experiments::connectivity::{Connection, Connections, Pair, Pairs, Shown};
use crate::experiments::connectivity_cifar10::attacked::AttackedPairs;
use crate::experiments::connectivity_cifar10::space::Space;
use crate::experiments::tasks::Output;
use crate::models::Parameters;
use crate::paths::{Evaluations, NebInfo, Outcome, Profile, Verdict};

/// What of a connection is no float.
#[derive(Serialize, Deserialize)]
struct Words {
    pair: Pair,
    verdict: Verdict,
    outcome: Outcome,
    iterations: usize,
    evaluations: Evaluations,
    is_shown: bool,
}

/// The output of some connections.
pub(super) fn connected(found: &[Connection]) -> Result<Output> {
    let words: Vec<Words> = found
        .iter()
        .map(|one| Words {
            pair: one.pair,
            verdict: one.verdict,
            outcome: one.outcome,
            iterations: one.iterations,
            evaluations: one.evaluations,
            is_shown: one.shown.is_some(),
        })
        .collect();
    let mut output = Output::of(&words)?;
    for (at, one) in found.iter().enumerate() {
        output = output.with_numbers(format!("{at}.way"), &[one.departure, one.largest_change])?;
        for (name, profile) in [("line", &one.line), ("path", &one.path)] {
            let lists = [
                ("distance", &profile.distance),
                ("energy", &profile.energy),
                ("margin", &profile.margin),
            ];
            for (list, numbers) in lists {
                output = output.with_numbers(format!("{at}.{name}.{list}"), numbers)?;
            }
        }
        if let Some(shown) = &one.shown {
            let info = &shown.info;
            output = output
                .with(format!("{at}.points"), info.path.copy()?)
                .with_numbers(format!("{at}.energies"), &info.energies)?
                .with(format!("{at}.on_line"), table(&shown.on_line)?)
                .with(format!("{at}.on_path"), table(&shown.on_path)?);
        }
    }
    Ok(output)
}

fn table(rows: &[Vec<f64>]) -> Result<Tensor> {
    let columns = rows.first().map_or(0, Vec::len);
    let numbers: Vec<f64> = rows.iter().flatten().copied().collect();
    Ok(Tensor::from_vec(
        numbers,
        (rows.len(), columns),
        &Device::Cpu,
    )?)
}

/// The connections of an output.
pub(super) fn connections(
    output: &Output,
    space: Space,
    classes: &Arc<Vec<String>>,
) -> Result<Vec<Connection>> {
    let words = output.read::<Vec<Words>>()?;
    let one = |(at, words): (usize, Words)| -> Result<Connection> {
        let Words {
            pair,
            verdict,
            outcome,
            iterations,
            evaluations,
            is_shown,
        } = words;
        let profile = |name: &str| -> Result<Profile> {
            let list = |list: &str| output.numbers(&format!("{at}.{name}.{list}"));
            Ok(Profile {
                distance: list("distance")?,
                energy: list("energy")?,
                margin: list("margin")?,
            })
        };
        let (line, path) = (profile("line")?, profile("path")?);
        let tensor = |name: &str| output.tensor(&format!("{at}.{name}"));
        let shown = match is_shown {
            true => Some(Shown {
                on_line: tensor("on_line")?.to_vec2()?,
                on_path: tensor("on_path")?.to_vec2()?,
                info: NebInfo {
                    path: tensor("points")?.clone(),
                    energies: output.numbers(&format!("{at}.energies"))?,
                    verdict,
                    outcome,
                    iterations,
                    evaluations,
                    before: line.clone(),
                    after: path.clone(),
                },
            }),
            false => None,
        };
        let way = output.numbers(&format!("{at}.way"))?;
        let number = |place: usize| way.get(place).copied().unwrap_or(f64::NAN);
        Ok(Connection {
            pair,
            representation: space.representation(),
            verdict,
            outcome,
            iterations,
            evaluations,
            line,
            path,
            departure: number(0),
            largest_change: number(1),
            classes: Arc::clone(classes),
            shown,
        })
    };
    words.into_iter().enumerate().map(one).collect()
}

/// The connections of all groups in a space.
pub(super) fn all(
    outputs: impl Iterator<Item = Result<Output>>,
    space: Space,
    classes: &Arc<Vec<String>>,
) -> Result<Connections> {
    let mut connected = Vec::new();
    for output in outputs {
        connected.extend(connections(&output?, space, classes)?);
    }
    Ok(Connections {
        representation: space.representation(),
        connections: connected,
    })
}

/// The output of an attack.
pub(super) fn attacked(found: &AttackedPairs) -> Result<Output> {
    let data = &found.pairs.data;
    Ok(Output::of(&(&found.pairs.pairs, found.attacked))?
        .with("images", data.inputs.copy()?)
        .with("labels", data.labels.copy()?))
}

/// The attack of an output; `data` are the images that were attacked.
pub(super) fn attack(output: &Output, data: &crate::datasets::Dataset) -> Result<AttackedPairs> {
    let (pairs, attacked) = output.read::<(Vec<Pair>, usize)>()?;
    let on = |name: &str| -> Result<Tensor> {
        Ok(output.tensor(name)?.to_device(data.inputs.device())?)
    };
    Ok(AttackedPairs {
        pairs: Pairs {
            data: data.part(on("images")?, on("labels")?),
            pairs,
        },
        attacked,
    })
}

/// Adds weights to an output.
pub(super) fn with_weights(mut output: Output, weights: &Parameters) -> Result<Output> {
    for (name, tensor) in weights.copies()? {
        output = output.with(name, tensor.to_dtype(DType::F32)?);
    }
    Ok(output)
}
