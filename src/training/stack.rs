//! Training stacked locally isometric layers.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{IsometricLoss, LossTerms};
use crate::models::{LayerOutput, LocallyIsometric, Model};
use crate::optimizers::{AdamParams, State};
use crate::progress::Progress;
use crate::training::train::{Sums, check_finite};
use crate::training::{Epoch, History, Observer, Status};

/// The parameters of [`train_stack`]; the defaults are the *isometry* paper's for toy sets (section
/// 2.2).
#[derive(Clone, Debug)]
pub struct StackParams {
    /// The number of steps, each on all points; 10,000 by default.
    pub epochs: usize,
    /// The optimiser. The paper names Adam and no learning rate: 1e-3, PyTorch's default, by
    /// default.
    pub adam: AdamParams,
    /// Whether a progress bar shows how far the training has come; shown by default.
    pub progress: Progress,
    /// The observer that is called in place of the progress bar; none by default.
    pub observer: Option<Observer>,
}

impl Default for StackParams {
    fn default() -> Self {
        Self {
            epochs: 10_000,
            adam: AdamParams::default(),
            progress: Progress::default(),
            observer: None,
        }
    }
}

/// Trains all layers of a stack together, each with its own labels, and gives a history for each
/// layer.
///
/// ```text
/// L = Σ_k L_k,    L_k = α·L_CE,k + β·L_ISO,k
/// ```
///
/// Each epoch is one step of Adam on all points. `levels` holds the points with the labels of each
/// layer, coarse to fine; each finer class lies in one coarser class. `loss` gives α, β and the
/// partition of every layer; its D_M are the distances between the layer's own inputs, its D_Φ
/// those between its representations. Where the stack [stops the
/// gradient](crate::models::LocallyIsometricParams::stop_gradient), L_k trains layer k alone.
///
/// The progress bar and the observer get the sum of the layers' losses, and the least of their
/// accuracies.
///
/// - **Shapes**: a level for each layer, of the same points (N, D) and labels (N,) of u32; a
///   history for each layer with a record for each epoch.
/// - **Range**: losses and weights stay finite, or the training ends with an error.
/// - **Source**: *isometry*, section 3.4.
///
/// # Errors
///
/// A parameter out of its range, not as many levels as layers, levels of different points, labels
/// that do not nest or are out of range, shapes that do not fit, a loss or weights that are no
/// longer finite, or [`Error::Interrupted`]; the weights then keep the steps that were done, and
/// [`Parameters::histories`](crate::models::Parameters::histories) their records.
///
/// # Examples
///
/// ```
/// use isopath::models::{LocallyIsometric, LocallyIsometricParams};
/// use isopath::prelude::*;
/// use isopath::training::{StackParams, train_stack};
///
/// let torus = TorusParams { toroidal: 8, poloidal: 4, regions: vec![2, 4], ..Default::default() };
/// let params = LocallyIsometricParams { classes: vec![2, 4], ..Default::default() };
/// let stack = Model::new(0, move |vb| LocallyIsometric::new(&params, vb))?;
/// let params = StackParams { epochs: 3, ..StackParams::default() };
/// let levels = datasets::torus(&torus)?.levels()?;
/// let histories = train_stack(&stack, &levels, &IsometricLoss::new(1.), &params)?;
/// assert_eq!(histories.len(), 2);
/// assert!(histories.iter().all(|layer| layer.epochs[2].loss < layer.epochs[0].loss));
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn train_stack(
    stack: &Model<LocallyIsometric>,
    levels: &[Dataset],
    loss: &IsometricLoss,
    params: &StackParams,
) -> Result<Vec<History>> {
    let mut observer = Observer::of(params.observer.as_ref(), &params.progress);
    train_stack_observed(stack, levels, loss, params, &mut *observer)
}

