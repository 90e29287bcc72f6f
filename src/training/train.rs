//! The training loop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};
use serde_json::json;

use crate::datasets::{Augmentation, Batches, Dataset};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::io::digest::{numbers, of_numbers};
use crate::losses::{Loss, LossTerms};
use crate::metrics;
use crate::models::{Model, Network, Origin, Parameters};
use crate::optimizers::{Optimizer, State};
use crate::progress::Progress;
use crate::rng::Rng;
use crate::training::average::Average;
use crate::training::checkpoint::{self, Run};
use crate::training::{Epoch, History, Observer, Schedule, Status};

/// Between two reports inside an epoch.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// The batches that averaged weights see for new running statistics; what was before has then the
/// share 0.9^100 in them.
const REFRESHING: usize = 100;

/// The parameters of [`train`]; the defaults are the *isometry* paper's for MNIST (section 2.2).
#[derive(Clone, Debug)]
pub struct TrainParams {
    /// The number of passes over the inputs; 5 by default.
    pub epochs: usize,
    /// The number of inputs in a step; 100 by default. One batch of all inputs keeps their order.
    pub batch_size: usize,
    /// The end of an epoch whose last inputs do not fill a batch: a smaller batch by default.
    pub last_batch: LastBatch,
    /// The optimiser. The paper names Adam and no learning rate: 1e-3, PyTorch's default, by
    /// default.
    pub optimizer: Optimizer,
    /// The schedule of the learning rate; constant by default.
    pub schedule: Schedule,
    /// Whether the final weights are the mean of the weights after each step (Izmailov et al.
    /// 2018), for a constant rate; not by default. Running statistics are then measured again on 100
    /// batches of the training images.
    pub average: bool,
    /// The augmentation of the images of a batch before the network sees them; none by default.
    pub augmentation: Augmentation,
    /// The seed of the order of the images; 0 by default. The initial weights have the seed of
    /// their own builder.
    pub seed: u64,
    /// A text that names everything else that the numbers depend on, such as the weights of another
    /// network in the loss; empty by default. A checkpoint with another context belongs to another
    /// run.
    pub context: String,
    /// The file that is written after every epoch and continued from if it is there; none by
    /// default.
    pub checkpoint: Option<PathBuf>,
    /// Whether a progress bar shows how far the training has come; shown by default.
    pub progress: Progress,
    /// The observer that is called in place of the progress bar; none by default.
    pub observer: Option<Observer>,
}

/// The end of an epoch whose last inputs do not fill a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastBatch {
    /// The remaining inputs form a smaller batch.
    #[default]
    Keep,
    /// The remaining inputs are skipped in this epoch; another epoch has another order and skips
    /// others.
    Drop,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 100,
            last_batch: LastBatch::default(),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            average: false,
            augmentation: Augmentation::default(),
            seed: 0,
            context: String::new(),
            checkpoint: None,
            progress: Progress::default(),
            observer: None,
        }
    }
}

impl TrainParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    ///
    /// No epochs, no inputs a step, or a parameter of the optimiser or the schedule out of its
    /// range.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if value == 0 {
                return Err(Error::argument(name, "at least 1", value));
            }
        }
        self.schedule.validate()?;
        self.optimizer.validate()
    }
}

/// Trains a network on a data set to minimise a loss, and returns the history of the training.
///
/// ```text
/// w ← w − step(∇_w L(batch)),  batch by batch, epoch by epoch
/// ```
///
/// L is `loss`. The step is the optimiser's ([`TrainParams::optimizer`]) times the factor of
/// [`TrainParams::schedule`]. Every epoch goes through the inputs once, in an order that depends on
/// the seed and the epoch alone. The same seed gives the same numbers, on any number of threads,
/// and whether or not the run was interrupted: with [`TrainParams::checkpoint`] a run continues
/// after the last finished epoch, and a finished run only loads its weights. At a constant learning
/// rate, a finished run can continue with more `epochs`. A checkpoint of another run (other
/// hyper-parameters, data or initial weights) is refused.
///
/// A run that [the user stops](crate::interrupt) ends before its next step. The weights keep the
/// steps that were done, and [`Model::history`] the epochs that were finished. If there is a
/// checkpoint, the same call continues after the last finished epoch. (Before the end of the first
/// epoch there is no file yet: the same call then starts from the current weights.) With
/// [`TrainParams::average`] the weights are those of the last step, not yet their mean.
///
/// - **Shapes**: inputs (N, …) as the network takes them, labels (N,) of u32 below its number of
///   classes; the history has a record for each epoch.
/// - **Range**: losses and weights stay finite, or the training ends with an error.
/// - **Source**: *isometry*, section 2.2: five epochs, batches of 100, Adam.
///
/// # Errors
///
/// A parameter out of its range, shapes that do not fit, labels out of range, a last batch of one
/// input that the network cannot be trained on, a checkpoint of another run, a file that cannot be
/// written, a loss or weights that are no longer finite, or [`Error::Interrupted`].
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let rings = RingsParams { points: 40, ..RingsParams::default() };
/// let rings = datasets::entangled_rings(&rings)?.dataset()?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb))?;
/// let params = TrainParams { epochs: 4, ..TrainParams::default() };
/// let history = train(&network, &rings, &IsometricLoss::new(1.), &params)?;
/// assert!(history.epochs[3].loss < history.epochs[0].loss);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn train<N: Network + 'static>(
    model: &Model<N>,
    data: &Dataset,
    loss: &dyn Loss,
    params: &TrainParams,
) -> Result<History> {
    let mut observer = Observer::of(params.observer.as_ref(), &params.progress);
    train_observed(model, data, loss, params, &mut *observer)
}

