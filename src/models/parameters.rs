//! A network's weights by name: drawn from a seed, saved and loaded as safetensors.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{VarBuilder, init};

use crate::checks::is_finite;
use crate::error::{Error, Result};
use crate::io::digest::{numbers, of_numbers};
use crate::io::safetensors;
use crate::models::weights::{nearest, there_are};
use crate::models::{Epoch, History, Weights};
use crate::rng::Rng;

/// The weights of a network, by name (`layers.0.weight`), in the order of their names.
///
/// A clone holds the same weights, not a copy of them. Beside them stands what became of their last
/// training, so that one which was stopped loses neither its weights nor its
/// [history](Parameters::history).
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
    trained: Arc<Mutex<Trained>>,
}

/// The last training of some weights.
#[derive(Debug, Default)]
struct Trained {
    histories: Vec<History>,
    origin: Option<Origin>,
}

/// Where weights that a training with a checkpoint left behind came from: its description names the
/// weights that it began with, which are gone.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The file of the run.
    pub checkpoint: PathBuf,
    /// The digest of the weights that it began with.
    pub begun: String,
    /// The digest of those that it left.
    pub left: String,
}

impl Parameters {
    /// A set without weights; building a network on [`Parameters::builder`] adds them.
    pub fn new() -> Self {
        Self::default()
    }

