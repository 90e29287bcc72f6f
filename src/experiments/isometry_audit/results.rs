//! The numbers of the audit, for other programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::{Audited, Audits};
use super::outcomes::AtRadius;
use super::params::AuditParams;
use crate::attacks::Warning;
use crate::scale::Scale;

/// What attacks leave of every network: the notebook's JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The number of test images that were attacked.
    pub test_images: usize,
    /// The networks.
    pub networks: Vec<NetworkResults>,
}

/// What attacks leave of one network.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkResults {
    /// How it was trained.
    pub name: String,
    /// The file of its weights, beside the JSON: safetensors with `layers.0.weight`, `layers.0.bias`,
    /// …, of a network with tanh between its layers.
    pub weights: String,
    /// Its seed.
    pub seed: u64,
    /// The accuracy on all test images, before any attack.
    pub accuracy: f64,
    /// The robust accuracy under AutoAttack, by norm and radius.
    pub autoattack: ByNorm<BTreeMap<String, f64>>,
    /// The median smallest change that FMN found; none where half of the images were never misled.
    pub median_norm: ByNorm<Option<f64>>,
    /// The accuracy that the *isometry* paper's attacker reports.
    pub paper_attack: f64,
    /// The radius of that attack in L∞, pixel units.
    pub paper_eps: f64,
    /// What AutoAttack warns of.
    pub warnings: Vec<Warning>,
    /// The wall time of its training in seconds.
    pub seconds: f64,
}

/// A number for each norm.
#[derive(Clone, Debug, Serialize)]
pub struct ByNorm<T> {
    /// That in L∞.
    pub linf: T,
    /// That in L2.
    pub l2: T,
}

impl Results {
    /// Collects what [`audit`](super::audit()) found.
    pub fn new(scale: Scale, params: &AuditParams, audits: &Audits) -> Self {
        Self {
            scale: scale.to_string(),
            test_images: params.images,
            networks: audits
                .runs
                .iter()
                .map(|run| NetworkResults::of(&run.result))
                .collect(),
        }
    }
}

impl NetworkResults {
    fn of(audited: &Audited) -> Self {
        let radii = |all: &[AtRadius]| -> BTreeMap<String, f64> {
            all.iter()
                .map(|at| (at.eps.to_string(), at.robust_accuracy))
                .collect()
        };
        Self {
            name: audited.method.to_string(),
            weights: format!("isometry_audit/{}", audited.file()),
            seed: audited.seed,
            accuracy: audited.accuracy,
            autoattack: ByNorm {
                linf: radii(&audited.linf),
                l2: radii(&audited.l2),
            },
            median_norm: ByNorm {
                linf: audited.linf_norm.median(),
                l2: audited.l2_norm.median(),
            },
            paper_attack: audited.paper_attack,
            paper_eps: audited.paper_eps,
            warnings: audited.warnings(),
            seconds: audited.seconds,
        }
    }
}
