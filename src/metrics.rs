//! Metrics: scores of a network's answers, of the shape of its representations, and of an embedding
//! in the plane.

mod shape;

pub use shape::{
    Loop, correlation, distances_within, members, most_prominent_loop, pair_distances, stress,
};

use candle_core::{D, DType, Tensor};
use ndarray::Array2;
use rayon::prelude::*;

use crate::checks;
use crate::datasets::Dataset;
use crate::embedding::{check_size, distances_from, others_by_distance, points};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::{Network, Representation, evaluation};
use crate::progress::Bar;

/// The class with the largest logit in each row, the first one if several are equal.
///
/// ```text
/// c_i = argmax_k logits_ik
/// ```
///
/// - **Shapes**: `logits` (N, classes); the result (N,) of u32.
/// - **Range**: from 0 to classes − 1. NaN is not refused; [`predictions`] refuses it.
/// - **Source**: the definition.
///
/// # Errors
///
/// `logits` is no matrix, or has no columns.
pub fn classes(logits: &Tensor) -> Result<Tensor> {
    match *logits.dims() {
        [_, classes] if classes > 0 => Ok(logits.detach().argmax(D::Minus1)?),
        _ => Err(Error::shape(
            "classes",
            "logits",
            "(N, classes), classes not 0",
            logits.dims(),
        )),
    }
}

/// [`classes`], but of numbers: of a row of NaN the largest would be the first.
///
/// # Errors
/// As [`classes`], or a logit that is NaN.
pub(crate) fn decided(logits: &Tensor) -> Result<Tensor> {
    // Each by itself: a sum of huge ones might be ∞ − ∞.
    let holes = logits.ne(logits)?.to_dtype(DType::F64)?.sum_all()?;
    if holes.to_scalar::<f64>()? > 0. {
        let expected = "a number; check the inputs and the weights for NaN";
        return Err(Error::argument("logit", expected, f64::NAN));
    }
    classes(logits)
}

/// Inputs that go through a network together.
const BATCH: usize = 200;

/// The class that a network predicts for each input.
///
/// ```text
/// c_i = argmax_k f_k(x_i)
/// ```
///
/// The network answers in evaluation mode, 200 inputs at a time; a progress bar counts them where it
/// takes long.
///
/// - **Shapes**: `inputs` (N, …), N ≥ 1, as the network takes them; the result (N,) of u32.
/// - **Range**: below the number of the network's logits; the first of equally large logits.
/// - **Source**: the definition.
///
/// # Errors
///
/// No inputs, inputs that the network does not take, or logits that are NaN.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[3, 8, 2], Activation::Tanh, vb))?;
/// let points = Tensor::zeros((5, 3), DType::F32, &device::best())?;
/// assert_eq!(predictions(&network, &points)?.dims(), [5]);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn predictions(network: &dyn Network, inputs: &Tensor) -> Result<Tensor> {
    Ok(decisions(network, inputs)?.0)
}

/// [`predictions`], and the number of classes.
fn decisions(network: &dyn Network, inputs: &Tensor) -> Result<(Tensor, usize)> {
    let n = match inputs.dims().first() {
        Some(&n) if n > 0 => n,
        _ => {
            let expected = "(N, …), N at least 1";
            return Err(Error::shape(
                "predictions",
                "inputs",
                expected,
                inputs.dims(),
            ));
        }
    };
    let network = evaluation(network)?;
    let bar = Bar::slow("predictions").of(n, "inputs");
    let mut classes = 0;
    let answers = (0..n).step_by(BATCH).map(|start| {
        interrupt::check()?;
        let size = BATCH.min(n - start);
        let logits = network.forward(&inputs.narrow(0, start, size)?)?;
        let found = decided(&logits)?;
        classes = logits.dim(1)?;
        bar.add(size as f64);
        Ok(found)
    });
    let answers = answers.collect::<Result<Vec<_>>>()?;
    Ok((Tensor::cat(&answers, 0)?, classes))
}

/// The accuracy of a network: the share of a data set that it classifies as labelled.
///
/// ```text
/// accuracy = (1/N) Σ_i [argmax_k f_k(x_i) = t_i]
/// ```
///
/// - **Shapes**: inputs (N, …) as the network takes them, labels (N,) of u32; the result a number.
/// - **Range**: in [0, 1].
/// - **Source**: the definition.
///
/// # Errors
///
/// As [`predictions`], or labels that are not (N,) of u32 below the number of classes.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[3, 8, 2], Activation::Tanh, vb))?;
/// let points = Rng::new(0).normal((20, 3), 0., 1., DType::F32, &device::best())?;
/// let own_answers = Dataset::new(points.clone(), predictions(&network, &points)?)?;
/// assert_eq!(accuracy(&network, &own_answers)?, 1.);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn accuracy(network: &dyn Network, data: &Dataset) -> Result<f64> {
    let (answers, classes) = decisions(network, &data.inputs)?;
    checks::labels("accuracy", &data.labels, data.len(), Some(classes))?;
    accuracy_of(&answers, data)
}