/// [`train`] with `observer` in place of the one of the parameters.
pub(crate) fn train_observed<N: Network + 'static>(
    model: &Model<N>,
    data: &Dataset,
    loss: &dyn Loss,
    params: &TrainParams,
    observer: &mut dyn FnMut(&Status),
) -> Result<History> {
    params.validate()?;
    check_last_batch(model, data, loss, params)?;
    run(model, model.parameters(), data, loss, params, observer)
}

/// # Errors
/// The last batch would be one input, and the network, whose normalisations need more, refuses it: to
/// be found out now and not at the end of the first epoch.
fn check_last_batch<N: Network + 'static>(
    model: &Model<N>,
    data: &Dataset,
    loss: &dyn Loss,
    params: &TrainParams,
) -> Result<()> {
    let left = data.len() % params.batch_size;
    if left != 1 || params.last_batch == LastBatch::Drop || !model.is_training() {
        return Ok(());
    }
    // On copies, whose running statistics may move.
    let (network, parameters) = model.copied()?;
    let reason = match loss.loss(&network, &data.first(1)?) {
        Ok(_) if parameters.are_finite()? => None,
        // candle's own normalisation does not refuse it.
        Ok(_) => Some("it has no variance: running statistics would be NaN".to_string()),
        Err(reason) => Some(reason.to_string()),
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            let size = params.batch_size;
            let expected = format!(
                "one that leaves no last batch of a single input of {} ({reason}); \
                 `last_batch: LastBatch::Drop` leaves it out",
                data.len()
            );
            Err(Error::argument("batch_size", expected, size))
        }
    }
}

