//! Scores of a network's answers, of the shape of its representations, and of a picture of points.

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

/// The class of the largest logit in every row, the first of equals: `logits` (N, classes) give
/// (N,) of u32.
///
/// # Errors
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
        return Err(Error::argument("logits", "numbers", f64::NAN));
    }
    classes(logits)
}

/// Inputs that go through a network together.
const BATCH: usize = 200;

/// The class that `network` gives each of `inputs` (N, …): (N,) of u32. A moving line counts them where
/// it takes long.
///
/// # Errors
/// No inputs, inputs that the network does not take, or logits that are NaN.
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
    let answers = (0..n).step_by(BATCH).map(|start| {
        interrupt::check()?;
        let size = BATCH.min(n - start);
        let found = decided(&network.forward(&inputs.narrow(0, start, size)?)?)?;
        bar.add(size as f64);
        Ok(found)
    });
    Ok(Tensor::cat(&answers.collect::<Result<Vec<_>>>()?, 0)?)
}

/// The share of `data` that `network` gives the class its label names: in [0, 1].
///
/// # Errors
/// As [`predictions`], or labels that are not (N,) of u32.
pub fn accuracy(network: &dyn Network, data: &Dataset) -> Result<f64> {
    accuracy_of(&predictions(network, &data.inputs)?, data)
}

/// The share of `data` whose label is the class in `answers`, [`predictions`] (N,) of a network: in
/// [0, 1].
///
/// # Errors
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

/// The inputs that `network` gives the class their label names.
///
/// # Errors
/// As [`accuracy`], or there are none.
pub fn correctly_classified(network: &dyn Network, data: &Dataset) -> Result<Dataset> {
    let answers = predictions(network, &data.inputs)?.to_vec1::<u32>()?;
    let labels = checks::labels("correctly_classified", &data.labels, data.len(), None)?;
    let rows: Vec<usize> = (0..data.len())
        .filter(|row| answers[*row] == labels[*row])
        .collect();
    match rows.is_empty() {
        true => {
            let expected = "one that gives at least one input its label";
            Err(Error::argument(
                "network",
                expected,
                "wrong about all of them",
            ))
        }
        false => data.select(&rows),
    }
}

/// What a network says to one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The class of the largest logit, the first of equals.
    pub class: u32,
    /// Its probability, the softmax of the logits, in \[0, 1\].
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

/// The probability of each class, the softmax of the logits: `inputs` (N, …) give (N, classes).
///
/// # Errors
/// As [`predictions`].
pub fn probabilities(network: &dyn Network, inputs: &Tensor) -> Result<Tensor> {
    probabilities_from(network, Representation::Input, inputs)
}

/// [`probabilities`] of points `z` (N, …) that are representations of the network.
///
/// # Errors
/// As [`predictions`], or a representation that the network does not have.
pub fn probabilities_from(
    network: &dyn Network,
    representation: Representation,
    z: &Tensor,
) -> Result<Tensor> {
    let network = evaluation(network)?;
    let index = representation.index(network.stages())?;
    Ok(candle_nn::ops::softmax(
        &network.forward_from(index, z)?,
        D::Minus1,
    )?)
}

/// How far the neighbours in `embedding` (N, E) are neighbours in `x` (N, D), too: in [0, 1], 1 if
/// all are.
///
/// T = 1 − 2 / (N k (2N − 3k − 1)) · Σ_i Σ_j max(0, r_ij − k) over the k nearest j of each i in the
/// embedding, r_ij the rank of j among the neighbours of i in `x`, from 1; k is `n_neighbors`.
/// Euclidean distances; of equally near points the first in the data counts as nearer. Venna and
/// Kaski 2001; scikit-learn's `trustworthiness`.
///
/// # Errors
/// Not as many rows in both, no rows or columns, a number that is not finite, or `n_neighbors` 0 or
/// not below N/2; so many points that it would take days (N²·D above 10¹³).
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