/// The accuracy of known predictions: the share of a data set that they classify as labelled.
///
/// ```text
/// accuracy = (1/N) Σ_i [c_i = t_i]
/// ```
///
/// - **Shapes**: `answers` (N,) of u32, as [`predictions`] gives them, and labels (N,) of u32; the
///   result a number.
/// - **Range**: in [0, 1].
/// - **Source**: the definition.
///
/// # Errors
///
/// Answers or labels that are not (N,) of u32.
pub fn accuracy_of(answers: &Tensor, data: &Dataset) -> Result<f64> {
    let n = data.len();
    let labels = &data.labels;
    for (name, classes) in [("answers", answers), ("labels", labels)] {
        if classes.dims() != [n] || classes.dtype() != DType::U32 {
            let expected = format!("({n},) of U32, one for each input");
            return Err(Error::shape("accuracy", name, expected, classes.dims()));
        }
    }
    let correct = answers
        .eq(labels)?
        .to_dtype(DType::F64)?
        .sum_all()?
        .to_scalar::<f64>()?;
    Ok(correct / n as f64)
}

/// The part of a data set that a network classifies correctly, in the data's order.
///
/// ```text
/// { (x_i, t_i) : argmax_k f_k(x_i) = t_i }
/// ```
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the result holds n ≤ N of both.
/// - **Range**: n ≥ 1; the classes' names are the data's.
/// - **Source**: the definition.
///
/// # Errors
///
/// As [`predictions`], labels that are not (N,) of u32, or not one input is classified correctly.
pub fn correctly_classified(network: &dyn Network, data: &Dataset) -> Result<Dataset> {
    let answers = predictions(network, &data.inputs)?.to_vec1::<u32>()?;
    let labels = checks::labels("correctly_classified", &data.labels, data.len(), None)?;
    let rows: Vec<usize> = (0..data.len())
        .filter(|row| answers[*row] == labels[*row])
        .collect();
    match rows.is_empty() {
        true => {
            let expected =
                "one that classifies at least one input correctly; train it, or check the labels";
            Err(Error::argument(
                "network",
                expected,
                "wrong about all inputs",
            ))
        }
        false => data.select(&rows),
    }
}

/// A network's answer to one input: the class with the largest probability, and that probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The class with the largest logit, the first one if several are equal.
    pub class: u32,
    /// The probability of that class, the softmax of the logits, in \[0, 1\].
    pub probability: f64,
}

impl Answer {
    /// The answers behind logits (N, classes).
    pub(crate) fn of(logits: &Tensor) -> Result<Vec<Self>> {
        let classes = decided(logits)?.to_vec1::<u32>()?;
        let probabilities = candle_nn::ops::softmax(&logits.to_dtype(DType::F64)?, D::Minus1)?;
        let largest = probabilities.max(D::Minus1)?.to_vec1::<f64>()?;
        let both = classes.into_iter().zip(largest);
        Ok(both
            .map(|(class, probability)| Self { class, probability })
            .collect())
    }
}

/// The probability of each class for each input: the softmax of a network's logits.
///
/// ```text
/// p_ik = exp(f_k(x_i)) / Σ_j exp(f_j(x_i))
/// ```
///
/// The network answers in evaluation mode, 200 inputs at a time.
///
/// - **Shapes**: `inputs` (N, …) as the network takes them; the result (N, classes) of the logits'
///   type.
/// - **Range**: in [0, 1]; each row sums to 1 up to rounding. Logits that are not finite give NaN.
/// - **Source**: the definition.
///
/// # Errors
///
/// Inputs that the network does not take, or a network that cannot leave training mode.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[3, 8, 2], Activation::Tanh, vb))?;
/// let points = Tensor::zeros((5, 3), DType::F32, &device::best())?;
/// let sums = probabilities(&network, &points)?.sum(1)?.to_vec1::<f32>()?;
/// assert!(sums.iter().all(|sum| (sum - 1.).abs() < 1e-6));
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn probabilities(network: &dyn Network, inputs: &Tensor) -> Result<Tensor> {
    probabilities_from(network, Representation::Input, inputs)
}