fn run(
    network: &dyn Network,
    parameters: &Parameters,
    data: &Dataset,
    loss: &dyn Loss,
    params: &TrainParams,
    observer: &mut dyn FnMut(&Status),
) -> Result<History> {
    let (n, labels) = (data.len(), &data.labels);
    if n == 0 {
        let expected = "(N, …), N at least 1";
        return Err(Error::shape(
            "train",
            "inputs",
            expected,
            data.inputs.dims(),
        ));
    }
    if labels.dims() != [n] {
        let expected = format!("({n},), one for each input");
        return Err(Error::shape("train", "labels", expected, labels.dims()));
    }
    let mut state = State::new(params.optimizer, parameters.named())?;
    let average = if params.average {
        Some(Average::new(parameters)?)
    } else {
        None
    };
    let mut history = History::default();
    let (mut checkpoint, mut _origin) = (None, None);
    if let Some(path) = &params.checkpoint {
        let begun = begun(parameters, path)?;
        let run = describe(&begun, loss, data, params)?;
        history = checkpoint::load(path, &run, parameters, &mut state, average.as_ref())?
            .unwrap_or_default();
        (checkpoint, _origin) = (
            Some((path, run)),
            Some(KeepOrigin {
                parameters,
                path,
                begun,
            }),
        );
        if history.epochs.len() > params.epochs {
            let expected = format!(
                "at most {} epochs (ask for more, or move the file away to start again)",
                params.epochs
            );
            return Err(Error::file(
                path,
                expected,
                format!("{} epochs", history.epochs.len()),
            ));
        }
    }

    parameters.begin_histories(vec![history.clone()]);
    let rng = Rng::new(params.seed);
    // One batch of all inputs keeps their order; else the order of an epoch is its own.
    let shuffled = |epoch: usize| -> Result<Batches> {
        let order = rng.stream(format!("epoch {epoch}"));
        let batches = data.shuffled_batches(params.batch_size, order)?;
        Ok(match params.last_batch {
            LastBatch::Drop if n > params.batch_size => batches.drop_last(),
            _ => batches,
        })
    };
    let first = history.epochs.len();
    let begun = Instant::now();
    for epoch in first..params.epochs {
        let mut sums = Sums::default();
        let (epoch_begun, mut reported) = (Instant::now(), Instant::now());
        let drawn = shuffled(epoch)?;
        let batches = drawn.len();
        // Inputs of an epoch.
        let all = n.min(batches * params.batch_size);
        for (batch, drawn) in drawn.enumerate() {
            interrupt::check()?;
            let drawn = drawn?;
            let mut draws = rng.stream(format!("augmentation of epoch {epoch}, batch {batch}"));
            let x = params.augmentation.apply(&drawn.inputs, &mut draws)?;
            let drawn = data.part(x, drawn.labels);
            let factor = params
                .schedule
                .factor(epoch * batches + batch, params.epochs * batches);
            let terms = step(network, loss, &drawn, |gradients| {
                state.step_by(factor, gradients)
            })?;
            sums.add(&terms, &drawn.labels)?;
            if let Some(average) = &average {
                average.add(parameters, epoch * batches + batch + 1)?;
            }

            let last = batch + 1 == batches;
            if !last && reported.elapsed() < REPORT_EVERY {
                continue;
            }
            reported = Instant::now();
            let means = sums.means(epoch_begun.elapsed())?;
            if !means.loss.is_finite() {
                let expected = format!(
                    "finite numbers in epoch {} (a smaller learning rate may help)",
                    epoch + 1
                );
                return Err(Error::argument("loss", expected, means.loss));
            }
            if last {
                check_finite(parameters, epoch + 1)?;
                history.epochs.push(means.clone());
                parameters.add_epoch([means.clone()]);
                if let Some((path, run)) = &checkpoint {
                    checkpoint::save(path, run, parameters, &state, average.as_ref(), &history)?;
                }
            }
            let seen = (epoch - first) * all + sums.images;
            let images_per_second = seen as f64 / begun.elapsed().as_secs_f64();
            let left = (params.epochs - epoch) * all - sums.images;
            let seconds_left = left as f64 / images_per_second;
            let (epoch, epochs, batch) = (epoch + 1, params.epochs, batch + 1);
            observer(&Status {
                epoch,
                epochs,
                batch,
                batches,
                means,
                images_per_second,
                seconds_left,
            });
        }
    }
    if let Some(average) = &average {
        average.apply(parameters)?;
        for (batch, drawn) in shuffled(params.epochs)?
            .cycle()
            .take(REFRESHING)
            .enumerate()
        {
            interrupt::check()?;
            let drawn = drawn?;
            let mut draws = rng.stream(format!("augmentation of refreshing batch {batch}"));
            network.forward(&params.augmentation.apply(&drawn.inputs, &mut draws)?)?;
        }
    }
    Ok(history)
}

/// The losses are those before each step, so they do not tell of the last one.
///
/// # Errors
/// A weight is NaN or infinite after so many epochs.
pub(super) fn check_finite(parameters: &Parameters, epochs: usize) -> Result<()> {
    match parameters.are_finite()? {
        true => Ok(()),
        false => {
            let expected =
                format!("finite after epoch {epochs} (a smaller learning rate may help)");
            Err(Error::argument("weights", expected, "NaN or ∞"))
        }
    }
}

/// One step of training: the loss of a batch and its gradients, which `update` then applies to the
/// weights.
///
/// ```text
/// w ← update(∇_w L(batch))
/// ```
///
/// The terms are those before the step; [`State::step`](crate::optimizers::State::step) is an `update`.
///
/// - **Shapes**: `batch` holds inputs (N, …) as the network takes them and labels (N,) of u32; each
///   term is a scalar ().
/// - **Range**: that of the loss; a loss that is not finite is not refused.
/// - **Source**: the definition.
///
/// # Errors
///
/// As [`Loss::terms`], and those of `update`.
pub fn step(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
    update: impl FnOnce(&GradStore) -> Result<()> + Send,
) -> Result<LossTerms> {
    // On a thread of the pool: a kernel that needs a second one then finds it awake, and waits for
    // no hand-over.
    rayon::scope(|_| {
        let terms = loss.terms(network, batch)?;
        update(&terms.loss.backward()?)?;
        Ok(terms)
    })
}

