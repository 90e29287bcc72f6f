//! All that the tasks find, put together.

use super::further::Further;
use super::outputs::{joined, strength, trained};
use super::part::IsometryPart;
use crate::error::{Error, Result};
use crate::experiments::isometry_mnist::gradients::{Angle, Angles};
use crate::experiments::isometry_mnist::networks::Networks;
use crate::experiments::isometry_mnist::robustness::{Curves, Robustness};
use crate::experiments::isometry_mnist::settings::Settings;
use crate::experiments::isometry_mnist::strength::AttackStrength;
use crate::experiments::isometry_mnist::stretch::Stretches;
use crate::experiments::isometry_mnist::versions::{Version, Versions, authors_versions};
use crate::experiments::sweep::{Run, Sweep, cases};
use crate::experiments::tasks::Finished;
use crate::io::exact::Exact;

/// All that the tasks of the experiment find.
#[derive(Clone, Debug)]
pub struct Found {
    /// The networks.
    pub networks: Networks,
    /// Figure 3.
    pub robustness: Robustness,
    /// The Lipschitz constants.
    pub lipschitz: Stretches,
    /// The angles of the gradients.
    pub angles: Angles,
    /// The attacks of growing strength.
    pub strength: AttackStrength,
    /// Figure 3 without clipping, for the first seed.
    pub unclipped: Robustness,
    /// FGSM on networks whose logits are kept isometric.
    pub logits: Curves,
    /// What the authors ran.
    pub versions: Versions,
    /// The networks on CIFAR-10.
    pub photos: Networks,
    /// The attacks on them.
    pub on_photos: Robustness,
}

/// The seed of the first network of every β, and the last β = 0 network, on which images are made
/// for others.
pub(super) fn first(settings: &Settings) -> Result<(u64, (f64, u64))> {
    let all = cases(&settings.betas, &settings.seeds)?;
    let source = all.iter().rfind(|(beta, _)| *beta == 0.);
    let source = source.ok_or_else(|| Error::argument("betas", "0 among them", "none"))?;
    Ok((all[0].1, *source))
}

/// All that the tasks have found.
///
/// # Errors
/// An output is not there, or is none of this experiment.
pub(super) fn found(
    settings: &Settings,
    further: &Further,
    finished: &Finished<'_>,
) -> Result<Found> {
    let all = cases(&settings.betas, &settings.seeds)?;
    let (first, _) = first(settings)?;
    let of_first: Vec<(f64, u64)> = settings.betas.iter().map(|beta| (*beta, first)).collect();
    let networks = sweep(&all, |beta, seed| {
        let output = finished.output(&IsometryPart::Train {
            beta: Exact(beta),
            seed,
        })?;
        trained(&output, settings, beta, seed)
    })?;
    let curves = |attack: &str, settings: &Settings, runs: &[(f64, u64)], part: OfNetwork| {
        joined(attack, settings, runs, &|beta, seed| {
            finished.output(&part(Exact(beta), seed))
        })
    };
    let robustness = Robustness {
        fgsm: curves("FGSM", settings, &all, |beta, seed| IsometryPart::Fgsm {
            beta,
            seed,
        })?,
        pgd: curves("PGD", settings, &all, |beta, seed| IsometryPart::Pgd {
            beta,
            seed,
        })?,
    };
    let unclipped = Robustness {
        fgsm: curves("FGSM", &further.unclipped, &of_first, |beta, _| {
            IsometryPart::UnclippedFgsm { beta }
        })?,
        pgd: curves("PGD", &further.unclipped, &of_first, |beta, _| {
            IsometryPart::UnclippedPgd { beta }
        })?,
    };
    let on_logits = cases(&further.logits.betas, &further.logits.seeds)?;
    let logits = curves("FGSM", &further.logits, &on_logits, |beta, seed| {
        IsometryPart::LogitsFgsm { beta, seed }
    })?;
    let lipschitz = sweep(&all, |beta, seed| {
        let part = IsometryPart::Stretch {
            beta: Exact(beta),
            seed,
        };
        finished.output(&part)?.read()
    })?;
    let angles = settings.betas.iter().map(|beta| {
        let part = IsometryPart::Angle { beta: Exact(*beta) };
        finished.output(&part)?.read::<Angle>()
    });
    let strengths = settings
        .betas
        .iter()
        .map(|beta| finished.output(&IsometryPart::Strength { beta: Exact(*beta) }));
    let mut versions = Versions {
        step_size: further.versions_alpha,
        versions: Vec::new(),
    };
    for number in 0..authors_versions(&further.versions).len() {
        let output = finished.output(&IsometryPart::Version { number })?;
        let (step_size, version) = output.read::<(f64, Version)>()?;
        versions.step_size = step_size;
        versions.versions.push(version);
    }
    let elsewhere = &further.elsewhere;
    let on_photos = cases(&elsewhere.betas, &elsewhere.seeds)?;
    let photos = sweep(&on_photos, |beta, seed| {
        let part = IsometryPart::TrainElsewhere {
            beta: Exact(beta),
            seed,
        };
        trained(&finished.output(&part)?, elsewhere, beta, seed)
    })?;
    let fgsm = curves("FGSM", elsewhere, &on_photos, |beta, seed| {
        IsometryPart::FgsmElsewhere { beta, seed }
    })?;
    let pgd = curves("PGD", &further.elsewhere_pgd(), &on_photos, |beta, seed| {
        IsometryPart::PgdElsewhere { beta, seed }
    })?;
    Ok(Found {
        networks,
        robustness,
        lipschitz,
        angles: Angles {
            angles: angles.collect::<Result<_>>()?,
        },
        strength: strength(strengths)?,
        unclipped,
        logits,
        versions,
        photos,
        on_photos: Robustness { fgsm, pgd },
    })
}

/// A part for each network.
type OfNetwork = fn(Exact, u64) -> IsometryPart;

fn sweep<T>(cases: &[(f64, u64)], result: impl Fn(f64, u64) -> Result<T>) -> Result<Sweep<f64, T>> {
    let runs = cases.iter().map(|(beta, seed)| {
        Ok(Run {
            parameter: *beta,
            seed: *seed,
            result: result(*beta, *seed)?,
        })
    });
    Ok(Sweep {
        runs: runs.collect::<Result<_>>()?,
    })
}
