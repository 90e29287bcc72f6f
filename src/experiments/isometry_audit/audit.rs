//! The audit of one network, and of all.

use super::method::Method;
use super::networks::{Networks, Trained};
use super::params::AuditParams;
use crate::attacks::{
    Attack as _, AutoAttack, Fmn, MinimalAttack as _, MinimalNorm, Norm, Pgd, RobustEvaluation,
    Warning,
};
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
    pub linf: Vec<RobustEvaluation>,
    /// AutoAttack at each radius in L2.
    pub l2: Vec<RobustEvaluation>,
    /// The smallest changes in L∞ that FMN found.
    pub linf_norm: MinimalNorm,
    /// The smallest changes in L2 that FMN found.
    pub l2_norm: MinimalNorm,
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
    let few = data.first(params.images.min(data.len()))?;
    let auto = |norm| AutoAttack {
        norm,
        steps: params.steps,
        queries: params.queries,
        progress: Progress::Hidden,
        ..AutoAttack::default()
    };
    let fmn = |norm| Fmn {
        norm,
        steps: params.steps,
        progress: Progress::Hidden,
        ..Fmn::default()
    };
    let network = &trained.network;
    let paper = Pgd {
        loss: trained.method.attackers_loss(),
        alpha: params.paper_eps / 4.,
        progress: Progress::Hidden,
        ..Pgd::default()
    };
    Ok(Audited {
        method: trained.method,
        seed: trained.seed,
        accuracy: accuracy(network, data)?,
        linf: auto(Norm::LInf).evaluate_at(network, &few, &params.linf)?,
        l2: auto(Norm::L2).evaluate_at(network, &few, &params.l2)?,
        linf_norm: fmn(Norm::LInf).minimal(network, &few)?,
        l2_norm: fmn(Norm::L2).minimal(network, &few)?,
        paper_attack: 1.
            - paper
                .attack(network, &few, params.paper_eps)?
                .success_rate(),
        paper_eps: params.paper_eps,
        seconds: trained.seconds,
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