/// The digest of the weights that the run of a checkpoint begins with: those of now, but if that
/// run was left in this process and its weights are still as it left them, those that it began
/// with.
fn begun(parameters: &Parameters, checkpoint: &Path) -> Result<String> {
    let now = parameters.digest()?;
    Ok(match parameters.origin() {
        Some(origin)
            if checkpoint.exists() && origin.checkpoint == checkpoint && origin.left == now =>
        {
            origin.begun
        }
        _ => now,
    })
}

/// Notes at the end of a run, however it ends, where its weights came from.
struct KeepOrigin<'a> {
    parameters: &'a Parameters,
    path: &'a Path,
    begun: String,
}

impl Drop for KeepOrigin<'_> {
    fn drop(&mut self) {
        // Without a digest the run can still be taken up, by weights drawn anew.
        if let Ok(left) = self.parameters.digest() {
            let (checkpoint, begun) = (self.path.to_path_buf(), std::mem::take(&mut self.begun));
            self.parameters.set_origin(Origin {
                checkpoint,
                begun,
                left,
            });
        }
    }
}

/// What decides the numbers of a run, but for the number of epochs; `begun` is the digest of its
/// initial weights.
fn describe(begun: &str, loss: &dyn Loss, data: &Dataset, params: &TrainParams) -> Result<Run> {
    // All labels, but only some of the images: enough to tell two data sets from one another.
    let some = data.first(100)?.inputs;
    // Only a schedule depends on how long the run will be.
    let schedule = match params.schedule {
        Schedule::Constant => "constant".to_string(),
        cycle => format!("{cycle:?} over {} epochs", params.epochs),
    };
    let mut run = json!({
        "loss": loss.describe(),
        "batch size": params.batch_size,
        "optimizer": format!("{:?}", params.optimizer),
        "schedule": schedule,
        "augmentation": format!("{:?}", params.augmentation),
        "seed": params.seed,
        "shape of the images": data.inputs.dims(),
        "digest of the images": of_numbers(numbers(&some)?),
        "digest of the labels": of_numbers(numbers(&data.labels)?),
        "digest of the initial weights": begun,
    });
    if params.average {
        run["average"] = true.into();
    }
    if params.last_batch != LastBatch::default() {
        run["last batch"] = format!("{:?}", params.last_batch).into();
    }
    if !params.context.is_empty() {
        run["context"] = params.context.as_str().into();
    }
    match run {
        serde_json::Value::Object(run) => Ok(run),
        _ => Ok(Run::new()),
    }
}

/// Sums over the images of an epoch, on the device: reading them every step would wait for it.
#[derive(Default)]
pub(super) struct Sums {
    images: usize,
    loss: Option<Tensor>,
    cross_entropy: Option<Tensor>,
    isometric: Option<Tensor>,
    correct: Option<Tensor>,
}

impl Sums {
    pub(super) fn add(&mut self, terms: &LossTerms, labels: &Tensor) -> Result<()> {
        let count = labels.elem_count();
        let add = |sum: &mut Option<Tensor>, mean: Option<&Tensor>| -> Result<()> {
            if let Some(mean) = mean {
                let value = (mean.detach().to_dtype(DType::F64)? * count as f64)?;
                *sum = Some(match sum {
                    Some(sum) => (&*sum + value)?,
                    None => value,
                });
            }
            Ok(())
        };
        let right = |logits: &Tensor| -> Result<Tensor> {
            Ok(metrics::classes(logits)?
                .eq(labels)?
                .to_dtype(DType::F64)?
                .mean_all()?)
        };
        self.images += count;
        add(&mut self.loss, Some(&terms.loss))?;
        add(&mut self.cross_entropy, terms.cross_entropy.as_ref())?;
        add(&mut self.isometric, terms.isometric.as_ref())?;
        add(
            &mut self.correct,
            terms.logits.as_ref().map(right).transpose()?.as_ref(),
        )
    }

    pub(super) fn means(&self, elapsed: Duration) -> Result<Epoch> {
        let mean = |sum: &Option<Tensor>| -> Result<Option<f64>> {
            Ok(match sum {
                Some(sum) => Some(sum.to_scalar::<f64>()? / self.images as f64),
                None => None,
            })
        };
        Ok(Epoch {
            loss: mean(&self.loss)?.unwrap_or(f64::NAN),
            cross_entropy: mean(&self.cross_entropy)?,
            isometric: mean(&self.isometric)?,
            accuracy: mean(&self.correct)?,
            seconds: elapsed.as_secs_f64(),
        })
    }
}