/// [`train_stack`] with `observer` in place of the one of the parameters.
pub(crate) fn train_stack_observed(
    stack: &Model<LocallyIsometric>,
    levels: &[Dataset],
    loss: &IsometricLoss,
    params: &StackParams,
    observer: &mut dyn FnMut(&Status),
) -> Result<Vec<History>> {
    checks::at_least_one("epochs", params.epochs)?;
    let points = check_levels(stack, levels)?.dim(0)?;
    check_nested(levels)?;
    let parameters = stack.parameters();
    let mut adam = State::new(params.adam, parameters.named())?;
    let mut histories = vec![History::default(); stack.len()];
    parameters.begin_histories(histories.clone());
    let begun = Instant::now();
    for epoch in 1..=params.epochs {
        interrupt::check()?;
        let epoch_begun = Instant::now();
        let terms = step_stack(stack, levels, loss, |gradients| adam.step(gradients))?;
        let elapsed = epoch_begun.elapsed();
        for ((history, terms), level) in histories.iter_mut().zip(&terms).zip(levels) {
            let mut sums = Sums::default();
            sums.add(terms, &level.labels)?;
            history.epochs.push(sums.means(elapsed)?);
        }
        parameters.add_epoch(
            histories
                .iter()
                .filter_map(|history| history.epochs.last().cloned()),
        );
        let means = together(&histories);
        if !means.loss.is_finite() {
            let expected =
                format!("finite numbers in epoch {epoch} (a smaller learning rate may help)");
            return Err(Error::argument("loss", expected, means.loss));
        }
        let images_per_second = (epoch * points) as f64 / begun.elapsed().as_secs_f64();
        let seconds_left = ((params.epochs - epoch) * points) as f64 / images_per_second;
        observer(&Status {
            epoch,
            epochs: params.epochs,
            batch: 1,
            batches: 1,
            means,
            images_per_second,
            seconds_left,
        });
    }
    check_finite(parameters, params.epochs)?;
    Ok(histories)
}

/// One step of [`train_stack`]: the loss of every layer and the gradients of their sum, which
/// `update` then applies to the weights.
///
/// ```text
/// w ← update(∇_w Σ_k L_k)
/// ```
///
/// The terms are those before the step. Layers without each other's gradients share nothing but
/// their inputs: as soon as a layer's outputs are there, its loss and gradients may be computed
/// beside the next layer's outputs. The same numbers whatever the number of threads.
///
/// - **Shapes**: as [`train_stack`]; the terms of each layer, coarse to fine, each a scalar ().
/// - **Range**: ≥ 0.
/// - **Source**: *isometry*, section 3.4.
///
/// # Errors
///
/// As [`stack_terms`], and those of `update`.
pub fn step_stack(
    stack: &LocallyIsometric,
    levels: &[Dataset],
    loss: &IsometricLoss,
    update: impl FnOnce(&GradStore) -> Result<()> + Send,
) -> Result<Vec<LossTerms>> {
    let points = check_levels(stack, levels)?;
    // On a thread of the pool, as `training::step`.
    rayon::scope(|_| {
        let (terms, gradients) = if stack.stops_gradient() {
            layer_by_layer(stack, points, levels, loss)?
        } else {
            let terms = stack_terms(stack, levels, loss)?;
            let gradients = total(&terms)?.backward()?;
            (terms, gradients)
        };
        update(&gradients)?;
        Ok(terms)
    })
}

/// The terms and gradients of layers that do not reach one another.
fn layer_by_layer(
    stack: &LocallyIsometric,
    points: &Tensor,
    levels: &[Dataset],
    loss: &IsometricLoss,
) -> Result<(Vec<LossTerms>, GradStore)> {
    let follow = |out: &LayerOutput, labels: &Tensor| -> Result<(LossTerms, GradStore)> {
        let terms = terms_of(loss, out, labels)?;
        let gradients = terms.loss.backward()?;
        Ok((terms, gradients))
    };
    let mut layers: Vec<Option<Result<(LossTerms, GradStore)>>> =
        levels.iter().map(|_| None).collect();
    rayon::scope(|scope| -> Result<()> {
        let mut before: Option<LayerOutput> = None;
        for (index, (layer, level)) in layers.iter_mut().zip(levels).enumerate() {
            let out = stack.output(index, points, before.as_ref())?;
            before = Some(out.clone());
            scope.spawn(move |_| *layer = Some(follow(&out, &level.labels)));
        }
        Ok(())
    })?;
    let (mut terms, mut gradients) = (Vec::with_capacity(layers.len()), GradStore::default());
    for layer in layers.into_iter().flatten() {
        let (own, of_own) = layer?;
        terms.push(own);
        gradients.extend(of_own)?;
    }
    Ok((terms, gradients))
}

