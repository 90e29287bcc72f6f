//! A control: images that look as before and that the network takes for something else.

use candle_core::Tensor;

use super::{Pair, Settings, ends};
use crate::attacks::{Goal, PgdParams, pgd};
use crate::error::{Error, Result};
use crate::losses::CrossEntropy;
use crate::models::Network;

/// Images changed by an attack, and the pairs of them that the network gives one wrong class.
#[derive(Clone, Debug)]
pub struct Misled {
    /// (2 · pairs, 3, H, W): both images of every pair, one after the other.
    pub images: Tensor,
    /// Their class is the wrong one; their indices count `images`.
    pub pairs: Vec<Pair>,
    /// How many pairs were attacked.
    pub attacked: usize,
}

/// Changes both images of every pair by at most [`Settings::eps`] a pixel until the network takes
/// them for the class that lies half of the classes further on: 20 targeted steps of projected
/// gradient descent.
///
/// If those pairs are connected inside the wrong class as right ones are inside theirs, then a
/// connection says nothing of what the images show.
///
/// `images` (N, 3, H, W) are those that the pairs' indices count.
///
/// # Errors
/// No pairs, an index or a class that there is not, images that the network does not take, or no
/// pair that could be misled.
pub fn mislead(
    network: &dyn Network,
    images: &Tensor,
    pairs: &[Pair],
    classes: u32,
    settings: &Settings,
) -> Result<Misled> {
    let wrong = |pair: &Pair| (pair.class + classes / 2) % classes.max(1);
    let labels: Vec<u32> = pairs.iter().map(wrong).collect();
    let labels = Tensor::from_vec(labels, pairs.len(), images.device())?;
    let params = PgdParams {
        goal: Goal::Targeted(labels.clone()),
        alpha: settings.eps / 4.,
        steps: 20,
        batch_size: settings.batch_size,
        ..PgdParams::default()
    };
    let [starts, ends] = ends(images, pairs, settings)?;
    let attacked = |images: &Tensor| {
        pgd(
            network,
            &CrossEntropy,
            images,
            &labels,
            settings.eps,
            &params,
        )
    };
    let (starts, ends) = (attacked(&starts)?, attacked(&ends)?);
    let reached =
        |at: usize| starts.success.get(at) == Some(&true) && ends.success.get(at) == Some(&true);
    let (mut rows, mut misled) = (Vec::new(), Vec::new());
    for (at, pair) in pairs.iter().enumerate().filter(|(at, _)| reached(*at)) {
        misled.push(Pair {
            class: wrong(pair),
            test_index: [2 * misled.len(), 2 * misled.len() + 1],
        });
        rows.extend([
            starts.images.narrow(0, at, 1)?,
            ends.images.narrow(0, at, 1)?,
        ]);
    }
    if rows.is_empty() {
        return Err(Error::argument(
            "eps",
            "enough to mislead the network about one pair",
            settings.eps,
        ));
    }
    Ok(Misled {
        images: Tensor::cat(&rows, 0)?,
        pairs: misled,
        attacked: pairs.len(),
    })
}
