//! The audit of one network, and of all.

use super::method::Method;
use super::networks::{Networks, Trained};
use super::outcomes::{AtRadius, SmallestChanges};
use super::params::AuditParams;
use crate::attacks::{Attack as _, AutoAttack, Fmn, MinimalAttack as _, Norm, Pgd, Warning};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::experiments::sweep::{Run, Sweep};
use crate::metrics::accuracy;
use crate::progress::Progress;
use crate::training::in_parallel;

/// What attacks leave of one network.
#[derive(Clone, Debug)]
pub struct Audited {
    /// How it was trained.
    pub method: Method,
    /// Its seed.
    pub seed: u64,
    /// The accuracy on all test images, before any attack.
    pub accuracy: f64,
    /// AutoAttack at each radius in L∞.
    pub linf: Vec<AtRadius>,
    /// AutoAttack at each radius in L2.
    pub l2: Vec<AtRadius>,
    /// The smallest changes in L∞ that FMN found.
    pub linf_norm: SmallestChanges,
    /// The smallest changes in L2 that FMN found.
    pub l2_norm: SmallestChanges,
    /// The accuracy under the *isometry* paper's attacker: ten steps of PGD along the loss that the
    /// network was trained on, in L∞ of radius [`AuditParams::paper_eps`].
    pub paper_attack: f64,
    /// The radius of that attack, pixel units.
    pub paper_eps: f64,
    /// The wall time of its training in seconds.
    pub seconds: f64,
}

/// All networks with what attacks leave of them.
pub type Audits = Sweep<Method, Audited>;

impl Audited {
    /// Puts together what was found, AutoAttack's in L∞ and in L2.
    pub(super) fn new(
        trained: &Trained,
        params: &AuditParams,
        [linf, l2]: [Vec<AtRadius>; 2],
        others: Others,
    ) -> Self {
        let [linf_norm, l2_norm] = others.smallest;
        Self {
            method: trained.method,
            seed: trained.seed,
            accuracy: others.accuracy,
            linf,
            l2,
            linf_norm,
            l2_norm,
            paper_attack: others.paper_attack,
            paper_eps: params.paper_eps,
            seconds: trained.seconds,
        }
    }

    /// The name of the file of its weights, as [`save_networks`](super::save_networks) writes it.
    pub fn file(&self) -> String {
        format!("{}.safetensors", self.method.run_name(self.seed))
    }

    /// Every warning that AutoAttack raised, at whatever radius, each kind once: that of the largest
    /// radius.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found: Vec<Warning> = Vec::new();
        for warning in self.linf.iter().chain(&self.l2).flat_map(|at| &at.warnings) {
            let same =
                |other: &Warning| std::mem::discriminant(other) == std::mem::discriminant(warning);
            found.retain(|other| !same(other));
            found.push(warning.clone());
        }
        found
    }
}

/// Attacks one network: AutoAttack at every radius, FMN, and the paper's attacker.
///
/// # Errors
/// As [`AutoAttack::evaluate`].
pub fn audit_network(trained: &Trained, data: &Dataset, params: &AuditParams) -> Result<Audited> {
    let at = |norm| autoattack(trained, data, params, norm);
    let (linf, l2) = (at(Norm::LInf)?, at(Norm::L2)?);
    let others = others(trained, data, params)?;
    Ok(Audited::new(trained, params, [linf, l2], others))
}

/// What AutoAttack leaves at every radius of a norm.
pub(super) fn autoattack(
    trained: &Trained,
    data: &Dataset,
    params: &AuditParams,
    norm: Norm,
) -> Result<Vec<AtRadius>> {
    let attack = AutoAttack {
        norm,
        steps: params.steps,
        queries: params.queries,
        progress: Progress::Hidden,
        ..AutoAttack::default()
    };
    let few = data.first(params.images)?;
    let found = attack.evaluate_at(&trained.network, &few, params.radii(norm))?;
    Ok(found.into_iter().map(AtRadius::from).collect())
}

/// All that the audit finds beside AutoAttack.
pub(super) struct Others {
    pub accuracy: f64,
    pub paper_attack: f64,
    /// In L∞ and in L2.
    pub smallest: [SmallestChanges; 2],
}

pub(super) fn others(trained: &Trained, data: &Dataset, params: &AuditParams) -> Result<Others> {
    let (network, few) = (&trained.network, data.first(params.images)?);
    let smallest = |norm| {
        let attack = Fmn {
            norm,
            steps: params.steps,
            progress: Progress::Hidden,
            ..Fmn::default()
        };
        SmallestChanges::of(attack.minimal(network, &few)?, params.kept_images)
    };
    let paper = Pgd {
        loss: trained.method.attackers_loss(),
        alpha: params.paper_eps / 4.,
        progress: Progress::Hidden,
        ..Pgd::default()
    };
    let misled = paper
        .attack(network, &few, params.paper_eps)?
        .success_rate();
    Ok(Others {
        accuracy: accuracy(network, data)?,
        paper_attack: 1. - misled,
        smallest: [smallest(Norm::LInf)?, smallest(Norm::L2)?],
    })
}

/// Attacks all networks, as many at once as there are processors, each on one.
///
/// # Errors
/// As [`audit_network`].
pub fn audit(networks: &Networks, data: &Dataset, params: &AuditParams) -> Result<Audits> {
    let bar = params
        .progress
        .bar("attacking")
        .of(networks.runs.len(), "networks");
    // The last networks of the list are the robust ones, whose attacks take longest: they begin.
    let order: Vec<&Run<Method, Trained>> = networks.runs.iter().rev().collect();
    let audited = in_parallel(&order, |run| {
        let part = bar.part();
        let result = audit_network(&run.result, data, params)?;
        part.finish(format!("seed {}, {}", run.seed, run.parameter));
        Ok(Run {
            parameter: run.parameter,
            seed: run.seed,
            result,
        })
    })?;
    Ok(Audits {
        runs: audited.into_iter().rev().collect(),
    })
}