/// The loss of every layer of a stack with its terms, coarse to fine.
///
/// ```text
/// L_k = α·L_CE,k + β·L_ISO,k
/// ```
///
/// - **Shapes**: as [`train_stack`]; each term is a scalar ().
/// - **Range**: ≥ 0.
/// - **Source**: *isometry*, section 3.4.
///
/// # Errors
///
/// Not as many levels as layers, labels out of range, or shapes that do not fit.
pub fn stack_terms(
    stack: &LocallyIsometric,
    levels: &[Dataset],
    loss: &IsometricLoss,
) -> Result<Vec<LossTerms>> {
    let outputs = stack.outputs(check_levels(stack, levels)?)?;
    let pairs = outputs.iter().zip(levels);
    pairs
        .map(|(out, level)| terms_of(loss, out, &level.labels))
        .collect()
}

fn terms_of(loss: &IsometricLoss, out: &LayerOutput, labels: &Tensor) -> Result<LossTerms> {
    loss.terms_of(&out.input, &out.representation, &out.logits, labels)
}

/// The points of a level for each layer, all the same.
fn check_levels<'a>(stack: &LocallyIsometric, levels: &'a [Dataset]) -> Result<&'a Tensor> {
    let Some(first) = levels.first().filter(|_| levels.len() == stack.len()) else {
        let expected = format!("{}, one for each layer", stack.len());
        return Err(Error::argument("number of levels", expected, levels.len()));
    };
    let points = &first.inputs;
    match levels
        .iter()
        .find(|level| level.inputs.dims() != points.dims())
    {
        Some(other) => {
            let expected = format!("{:?}, the same points at every level", points.dims());
            Err(Error::shape(
                "train_stack",
                "inputs",
                expected,
                other.inputs.dims(),
            ))
        }
        None => Ok(points),
    }
}

/// Checks that labels nest: each finer class lies in one coarser class.
///
/// ```text
/// t_i^{k+1} = t_j^{k+1}  ⟹  t_i^k = t_j^k
/// ```
///
/// - **Shapes**: levels from coarse to fine, each with labels (N,) of u32.
/// - **Range**: any labels.
/// - **Source**: *isometry*, section 3.4: "with different degrees of coarseness across layers".
///
/// # Errors
///
/// Two points that share a finer class and not the coarser one, or labels that are not (N,) of u32
/// with one N.
pub fn check_nested(levels: &[Dataset]) -> Result<()> {
    let n = levels.first().map_or(0, Dataset::len);
    let labels = |level: &Dataset| checks::labels("check_nested", &level.labels, n, None);
    let labels = levels.iter().map(labels).collect::<Result<Vec<_>>>()?;
    for (level, pair) in labels.windows(2).enumerate() {
        let mut parents = BTreeMap::new();
        for (coarse, fine) in pair[0].iter().zip(&pair[1]) {
            let parent = *parents.entry(fine).or_insert(coarse);
            if parent != coarse {
                let expected = "labels that nest: each finer class inside one coarser class";
                let got = format!(
                    "broken: class {fine} of level {} lies in both class {parent} and class {coarse} of \
                     level {level}",
                    level + 1
                );
                return Err(Error::argument("nesting of the labels", expected, got));
            }
        }
    }
    Ok(())
}

/// Σ_k L_k.
fn total(terms: &[LossTerms]) -> Result<Tensor> {
    let losses: Vec<Tensor> = terms.iter().map(|terms| terms.loss.clone()).collect();
    Ok(Tensor::stack(&losses, 0)?.sum_all()?)
}

/// The last epoch of all layers together.
fn together(histories: &[History]) -> Epoch {
    let last = || histories.iter().filter_map(|history| history.epochs.last());
    let sum = |part: fn(&Epoch) -> Option<f64>| last().map(part).sum::<Option<f64>>();
    Epoch {
        loss: last().map(|epoch| epoch.loss).sum(),
        cross_entropy: sum(|epoch| epoch.cross_entropy),
        isometric: sum(|epoch| epoch.isometric),
        accuracy: last().filter_map(|epoch| epoch.accuracy).reduce(f64::min),
        seconds: last().map(|epoch| epoch.seconds).fold(0., f64::max),
    }
}