/// The probability of each class for points that are representations inside a network.
///
/// ```text
/// p_ik = softmax_k(f_{l:L}(z_i))
/// ```
///
/// [`probabilities`] where the representation is the input.
///
/// - **Shapes**: `z` (N, …) as the network's representation l; the result (N, classes).
/// - **Range**: in [0, 1]; each row sums to 1 up to rounding.
/// - **Source**: *connectivity*, section 3, for f_{l:L}.
///
/// # Errors
///
/// A representation that the network does not have, points that do not fit it, or a network that
/// cannot leave training mode.
pub fn probabilities_from(
    network: &dyn Network,
    representation: Representation,
    z: &Tensor,
) -> Result<Tensor> {
    let network = evaluation(network)?;
    let index = representation.index(network.stages())?;
    let n = z.dims().first().copied().unwrap_or(0);
    let mut rows = Vec::with_capacity(n.div_ceil(BATCH));
    // At least once, so that a network can say what it expects of no points.
    for first in (0..n.max(1)).step_by(BATCH) {
        interrupt::check()?;
        let batch = if n <= BATCH {
            z.clone()
        } else {
            z.narrow(0, first, BATCH.min(n - first))?
        };
        let logits = network.forward_from(index, &batch)?;
        rows.push(candle_nn::ops::softmax(&logits, D::Minus1)?);
    }
    Ok(Tensor::cat(&rows, 0)?)
}

/// The trustworthiness of an embedding: whether a point's neighbours in the plane are its
/// neighbours in the data, too.
///
/// ```text
/// T = 1 − 2 / (N k (2N − 3k − 1)) · Σ_i Σ_{j ∈ U_i} max(0, r_ij − k)
/// ```
///
/// U_i holds the k = `n_neighbors` nearest points of i in `embedding`, and r_ij is the rank of j
/// among the neighbours of i in `x`, from 1. Distances are Euclidean; of equally near points the
/// first in the data counts as nearer.
///
/// - **Shapes**: `x` (N, D), `embedding` (N, E), 2k < N; the result a number.
/// - **Range**: in [0, 1]; 1 where all neighbours in the picture are neighbours in the data.
/// - **Source**: Venna & Kaski 2001; scikit-learn's `trustworthiness`.
///
/// # Errors
///
/// Not as many rows in both, no rows or columns, a number that is not finite, or `n_neighbors` 0 or
/// not below N/2; so many points that it would take days (N²·D above 10¹³).
///
/// # Examples
///
/// ```
/// use isopath::metrics::trustworthiness;
/// use isopath::{candle::{Device, Tensor}, ndarray::arr2};
///
/// let line = Tensor::new(&[[0f64], [1.], [2.], [3.], [4.]], &Device::Cpu)?;
/// let kept = arr2(&[[0.], [2.], [4.], [6.], [8.]]);
/// let mixed = arr2(&[[0.], [6.], [2.], [8.], [4.]]);
/// assert_eq!(trustworthiness(&line, &kept, 1)?, 1.);
/// assert!(trustworthiness(&line, &mixed, 1)? < 1.);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn trustworthiness(x: &Tensor, embedding: &Array2<f64>, n_neighbors: usize) -> Result<f64> {
    check_size(x, n_neighbors)?;
    let x = points(x)?;
    let n = x.dim(0)?;
    if embedding.nrows() != n {
        let expected = format!("({n}, E), a row for each of x");
        return Err(Error::shape(
            "trustworthiness",
            "embedding",
            expected,
            embedding.shape(),
        ));
    }
    if n_neighbors == 0 || 2 * n_neighbors >= n {
        let expected = format!("at least 1 and below {n}/2, half the number of points");
        return Err(Error::argument("n_neighbors", expected, n_neighbors));
    }
    let flat: Vec<f64> = embedding.iter().copied().collect();
    let embedding = points(&Tensor::from_vec(flat, embedding.dim(), x.device())?)?;
    let bar = Bar::slow("trustworthiness").of(n, "points");
    let penalty = |point: usize| -> Result<usize> {
        let mut rank = vec![0; n];
        for (index, other) in others_by_distance(&distances_from(&x, point)?, point)
            .into_iter()
            .enumerate()
        {
            rank[other] = index + 1;
        }
        let near = others_by_distance(&distances_from(&embedding, point)?, point)
            .into_iter()
            .take(n_neighbors);
        bar.add(1.);
        Ok(near
            .map(|other| rank[other].saturating_sub(n_neighbors))
            .sum())
    };
    let penalties = (0..n)
        .into_par_iter()
        .map(penalty)
        .collect::<Result<Vec<usize>>>()?;
    let (n, k) = (n as f64, n_neighbors as f64);
    Ok(1. - penalties.into_iter().sum::<usize>() as f64 * 2. / (n * k * (2. * n - 3. * k - 1.)))
}
