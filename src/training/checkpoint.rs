//! Checkpoints: a training in a file, from which it can continue.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::io::safetensors;
use crate::models::{Parameters, fitting};
use crate::optimizers::State;
use crate::training::History;
use crate::training::average::Average;

/// What decides a run's numbers, by name. Two runs with equal descriptions go the same way.
pub(super) type Run = Map<String, Value>;

/// What a run remembers besides its weights, by its name in the file.
fn memory(state: &State, average: Option<&Average>) -> BTreeMap<String, Var> {
    let mut all = state.memory();
    let means = average.into_iter().flat_map(|average| average.means());
    all.extend(means.map(|(name, var)| (format!("average.{name}"), var.clone())));
    all
}

/// Writes weights (under their plain names), the optimiser's memory, the weights' average if there
/// is one, history and the run's description, whole or not at all.
pub(super) fn save(
    path: &Path,
    run: &Run,
    parameters: &Parameters,
    state: &State,
    average: Option<&Average>,
    history: &History,
) -> Result<()> {
    let mut vars = parameters.named();
    vars.extend(memory(state, average));
    let tensors = vars
        .into_iter()
        .map(|(name, var)| (name, var.as_detached_tensor()))
        .collect();
    let metadata = [
        ("run", Value::from(run.clone())),
        ("step", json!(state.steps)),
        ("history", json!(history)),
    ];
    let metadata = metadata
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    safetensors::write(path, &tensors, Some(metadata))
}

/// Takes up the run that `path` holds and gives its history; `None` when there is no such file.
///
/// # Errors
/// The file cannot be read, is not whole, or holds another run; then nothing has changed.
pub(super) fn load(
    path: &Path,
    run: &Run,
    parameters: &Parameters,
    state: &mut State,
    average: Option<&Average>,
) -> Result<Option<History>> {
    if !path.exists() {
        return Ok(None);
    }
    let (mut tensors, metadata) = safetensors::read(path, &Device::Cpu)?;
    let found: Run = entry(path, &metadata, "run")?;
    for name in run.keys().chain(found.keys()) {
        let [expected, got] = [run, &found].map(|run| run.get(name).unwrap_or(&Value::Null));
        if got != expected {
            let expected = format!(
                "this run's {expected} (another run's checkpoint: move it away to start again)"
            );
            return Err(Error::file(path, expected, format!("{name} is {got}")));
        }
    }
    let history: History = entry(path, &metadata, "history")?;
    let step = entry(path, &metadata, "step")?;

    let mut moments = Vec::new();
    for (name, var) in memory(state, average) {
        let tensor: Tensor = tensors
            .remove(&name)
            .ok_or_else(|| Error::file(path, format!("a tensor {name}"), "no such tensor"))?;
        let tensor = fitting(tensor, &name, &var, path)?;
        moments.push((var, tensor));
    }
    parameters.set(tensors, path)?;
    for (var, tensor) in moments {
        var.set(&tensor)?;
    }
    state.steps = step;
    Ok(Some(history))
}

fn entry<T: serde::de::DeserializeOwned>(
    path: &Path,
    metadata: &HashMap<String, String>,
    name: &str,
) -> Result<T> {
    let text = metadata
        .get(name)
        .ok_or_else(|| Error::file(path, "a checkpoint of training", format!("no {name}")))?;
    serde_json::from_str(text)
        .map_err(|error| Error::file(path, format!("a readable {name}"), error))
}
