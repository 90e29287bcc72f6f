//! The pairs of inputs to connect.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::checks;
use crate::datasets::Dataset;
use crate::device;
use crate::error::{Error, Result};
use crate::models::enlarge;
use crate::rng::Rng;

/// Two inputs and the class that a path between them must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The class that a path must not leave.
    pub class: u32,
    /// The places of both inputs in their data set, from 0.
    pub index: [usize; 2],
}

/// Pairs of the inputs of a data set.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// The data set that the indices of the pairs refer to.
    pub data: Dataset,
    /// The pairs, in order.
    pub pairs: Vec<Pair>,
}

impl Pairs {
    /// Makes a pair of the two inputs of `data`, which are of one class.
    ///
    /// # Errors
    /// Not two inputs, or two of different classes.
    pub fn of_two(data: &Dataset) -> Result<Self> {
        let labels = checks::labels("pair", &data.labels, data.len(), None)?;
        match labels[..] {
            [one, other] if one == other => Ok(Self {
                data: data.clone(),
                pairs: vec![Pair {
                    class: one,
                    index: [0, 1],
                }],
            }),
            [one, other] => {
                let got = format!("{} and {}", data.class_name(one), data.class_name(other));
                Err(Error::argument("pair", "two inputs of one class", got))
            }
            _ => {
                let got = format!("{} inputs", labels.len());
                Err(Error::argument("pair", "two inputs of one class", got))
            }
        }
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The first `count` pairs; all, if there are fewer.
    pub fn first(&self, count: usize) -> Self {
        self.with(self.pairs.iter().take(count).copied())
    }

    /// Makes other pairs of the same data.
    pub fn with(&self, pairs: impl IntoIterator<Item = Pair>) -> Self {
        Self {
            data: self.data.clone(),
            pairs: pairs.into_iter().collect(),
        }
    }

    /// Both inputs of one pair.
    ///
    /// # Errors
    /// There is no such pair, or no input of its index.
    pub fn get(&self, pair: usize) -> Result<Dataset> {
        match self.pairs.get(pair) {
            Some(pair) => self.data.select(&pair.index),
            None => {
                let expected = format!("below {}, the number of pairs", self.len());
                Err(Error::argument("pair", expected, pair))
            }
        }
    }

    /// The class of each pair.
    pub fn classes(&self) -> Vec<u32> {
        self.pairs.iter().map(|pair| pair.class).collect()
    }

    /// The first and the second input of every pair, each (pairs, …).
    ///
    /// # Errors
    /// No pairs, or an index that there is not.
    pub fn ends(&self) -> Result<[Tensor; 2]> {
        Self::ends_of(&self.data, &self.pairs, None)
    }

    /// [`Pairs::ends`] of some pairs of `data`, images enlarged to a side.
    pub(crate) fn ends_of(
        data: &Dataset,
        pairs: &[Pair],
        side: Option<usize>,
    ) -> Result<[Tensor; 2]> {
        let (inputs, count) = (&data.inputs, data.len());
        let select = |end: usize| {
            let index = |pair: &Pair| match pair.index[end] {
                index if index < count => Ok(index as u32),
                index => {
                    let expected = format!("below {count}, the number of inputs");
                    Err(Error::argument("index", expected, index))
                }
            };
            let rows = pairs.iter().map(index).collect::<Result<Vec<u32>>>()?;
            let rows = device::rows(inputs, &rows)?;
            match side {
                Some(side) => enlarge(&rows, side),
                None => Ok(rows),
            }
        };
        if pairs.is_empty() {
            return Err(Error::argument("pairs", "at least one", "none"));
        }
        Ok([select(0)?, select(1)?])
    }
}

/// Chooses pairs of inputs of one class that several networks all classify correctly.
///
/// The classes take turns, as long as they have inputs left, and no input is in two pairs. A larger
/// `count` only adds pairs to those of a smaller one, and a class's inputs are drawn from `seed`
/// and the class alone.
///
/// - **Shapes**: `predictions` has each network's [answers](crate::metrics::predictions) to the
///   data, (N,) of u32; the result has `count` pairs.
/// - **Range**: each index is below N.
/// - **Source**: ours; *connectivity*, section 4, does not say how its 25 pairs were chosen.
///
/// # Errors
///
/// No predictions, not as many as inputs, no pair asked for, or fewer pairs than that.
pub fn choose_pairs(
    data: &Dataset,
    predictions: &[&Tensor],
    count: usize,
    seed: u64,
) -> Result<Pairs> {
    let (labels, predictions) = check(data, predictions, count)?;
    let rng = Rng::new(seed).stream("pairs");
    let right = |class: u32| {
        let is = move |all: &[u32], at: usize| all[at] == class;
        let (labels, predictions) = (&labels, &predictions);
        move |at: &usize| is(labels, *at) && predictions.iter().all(|all| is(all, *at))
    };
    let of_class = |class: u32| {
        let inputs = (0..labels.len()).filter(right(class)).collect();
        let inputs = shuffled(inputs, &rng, class);
        let pair = |two: &[usize]| Pair {
            class,
            index: [two[0], two[1]],
        };
        inputs.chunks_exact(2).map(pair).collect()
    };
    let lists = classes(&labels, &predictions).map(of_class).collect();
    take_turns(data, lists, count)
}

/// Chooses pairs of a misclassified input and a correctly classified input of the class that the
/// network gives the first: do both lie in the same region?
///
/// Only so both ends are inside one region: with an input of its own class a misclassified one
/// cannot be connected by any path, since the path begins outside. The first index is the
/// misclassified input. Turns and seed are those of [`choose_pairs`].
///
/// - **Shapes**: `predictions` (N,) of u32; the result has `count` pairs.
/// - **Range**: each index is below N.
/// - **Source**: *connectivity*, section 5, open question iii.
///
/// # Errors
///
/// As [`choose_pairs`].
pub fn choose_misclassified_pairs(
    data: &Dataset,
    predictions: &Tensor,
    count: usize,
    seed: u64,
) -> Result<Pairs> {
    let (labels, answers) = check(data, &[predictions], count)?;
    let predictions = &answers[0];
    let (wrong, right) = (
        Rng::new(seed).stream("misclassified"),
        Rng::new(seed).stream("pairs"),
    );
    let of_class = |class: u32| {
        let taken = |is_right: bool, rng: &Rng| {
            let of = |at: &usize| predictions[*at] == class && (labels[*at] == class) == is_right;
            shuffled((0..labels.len()).filter(of).collect(), rng, class)
        };
        let both = taken(false, &wrong).into_iter().zip(taken(true, &right));
        let pair = |(wrong, right)| Pair {
            class,
            index: [wrong, right],
        };
        both.map(pair).collect()
    };
    let lists = classes(&labels, &answers).map(of_class).collect();
    take_turns(data, lists, count)
}

/// Labels and predictions on the host.
fn check(
    data: &Dataset,
    predictions: &[&Tensor],
    count: usize,
) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
    checks::at_least_one("pairs", count)?;
    if predictions.is_empty() {
        return Err(Error::argument(
            "predictions",
            "those of at least one network",
            "none",
        ));
    }
    let labels = checks::labels("pairs", &data.labels, data.len(), None)?;
    let on_host = |answers: &&Tensor| -> Result<Vec<u32>> {
        if answers.dims() != [labels.len()] {
            let expected = format!("({},), one for each input", labels.len());
            return Err(Error::shape(
                "pairs",
                "predictions",
                expected,
                answers.dims(),
            ));
        }
        Ok(answers.to_dtype(DType::U32)?.to_vec1()?)
    };
    let predictions = predictions.iter().map(on_host).collect::<Result<_>>()?;
    Ok((labels, predictions))
}

fn classes(labels: &[u32], predictions: &[Vec<u32>]) -> std::ops::Range<u32> {
    let all = labels.iter().chain(predictions.iter().flatten());
    0..all.max().map_or(0, |most| most + 1)
}

fn shuffled(inputs: Vec<usize>, rng: &Rng, class: u32) -> Vec<usize> {
    let order = rng
        .stream(format!("class {class}"))
        .permutation(inputs.len());
    order.into_iter().map(|at| inputs[at]).collect()
}

/// The first of every list, then the second of every list that has one, …
fn take_turns(data: &Dataset, lists: Vec<Vec<Pair>>, count: usize) -> Result<Pairs> {
    let rounds = lists.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..rounds).flat_map(|round| lists.iter().filter_map(move |list| list.get(round)));
    let pairs: Vec<Pair> = turns.take(count).copied().collect();
    if pairs.len() < count {
        let expected = format!("at most {}, as many as the data give", pairs.len());
        return Err(Error::argument("pairs", expected, count));
    }
    Ok(Pairs {
        data: data.clone(),
        pairs,
    })
}
