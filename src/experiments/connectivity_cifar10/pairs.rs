//! Which inputs are connected with which.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// Two test images and the class that a path between them must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The class.
    pub class: u32,
    /// Both images, counted from 0 in the order of the test set.
    pub test_index: [usize; 2],
}

/// `count` pairs of images of one class that the network gives that class.
///
/// The classes take turns, as long as they have images left, and no image is in two pairs. A larger
/// `count` only adds pairs to those of a smaller one, and a class's images are drawn from `seed`
/// and the class alone.
///
/// `labels` and `predictions`: one for each image.
///
/// # Errors
/// Lists of different lengths, no pair asked for, or fewer pairs than that.
pub fn choose_pairs(
    labels: &[u32],
    predictions: &[u32],
    count: usize,
    seed: u64,
) -> Result<Vec<Pair>> {
    check(labels, predictions, count)?;
    let rng = Rng::new(seed).stream("pairs");
    let right = |class: u32| move |at: &usize| labels[*at] == class && predictions[*at] == class;
    let of_class = |class: u32| {
        let images = shuffled(
            (0..labels.len()).filter(right(class)).collect(),
            &rng,
            class,
        );
        images
            .chunks_exact(2)
            .map(|two| Pair {
                class,
                test_index: [two[0], two[1]],
            })
            .collect()
    };
    take_turns(classes(labels, predictions).map(of_class).collect(), count)
}

/// `count` pairs of an image of another class that the network takes for `class`, and one of that
/// class that it gets right: does what it mistakes for a class lie in the same region?
///
/// Only so both ends are inside one region: with an image of its own class a misclassified one
/// cannot be connected by any path, since the path begins outside. The first index is the
/// misclassified image. Turns, seed and errors as [`choose_pairs`].
///
/// Paper: *connectivity*, section 5, open question iii.
pub fn choose_misclassified_pairs(
    labels: &[u32],
    predictions: &[u32],
    count: usize,
    seed: u64,
) -> Result<Vec<Pair>> {
    check(labels, predictions, count)?;
    let (wrong, right) = (
        Rng::new(seed).stream("misclassified"),
        Rng::new(seed).stream("pairs"),
    );
    let of_class = |class: u32| {
        let taken = |is_right: bool| {
            move |at: &usize| predictions[*at] == class && (labels[*at] == class) == is_right
        };
        let wrong = shuffled(
            (0..labels.len()).filter(taken(false)).collect(),
            &wrong,
            class,
        );
        let right = shuffled(
            (0..labels.len()).filter(taken(true)).collect(),
            &right,
            class,
        );
        wrong
            .iter()
            .zip(&right)
            .map(|(wrong, right)| Pair {
                class,
                test_index: [*wrong, *right],
            })
            .collect()
    };
    take_turns(classes(labels, predictions).map(of_class).collect(), count)
}

fn check(labels: &[u32], predictions: &[u32], count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::argument("pairs", "at least 1", 0));
    }
    if labels.len() != predictions.len() {
        let expected = format!("{}, one for each label", labels.len());
        return Err(Error::argument("predictions", expected, predictions.len()));
    }
    Ok(())
}

fn classes(labels: &[u32], predictions: &[u32]) -> std::ops::Range<u32> {
    0..labels
        .iter()
        .chain(predictions)
        .max()
        .map_or(0, |most| most + 1)
}

fn shuffled(images: Vec<usize>, rng: &Rng, class: u32) -> Vec<usize> {
    rng.stream(format!("class {class}"))
        .permutation(images.len())
        .into_iter()
        .map(|at| images[at])
        .collect()
}

/// The first of every list, then the second of every list that has one, …
fn take_turns(lists: Vec<Vec<Pair>>, count: usize) -> Result<Vec<Pair>> {
    let rounds = lists.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..rounds).flat_map(|round| lists.iter().filter_map(move |list| list.get(round)));
    let pairs: Vec<Pair> = turns.take(count).copied().collect();
    if pairs.len() < count {
        return Err(Error::argument(
            "pairs",
            format!("at most {}, as many as the images give", pairs.len()),
            count,
        ));
    }
    Ok(pairs)
}
