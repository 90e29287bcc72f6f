//! Robustness, or a gradient that leads the attacker astray? What a reader can check.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use serde::Serialize;

use super::{Curves, Networks, Settings, Trained};
use crate::attacks::{Attack as _, Pgd, gradient, gradient_cosine};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::CrossEntropy;
use crate::metrics::accuracy;
use crate::progress::Progress;
use crate::statistics::median;

/// How the gradients of both losses compare, for one network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Angle {
    /// The weight of the isometric loss.
    pub beta: f64,
    /// The mean over images of cos ∠(∇ₓ L_CE, ∇ₓ L), in [−1, 1].
    pub cosine: f64,
    /// The median over images of ‖∇ₓ L_CE‖₂, per pixel unit; L_CE is the mean over a batch.
    pub cross_entropy: f64,
    /// The median over images of ‖β ∇ₓ L_ISO‖₂, likewise.
    pub isometric: f64,
}

/// Compares ∇ₓ L_CE with the two parts of ∇ₓ L (*isometry*, section 3.2) for the first network of
/// each β, in batches of [`Settings::batch_size`].
///
/// # Errors
/// As [`gradient`].
pub fn gradient_angles(
    networks: &Networks,
    settings: &Settings,
    data: &Dataset,
) -> Result<Vec<Angle>> {
    let first = networks.first_seed();
    first
        .runs
        .iter()
        .map(|run| angle(&run.result, settings, data))
        .collect()
}

fn angle(trained: &Trained, settings: &Settings, data: &Dataset) -> Result<Angle> {
    let loss = settings.loss(trained.beta);
    let network = trained.network.freeze()?;
    let (mut cosines, mut cross_entropy, mut isometric) = (Vec::new(), Vec::new(), Vec::new());
    for batch in data.batches(settings.batch_size)? {
        interrupt::check()?;
        let cosine = gradient_cosine(&network, &CrossEntropy, &loss, &batch)?;
        cosines.extend(cosine.per_sample.into_iter().flatten());
        let part = gradient(&network, &CrossEntropy, &batch)?;
        let whole = gradient(&network, &loss, &batch)?;
        isometric.extend(norms(&(whole - &part)?)?);
        cross_entropy.extend(norms(&part)?);
    }
    if cosines.is_empty() {
        return Err(Error::argument(
            "images",
            "at least one with a gradient",
            data.len(),
        ));
    }
    let median = |values: Vec<f64>| median(&values).unwrap_or(f64::NAN);
    Ok(Angle {
        beta: trained.beta,
        cosine: cosines.iter().sum::<f64>() / cosines.len() as f64,
        cross_entropy: median(cross_entropy),
        isometric: median(isometric),
    })
}

/// ‖row‖₂ of every row.
fn norms(gradient: &Tensor) -> Result<Vec<f64>> {
    Ok(gradient
        .flatten_from(1)?
        .to_dtype(DType::F64)?
        .sqr()?
        .sum(1)?
        .sqrt()?
        .to_vec1()?)
}

/// One attack on the first network of every β.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strength {
    /// What the attacker follows, and how long.
    pub attack: String,
    /// The accuracy that is left, `[beta]`, in [0, 1].
    pub accuracy: Vec<f64>,
}

/// PGD of growing strength in the ball of radius `eps` along both losses, and images made on a β = 0
/// network; from weak to strong.
///
/// The steps are ε/5 long for ten steps and ε/10 for forty; the restarts start at random in the
/// ball. The transferred images come from forty steps along the cross-entropy on the last β = 0
/// network, which is another seed's than the attacked one where there are several seeds.
///
/// # Errors
/// As [`Attack::attack`](crate::attacks::Attack::attack); also no network with β = 0.
pub fn attack_strength(
    networks: &Networks,
    settings: &Settings,
    data: &Dataset,
    eps: f64,
) -> Result<Vec<Strength>> {
    let source = networks.runs.iter().rfind(|run| run.parameter == 0.);
    let source = source.ok_or_else(|| Error::argument("networks", "one with β = 0", "none"))?;
    let ten = Pgd {
        alpha: eps / 5.,
        batch_size: settings.batch_size,
        progress: Progress::Hidden,
        ..Pgd::default()
    };
    let forty = Pgd {
        alpha: eps / 10.,
        steps: 40,
        ..ten.clone()
    };
    let restarted = Pgd {
        random_start: true,
        restarts: 5,
        ..forty.clone()
    };
    let first = networks.first_seed();
    let bar = settings.progress.bar("attacking").of(7, "attacks");
    let strength =
        |attack: String, accuracy: &dyn Fn(&Trained) -> Result<f64>| -> Result<Strength> {
            let mut part = bar.part();
            let mut left = Vec::new();
            for run in &first.runs {
                left.push(accuracy(&run.result)?);
                part.set(left.len() as f64 / first.runs.len() as f64);
            }
            part.finish(attack.as_str());
            Ok(Strength {
                attack,
                accuracy: left,
            })
        };
    let plans = [
        ("10 steps", &ten),
        ("40 steps", &forty),
        ("40 steps, 5 restarts", &restarted),
    ];
    let under = |pgd: Pgd, trained: &Trained| -> Result<f64> {
        Ok(1. - pgd.attack(&trained.network, data, eps)?.success_rate())
    };
    let mut found = Vec::new();
    for (name, pgd) in plans {
        found.push(strength(format!("L, {name}"), &|trained| {
            let loss = Arc::new(settings.loss(trained.beta));
            under(
                Pgd {
                    loss,
                    ..pgd.clone()
                },
                trained,
            )
        })?);
    }
    let foreign = forty.attack(&source.result.network, data, eps)?.data;
    found.push(strength("transferred from β = 0".into(), &|trained| {
        accuracy(&trained.network, &foreign)
    })?);
    for (name, pgd) in plans {
        found.push(strength(format!("L_CE, {name}"), &|trained| {
            under(pgd.clone(), trained)
        })?);
    }
    Ok(found)
}

/// What the notebook shows beyond table 1 and figure 3: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Angles and lengths of the gradients.
    pub angles: Vec<Angle>,
    /// Attacks of growing strength.
    pub strength: Vec<Strength>,
    /// FGSM and PGD without clipping.
    pub unclipped: Vec<Curves>,
    /// FGSM where the logits were kept isometric.
    pub logits: Curves,
}
