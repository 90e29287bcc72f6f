//! Is a network that is trained anew the same?

use std::fmt;

use candle_core::DType;

use super::networks::Trained;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::io::digest::numbers;
use crate::metrics::{accuracy, predictions};

/// How far two trainings of one method and seed lie apart.
///
/// ```text
/// equal where half(w) = half(v),   largest |w − v|
/// ```
///
/// - **Shapes**: numbers over all weights w, v and over all images.
/// - **Range**: shares in [0, 1], differences ≥ 0.
/// - **Source**: ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The number of weights.
    pub weights: usize,
    /// How many are the same in half precision, in which weights are carried.
    pub equal: usize,
    /// The largest difference of two weights, before either is rounded here.
    pub largest: f64,
    /// The number of images that both were asked about.
    pub images: usize,
    /// How many of them get two different answers.
    pub other_answers: usize,
    /// The accuracies of both on these images, in [0, 1].
    pub accuracy: [f64; 2],
}

impl Trained {
    /// Compares its weights and its answers with those of another training.
    ///
    /// # Errors
    /// Networks of other sizes, or images that they do not take.
    pub fn compared(&self, other: &Self, data: &Dataset) -> Result<Comparison> {
        let both = [self, other];
        let own = self.network.parameters().named();
        let theirs = other.network.parameters().named();
        let (mut weights, mut equal, mut largest) = (0, 0, 0f64);
        for (name, ours) in own {
            let fitting = theirs.get(&name).filter(|var| var.dims() == ours.dims());
            let theirs = fitting.ok_or_else(|| {
                let expected = format!("{name} of shape {:?}", ours.dims());
                Error::argument("other network", expected, "none")
            })?;
            let half = |var: &candle_core::Tensor| numbers(&var.to_dtype(DType::F16)?);
            equal += same(&half(&ours)?, &half(theirs)?);
            weights += ours.elem_count();
            let apart = numbers(&ours)?.into_iter().zip(numbers(theirs)?);
            largest = apart.fold(largest, |most, (a, b)| most.max((a - b).abs()));
        }
        let [ours, theirs] = both.map(|trained| predictions(&trained.network, &data.inputs));
        let images = data.len();
        let answers = (numbers(&ours?)?, numbers(&theirs?)?);
        let [ours, theirs] = both.map(|trained| accuracy(&trained.network, data));
        Ok(Comparison {
            weights,
            equal,
            largest,
            images,
            other_answers: images - same(&answers.0, &answers.1),
            accuracy: [ours?, theirs?],
        })
    }
}

fn same(ours: &[f64], theirs: &[f64]) -> usize {
    ours.iter().zip(theirs).filter(|(a, b)| a == b).count()
}

/// In two lines.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            weights,
            equal,
            images,
            other_answers,
            ..
        } = self;
        writeln!(
            f,
            "{equal} of {weights} weights are the same in half precision; the largest difference \
             is {:.1e}",
            self.largest
        )?;
        let [ours, theirs] = self.accuracy;
        write!(
            f,
            "{other_answers} of {images} test images get another answer; accuracy {ours:.4} and \
             {theirs:.4}"
        )
    }
}
