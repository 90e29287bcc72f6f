//! Training stacked locally isometric layers.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{Lil, Terms, labels_of};
use crate::models::{Gradient, LayerOutput, LocallyIsometric, Parameters};
use crate::training::train::{Sums, check_finite};
use crate::training::{Adam, AdamParams, Epoch, History, Progress};

/// The parameters of [`train_stack`]; the defaults are the *isometry* paper's for toy sets (section
/// 2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StackParams {
    /// Steps, each on all points; 10,000 by default.
    pub epochs: usize,
    /// The optimiser. The paper names Adam and no learning rate: 1e-3, PyTorch's default, by
    /// default.
    pub adam: AdamParams,
}

impl Default for StackParams {
    fn default() -> Self {
        Self {
            epochs: 10_000,
            adam: AdamParams::default(),
        }
    }
}

/// Trains all layers of `stack`, whose weights are `parameters`, together: each epoch is one step
/// on all of `points` (N, D) along Σ_k L_k, L_k = α·L_CE,k + β·L_ISO,k.
///
/// `labels`: (N,) of u32 for each layer, coarse to fine, each finer one nested in the coarser.
/// `loss` gives α, β and the partition of every layer; its D_M are the distances between the
/// layer's own inputs, its D_Φ those between its representations. With
/// [`Gradient::Cut`](crate::models::Gradient::Cut) L_k trains layer k alone.
///
/// Returns a history for each layer. `progress` is called after every epoch: losses summed over the
/// layers, the least of their accuracies, points for images.
///
/// *isometry* paper, section 3.4.
///
/// # Errors
/// A parameter out of its range, not as many labels as layers, labels that do not nest or are out
/// of range, shapes that do not fit, a loss or weights that are no longer finite, or
/// [`Error::Interrupted`]; the weights then keep the steps that were done, and
/// [`Parameters::histories`] their records.
pub fn train_stack(
    stack: &LocallyIsometric,
    parameters: &Parameters,
    loss: &Lil,
    points: &Tensor,
    labels: &[Tensor],
    params: &StackParams,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<History>> {
    if params.epochs == 0 {
        return Err(Error::argument("epochs", "at least 1", 0));
    }
    check_count(stack, labels)?;
    check_nested(labels)?;
    let mut adam = Adam::new(parameters, params.adam)?;
    let mut histories = vec![History::default(); stack.len()];
    parameters.begin_histories(histories.clone());
    let begun = Instant::now();
    for epoch in 1..=params.epochs {
        interrupt::check()?;
        let epoch_begun = Instant::now();
        let terms = step_stack(stack, loss, points, labels, |gradients| {
            adam.step(gradients)
        })?;
        let elapsed = epoch_begun.elapsed();
        for ((history, terms), labels) in histories.iter_mut().zip(&terms).zip(labels) {
            let mut sums = Sums::default();
            sums.add(terms, labels)?;
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
        let images_per_second = (epoch * points.dim(0)?) as f64 / begun.elapsed().as_secs_f64();
        let seconds_left = ((params.epochs - epoch) * points.dim(0)?) as f64 / images_per_second;
        let epochs = params.epochs;
        progress(&Progress {
            epoch,
            epochs,
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

/// One step of [`train_stack`]: L_k of every layer and the gradients of their sum, which `update`
/// then follows.
///
/// The terms, coarse to fine, are those before the step. Layers with [`Gradient::Cut`] share
/// nothing but their inputs: as soon as a layer's outputs are there, its loss and gradients may be
/// computed beside the next layer's outputs. The same numbers whatever the number of threads.
///
/// # Errors
/// As [`stack_terms`], and those of `update`.
pub fn step_stack(
    stack: &LocallyIsometric,
    loss: &Lil,
    points: &Tensor,
    labels: &[Tensor],
    update: impl FnOnce(&GradStore) -> Result<()> + Send,
) -> Result<Vec<Terms>> {
    check_count(stack, labels)?;
    // On a thread of the pool, as `training::step`.
    rayon::scope(|_| {
        let (terms, gradients) = match stack.gradient() {
            Gradient::Cut => layer_by_layer(stack, loss, points, labels)?,
            Gradient::Through => {
                let terms = stack_terms(stack, loss, points, labels)?;
                let gradients = total(&terms)?.backward()?;
                (terms, gradients)
            }
        };
        update(&gradients)?;
        Ok(terms)
    })
}

/// The terms and gradients of layers that do not reach one another.
fn layer_by_layer(
    stack: &LocallyIsometric,
    loss: &Lil,
    points: &Tensor,
    labels: &[Tensor],
) -> Result<(Vec<Terms>, GradStore)> {
    let follow = |out: &LayerOutput, labels: &Tensor| -> Result<(Terms, GradStore)> {
        let terms = terms_of(loss, out, labels)?;
        let gradients = terms.loss.backward()?;
        Ok((terms, gradients))
    };
    let mut layers: Vec<Option<Result<(Terms, GradStore)>>> = labels.iter().map(|_| None).collect();
    rayon::scope(|scope| -> Result<()> {
        let mut before: Option<LayerOutput> = None;
        for (index, (layer, labels)) in layers.iter_mut().zip(labels).enumerate() {
            let out = stack.output(index, points, before.as_ref())?;
            before = Some(out.clone());
            scope.spawn(move |_| *layer = Some(follow(&out, labels)));
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

/// L_k of every layer with its parts, coarse to fine; see [`train_stack`].
///
/// # Errors
/// Not as many labels as layers, labels out of range, or shapes that do not fit.
pub fn stack_terms(
    stack: &LocallyIsometric,
    loss: &Lil,
    points: &Tensor,
    labels: &[Tensor],
) -> Result<Vec<Terms>> {
    check_count(stack, labels)?;
    let outputs = stack.outputs(points)?;
    let pairs = outputs.iter().zip(labels);
    pairs
        .map(|(out, labels)| terms_of(loss, out, labels))
        .collect()
}

fn terms_of(loss: &Lil, out: &LayerOutput, labels: &Tensor) -> Result<Terms> {
    loss.terms_of(&out.input, &out.representation, &out.logits, labels)
}

fn check_count(stack: &LocallyIsometric, labels: &[Tensor]) -> Result<()> {
    if labels.len() != stack.len() {
        return Err(Error::argument(
            "labels",
            format!("{}, one for each layer", stack.len()),
            labels.len(),
        ));
    }
    Ok(())
}

/// Whether each finer class lies in one coarser class.
///
/// # Errors
/// Two points that share a finer class and not the coarser one, or labels that are not (N,) of u32
/// with one N.
pub fn check_nested(labels: &[Tensor]) -> Result<()> {
    let n = labels.first().map_or(0, Tensor::elem_count);
    let levels = labels
        .iter()
        .map(|labels| labels_of(labels, n))
        .collect::<Result<Vec<_>>>()?;
    for (level, pair) in levels.windows(2).enumerate() {
        let mut parents = BTreeMap::new();
        for (coarse, fine) in pair[0].iter().zip(&pair[1]) {
            let parent = *parents.entry(fine).or_insert(coarse);
            if parent != coarse {
                let expected = "labels that nest: each finer class inside one coarser class";
                let got = format!(
                    "class {fine} of level {} lies in both {parent} and {coarse}",
                    level + 1
                );
                return Err(Error::argument("labels", expected, got));
            }
        }
    }
    Ok(())
}

/// Σ_k L_k.
fn total(terms: &[Terms]) -> Result<Tensor> {
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
