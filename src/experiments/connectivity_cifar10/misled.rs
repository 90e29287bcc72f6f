//! A control: images that look as before and that the network takes for something else.

use candle_core::Tensor;

use super::{Pair, Settings, ends};
use crate::attacks::{Attack as _, Goal, Pgd};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;

/// Images changed by an attack, and the pairs of them that the network gives one wrong class.
#[derive(Clone, Debug)]
pub struct Misled {
    /// Images (2 · pairs, 3, H, W), both of every pair one after the other, with their true labels.
    pub data: Dataset,
    /// Their class is the wrong one; their indices count `data`.
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
/// `data` holds the images (N, 3, H, W) that the pairs' indices count.
///
/// # Errors
/// No pairs, an index or a class that there is not, images that the network does not take, or no
/// pair that could be misled.
pub fn mislead(
    network: &dyn Network,
    data: &Dataset,
    pairs: &[Pair],
    settings: &Settings,
) -> Result<Misled> {
    let classes = data.classes.len() as u32;
    let wrong = |pair: &Pair| (pair.class + classes / 2) % classes.max(1);
    let labels: Vec<u32> = pairs.iter().map(wrong).collect();
    let labels = Tensor::from_vec(labels, pairs.len(), data.inputs.device())?;
    let attack = Pgd {
        goal: Goal::Targeted(labels),
        alpha: settings.eps / 4.,
        steps: 20,
        batch_size: settings.batch_size,
        progress: settings.progress.clone(),
        ..Pgd::default()
    };
    let truth = |end: usize| -> Result<Dataset> {
        let rows: Vec<usize> = pairs.iter().map(|pair| pair.test_index[end]).collect();
        let images = ends(data, pairs, settings)?[end].clone();
        Ok(data.part(images, data.select(&rows)?.labels))
    };
    let found = [0, 1].map(|end| attack.attack(network, &truth(end)?, settings.eps));
    let [starts, ends] = found;
    let (starts, ends) = (starts?, ends?);
    let reached = |at: usize| starts.success[at] && ends.success[at];
    let (mut rows, mut misled) = (Vec::new(), Vec::new());
    for (at, pair) in pairs.iter().enumerate().filter(|(at, _)| reached(*at)) {
        let index = 2 * misled.len();
        misled.push(Pair {
            class: wrong(pair),
            test_index: [index, index + 1],
        });
        rows.extend([starts.data.range(at, 1)?, ends.data.range(at, 1)?]);
    }
    if rows.is_empty() {
        let expected = "large enough to mislead the network about at least one pair; increase it";
        return Err(Error::argument("eps", expected, settings.eps));
    }
    let images: Vec<&Tensor> = rows.iter().map(|row| &row.inputs).collect();
    let labels: Vec<&Tensor> = rows.iter().map(|row| &row.labels).collect();
    let data = data.part(Tensor::cat(&images, 0)?, Tensor::cat(&labels, 0)?);
    Ok(Misled {
        data,
        pairs: misled,
        attacked: pairs.len(),
    })
}
