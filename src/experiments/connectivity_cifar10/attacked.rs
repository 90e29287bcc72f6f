//! A control: pairs of attacked images, which look as before but get another class.

use candle_core::Tensor;

use super::settings::Settings;
use crate::attacks::{Attack as _, Goal, Pgd};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::connectivity::{Pair, Pairs};
use crate::models::Network;

/// Pairs of attacked images that the network gives one and the same wrong class.
#[derive(Clone, Debug)]
pub struct AttackedPairs {
    /// The attacked images, both of every pair one after the other, with their true labels; a
    /// pair's class is the wrong one.
    pub pairs: Pairs,
    /// The number of pairs that were attacked.
    pub attacked: usize,
}

/// Attacks both images of every pair until the network gives both the same wrong class.
///
/// Each pixel changes by at most [`Settings::eps`]; the class is the one half of the classes
/// further on, and the attack has 20 targeted steps of projected gradient descent.
///
/// If those pairs are connected inside the wrong class as right ones are inside theirs, then a
/// connection says nothing about what the images show.
///
/// # Errors
/// No pairs, an index or a class that there is not, images that the network does not take, or no
/// pair that could be misled.
pub fn attack_pairs(
    network: &dyn Network,
    pairs: &Pairs,
    settings: &Settings,
) -> Result<AttackedPairs> {
    let (data, attacked) = (&pairs.data, &pairs.pairs);
    let classes = data.classes.len() as u32;
    let wrong = |pair: &Pair| (pair.class + classes / 2) % classes.max(1);
    let targets: Vec<u32> = attacked.iter().map(wrong).collect();
    let targets = Tensor::from_vec(targets, attacked.len(), data.inputs.device())?;
    let attack = Pgd {
        goal: Goal::Targeted(targets),
        alpha: settings.eps / 4.,
        steps: 20,
        batch_size: settings.batch_size,
        progress: settings.progress.clone(),
        ..Pgd::default()
    };
    let images = Pairs::ends_of(data, attacked, Some(settings.side))?;
    let truth = |end: usize| -> Result<Dataset> {
        let rows: Vec<usize> = attacked.iter().map(|pair| pair.index[end]).collect();
        Ok(data.part(images[end].clone(), data.select(&rows)?.labels))
    };
    let starts = attack.attack(network, &truth(0)?, settings.eps)?;
    let ends = attack.attack(network, &truth(1)?, settings.eps)?;
    let reached = |at: usize| starts.success[at] && ends.success[at];
    let (mut rows, mut misled) = (Vec::new(), Vec::new());
    for (at, pair) in attacked.iter().enumerate().filter(|(at, _)| reached(*at)) {
        let index = 2 * misled.len();
        misled.push(Pair {
            class: wrong(pair),
            index: [index, index + 1],
        });
        rows.extend([starts.data.range(at, 1)?, ends.data.range(at, 1)?]);
    }
    if rows.is_empty() {
        let expected = "a larger one: no pair could be misled within it";
        return Err(Error::argument("eps", expected, settings.eps));
    }
    let images: Vec<&Tensor> = rows.iter().map(|row| &row.inputs).collect();
    let labels: Vec<&Tensor> = rows.iter().map(|row| &row.labels).collect();
    Ok(AttackedPairs {
        pairs: Pairs {
            data: data.part(Tensor::cat(&images, 0)?, Tensor::cat(&labels, 0)?),
            pairs: misled,
        },
        attacked: attacked.len(),
    })
}
