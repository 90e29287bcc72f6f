//! Attacks of growing strength: does a stronger one do more harm?

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::networks::{Networks, Trained};
use super::settings::Settings;
use crate::attacks::{Attack as _, Pgd};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::metrics::accuracy;
use crate::progress::Progress;

/// The accuracy that is left under attacks of growing strength.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AttackStrength {
    /// The radius ε of the ball in pixel units.
    #[serde(skip)]
    pub eps: f64,
    /// The networks' weights β of the isometric loss.
    #[serde(skip)]
    pub betas: Vec<f64>,
    /// The number of attacked images.
    #[serde(skip)]
    pub images: usize,
    /// The attacks, from weak to strong.
    pub attacks: Vec<Strength>,
}

/// The accuracy that is left under one attack, for the first network of every β.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// The loss that the attacker follows, and for how many steps.
    pub attack: String,
    /// The accuracy that is left, `[beta]`, in [0, 1].
    pub accuracy: Vec<f64>,
}

/// Attacks networks ever more strongly: PGD in the ball of radius `eps` along both losses, then
/// images made on a network with β = 0.
///
/// The steps are ε/5 long for ten steps and ε/10 for forty; the restarts start at random in the
/// ball. The transferred images come from forty steps along the cross-entropy on the last β = 0
/// network, which is another seed's than the attacked one where there are several seeds.
///
/// # Errors
/// As [`Attack::attack`](crate::attacks::Attack::attack); also no network with β = 0.
pub fn attack_strength(
    networks: &Networks,
    data: &Dataset,
    settings: &Settings,
    eps: f64,
) -> Result<AttackStrength> {
    let source = networks.runs.iter().rfind(|run| run.parameter == 0.);
    let source = source.ok_or_else(|| Error::argument("networks", "one with β = 0", "none"))?;
    strength_from(&networks.first_seed(), &source.result, data, settings, eps)
}

/// [`attack_strength`] on the networks `first`, with images made on `source`.
pub(super) fn strength_from(
    first: &Networks,
    source: &Trained,
    data: &Dataset,
    settings: &Settings,
    eps: f64,
) -> Result<AttackStrength> {
    let plans = plans(settings.batch_size, eps);
    let bar = settings
        .progress
        .bar("attacking")
        .of(2 * plans.len() + 1, "attacks");
    let strength = |attack: String, left: &dyn Fn(&Trained) -> Result<f64>| -> Result<Strength> {
        let mut part = bar.part();
        let mut accuracy = Vec::new();
        for run in &first.runs {
            accuracy.push(left(&run.result)?);
            part.set(accuracy.len() as f64 / first.runs.len() as f64);
        }
        part.finish(attack.as_str());
        Ok(Strength { attack, accuracy })
    };
    let under = |pgd: &Pgd, trained: &Trained| -> Result<f64> {
        Ok(1. - pgd.attack(&trained.network, data, eps)?.success_rate())
    };
    let mut attacks = Vec::new();
    for (name, pgd) in &plans {
        attacks.push(strength(format!("L, {name}"), &|trained| {
            let loss = Arc::new(settings.loss(trained.beta));
            let along = Pgd {
                loss,
                ..pgd.clone()
            };
            under(&along, trained)
        })?);
    }
    let [_, (_, forty), _] = &plans;
    let foreign = forty.attack(&source.network, data, eps)?.data;
    attacks.push(strength("transferred from β = 0".into(), &|trained| {
        accuracy(&trained.network, &foreign)
    })?);
    for (name, pgd) in &plans {
        attacks.push(strength(format!("L_CE, {name}"), &|trained| {
            under(pgd, trained)
        })?);
    }
    Ok(AttackStrength {
        eps,
        betas: first.parameters(),
        images: data.len(),
        attacks,
    })
}

/// The attacks along the cross-entropy, from weak to strong, with their names.
fn plans(batch_size: usize, eps: f64) -> [(&'static str, Pgd); 3] {
    let ten = Pgd {
        alpha: eps / 5.,
        batch_size,
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
    [
        ("10 steps", ten),
        ("40 steps", forty),
        ("40 steps, 5 restarts", restarted),
    ]
}
