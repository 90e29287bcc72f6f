//! What the paper's authors ran, version by version: does figure 3 depend on it?

use candle_core::DType;
use serde::{Deserialize, Serialize};

use super::networks::train_networks;
use super::robustness::{StepAccuracy, pgd_curves};
use super::settings::Settings;
use crate::datasets::Split;
use crate::error::Result;
use crate::figures::{Table, drawn};
use crate::models::Initialisation;
use crate::progress::Progress;

/// The networks of one version of the experiment, without the isometric term and with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// What is other than in the paper's text.
    pub name: String,
    /// The weight β of the isometric term.
    pub beta: f64,
    /// The test accuracy at β = 0, and at β.
    pub accuracy: [f64; 2],
    /// The accuracy under PGD along the cross-entropy, at β = 0 and at β.
    pub along_cross_entropy: [f64; 2],
    /// The accuracy at β under PGD along the loss that the network was trained on.
    pub along_training_loss: f64,
}

/// The versions of the experiment, side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versions {
    /// The step size α of PGD, pixel units.
    pub step_size: f64,
    /// The versions, the paper's own text first.
    pub versions: Vec<Version>,
}

/// What differs between the paper's text and its authors' public code (KBeshkov/HIsometricNets), each
/// alone, with the weight β that goes with it.
pub fn authors_versions(settings: &Settings) -> Vec<(String, f64, Settings)> {
    let scaled = |scale| Settings {
        scale,
        ..settings.clone()
    };
    let normalised = Settings {
        scale: 10.,
        normalised: true,
        squared: true,
        ..settings.clone()
    };
    let orthogonal = Settings {
        initialisation: Initialisation::Orthogonal,
        ..settings.clone()
    };
    let double = Settings {
        dtype: DType::F64,
        ..settings.clone()
    };
    vec![
        ("the paper's text".into(), 1., settings.clone()),
        ("K = 10 (2022-11-09)".into(), 0.1, scaled(10.)),
        ("K = 10".into(), 1., scaled(10.)),
        (
            "distances over their largest, squared (2022-09-16)".into(),
            100.,
            normalised,
        ),
        (
            "five hidden layers".into(),
            1.,
            settings.clone().with_hidden_layers(5),
        ),
        ("orthogonal weights at the start".into(), 1., orthogonal),
        ("double precision".into(), 1., double),
    ]
}

/// Trains two networks of each version, β = 0 and its own β, by the first seed, and attacks them by PGD
/// with steps of at least `alpha`.
///
/// # Errors
/// As [`train_networks`] and [`pgd_curves`]; no step is so long.
pub fn compare_versions(data: &Split, settings: &Settings, alpha: f64) -> Result<Versions> {
    let all = authors_versions(settings);
    let bar = settings.progress.bar("versions").of(all.len(), "versions");
    let mut found = Versions {
        step_size: alpha,
        versions: Vec::new(),
    };
    for (name, beta, own) in all {
        let part = bar.part();
        let (step_size, version) = compare_version(data, (name.clone(), beta, own), alpha)?;
        found.step_size = step_size;
        found.versions.push(version);
        part.finish(name);
    }
    Ok(found)
}

/// One version of [`authors_versions`], with the step size.
pub(super) fn compare_version(
    data: &Split,
    (name, beta, own): (String, f64, Settings),
    alpha: f64,
) -> Result<(f64, Version)> {
    let step = own.step_sizes.iter().copied().find(|step| *step >= alpha);
    let own = Settings {
        betas: vec![0., beta],
        seeds: own.seeds.iter().take(1).copied().collect(),
        step_sizes: step.into_iter().collect(),
        progress: Progress::Hidden,
        ..own
    };
    let networks = train_networks(data, &own)?;
    let test = own.converted(data)?.test;
    let StepAccuracy {
        step_size,
        cross_entropy,
        training_loss,
        ..
    } = pgd_curves(&networks, &test, &own)?.at(alpha)?;
    let accuracies = networks.values(|trained| trained.test_accuracy);
    let version = Version {
        accuracy: [accuracies[0][0], accuracies[1][0]],
        along_cross_entropy: [cross_entropy[0][0], cross_entropy[1][0]],
        along_training_loss: training_loss[1][0],
        name,
        beta,
    };
    Ok((step_size, version))
}

impl Versions {
    /// Tabulates the accuracies of every version.
    pub fn table(&self) -> Table {
        let caption = format!(
            "Accuracy under PGD, α = {:.3}, version by version",
            self.step_size
        );
        let head = [
            "version",
            "β",
            "accuracy, β = 0",
            "with β",
            "along L_CE, β = 0",
            "along L_CE, with β",
            "along L, with β",
        ];
        let mut table = Table::new(caption, head);
        for version in &self.versions {
            let mut row = vec![version.name.clone(), version.beta.to_string()];
            let numbers = version.accuracy.iter().chain(&version.along_cross_entropy);
            row.extend(numbers.map(|share| format!("{share:.3}")));
            row.push(format!("{:.3}", version.along_training_loss));
            table.push(row);
        }
        table
    }
}

drawn!(table: Versions);