    /// The builder that networks take their weights from: each one is drawn from
    /// `rng.stream(name)`, so its values depend on the seed and on its own name, not on what else
    /// the network holds. A name that is known already gives the same weight again.
    pub fn builder(&self, rng: &Rng, dtype: DType, device: &Device) -> VarBuilder<'static> {
        let backend = Drawn {
            parameters: self.clone(),
            rng: rng.clone(),
        };
        VarBuilder::from_backend(Box::new(backend), dtype, device.clone())
    }

    /// The weights by name.
    pub fn named(&self) -> BTreeMap<String, Var> {
        self.lock().clone()
    }

    /// The weights, in the order of their names.
    pub fn vars(&self) -> Vec<Var> {
        self.lock().values().cloned().collect()
    }

    /// The report of every epoch that the last training of these weights finished, also if it was
    /// stopped or failed; empty before the first. For a stack of layers it is the first layer's.
    ///
    /// The weights of a training that was stopped are those after its last step, which may lie
    /// within an epoch.
    pub fn history(&self) -> History {
        self.trained()
            .histories
            .first()
            .cloned()
            .unwrap_or_default()
    }

    /// The [history](Parameters::history) of every layer of a stack, coarse to fine; a single one
    /// for any other network.
    pub fn histories(&self) -> Vec<History> {
        self.trained().histories.clone()
    }

    /// A training begins, or goes on after the epochs of these histories.
    pub(crate) fn begin_histories(&self, histories: Vec<History>) {
        self.trained().histories = histories;
    }

    /// It has finished an epoch: one record for each history.
    pub(crate) fn add_epoch(&self, records: impl IntoIterator<Item = Epoch>) {
        let mut trained = self.trained();
        trained
            .histories
            .iter_mut()
            .zip(records)
            .for_each(|(history, epoch)| history.epochs.push(epoch));
    }

    /// Where the weights came from, if a training with a checkpoint left them.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.trained().origin.clone()
    }

    pub(crate) fn set_origin(&self, origin: Origin) {
        self.trained().origin = Some(origin);
    }

    /// SHA-256 of all names and numbers.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub(crate) fn digest(&self) -> Result<String> {
        let mut all = Vec::new();
        for (name, var) in self.named() {
            all.extend(name.bytes().map(f64::from));
            all.extend(numbers(&var)?);
        }
        Ok(of_numbers(all))
    }

    /// The number of all weights, each number counted.
    pub fn count(&self) -> usize {
        self.lock().values().map(|var| var.elem_count()).sum()
    }

    /// Writes the weights to a safetensors file under their plain names, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors = self
            .lock()
            .iter()
            .map(|(name, var)| (name.clone(), var.as_detached_tensor()))
            .collect();
        safetensors::write(path.as_ref(), &tensors, None)
    }

    /// Writes the weights to a safetensors file in another float type: half the size in f16, with
    /// eleven bits a number.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save_as(&self, path: impl AsRef<Path>, dtype: DType) -> Result<()> {
        let convert = |(name, var): (&String, &Var)| {
            Ok((name.clone(), var.as_detached_tensor().to_dtype(dtype)?))
        };
        let tensors = self.lock().iter().map(convert).collect::<Result<_>>()?;
        safetensors::write(path.as_ref(), &tensors, None)
    }

    /// Copies of the weights as plain tensors, by name.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn copies(&self) -> Result<HashMap<String, Tensor>> {
        let weights = self.lock();
        weights
            .iter()
            .map(|(name, var)| Ok((name.clone(), var.as_detached_tensor().copy()?)))
            .collect()
    }

    /// The same names with copies of the weights, and no history.
    ///
    /// # Errors
    /// The device is out of memory.
    pub(crate) fn copied(&self) -> Result<Self> {
        let copy = |(name, tensor)| Ok((name, Var::from_tensor(&tensor)?));
        let vars = self.copies()?.into_iter().map(copy);
        Ok(Self {
            vars: Arc::new(Mutex::new(vars.collect::<Result<_>>()?)),
            trained: Arc::default(),
        })
    }

    /// Replaces the weights by those of a file; floats of another width are rounded to the weights'
    /// own.
    ///
    /// # Errors
    ///
    /// A weight is missing, of another shape or not finite; or there is a tensor that is no weight
    /// (but for PyTorch's `num_batches_tracked`). Then no weight has changed.
    pub fn set_weights(&self, weights: &Weights) -> Result<()> {
        self.set_all(weights.tensors.clone(), &weights.path, |_| true)
    }

    /// Replaces all weights by those of a file, except those whose names begin with `prefix`: these
    /// stay as they are. So a network can begin with the weights of one for other classes.
    ///
    /// # Errors
    ///
    /// As [`Parameters::set_weights`].
    pub fn set_weights_except(&self, weights: &Weights, prefix: &str) -> Result<()> {
        let Weights { tensors, path } = weights.clone().without(prefix);
        self.set_all(tensors, &path, |name| !name.starts_with(prefix))
    }

    /// Takes over `tensors`, which come from `path`; all of them, or none when an error is
    /// returned.
    pub(crate) fn set(&self, tensors: BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
        self.set_all(tensors, path, |_| true)
    }

    /// [`Parameters::set`] for the weights whose names are `wanted`.
    fn set_all(
        &self,
        mut tensors: BTreeMap<String, Tensor>,
        path: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let vars = self.lock();
        // PyTorch's normalisations count their batches, which no formula here needs.
        tensors.retain(|name, _| !name.ends_with(".num_batches_tracked"));
        let foreign = |name: &&String| !vars.contains_key(*name);
        let mut pairs = Vec::with_capacity(vars.len());
        for (name, var) in vars.iter().filter(|(name, _)| wanted(name)) {
            let Some(tensor) = tensors.get(name) else {
                let strange = tensors.keys().filter(foreign).map(String::as_str);
                let hint = match nearest(name, strange.clone()) {
                    Some(near) => format!("; the nearest is {near}"),
                    None => there_are(strange),
                };
                let got = format!("no such tensor{hint}");
                return Err(Error::file(path, format!("a tensor {name}"), got));
            };
            pairs.push((var, fitting(tensor.clone(), name, var, path)?));
        }
        if let Some((name, tensor)) = tensors.iter().find(|(name, _)| foreign(name)) {
            let near = nearest(name, vars.keys().map(String::as_str));
            let near = near.map_or(String::new(), |near| {
                format!("; the nearest weight is {near}")
            });
            let got = format!("also a tensor {name} of shape {:?}{near}", tensor.dims());
            return Err(Error::file(path, "only the network's own weights", got));
        }
        for (var, tensor) in pairs {
            var.set(&tensor)?;
        }
        Ok(())
    }

    /// Whether no weight is NaN or ±∞.
    pub(crate) fn are_finite(&self) -> Result<bool> {
        for var in self.lock().values() {
            if !is_finite(var)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// No critical section can panic half-way through a change, so a poisoned lock still guards
    /// whole weights.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Parameters::lock`].
    fn trained(&self) -> MutexGuard<'_, Trained> {
        self.trained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tensor` as `like` needs it: the same shape, finite, its dtype, its device.
pub(crate) fn fitting(tensor: Tensor, name: &str, like: &Tensor, path: &Path) -> Result<Tensor> {
    if tensor.dims() != like.dims() {
        let expected = format!("shape {:?} for {name}", like.dims());
        return Err(Error::file(
            path,
            expected,
            format!("{name} has shape {:?}", tensor.dims()),
        ));
    }
    if !tensor.dtype().is_float() {
        return Err(Error::file(
            path,
            format!("floats in {name}"),
            format!("{:?}", tensor.dtype()),
        ));
    }
    if !is_finite(&tensor)? {
        return Err(Error::file(
            path,
            format!("finite numbers in {name}"),
            "NaN or ∞",
        ));
    }
    Ok(tensor.to_dtype(like.dtype())?.to_device(like.device())?)
}

/// Draws each weight from the stream of its name.
struct Drawn {
    parameters: Parameters,
    rng: Rng,
}

impl Drawn {
    fn draw(
        &self,
        shape: &Shape,
        name: &str,
        hint: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut rng = self.rng.stream(name);
        match hint {
            Init::Const(value) => Ok(Tensor::full(value, shape, device)?.to_dtype(dtype)?),
            Init::Uniform { lo, up } => rng.uniform(shape, lo, up, dtype, device),
            Init::Randn { mean, stdev } => rng.normal(shape, mean, stdev, dtype, device),
            Init::Kaiming {
                dist,
                fan,
                non_linearity,
            } => {
                let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
                match dist {
                    NormalOrUniform::Normal => rng.normal(shape, 0., std, dtype, device),
                    NormalOrUniform::Uniform => {
                        let bound = 3f64.sqrt() * std;
                        rng.uniform(shape, -bound, bound, dtype, device)
                    }
                }
            }
        }
    }
}

impl SimpleBackend for Drawn {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        hint: init::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut vars = self.parameters.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!(
                    "weight {name} has shape {:?}; expected {shape:?}",
                    var.dims()
                )
            }
            return Ok(var.as_tensor().clone());
        }
        let drawn = self
            .draw(&shape, name, hint, dtype, device)
            .map_err(candle_core::Error::wrap)?;
        let var = Var::from_tensor(&drawn)?;
        vars.insert(name.to_string(), var.clone());
        Ok(var.into_inner())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.parameters.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("weight {name} cannot be drawn without its shape"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.parameters.lock().contains_key(name)
    }
}
