//! Robustness, or a gradient that leads the attacker astray? What a reader can check.

use candle_core::{DType, Tensor};
use serde::Serialize;

use super::{Curves, Settings, Trained};
use crate::attacks::{PgdParams, gradient, gradient_cosine, pgd, transfer};
use crate::error::{Error, Result};
use crate::experiments::median;
use crate::interrupt;
use crate::losses::{CrossEntropy, Loss};
use crate::progress::Bar;

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
/// each β.
///
/// `x` (N, …) and `labels` (N,) of u32 are taken in batches of [`Settings::batch_size`].
///
/// # Errors
/// As [`gradient`]; also no images.
pub fn gradient_angles(
    networks: &[Vec<Trained>],
    settings: &Settings,
    x: &Tensor,
    labels: &Tensor,
) -> Result<Vec<Angle>> {
    networks
        .iter()
        .filter_map(|runs| runs.first())
        .map(|trained| angle(trained, settings, x, labels))
        .collect()
}

fn angle(trained: &Trained, settings: &Settings, x: &Tensor, labels: &Tensor) -> Result<Angle> {
    let loss = settings.loss(trained.beta);
    let (mut cosines, mut cross_entropy, mut isometric) = (Vec::new(), Vec::new(), Vec::new());
    let rows = x.dim(0)?;
    for first in (0..rows).step_by(settings.batch_size.max(1)) {
        interrupt::check()?;
        let size = settings.batch_size.max(1).min(rows - first);
        let (x, labels) = (x.narrow(0, first, size)?, labels.narrow(0, first, size)?);
        let cosine = gradient_cosine(&trained.network, &CrossEntropy, &loss, &x, &labels)?;
        cosines.extend(cosine.per_sample.into_iter().flatten());
        let part = gradient(&trained.network, &CrossEntropy, &x, &labels)?;
        let whole = gradient(&trained.network, &loss, &x, &labels)?;
        isometric.extend(norms(&(whole - &part)?)?);
        cross_entropy.extend(norms(&part)?);
    }
    if cosines.is_empty() {
        return Err(Error::argument(
            "images",
            "at least one with a gradient",
            rows,
        ));
    }
    let cosine = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let median = |values| median(values).unwrap_or(f64::NAN);
    Ok(Angle {
        beta: trained.beta,
        cosine,
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

/// PGD of growing strength in the ball of radius `eps` along both losses, and images made on a β =
/// 0 network.
///
/// The steps are ε/5 long for ten steps and ε/10 for forty; the restarts start at random in the
/// ball. The transferred images come from forty steps along the cross-entropy on the last β = 0
/// network, which is another seed's than the attacked one where there are several seeds.
///
/// `x` (N, …), `labels` (N,) of u32; `bar` counts the attacks.
///
/// # Errors
/// As [`pgd`]; also no network.
pub fn attack_strength(
    networks: &[Vec<Trained>],
    settings: &Settings,
    x: &Tensor,
    labels: &Tensor,
    eps: f64,
    bar: &Bar,
) -> Result<Vec<Strength>> {
    let batch_size = settings.batch_size;
    let ten = PgdParams {
        alpha: eps / 5.,
        batch_size,
        ..PgdParams::default()
    };
    let forty = PgdParams {
        alpha: eps / 10.,
        steps: 40,
        ..ten.clone()
    };
    let restarted = PgdParams {
        random_start: true,
        restarts: 5,
        ..forty.clone()
    };
    let attacked = networks.iter().filter(|runs| !runs.is_empty()).count();
    bar.begin(7, "attacks");
    let mut found = Vec::new();
    for (along, follows_training_loss) in [("L", true), ("L_CE", false)] {
        for (name, params) in [
            ("10 steps", &ten),
            ("40 steps", &forty),
            ("40 steps, 5 restarts", &restarted),
        ] {
            let (mut accuracy, mut part) = (Vec::new(), bar.part());
            for trained in networks.iter().filter_map(|runs| runs.first()) {
                let full = settings.loss(trained.beta);
                let loss: &dyn Loss = if follows_training_loss {
                    &full
                } else {
                    &CrossEntropy
                };
                accuracy
                    .push(1. - pgd(&trained.network, loss, x, labels, eps, params)?.success_rate());
                part.set(accuracy.len() as f64 / attacked as f64);
            }
            let attack = format!("{along}, {name}");
            part.finish(attack.as_str());
            found.push(Strength { attack, accuracy });
        }
    }
    let source = networks
        .iter()
        .flatten()
        .rfind(|trained| trained.beta == 0.);
    let Some(source) = source else {
        return Err(Error::argument("networks", "one with β = 0", "none"));
    };
    let part = bar.part();
    let images = pgd(&source.network, &CrossEntropy, x, labels, eps, &forty)?;
    let accuracy = networks.iter().filter_map(|runs| runs.first());
    let accuracy = accuracy.map(|trained| transfer(&trained.network, &images, labels, batch_size));
    // Between the attackers that see the network, so that the chart reads from weak to strong.
    found.insert(
        3,
        Strength {
            attack: "transferred from β = 0".into(),
            accuracy: accuracy.collect::<Result<_>>()?,
        },
    );
    part.finish("transferred from β = 0");
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
